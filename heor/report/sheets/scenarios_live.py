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

TITLE_SCENARIOS = "Calc Scenarios"
#: Settings whose value is a formula over parameters.
FORMULA_SETTINGS = ("smr", "start_age", "male_share")

_HEAD = 4
_NAMES = 6
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
    table_head(sheet, _HEAD, ("Target", "Scenario", "Value", "Applies"), 18, ("Scenario",))
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
            line += 1
        applies, found = (sheet.range(first, c, last, c) for c in (3, 2))
        none = Term(f"SUM({applies})", 0.0).equals(0)
        hit = Term(f"INDEX({found},MATCH(1,{applies},0))", 0.0)
        ctx.live[f"scenario {target}"] = where(none, words(""), hit)
    sheet.text(_HEAD, _NAMES, "Scenarios", HEADER)
    names = [scenario.name for scenario in spec.scenarios]
    first_row = {name: next(r.place for r in rows if r.scenario == name) for name in names}
    for offset, name in enumerate(names):
        link = Term(source.ref(first_row[name] + 1, column_of(table, "scenario")), name)
        put(sheet, _HEAD + 1 + offset, _NAMES, link, Style("link"))
    sheet.widths((34, 40, 20, 9, 3, 3, 40))
    sheet.freeze(_HEAD + 1)
    sheet.print_setup(repeat=(_HEAD, _HEAD))


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
