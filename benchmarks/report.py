"""Measure the writing of a large workbook: XlsxWriter cell by cell against heor's strips.

``python benchmarks/report.py``. The same cells go through the same adapter (`heor.report.xlsx`);
only the worksheet class differs. Every round runs each way in a process of its own, in turn.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

ROWS, COLUMNS = 1_567, 19
WAYS = ("XlsxWriter", "without search", "heor")


def main() -> None:
    """Run the rounds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--sheets", type=int, default=2, help="sheets of 29,773 formulas each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(alone(chosen.way, chosen.sheets)))
        return
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(chosen.rounds):
        for way in WAYS:
            found[way].append(_alone(way, chosen.sheets))
    contents = {run["content"] for runs in found.values() for run in runs}
    same = "the same" if len(contents) == 1 else "NOT the same"
    print(f"{found['heor'][0]['cells']:,} cells; the sheets are {same}, byte for byte.")
    print(f"{'':16s}{'wall s':>8s}{'us/cell':>9s}{'x heor':>8s}{'file MB':>9s}{'peak MB':>9s}")
    for way, runs in found.items():
        wall = statistics.median(run["wall"] for run in runs)
        ratio = statistics.median(
            run["wall"] / own["wall"] for run, own in zip(runs, found["heor"], strict=True)
        )
        first = runs[0]
        print(
            f"{way:16s}{wall:8.2f}{wall / first['cells'] * 1e6:9.1f}{ratio:8.1f}"
            f"{first['file_mb']:9.2f}{max(run['peak_mb'] for run in runs):9.0f}"
        )


def alone(way: str, sheets: int) -> dict[str, Any]:
    """Write the workbook in this process."""
    from heor.report import xlsx

    if way != "heor":
        kind = _cell_by_cell(search=way == "XlsxWriter")
        xlsx.worksheet_class = lambda: kind  # type: ignore[assignment]
    rng = np.random.default_rng(1)
    numbers = rng.random((sheets, ROWS, COLUMNS))
    draws = rng.random((1_000, 6 * sheets))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xlsx"
        begun = time.perf_counter()
        with xlsx.writing(path) as book:
            _fill(book, numbers, draws)
        wall = time.perf_counter() - begun
        content = hashlib.sha256()
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.startswith("xl/worksheets/"):
                    content.update(archive.read(name))
        size = path.stat().st_size / 1e6
    unit = 1024**2 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return {
        "wall": wall,
        "cells": numbers.size + draws.size,
        "file_mb": size,
        "peak_mb": peak,
        "content": content.hexdigest(),
    }


def _fill(book: Any, numbers: np.ndarray, draws: np.ndarray) -> None:
    """Columns of formulas about as long as those of a report, and a block of numbers."""
    from heor.report.live import HERE, PREVIOUS
    from heor.report.xlsx import Style

    style = Style("formula", unit="share")
    gap = f"('Calc Time'!$B{HERE}-'Calc Time'!$B{PREVIOUS})"
    formula = (
        f"=IF('Calc Time'!$B{HERE}<='Calc Settings'!$C$14,'Calc Curves a'!$D{HERE},"
        f"MIN('Calc Curves a'!$E{HERE}*'Calc Settings'!$C$15,"
        f"EXP(-'Calc Curves a'!$F{HERE}*{gap}))*$C{PREVIOUS})"
    )
    for number, table in enumerate(numbers, start=1):
        sheet = book.sheet(f"Calc {number}")
        for column in range(COLUMNS):
            sheet.pattern_column(12, column, formula, table[:, column], style)
    book.sheet("PSA draws").block(5, 0, draws, [Style("value")] * draws.shape[1])


def _cell_by_cell(*, search: bool) -> Any:
    """XlsxWriter's own worksheet, with or without its search for newer functions."""
    from xlsxwriter.worksheet import Worksheet

    class CellByCell(Worksheet):
        def add_strip(self, strip: Any) -> None:
            for row, value in enumerate(strip.values, start=strip.first):
                if strip.texts is None:
                    self.write_number(row, strip.column, value, strip.format)
                else:
                    formula = "=" + strip.formula(row)
                    self.write_formula(row, strip.column, formula, strip.format, value)

    class WithoutSearch(CellByCell):
        def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
            return formula.removeprefix("=")

    return CellByCell if search else WithoutSearch


def _alone(way: str, sheets: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--way", way, "--sheets", str(sheets)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
