"""Checks along the time axis: utilities, Kaplan-Meier curves, life table and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from heor.errors import Place
from heor.spec.findings import Findings, setting_place
from heor.spec.records import ALL, UNITS_PER_YEAR, Spec, State, Utility
from heor.spec.units import Range

#: Times closer than this, in years, are the same.
INSTANT = 1e-9
#: A horizon above this, in years, gets a warning.
LONGEST_HORIZON = 100


def horizon_in_years(spec: Spec) -> float:
    """Horizon rounded up to whole cycles (methods 3.1)."""
    cycle = spec.settings.cycle_length
    return math.ceil(spec.settings.horizon / cycle - INSTANT) * cycle


def check_utilities(found: Findings) -> None:
    """Exactly one utility applies at each time to each strategy and living state."""
    spec = found.spec
    for utility in spec.utilities:
        name = f"{utility.strategy} {utility.state}"
        found.in_range(utility.value, Range(high=1.0), utility.place, name, "value")
    for state in spec.living_states:
        for strategy in (ALL, *spec.strategy_ids()):
            rows = [u for u in spec.utilities if (u.strategy, u.state) == (strategy, state.id)]
            _check_overlap(found, rows)
        for strategy in spec.strategy_ids():
            if any(c.endpoint == state.endpoint for c in spec.curves_in_use(strategy)):
                _check_gap(found, strategy, state)


def _interval(utility: Utility) -> tuple[float, float]:
    """Start and end of a row, in years."""
    unit = UNITS_PER_YEAR[utility.time_unit]
    until = math.inf if utility.until is None else utility.until / unit
    return utility.start / unit, until


def _check_overlap(found: Findings, rows: Sequence[Utility]) -> None:
    for i, second in enumerate(rows):
        for first in rows[:i]:
            start = max(_interval(first)[0], _interval(second)[0])
            until = min(_interval(first)[1], _interval(second)[1])
            if until - start > INSTANT:
                end = "the horizon" if until == math.inf else f"{until:.6g} years"
                message = (
                    f"{second.strategy} {second.state}: row {first.place.row} applies as well,"
                    f" from {start:.6g} years to {end}"
                )
                found.problem(second.place, message)


def _check_gap(found: Findings, strategy: str, state: State) -> None:
    spec = found.spec
    horizon = horizon_in_years(spec)
    rows = [u for u in spec.utilities if u.state == state.id and u.strategy in (ALL, strategy)]
    reached = 0.0
    for start, until in sorted(_interval(row) for row in rows):
        if start > reached + INSTANT:
            break
        reached = max(reached, until)
    if reached >= horizon - INSTANT:
        return
    later = [start for start, _ in map(_interval, rows) if start > reached + INSTANT]
    end = f"{min(later):.6g} years" if later and min(later) < horizon else "the horizon"
    table = spec.utilities[0].place if spec.utilities else state.place
    place = rows[-1].place if rows else Place(table.file, table.sheet)
    message = f"{strategy} {state.id}: no utility applies from {reached:.6g} years to {end}"
    found.problem(place, message)


def check_km(found: Findings) -> None:
    """Curves that follow the km table find it, and find it long enough (methods 1.6)."""
    spec = found.spec
    for curve in spec.curves:
        until = None
        if curve.km_until is not None:
            until = found.evaluate(curve.km_until)
        elif curve.family != "kaplan_meier":
            continue
        slot = (curve.strategy, curve.endpoint, curve.group)
        km = spec.km.get(slot)
        if km is None:
            column = "family" if curve.km_until is None else "km_until"
            message = f"{curve.id}: the table km has no points for {'.'.join(slot)}"
            found.problem(curve.place, message, column)
            continue
        last, unit = float(km.time[-1]), UNITS_PER_YEAR[km.time_unit]
        scale = UNITS_PER_YEAR[curve.time_unit]
        if curve.km_until is not None:
            if until is not None and until / scale > last / unit + INSTANT:
                message = (
                    f"{curve.id}: km_until is {until:g} {curve.time_unit}s, after the last point"
                    f" of the km table ({last:g} {km.time_unit}s)"
                )
                found.problem(curve.place, message, "km_until")
            continue
        delay = found.evaluate(curve.delay) if curve.delay else 0.0
        factor = found.evaluate(curve.acceleration) if curve.acceleration else 1.0
        reach = last / unit * (factor or 1.0) + (delay or 0.0) / scale
        if km.survival[-1] > 0 and reach < horizon_in_years(spec) - INSTANT:
            message = (
                f"{curve.id}: the km table ends at {last:g} {km.time_unit}s with survival"
                f" {km.survival[-1]:g}, before the horizon; add a tail by `km_until` and a family"
            )
            found.problem(curve.place, message, "family")


def check_horizon(found: Findings) -> None:
    """A horizon beyond a lifetime is more likely a wrong unit."""
    years = found.spec.settings.horizon
    if years > LONGEST_HORIZON:
        message = f"horizon: {years:g} years is longer than {LONGEST_HORIZON} years"
        found.warn(setting_place(found.spec, "horizon"), message)


def check_background(found: Findings) -> None:
    """Background mortality and norms find what they need (methods 1.7 and 4)."""
    spec, settings = found.spec, found.spec.settings
    wanted = []
    if settings.background_mortality != "none":
        wanted.append(("background_mortality", settings.background_mortality))
    if settings.age_adjusted_utilities:
        wanted.append(("age_adjusted_utilities", "yes"))
    if settings.utility_cap != "none":
        wanted.append(("utility_cap", settings.utility_cap))
    for key, chosen in wanted:
        missing = []
        if spec.life_table is None:
            missing.append("the table `life_table`")
        missing += [
            f"the setting `{name}`"
            for name in ("start_age", "male_share")
            if getattr(settings, name) is None
        ]
        if missing:
            message = f"{key} = {chosen} needs {', '.join(missing)}"
            if key == "background_mortality":
                message += "; or set background_mortality to `none`"
            found.problem(setting_place(spec, key), message)
    ranges = {
        "start_age": Range(0.0),
        "male_share": Range(0.0, 1.0),
        "smr": Range(0.0, open_low=True),
    }
    values = {}
    for key, allowed in ranges.items():
        place = setting_place(spec, key)
        expression = getattr(settings, key)
        value = found.value(expression, place, key, "value")
        if value is not None and not allowed.holds(value):
            found.problem(place, f"{key} is {value:g} at the base case; it must be {allowed}")
        values[key] = value
    cured = any(curve.cure_fraction is not None for curve in spec.curves)
    used = cured and settings.background_mortality == "floor"
    if values["smr"] not in (None, 1.0) and not used:
        message = "smr changes nothing: it acts on cured shares under the floor only"
        found.warn(setting_place(spec, "smr"), message)
    age = values["start_age"]
    if spec.life_table is None or age is None or not wanted:
        return
    first, last = spec.life_table.age[0], spec.life_table.age[-1]
    if not first <= age <= last:
        message = f"start_age is {age:g}, outside the life table's ages {first:g} to {last:g}"
        found.problem(setting_place(spec, "start_age"), message)
    elif [key for key, _ in wanted if key != "background_mortality"]:
        _check_norms(found, age)


def _check_norms(found: Findings, start_age: float) -> None:
    """Norms are there for every age from the start to the horizon."""
    spec = found.spec
    table = spec.life_table
    assert table is not None
    ages = (table.age >= math.floor(start_age)) & (table.age <= start_age + horizon_in_years(spec))
    key = "utility_cap" if spec.settings.utility_cap != "none" else "age_adjusted_utilities"
    for sex in ("male", "female"):
        blank = ages & np.isnan(getattr(table, f"utility_{sex}"))
        if blank.any():
            message = (
                f"{key} needs the norm `utility_{sex}` of every age from the start on; it is"
                f" blank at age {table.age[blank][0]:g}"
            )
            found.problem(setting_place(spec, key), message)
            return
