"""``Calc Trace <strategy>``: curves and occupancy at every cycle boundary (methods 1).

From left to right: each group's curve step by step, the capped curves of the groups, the curves of
the endpoints, the states, and to the right what the checks of the workbook read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise

import numpy as np

from heor.engine.identities import TOLERANCE
from heor.report.live import (
    GRID_HEADING,
    GRID_ROW,
    HERE,
    Column,
    Grid,
    Term,
    every,
    largest,
    literal,
    put,
    sum_of_products,
    where,
)
from heor.report.lookup import sum_of
from heor.report.sheets.calc_curves import Slot, slots_of
from heor.report.sheets.calc_slots import SHARE, SlotCurves, SlotWriter
from heor.report.sheets.calc_time import boundaries, new_grid
from heor.report.sheets.layout import Context
from heor.report.xlsx import BOLD, Sheet, Style, column_letter, quote_title

#: Rows of the head: which group a column is of, its weight, the candidate in use and its unit.
_GROUP, _WEIGHT, _CANDIDATE, _UNIT = 5, 6, 7, 8

_LINK = Style("link", unit="number")

#: An endpoint and its group.
Key = tuple[str, str]


def write_trace(ctx: Context, sheet: Sheet, strategy: str) -> None:
    """Fill the calculation sheet of a strategy and make its columns known."""
    notes = (
        "Share of people at each cycle boundary: group curves by the order of work of methods 1.2, "
        "caps within the group, mixing by weight, states as differences of neighbours (methods 1).",
        "Columns stand for the steps that a candidate needs; numbers of the candidate in use stand "
        "on Calc Curves. Times are in that candidate's unit.",
        "Responders start in response: time to response counts as responding (methods 1.4).",
    )
    grid = new_grid(ctx, sheet, f"Trace: {ctx.label(strategy)}", notes)
    boundaries(grid)
    grid.add("t", "Time, years", ctx.columns["t"].here, _LINK, note="From Calc Time")
    for row, words in (
        (_GROUP, "Columns of"),
        (_WEIGHT, "Weight"),
        (_CANDIDATE, "Candidate in use"),
        (_UNIT, "Its time units a year"),
    ):
        sheet.text(row, 0, words, BOLD)
    _Trace(ctx, grid, strategy).write()
    sheet.widths((11, 9, *([12.5] * (grid.place - 2)), 48, 14, 12))
    sheet.freeze(GRID_ROW, 2)
    sheet.print_setup(
        repeat=(GRID_HEADING, GRID_HEADING),
        area=(0, 0, GRID_ROW + 53, grid.place + 2),
        pages=1,
        large=True,
    )


class _Trace:
    """The columns of one strategy, from left to right."""

    def __init__(self, ctx: Context, grid: Grid, strategy: str) -> None:
        self.ctx, self.grid, self.sheet, self.strategy = ctx, grid, grid.sheet, strategy
        spec = ctx.results.spec
        self.slots = slots_of(spec, strategy)
        groups: dict[str, tuple[str, ...]] = {}
        for endpoint, group in self.slots:
            groups[endpoint] = (*groups.get(endpoint, ()), group)
        self.groups = groups
        self.nested = tuple(e for e in spec.nested_endpoints if e in groups)
        #: neighbours, inner first, and whether they are capped group by group or after mixing
        self.pairs = [
            (inner, outer, set(groups[inner]) <= set(groups[outer]))
            for inner, outer in pairwise(self.nested)
        ]
        self.done: dict[Key, SlotCurves] = {}
        self.weights: dict[str, Term] = {}

    def write(self) -> None:
        """Add all columns, and the checks to the right of them."""
        for key, slot in self.slots.items():
            self._write_slot(key, slot)
        mixed = self._mixed_before()
        endpoints = self._endpoints(self._final_groups())
        states = self._states(endpoints)
        self.grid.place += 1
        _Checks(self, states, endpoints["os"]).write(mixed)

    # --- slots ------------------------------------------------------------------------

    def _write_slot(self, key: Key, slot: Slot) -> None:
        self.done[key] = self._write_candidate(slot)
        if slot.parts:
            self.done[key] = self._average(slot, self.done[key])
        if slot.group not in self.weights:
            weight = slot.cell(self.ctx, "weight")
            self.weights[slot.group] = weight
            self.ctx.live[f"weight {self.strategy} {slot.group}"] = weight

    def _average(self, slot: Slot, alone: SlotCurves) -> SlotCurves:
        """The candidate in use, or the weighted mean of those that are averaged (methods 1.9)."""
        ctx, grid = self.ctx, self.grid
        parts = [self._write_candidate(part) for part in slot.parts]
        weights = [part.cell(ctx, "average_weight") for part in slot.parts]
        averaged, total = ctx.live[f"averaged {slot.name}"], slot.cell(ctx, "weights")
        found: list[Column] = []
        for when in ("before", "after"):
            if when == "after" and slot.endpoint != "os":
                found.append(found[0])
                continue
            own = [getattr(part, when).here * w for part, w in zip(parts, weights, strict=True)]
            mean = sum_of(own)
            assert mean is not None
            here = getattr(alone, when).here
            term = where(averaged.equals(1), where(total > 0, mean / total, here), here)
            note = "methods 1.9: the candidate in use, or the average of several by weight"
            heading = f"{slot.endpoint}: average, {when} step 7"
            found.append(grid.add(f"{slot.name} average {when}", heading, term, SHARE, note=note))
        for when, column in zip(("before", "after"), found, strict=True):
            ctx.columns[f"{when} {slot.name}"] = column
        return SlotCurves(alone.uncured, *found)

    def _write_candidate(self, slot: Slot) -> SlotCurves:
        ctx, first = self.ctx, self.grid.place
        written = SlotWriter(ctx, self.grid, slot, self.done).write()
        self.sheet.text(_GROUP, first, f"{slot.endpoint}: {slot.group}", BOLD)
        for row, number, style in (
            (_WEIGHT, "weight", Style("link", unit="number", align="left")),
            (_CANDIDATE, "id", Style("link")),
            (_UNIT, "per year", Style("link", align="left")),
        ):
            put(self.sheet, row, first, slot.cell(ctx, number), style)
        return written

    def _block(
        self, what: str, endpoint: str, terms: Mapping[str, Term], style: Style, note: str
    ) -> dict[str, Column]:
        """Add a column for each group of an endpoint, side by side, under its weight."""
        columns = {}
        for group, term in terms.items():
            place = self.grid.place
            key = f"{endpoint} {group} {what}"
            columns[group] = self.grid.add(key, f"{endpoint}: {group}", term, style, note=note)
            put(self.sheet, _WEIGHT, place, self.weights[group], _LINK)
            self.sheet.text(_GROUP, place, what, BOLD)
        return columns

    def _mix(self, columns: Mapping[str, Column]) -> Term:
        """Step 9: weighted sum of neighbouring columns."""
        (first, *_), (*_, last) = columns.values(), columns.values()
        if len(columns) == 1 and next(iter(columns)) == "all":
            return first.here
        shares = np.array([float(self.weights[group].value) for group in columns])
        title = quote_title(self.sheet.title)
        left, right = column_letter(first.place), column_letter(last.place)
        row = _WEIGHT + 1
        values = np.stack([column.values for column in columns.values()])
        text = (
            f"SUMPRODUCT({title}!${left}${row}:${right}${row},{title}!${left}{HERE}:${right}{HERE})"
        )
        return Term(text, shares @ values)

    def _mixed_before(self) -> dict[str, Column]:
        """Endpoints mixed before background mortality, where groups of neighbours differ."""
        unlike = [e for inner, outer, alike in self.pairs if not alike for e in (inner, outer)]
        mixed = {}
        for endpoint in dict.fromkeys(unlike):
            curves = {g: self.done[endpoint, g].before for g in self.groups[endpoint]}
            if tuple(curves) == ("all",):
                mixed[endpoint] = curves["all"]
                continue
            note = "After step 6, to measure crossing (methods 1.3)"
            terms = {group: column.here for group, column in curves.items()}
            style = Style("formula", unit="number")
            columns = self._block("before background", endpoint, terms, style, note)
            mixed[endpoint] = self.grid.add(
                f"{endpoint} mixed before",
                f"{endpoint} mixed",
                self._mix(columns),
                SHARE,
                note=note,
            )
        return mixed

    # --- step 8 and 9 -----------------------------------------------------------------

    def _final_groups(self) -> dict[Key, Column]:
        """Step 8: each group's curve capped by the group's other curves."""
        final = {}
        for endpoint, groups in self.groups.items():
            terms = {group: self._capped(endpoint, group) for group in groups}
            note = "Step 8: the group's final curve"
            for group, column in self._block("capped", endpoint, terms, SHARE, note).items():
                final[endpoint, group] = column
                self.ctx.columns[f"group {self.strategy} {endpoint} {group}"] = column
        return final

    def _capped(self, endpoint: str, group: str) -> Term:
        """No more than the outer curves; with ``keep_higher`` no less than the inner ones."""
        own = self.done[endpoint, group].after.here
        if endpoint not in self.nested:
            return own
        place = self.nested.index(endpoint)
        outer = [own]
        for _, name, alike in self.pairs[place:]:
            if not alike:
                break
            outer.append(self.done[name, group].after.here)
        inner = [own]
        for name, _, alike in reversed(self.pairs[:place]):
            if not alike or group not in self.groups[name]:
                break
            inner.append(self.done[name, group].after.here)
        return self._by_rule(inner, outer)

    def _by_rule(self, inner: Sequence[Term], outer: Sequence[Term]) -> Term:
        """Largest of the inner curves with ``keep_higher``, else the smallest of the outer ones."""
        highest, lowest = _extreme("MAX", inner), _extreme("MIN", outer)
        if len(inner) == len(outer) == 1:
            return lowest
        return where(self.ctx.live["crossing"].equals("keep_higher"), highest, lowest)

    def _endpoints(self, final: Mapping[Key, Column]) -> dict[str, Column]:
        """Step 9: mixing by weight, and the cap after it where groups of neighbours differ."""
        mixed = {e: self._mix({g: final[e, g] for g in gs}) for e, gs in self.groups.items()}
        late = self._capped_late()
        for endpoint in dict.fromkeys(e for chains in late.values() for c in chains for e in c):
            heading, note = f"{endpoint} mixed", "Step 9: mixed by weight, before the cap"
            mixed[endpoint] = self.grid.add(
                heading, heading, mixed[endpoint], SHARE, note=note
            ).here
        endpoints = {}
        for endpoint in self.groups:
            term, note = mixed[endpoint], "Step 9: weighted sum over the groups"
            if endpoint in late:
                inner, outer = ([mixed[e] for e in chain] for chain in late[endpoint])
                term = self._by_rule(inner, outer)
                note = "Step 8 after step 9, for the groups of neighbours differ"
            column = self.grid.add(f"endpoint {endpoint}", endpoint, term, SHARE, note=note)
            endpoints[endpoint] = column
            self.ctx.columns[f"endpoint {self.strategy} {endpoint}"] = column
            self.sheet.text(_GROUP, column.place, "all groups", BOLD)
        return endpoints

    def _capped_late(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Endpoints capped after mixing: the inner ones they are above, and the outer ones.

        Caps go from neighbour to neighbour, outermost first (with ``keep_higher`` innermost
        first), and after mixing from the first neighbours on whose groups differ.
        """
        unlike = [place for place, (*_, alike) in enumerate(self.pairs) if not alike]
        if not unlike:
            return {}
        first, last = unlike[0], unlike[-1] + 1
        chains = {}
        for place, endpoint in enumerate(self.nested):
            inner = self.nested[first : place + 1] if place > first else (endpoint,)
            outer = self.nested[place : last + 1] if place < last else (endpoint,)
            chains[endpoint] = (inner, outer)
        return {e: c for e, c in chains.items() if len(c[0]) + len(c[1]) > 2}

    # --- states and checks ------------------------------------------------------------

    def _states(self, endpoints: Mapping[str, Column]) -> list[Column]:
        """Differences of neighbouring endpoints (methods 1.1), and their sum."""
        spec = self.ctx.results.spec
        states: list[Column] = []
        inner: Column | None = None
        for state in spec.living_states:
            outer = endpoints.get(state.endpoint)
            if outer is None:
                term, note = literal(0), f"No curve of {state.endpoint}"
            elif inner is None:
                term, note = outer.here, f"People under {state.endpoint}"
            else:
                term, note = outer.here - inner.here, f"{state.endpoint} less the curve within it"
            states.append(self._state(state.id, state.label, term, note))
            inner = outer or inner
        assert inner is not None
        dead = spec.dead_state
        states.append(self._state(dead.id, dead.label, 1 - inner.here, "Everybody else"))
        title = quote_title(self.sheet.title)
        left, right = column_letter(states[0].place), column_letter(states[-1].place)
        area = f"{title}!${left}{HERE}:${right}{HERE}"
        sums = Term(f"SUM({area})", np.sum([c.values for c in states], axis=0))
        self.grid.add("sum", "All states", sums, SHARE, note="Must be 1 (methods 10)")
        return states

    def _state(self, state: str, label: str, term: Term, note: str) -> Column:
        column = self.grid.add(f"state {state}", label or state, term, SHARE, note=note)
        self.ctx.columns[f"state {self.strategy} {state}"] = column
        self.sheet.text(_GROUP, column.place, "state", BOLD)
        return column


