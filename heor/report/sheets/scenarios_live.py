"""Scenarios as live overrides: ``calc: value`` of the table and ``Calc Scenarios``.

``Calc Scenarios`` holds the rows of the table sorted by what they change, so that each target has a
block of its own. A parameter looks only into its own block: a range over all rows would make every
parameter depend on every scenario, and a formula over parameters in one of them would be circular.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heor.report.live import Term, cell, put, where, words
from heor.report.sheets.inputs import calc_place, column_of, typed
from heor.report.sheets.layout import Context, table_head
from heor.report.sheets.live_inputs import live_formula, live_number
from heor.report.xlsx import AFTER, HEADER, NOTE, TITLE, Sheet, Style, cell_name
from heor.spec.changes import apply_changes
from heor.spec.context import read_expression
from heor.spec.records import Spec
from heor.spec.settings import SETTINGS

TITLE_SCENARIOS = "Calc Scenarios"
#: Settings that the live cells follow.
LIVE_SETTINGS = (
    "age_adjusted_utilities",
    "background_mortality",
    "crossing",
    "cycle_correction",
    "cycle_length",
    "discount_rate_costs",
    "discount_rate_outcomes",
    "discounting",
    "evlyg_utility",
    "horizon",
    "male_share",
    "severity_weight",
    "smr",
    "smr_of",
    "start_age",
    "start_year",
    "thresholds",
    "utility_cap",
)
#: Settings whose value is a formula over parameters.
FORMULA_SETTINGS = ("smr", "start_age", "male_share")

_HEAD = 4
_NAMES, _CHOSEN = 6, 7
#: Outcomes of each scenario that are stored, a column for each strategy.
_OUTCOMES = ("cost", "qaly")
#: Settings that no live cell depends on, so that a scenario may change them unseen.
_WITHOUT_EFFECT = (
    "crossing_limit",
    "decision_horizon",
    "incidence",
    "price_year",
    "psa_replicates",
    "psa_sampler",
    "psa_samples",
    "psa_seed",
)
_TEXT, _NUMBER = Style("formula"), Style("formula", align="right")


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the table: its place from 0 and what it changes in which scenario."""

    place: int
    scenario: str
    target: str
    value: str


def scenario_rows(spec: Spec) -> list[_Row]:
    """Rows of the table ``scenarios`` in its order."""
    table = spec.tables.get("scenarios")
    if table is None:
        return []
    columns = [column_of(table, name) for name in ("scenario", "target", "value")]
    return [_Row(n, *(row[c] for c in columns)) for n, row in enumerate(table.rows)]


def circular_rows(spec: Spec) -> set[int]:
    """Rows whose formula cannot be live, for with all scenarios together it would be circular.

    Each scenario alone is sound; but ``x = 2*y`` in one and ``y = 2*x`` in another would make a
    circle of cells.
    """
    needs = {
        p.id: set(p.expression.names if p.expression else ()) for p in spec.parameters.values()
    }
    found = set()
    for row in scenario_rows(spec):
        if row.target not in needs:
            continue
        names = set(read_expression(row.value).names)
        if any(_reaches(name, row.target, needs) for name in names):
            found.add(row.place)
        else:
            needs[row.target] |= names
    return found


def _reaches(start: str, goal: str, needs: Mapping[str, set[str]]) -> bool:
    waiting, seen = [start], {start}
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        waiting += needs[name] - seen
        seen |= needs[name]
    return False


