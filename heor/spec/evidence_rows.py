"""Rows of the tables of evidence and of ``cohort`` as records; payer tables as texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from heor.errors import Place
from heor.spec.context import Reading, RowReader
from heor.spec.records import (
    ALL,
    CohortPart,
    Curve,
    KaplanMeier,
    LifeTable,
    Strategy,
    ValidationTarget,
)
from heor.spec.schema import AGREEMENT_TYPES
from heor.spec.structure_rows import check_ids
from heor.spec.tables import Row
from heor.spec.values import time_unit

Slot = tuple[str, str, str]

#: Columns of the life table beside year and age.
_RATES = ("male", "female", "utility_male", "utility_female")


def read_life_table(reading: Reading) -> LifeTable | None:
    """Make the life table: ages that rise by 1 in each of the years, probabilities from 0 to 1."""
    rows = reading.rows("life_table")
    if not rows:
        return None
    by_year = any(row["year"].text for row in rows)
    values: dict[str, list[float]] = {c: [] for c in ("year", "age", *_RATES)}
    for row in rows:
        cells = RowReader(reading, "life_table", row, "")
        year = cells.number("year", required=by_year)
        age = cells.number("age", required=True)
        _check_age(cells, values["age"], values["year"], age, year)
        values["age"].append(math.nan if age is None else age)
        values["year"].append(math.nan if year is None else year)
        for column in _RATES:
            norm = column.startswith("utility")
            number = cells.number(column, required=not norm)
            if number is not None and not (number <= 1 if norm else 0 <= number <= 1):
                allowed = "a utility norm is at most 1" if norm else "a probability is from 0 to 1"
                cells.problem(column, f"found {number:g}; {allowed}")
            values[column].append(math.nan if number is None else number)
    years = list(dict.fromkeys(values["year"]))
    shape = (len(years), len(rows) // len(years))
    if by_year and not _same_ages(reading, values, rows):
        shape = (1, len(rows))
    for sex in ("male", "female"):
        for place in range(0, len(rows), shape[1]):
            if values[sex][place] == 1:
                message = f"everybody ({sex}) dies at the first age"
                reading.problem(rows[place].place, message, "life_table")
    arrays = {column: np.array(values[column]) for column in _RATES}
    if not by_year:
        return LifeTable(age=np.array(values["age"]), **arrays)
    return LifeTable(
        age=np.array(values["age"][: shape[1]]),
        year=np.array(years[: shape[0]]),
        **{column: array.reshape(shape) for column, array in arrays.items()},
    )


def _check_age(
    cells: RowReader,
    ages: Sequence[float],
    years: Sequence[float],
    age: float | None,
    year: float | None,
) -> None:
    """Check that a row of the life table follows those before it."""
    for column, number in (("year", year), ("age", age)):
        if number is not None and (not number.is_integer() or number < 0):
            cells.problem(column, f"found {number:g}; {column}s are whole years")
            return
    if not ages or age is None:
        return
    if year is None or year == years[-1]:
        if age != ages[-1] + 1:
            cells.problem("age", f"found {age:g} after {ages[-1]:g}; ages rise by 1")
    elif year != years[-1] + 1:
        cells.problem("year", f"found {year:g} after {years[-1]:g}; years rise by 1")


def _same_ages(reading: Reading, values: Mapping[str, list[float]], rows: Sequence[Row]) -> bool:
    """Check that every year has the ages of the first."""
    ages: dict[float, list[float]] = {}
    for year, age in zip(values["year"], values["age"], strict=True):
        ages.setdefault(year, []).append(age)
    if any(map(math.isnan, ages)):
        return False
    first, *others = ages
    for year in others:
        if ages[year] != ages[first]:
            message = f"year {year:g} has other ages than {first:g}; each year has the same"
            place = rows[values["year"].index(year)].place
            reading.problem(place, message, "life_table")
            return False
    return True


def read_cohort(reading: Reading) -> tuple[CohortPart, ...]:
    """Make the ages at the start; where there are some, the settings give none."""
    parts = []
    for row in reading.rows("cohort"):
        cells = RowReader(reading, "cohort", row, "")
        found = [cells.expression(name, required=True) for name in ("age", "male_share", "share")]
        age, male, share = found
        if age is not None and male is not None and share is not None:
            parts.append(CohortPart(age=age, male_share=male, share=share, place=row.place))
    return tuple(parts)


def check_payer_tables(reading: Reading, strategies: tuple[Strategy, ...]) -> None:
    """Check the cells of ``agreements`` and ``budget``, which are kept as texts."""
    check_ids(reading, "agreements")
    for row in reading.rows("agreements"):
        cells = RowReader(reading, "agreements", row, row["id"].text)
        cells.one_of("type", AGREEMENT_TYPES, "a kind of scheme", required=True)
        cells.one_of(
            "strategy", [s.id for s in strategies], "a strategy", required=True, of=("strategies",)
        )
        cells.expression("amount")
        cells.expression("time")
        cells.parsed("time_unit", time_unit)
        cells.source()
    for row in reading.rows("budget"):
        cells = RowReader(reading, "budget", row, row["item"].text)
        cells.text("item", required=True)
        cells.number("year")
        cells.expression("value", required=True)
        cells.source()


def _slot(
    cells: RowReader, strategies: tuple[Strategy, ...], curves: tuple[Curve, ...]
) -> Slot | None:
    """Read strategy, endpoint and group; the group ``all`` is the whole strategy."""
    strategy = cells.one_of(
        "strategy", [s.id for s in strategies], "a strategy", required=True, of=("strategies",)
    )
    own = [c for c in curves if c.strategy == strategy]
    endpoints = dict.fromkeys(c.endpoint for c in own)
    endpoint = (
        cells.one_of(
            "endpoint",
            endpoints,
            f"an endpoint with a curve of `{strategy}`",
            required=True,
            of=("curves", "parameters"),
        )
        if strategy
        else ""
    )
    if not endpoint:
        return None
    groups = dict.fromkeys((ALL, *(c.group for c in own if c.endpoint == endpoint)))
    group = ALL
    if cells.text("group"):
        group = cells.one_of(
            "group", groups, f"a group of `{strategy}` {endpoint}", of=("curves", "parameters")
        )
    return (strategy, endpoint, group) if group else None


def read_km(
    reading: Reading, strategies: tuple[Strategy, ...], curves: tuple[Curve, ...]
) -> dict[Slot, KaplanMeier]:
    """Make the Kaplan-Meier curves: from 1 at time 0, never rising."""
    points: dict[Slot, list[tuple[Row, list[float]]]] = {}
    units: dict[Slot, dict[str, Place]] = {}
    sources: dict[Slot, str] = {}
    for row in reading.rows("km"):
        cells = RowReader(reading, "km", row, "")
        slot = _slot(cells, strategies, curves)
        numbers = [cells.number(c, required=True) for c in ("time", "survival")]
        numbers += [cells.number(c) for c in ("at_risk", "events")]
        unit = cells.parsed("time_unit", time_unit, required=True)
        source = cells.source()
        if slot is None or unit is None or numbers[0] is None or numbers[1] is None:
            continue
        units.setdefault(slot, {}).setdefault(unit, row.place)
        sources.setdefault(slot, source)
        found = points.setdefault(slot, [])
        _check_point(cells, [point for _, point in found], numbers[0], numbers[1])
        found.append((row, [math.nan if x is None else x for x in numbers]))
    curves_by_slot = {}
    for slot, rows in points.items():
        if len(units[slot]) > 1:
            place = list(units[slot].values())[1]
            message = f"{'.'.join(slot)} has times in {' and '.join(units[slot])}; use one unit"
            reading.problem(place, message, "km")
        array = np.array([point for _, point in rows]).T
        curves_by_slot[slot] = KaplanMeier(
            strategy=slot[0],
            endpoint=slot[1],
            group=slot[2],
            time=array[0].copy(),
            survival=array[1].copy(),
            at_risk=array[2].copy(),
            events=array[3].copy(),
            time_unit=next(iter(units[slot])),
            source=sources[slot],
        )
    return curves_by_slot


def _check_point(cells: RowReader, before: list[list[float]], time: float, survival: float) -> None:
    if not 0 <= survival <= 1:
        cells.problem("survival", f"found {survival:g}; survival is from 0 to 1")
    elif not before and (time != 0 or survival != 1):
        message = f"a curve starts with survival 1 at time 0; found {survival:g} at {time:g}"
        cells.problem("time", message)
    for last, now in pairwise([*before[-1:], [time, survival]]):
        if now[0] <= last[0]:
            cells.problem("time", f"found {now[0]:g} after {last[0]:g}; times rise")
        if now[1] > last[1]:
            cells.problem("survival", f"survival rises from {last[1]:g} to {now[1]:g}")


def read_targets(
    reading: Reading, strategies: tuple[Strategy, ...], curves: tuple[Curve, ...]
) -> tuple[ValidationTarget, ...]:
    """Make the published numbers that the model should be near."""
    targets = []
    for row in reading.rows("validation_targets"):
        cells = RowReader(reading, "validation_targets", row, row["label"].text)
        slot = _slot(cells, strategies, curves)
        time, value = cells.number("time"), cells.number("value", required=True)
        low, high = cells.number("low"), cells.number("high")
        unit = cells.parsed("time_unit", time_unit, required=True)
        source = cells.source(required=True)
        label = cells.text("label", required=True)
        fitted = cells.yes_no("used_in_fitting")
        if time is not None and value is not None and not 0 <= value <= 1:
            cells.problem("value", f"found {value:g}; survival at a time is from 0 to 1")
        if low is not None and high is not None and low > high:
            cells.problem("low", f"low {low:g} is above high {high:g}")
        if slot is None or value is None or unit is None:
            continue
        targets.append(
            ValidationTarget(
                label=label,
                strategy=slot[0],
                endpoint=slot[1],
                group=slot[2],
                time=time,
                time_unit=unit,
                value=value,
                low=low,
                high=high,
                source=source,
                used_in_fitting=fitted,
            )
        )
    return tuple(targets)
