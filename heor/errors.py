"""Errors a user sees: where the problem is, what was found, what is allowed.

Every message is a sentence. A problem in an input names its file and row (or sheet and cell),
the value found and what is allowed; a problem in the running model names strategy, group,
draw and cycle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a cell stands, so that a message can point at it.

    Parameters
    ----------
    file : str
        Path of the file as the user wrote it.
    sheet : str
        Sheet name, or ``""`` for a CSV file.
    row : int
        Row number as a spreadsheet or an editor shows it, from 1; 0 for the whole table.
    column : str
        Column heading; ``""`` for the whole row.
    cell : str
        Cell address such as ``B4`` in a workbook; ``""`` for a CSV file.
    """

    file: str
    sheet: str = ""
    row: int = 0
    column: str = ""
    cell: str = ""

    def __str__(self) -> str:
        text = f"{self.file}[{self.sheet}]" if self.sheet else self.file
        if self.cell:
            text += f", cell {self.cell}"
        elif self.row:
            text += f", row {self.row}"
        if self.column:
            text += f", column {self.column}"
        return text


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong (or, for a warning, worth a look) in the inputs."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class HeorError(Exception):
    """Base of every error that is the user's to mend; the command line exits with 2."""


class InputErrors(HeorError):
    """All problems found in one reading of the inputs, sorted by file and row."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ModelError(HeorError):
    """The running model broke one of its identities (methods 10)."""
