"""Patient data from a CSV file: times, events, groups, and what else a likelihood may need."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from heor.engine.mortality import hazards
from heor.errors import HeorError, InputErrors, Place, Problem
from heor.fitting.data import SurvivalData, interval_censored
from heor.spec.records import LifeTable
from heor.spec.tables import did_you_mean

#: Words of an event column, in small letters.
EVENT_WORDS = ("1", "true", "yes", "event", "dead", "died", "death")
CENSORED_WORDS = ("0", "false", "no", "censored", "alive")

#: Words of a column of sex, in small letters.
MALE_WORDS, FEMALE_WORDS = ("male", "m", "man"), ("female", "f", "woman")

#: Words for an upper end that was never reached.
NEVER = ("", "inf", "infinity", "na")

#: Problems shown before the rest is summed up: a wrong column spoils every row.
MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Headings of the columns to read; blank for none.

    Attributes
    ----------
    time : str
        Time of event or censoring, or the last time without the event where ``upper`` says more.
    event : str
        Marks; may be blank with ``upper``.
    upper : str
        First time with the event, blank where it was not seen: interval and left censoring.
    entry, weight, by : str
        Time of entry, number of people a row stands for, group.
    age, sex, year : str
        At time 0, for excess hazards; the year, which may have decimals, for a life table by year.
    """

    time: str
    event: str = ""
    upper: str = ""
    entry: str = ""
    weight: str = ""
    by: str = ""
    age: str = ""
    sex: str = ""
    year: str = ""


def read_data(
    path: Path,
    columns: Columns,
    *,
    event_is: str = "",
    expected: Path | None = None,
    per_year: float = 12.0,
) -> SurvivalData:
    """Read patient data.

    Parameters
    ----------
    path : Path
        A CSV file with headings.
    columns : Columns
    event_is : str
        What the event column holds where the event was seen; then anything else is censored.
    expected : Path, optional
        A life table (``age, male, female``, perhaps ``year``), for excess hazards.
    per_year : float
        Time units in a year.

    Raises
    ------
    InputErrors
        With every problem of the file and its place.
    HeorError
        When the columns asked for do not go together.
    """
    if not columns.event and not columns.upper:
        raise HeorError("say which column marks events, or give the upper ends of intervals")
    if expected is not None and columns.upper:
        raise HeorError("an excess hazard needs events whose time is known, so no upper ends")
    if expected is not None and not (columns.age and columns.sex):
        raise HeorError("an excess hazard needs the columns of age and sex")
    table = read_table(path)
    wanted = [name for f in fields(columns) if (name := getattr(columns, f.name))]
    table.check_columns(wanted)
    subjects = _Subjects(table, columns, event_is, per_year)
    if expected is not None:
        subjects.expect(read_life_table(expected))
    table.stop_if_any()
    return subjects.data()


def read_life_table(path: Path) -> LifeTable:
    """Read a life table: whole ages that rise by 1, and annual probabilities of death.

    With the column ``year`` it has the same ages in each of several years, which rise by 1.

    Raises
    ------
    InputErrors
        With every problem and its place.
    """
    table = read_table(path)
    table.check_columns(("age", "male", "female"))
    by_year = "year" in table.place
    values: dict[str, list[float]] = {name: [] for name in ("year", "age", "male", "female")}
    for line, row in table.rows:
        year = table.number(row, line, "year", "a calendar year") if by_year else 0.0
        age = table.number(row, line, "age", "a whole age", low=0.0)
        _check_place(table, line, values, year, age)
        values["year"].append(year)
        values["age"].append(age)
        for sex in ("male", "female"):
            words = "a probability from 0 to 1"
            values[sex].append(table.number(row, line, sex, words, low=0.0, high=1.0))
    years = list(dict.fromkeys(values["year"]))
    count = values["year"].count(years[0])
    if not table.problems and values["age"] != values["age"][:count] * len(years):
        table.add("each year must have the same ages")
    for place in range(0, len(values["age"]), count):
        for sex in ("male", "female"):
            if values[sex][place] == 1:
                table.add(f"everybody ({sex}) dies at the first age", table.rows[place][0], sex)
    table.stop_if_any()
    shape = (len(years), count) if by_year else (count,)
    norms = np.full(shape, np.nan)
    return LifeTable(
        year=np.array(years) if by_year else None,
        age=np.array(values["age"][:count]),
        male=np.array(values["male"]).reshape(shape),
        female=np.array(values["female"]).reshape(shape),
        utility_male=norms,
        utility_female=norms,
    )


