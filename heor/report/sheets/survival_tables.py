"""Tables of ``Survival``: final curves and candidates at landmarks, and published numbers, live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heor.report.charts import Cells
from heor.report.curve_facts import (
    Key,
    endpoint_name,
    ordered_targets,
    parted,
    shown_curves,
    target_key,
)
from heor.report.live import (
    Column,
    Term,
    every,
    literal,
    put,
    smallest,
    some,
    sum_of_products,
    total,
    where,
)
from heor.report.lookup import index
from heor.report.sheets.candidates import Candidate
from heor.report.sheets.comparison import DASH
from heor.report.sheets.evidence import parameters_in_words
from heor.report.sheets.families import averageable
from heor.report.sheets.inputs import column_of
from heor.report.sheets.layout import Context, fit_height, heading, table_head
from heor.report.xlsx import AFTER_WRAP, BOLD, WRAP, Sheet, Style
from heor.spec.records import ALL, AVERAGE, ValidationTarget

#: Years of the landmark tables; they stand in cells that a reader may change.
LANDMARKS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0)

#: Widths of the sheet's columns.
WIDTHS = (46, 16, 15, 13, *([10.0] * 6), 12, 17, 13, 44, *([9.0] * 8))

#: Columns of the landmarks, of what follows them, and of steps that are not printed.
_AT, _AFTER, _STEPS = 4, 10, 15
LAST_PRINTED = 13

#: Column of the labels of the time axis of charts, and the first of more steps.
YEARS_COLUMN = 24
_MORE_STEPS = YEARS_COLUMN + 2

#: Families whose formula names its numbers so often that they are better near.
_LONG = ("gengamma", "genf")

_SHARE = Style("formula", unit="share", align="right")
_MONTHS = Style("formula", unit="month", align="right")
_YEARS = Style("formula", unit="year", align="right")
_COUNT = Style("formula", unit="integer", align="right")
_RIGHT = Style(align="right")


@dataclass(frozen=True, slots=True)
class Points:
    """Where published points of one curve stand on the sheet, and the keys of their sources."""

    x: Cells
    y: Cells
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as a place in the trace: the row at or before it and the part of the way to the next.

    ``beyond`` holds where the time lies after the horizon in use.
    """

    years: Term
    row: Term
    part: Term
    beyond: Term

    def share(self, column: Column) -> Term:
        """Value of a curve at the time, straight between boundaries; a dash after the horizon."""
        here, after = index(column.all, self.row), index(column.all, self.row + 1)
        return where(self.beyond.equals(1), DASH, here + self.part * (after - here))


