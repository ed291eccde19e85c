"""The general population of a cohort of several ages, or of a life table with calendar years.

To the right of the cycles on ``Calc Background``: the people at the start, a row for each part of
the cohort, and for each part the pieces of time between birthdays and new years (methods 1.7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heor.report.live import (
    GRID_HEADING,
    GRID_ROW,
    HERE,
    Column,
    Grid,
    Term,
    absolute,
    exp,
    largest,
    literal,
    put,
    smallest,
    sum_of_products,
    total,
    where,
    whole,
)
from heor.report.lookup import index
from heor.report.sheets.layout import Context
from heor.report.xlsx import HEADING, Sheet, Style, column_letter, quote_title

_NUMBER = Style("formula", unit="number")
_COUNT = Style("formula", unit="integer")
_LINK = Style("link", unit="number")

_SEXES = (("male", "men"), ("female", "women"))

#: Columns of the people at the start.
_HEADINGS = (
    "Part",
    "Age at the start, years",
    "Share of men",
    "Share of the cohort",
    "First change after, years",
    "Second change after, years",
    "Row at the start",
    "Norm at the start",
)
#: Columns of the pieces of one part, and columns between blocks.
_PIECE_COLUMNS, _GAP = 9, 1


@dataclass(frozen=True, slots=True)
class _Part:
    """People of one age: their cells and the pieces of their time."""

    male: Term
    share: Term
    first: Term
    second: Term
    pieces: Grid


class Mixture:
    """Columns of the parts of a cohort beside the cycles.

    Parameters
    ----------
    ctx : Context
    sheet : Sheet
    ages : Grid
        The life table by row: ``hazard male``, ``hazard female`` and, where it has norms, ``norm
        male`` and ``norm female``; its first row is the first age of the first year.
    place : int
        First free column to the right.
    norms : bool
        Whether norms are wanted.
    """

    def __init__(self, ctx: Context, sheet: Sheet, ages: Grid, place: int, norms: bool) -> None:
        self.ctx, self.sheet, self.ages, self.norms = ctx, sheet, ages, norms
        self._near = ctx.constants.term(1e-9, "Years by which a moment may miss a whole year")
        self._two = ctx.constants.term(2, "Two")
        self._place = place
        count = len(ctx.results.spec.cohort) or 1
        self._write_counts(place, count)
        self._starts = [self._write_start(row, place) for row in range(count)]
        ctx.live["cohort off"] = self._write_off(GRID_ROW + count + 3)
        self._parts = []
        for row in range(count):
            first = place + len(_HEADINGS) + _GAP + row * (_PIECE_COLUMNS + _GAP)
            self._parts.append(self._part(row, first))
        self.last = place + len(_HEADINGS) + count * (_PIECE_COLUMNS + _GAP)

    @staticmethod
    def columns(ctx: Context, norms: bool) -> int:
        """How many columns `alive` and `norm` add to the grid of cycles."""
        count = len(ctx.results.spec.cohort) or 1
        return 2 * count + 1 + ((3 * count + 2) if norms else 0)

    # --- people at the start ------------------------------------------------------------

    def _write_counts(self, place: int, count: int) -> None:
        """Head and size of the table: ages and years that it has."""
        ctx, sheet = self.ctx, self.sheet
        sheet.text(GRID_HEADING - 2, place, "At the start", HEADING)
        for column, words in enumerate(_HEADINGS):
            if self.norms or column < len(_HEADINGS) - 1:
                header = Style("header", align="right")
                sheet.text(GRID_HEADING, place + column, words, header)
        age = ctx.live["life_table age"]
        lowest, highest = (
            Term(f"{name}({age.text})", float(function(age.value)))
            for name, function in (("MIN", np.min), ("MAX", np.max))
        )
        self._first_age = lowest
        row = GRID_ROW + count + 1
        sheet.text(row, place, "Ages of the life table")
        self._ages = put(sheet, row, place + 3, highest - lowest + 1, _COUNT)
        sheet.text(row + 1, place, "Years of the life table")
        years: Term = literal(1)
        self._first_year: Term | None = None
        if "life_table year" in ctx.live:
            year = ctx.live["life_table year"]
            self._first_year = Term(f"MIN({year.text})", float(np.min(year.value)))
            years = Term(f"MAX({year.text})", float(np.max(year.value))) - self._first_year + 1
        self._years = put(sheet, row + 1, place + 3, years, _COUNT)

    def _person(self, row: int) -> tuple[Term, Term, Term]:
        """Age, share of men and share of the cohort."""
        live = self.ctx.live
        if not self.ctx.results.spec.cohort:
            return live["start_age"], live["male_share"], literal(1)
        age, male, share = (live[f"cohort {row} {k}"] for k in ("age", "male_share", "share"))
        return age, male, share

    def _write_start(self, row: int, place: int) -> dict[str, Term]:
        """Write a part's line: who they are, when age and year change, where they start."""
        ctx, sheet, line = self.ctx, self.sheet, GRID_ROW + row
        found: dict[str, Term] = {}

        def cell(key: str, term: Term, style: Style = _NUMBER) -> Term:
            found[key] = put(sheet, line, place + len(found) + 1, term, style)
            return found[key]

        sheet.text(line, place, f"Part {row + 1}")
        given = self._person(row)
        age = cell("age", given[0], _LINK)
        male = cell("male", given[1], _LINK)
        cell("share", given[2], _LINK if ctx.results.spec.cohort else _NUMBER)
        birthday = 1 - (age - whole(age))
        new_year = birthday
        if self._first_year is not None:
            year = ctx.live["start_year"]
            new_year = 1 - (year - whole(year))
        cell("first", smallest(birthday, new_year))
        cell("second", largest(birthday, new_year))
        start = cell("row", self._row_at(age, literal(0)), _COUNT)
        if self.norms:
            men, women = (index(self.ages[f"norm {sex}"].all, start) for sex, _ in _SEXES)
            cell("norm", male * men + (1 - male) * women)
        return found

    def _write_off(self, row: int) -> Term:
        """How far the shares are from summing to 1."""
        sheet, column, last = self.sheet, self._place + 3, GRID_ROW + len(self._starts) - 1
        values = np.array([start["share"].value for start in self._starts])
        shares = Term(sheet.range(GRID_ROW, column, last, column), values)
        sheet.text(row, self._place, "Shares miss 1 by")
        return put(sheet, row, column, absolute(total(shares) - 1), _NUMBER)

    def _row_at(self, age: Term, time: Term) -> Term:
        """Row of the life table at a time since the start; the last age and year hold on."""
        of_age = smallest(whole(age - self._first_age + time + self._near), self._ages - 1)
        row = largest(of_age, 0) + 1
        if self._first_year is None:
            return row
        since = self.ctx.live["start_year"] - self._first_year + time + self._near
        of_year = largest(smallest(whole(since), self._years - 1), 0)
        return row + of_year * self._ages

    # --- pieces of time -----------------------------------------------------------------

    def _part(self, row: int, place: int) -> _Part:
        """Write the pieces of a part between birthdays and new years, with their hazards."""
        start, sheet = self._starts[row], self.sheet
        age = self.ctx.live["life_table age"].value
        years = self.ctx.live.get("life_table year")
        span = max(np.ptp(age), 0.0 if years is None else np.ptp(years.value)) + 2
        pieces = Grid(sheet, 2 * int(span) + 1, place=place)
        sheet.text(GRID_HEADING - 2, place, f"Pieces of time of part {row + 1}", HEADING)
        heading = sheet.ref(GRID_HEADING, place)
        number = Term(f"ROW()-ROW({heading})", np.arange(1.0, pieces.rows + 1))
        k = pieces.add("piece", "Piece", number, _COUNT, note="Between two changes").here
        begin = pieces.add(
            "begin",
            "Begins, years",
            where(k.equals(1), 0, self._change(k, start)),
            _NUMBER,
            note="Birthday or new year",
        )
        end = pieces.add("end", "Ends, years", self._change(k + 1, start), _NUMBER, note="The next")
        middle = (begin.here + end.here) / self._two
        at = pieces.add(
            "row",
            "Row",
            self._row_at(start["age"], middle),
            _COUNT,
            note="Of the life table, in the middle of the piece",
        )
        for sex, words in _SEXES:
            pieces.add(
                f"hazard {sex}",
                f"Hazard, {words}, per year",
                index(self.ages[f"hazard {sex}"].all, at.here),
                _NUMBER,
            )
            self._cumulate(pieces, sex, words)
        return _Part(start["male"], start["share"], start["first"], start["second"], pieces)

    def _cumulate(self, pieces: Grid, sex: str, words: str) -> None:
        """Add a sex's hazard up to where each piece begins."""
        begin, end, hazard = (pieces[key] for key in ("begin", "end", f"hazard {sex}"))
        steps = hazard.values * (end.values - begin.values)
        pieces.add_recursion(
            f"sum {sex}",
            f"Cumulative hazard, {words}",
            lambda above: above + hazard.previous * (end.previous - begin.previous),
            np.concatenate(([0.0], np.cumsum(steps)[:-1])),
            _NUMBER,
            start=0,
            at_start=pieces["piece"].here.equals(1),
            note="Up to where the piece begins",
        )

    def _change(self, k: Term, start: dict[str, Term]) -> Term:
        """Time of the change before piece k: the first and the second of each year in turn."""
        half = whole(k / self._two)
        which = where((half * self._two).equals(k), start["first"], start["second"])
        return which + (half - 1)

    # --- columns of the cycles ----------------------------------------------------------

    def alive(self, grid: Grid, time: Term) -> Column:
        """Add N: the parts, and their sum."""
        self._alive(grid, time, "")
        return self._sum(grid, "alive", "", "Alive, N", "N: all parts of the cohort")

    def _alive(self, grid: Grid, time: Term, when: str) -> None:
        """Add each part's piece, and what is left of it."""
        at = " in mid-cycle" if when else ""
        for number, part in enumerate(self._parts, start=1):
            passed = [whole(time - t + self._near) + 1 for t in (part.first, part.second)]
            grid.add(
                f"piece{when} {number}",
                f"Piece of part {number}{at}",
                smallest(passed[0] + passed[1] + 1, part.pieces["piece"].at(part.pieces.rows - 1)),
                _COUNT,
                note="Which piece of its time",
            )
        for number, part in enumerate(self._parts, start=1):
            men, women = self._left(grid, part, number, when, time)
            grid.add(
                f"alive{when} {number}",
                f"Alive of part {number}{at}",
                part.share * (part.male * men + (1 - part.male) * women),
                _NUMBER,
                note="Share of the cohort",
            )

    def _left(
        self, grid: Grid, part: _Part, number: int, when: str, time: Term
    ) -> tuple[Term, Term]:
        """Survival of the men and of the women of a part."""
        here = grid[f"piece{when} {number}"].here
        since = time - index(part.pieces["begin"].all, here)
        men, women = (
            exp(
                -(
                    index(part.pieces[f"sum {sex}"].all, here)
                    + index(part.pieces[f"hazard {sex}"].all, here) * since
                )
            )
            for sex, _ in _SEXES
        )
        return men, women

    def _sum(self, grid: Grid, what: str, when: str, heading: str, note: str) -> Column:
        """Add the sum of neighbouring columns of the parts."""
        return grid.add(f"{what}{when}", heading, self._over(grid, what + when), _NUMBER, note=note)

    def _over(self, grid: Grid, what: str) -> Term:
        """Sum over the parts, whose columns stand side by side."""
        columns = [grid[f"{what} {n}"] for n in range(1, len(self._parts) + 1)]
        title = quote_title(self.sheet.title)
        left, right = (column_letter(column.place) for column in (columns[0], columns[-1]))
        values = np.sum([column.values for column in columns], axis=0)
        return Term(f"SUM({title}!${left}{HERE}:${right}{HERE})", values)

    def norm_at_start(self) -> Term:
        """Utility norm at the start, over the parts."""
        place, last = self._place, GRID_ROW + len(self._parts) - 1
        areas = []
        for key, column in (("share", 3), ("norm", 7)):
            values = np.array([start[key].value for start in self._starts])
            area = self.sheet.range(GRID_ROW, place + column, last, place + column)
            areas.append(Term(area, values))
        return sum_of_products(*areas)

    def ages_at_start(self) -> tuple[Term, Term]:
        """Lowest and highest age at the start."""
        values = np.array([start["age"].value for start in self._starts])
        column, last = self._place + 1, GRID_ROW + len(self._parts) - 1
        area = self.sheet.range(GRID_ROW, column, last, column)
        return Term(f"MIN({area})", values.min()), Term(f"MAX({area})", values.max())

    def norm(self, grid: Grid, time: Term, at_start: Term) -> Column:
        """Add the norm at mid-cycle: the mean over those who are left (methods 4)."""
        self._alive(grid, time, " middle")
        left = self._sum(grid, "alive", " middle", "Alive in mid-cycle", "All parts of the cohort")
        for number, part in enumerate(self._parts, start=1):
            men, women = self._left(grid, part, number, " middle", time)
            row = index(part.pieces["row"].all, grid[f"piece middle {number}"].here)
            norms = [index(self.ages[f"norm {sex}"].all, row) for sex, _ in _SEXES]
            grid.add(
                f"norm middle {number}",
                f"Norm × alive of part {number}",
                part.share * (part.male * men * norms[0] + (1 - part.male) * women * norms[1]),
                _NUMBER,
                note="At its age and year, times who is left",
            )
        mass = self._over(grid, "norm middle")
        return grid.add(
            "norm",
            "Utility norm",
            where(left.here > 0, mass / left.here, at_start),
            Style("formula", unit="utility"),
            note="Of the general population in mid-cycle, at whole ages",
        )
