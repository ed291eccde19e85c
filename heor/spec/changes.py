"""Changes of a study: scenarios and ``--set`` (tables: ``scenarios``)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from heor.errors import InputErrors, Place, Problem
from heor.spec.checks import check
from heor.spec.context import read_expression
from heor.spec.expressions import CircularError, Expression
from heor.spec.findings import Findings
from heor.spec.parameter_rows import finite_number, with_base_values
from heor.spec.parameters import Parameter
from heor.spec.records import Change, Spec
from heor.spec.settings import SETTINGS, parse_setting
from heor.spec.structure_rows import with_use
from heor.spec.tables import did_you_mean
from heor.spec.values import CellError

#: Prefix of a target that chooses a candidate curve.
CURVE = "curve:"
#: Settings that say what a study is; a scenario cannot change them.
NOT_CHANGEABLE = ("agency", "title", "banner", "currency")


def apply_changes(spec: Spec, changes: Sequence[Change]) -> Spec:
    """Give the study with some values changed, checked again.

    Parameters
    ----------
    spec : Spec
        The study.
    changes : sequence of Change
        Made together. A parameter that is changed becomes fixed at the number, or derived by the
        formula; it has no distribution any more.

    Raises
    ------
    InputErrors
        With every problem of a target or value, and with what the changed study fails.
    """
    changed, problems = _changed(spec, changes)
    if problems:
        raise InputErrors(problems)
    return changed


def problems_of(spec: Spec, changes: Sequence[Change], sound: Findings) -> list[Problem]:
    """Say what is wrong with changes of a study whose checks gave ``sound``."""
    return _changed(spec, changes, sound)[1]


def _changed(
    spec: Spec, changes: Sequence[Change], sound: Findings | None = None
) -> tuple[Spec, list[Problem]]:
    problems: list[Problem] = []
    parameters = dict(spec.parameters)
    for change in changes:
        try:
            if change.target.startswith(CURVE):
                spec = _choose_curve(spec, change)
            elif change.target in parameters:
                parameters[change.target] = _parameter(spec, parameters[change.target], change)
            elif change.target in SETTINGS:
                spec = _setting(spec, change)
            else:
                targets = (*parameters, *SETTINGS, *_slots(spec))
                hint = did_you_mean(change.target, targets)
                message = f"`{change.target}` is not a parameter, a setting or a curve{hint}"
                problems.append(Problem(_place(change, "target"), message))
        except CellError as error:
            message = f"{change.target}: {error}"
            problems.append(Problem(_place(change, "value"), message))
    if problems:
        return spec, problems
    if parameters != spec.parameters:
        try:
            parameters, problems = with_base_values(parameters)
        except CircularError as error:
            circle = " → ".join(error.circle)
            return spec, [Problem(_place(changes[0], "value"), f"circular: {circle}")]
        spec = dataclasses.replace(spec, parameters=parameters)
    problems += check(spec, sound=sound).problems
    return spec, [_from_changes(problem, changes) for problem in problems]


def _from_changes(problem: Problem, changes: Sequence[Change]) -> Problem:
    """Point at the change that makes a row of the study wrong."""
    targets = " and ".join(dict.fromkeys(f"`{c.target}`" for c in changes))
    message = f"with {targets} changed, {problem.place}: {problem.message}"
    return Problem(_place(changes[0], "value"), message)


def _place(change: Change, column: str) -> Place:
    return dataclasses.replace(change.place, column=column) if change.place.row else change.place


def _expression(spec: Spec, text: str) -> Expression:
    expression = read_expression(text)
    for name in expression.names:
        if name not in spec.parameters:
            raise CellError(f"`{name}` is not a parameter{did_you_mean(name, spec.parameters)}")
    return expression


def _parameter(spec: Spec, parameter: Parameter, change: Change) -> Parameter:
    expression = _expression(spec, change.value)
    number = finite_number(expression)
    return dataclasses.replace(
        parameter,
        value=math.nan if number is None else number,
        expression=expression if number is None else None,
        low=None,
        high=None,
        distribution=None,
    )


def _setting(spec: Spec, change: Change) -> Spec:
    key = change.target
    if key in NOT_CHANGEABLE:
        raise CellError("this setting cannot be changed here; change the table `settings`")
    value = parse_setting(key, change.value)
    names = value.names if isinstance(value, Expression) else ()
    if key == "price_parameter" and value:
        names = (value,)
    for name in names:
        if name not in spec.parameters:
            raise CellError(f"`{name}` is not a parameter{did_you_mean(name, spec.parameters)}")
    origin = {**spec.settings.origin, key: (change.value, "change")}
    places = {**spec.settings.places, key: change.place}
    settings = dataclasses.replace(
        spec.settings, **{key: value, "origin": origin, "places": places}
    )
    return dataclasses.replace(spec, settings=settings)


def _slots(spec: Spec) -> dict[str, list[str]]:
    """Candidates of each ``curve:strategy.endpoint.group``."""
    slots: dict[str, list[str]] = {}
    for curve in spec.curves:
        slot = f"{CURVE}{curve.strategy}.{curve.endpoint}.{curve.group}"
        slots.setdefault(slot, []).append(curve.id)
    return slots


def _choose_curve(spec: Spec, change: Change) -> Spec:
    slots = _slots(spec)
    if change.target not in slots:
        hint = did_you_mean(change.target, slots)
        if not hint:
            hint = "; write `curve:strategy.endpoint.group`"
        raise CellError(f"there is no such curve{hint}")
    candidates = slots[change.target]
    if change.value not in candidates:
        hint = did_you_mean(change.value, candidates)
        if not hint:
            hint = f"; candidates: {', '.join(candidates)}"
        raise CellError(f"`{change.value}` is not a candidate{hint}")
    curves = tuple(
        with_use(c, c.id == change.value) if c.id in candidates else c for c in spec.curves
    )
    return dataclasses.replace(spec, curves=curves)