def write_scenario_values(ctx: Context) -> list[Term]:
    """Add ``calc: value`` to the table ``scenarios``: what each row puts in place.

    The formula of a row counts in its own scenario only, for it need not make sense in another.
    """
    spec = ctx.results.spec
    table = spec.tables.get("scenarios")
    rows = scenario_rows(spec)
    if table is None or not rows:
        return []
    sheet, place, source = (
        ctx.book.sheets["scenarios"],
        calc_place(table),
        column_of(table, "value"),
    )
    pasted = circular_rows(spec)
    sheet.row(0, place, ("calc: value", "calc: note"), HEADER)
    sheet.widths((18, 44), place)
    written = []
    for row in rows:
        address = cell_name(row.place + 1, source)
        if row.place in pasted:
            value = _value_in(spec, row)
            sheet.number(row.place + 1, place, value, Style("value"))
            written.append(cell(sheet, row.place + 1, place, value))
            note = "A value computed by heor: as a formula it would be circular over all scenarios."
            sheet.text(row.place + 1, place + 1, note, AFTER)
            continue
        if row.target in spec.parameters or row.target in FORMULA_SETTINGS:
            term = live_number(ctx, address, row.value, None)
            if read_expression(row.value).names:
                name = cell_name(row.place + 1, column_of(table, "scenario"))
                own = Term(f"EXACT({name},{ctx.live['scenario'].text})", False)
                formula = live_formula(ctx, read_expression(row.value))
                number = Term(f"ISNUMBER({address})", False)
                term = where(number, Term(address, 0.0), where(own, formula, words("")))
        else:
            term = Term(address, typed(row.value))
        style = _TEXT if isinstance(term.value, str) else _NUMBER
        written.append(put(sheet, row.place + 1, place, term, style))
    return written


def _value_in(spec: Spec, row: _Row) -> float:
    scenario = next(s for s in spec.scenarios if s.name == row.scenario)
    return apply_changes(spec, scenario.changes).parameters[row.target].value


def write_calc_scenarios(ctx: Context, sheet: Sheet, values: Sequence[Term]) -> None:
    """Fill ``Calc Scenarios`` and make the block of each target known as ``scenario <target>``.

    The term is the override in the chosen scenario, or "" where there is none; ``values`` are the
    cells of `write_scenario_values`.
    """
    spec = ctx.results.spec
    table = spec.tables["scenarios"]
    source = ctx.book.sheets["scenarios"]
    sheet.text(0, 0, "Scenarios by what they change", TITLE)
    note = (
        "Rows of the table scenarios, those of one target together; applies is 1 in the scenario "
        "that is in use on Control."
    )
    sheet.text(1, 0, note, NOTE)
    headings = ("Target", "Scenario", "Value", "Applies", "Followed")
    table_head(sheet, _HEAD, headings, 18, ("Scenario", "Followed"))
    chosen = ctx.live["scenario"]
    rows = scenario_rows(spec)
    targets = dict.fromkeys(row.target for row in rows)
    line = _HEAD + 1
    for target in targets:
        own = [row for row in rows if row.target == target]
        first, last = line, line + len(own) - 1
        for row in own:
            for column, name in enumerate(("target", "scenario")):
                text = row.target if name == "target" else row.scenario
                link = Term(source.ref(row.place + 1, column_of(table, name)), text)
                put(sheet, line, column, link, Style("link"))
            put(sheet, line, 2, values[row.place], Style("link", align="right"))
            same = Term(f"EXACT({cell_name(line, 1)},{chosen.text})", False)
            put(sheet, line, 3, where(same, 1, 0), _NUMBER)
            followed = "yes" if _followed(spec, target) else "no"
            sheet.text(line, 4, followed, Style("value", indent=1))
            line += 1
        applies, found = (sheet.range(first, c, last, c) for c in (3, 2))
        none = Term(f"SUM({applies})", 0.0).equals(0)
        hit = Term(f"INDEX({found},MATCH(1,{applies},0))", 0.0)
        ctx.live[f"scenario {target}"] = where(none, words(""), hit)
    _write_names(ctx, sheet, rows)
    sheet.widths((34, 40, 20, 9, 10, 3, 40, 9))
    sheet.freeze(_HEAD + 1)
    sheet.print_setup(repeat=(_HEAD, _HEAD))


