"""``Calc Curves``: the candidate in use of every strategy, endpoint and group, with its numbers.

A row is a slot. Its numbers come from the row of the table ``curves`` that is chosen, by INDEX, so
a candidate may differ from another in family, unit and modifiers (methods 1.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heor.engine.survival import step_excel, step_survival
from heor.report.live import Term, every, exp, literal, put, some, where
from heor.report.lookup import cell_of, index, row_of_text, sum_of
from heor.report.sheets.families import (
    FEWEST,
    AddStep,
    Layout,
    averageable,
    family_formula,
    form_of,
    layout_of,
    waning_in,
)
from heor.report.sheets.layout import Context
from heor.report.xlsx import AFTER_HEADER, BOLD, HEADER, NOTE, TITLE, Sheet, Style
from heor.spec.records import ALL_CAUSE, EXCESS, Curve, KaplanMeier, Spec

TITLE_CURVES = "Calc Curves"

KAPLAN_MEIER, POST_PROGRESSION = "kaplan_meier", "post_progression"
EXPONENTIAL = "exponential"

#: Row of the headings, and the notes above them.
_NOTES, _HEADING = 3, 4

_TEXT, _NUMBER = Style("formula", indent=1), Style("formula", align="right")

#: Columns of ``curves`` that every slot shows, with headings.
_COLUMNS = {
    "id": "Candidate in use",
    "family": "Family",
    "weight": "Weight",
    "per year": "Time units per year",
    "p": "Family number",
    "delay": "Delay",
    "acceleration": "Acceleration factor",
    "hazard_ratio": "Hazard ratio",
    "hr_from": "Ratio wanes from",
    "hr_until": "Ratio is 1 from",
    "has_hr_until": "Wanes (1: yes)",
    "cure_fraction": "Cured share",
    "early_mortality": "Early mortality",
    "early_period": "Early period",
    "km_until": "Kaplan-Meier until",
    "has_km_until": "Kaplan-Meier first (1: yes)",
    "hazard": "Hazard of",
    "pps_family": "Family after progression",
    "q": "Number after progression",
    "pfs_death_share": "Deaths among PFS events",
    "wane_to": "Effect wanes to",
    "wane": "What moves",
    "wane_from": "Effect wanes from",
    "wane_until": "Effect lost at",
    "average_weight": "Weight in an average",
}
#: Those of candidates whose effect wanes.
_WANE = ("wane_to", "wane", "wane_from", "wane_until")
#: Those of candidates that build OS from PFS.
_AFTER = ("pps_family", "pfs_death_share")
_TEXTS = ("id", "family", "hazard", "pps_family", "wane_to", "wane")


@dataclass(frozen=True, slots=True)
class Needs:
    """What the candidates of a slot, taken together, need: a column each on the trace sheet.

    Families are named by their form, a spline with its scale.
    """

    families: tuple[str, ...]
    pps_families: tuple[str, ...]
    kaplan_meier: bool
    km_first: bool
    hazard_ratio: bool
    waning: bool
    cure: bool
    early: bool
    excess: bool
    deaths: bool
    wane_to: tuple[str, ...] = ()

    @property
    def parametric(self) -> tuple[str, ...]:
        """Forms with a formula in t."""
        return tuple(f for f in self.families if f not in (KAPLAN_MEIER, POST_PROGRESSION))

    @property
    def post_progression(self) -> bool:
        """Whether a candidate builds OS from the group's PFS."""
        return POST_PROGRESSION in self.families

    @property
    def after(self) -> bool:
        """Whether a candidate says something of survival after progression (methods 1.5, 9)."""
        return self.post_progression or bool(self.pps_families) or self.deaths


