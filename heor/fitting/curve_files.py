"""Files of digitising programs: points of a curve, numbers at risk, or both in one table.

Headings are found by many names and may be missing (WebPlotDigitizer writes none). Columns may be
parted by commas, semicolons, tabs or spaces; with semicolons, tabs and spaces, decimals may have a
comma (DigitizeIt in many countries). What cannot be told apart is refused with its place.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heor.errors import InputErrors, Place, Problem
from heor.fitting.digitised import PERCENT, SLIP
from heor.spec.records import UNITS_PER_YEAR

#: Columns and the headings that mean them, in small letters, without quotes, dots as underscores.
NAMES: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "t", "x", "times", "t_risk", "trisk", "month", "week", "day", "year"),
    "survival": (
        "survival",
        "surv",
        "s",
        "y",
        "probability",
        "km",
        "s(t)",
        "os",
        "pfs",
        "estimate",
    ),
    "at_risk": ("at_risk", "n_at_risk", "n_risk", "nrisk", "number_at_risk", "no_at_risk", "risk"),
    "events": ("events", "n_event", "n_events", "event"),
    "cumulative_events": ("cumulative_events", "cum_events"),
    "strategy": ("strategy", "arm", "treatment"),
    "endpoint": ("endpoint",),
    "group": ("group",),
    "time_unit": ("time_unit",),
}

#: Columns that choose rows.
FILTERS = ("strategy", "endpoint", "group")

#: Problems shown before the rest is summed up: a wrong column spoils every row.
MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFile:
    """Columns of a file; each as long as the file has rows, blanks as NaN, or absent.

    Attributes
    ----------
    name : str
        The file, for messages.
    rows : tuple of int
        Row numbers in the file.
    columns : mapping of str to tuple of float
    unit : str
        Time unit the file names; "" for none.
    repairs : tuple of str
        What was read otherwise than usual.
    """

    name: str
    rows: tuple[int, ...]
    columns: Mapping[str, tuple[float, ...]]
    unit: str
    repairs: tuple[str, ...]


def read_curve(path: Path, *, needed: str, filters: Mapping[str, str] | None = None) -> CurveFile:
    """Read points of a curve (``needed`` is "survival") or numbers at risk ("at_risk").

    Parameters
    ----------
    path : Path
    needed : str
        The column beside the time that must be there; the second of two without headings.
    filters : mapping of str to str, optional
        Values of `FILTERS` columns whose rows are wanted.

    Raises
    ------
    InputErrors
        With every problem and its place.
    """
    lines = _lines(path)
    mark = _mark(path, lines)
    rows = [(number, _cells(text, mark)) for number, text in lines]
    header, body = _header(path, rows, needed, row_names=mark == " ")
    headed = body[0] is not rows[0]
    reading = _Reading(path, header)
    kept = reading.filtered(body, filters or {})
    columns = {name: reading.numbers(kept, name) for name in header if name not in _WORDS}
    if needed == "survival":
        reading.check_survival(kept, columns["survival"])
    reading.check_times(kept, columns["time"])
    unit = reading.unit(kept)
    reading.stop_if_any()
    repairs = []
    if mark != ",":
        words = {";": "semicolons", "\t": "tabs", " ": "spaces"}[mark]
        repairs.append(f"columns were parted by {words}")
    if reading.decimal_commas:
        repairs.append("decimals had commas")
    if reading.percent_signs:
        repairs.append("cells with a percent sign were read as shares")
    if not headed:
        repairs.append(f"the file has no headings: read as time and {needed.replace('_', ' ')}")
    return CurveFile(
        name=str(path),
        rows=tuple(number for number, _ in kept),
        columns=columns,
        unit=unit,
        repairs=tuple(repairs),
    )


_WORDS = (*FILTERS, "time_unit")


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that hold anything but a comment, with their numbers from 1."""
    place = Place(str(path))
    if not path.exists():
        raise InputErrors([Problem(place, "there is no such file")])
    if path.is_dir():
        message = "this is a folder; give a CSV file, or a study with --curve"
        raise InputErrors([Problem(place, message)])
    if path.suffix.lower() in (".xlsx", ".xlsm", ".xls"):
        raise InputErrors([Problem(place, "this is a workbook; save the sheet as CSV")])
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputErrors([Problem(place, "not UTF-8 text; save it as 'CSV UTF-8'")]) from error
    except OSError as error:
        raise InputErrors([Problem(place, f"cannot be read: {error.strerror}")]) from error
    lines = [
        (number, line.strip(" \r\n"))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip(" \t,;\r\n") and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise InputErrors([Problem(place, "the file is empty")])
    return lines


def _mark(path: Path, lines: Sequence[tuple[int, str]]) -> str:
    """Find what parts the columns, by the last line: headings may hold anything."""
    number, last = lines[-1]
    for mark in (";", "\t"):
        if mark in last:
            return mark
    if re.search(r"\s", last) and not re.search(r",\s|\s,", last):
        return " "
    if "," not in last:
        message = (
            f"'{last}': a row needs a time and a number, parted by a comma, semicolon, tab or space"
        )
        raise InputErrors([Problem(Place(str(path), row=number), message)])
    return ","


def _cells(text: str, mark: str) -> list[str]:
    if mark == " ":
        return [cell.strip("\"'") for cell in text.split()]
    return [cell.strip().strip("\"'") for cell in next(csv.reader([text], delimiter=mark))]


def _number(text: str) -> float:
    """Give the number of a cell, a share where it has a percent sign; NaN where it is none."""
    plain = text.removesuffix("%").strip()
    if not re.fullmatch(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?", plain):
        return math.nan
    return float(plain.replace(",", ".")) / (100.0 if text.endswith("%") else 1.0)


def _column(heading: str) -> str:
    """Give the column that a heading means, or ""."""
    word = re.sub(r"[\s.\-]+", "_", heading.strip().lower()).strip("_")
    for name, words in NAMES.items():
        if word in words or word.removesuffix("s") in words:
            return name
        if name == "time" and re.fullmatch(r"(time|t)_?\(?(day|week|month|year)s?\)?", word):
            return name
    return ""


def _header(
    path: Path, rows: Sequence[tuple[int, list[str]]], needed: str, *, row_names: bool
) -> tuple[dict[str, tuple[int, str]], list[tuple[int, list[str]]]]:
    """Find the columns: name to index and heading; and the rows below."""
    number, first = rows[0]
    if all(math.isfinite(_number(cell)) for cell in first if cell):
        width = max(len([cell for cell in row if cell]) for _, row in rows)
        if width != 2:
            message = (
                f"{width} columns without headings; two are read as time and {needed}, more need "
                "headings: " + ", ".join(NAMES)
            )
            if width == 4 and "." not in "".join(first):
                message += (
                    ". If decimals have commas, part the columns by semicolons or use decimal"
                    " points"
                )
            raise InputErrors([Problem(Place(str(path), row=number), message)])
        return {"time": (0, "time"), needed: (1, needed)}, list(rows)
    # headings over several lines: the last line without numbers
    last = next(
        (i for i, (_, row) in enumerate(rows) if any(math.isfinite(_number(c)) for c in row if c)),
        len(rows),
    )
    number, headings = rows[max(last - 1, 0)]
    # R writes no heading over the row names
    if row_names and last < len(rows) and len(rows[last][1]) == len(headings) + 1:
        headings = ["", *headings]
    found: dict[str, tuple[int, str]] = {}
    problems = [
        Problem(
            Place(str(path), row=line),
            f"{len(row)} cells under {len(headings)} headings; if decimals have commas, part the "
            "columns by semicolons or use decimal points",
        )
        for line, row in rows[last:]
        if any(row[len(headings) :])
    ]
    for index, heading in enumerate(headings):
        name = _column(heading)
        if name and name in found:
            message = (
                f"'{heading}' and '{found[name][1]}' both are the {name}; give one curve a file"
            )
            problems.append(Problem(Place(str(path), row=number, column=heading), message))
        elif name:
            found[name] = (index, heading)
    for name in ("time", needed):
        if name not in found:
            message = (
                f"there is no column '{name}' among {', '.join(h for h in headings if h)}; "
                f"it may be called {', '.join(NAMES[name])}"
            )
            problems.append(Problem(Place(str(path), row=number), message))
    if last == len(rows):
        problems.append(Problem(Place(str(path)), "there are no rows of numbers"))
    if problems:
        raise InputErrors(problems[:MOST_PROBLEMS])
    return found, list(rows[last:])


class _Reading:
    """Cells of one file, with the problems found on the way."""

    def __init__(self, path: Path, header: Mapping[str, tuple[int, str]]) -> None:
        self.path, self.header = path, header
        self.problems: list[Problem] = []
        self.decimal_commas = self.percent_signs = False

    def add(self, message: str, row: int, name: str = "") -> None:
        column = self.header[name][1] if name in self.header else ""
        self.problems.append(Problem(Place(str(self.path), row=row, column=column), message))

    def text(self, row: Sequence[str], name: str) -> str:
        index = self.header[name][0]
        return row[index] if index < len(row) else ""

    def filtered(
        self, rows: Sequence[tuple[int, list[str]]], filters: Mapping[str, str]
    ) -> list[tuple[int, list[str]]]:
        """Rows of one curve."""
        kept = list(rows)
        for name in FILTERS:
            if name not in self.header:
                if name in filters:
                    self.add(f"--{name} {filters[name]}: the file has no column {name}", 0)
                continue
            there = list(dict.fromkeys(self.text(row, name) for _, row in kept))
            wanted = filters.get(name)
            if wanted is None and len(there) > 1:
                self.add(f"several curves; choose one with --{name}: {', '.join(there)}", 0, name)
            elif wanted is not None and wanted not in there:
                self.add(f"--{name} {wanted}: there are {', '.join(there)}", 0, name)
            elif wanted is not None:
                kept = [(number, row) for number, row in kept if self.text(row, name) == wanted]
        self.stop_if_any()
        return kept

    def numbers(self, rows: Sequence[tuple[int, list[str]]], name: str) -> tuple[float, ...]:
        """Give a column as numbers; a blank is NaN where it may be left out."""
        values = []
        for number, row in rows:
            text = self.text(row, name)
            value = _number(text)
            if "," in text and math.isfinite(value):
                self.decimal_commas = True
            self.percent_signs |= text.endswith("%")
            if math.isnan(value) and (text or name in ("time", "survival")):
                shown = f"'{text}'" if text else "an empty cell"
                self.add(f"expected a number, found {shown}", number, name)
            values.append(value)
        return tuple(values)

    def check_survival(
        self, rows: Sequence[tuple[int, list[str]]], values: Sequence[float]
    ) -> None:
        known = [value for value in values if math.isfinite(value)]
        full = 100.0 if known and max(known) > PERCENT else 1.0
        for (number, _), value in zip(rows, values, strict=True):
            if value > full * (1 + SLIP) or value < -full * SLIP:
                self.add(f"found {value:g}; survival is from 0 to {full:g}", number, "survival")

    def check_times(self, rows: Sequence[tuple[int, list[str]]], values: Sequence[float]) -> None:
        known = [value for value in values if math.isfinite(value)]
        least = -0.05 * max(known, default=0.0)
        for (number, _), value in zip(rows, values, strict=True):
            if value < least:
                self.add(f"found {value:g}; times are 0 or more", number, "time")

    def unit(self, rows: Sequence[tuple[int, list[str]]]) -> str:
        """Time unit that a column or a heading names."""
        if "time_unit" in self.header:
            units = {self.text(row, "time_unit").removesuffix("s") for _, row in rows} - {""}
            if len(units) > 1 or not units <= set(UNITS_PER_YEAR):
                allowed = ", ".join(UNITS_PER_YEAR)
                self.add(f"found {', '.join(sorted(units))}; one of {allowed}", 0, "time_unit")
            return next(iter(units), "")
        found = re.search("day|week|month|year", self.header["time"][1].lower())
        return found[0] if found else ""

    def stop_if_any(self) -> None:
        if not self.problems:
            return
        shown = self.problems[:MOST_PROBLEMS]
        if len(self.problems) > MOST_PROBLEMS:
            more = len(self.problems) - MOST_PROBLEMS
            shown.append(Problem(Place(str(self.path)), f"… and {more:,} problems more"))
        raise InputErrors(shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersAtRisk:
    """Numbers at risk, and events where the file has them.

    Attributes
    ----------
    time, left : tuple of float
    events : tuple of float or None
        A number for each row of the file: since the row before, or at its time.
    events_before : tuple of float or None
        Events before each number at risk.
    """

    time: tuple[float, ...]
    left: tuple[float, ...]
    events: tuple[float, ...] | None
    events_before: tuple[float, ...] | None


def numbers_at_risk(table: CurveFile) -> NumbersAtRisk:
    """Find the numbers at risk of a file and check them.

    Raises
    ------
    InputErrors
        When the numbers are not whole, rise, or do not start at time 0.
    """
    if "at_risk" not in table.columns:
        message = (
            "there is no column 'at_risk'; give the numbers at risk in a file of their own with "
            "--at-risk RISK.csv"
        )
        raise InputErrors([Problem(Place(table.name), message)])
    at_risk = table.columns["at_risk"]
    rows = [place for place, number in enumerate(at_risk) if math.isfinite(number)]
    problems = []

    def add(message: str, place: int, column: str) -> None:
        where = Place(table.name, row=table.rows[place], column=column)
        problems.append(Problem(where, message))

    times = [table.columns["time"][place] for place in rows]
    numbers = [at_risk[place] for place in rows]
    if not rows:
        raise InputErrors([Problem(Place(table.name), "there is no number at risk")])
    if times[0] != 0:
        add(f"found {times[0]:g}; the first number at risk is that at time 0", rows[0], "time")
    for place, number in zip(rows, numbers, strict=True):
        if number < 0 or number != round(number):
            add(f"found {number:g}; a number at risk is a whole number", place, "at_risk")
    for before, now in zip(range(len(rows) - 1), range(1, len(rows)), strict=True):
        if times[now] <= times[before]:
            add(f"found {times[now]:g} after {times[before]:g}; times rise", rows[now], "time")
        if numbers[now] > numbers[before]:
            message = f"found {numbers[now]:g} after {numbers[before]:g}; numbers at risk fall"
            add(message, rows[now], "at_risk")
    if numbers[0] < 1:
        add("nobody is at risk at time 0", rows[0], "at_risk")
    if problems:
        raise InputErrors(problems)
    return NumbersAtRisk(
        time=tuple(times),
        left=tuple(numbers),
        events=_complete(table, "events", rows) if len(rows) == len(table.rows) else None,
        events_before=_complete(table, "cumulative_events", rows),
    )


def _complete(table: CurveFile, name: str, rows: Sequence[int]) -> tuple[float, ...] | None:
    """A column at some rows, where it has a number in all of them."""
    if name not in table.columns:
        return None
    found = tuple(table.columns[name][place] for place in rows)
    return found if all(map(math.isfinite, found)) else None