def _followed(spec: Spec, target: str) -> bool:
    """Whether the live cells follow a change of a target."""
    if target not in SETTINGS or target in _WITHOUT_EFFECT:
        return True
    return target in LIVE_SETTINGS and getattr(spec.settings, target) is not None


def _write_names(ctx: Context, sheet: Sheet, rows: Sequence[_Row]) -> None:
    """List the scenarios, which of them is chosen, and what heor found for each."""
    spec, chosen = ctx.results.spec, ctx.live["scenario"]
    table, source = spec.tables["scenarios"], ctx.book.sheets["scenarios"]
    sheet.text(_HEAD, _NAMES, "Scenarios", HEADER)
    sheet.text(_HEAD, _CHOSEN, "Chosen", HEADER)
    found = {result.name: result.result for result in ctx.results.scenarios}
    for key in _OUTCOMES:
        for strategy in ctx.strategies:
            place = _outcome_place(ctx, key, strategy)
            sheet.text(_HEAD, place, f"{key} {strategy}, by heor", HEADER)
            sheet.widths((16,), place)
    for line, scenario in enumerate(spec.scenarios, start=_HEAD + 1):
        first = next(row.place for row in rows if row.scenario == scenario.name)
        link = Term(source.ref(first + 1, column_of(table, "scenario")), scenario.name)
        put(sheet, line, _NAMES, link, Style("link"))
        same = Term(f"EXACT({cell_name(line, _NAMES)},{chosen.text})", False)
        put(sheet, line, _CHOSEN, where(same, 1, 0), _NUMBER)
        if scenario.name not in found:
            continue
        for strategy in ctx.strategies:
            totals = found[scenario.name].totals(strategy)
            for key, unit in zip(_OUTCOMES, ("money_cents", "qaly"), strict=True):
                value = getattr(totals, key)
                place = _outcome_place(ctx, key, strategy)
                sheet.number(line, place, value, Style("value", unit=unit))


def _outcome_place(ctx: Context, key: str, strategy: str) -> int:
    block = _OUTCOMES.index(key) * len(ctx.strategies)
    return _CHOSEN + 1 + block + ctx.strategies.index(strategy)


@dataclass(frozen=True, slots=True)
class ScenarioPlaces:
    """Ranges of ``Calc Scenarios`` that other sheets look into."""

    ctx: Context

    def _range(self, column: int, count: int) -> str:
        sheet = self.ctx.book.sheets[TITLE_SCENARIOS]
        return sheet.range(_HEAD + 1, column, _HEAD + count, column)

    @property
    def applies(self) -> str:
        """1 beside the chosen scenario of the list."""
        return self._range(_CHOSEN, len(self.ctx.results.spec.scenarios))

    def outcome(self, key: str, strategy: str) -> str:
        """What heor found for each scenario of the list; blank where it was not run."""
        place = _outcome_place(self.ctx, key, strategy)
        return self._range(place, len(self.ctx.results.spec.scenarios))

    @property
    def row_applies(self) -> str:
        """1 beside the rows of the chosen scenario."""
        return self._range(3, len(scenario_rows(self.ctx.results.spec)))

    @property
    def followed(self) -> str:
        """Whether the live cells follow each row: yes or no."""
        return self._range(4, len(scenario_rows(self.ctx.results.spec)))


def scenario_places(ctx: Context) -> ScenarioPlaces | None:
    """Ranges of ``Calc Scenarios``; None where the study has no scenarios."""
    return ScenarioPlaces(ctx) if ctx.results.spec.scenarios else None


def scenario_names(ctx: Context) -> Term | None:
    """Range of the names of all scenarios on ``Calc Scenarios``; None where there are none.

    The sheet need not stand yet.
    """
    names = [scenario.name for scenario in ctx.results.spec.scenarios]
    if not names:
        return None
    sheet = ctx.book.sheets[TITLE_SCENARIOS]
    first = _HEAD + 1
    area = sheet.range(first, _NAMES, first + len(names) - 1, _NAMES)
    return Term(area, np.array(names))