class Tables:
    """Writes the tables; cells that several of them need stand in the first."""

    def __init__(self, ctx: Context, sheet: Sheet) -> None:
        self.ctx = ctx
        self.sheet = sheet
        self.time = ctx.columns["t"]
        self._moments: list[Moment] = []
        self._computed = self._half = self._end = Term("", 0.0)

    def landmarks(self, row: int) -> int:
        """Years that all tables use, and where they lie in the trace; give the next row."""
        sheet, ctx = self.sheet, self.ctx
        row = heading(
            sheet,
            row,
            "Landmarks",
            "The years may be changed here. Curves are straight between cycle boundaries.",
        )
        self._half = ctx.constants.term(0.5, "One half, for medians")
        cycles = total(ctx.columns["inside"].all)
        sheet.text(row, 0, "Cycles computed, and the horizon they reach (years)", BOLD)
        self._computed = put(sheet, row, 1, cycles, _COUNT)
        self._end = put(sheet, row, 2, index(self.time.all, self._computed + 1), _YEARS)
        for offset, words in enumerate(
            ("Years", "Row of the trace at or before", "Part of the way to the next row")
        ):
            sheet.text(row + 1 + offset, 0, words, BOLD)
        for place, years in enumerate(LANDMARKS):
            column = _AT + place
            sheet.number(row + 1, column, years, Style("input", align="right"))
            at = Term(sheet.ref(row + 1, column), years)
            self._moments.append(self._moment(at, (row + 2, column), (row + 3, column)))
        return row + 4

    def _moment(self, years: Term, row: tuple[int, int], part: tuple[int, int]) -> Moment:
        """Write the row and the part of a time into two cells."""
        times, sheet = self.time, self.sheet
        found = float(np.searchsorted(times.values, float(years.value), side="right"))
        found_at = Term(f"MATCH({years.text},{times.all.text},1)", found)
        last = Term(f"COUNT({times.all.text})", float(len(times.values))) - 1
        beyond = years - self._end > Term(self.ctx.cells["tolerance"], 1e-9)
        at = put(sheet, *row, smallest(found_at, last), _COUNT)
        here, after = index(times.all, at), index(times.all, at + 1)
        step = put(sheet, *part, (years - here) / (after - here), _SHARE)
        return Moment(years, at, step, where(beyond, 1, 0))

    def column(self, key: Key) -> Column | None:
        """Column of a curve on its trace; None where the model has none."""
        strategy, endpoint, group = key
        if group in ("", ALL):
            return self.ctx.columns.get(f"endpoint {strategy} {endpoint}")
        return self.ctx.columns.get(f"group {strategy} {endpoint} {group}")

    def median(self, column: Column, per_year: Term, row: int, place: int) -> Term:
        """Time until half have had the event, in a unit; the row of the trace goes into a cell.

        A dash where the curve starts at one half or below, or does not reach it.
        """
        curve, half = column.all, self._half
        unreached = some(index(curve, literal(1)) <= half, index(curve, self._computed + 1) >= half)
        count = float(np.count_nonzero(column.values >= half.value))
        last = Term(f"MATCH({half.text},{curve.text},-1)", count)
        at = put(self.sheet, row, place, where(unreached, 0, last), _COUNT)
        here, after = index(curve, at), index(curve, at + 1)
        before, then = index(self.time.all, at), index(self.time.all, at + 1)
        years = before + (here - half) / (here - after) * (then - before)
        return where(at.equals(0), DASH, years * per_year)

    def _heads(
        self, row: int, first: Sequence[str], last: Sequence[str], texts: Sequence[str]
    ) -> int:
        blank = [""] * len(LANDMARKS)
        below = table_head(self.sheet, row, (*first, *blank, *last), 30, texts=texts)
        for place, moment in enumerate(self._moments):
            style = Style("header", unit="years_after", align="right")
            put(self.sheet, row, _AT + place, moment.years, style)
        return below

    def final(self, row: int) -> int:
        """Final curves at the landmarks, with medians and restricted means."""
        ctx, sheet = self.ctx, self.sheet
        row = heading(
            sheet,
            row,
            "Modelled curves, all steps in",
            "Columns of the Calc Trace sheets: capped, with background mortality, groups mixed in "
            "“all”. The mean counts time within the horizon, not discounted.",
        )
        heads = ("Endpoint", "Strategy", "Group", "Median, months")
        row = self._heads(row, heads, ("Mean within horizon, years",), ())
        months = ctx.live["per year month"]
        for key in shown_curves(ctx.traces):
            strategy, endpoint, group = key
            column = self.column(key)
            assert column is not None
            sheet.text(row, 0, endpoint_name(endpoint))
            sheet.text(row, 1, strategy, _RIGHT)
            sheet.text(row, 2, group, _RIGHT)
            put(sheet, row, 3, self.median(column, months, row, _STEPS), _MONTHS)
            for place, moment in enumerate(self._moments):
                put(sheet, row, _AT + place, moment.share(column), _SHARE)
            mean = sum_of_products(ctx.columns["weight plain"].all, column.all)
            put(sheet, row, _AFTER, mean, _YEARS)
            row += 1
        return row

    def candidates(self, row: int) -> int:
        """Every candidate of ``curves`` by its own formula, chosen or not."""
        ctx, sheet = self.ctx, self.sheet
        row = heading(
            sheet,
            row,
            "Candidate curves before background mortality and caps",
            "Each row of the curves sheet by its own formula: family, delay, acceleration, "
            "Kaplan-Meier part, constant hazard ratio and cured share (methods 1.2, steps 1 to 4). "
            f"A {DASH} stands where a curve is formed cycle by cycle (survival after progression, "
            "a hazard ratio that moves) or never falls to one half, and for a spline's median.",
        )
        heads = ("Candidate", "Strategy", "Curve", "Median, months")
        row = self._heads(
            row, heads, ("In use", "Family", "Time in", "Parameters"), ("Parameters",)
        )
        for number, curve in enumerate(ctx.results.spec.curves):
            one = Candidate(ctx, number)
            made_of = parameters_in_words(curve)
            sheet.text(row, 0, curve.id, WRAP)
            sheet.text(row, 1, curve.strategy, _RIGHT)
            group = "" if curve.group == ALL else f", {curve.group}"
            sheet.text(row, 2, f"{curve.endpoint}{group}".replace("_", " "), _RIGHT_WRAP)
            self._candidate(one, row)
            slot = f"{curve.strategy}.{curve.endpoint}.{curve.group}"
            chosen = ctx.live[f"row {slot}"]
            here = index(ctx.live["curves id"], chosen)
            own = one.live("id")
            used = Term(f"EXACT({here.text},{own.text})", here.value == own.value)
            standing = where(used, "yes", "no")
            if slot in averageable(ctx.results.spec):
                weighted = one.live("average_weight") > 0
                averaged = ctx.live[f"averaged {slot}"].equals(1)
                standing = where(averaged, where(weighted, AVERAGE, "no"), standing)
            put(sheet, row, _AFTER, standing, Style("formula", align="right"))
            put(sheet, row, _AFTER + 1, one.live("family"), Style("link", align="right"))
            sheet.text(row, _AFTER + 2, curve.time_unit, _RIGHT)
            sheet.text(row, LAST_PRINTED, made_of, AFTER_WRAP)
            fit_height(sheet, row, ((made_of, WIDTHS[LAST_PRINTED]), (f"{slot}", 40)))
            row += 1
        return row

    def _candidate(self, one: Candidate, row: int) -> None:
        sheet = self.sheet
        if not one.formula:
            for column in (3, *range(_AT, _AT + len(LANDMARKS))):
                sheet.text(row, column, DASH, _RIGHT)
            return
        put(sheet, row, 3, one.median(), _MONTHS)
        # steps of their own, so that no formula is long: time, family, Kaplan-Meier part
        count, at_end, numbers = len(LANDMARKS), literal(1), one.numbers()
        after = _MORE_STEPS + 2 * count
        if one.curve.family in _LONG:
            link = Style("link", unit="number", align="right")
            numbers = [put(sheet, row, after + 2 + n, t, link) for n, t in enumerate(numbers)]
        if one.joins:
            end = put(sheet, row, after, one.live("km_until"), _SHARE)
            at_end = put(sheet, row, after + 1, one.family(end, numbers), _SHARE)
        for place, moment in enumerate(self._moments):
            clock = put(sheet, row, _STEPS + 1 + place, one.clock(moment.years), _SHARE)
            base = put(sheet, row, _MORE_STEPS + place, one.family(clock, numbers), _SHARE)
            if one.joins:
                term = one.observed(clock, base, at_end)
                base = put(sheet, row, _MORE_STEPS + count + place, term, _SHARE)
            put(sheet, row, _AT + place, one.survival(base), _SHARE)

    def targets(self, row: int, found: dict[Key, Points]) -> int:
        """Published numbers beside the model's; ``found`` gets the points for charts."""
        ctx, sheet = self.ctx, self.sheet
        row = heading(
            sheet,
            row,
            "Published numbers and the model",
            "Shares at a time, or medians (time blank). Numbers the curves were fitted to are no "
            "test.",
        )
        row = table_head(sheet, row, _TARGET_HEADS, 30, texts=("Source",))
        rows: dict[Key, list[int]] = {}
        spec = ctx.results.spec
        places = {id(target): n for n, target in enumerate(spec.validation_targets)}
        targets = ordered_targets(ctx.traces, spec.validation_targets)
        for target in targets:
            self._target(target, row, places[id(target)])
            rows.setdefault(target_key(target), []).append(row)
            row += 1
        for key, lines in rows.items():
            x, y = (Cells(sheet, place, lines[0], lines[-1]) for place in (_X, _Y))
            sources = parted(*(t.source for t in targets if target_key(t) == key))
            found[key] = Points(x, y, sources)
        return row

    def _target(self, target: ValidationTarget, row: int, place: int) -> None:
        sheet, ctx = self.sheet, self.ctx
        median = target.time is None
        unit = "month" if median else "share"
        sheet.text(row, 0, target.label, WRAP)
        for column, text in (
            (1, target.strategy),
            (2, target.endpoint),
            (3, target.group or ALL),
            (5, target.time_unit),
        ):
            sheet.text(row, column, text, _RIGHT)
        cells = {}
        for column, name, value in (
            (4, "time", target.time),
            (6, "value", target.value),
            (7, "low", target.low),
            (8, "high", target.high),
        ):
            if value is not None:
                style = Style("link", unit="" if name == "time" else unit, align="right")
                cells[name] = put(sheet, row, column, self._input(place, name, value), style)
        sheet.text(row, 12, "yes" if target.used_in_fitting else "no", _RIGHT)
        sheet.text(row, LAST_PRINTED, target.source, AFTER_WRAP)
        fit_height(sheet, row, ((target.label, WIDTHS[0]), (target.source, WIDTHS[LAST_PRINTED])))
        per_year = ctx.live[f"per year {target.time_unit}"]
        when = cells["value"] if median else cells["time"]
        years = put(sheet, row, _X, when / per_year, _YEARS)
        put(sheet, row, _Y, self._half if median else cells["value"], _SHARE)
        column_of_curve = self.column(target_key(target))
        if column_of_curve is None:
            for column in (9, 10, 11):
                sheet.text(row, column, DASH, _RIGHT)
            return
        if median:
            model = self.median(column_of_curve, per_year, row, _STEPS + 1)
        else:
            moment = self._moment(years, (row, _STEPS + 1), (row, _STEPS + 2))
            model = moment.share(column_of_curve)
        mine = put(sheet, row, 9, model, Style("formula", unit=unit, align="right"))
        known = Term(f"ISNUMBER({mine.text})", not isinstance(mine.value, str))
        value = 0.0 if isinstance(mine.value, str) else mine.value
        number = Term(mine.text, value)
        apart = where(known, number - cells["value"], DASH)
        put(sheet, row, 10, apart, Style("formula", unit=unit, align="right"))
        if "low" not in cells or "high" not in cells:
            sheet.text(row, 11, DASH, _RIGHT)
            return
        inside = every(number >= cells["low"], number <= cells["high"])
        verdict = where(known, where(inside, "yes", "no"), DASH)
        put(sheet, row, 11, verdict, Style("formula", align="right"))

    def _input(self, place: int, name: str, value: float) -> Term:
        """Give a cell of the table ``validation_targets``."""
        table = self.ctx.results.spec.tables["validation_targets"]
        column = column_of(table, name)
        return Term(self.ctx.book.sheets[table.name].ref(place + 1, column), value)


#: Columns of a published number's place in the charts.
_X, _Y = 14, 15

_TARGET_HEADS = (
    "What",
    "Strategy",
    "Endpoint",
    "Group",
    "Time",
    "Unit",
    "Published",
    "Low",
    "High",
    "Model",
    "Model − published",
    "Inside interval",
    "Used in fitting",
    "Source",
    "Chart: years",
    "Chart: share",
)
_RIGHT_WRAP = Style(align="right", wrap=True)
