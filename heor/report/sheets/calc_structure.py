"""``Calc Structure``: the curves of ``Calc Trace`` read as state-transition models (methods 9).

Per strategy and response group the movements of each cycle, the hazard after progression that PFS
and OS imply, and the share progressed with the clock running forward and reset.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from heor.engine.evaluate import traces
from heor.report.live import (
    GRID_HEADING,
    GRID_ROW,
    Column,
    Grid,
    Term,
    absolute,
    call,
    every,
    exp,
    largest,
    ln,
    put,
    smallest,
    sum_of_products,
    where,
)
from heor.report.lookup import sum_of
from heor.report.sheets.calc_background import has_background
from heor.report.sheets.calc_curves import EXPONENTIAL, Slot, arriving, slots_of
from heor.report.sheets.calc_slots import SHARE
from heor.report.sheets.calc_time import boundaries, new_grid
from heor.report.sheets.layout import Context
from heor.report.xlsx import BOLD, Sheet, Style
from heor.spec.parameters import FloatArray
from heor.spec.records import FORWARD, RESET, Spec

TITLE = "Calc Structure"

#: Rows of the head: strategy and group of a block, and the rate that was derived.
_WHO, _RATE = 6, 7

_LINK = Style("link", unit="number")
_PASTED = Style("value", unit="number")


def write_calc_structure(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; make PFS and OS of each strategy under each structure known."""
    notes = (
        "The curves of Calc Trace as state-transition models (methods 9): who leaves PFS by "
        "progression and by death, the hazard after progression that PFS and OS imply, and the "
        "share progressed with a clock that runs on (forward) or starts at progression (reset).",
        "Each row is the cycle that ends there. The implied hazard is found by three steps "
        "of Newton.",
    )
    grid = new_grid(ctx, sheet, "State-transition models", notes)
    k = boundaries(grid)
    time = grid.add("t", "Time, years", ctx.columns["t"].here, _LINK, note="From Calc Time")
    sheet.text(_WHO, 0, "Strategy and group", BOLD)
    sheet.text(_RATE, 0, "Hazard per cycle, derived", BOLD)
    shared = _shared(ctx, grid, k, time)
    for strategy in ctx.strategies:
        _Strategy(ctx, grid, strategy, shared).write()
    sheet.widths((11, 9, *([12.5] * (grid.place - 2))))
    sheet.freeze(GRID_ROW, 2)
    sheet.print_setup(
        repeat=(GRID_HEADING, GRID_HEADING),
        area=(0, 0, GRID_ROW + 53, grid.place - 1),
        pages=1,
        large=True,
    )


@dataclass(frozen=True, slots=True)
class _Shared:
    """What every group needs: floor, follow-up, and numbers of formulas."""

    at_start: Term
    alive: Column | None
    least: Term
    followed: Column


def _shared(ctx: Context, grid: Grid, k: Column, time: Column) -> _Shared:
    at_start = k.here.equals(0)
    alive, least = None, Term("0", 0.0)
    if has_background(ctx):
        floor = ctx.live["background_mortality"].equals("floor")
        term = where(at_start, 1, where(floor, ctx.columns["background ratio"].here, 1))
        note = "Population alive at the cycle's end; 1 unless its mortality is a floor"
        alive = grid.add("alive", "Population", term, SHARE, note=note)
        note = "Least cumulative hazard of a cycle"
        far = ctx.constants.term(1e12, "Cumulative hazard of a cycle that leaves nobody")
        hazard = where(alive.here > 0, -ln(alive.here), far)
        least = grid.add("least", "Least hazard", hazard, SHARE, note=note).here
    inside = where(at_start, 0, ctx.columns["inside"].previous)
    years = ctx.results.spec.settings.pps_follow_up
    if years is not None:
        until = ctx.constants.term(years, "Years from which survival after progression is derived")
        share = smallest(1, largest(0, (until - time.previous) / ctx.live["cycle"]))
        inside = where(at_start, 0, share * ctx.columns["inside"].previous)
    note = "Share of the cycle from which the hazard after progression is derived (pps_follow_up)"
    return _Shared(
        at_start, alive, least, grid.add("followed", "Follow-up", inside, SHARE, note=note)
    )