@dataclass(frozen=True, slots=True)
class Slot:
    """One strategy, endpoint and group: its candidates and the cells of the one in use.

    ``parts`` are the candidates that can be averaged, each as a slot of its own whose ``part`` is
    its row of the table from 0.
    """

    strategy: str
    endpoint: str
    group: str
    candidates: tuple[Curve, ...]
    needs: Needs
    part: int | None = None
    parts: tuple[Slot, ...] = ()

    @property
    def slot(self) -> str:
        """``strategy.endpoint.group``, as scenarios name it."""
        return f"{self.strategy}.{self.endpoint}.{self.group}"

    @property
    def name(self) -> str:
        """The slot, for one of the candidates that are averaged with its row in the table."""
        return self.slot if self.part is None else f"{self.slot} row {self.part + 1}"

    def cell(self, ctx: Context, key: str) -> Term:
        """Cell of the sheet ``Calc Curves`` with a number of the candidate in use."""
        return ctx.live[f"curve {self.name} {key}"]

    def numbers(self, ctx: Context, layout: Layout) -> list[Term]:
        """Cells of the numbers of the family in use."""
        return [self.cell(ctx, column) for column in layout.columns]


def filling_order(spec: Spec) -> tuple[str, ...]:
    """Strategies in the order their trace sheets are filled: those that wane read the others."""
    waning = {curve.strategy for curve in spec.curves if curve.wane_to}
    return tuple(sorted(spec.strategy_ids(), key=lambda strategy: strategy in waning))


def slots_of(spec: Spec, strategy: str) -> dict[tuple[str, str], Slot]:
    """Give a strategy's slots by (endpoint, group): inner endpoints first, ``os`` last."""
    members: dict[tuple[str, str], list[Curve]] = {}
    for curve in spec.curves:
        if curve.strategy == strategy:
            members.setdefault((curve.endpoint, curve.group), []).append(curve)
    found = tuple(dict.fromkeys(endpoint for endpoint, _ in members))
    nested = [e for e in spec.nested_endpoints if e in found and e != "os"]
    order = (*nested, *(e for e in found if e not in nested and e != "os"), "os")
    slots: dict[tuple[str, str], Slot] = {}
    for endpoint in order:
        for key in (k for k in members if k[0] == endpoint):
            needs = _needs(members[key], slots.get(("pfs", key[1])))
            own = tuple(members[key])
            slots[key] = Slot(
                strategy, *key, own, needs, parts=_parts(spec, own, slots.get(("pfs", key[1])))
            )
    return slots


def _parts(spec: Spec, candidates: Sequence[Curve], pfs: Slot | None) -> tuple[Slot, ...]:
    first = candidates[0]
    slot = f"{first.strategy}.{first.endpoint}.{first.group}"
    return tuple(
        Slot(
            *(first.strategy, first.endpoint, first.group),
            (spec.curves[row],),
            _needs((spec.curves[row],), pfs),
            part=row,
        )
        for row in averageable(spec).get(slot, ())
    )


def _needs(candidates: Sequence[Curve], pfs: Slot | None) -> Needs:
    after = any(c.family == POST_PROGRESSION for c in candidates)
    return Needs(
        families=tuple(dict.fromkeys(form_of(c) for c in candidates)),
        pps_families=tuple(
            dict.fromkeys(form_of(c, after=True) for c in candidates if c.pps_family)
        ),
        kaplan_meier=any(c.family == KAPLAN_MEIER or c.km_until is not None for c in candidates),
        km_first=any(c.km_until is not None for c in candidates),
        hazard_ratio=any(c.hazard_ratio is not None for c in candidates),
        waning=any(c.hr_until is not None for c in candidates),
        cure=any(c.cure_fraction is not None for c in candidates)
        or (after and pfs is not None and pfs.needs.cure),
        early=any(c.early_mortality is not None for c in candidates),
        excess=any(c.hazard == EXCESS for c in candidates),
        deaths=any(c.pfs_death_share is not None for c in candidates),
        wane_to=tuple(dict.fromkeys(c.wane_to for c in candidates if c.wane_to)),
    )


def observed(ctx: Context, slot: Slot, years: Term) -> Term:
    """Kaplan-Meier survival of a slot at a time in years, as steps (methods 1.6)."""
    times, survival = (ctx.live[f"km {slot.slot} {what}"] for what in ("time", "survival"))
    text = ctx.constants.lift(
        step_excel(years.text, times.text, survival.text),
        "Share by which a time may miss a Kaplan-Meier step",
    )
    table = KaplanMeier(
        strategy=slot.strategy,
        endpoint=slot.endpoint,
        group=slot.group,
        time=np.asarray(times.value, dtype=float),
        survival=np.asarray(survival.value, dtype=float),
        at_risk=np.zeros(0),
        events=np.zeros(0),
        time_unit="year",
        source="",
    )
    return Term(text, step_survival(table, years.value))


