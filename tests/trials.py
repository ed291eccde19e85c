"""Changes to try in a workbook, each with the results that the engine gives for the same change."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from spreadsheet import Cell, Input
from study_tables import with_cell, write_tables
from workbook_model import Model, Trial, Value, changed, engine, expected, table_of

from heor.engine.evaluate import evaluate
from heor.errors import InputErrors
from heor.spec import draws as draw_sets
from heor.spec.parameters import Draws
from heor.spec.reader import read_study
from heor.spec.records import Spec, TableData

#: Settings of a scenario that live cells do not follow.
ONLY_A_RUN = ("reference", "perspective")

#: How far a parameter without low and high is moved.
STEP = 0.1


def parameter_trials(model: Model) -> Iterator[Trial]:
    """Every parameter at its low and its high value, or a tenth lower and higher."""
    spec = model.spec
    given = [p for p in spec.parameters.values() if p.expression is None]
    rows: list[dict[str, float]] = []
    for p in given:
        low = p.value * (1 - STEP) if p.low is None else p.low
        high = p.value * (1 + STEP) if p.high is None else p.high
        rows += [{p.id: low}, {p.id: high}]
    wanted = rows_of(spec, table_of(spec, rows))
    for place, row in enumerate(rows):
        ((name, value),) = row.items()
        bound = "high" if place % 2 else "low"
        yield Trial(
            "parameter low or high",
            f"{name} {bound}",
            {model.parameter(name): value},
            wanted[place],
        )


def derived_trials(model: Model) -> Iterator[Trial]:
    """A number typed over every formula of a parameter."""
    for p in model.spec.parameters.values():
        if p.expression is None:
            continue
        value = p.value * (1 + STEP)
        wanted = with_parameters(changed(model.spec, {p.id: repr(value)}))
        yield Trial("number over a formula", p.id, {model.parameter(p.id): value}, wanted)


def scenario_trials(model: Model) -> Iterator[Trial]:
    """Every scenario by its name on Control, but those that only a run follows, as Control says."""
    for scenario in model.spec.scenarios:
        if any(change.target in ONLY_A_RUN for change in scenario.changes):
            continue
        changes = {change.target: change.value for change in scenario.changes}
        wanted = with_parameters(changed(model.spec, changes))
        yield Trial("scenario", scenario.name, {model.choice("scenario"): scenario.name}, wanted)


def draw_trials(model: Model, rows: Sequence[int]) -> Iterator[Trial]:
    """PSA draws by their number on Control, rows counted from 1; a scenario does not count then."""
    psa = model.ctx.results.psa
    assert psa is not None
    for row in rows:
        wanted = expected(model.spec, psa.outcomes, row - 1)
        inputs = {f"param {name}": float(v[row - 1]) for name, v in psa.draws.values.items()}
        cells: dict[tuple[str, str], Input] = {model.choice("draw"): float(row)}
        yield Trial("PSA draw", str(row), cells, {**wanted, **inputs})
        if row == rows[0] and model.spec.scenarios:
            cells = {**cells, model.choice("scenario"): model.spec.scenarios[-1].name}
            yield Trial("PSA draw", f"{row} beside a scenario", cells, {**wanted, **inputs})


def curve_trials(model: Model) -> Iterator[Trial]:
    """Every candidate curve on Control."""
    slots: dict[str, list[str]] = {}
    for curve in model.spec.curves:
        slots.setdefault(f"curve:{curve.strategy}.{curve.endpoint}.{curve.group}", []).append(
            curve.id
        )
    for slot, candidates in slots.items():
        for name in candidates if len(candidates) > 1 else ():
            wanted = engine(changed(model.spec, {slot: name}))[0]
            yield Trial("curve", name, {model.choice(slot): name}, wanted)


def setting_trials(model: Model, choices: Mapping[str, Sequence[str]]) -> Iterator[Trial]:
    """Settings on Control; ``choices`` has texts by key."""
    for key, texts in choices.items():
        for text in texts:
            wanted = engine(changed(model.spec, {key: text}))[0]
            yield Trial(f"setting {key}", text, {model.choice(key): typed(text)}, wanted)


def mixed_trial(
    model: Model, name: str, choices: Mapping[str, str], parameters: Mapping[str, float]
) -> Trial:
    """Several choices on Control and several parameters at once; a scenario is named `scenario`."""
    changes: dict[str, str] = {}
    for scenario in model.spec.scenarios:
        if scenario.name == choices.get("scenario"):
            changes.update({change.target: change.value for change in scenario.changes})
    changes.update({key: text for key, text in choices.items() if key != "scenario"})
    changes.update({key: repr(value) for key, value in parameters.items()})
    cells: dict[tuple[str, str], Input] = {
        model.choice(key): typed(text) for key, text in choices.items()
    }
    cells.update({model.parameter(key): value for key, value in parameters.items()})
    return Trial("several at once", name, cells, engine(changed(model.spec, changes))[0])


#: Table, what the first cell of a row holds (or ``#`` and its number from 1), column, new text.
Edit = tuple[str, str, str, str]


def table_trials(model: Model, edits: Sequence[Edit]) -> Iterator[Trial]:
    """Cells of input tables that the live cells follow, with nothing to warn of."""
    for edit in edits:
        ((cell, value), wanted) = table_edit(model, edit)
        name, where, column, text = edit
        said = f"{name}, {where}, {column}: {text or 'blank'}"
        yield Trial("table cell", said, {cell: value}, {**wanted, **model.nothing_missing})


def table_edit(model: Model, edit: Edit) -> tuple[tuple[Cell, Input], dict[str, Value]]:
    """The cell of an edit with its new content, and what the engine gives for the edited tables.

    The engine gives nothing where the edited tables make no study.
    """
    name, where, column, text = edit
    row = row_of(model.spec.tables[name], where)
    content = (model.table(name, row, column), typed(text) if text else None)
    tables = with_cell(model.spec.tables, name, row, column, text)
    with tempfile.TemporaryDirectory() as folder:
        try:
            spec = read_study(write_tables(Path(folder) / "study", tables))
        except InputErrors:
            return content, {}
    return content, engine(spec)[0]


def row_of(table: TableData, where: str) -> int:
    """Row, from 0, whose first cell is a text, or a row number from 1 written ``#3``."""
    if where.startswith("#"):
        return int(where[1:]) - 1
    return next(n for n, row in enumerate(table.rows) if row[0] == where)


def rows_of(spec: Spec, draws: Draws) -> list[dict[str, Value]]:
    """Results and parameters of every row of draws."""
    outcomes = evaluate(spec, draws)
    return [
        {
            **expected(spec, outcomes, row),
            **{f"param {name}": float(value[row]) for name, value in draws.values.items()},
        }
        for row in range(len(draws))
    ]


def with_parameters(spec: Spec) -> dict[str, Value]:
    """Results and parameters of the base values."""
    return rows_of(spec, draw_sets.base(spec))[0]


def typed(text: str) -> Input:
    """A text as a user would type it: a number where it is one."""
    try:
        return float(text)
    except ValueError:
        return text
