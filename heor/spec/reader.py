"""From tables to a checked `Spec`: one path for a folder of CSV files and a workbook.

Everything is read and checked before anything is said, so that all problems come at once.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from heor.errors import InputErrors, Place, Problem
from heor.spec.changes import apply_changes, problems_of
from heor.spec.checks import check
from heor.spec.context import Reading, RowReader
from heor.spec.control import apply_control, read_control
from heor.spec.evidence_rows import (
    check_payer_tables,
    read_cohort,
    read_km,
    read_life_table,
    read_targets,
)
from heor.spec.findings import Findings
from heor.spec.parameter_rows import finish_joint, read_correlations, read_draws, read_parameters
from heor.spec.payoff_rows import read_adverse_events, read_costs, read_utilities
from heor.spec.records import Change, Scenario, Spec, State
from heor.spec.settings import read_settings
from heor.spec.structure_rows import (
    check_ids,
    read_curves,
    read_references,
    read_states,
    read_strategies,
)
from heor.spec.tables import TABLES, input_hash, load_tables

__all__ = ["apply_changes", "read_study", "shipped_studies"]


def shipped_studies() -> Path:
    """Folder of the studies that come with the package.

    In an installed package this is ``heor/studies``; in a checkout, ``inputs`` beside the package.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "studies"
    return installed if installed.is_dir() else package.parent / "inputs"


def read_study(path: str | Path) -> Spec:
    """Read and check a study.

    Parameters
    ----------
    path : str or Path
        A folder of CSV tables, an .xlsx with a sheet per table, or a report workbook, whose
        choices on the sheet Control are made in the study.

    Returns
    -------
    Spec
        The study, with its warnings.

    Raises
    ------
    InputErrors
        With every problem found, each with its file, row and column.
    """
    path = Path(path)
    reading = Reading({}, Place(str(path)))
    loaded = load_tables(path, reading.problems, reading.warnings)
    reading.tables = loaded.tables
    _mark_broken(reading)
    control = None if loaded.control is None else read_control(loaded.control)
    if not reading.tables:
        raise InputErrors(reading.problems)
    name = path.resolve().name if path.is_dir() else path.stem
    spec = _build(reading, name)
    findings = check(spec, reading.broken)
    reading.problems += findings.problems
    reading.warnings += findings.warnings
    _warn_of_no_costs(reading)
    if not reading.problems:
        reading.problems += _scenario_problems(spec, findings)
    if reading.problems:
        more = [] if control is None else control.problems
        raise InputErrors([*reading.problems, *more])
    spec = dataclasses.replace(spec, warnings=tuple(sorted(set(reading.warnings))))
    return spec if control is None else apply_control(spec, control)


def _mark_broken(reading: Reading) -> None:
    """Note which tables could not be read whole, and which are missing or hold no rows."""
    reading.broken.update(
        (problem.place.sheet or Path(problem.place.file).stem).lower()
        for problem in reading.problems
    )
    reading.unread.update(reading.broken - set(reading.tables))
    for name, schema in TABLES.items():
        table = reading.tables.get(name)
        if not schema.required or not reading.tables or (table and table.rows):
            continue
        if table is not None and name not in reading.broken:
            reading.problem(table.place, "the table has no rows", name)
        elif table is None and name not in reading.broken:
            message = f"the table `{name}` is missing (a row is {schema.row})"
            reading.problem(reading.root, message, name)
        reading.unread.add(name)


def _warn_of_no_costs(reading: Reading) -> None:
    """Warn of a study without a cost item and without an adverse event that costs anything."""
    if reading.rows("costs") or any(row["cost"].text for row in reading.rows("adverse_events")):
        return
    table = reading.tables.get("costs")
    reading.warn(table.place if table else reading.root, "no cost items: every strategy costs 0")


def _build(reading: Reading, name: str) -> Spec:
    """Make records of every row that can be made one."""
    reading.parameter_ids = frozenset(row["id"].text for row in reading.rows("parameters")) - {""}
    references = read_references(reading)
    reading.reference_keys = frozenset(references)
    check_ids(reading, "parameters")
    settings = read_settings(reading)
    known_currency = "currency" in settings.origin and settings.currency != "XXX"
    parameters = read_parameters(reading, settings.currency if known_currency else "")
    empirical = read_draws(reading, parameters)
    parameters = finish_joint(parameters, empirical)
    correlations = read_correlations(reading, parameters)
    strategies = read_strategies(reading)
    states = read_states(reading)
    curves = read_curves(reading, strategies, _endpoints(reading, states))
    check_payer_tables(reading, strategies)
    tables = {table: found.data() for table, found in reading.tables.items()}
    return Spec(
        name=name,
        settings=settings,
        parameters=parameters,
        strategies=strategies,
        states=states,
        curves=curves,
        utilities=read_utilities(reading, strategies, states),
        costs=read_costs(reading, strategies, states, curves),
        adverse_events=read_adverse_events(reading, strategies, curves),
        scenarios=_read_scenarios(reading),
        correlations=correlations,
        empirical=empirical,
        life_table=read_life_table(reading),
        cohort=read_cohort(reading),
        km=read_km(reading, strategies, curves),
        validation_targets=read_targets(reading, strategies, curves),
        references=references,
        tables=tables,
        warnings=(),
        input_hash=input_hash(tables),
    )


def _endpoints(reading: Reading, states: tuple[State, ...]) -> dict[str, None]:
    """Endpoints that a curve may describe: those of states, and those that a cost names."""
    named = [row["state"].text for row in reading.rows("costs")]
    ids = {state.id for state in states}
    others = [text for text in named if text not in ids]
    return dict.fromkeys(e for e in (*(s.endpoint for s in states), *others) if e)


def _read_scenarios(reading: Reading) -> tuple[Scenario, ...]:
    """Collect the rows of each scenario, in order of first appearance."""
    changes: dict[str, list[Change]] = {}
    purposes: dict[str, str] = {}
    for row in reading.rows("scenarios"):
        cells = RowReader(reading, "scenarios", row, row["scenario"].text)
        name = cells.text("scenario", required=True)
        target = cells.text("target", required=True)
        value = cells.text("value", required=True)
        purpose = cells.text("purpose")
        if purpose and purposes.setdefault(name, purpose) != purpose:
            cells.problem("purpose", "another purpose stands in an earlier row; give it once")
        if target in [change.target for change in changes.get(name, [])]:
            cells.problem("target", f"`{target}` is changed twice in this scenario")
        change = Change(target=target, value=value, place=row.place)
        changes.setdefault(name, []).append(change)
    return tuple(
        Scenario(name=name, purpose=purposes.get(name, ""), changes=tuple(found))
        for name, found in changes.items()
    )


def _scenario_problems(spec: Spec, sound: Findings) -> list[Problem]:
    """Try every scenario on the sound study."""
    return [
        Problem(problem.place, f"{scenario.name}: {problem.message}")
        for scenario in spec.scenarios
        for problem in problems_of(spec, scenario.changes, sound)
    ]
