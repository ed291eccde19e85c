"""What every test shares."""

#: Runs under the Python of LibreOffice, as a program of its own.
collect_ignore = ["uno_driver.py"]
