"""Choices on the sheet ``Control`` of a report workbook, as changes of the study it holds.

Below the heading row, whose first cell is ``key``, a row holds a choice in the column ``your
choice``; blank leaves it to the tables. Keys are ``scenario``, ``draw``, a settings key,
``threshold 1``, ``threshold 2``, … and ``curve:strategy.endpoint.group``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from heor.errors import InputErrors, Problem
from heor.spec.changed_tables import with_tables
from heor.spec.changes import CURVE, apply_changes
from heor.spec.records import AVERAGE, Change, Scenario, Spec
from heor.spec.settings import SETTINGS, parse_setting
from heor.spec.tables import Cell, RawSheet, did_you_mean, make_cell, place_of
from heor.spec.values import CellError, is_number, number

KEY, CHOICE = "key", "your choice"
SCENARIO, DRAW = "scenario", "draw"

#: Settings that are lengths of time; a bare number on the sheet is in years.
_DURATIONS = ("cycle_length", "horizon", "decision_horizon")
_THRESHOLD = re.compile(r"threshold ([1-9][0-9]*)")


@dataclass(slots=True)
class Control:
    """What is chosen, by key, and what was wrong with the cells themselves."""

    choices: dict[str, Cell] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def read_control(sheet: RawSheet) -> Control:
    """Collect the cells of the column ``your choice`` that are filled in."""
    control = Control()
    rows = iter(sheet.rows)
    for _, texts in rows:
        headings = [text.casefold() for text in texts]
        if headings[:1] == [KEY] and CHOICE in headings:
            break
    else:
        message = f"no row is headed `{KEY}` with a column `{CHOICE}`; no choice is read from here"
        control.warnings.append(Problem(sheet.place, message))
        return control
    place = headings.index(CHOICE)
    for row, texts in rows:
        text = texts[place] if place < len(texts) else ""
        if not text:
            continue
        cell = make_cell(text, place_of(sheet.place, row, place, CHOICE), control.problems)
        key, found = texts[0], control.choices
        if not key:
            message = f"found {text!r} beside no key"
            control.problems.append(Problem(cell.place, message))
        elif key in found:
            message = f"`{key}` is chosen twice; the first is in cell {found[key].place.cell}"
            control.problems.append(Problem(cell.place, message))
        else:
            found[key] = cell
    return control


def apply_control(spec: Spec, control: Control) -> Spec:
    """Give the study as chosen: the scenario first, then the other choices.

    Its tables and its changes say so. A chosen draw is left aside, with a warning.

    Raises
    ------
    InputErrors
        With every problem of any choice.
    """
    problems = list(control.problems)
    choices = {key: cell for key, cell in control.choices.items() if not cell.broken}
    warnings = [*control.warnings, *_draw(choices.pop(DRAW, None), problems)]
    scenario = _scenario(spec, choices.pop(SCENARIO, None), problems)
    if scenario is not None:
        spec = with_tables(apply_changes(spec, scenario.changes), scenario.changes, scenario.name)
    changes = list(_changes(spec, choices, problems))
    try:
        changed = apply_changes(spec, changes) if changes else spec
    except InputErrors as error:
        raise InputErrors([*problems, *error.problems]) from error
    if problems:
        raise InputErrors(problems)
    if changes:
        changed = with_tables(changed, changes)
    found = tuple(sorted({*changed.warnings, *warnings}))
    return dataclasses.replace(changed, warnings=found)


def _draw(cell: Cell | None, problems: list[Problem]) -> Iterator[Problem]:
    """Warn of a chosen draw, which no run can have as its base case."""
    if cell is None:
        return
    value = number(cell.text) if is_number(cell.text) else -1.0
    if value < 0 or not value.is_integer():
        message = (
            f"draw: found {cell.text!r}; allowed: 0 or blank for none, or the number of a draw"
        )
        problems.append(Problem(cell.place, message))
    elif value > 0:
        message = (
            f"draw {value:.0f} is chosen here; a run starts from a base case and makes draws of "
            "its own, so the choice is left aside and the scenario and the other choices count"
        )
        yield Problem(cell.place, message)


def _scenario(spec: Spec, cell: Cell | None, problems: list[Problem]) -> Scenario | None:
    if cell is None:
        return None
    names = [scenario.name for scenario in spec.scenarios]
    if cell.text in names:
        return spec.scenarios[names.index(cell.text)]
    hint = did_you_mean(cell.text, names) or f"; allowed: {'; '.join(names) or 'none'}"
    problems.append(Problem(cell.place, f"scenario: there is no scenario {cell.text!r}{hint}"))
    return None


def _changes(spec: Spec, choices: dict[str, Cell], problems: list[Problem]) -> Iterator[Change]:
    """Give the choices that differ from what the study has already."""
    levels: dict[int, tuple[float, Cell]] = {}
    for key, cell in choices.items():
        match = _THRESHOLD.fullmatch(key)
        if match:
            _read_level(spec, int(match[1]), cell, levels, problems)
        elif key.startswith(CURVE):
            strategy, endpoint, group = [*key[len(CURVE) :].split(".", 2), "", ""][:3]
            used = spec.curves_in_use(strategy)
            in_use = {(c.endpoint, c.group): AVERAGE if c.average else c.id for c in used}
            if in_use.get((endpoint, group)) != cell.text:
                yield Change(target=key, value=cell.text, place=cell.place)
        elif key in SETTINGS:
            yield from _setting(spec, key, cell, problems)
        else:
            keys = (SCENARIO, DRAW, "threshold 1", *SETTINGS)
            message = f"`{key}` is not a choice of this sheet{did_you_mean(key, keys)}"
            if key in spec.parameters:
                message += "; a parameter is changed in the table `parameters`"
            problems.append(Problem(cell.place, message))
    if levels:
        yield from _thresholds(spec, levels, problems)


def _setting(spec: Spec, key: str, cell: Cell, problems: list[Problem]) -> Iterator[Change]:
    text = cell.text
    if key in _DURATIONS and is_number(text):
        text = f"{text} years"
    try:
        value = parse_setting(key, text)
    except CellError as error:
        problems.append(Problem(cell.place, f"{key}: {error}"))
        return
    if value != getattr(spec.settings, key):
        yield Change(target=key, value=text, place=cell.place)


def _read_level(
    spec: Spec,
    place: int,
    cell: Cell,
    levels: dict[int, tuple[float, Cell]],
    problems: list[Problem],
) -> None:
    there = len(spec.settings.thresholds)
    if place > there:
        message = f"the study has {there} thresholds; add one to the table `settings`"
        problems.append(Problem(cell.place, f"threshold {place}: {message}"))
        return
    try:
        levels[place - 1] = (number(cell.text), cell)
    except CellError as error:
        problems.append(Problem(cell.place, f"threshold {place}: {error}"))


def _thresholds(
    spec: Spec, levels: dict[int, tuple[float, Cell]], problems: list[Problem]
) -> Iterator[Change]:
    """Put the chosen thresholds into the list of all; they need not rise on the sheet."""
    old = spec.settings.thresholds
    new = [levels[place][0] if place in levels else value for place, value in enumerate(old)]
    cell = next(iter(levels.values()))[1]
    text = "; ".join(f"{v:.0f}" if v.is_integer() else repr(v) for v in sorted(new))
    try:
        value = parse_setting("thresholds", text)
    except CellError as error:
        problems.append(Problem(cell.place, f"thresholds: {error}"))
        return
    if value != old:
        yield Change(target="thresholds", value=text, place=cell.place)
