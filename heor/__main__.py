"""``python -m heor`` is the command ``heor``."""

from heor.cli import main

if __name__ == "__main__":
    main()