class _Strategy:
    """Columns of one strategy: its groups, then its endpoints under each structure."""

    def __init__(self, ctx: Context, grid: Grid, strategy: str, shared: _Shared) -> None:
        self.ctx, self.grid, self.strategy, self.shared = ctx, grid, strategy, shared
        self.slots = slots_of(ctx.results.spec, strategy)
        nested = ctx.results.spec.nested_endpoints
        self.inner = [e for e in nested[:-2] if any(other == e for other, _ in self.slots)]

    def write(self) -> None:
        """Add all columns and make them known as ``<structure> <strategy> <endpoint>``."""
        groups = [g for e, g in self.slots if e == "pfs"]
        done = {g: _Group(self, g).write() for g in groups}
        known = self.ctx.columns
        if not groups:
            for name in (FORWARD, RESET):
                known[f"{name} {self.strategy} os"] = known[f"endpoint {self.strategy} os"]
            return
        pfs = {g: columns["pfs"].here for g, columns in done.items()}
        found = {"pfs": self._mixed("PFS", pfs, "All groups")}
        for endpoint in self.inner:
            terms = {
                g: smallest(known[f"group {self.strategy} {endpoint} {g}"].here, pfs[g])
                for g in groups
                if (endpoint, g) in self.slots
            }
            found[endpoint] = self._mixed(endpoint, terms, "All groups, no more than PFS")
        for name, words in ((FORWARD, "forward"), (RESET, "reset")):
            for endpoint, column in found.items():
                known[f"{name} {self.strategy} {endpoint}"] = column
            terms = {g: pfs[g] + columns[words].here for g, columns in done.items()}
            column = self._mixed(f"OS {words}", terms, f"All groups, clock {words}")
            known[f"{name} {self.strategy} os"] = column

    def _mixed(self, what: str, terms: Mapping[str, Term], note: str) -> Column:
        weights = self.ctx.live
        parts = [
            term if group == "all" else weights[f"weight {self.strategy} {group}"] * term
            for group, term in terms.items()
        ]
        mixed = sum_of(parts)
        assert mixed is not None
        place = self.grid.place
        self.grid.sheet.text(_WHO, place, self.ctx.label(self.strategy), BOLD)
        return self.grid.add(f"{self.strategy} {what}", what, mixed, SHARE, note=note)


