"""Writing files so that an interruption or a full disk leaves the old ones as they were."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heor.errors import HeorError


class CannotWrite(HeorError):
    """A file or folder cannot be written."""


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Give a temporary folder whose files are moved to ``folder`` when the block ends well.

    The temporary folder lies inside ``folder``, so that each move is one rename. When the block
    raises, or is interrupted, everything written in it is removed and ``folder`` is unchanged.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".heor-", dir=folder))
    except OSError as error:
        raise CannotWrite(f"cannot write to {folder}: {error.strerror or error}.") from error
    try:
        yield stage
        for path in sorted(stage.iterdir(), key=_locked_first):
            _move(path, folder / path.name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if made and not any(folder.iterdir()):
            folder.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends in one step."""
    with staged(path.parent) as stage:
        (stage / path.name).write_text(text, encoding="utf-8", newline="\n")


def _locked_first(path: Path) -> tuple[bool, str]:
    """Workbooks first: they are what another program may hold open, and then nothing moves."""
    return path.suffix != ".xlsx", path.name


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except PermissionError as error:
        raise CannotWrite(
            f"cannot write {target}: it may be open in another program; close it and run again."
        ) from error
    except OSError as error:
        raise CannotWrite(f"cannot write {target}: {error.strerror or error}.") from error
