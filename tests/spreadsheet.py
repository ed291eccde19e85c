"""Workbooks in a running LibreOffice: change cells, calculate, read; many changes in one start.

The tests' side of `uno_driver`, which runs under the Python that has UNO. Where LibreOffice or UNO
is missing, tests are skipped with a loud reason; where ``CI`` is set they fail.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import xlsxwriter
from libreoffice import require_libreoffice, write_profile
from xlsx_package import column_index, split_address

from heor.report.xlsx import cell_name

DRIVER = Path(__file__).with_name("uno_driver.py")

#: Seconds that one request may take.
TIMEOUT = 240

#: Pythons that may have UNO, in the order in which they are tried.
PYTHONS = ("/usr/bin/python3", "python3")

Input = float | str | None
Table = list[list[float | str]]
Cell = tuple[str, str]


class SpreadsheetError(RuntimeError):
    """LibreOffice did not do what was asked."""


@functools.cache
def python_with_uno() -> str | None:
    """Path of a Python that can import ``uno``."""
    for name in (os.environ.get("UNO_PYTHON", ""), *PYTHONS):
        program = shutil.which(name) if name else None
        if program is None:
            continue
        asked = subprocess.run([program, "-c", "import uno"], capture_output=True, check=False)
        if asked.returncode == 0:
            return program
    return None


def require_uno() -> str:
    """Path of a Python with UNO; without it the test is skipped, and in CI it fails."""
    require_libreoffice()
    program = python_with_uno()
    if program is None:
        reason = "PYTHON3-UNO IS MISSING: no change has been tried in the workbook"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@dataclass(frozen=True, slots=True)
class Reply:
    """What a change gave.

    ``values`` has a table for each range that was asked for; ``error_count`` and ``error_cells``
    are of the whole workbook.
    """

    values: list[Table]
    error_count: int
    error_cells: list[str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Results:
    """As `Reply`, for single cells."""

    values: list[float | str]
    error_count: int
    error_cells: list[str]
    seconds: float


@dataclass(slots=True)
class Spreadsheet:
    """One LibreOffice with at most one workbook open; a context manager."""

    sheets: dict[str, tuple[int, int]] = field(default_factory=dict)
    _process: Any = None
    _office: int | None = None
    _profile: Any = None
    _pending: bytes = b""

    def __enter__(self) -> Self:
        program, office = require_uno(), require_libreoffice()
        self._profile = tempfile.TemporaryDirectory(prefix="libreoffice-")
        write_profile(Path(self._profile.name))
        self._process = subprocess.Popen(
            [program, str(DRIVER), office, self._profile.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._office = int(self._read(TIMEOUT)["ready"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End LibreOffice, whatever it is doing."""
        if self._process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            for group in (self._process.pid, self._office):
                if group is not None:
                    _kill(group)
            self._process.wait()
        self._process.stdout.close()
        self._process = None
        self._profile.cleanup()

    def open(self, path: Path) -> float:
        """Load a workbook, compute every formula; give the seconds it took."""
        reply = self._ask({"do": "open", "path": str(path.resolve())})
        self.sheets = {name: (size[0], size[1]) for name, size in reply["sheets"].items()}
        return float(reply["seconds"])

    def change(
        self,
        cells: Mapping[Cell, Input],
        read: Sequence[Cell] = (),
        *,
        keep: bool = False,
        hard: bool = False,
        errors: bool = True,
    ) -> Reply:
        """Set cells, calculate, read ranges; put the old contents back unless ``keep``."""
        reply = self._ask(
            {
                "do": "change",
                "set": [[sheet, place, value] for (sheet, place), value in cells.items()],
                "read": [list(one) for one in read],
                "keep": keep,
                "hard": hard,
                "errors": errors,
            }
        )
        found = reply.get("errors", {"count": 0, "cells": []})
        return Reply(reply["values"], found["count"], found["cells"], reply["seconds"])

    def results(self, cells: Mapping[Cell, Input], wanted: Sequence[Cell]) -> Results:
        """Set cells, calculate, read single cells; put the old contents back.

        What lies between the wanted cells of a sheet is read with them, in one go.
        """
        places: dict[str, list[tuple[int, int]]] = {}
        for sheet, address in wanted:
            places.setdefault(sheet, []).append(row_and_column(address))
        areas = {
            sheet: tuple(f(line) for f in (min, max) for line in zip(*found, strict=True))
            for sheet, found in places.items()
        }
        read = [
            (sheet, f"{cell_name(top, left)}:{cell_name(bottom, right)}")
            for sheet, (top, left, bottom, right) in areas.items()
        ]
        reply = self.change(cells, read)
        tables = dict(zip(areas, reply.values, strict=True))
        values = []
        for sheet, address in wanted:
            row, column = row_and_column(address)
            values.append(tables[sheet][row - areas[sheet][0]][column - areas[sheet][1]])
        return Results(values, reply.error_count, reply.error_cells, reply.seconds)

    def used(self) -> list[Cell]:
        """The used area of every sheet, for `change` to read."""
        return [
            (name, f"A1:{cell_name(rows - 1, columns - 1)}")
            for name, (rows, columns) in self.sheets.items()
        ]

    def close(self) -> None:
        """Close the workbook."""
        self._ask({"do": "close"})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise SpreadsheetError("LibreOffice has ended") from error
        reply = self._read(TIMEOUT)
        if "failed" in reply:
            raise SpreadsheetError(reply["failed"])
        return reply

    def _read(self, timeout: float) -> dict[str, Any]:
        pieces = [self._pending]
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in pieces[-1]:
                if not waiting.select(timeout):
                    self._end()
                    raise SpreadsheetError(f"LibreOffice gave no answer in {timeout:.0f} s")
                piece = os.read(self._process.stdout.fileno(), 1 << 20)
                if not piece:
                    self._end()
                    raise SpreadsheetError("LibreOffice ended without an answer")
                pieces.append(piece)
        line, _, self._pending = b"".join(pieces).partition(b"\n")
        return dict(json.loads(line))

    def _end(self) -> None:
        for group in (self._process.pid, self._office):
            if group is not None:
                _kill(group)


def row_and_column(address: str) -> tuple[int, int]:
    """``B3`` -> (2, 1)."""
    column, row = split_address(address)
    return row - 1, column_index(column)


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def write_control(path: Path) -> Path:
    """A workbook with a wrong stored value, which a spreadsheet must mend."""
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Control")
        sheet.write_number("A1", 20.0)
        sheet.write_formula("A2", "=A1+1", value=99.0)
        sheet.write_formula("A3", '=IF(A1>1,"above","below")', value="wrong")
        sheet.write_formula("A4", "=1/A5", value=1.0)
        sheet.write_number("A5", 2.0)
    return path