def write_curves(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; a slot's cells are known as ``curve <strategy>.<endpoint>.<group> <key>``."""
    sheet.text(0, 0, "Curves in use", TITLE)
    sheet.height(0, 22)
    sheet.text(
        1,
        0,
        "A row for each strategy, endpoint and group: the candidate chosen on Control, and its "
        "numbers from the table curves, times in its own unit (methods 1.2).",
        NOTE,
    )
    sheet.text(2, 0, "A blank cell of the table counts as the number that changes nothing.", NOTE)
    columns = _columns(ctx.results.spec)
    row = _HEADING + 1
    lacking = 0.0
    for strategy in ctx.strategies:
        slots = slots_of(ctx.results.spec, strategy)
        for slot in slots.values():
            pfs = slots.get(("pfs", slot.group))
            first = row
            for one in (slot, *slot.parts):
                _write_slot(ctx, sheet, row, columns, one, pfs)
                row += 1
            _finish_slot(ctx, sheet, first, len(columns), slot, pfs)
            lacking += sum(float(one.cell(ctx, "lacking").value) for one in (slot, *slot.parts))
    _headings(sheet, columns, _number_notes(ctx.results.spec) | _DERIVED_NOTES)
    place = _FIRST + len(columns) + list(_DERIVED).index("lacking")
    count = Term(f"SUM({sheet.range(_HEADING + 1, place, row - 1, place)})", lacking)
    sheet.text(row + 1, 0, "Curves in use that need a step this workbook has no column for", BOLD)
    ctx.live["steps missing"] = put(sheet, row + 1, place, count, _NUMBER)
    sheet.freeze(_HEADING + 1, 3)
    sheet.print_setup(repeat=(_HEADING, _HEADING), large=True)


#: Columns of the sheet after the slot's name and its row in the table.
_FIRST = 4
_DERIVED = {
    "stay": "Stay progressed, per cycle",
    "arrive": "New progressions alive at the cycle's end",
    "w": "Deviate w at τ",
    "Qw": "Q·w at τ",
    "S gengamma": "Generalised gamma at τ",
    "ln u": "ln τ",
    "η": "η at τ",
    "S genf": "Generalised F at τ",
    "tail": "S(τ)",
    "join": "Tail × this after Kaplan-Meier",
    "cure": "Cured share in use",
    "weights": "Weights of its average, together",
    "lacking": "Needs what the trace lacks (1: yes)",
}
_DERIVED_NOTES = {
    "stay": "e^(−λΔ), methods 1.5",
    "arrive": "(1 − e^(−λΔ))/(λΔ), methods 1.5",
    "w": "Of the generalised gamma, τ the end of Kaplan-Meier",
    "Qw": "Of the generalised gamma",
    "S gengamma": "Where it stands beside other families",
    "ln u": "Of a spline, τ the end of Kaplan-Meier",
    "η": "Of a spline",
    "S genf": "Where it stands beside other families",
    "tail": "The family at τ, methods 1.6",
    "join": "KM(τ)/S(τ), methods 1.6",
    "cure": "That of the PFS where OS is built from it",
    "lacking": "A family or modifier that no candidate had when heor wrote this; run it again",
}


def _number_notes(spec: Spec) -> dict[str, str]:
    """Notes on the numbers of families that have many."""
    notes = {}
    for layout in (layout_of(spec), layout_of(spec, after=True)):
        if layout.knots:
            notes[layout.columns[0]] = "Of a spline: γ0, γ1, …, then its knots, as ln t"
        if layout.count > FEWEST:
            notes[layout.columns[1]] = "After its parameters what a family derives of them"
    return notes


def _columns(spec: Spec) -> dict[str, str]:
    """Columns of ``curves`` that slots show: as many numbers as the families of the study have."""
    found: dict[str, str] = {}
    for key, heading in _COLUMNS.items():
        if key in _WANE and not waning_in(spec):
            continue
        if key == "average_weight" and not averageable(spec):
            continue
        if key in ("p", "q"):
            names = layout_of(spec, after=key == "q").columns
            found |= {name: f"{heading} {place}" for place, name in enumerate(names, start=1)}
        else:
            found[key] = heading
    return found


def _headings(sheet: Sheet, columns: Mapping[str, str], notes: Mapping[str, str]) -> None:
    names = ("Strategy", "Endpoint", "Group", "Row in curves", *columns.values())
    for column, name in enumerate((*names, *_DERIVED.values())):
        text = column < 3 or name in [_COLUMNS[key] for key in _TEXTS]
        left = AFTER_HEADER if column > 3 else HEADER
        sheet.text(_HEADING, column, name, left if text else Style("header", align="right"))
    for column, key in enumerate((*columns, *_DERIVED), start=_FIRST):
        if key in notes:
            sheet.text(_NOTES, column, notes[key], Style("note", wrap=True))
    sheet.height(_NOTES, 66)
    sheet.height(_HEADING, 56)
    widths = [30 if key == "id" else 15 if key in _TEXTS else 11 for key in columns]
    sheet.widths((16, 10, 15, 8, *widths, *([12] * len(_DERIVED))))


def _write_slot(
    ctx: Context,
    sheet: Sheet,
    row: int,
    columns: Mapping[str, str],
    slot: Slot,
    pfs: Slot | None,
) -> None:
    for column, text in enumerate((slot.strategy, slot.endpoint, slot.group)):
        sheet.text(row, column, text)
    if slot.part is None:
        where_ = ctx.live[f"row {slot.name}"]
    else:
        ids = ctx.live["curves id"]
        where_ = row_of_text(ids, cell_of(ids, slot.part))
    chosen = put(sheet, row, 3, where_, Style("link", align="right"))
    known = f"curve {slot.name}"
    column = _FIRST
    after = (*_AFTER, *layout_of(ctx.results.spec, after=True).columns)
    for key in columns:
        if slot.needs.after or key not in after:
            term = index(ctx.live[f"curves {key}"], chosen)
            if key == "pps_family":
                term = where(term.equals(""), "none", term)
            if key == "wane_to":
                term = where(term.equals(""), "", term)
            style = _TEXT if key in _TEXTS else _NUMBER
            ctx.live[f"{known} {key}"] = put(sheet, row, column, term, style)
        column += 1
    write = _Derived(ctx, sheet, row, column, slot)
    if EXPONENTIAL in slot.needs.pps_families:
        write("stay", exp(-_step(ctx, slot)))
        write("arrive", arriving(ctx, _step(ctx, slot)))
    if slot.needs.km_first:
        write("tail", _tail(ctx, slot, lambda key, term, _: write(key, term)))
        write("join", _join(ctx, slot))
    if slot.needs.cure:
        write("cure", _cure(ctx, slot, pfs))


def _finish_slot(
    ctx: Context, sheet: Sheet, row: int, columns: int, slot: Slot, pfs: Slot | None
) -> None:
    """Write what a slot and the candidates of its average need of each other."""
    conditions = [*_lacking(ctx, slot)]
    averaged: Term = literal(0)
    if slot.parts:
        averaged = ctx.live[f"averaged {slot.name}"]
        weights = sum_of([part.cell(ctx, "average_weight") for part in slot.parts])
        assert weights is not None
        total = _Derived(ctx, sheet, row, _FIRST + columns, slot)("weights", weights)
        conditions.append(some(averaged.equals(0), total > 0))
    if slot.needs.post_progression and pfs is not None and pfs.parts:
        built = slot.cell(ctx, "family").equals(POST_PROGRESSION)
        alone = ctx.live[f"averaged {pfs.name}"].equals(0)
        conditions.append(where(built, where(alone, 1, 0), 1).equals(1))
    _Derived(ctx, sheet, row, _FIRST + columns, slot)("lacking", where(every(*conditions), 0, 1))
    for place, part in enumerate(slot.parts, start=row + 1):
        write = _Derived(ctx, sheet, place, _FIRST + columns, part)
        write("lacking", where(every(*_lacking(ctx, part)), 0, averaged))


@dataclass(frozen=True, slots=True)
class _Derived:
    """Writes what is derived of a slot's numbers, each into its own column."""

    ctx: Context
    sheet: Sheet
    row: int
    first: int
    slot: Slot

    def __call__(self, key: str, term: Term) -> Term:
        column = self.first + list(_DERIVED).index(key)
        result = put(self.sheet, self.row, column, term, _NUMBER)
        self.ctx.live[f"curve {self.slot.name} {key}"] = result
        return result


def _step(ctx: Context, slot: Slot) -> Term:
    """Post-progression hazard over a cycle, λΔ."""
    return slot.cell(ctx, "q1") * ctx.live["cycle"] * slot.cell(ctx, "per year")


def arriving(ctx: Context, step: Term) -> Term:
    """``(1 − e^−x)/x``, by its series where the difference would lose digits."""
    two, three, four, five = (
        ctx.constants.term(n, words)
        for n, words in ((2, "Two"), (3, "Three"), (4, "Four"), (5, "Five"))
    )
    small = ctx.constants.term(1e-3, "Below this a series takes the place of 1 − e^−x")
    near = 1 - step / two * (1 - step / three * (1 - step / four * (1 - step / five)))
    return where(step < small, near, (1 - exp(-step)) / step)


def _tail(ctx: Context, slot: Slot, add: AddStep) -> Term:
    """S(τ) of the family that goes on after the Kaplan-Meier curve."""
    family, until = slot.cell(ctx, "family"), slot.cell(ctx, "km_until")
    layout = layout_of(ctx.results.spec)
    numbers = slot.numbers(ctx, layout)
    return family_formula(ctx, layout, slot.needs.parametric, family, numbers, until, add)


def _join(ctx: Context, slot: Slot) -> Term:
    """KM(τ)/S(τ), which multiplies the tail after the Kaplan-Meier curve (methods 1.6)."""
    tail = slot.cell(ctx, "tail")
    known = observed(ctx, slot, slot.cell(ctx, "km_until") / slot.cell(ctx, "per year"))
    joined = where(tail > 0, known / tail, known)
    return where(slot.cell(ctx, "has_km_until").equals(1), joined, 1)


def _cure(ctx: Context, slot: Slot, pfs: Slot | None) -> Term:
    own = slot.cell(ctx, "cure_fraction")
    if not slot.needs.post_progression or pfs is None:
        return own
    built = slot.cell(ctx, "family").equals(POST_PROGRESSION)
    return where(built, pfs.cell(ctx, "cure_fraction"), own)


def _lacking(ctx: Context, slot: Slot) -> list[Term]:
    """Conditions that the row in use fills no cell for which the trace sheet has no column."""
    needs, family = slot.needs, slot.cell(ctx, "family")
    conditions = [_one_of(family, needs.families)]
    if needs.post_progression:
        after = _one_of(slot.cell(ctx, "pps_family"), needs.pps_families)
        conditions.append(where(family.equals(POST_PROGRESSION), after, 1))
    if not needs.excess:
        conditions.append(slot.cell(ctx, "hazard").equals(ALL_CAUSE))
    for there, key, neutral in (
        (needs.hazard_ratio, "hazard_ratio", 1),
        (needs.waning, "has_hr_until", 0),
        (needs.cure, "cure_fraction", 0),
        (needs.early, "early_mortality", 0),
        (needs.km_first, "has_km_until", 0),
    ):
        if not there:
            conditions.append(slot.cell(ctx, key).equals(neutral))
    if waning_in(ctx.results.spec):
        conditions.append(_one_of(slot.cell(ctx, "wane_to"), ("", *needs.wane_to)))
    return conditions


def _one_of(word: Term, allowed: Sequence[str]) -> Term:
    return some(*(word.equals(name) for name in allowed))