class _Group:
    """Columns of one response group."""

    def __init__(self, owner: _Strategy, group: str) -> None:
        self.ctx, self.grid, self.shared = owner.ctx, owner.grid, owner.shared
        self.strategy, self.group = owner.strategy, group
        self.slot: Slot = owner.slots["os", group]
        self.at_start, self.least = self.shared.at_start, self.shared.least
        self.floor = Term("1", 1.0) if self.shared.alive is None else self.shared.alive.here
        self.curves = {
            e: self.ctx.columns[f"group {self.strategy} {e} {group}"] for e in ("pfs", "os")
        }

    @cached_property
    def small(self) -> Term:
        """Below this hazard a cycle's Newton step is left out: the start is exact."""
        return self.ctx.constants.term(1e-6, "Cumulative hazard of a cycle too small to refine")

    def add(self, what: str, term: Term, note: str, style: Style = SHARE) -> Column:
        """Add one column of the group; it is 0 at the start."""
        place = self.grid.place
        words = f"{self.ctx.label(self.strategy)}: {self.group}"
        self.grid.sheet.text(_WHO, place, words, BOLD)
        key = f"{self.strategy} {self.group} {what}"
        return self.grid.add(key, what, where(self.at_start, 0, term), style, note=note)

    def write(self) -> dict[str, Column]:
        """Add the columns; give PFS and those progressed by structure."""
        pfs, os = self.curves["pfs"], self.curves["os"]
        level = self.add("PD", os.here - pfs.here, "Progressed: OS − PFS of Calc Trace")
        share = self._share(pfs)
        nobody = every(level.previous.equals(0), level.here.equals(0))
        moved = self._progressions("progress", pfs, share, nobody)
        hazard = self._hazard(level, moved)
        arrive = self.add(
            "arrive", arriving(self.ctx, hazard.here), "Alive at the end of those who progress"
        )
        if self.shared.alive is not None:
            pfs = self._floored(pfs)
            moved = self._progressions("progress, floored", pfs, share, nobody)
        forward = self._progressed(
            "PD forward", moved, exp(-hazard.here), arrive.here, "Clock forward"
        )
        return {
            "pfs": pfs,
            "forward": forward,
            "reset": self._reset(moved, hazard, arrive, forward),
        }

    def _share(self, pfs: Column) -> Term:
        """Share of PFS events that are deaths (methods 9.1)."""
        share = self.slot.cell(self.ctx, "pfs_death_share") if self.slot.needs.after else None
        name = f"{self.strategy} pfs {self.group}"
        early = self.ctx.columns.get(f"early {name}")
        if early is None:
            return Term("0", 0.0) if share is None else share
        two = self.ctx.constants.term(2, "Two")
        events = pfs.previous - pfs.here
        others = pfs.previous / early.previous + pfs.here / early.here
        died = (early.previous - early.here) * others / two
        part_of = smallest(1, largest(0, died / events))
        part = self.add(
            "early share",
            where(every(events > 0, early.here > 0), part_of, 0),
            "Early deaths among PFS events",
        ).here
        return part if share is None else part + share * (1 - part)

    def _progressions(self, what: str, pfs: Column, share: Term, nobody: Term) -> Column:
        """P of methods 9.1."""
        events = pfs.previous - pfs.here
        deaths = share * events
        if self.shared.alive is not None:
            n = self.floor
            background = (pfs.previous + pfs.here) * (1 - n) / (1 + n)
            deaths = largest(deaths, smallest(events, background))
        note = "PFS events that are progressions (methods 9.1)"
        return self.add(what, where(nobody, 0, events - deaths), note)

    def _hazard(self, level: Column, moved: Column) -> Column:
        """The hazard that PFS and OS imply (methods 9.2), no less than the population's."""
        constants, start, end, p = self.ctx.constants, level.previous, level.here, moved.here
        two, four = constants.term(2, "Two"), constants.term(4, "Four")
        far = constants.term(1e12, "Cumulative hazard of a cycle that leaves nobody")
        root = call("SQRT", np.sqrt, p * p + four * start * end)
        least = constants.term(1e-100, "Share of people too small to divide by")
        half = two * end / (p + root)
        begun = largest(-two * ln(half), p * (1 - half * half) / end)
        x = self.add(
            "from below",
            where(every(end > least, p + root > 0), begun, 0),
            "A start: arrivals in mid-cycle, or p(1 − e^−x)/PD",
        ).here
        for words in ("first step", "second step"):
            x = self.add(words, self._newton(x, start, end, p), "Newton").here
        third = self._newton(x, start, end, p)
        implied = where(end > least, third, where(start + p > 0, far, 0))
        implied = where(start + p > 0, implied, self.least)
        note = "Cumulative hazard after progression that PFS and OS imply, no less than the floor"
        return self.add("hazard", largest(implied, self.least), note)

    def _newton(self, x: Term, start: Term, end: Term, p: Term) -> Term:
        """One step towards start·e^−x + p(1 − e^−x)/x = end; a tiny x is right already."""
        gone = exp(-x)
        mean = (1 - gone) / x
        slope = p * (gone - mean) / x - start * gone
        better = x - (start * gone + p * mean - end) / slope
        return where(absolute(x) > self.small, better, x)

    def _floored(self, pfs: Column) -> Column:
        """PFS that falls at least as the population does (methods 9.3)."""

        def step(above: Term) -> Term:
            kept = where(pfs.previous > 0, pfs.here / pfs.previous, 0)
            return above * smallest(kept, self.floor)

        values = np.ones(self.grid.rows)
        alive = np.broadcast_to(np.asarray(self.floor.value, float), values.shape)
        for row in range(1, len(values)):
            before = pfs.values[row - 1]
            kept = pfs.values[row] / before if before > 0 else 0.0
            values[row] = values[row - 1] * min(kept, alive[row])
        return self._recursion("PFS floored", step, values, 1, "No hazard below the population's")

    def _recursion(
        self, what: str, step: Callable[[Term], Term], values: FloatArray, start: int, note: str
    ) -> Column:
        words = f"{self.ctx.label(self.strategy)}: {self.group}"
        self.grid.sheet.text(_WHO, self.grid.place, words, BOLD)
        return self.grid.add_recursion(
            f"{self.strategy} {self.group} {what}",
            what,
            step,
            values,
            SHARE,
            start=start,
            at_start=self.at_start,
            note=note,
        )

    def _progressed(self, what: str, moved: Column, stay: Term, arrive: Term, note: str) -> Column:
        """PD·stay + p·arrive (methods 9.3)."""
        rows = self.grid.rows
        left, come = (np.broadcast_to(np.asarray(t.value, float), (rows,)) for t in (stay, arrive))
        values = np.zeros(rows)
        for row in range(1, rows):
            values[row] = values[row - 1] * left[row] + moved.values[row] * come[row]
        return self._recursion(
            what, lambda above: above * stay + moved.here * arrive, values, 0, note
        )

    def _reset(self, moved: Column, hazard: Column, arrive: Column, forward: Column) -> Column:
        """Share progressed with the clock reset: the row's own survival, or a derived one."""
        families = self.slot.needs.pps_families
        if any(family != EXPONENTIAL for family in families):
            return self._pasted()
        rate = self._rate(moved, hazard, arrive, forward)
        step = self.add(
            "hazard, reset", largest(rate, self.least), "Cumulative hazard of a cycle, clock reset"
        )
        stay, come = exp(-step.here), arriving(self.ctx, step.here)
        if not families:
            return self._progressed("PD reset", moved, stay, come, "Clock reset")
        given = self.slot.cell(self.ctx, "pps_family").equals(EXPONENTIAL)
        own, fresh = self._given()
        bound = every(given, own <= self.floor)
        least = come if self.shared.alive is None else arriving(self.ctx, self.least)
        come = where(given, where(bound, fresh, smallest(fresh, least)), come)
        stay = where(given, smallest(own, self.floor), stay)
        left = self.add("stay, reset", stay, "Alive at the end of those progressed").here
        fresh = self.add("arrive, reset", come, "Of those who progress").here
        return self._progressed("PD reset", moved, left, fresh, "Clock reset")

    def _given(self) -> tuple[Term, Term]:
        """``stay`` and ``arrive`` of an exponential survival that the study gives."""
        stay, come = (self.slot.cell(self.ctx, key) for key in ("stay", "arrive"))
        early = self.ctx.columns.get(f"early {self.strategy} os {self.group}")
        if early is None:
            return stay, come
        two = self.ctx.constants.term(2, "Two")
        some = early.previous > 0
        return (
            where(some, stay * early.here / early.previous, 0),
            where(some, come * two * early.here / (early.previous + early.here), 0),
        )

    def _rate(self, moved: Column, hazard: Column, arrive: Column, forward: Column) -> Term:
        """Deaths over time progressed of the clock-forward model (methods 9.3)."""
        two, six = (self.ctx.constants.term(n, w) for n, w in ((2, "Two"), (6, "Six")))
        small = self.ctx.constants.term(1e-4, "Below this a series takes the place of (1 − a)/x")
        x, a, before = hazard.here, arrive.here, forward.previous
        later = where(x < small, 1 / two - x / six, (1 - a) / x)
        spent = self.add(
            "time progressed", before * a + moved.here * later, "Cycles lived progressed, forward"
        )
        far = self.ctx.constants.term(1e12, "Cumulative hazard of a cycle that leaves nobody")
        rate = Term("0", 0.0)
        for weight in (self.ctx.columns["inside"].starts, self.shared.followed.ends):
            deaths = sum_of_products(weight, forward.starts + moved.ends - forward.ends)
            cycles = sum_of_products(weight, spent.ends)
            other = where(deaths > 0, far, 0) if rate.text == "0" else rate
            rate = where(cycles > 0, largest(deaths, 0) / cycles, other)
        return put(self.grid.sheet, _RATE, self.grid.place, rate, Style("formula", unit="number"))

    def _pasted(self) -> Column:
        """Survival after progression of another family: values that heor computed."""
        spec = self.ctx.results.spec
        trace = traces(_with_reset(spec), self.ctx.results.base.draws)[self.strategy]
        curves = trace.group_curves
        found = (curves["os", self.group] - curves["pfs", self.group])[0]
        values = np.zeros(self.grid.rows)
        values[: len(found)] = found
        place, sheet = self.grid.place, self.grid.sheet
        sheet.text(GRID_HEADING - 1, place, "Pasted: computed by heor", Style("note", wrap=True))
        sheet.text(GRID_HEADING, place, "PD reset", Style("header", align="right"))
        for row, value in enumerate(values):
            sheet.number(GRID_ROW + row, place, float(value), _PASTED)
        self.grid.place += 1
        return Column(sheet, place, GRID_ROW, values)


def _with_reset(spec: Spec) -> Spec:
    return dataclasses.replace(spec, settings=dataclasses.replace(spec.settings, structure=RESET))