class _Checks:
    """What the sheet ``Checks`` shows of a trace, to the right of its columns."""

    def __init__(self, trace: _Trace, states: Sequence[Column], alive: Column) -> None:
        self.trace, self.states, self.alive = trace, states, alive
        self.ctx, self.sheet, self.strategy = trace.ctx, trace.sheet, trace.strategy
        self.place, self.row = trace.grid.place, GRID_HEADING
        self.tolerance = self.ctx.constants.term(
            TOLERANCE, "How far occupancy may stray from 0 to 1"
        )
        header = Style("header", align="right")
        self.sheet.text(self.row, self.place, "Checks of this trace", Style("header"))
        self.sheet.text(self.row, self.place + 1, "Value", header)
        self.sheet.text(self.row, self.place + 2, "Boundaries", header)

    def line(self, words: str, term: Term, key: str = "", unit: str = "number") -> Term:
        """Write one line; ``key`` makes its cell known, followed by the strategy."""
        self.row += 1
        self.sheet.text(self.row, self.place, words)
        result = put(self.sheet, self.row, self.place + 1, term, Style("formula", unit=unit))
        if key:
            self.ctx.live[f"{key} {self.strategy}"] = result
        return result

    def write(self, mixed: Mapping[str, Column]) -> None:
        """Write identities (methods 10) and crossing (methods 1.3)."""
        first, last = self.states[0], self.states[-1]
        rows = len(first.values)
        area = self.sheet.range(GRID_ROW, first.place, GRID_ROW + rows - 1, last.place)
        shares = np.stack([column.values for column in self.states])
        self.line(
            "Smallest share in any state", Term(f"MIN({area})", shares.min()), "smallest share"
        )
        self.line("Largest share in any state", Term(f"MAX({area})", shares.max()), "largest share")
        sums = self.trace.grid["sum"].all
        most = Term(f"MAX({sums.text})", float(np.max(sums.value)))
        least = Term(f"MIN({sums.text})", float(np.min(sums.value)))
        self.line(
            "Furthest that the states are from 1", largest(most - 1, 1 - least), "sum off", ""
        )
        rise = (self.alive.ends - self.alive.starts > self.tolerance) * literal(1)
        count = Term(f"SUMPRODUCT({rise.text})", float(np.sum(rise.value)))
        self.line("Cycles in which the dead become fewer", count, "dead falls", "integer")
        self._crossing(mixed)

    def _crossing(self, mixed: Mapping[str, Column]) -> None:
        """Person-time moved by the cap, before background mortality."""
        trace, live = self.trace, self.ctx.live
        top = self.row + 1
        moved, at = 0.0, 0.0
        for inner, outer, alike in trace.pairs:
            for group in trace.groups[inner] if alike else ("",):
                low, high = (
                    trace.done[e, group].before if alike else mixed[e] for e in (inner, outer)
                )
                words = f"Years that {inner} is above {outer}" + (f", {group}" if group else "")
                years, boundaries = self._above(low, high)
                moved += self.line(words, trace.weights[group] * years if alike else years).value
                put(self.sheet, self.row, self.place + 2, boundaries, Style("formula"))
                at += boundaries.value
        years_moved, boundaries_moved = (
            Term(f"SUM({self.sheet.range(top, place, self.row, place)})", value)
            if trace.pairs
            else literal(0)
            for place, value in ((self.place + 1, moved), (self.place + 2, at))
        )
        total = self.line(
            "Years moved by the cap, before background mortality", years_moved, "crossing years"
        )
        put(self.sheet, self.row, self.place + 2, boundaries_moved, Style("formula"))
        count = Term(self.sheet.ref(self.row, self.place + 2), at)
        weights = self.ctx.columns["weight plain"].all
        years = self.line("Life years, undiscounted", sum_of_products(weights, self.alive.all))
        share = where(years > 0, total / years, 0)
        self.line("Share of life years moved by the cap", share, "crossing share", "percent_fine")
        broken = every(live["crossing"].equals("error"), count > 0)
        error = where(broken, 1, 0)
        self.line("Curves cross and must not (1: yes)", error, "crossing error", "integer")

    def _above(self, low: Column, high: Column) -> tuple[Term, Term]:
        """Person-years and boundaries of the horizon at which a curve is above its outer one."""
        weights, k = self.ctx.columns["weight plain"], self.trace.grid["k"]
        excess = (low.all - high.all) * (low.all > high.all)
        inside = (low.all - high.all > self.tolerance) * (k.all <= self.ctx.live["cycles"])
        return (
            sum_of_products(weights.all, excess),
            Term(f"SUMPRODUCT({inside.text})", float(np.sum(inside.value))),
        )


def _extreme(name: str, terms: Sequence[Term]) -> Term:
    """``MAX`` or ``MIN`` of several curves, row by row."""
    if len(terms) == 1:
        return terms[0]
    function = np.maximum if name == "MAX" else np.minimum
    value = reduce(function, (term.value for term in terms))
    return Term(f"{name}({','.join(term.text for term in terms)})", value)
