"""Columns of one slot on a trace sheet: steps 1 to 7 of the order of work (methods 1.2).

A slot has a column only for what one of its candidates needs; which candidate is in use is told by
the cells of ``Calc Curves``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from heor.report.live import Column, Grid, Term, choose, largest, literal, raised, smallest, where
from heor.report.sheets.calc_background import has_background
from heor.report.sheets.calc_curves import (
    EXPONENTIAL,
    KAPLAN_MEIER,
    POST_PROGRESSION,
    Slot,
    observed,
)
from heor.report.sheets.families import family_formula, layout_of
from heor.report.sheets.layout import Context
from heor.report.xlsx import Style
from heor.spec.parameters import FloatArray
from heor.spec.records import EXCESS

SHARE = Style("formula", unit="number")
_TIME = Style("formula", unit="number")


#: What of a curve moves in time, in words, and the step that it belongs to.
_RATIOS = {
    "HR": ("mean of the hazard ratio", "Step 3"),
    "effect lost": ("mean share of the effect that is lost", "methods 1.8"),
}


@dataclass(frozen=True, slots=True)
class SlotCurves:
    """Columns of a slot that other columns read.

    Attributes
    ----------
    uncured : Column
        After steps 1 to 3, or 5 without the cured share.
    before : Column
        After step 6, before background mortality.
    after : Column
        After step 7.
    """

    uncured: Column
    before: Column
    after: Column


class SlotWriter:
    """Adds the columns of a slot to a trace sheet, from left to right.

    Parameters
    ----------
    ctx : Context
    grid : Grid
        The trace sheet's grid; it has the columns ``k`` and ``t``.
    slot : Slot
    done : mapping of (endpoint, group) to SlotCurves
        The slots written so far: ``post_progression`` reads the group's PFS.
    """

    def __init__(
        self,
        ctx: Context,
        grid: Grid,
        slot: Slot,
        done: Mapping[tuple[str, str], SlotCurves],
    ) -> None:
        self.ctx, self.grid, self.slot, self.done = ctx, grid, slot, done
        self.k, self.time = grid["k"], grid["t"]
        self.at_start = self.k.here.equals(0)

    def cell(self, key: str) -> Term:
        """A number of the candidate in use."""
        return self.slot.cell(self.ctx, key)

    @property
    def is_excess(self) -> Term:
        """Whether the candidate in use is beyond the population's hazard."""
        return self.cell("hazard").equals(EXCESS)

    @property
    def units(self) -> Term:
        """Time of the row in the candidate's own unit, without delay and acceleration."""
        return self.time.here * self.cell("per year")

    def add(self, what: str, term: Term, note: str, style: Style = SHARE) -> Column:
        """Add one column of the slot."""
        key = f"{self.slot.name} {what}"
        return self.grid.add(key, self._heading(what), term, style, note=note)

    def add_step(self, what: str, term: Term, note: str) -> Term:
        """Add a column that only the next ones read."""
        return self.add(what, term, note).here

    def _heading(self, what: str) -> str:
        return f"{self.slot.endpoint}: {what}"

    def write(self) -> SlotCurves:
        """Add all columns of the slot."""
        needs = self.slot.needs
        curve = self._timed()
        if needs.hazard_ratio and curve is not None:
            curve = self._hazard_ratio(curve)
        if needs.post_progression:
            curve = self._post_progression(curve)
        assert curve is not None
        uncured = curve
        if needs.cure:
            share = self.cell("cure")
            term = share + (1 - share) * uncured.here
            curve = self.add("with cured", term, "Step 4: π + (1 − π)·S, π the cured share")
        early = self._early() if needs.early else None
        if early is not None:
            name = f"early {self.slot.strategy} {self.slot.endpoint} {self.slot.group}"
            self.ctx.columns[name] = early
            note = "Step 6: times the share alive after early deaths"
            curve = self.add("after early deaths", curve.here * early.here, note)
        if needs.excess:
            times = curve.here * self.ctx.columns["background used"].here
            note = "Excess hazard: times the population's survival (methods 1.7)"
            curve = self.add("of all causes", where(self.is_excess, times, curve.here), note)
        after = curve
        if self.slot.endpoint == "os" and has_background(self.ctx):
            after = self._background(uncured, curve, early)
        before = curve
        if needs.wane_to:
            before, after = self._waned(curve, after)
        for when, column in (("before", before), ("after", after)):
            self.ctx.columns[f"{when} {self.slot.name}"] = column
        return SlotCurves(uncured, before, after)

    # --- steps 1 and 2 ------------------------------------------------------------------

    def _timed(self) -> Column | None:
        """Family and Kaplan-Meier table at u; None where every candidate builds on the PFS."""
        needs = self.slot.needs
        if not needs.parametric and not needs.kaplan_meier:
            return None
        clock = self.add(
            "u",
            largest(0, self.units - self.cell("delay")) / self.cell("acceleration"),
            "Step 2: time since the delay over the acceleration factor, in the curve's unit",
            _TIME,
        )
        curve = None
        if needs.parametric:
            layout = layout_of(self.ctx.results.spec)
            term = family_formula(
                self.ctx,
                layout,
                needs.parametric,
                self.cell("family"),
                self.slot.numbers(self.ctx, layout),
                clock.here,
                self.add_step,
            )
            curve = self.add("S(u)", term, f"Step 1: {', '.join(needs.parametric)} (methods 2)")
        return self._with_observed(clock, curve) if needs.kaplan_meier else curve

    def _with_observed(self, clock: Column, curve: Column | None) -> Column:
        years = clock.here / self.cell("per year")
        steps = self.add(
            "Kaplan-Meier", observed(self.ctx, self.slot, years), "Step 1: the km table as steps"
        )
        if curve is None:
            return steps
        needs = self.slot.needs
        term = curve.here
        if needs.km_first:
            tail = curve.here * self.cell("join")
            joined = where(clock.here <= self.cell("km_until"), steps.here, tail)
            term = where(self.cell("has_km_until").equals(1), joined, curve.here)
        if KAPLAN_MEIER in needs.families:
            term = where(self.cell("family").equals(KAPLAN_MEIER), steps.here, term)
        return self.add("observed, then tail", term, "methods 1.6: KM(τ)·S(u)/S(τ) after τ")

    # --- step 3 -------------------------------------------------------------------------

    def _hazard_ratio(self, base: Column) -> Column:
        ratio = self.cell("hazard_ratio")
        power = where(ratio.equals(1), base.here, raised(base.here, ratio))
        constant = where(ratio.equals(0), 1, power)
        note = "Step 3: S to the power of the hazard ratio"
        if not self.slot.needs.waning:
            return self.add("with HR", constant, note)
        mean = self._mean_ratio("HR", ratio, self.cell("hr_from"), self.cell("hr_until"))
        wanes = self.cell("has_hr_until").equals(1)

        def step(above: Term) -> Term:
            kept = where(base.previous > 0, base.here / base.previous, 0)
            part = where(mean.here.equals(0), 1, raised(kept, mean.here))
            return where(wanes, above * part, constant)

        values = np.array(np.broadcast_to(np.asarray(constant.value, float), (self.grid.rows,)))
        if wanes.value:
            values = self._with_ratio(base.values, mean.values)
        return self.grid.add_recursion(
            f"{self.slot.name} with HR",
            self._heading("with HR"),
            step,
            values,
            SHARE,
            start=base.here,
            at_start=self.at_start,
            note=note + "; where it wanes, cycle by cycle with its mean",
        )

    def _mean_ratio(self, what: str, ratio: Term, start: Term, until: Term) -> Column:
        """Mean of a ratio over the cycle that ends at the row: 1 from ``until`` on."""
        words, step = _RATIOS[what]
        inside = self.add(
            f"{what} time",
            smallest(largest(self.units, start), until),
            f"{step}: time, no earlier than the waning starts and no later than it ends",
            _TIME,
        )
        upper = self.units
        lower = self.time.previous * self.cell("per year")
        two = self.ctx.constants.term(2, "Two")
        middle = (inside.previous + inside.here) / two
        progress = where(until > start, (middle - start) / (until - start), 0)
        before = largest(0, smallest(upper, start) - lower)
        after = largest(0, upper - largest(lower, until))
        during = (inside.here - inside.previous) * (ratio + (1 - ratio) * progress)
        mean = (before * ratio + during + after) / (upper - lower)
        return self.add(
            f"mean {what}",
            where(self.at_start, ratio, mean),
            f"{step}: {words} over the cycle that ends here, where it wanes",
        )

    def _with_ratio(self, base: FloatArray, mean: FloatArray) -> FloatArray:
        values = np.empty(self.grid.rows)
        values[0] = base[0]
        for row in range(1, self.grid.rows):
            kept = base[row] / base[row - 1] if base[row - 1] > 0 else 0.0
            values[row] = values[row - 1] * (1.0 if mean[row] == 0 else kept ** mean[row])
        return values

    # --- step 5 -------------------------------------------------------------------------

    def _post_progression(self, own: Column | None) -> Column:
        """OS from the group's PFS, without the cured share; it may follow, for the sum is linear.

        ``PFS = π + (1 − π)P`` gives ``OS = π + (1 − π)(P + PD)`` with PD from P.
        """
        pfs = self.done["pfs", self.slot.group].uncured
        families = self.slot.needs.pps_families
        left = (1 - self.cell("pfs_death_share")) * (pfs.previous - pfs.here)
        left = where(self.at_start, 0, left)
        found: list[Column] = []
        exponential = self.cell("pps_family").equals(EXPONENTIAL)
        if EXPONENTIAL in families:
            found.append(self._recursion(left, exponential))
        others = tuple(family for family in families if family != EXPONENTIAL)
        if others:
            found.append(self._convolution(left, others))
        progressed = found[0].here
        if len(found) > 1:
            progressed = where(exponential, found[0].here, found[1].here)
        built = pfs.here + progressed
        if own is not None:
            built = where(self.cell("family").equals(POST_PROGRESSION), built, own.here)
        return self.add(
            "from PFS", built, "Step 5: PFS + progressed, without the PFS's cured share"
        )

    def _recursion(self, left: Term, exponential: Term) -> Column:
        """``PD_{k+1} = PD_k e^(−λΔ) + (1 − q)(PFS_k − PFS_{k+1})(1 − e^(−λΔ))/(λΔ)``."""
        stay, arrive = self.cell("stay"), self.cell("arrive")
        new = np.broadcast_to(np.asarray(left.value, dtype=float), (self.grid.rows,))
        values = np.zeros(self.grid.rows)
        for row in range(1, self.grid.rows):
            values[row] = values[row - 1] * stay.value + new[row] * arrive.value
        return self.grid.add_recursion(
            f"{self.slot.name} progressed",
            self._heading("progressed"),
            lambda above: above * stay + left * arrive,
            values,
            SHARE,
            start=0,
            at_start=self.at_start,
            note="Step 5, methods 1.5: progressed and alive, exponential",
        )

    def _convolution(self, left: Term, families: tuple[str, ...]) -> Column:
        """``PD_k = (1 − q) Σ_{j<k} (PFS_j − PFS_{j+1}) S_PPS((k − j − ½)Δ)``."""
        ctx, rows = self.ctx, self.grid.rows
        leaving = self.add("leaving", left, "Step 5: progressions in the cycle that ends here")
        two = ctx.constants.term(2, "Two")
        last = self.k.at(rows - 1)
        cycle = ctx.live["cycle"] * self.cell("per year")
        ago = self.add(
            "since",
            (last - self.k.here + 1 / two) * cycle,
            "Step 5: time from mid-cycle, the longest first, in the curve's unit",
            _TIME,
        )
        layout = layout_of(ctx.results.spec, after=True)
        alive = self.add(
            "S after",
            family_formula(
                ctx,
                layout,
                families,
                self.cell("pps_family"),
                self.slot.numbers(ctx, layout),
                ago.here,
                lambda what, term, note: self.add_step(f"{what} after", term, note),
            ),
            f"Step 5: survival after progression: {', '.join(families)}",
        )
        total = np.convolve(leaving.values[1:], alive.values[::-1])[: rows - 1]
        started = leaving.at(1).text
        place = last - self.k.here + 1 + 1
        text = (
            f"SUMPRODUCT({started}:{leaving.here.text.rpartition('!')[2]},"
            f"INDEX({alive.all.text},{place.text}):{alive.at(rows - 1).text})"
        )
        term = Term(text, np.concatenate(([0.0], total)))
        return self.add(
            "progressed by sum",
            where(self.at_start, 0, term),
            "Step 5, methods 1.5: progressed and alive, any other family",
        )

    # --- steps 6 and 7 ------------------------------------------------------------------

    def _early(self) -> Column:
        share, period = self.cell("early_mortality"), self.cell("early_period")
        return self.add(
            "alive after early deaths",
            1 - share * smallest(self.units / period, 1),
            "Step 6: 1 − τ·min(t/d, 1)",
        )

    def _background(self, uncured: Column, before: Column, early: Column | None) -> Column:
        """Floor, addition or neither, as the setting says (methods 1.7)."""
        ctx = self.ctx
        alive, used = ctx.columns["background"], ctx.columns["background used"]
        ratio = ctx.columns["background ratio"]
        cured = self.slot.needs.cure
        curve = before
        if cured:
            curve = uncured
            if early is not None:
                note = "Step 7: the uncured alone, after early deaths"
                curve = self.add("uncured", uncured.here * early.here, note)

        def step(above: Term) -> Term:
            kept = where(curve.previous > 0, curve.here / curve.previous, 0)
            return above * smallest(kept, ratio.here)

        floor = self.grid.add_recursion(
            f"{self.slot.name} floor",
            self._heading("floor"),
            step,
            _floored(curve.values, ratio.values),
            SHARE,
            at_start=self.at_start,
            note="Step 7, methods 1.7: no hazard below the population's",
        )
        floored = floor.here
        if cured:
            share = self.cell("cure")
            of_cohort = ctx.live["smr_of"].equals("cohort")
            power = raised(alive.here, ctx.live["smr"])
            long_lived = share * where(of_cohort, used.here, power)
            if early is not None:
                long_lived = long_lived * early.here
            floored = long_lived + (1 - share) * floored
        rule = ctx.live["background_mortality"]
        term = choose(rule, [("floor", floored), ("add", before.here * used.here)], before.here)
        if self.slot.needs.excess:
            term = where(self.is_excess, before.here, term)
        return self.add("after background", term, "Step 7: floor, add or none")

    # --- waning ------------------------------------------------------------------------

    def _waned(self, before: Column, after: Column) -> tuple[Column, Column]:
        """Move to another strategy's curve, before step 7 (to measure crossing) and after it."""
        start, until = self.cell("wane_from"), self.cell("wane_until")
        lost = self._mean_ratio("effect lost", literal(0), start, until)
        waned = self._toward("before", before, lost)
        return waned, waned if before is after else self._toward("after", after, lost)

    def _toward(self, when: str, own: Column, lost: Column) -> Column:
        """By the other's hazard, or in a straight line to its curve (methods 1.8)."""
        to, kind, slot = self.cell("wane_to"), self.cell("wane"), self.slot
        found = {
            name: self.ctx.columns[f"{when} {name}.{slot.endpoint}.{slot.group}"]
            for name in slot.needs.wane_to
        }
        first = next(iter(found.values()))
        other = choose(to, [(name, column.here) for name, column in found.items()], first.here)
        above = choose(
            to, [(name, column.previous) for name, column in found.items()], first.previous
        )
        if len(found) == 1:
            other, above = first.here, first.previous
        mine = where(own.previous > 0, own.here / own.previous, 0)
        theirs = where(above > 0, other / above, 0)
        left = where(lost.here.equals(1), 1, raised(mine, 1 - lost.here))
        left = left * where(lost.here.equals(0), 1, raised(theirs, lost.here))
        kept = self.add(
            f"left, {when} step 7",
            where(self.at_start, 1, left),
            "methods 1.8: share left over the cycle that ends here, its hazard between the two",
        )
        start, until = self.cell("wane_from"), self.cell("wane_until")
        inside = self.grid[f"{slot.name} effect lost time"].here
        part = where(
            until > start, (inside - start) / (until - start), where(self.units >= until, 1, 0)
        )
        line = own.here + part * (other - own.here)

        def step(last: Term) -> Term:
            moved = where(kind.equals("survival"), smallest(last, line), last * kept.here)
            return where(to.equals(""), own.here, moved)

        values, met = np.array(own.values), np.asarray(line.value, dtype=float)
        for row in range(1, len(values) if to.value else 0):
            last, meets = values[row - 1], kind.value == "survival"
            values[row] = min(last, met[row]) if meets else last * kept.values[row]
        return self.grid.add_recursion(
            f"{slot.name} waned {when}",
            self._heading(f"waned, {when} step 7"),
            step,
            values,
            SHARE,
            start=own.here,
            at_start=self.at_start,
            note="methods 1.8: the effect wanes to the other strategy's curve, where it does",
        )


def _floored(curve: FloatArray, ratio: FloatArray) -> FloatArray:
    values = np.empty(len(curve))
    values[0] = 1.0
    for row in range(1, len(curve)):
        kept = curve[row] / curve[row - 1] if curve[row - 1] > 0 else 0.0
        values[row] = values[row - 1] * min(kept, ratio[row])
    return values
