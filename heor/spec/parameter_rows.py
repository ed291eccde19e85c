"""Rows of ``parameters``, ``correlations`` and ``draws`` as records (methods 7.1)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from heor.errors import Problem
from heor.spec.context import Reading, RowReader, as_values, evaluate, in_column, not_finite
from heor.spec.distributions import (
    DISTRIBUTIONS,
    Distribution,
    DistributionError,
    agreement,
    make,
    make_dirichlet,
    make_empirical,
)
from heor.spec.expressions import CircularError, Expression, evaluation_order
from heor.spec.groups import SD_TOLERANCE
from heor.spec.parameters import Correlation, FloatArray, Parameter
from heor.spec.records import EVIDENCE_GRADES
from heor.spec.tables import Row, did_you_mean
from heor.spec.units import money_of, unit_names, unit_range

#: Distance of the base value from the distribution's centre, in SDs, that warns and that stops.
WARN_AT, STOP_AT = 0.02, 0.25


def read_parameters(reading: Reading, currency: str) -> dict[str, Parameter]:
    """Make the parameters, derived ones evaluated at the base case."""
    parameters: dict[str, Parameter] = {}
    for row in reading.rows("parameters"):
        parameter = _parameter(reading, row, currency)
        if parameter is not None:
            parameters.setdefault(parameter.id, parameter)
    _check_circles(reading, parameters)
    updated, problems = with_base_values(parameters)
    for problem in problems:
        reading.problem(problem.place, problem.message, "parameters")
    return updated


def _parameter(reading: Reading, row: Row, currency: str) -> Parameter | None:
    cells = RowReader(reading, "parameters", row, row["id"].text)
    unit = _unit(cells, currency)
    expression = cells.expression("value", required=True)
    low, high = cells.number("low"), cells.number("high")
    numbers = {name: cells.number(name) for name in ("se", "a", "b")}
    evidence = cells.one_of("evidence", EVIDENCE_GRADES, "an evidence grade", required=True)
    source = cells.source(required=True)
    if expression is None or not row["id"].text:
        return None
    value = finite_number(expression)
    name = cells.text("distribution")
    distribution = None
    if value is None and expression.number is None:
        given = [c for c in ("low", "high", "se", "a", "b") if cells.text(c)]
        if name not in ("", "fixed"):
            given.append("distribution")
        for column in given:
            cells.problem(
                column,
                f"the value is a formula, so it takes no `{column}`; its parameters are drawn",
            )
    elif value is not None:
        if low is not None and high is not None and low > high:
            cells.problem("low", f"low {low:g} is above high {high:g}")
        elif not (low is None or low <= value) or not (high is None or value <= high):
            bounds = f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"
            reading.warn(row["value"].place, f"{row['id'].text}: {value:g} lies outside {bounds}")
        distribution = _distribution(cells, name, value, numbers, low, high)
    return Parameter(
        id=row["id"].text,
        label=cells.text("label", required=True),
        category=cells.text("category"),
        value=math.nan if value is None else value,
        expression=expression if value is None else None,
        unit=unit,
        low=low if low is not None else _end(distribution, 0.025),
        high=high if high is not None else _end(distribution, 0.975),
        distribution=distribution,
        correlation_group=cells.text("correlation_group"),
        price_year=cells.text("price_year"),
        source=source,
        evidence=evidence,
        note=cells.text("note"),
        place=row.place,
    )


def finite_number(expression: Expression) -> float | None:
    """Value of an expression without names; None of a formula, and of ``1/0`` (reported later)."""
    number = expression.number
    return number if number is not None and math.isfinite(number) else None


def _end(distribution: Distribution | None, p: float) -> float | None:
    if distribution is None or distribution.joint:
        return None
    return distribution.quantile(p)


def _unit(cells: RowReader, currency: str) -> str:
    """Read a unit of the closed list; money must be in the study's currency."""
    unit = cells.text("unit", required=True)
    money = money_of(unit)
    if not unit or unit_range(unit) is not None:
        return unit
    if money is None:
        hint = did_you_mean(unit, unit_names())
        message = f"`{unit}` is not a unit of the list{hint}"
        cells.problem("unit", message + ("" if hint else f"; money is `{currency}/mg` or the like"))
    elif currency and money != currency:
        cells.problem("unit", f"`{unit}` is not in the study's currency, {currency}")
    return unit


