"""Rows of ``parameters``, ``correlations`` and ``draws`` as records (methods 7.1)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from heor.spec.context import Reading, RowReader, as_values, evaluate
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
from heor.spec.parameters import Correlation, FloatArray, Parameter
from heor.spec.records import EVIDENCE_GRADES
from heor.spec.tables import Row, did_you_mean
from heor.spec.units import money_of, unit_names, unit_range

#: Distance of the base value from the distribution's centre, in SDs, that warns and that stops.
WARN_AT, STOP_AT = 0.02, 0.25
#: How far a covariance matrix or the shares of a group may be from exact.
TOLERANCE = 1e-6


def read_parameters(reading: Reading, currency: str) -> dict[str, Parameter]:
    """Make the parameters, derived ones evaluated at the base case."""
    parameters: dict[str, Parameter] = {}
    for row in reading.rows("parameters"):
        parameter = _parameter(reading, row, currency)
        if parameter is not None:
            parameters.setdefault(parameter.id, parameter)
    _check_circles(reading, parameters)
    return with_base_values(parameters, reading, currency)


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
    value = expression.number
    name = cells.text("distribution")
    distribution = None
    if value is None:
        given = [c for c in ("low", "high", "se", "a", "b") if cells.text(c)]
        if name not in ("", "fixed"):
            given.append("distribution")
        for column in given:
            cells.problem(
                column,
                f"the value is a formula, so it takes no `{column}`; its parameters are drawn",
            )
    else:
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
            if number is not None:
                message = f"`{column}` is given without a distribution; name one or leave it blank"
                cells.problem(column, message)
        return None
    if name not in DISTRIBUTIONS:
        hint = did_you_mean(name, DISTRIBUTIONS)
        allowed = "" if hint else "; allowed: " + ", ".join(DISTRIBUTIONS)
        cells.problem("distribution", f"`{name}` is not a distribution{hint}{allowed}")
        return None
    if name == "multivariate_normal" and not cells.text("correlation_group"):
        cells.problem("correlation_group", f"a {name} needs a correlation_group")
    try:
        found = make(name, value=value, low=low, high=high, **numbers)
    except DistributionError as error:
        column = "low" if error.field == "low/high" else error.field
        cells.problem(column, str(error))
        return None
    if not found.joint:
        _check_agreement(cells, found, value)
    return found


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
    parameters: Mapping[str, Parameter], reading: Reading, currency: str
) -> dict[str, Parameter]:
    """Evaluate derived parameters at the base case, and check every value against its unit."""
    updated = dict(parameters)
    values = as_values({p.id: p.value for p in updated.values()})
    for name in evaluation_order(_formulas(parameters)):
        parameter = updated[name]
        assert parameter.expression is not None
        value = evaluate(parameter.expression, values)
        if value is None:
            continue
        if not math.isfinite(value):
            message = f"{name}: {parameter.expression.text!r} is {value} at the base case"
            reading.problem(parameter.place, message, "parameters")
            continue
        updated[name] = dataclasses.replace(parameter, value=value)
        values[name] = np.array([value])
    for parameter in updated.values():
        allowed = unit_range(parameter.unit)
        if allowed is not None and math.isfinite(parameter.value):
            for word, number in (
                ("value", parameter.value),
                ("low", parameter.low),
                ("high", parameter.high),
            ):
                if number is not None and not allowed.holds(number):
                    place = dataclasses.replace(parameter.place, column=word)
                    message = f"{parameter.id}: {number:g} is not {allowed}, as a {parameter.unit}"
                    reading.problem(place, message + " must be", "parameters")
    return updated


# --- joint distributions ----------------------------------------------------------------------


def read_correlations(
    reading: Reading, parameters: Mapping[str, Parameter]
) -> tuple[Correlation, ...]:
    """Make the pairs and covariance cells, and check that each group is a possible matrix."""
    found: dict[tuple[str, str, str], Correlation] = {}
    for row in reading.rows("correlations"):
        cells = RowReader(reading, "correlations", row, "")
        group = cells.text("group", required=True)
        names = [cells.text(c, required=True) for c in ("row", "column")]
        value = cells.number("value", required=True)
        for column, name in zip(("row", "column"), names, strict=True):
            if name and name not in reading.parameter_ids:
                hint = did_you_mean(name, reading.parameter_ids)
                cells.problem(column, f"`{name}` is not a parameter{hint}")
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
        _check_pair(cells, parameters, names, value)
        found[key] = Correlation(
            group=group,
            row=names[0],
            column=names[1],
            value=value,
            note=cells.text("note"),
            place=row.place,
        )
    correlations = tuple(found.values())
    if "correlations" not in reading.broken:
        _check_matrices(reading, parameters, correlations)
    return correlations


def _is_normal(parameter: Parameter) -> bool:
    return (
        parameter.distribution is not None and parameter.distribution.name == "multivariate_normal"
    )


def _check_pair(
    cells: RowReader, parameters: Mapping[str, Parameter], names: list[str], value: float
) -> None:
    normal = [_is_normal(parameters[name]) for name in names]
    if any(normal):
        if not all(normal):
            message = f"`{names[0]}` and `{names[1]}` must both be multivariate_normal, or neither"
            cells.problem("row", message)
        elif names[0] == names[1] and value <= 0:
            cells.problem("value", f"the variance of `{names[0]}` must be above 0, found {value:g}")
    elif names[0] == names[1]:
        cells.problem("column", f"`{names[0]}` is paired with itself")
    elif not -1 <= value <= 1:
        cells.problem("value", f"found {value:g}; a rank correlation is from -1 to 1")


def _check_matrices(
    reading: Reading,
    parameters: Mapping[str, Parameter],
    correlations: tuple[Correlation, ...],
) -> None:
    """Check that the matrix of each group is positive definite (methods 7.2)."""
    for group in dict.fromkeys(c.group for c in correlations):
        cells = [c for c in correlations if c.group == group]
        normal = _is_normal(parameters[cells[0].row])
        if normal:
            continue
        names = sorted({name for c in cells for name in (c.row, c.column)})
        matrix = np.eye(len(names))
        for c in cells:
            i, j = names.index(c.row), names.index(c.column)
            matrix[i, j] = matrix[j, i] = 2 * math.sin(math.pi * c.value / 6)
        if np.linalg.eigvalsh(matrix)[0] <= TOLERANCE:
            message = f"the correlations of group `{group}` contradict each other"
            reading.problem(cells[0].place, message + " (not positive definite)", "correlations")


def finish_joint(
    reading: Reading,
    parameters: dict[str, Parameter],
    correlations: tuple[Correlation, ...],
    empirical: Mapping[str, FloatArray],
) -> dict[str, Parameter]:
    """Give joint distributions what only their group, or the ``draws`` table, knows."""
    finished = dict(parameters)
    groups: dict[tuple[str, str], list[Parameter]] = {}
    for parameter in parameters.values():
        if parameter.distribution is not None and parameter.distribution.joint:
            key = (parameter.distribution.name, parameter.correlation_group)
            groups.setdefault(key, []).append(parameter)
    for (name, group), members in groups.items():
        if name == "dirichlet":
            finished.update(_dirichlet(reading, group, members))
        elif name == "multivariate_normal":
            _check_covariance(reading, group, members, correlations)
        else:
            finished.update(_empirical(reading, members, empirical))
    return finished


def _dirichlet(reading: Reading, group: str, members: list[Parameter]) -> dict[str, Parameter]:
    first = members[0]
    place = dataclasses.replace(first.place, column="correlation_group")
    if not group or len(members) < 2:
        message = f"{first.id}: a dirichlet needs a correlation_group of two or more shares"
        reading.problem(place, message, "parameters")
        return {}
    total = math.fsum(m.value for m in members)
    if abs(total - 1) > TOLERANCE:
        message = f"{first.id}: the shares of `{group}` sum to {total:.6g} instead of 1"
        reading.problem(dataclasses.replace(place, column="value"), message, "parameters")
    alphas = [m.distribution.parameters[0] for m in members if m.distribution is not None]
    finished = {}
    for member, alpha in zip(members, alphas, strict=True):
        made = make_dirichlet(alpha, math.fsum(alphas))
        if abs(member.value - made.mean) > STOP_AT * made.sd:
            message = f"{member.id}: value {member.value:g} is not its share of the alphas"
            place = dataclasses.replace(member.place, column="value")
            reading.problem(place, f"{message}, {made.mean:.6g}", "parameters")
        finished[member.id] = dataclasses.replace(member, distribution=made)
    return finished


def _check_covariance(
    reading: Reading,
    group: str,
    members: list[Parameter],
    correlations: tuple[Correlation, ...],
) -> None:
    names = [m.id for m in members]
    matrix = np.zeros((len(names), len(names)))
    for index, member in enumerate(members):
        sd = member.distribution.parameters[1] if member.distribution else math.nan
        matrix[index, index] = sd**2
    for c in correlations:
        if c.group == group and c.row in names and c.column in names:
            i, j = names.index(c.row), names.index(c.column)
            matrix[i, j] = matrix[j, i] = c.value
    for index, member in enumerate(members):
        if not matrix[index, index] > 0:
            place = dataclasses.replace(member.place, column="se")
            message = f"{member.id}: no variance; give `se`, or its cell in correlations"
            reading.problem(place, message, "parameters")
            return
    if np.linalg.eigvalsh(matrix)[0] <= 0:
        message = f"{names[0]}: the covariances of group `{group}` are not positive definite"
        reading.problem(members[0].place, message, "parameters")


def _empirical(
    reading: Reading, members: list[Parameter], empirical: Mapping[str, FloatArray]
) -> dict[str, Parameter]:
    finished = {}
    for member in members:
        if member.id not in empirical:
            place = dataclasses.replace(member.place, column="distribution")
            message = f"{member.id}: the table draws has no column `{member.id}`"
            reading.problem(place, message, "parameters")
            continue
        made = make_empirical(empirical[member.id])
        finished[member.id] = dataclasses.replace(member, distribution=made)
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