def _check_place(
    table: Table, line: int, values: Mapping[str, Sequence[float]], year: float, age: float
) -> None:
    """Check that a row's age, or its year, follows that of the row before."""
    before = values["age"][-1] if values["age"] else age - 1
    last = values["year"][-1] if values["year"] else year
    if year != last and not math.isnan(year + last):
        if year != last + 1:
            table.add(f"found {year:g} after {last:g}; years rise by 1", line, "year")
    elif age != before + 1 and not math.isnan(age + before):
        table.add(f"found {age:g} after {before:g}; ages rise by 1", line, "age")


class Table:
    """Rows of a file by heading, with the problems found on the way."""

    def __init__(
        self, path: Path, header: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]]
    ) -> None:
        self.path = path
        names = [name.strip() for name in header]
        self.place = {name: names.index(name) for name in names}
        self.twice = {name for name in names if names.count(name) > 1}
        self.rows = rows
        self.problems: list[Problem] = []

    def add(self, message: str, line: int = 0, column: str = "") -> None:
        """Note a problem with its place."""
        self.problems.append(Problem(Place(str(self.path), row=line, column=column), message))

    def check_columns(self, names: Sequence[str]) -> None:
        """Stop unless each of these columns is there, once."""
        for name in dict.fromkeys(names):
            if name not in self.place:
                known = ", ".join(n for n in self.place if n)
                hint = did_you_mean(name, self.place) or f"; there are: {known}"
                self.add(f"there is no column `{name}`{hint}", 1)
            elif name in self.twice:
                self.add(f"column `{name}` is there twice", 1)
        self.stop_if_any()

    def text(self, row: Sequence[str], column: str) -> str:
        """Give what a cell holds, blank for a cell that is missing."""
        place = self.place[column]
        return row[place].strip() if place < len(row) else ""

    def number(
        self,
        row: Sequence[str],
        line: int,
        column: str,
        words: str,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        blank: float | None = None,
    ) -> float:
        """Give a number; NaN, and a problem, where the cell has none that is allowed."""
        text = self.text(row, column)
        if not text and blank is not None:
            return blank
        try:
            value = float(text) if "_" not in text else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not low <= value <= high:
            found = f"`{text}`" if text else "an empty cell"
            hint = "; write a decimal point" if "," in text else ""
            self.add(f"found {found}; expected {words}{hint}", line, column)
            return math.nan
        return value

    def word(
        self, row: Sequence[str], line: int, column: str, choices: Mapping[bool, Sequence[str]]
    ) -> bool | None:
        """Tell which of two kinds of words a cell holds."""
        text = self.text(row, column)
        folded = text.lower().removesuffix(".0")
        for meaning, words in choices.items():
            if folded in words:
                return meaning
        found = f"`{text}`" if text else "an empty cell"
        either = " or ".join(", ".join(words) for words in choices.values())
        self.add(f"found {found}; expected {either}", line, column)
        return None

    def stop_if_any(self) -> None:
        """Raise what was found, if anything was."""
        if not self.problems:
            return
        shown = self.problems[:MOST_PROBLEMS]
        if len(self.problems) > MOST_PROBLEMS:
            more = len(self.problems) - MOST_PROBLEMS
            last = max(problem.place.row for problem in shown)
            place = Place(str(self.path), row=last + 1)
            shown.append(Problem(place, f"from here on {more:,} problems more"))
        raise InputErrors(shown)