def _distribution(
    cells: RowReader,
    name: str,
    value: float,
    numbers: Mapping[str, float | None],
    low: float | None,
    high: float | None,
) -> Distribution | None:
    if name in ("", "fixed"):
        for column, number in numbers.items():
            if number is not None and cells.has("distribution"):
                message = f"`{column}` is given without a distribution; name one or leave it blank"
                cells.problem(column, message)
        return None
    if name not in DISTRIBUTIONS:
        hint = did_you_mean(name, DISTRIBUTIONS)
        allowed = "" if hint else "; allowed: " + ", ".join(DISTRIBUTIONS)
        cells.problem("distribution", f"`{name}` is not a distribution{hint}{allowed}")
        return None
    spoiled = [c for c in ("low", "high", *numbers) if cells.spoiled(c)]
    if spoiled:
        return None
    try:
        found = make(name, value=value, low=low, high=high, **numbers)
    except DistributionError as error:
        column = "low" if error.field == "low/high" else error.field
        cells.problem(column, str(error))
        return None
    if not found.joint:
        _check_agreement(cells, found, value)
        _check_se(cells, found, numbers["se"])
    return found


def _check_se(cells: RowReader, found: Distribution, se: float | None) -> None:
    """Where ``se`` stands beside what made the distribution, compare it with the SD of that."""
    if se is not None and abs(se - found.sd) > SD_TOLERANCE * found.sd:
        message = f"se {se:g} is not the SD of {found.describe()}, {found.sd:.6g}; leave it blank"
        cells.problem("se", message)


def _check_agreement(cells: RowReader, found: Distribution, value: float) -> None:
    """Compare the base value with the distribution's mean, or a lognormal's median."""
    distance = agreement(found, value)
    if distance is None:
        return
    centre = "mean"
    if found.name == "lognormal":
        distance = min(distance, abs(value - found.mean) / found.sd)
        centre = "mean or median"
    if distance <= WARN_AT:
        return
    middle = f"{found.mean:.6g}"
    if found.name == "lognormal":
        middle += f" or {found.median:.6g}"
    message = (
        f"value {value:g} is not the {centre} of {found.describe()}, {middle}:"
        f" {distance:.2g} SD away"
    )
    if distance > STOP_AT:
        cells.problem("value", message)
    else:
        cells.reading.warn(cells.row["value"].place, f"{cells.name}: {message}")


def _check_circles(reading: Reading, parameters: dict[str, Parameter]) -> None:
    """Report every circle of derived parameters once, and take its members out."""
    while True:
        try:
            evaluation_order(_formulas(parameters))
        except CircularError as error:
            circle = error.circle
            first = parameters[circle[0]]
            message = f"{first.id}: circular: {' → '.join(circle)}"
            row = next(r for r in reading.rows("parameters") if r.place == first.place)
            reading.problem(row["value"].place, message, "parameters")
            for name in set(circle):
                del parameters[name]
        else:
            return


def _formulas(parameters: Mapping[str, Parameter]) -> dict[str, Expression]:
    return {p.id: p.expression for p in parameters.values() if p.expression is not None}


def with_base_values(
    parameters: Mapping[str, Parameter],
) -> tuple[dict[str, Parameter], list[Problem]]:
    """Evaluate derived parameters at the base case, and check every value against its unit."""
    problems = []
    updated = dict(parameters)
    values = as_values({p.id: p.value for p in updated.values() if p.expression is None})
    for name in evaluation_order(_formulas(parameters)):
        parameter = updated[name]
        assert parameter.expression is not None
        value = evaluate(parameter.expression, values)
        if value is None:
            continue
        if not math.isfinite(value):
            message = not_finite(name, parameter.expression.text, value)
            problems.append(Problem(in_column(parameter.place, "value"), message))
            continue
        updated[name] = dataclasses.replace(parameter, value=value)
        values[name] = np.array([value])
    for parameter in updated.values():
        allowed = unit_range(parameter.unit)
        if allowed is None or not math.isfinite(parameter.value):
            continue
        ends = (("value", parameter.value), ("low", parameter.low), ("high", parameter.high))
        for column, number in ends:
            if number is not None and not allowed.holds(number):
                message = f"{parameter.id}: found {number:g}; `{parameter.unit}` must be {allowed}"
                problems.append(Problem(in_column(parameter.place, column), message))
    return updated, problems


