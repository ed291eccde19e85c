"""Changes of a study: scenarios and ``--set`` (tables: ``scenarios``)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from heor.errors import InputErrors, Place, Problem
from heor.spec.checks import check
from heor.spec.context import in_column, read_expression
from heor.spec.expressions import CircularError, Expression
from heor.spec.findings import Findings
from heor.spec.parameter_rows import finite_number, with_base_values
from heor.spec.parameters import Parameter
from heor.spec.records import AVERAGE, Change, Spec
from heor.spec.settings import SETTINGS, parse_setting
from heor.spec.structure_rows import averaging, with_use
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

    Returns
    -------
    Spec
        With the warnings of the changes, and those of the study that are not of a changed cell.

    Raises
    ------
    InputErrors
        With every problem of a target or value, and with what the changed study fails.
    """
    changed, found = _changed(spec, changes)
    if found.problems:
        raise InputErrors(found.problems)
    kept = {w for w in spec.warnings if not any(_is_gone(w, c, spec) for c in changes)}
    return dataclasses.replace(changed, warnings=tuple(sorted(kept.union(found.warnings))))


def problems_of(spec: Spec, changes: Sequence[Change], sound: Findings) -> list[Problem]:
    """Say what is wrong with changes of a study whose checks gave ``sound``."""
    return _changed(spec, changes, sound)[1].problems


@dataclasses.dataclass(slots=True)
class _Found:
    """What is wrong with changes, or worth a look."""

    problems: list[Problem]
    warnings: list[Problem]


def _changed(
    spec: Spec, changes: Sequence[Change], sound: Findings | None = None
) -> tuple[Spec, _Found]:
    before, found = spec, _Found([], [])
    parameters = dict(spec.parameters)
    for change in changes:
        try:
            if change.target.startswith(CURVE):
                spec = _choose_curve(spec, change)
            elif change.target in parameters:
                parameters[change.target] = _parameter(spec, parameters[change.target], change)
                for message in read_expression(change.value).warnings:
                    warning = Problem(_place(change, "value"), f"{change.target}: {message}")
                    found.warnings.append(warning)
            elif change.target in SETTINGS:
                spec = _setting(spec, change)
            else:
                targets = (*parameters, *SETTINGS, *_slots(spec))
                hint = did_you_mean(change.target, targets)
                message = f"`{change.target}` is not a parameter, a setting or a curve{hint}"
                found.problems.append(Problem(_place(change, "target"), message))
        except CellError as error:
            message = f"{change.target}: {error}"
            found.problems.append(Problem(_place(change, "value"), message))
    if found.problems:
        return spec, found
    problems: list[Problem] = []
    if parameters != spec.parameters:
        try:
            parameters, problems = with_base_values(parameters)
        except CircularError as error:
            message = f"circular: {' → '.join(error.circle)}"
            found.problems.append(Problem(_place(changes[0], "value"), message))
            return spec, found
        spec = dataclasses.replace(spec, parameters=parameters)
    checked = check(spec, sound=sound)
    problems += checked.problems
    said = [str(warning) for warning in before.warnings]
    warnings = [w for w in checked.warnings if not any(str(w) in text for text in said)]
    found.problems += [_from_changes(problem, changes, spec) for problem in problems]
    found.warnings += [_from_changes(warning, changes, spec) for warning in warnings]
    return spec, found


def _from_changes(problem: Problem, changes: Sequence[Change], spec: Spec) -> Problem:
    """Point at the change itself, or at the first that makes a row of the study wrong."""
    for change in changes:
        if _is_own(problem, change, spec):
            return Problem(_place(change, "value"), problem.message)
    targets = " and ".join(dict.fromkeys(f"`{c.target}`" for c in changes))
    message = f"with {targets} changed, {problem.place}: {problem.message}"
    return Problem(_place(changes[0], "value"), message)


def _is_own(problem: Problem, change: Change, spec: Spec) -> bool:
    """Whether a problem is of the very cell that a change stands for."""
    if change.target in spec.parameters:
        own = in_column(spec.parameters[change.target].place, "value")
    elif change.target in spec.settings.places:
        own = spec.settings.places[change.target]
    else:
        return False
    return dataclasses.replace(problem.place, cell="") == dataclasses.replace(own, cell="")


def _is_gone(warning: Problem, change: Change, spec: Spec) -> bool:
    """Whether a warning of the study was of the value that a change replaces."""
    return warning.message.startswith(change.target) and _is_own(warning, change, spec)


def _place(change: Change, column: str) -> Place:
    place = change.place
    whole_row = place.row and not place.cell
    return dataclasses.replace(place, column=column) if whole_row else place


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


def _average(spec: Spec, change: Change) -> Spec:
    """Choose the average of the candidates that have a weight."""
    strategy, endpoint, group = change.target.removeprefix(CURVE).split(".", 2)
    slot = strategy, endpoint, group
    weighted = [
        c.id
        for c in spec.curves
        if (c.strategy, c.endpoint, c.group) == slot and c.average_weight is not None
    ]
    if len(weighted) < 2:
        found = f"only {weighted[0]}" if weighted else "none"
        raise CellError(f"an average needs two candidates with an average_weight; found {found}")
    return dataclasses.replace(spec, curves=averaging(spec.curves, slot))


def _choose_curve(spec: Spec, change: Change) -> Spec:
    slots = _slots(spec)
    if change.target not in slots:
        hint = did_you_mean(change.target, slots)
        if not hint:
            hint = "; write `curve:strategy.endpoint.group`"
        raise CellError(f"there is no such curve{hint}")
    candidates = slots[change.target]
    if change.value == AVERAGE and AVERAGE not in candidates:
        return _average(spec, change)
    if change.value not in candidates:
        hint = did_you_mean(change.value, candidates)
        if not hint:
            hint = f"; candidates: {', '.join(candidates)}"
        raise CellError(f"`{change.value}` is not a candidate{hint}")
    curves = tuple(
        with_use(c, c.id == change.value) if c.id in candidates else c for c in spec.curves
    )
    return dataclasses.replace(spec, curves=curves)