def read_table(path: Path) -> Table:
    """Read a CSV file with headings.

    Raises
    ------
    InputErrors
        When it cannot be read, or has no rows.
    """
    place = Place(str(path))
    if not path.exists():
        raise InputErrors([Problem(place, "there is no such file")])
    if path.is_dir():
        raise InputErrors([Problem(place, "this is a folder; a CSV file is needed")])
    if path.suffix.lower() in (".xlsx", ".xlsm", ".xls"):
        raise InputErrors([Problem(place, "this is a workbook; save the sheet as CSV")])
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [
                (reader.line_num, row)
                for row in reader
                if any(cell.strip() for cell in row) and not row[0].startswith("# ")
            ]
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start}); save it as 'CSV UTF-8'"
        raise InputErrors([Problem(place, message)]) from error
    except (OSError, csv.Error) as error:
        raise InputErrors([Problem(place, f"cannot be read: {error}")]) from error
    if not lines:
        raise InputErrors([Problem(place, "the file is empty")])
    line, header = lines[0]
    for mark, name in ((";", "';'"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            message = f"columns are parted by {name}; save it with commas and decimal points"
            raise InputErrors([Problem(Place(str(path), row=line), message)])
    if len(lines) == 1:
        raise InputErrors([Problem(place, "there are no rows below the headings")])
    return Table(path, header, lines[1:])


class _Subjects:
    """The subjects of a file, row by row."""

    def __init__(self, table: Table, columns: Columns, event_is: str, per_year: float) -> None:
        self._table, self._columns = table, columns
        self._event_is, self._per_year = event_is, per_year
        size = len(table.rows)
        self._lower, self._upper = np.empty(size), np.empty(size)
        self._entry, self._weight = np.zeros(size), np.ones(size)
        self._group = [""] * size
        self._expected = np.zeros(size)
        self._marks: dict[bool, Sequence[str]] = {True: EVENT_WORDS, False: CENSORED_WORDS}
        if event_is:
            self._check_marks()
        for place, (line, row) in enumerate(table.rows):
            self._read_row(place, line, row)

    def _check_marks(self) -> None:
        """With a word of their own for events, a column of marks has one other at most."""
        column = self._columns.event
        texts = dict.fromkeys(self._table.text(row, column) for _, row in self._table.rows)
        others = [text for text in texts if text.lower() != self._event_is.lower()]
        censored = [text.lower() for text in others[:1]]
        if len(others) == len(texts):
            known = ", ".join(f"`{text}`" for text in others[:5])
            self._table.add(f"nothing is `{self._event_is}`; there are {known}", 0, column)
            censored = [text.lower() for text in others]
        self._marks = {True: (self._event_is.lower(),), False: censored}

    def _read_row(self, place: int, line: int, row: Sequence[str]) -> None:
        table, columns = self._table, self._columns
        blank = 0.0 if columns.upper else None
        time = table.number(row, line, columns.time, "a time of 0 or more", low=0.0, blank=blank)
        seen = None
        if columns.event:
            seen = table.word(row, line, columns.event, self._marks)
        upper = self._end(line, row, time, seen)
        if upper == 0:
            half_day = self._per_year / 365.25 / 2
            column = columns.upper or columns.time
            words = f"an event at time 0; give it a small time, such as {half_day:.2g} (half a day)"
            table.add(words, line, column)
        if columns.entry:
            entry = table.number(row, line, columns.entry, "a time of 0 or more", low=0, blank=0.0)
            if entry > time or (entry == upper and not math.isnan(time)):
                words = f"entry at {entry:g} is not before the time, {time:g}"
                table.add(words, line, columns.entry)
            self._entry[place] = entry
        if columns.weight:
            words = "a number of people, 0 or more"
            self._weight[place] = table.number(row, line, columns.weight, words, low=0.0)
        if columns.by:
            self._group[place] = table.text(row, columns.by)
            if not self._group[place]:
                table.add("found an empty cell; expected a group", line, columns.by)
        self._lower[place], self._upper[place] = time, upper

    def _end(self, line: int, row: Sequence[str], time: float, seen: bool | None) -> float:
        """Upper end of the interval that holds the event; infinite for the censored."""
        table, columns = self._table, self._columns
        if not columns.upper or table.text(row, columns.upper).lower() in NEVER:
            return time if columns.event and seen else math.inf
        words = "a time, or a blank where the event was not seen"
        upper = table.number(row, line, columns.upper, words, low=0.0)
        if upper < time:
            words = f"the interval ends at {upper:g}, before it begins at {time:g}"
            table.add(words, line, columns.upper)
        elif columns.event and seen is False:
            words = f"found {upper:g} for a subject marked as censored; leave it blank"
            table.add(words, line, columns.upper)
        return upper

    def expect(self, life: LifeTable) -> None:
        """Read ages and sexes, and look up the general population's hazard at the events."""
        table, columns = self._table, self._columns
        if (life.year is None) == bool(columns.year):
            words = "no column" if life.year is None else "a column"
            raise HeorError(f"the life table has {words} `year`; --year names that of the data")
        male, female = (np.atleast_2d(hazard) for hazard in hazards(life))
        first = float(life.age[0])
        first_year = 0.0 if life.year is None else float(life.year[0])
        for place, (line, row) in enumerate(table.rows):
            words = f"an age from {first:g}"
            age = table.number(row, line, columns.age, words, low=first, high=150.0)
            choices = {True: MALE_WORDS, False: FEMALE_WORDS}
            is_male = table.word(row, line, columns.sex, choices)
            year = 0.0
            if life.year is not None:
                words = f"a year from {first_year:g}"
                year = table.number(row, line, columns.year, words, low=first_year, high=3000.0)
            time = self._upper[place] / self._per_year
            if is_male is None or not math.isfinite(age + year + time):
                continue
            hazard = male if is_male else female
            of_year = min(int(year - first_year + time), len(hazard) - 1)
            of_age = min(int(age - first + time), hazard.shape[1] - 1)
            self._expected[place] = hazard[of_year, of_age] / self._per_year

    def data(self) -> SurvivalData:
        return interval_censored(
            self._lower,
            self._upper,
            entry=self._entry,
            weight=self._weight,
            group=self._group if self._columns.by else None,
            expected=self._expected,
        )