# --- joint distributions ----------------------------------------------------------------------


def read_correlations(
    reading: Reading, parameters: Mapping[str, Parameter]
) -> tuple[Correlation, ...]:
    """Make the pairs and covariance cells, each pair once.

    Whether a group is sound is `heor.spec.groups.find_groups`'s to say.
    """
    found: dict[tuple[str, str, str], Correlation] = {}
    for row in reading.rows("correlations"):
        cells = RowReader(reading, "correlations", row, "")
        group = cells.text("group", required=True)
        names = [cells.text(c, required=True) for c in ("row", "column")]
        value = cells.number("value", required=True)
        for column, name in zip(("row", "column"), names, strict=True):
            if name and name not in reading.parameter_ids and "parameters" not in reading.unread:
                hint = did_you_mean(name, reading.parameter_ids)
                cells.problem(column, f"`{name}` is not a parameter{hint}")
            elif name in parameters and "parameters" in reading.broken:
                continue
            elif name in parameters and parameters[name].distribution is None:
                cells.problem(column, f"`{name}` has no distribution, so it is not drawn")
            elif name in parameters and parameters[name].correlation_group not in ("", group):
                other = parameters[name].correlation_group
                cells.problem(column, f"`{name}` is in the correlation_group `{other}`")
        if value is None or not group or any(name not in parameters for name in names):
            continue
        first_name, second_name = sorted(names)
        key = (group, first_name, second_name)
        if key in found:
            first = found[key].place.row
            cells.problem("", f"this pair stands here twice; the first is in row {first}")
            continue
        found[key] = Correlation(
            group=group,
            row=names[0],
            column=names[1],
            value=value,
            note=cells.text("note"),
            place=row.place,
        )
    return tuple(found.values())


def finish_joint(
    parameters: dict[str, Parameter], empirical: Mapping[str, FloatArray]
) -> dict[str, Parameter]:
    """Give joint distributions what only their group, or the ``draws`` table, knows.

    Whether the groups are sound is `heor.spec.groups.find_groups`'s to say.
    """
    finished = dict(parameters)
    alphas: dict[str, list[float]] = {}
    for parameter in parameters.values():
        if parameter.distribution is not None and parameter.distribution.name == "dirichlet":
            alphas.setdefault(parameter.correlation_group, []).append(
                parameter.distribution.parameters[0]
            )
    for name, parameter in parameters.items():
        found = parameter.distribution
        made = None
        if found is not None and found.name == "dirichlet":
            shares = alphas[parameter.correlation_group]
            if len(shares) > 1:
                made = make_dirichlet(found.parameters[0], math.fsum(shares))
        elif found is not None and found.name == "empirical" and len(empirical.get(name, ())):
            made = make_empirical(empirical[name])
        if made is not None:
            finished[name] = dataclasses.replace(parameter, distribution=made)
    return finished


def read_draws(reading: Reading, parameters: Mapping[str, Parameter]) -> dict[str, FloatArray]:
    """Read the joint draws of empirical parameters, each ``(row,)``."""
    table = reading.tables.get("draws")
    if table is None:
        return {}
    columns = [c for c in table.columns if c != "draw"]
    for column in columns:
        parameter = parameters.get(column)
        if column not in reading.parameter_ids:
            hint = did_you_mean(column, reading.parameter_ids)
            reading.problem(table.place, f"`{column}` is not a parameter{hint}", "draws")
        elif parameter and (
            parameter.distribution is None or parameter.distribution.name != "empirical"
        ):
            message = f"`{column}` stands here, but its distribution is not `empirical`"
            reading.problem(table.place, message, "draws")
    values: dict[str, list[float]] = {column: [] for column in columns}
    for row in table.rows:
        cells = RowReader(reading, "draws", row, "")
        for column in columns:
            number = cells.number(column, required=True)
            values[column].append(math.nan if number is None else number)
    return {name: np.array(column) for name, column in values.items()}
