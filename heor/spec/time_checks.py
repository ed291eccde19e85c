"""Checks along the time axis: utilities, Kaplan-Meier curves, life table and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from heor.errors import Place
from heor.spec.context import in_column
from heor.spec.findings import Findings, setting_place
from heor.spec.records import ALL, EXCESS, UNITS_PER_YEAR, Spec, State, Utility
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
    wanted = _wanting(spec)
    for key, place, chosen, advice in wanted:
        missing = []
        if spec.life_table is None:
            missing.append("the table `life_table`")
        if not spec.cohort:
            missing += [
                f"the setting `{name}`"
                for name in ("start_age", "male_share")
                if getattr(settings, name) is None
            ]
        if missing:
            found.problem(place, f"{key} = {chosen} needs {', '.join(missing)}{advice}")
    values = {}
    for key, allowed in _RANGES.items():
        place = setting_place(spec, key)
        expression = getattr(settings, key)
        value = found.value(expression, place, key, "value")
        if value is not None and not allowed.holds(value):
            found.problem(place, f"{key} is {value:g} at the base case; it must be {allowed}")
        values[key] = value
    _check_mechanisms(found, values["smr"])
    ages = _check_cohort(found) if spec.cohort else [(values["start_age"], Place("settings"))]
    if spec.life_table is None or not wanted:
        return
    first, last = spec.life_table.age[0], spec.life_table.age[-1]
    known = [(age, place) for age, place in ages if age is not None]
    for age, place in known:
        if not first <= age <= last:
            name = "age" if spec.cohort else "start_age"
            place = place if spec.cohort else setting_place(spec, "start_age")
            message = f"{name} is {age:g}, outside the life table's ages {first:g} to {last:g}"
            found.problem(place, message)
    _check_start_year(found)
    norms = [key for key, *_ in wanted if key in ("age_adjusted_utilities", "utility_cap")]
    if known and norms and all(first <= age <= last for age, _ in known):
        _check_norms(found, [age for age, _ in known])


_RANGES = {
    "start_age": Range(0.0),
    "male_share": Range(0.0, 1.0),
    "smr": Range(0.0, open_low=True),
}


def _wanting(spec: Spec) -> list[tuple[str, Place, str, str]]:
    """What needs a general population: its name, place, value, and another way out."""
    settings = spec.settings
    wanted = []
    for key, chosen, advice in (
        (
            "background_mortality",
            settings.background_mortality,
            "; or set background_mortality to `none`",
        ),
        ("age_adjusted_utilities", "yes" if settings.age_adjusted_utilities else "none", ""),
        ("utility_cap", settings.utility_cap, ""),
    ):
        if chosen != "none":
            wanted.append((key, setting_place(spec, key), chosen, advice))
    for curve in spec.candidates_in_use():
        if curve.hazard == EXCESS:
            place = in_column(curve.place, "hazard")
            wanted.append((f"{curve.id}: hazard", place, EXCESS, ""))
    return wanted


def _check_mechanisms(found: Findings, smr: float | None) -> None:
    """One mechanism on each curve, and a ratio that acts somewhere (methods 1.7)."""
    spec, settings = found.spec, found.spec.settings
    of_cohort = smr not in (None, 1.0) and settings.smr_of == "cohort"
    for curve in spec.candidates_in_use():
        if curve.hazard != EXCESS:
            continue
        other = "background_mortality = add" if settings.background_mortality == "add" else ""
        other = other or (f"smr = {smr:g} of the cohort" if of_cohort else "")
        if other:
            message = f"{curve.id}: an excess hazard and {other} are two mechanisms; use one"
            found.problem(curve.place, message, "hazard")
    acting = settings.background_mortality != "none"
    if settings.smr_of == "cured":
        cured = any(c.cure_fraction is not None and c.hazard != EXCESS for c in spec.curves)
        acting = cured and settings.background_mortality == "floor"
    if smr not in (None, 1.0) and not acting:
        message = "smr changes nothing: it acts on cured shares under the floor only"
        if settings.smr_of == "cohort":
            message = "smr changes nothing: background_mortality is `none`"
        found.warn(setting_place(spec, "smr"), message)


def _check_cohort(found: Findings) -> list[tuple[float | None, Place]]:
    """Ages, shares of men and shares of the cohort are in range; the settings are silent."""
    spec = found.spec
    for name in ("start_age", "male_share"):
        if getattr(spec.settings, name) is not None:
            message = f"{name}: the table `cohort` gives it; leave one of the two out"
            found.problem(setting_place(spec, name), message)
    ages, shares = [], []
    for part in spec.cohort:
        age = found.in_range(part.age, Range(0.0), part.place, "cohort", "age")
        ages.append((age, in_column(part.place, "age")))
        found.in_range(part.male_share, Range(0.0, 1.0), part.place, "cohort", "male_share")
        shares.append(found.in_range(part.share, Range(0.0, 1.0), part.place, "cohort", "share"))
    known = [share for share in shares if share is not None]
    if len(known) == len(shares) and abs(sum(known) - 1.0) > INSTANT:
        message = f"shares sum to {sum(known):.6g} at the base case; they must sum to 1"
        found.problem(spec.cohort[-1].place, message, "share")
    return ages


def _check_start_year(found: Findings) -> None:
    """A life table with years needs the calendar time at the start."""
    spec = found.spec
    assert spec.life_table is not None
    years, start = spec.life_table.year, spec.settings.start_year
    place = setting_place(spec, "start_year")
    if years is None:
        if start is not None:
            found.warn(place, "start_year changes nothing: the life table has no column `year`")
    elif start is None:
        message = f"the life table has the years {years[0]:g} to {years[-1]:g}: set `start_year`"
        found.problem(place, message)
    elif start < years[0]:
        message = f"start_year is {start:g}, before the first year of the life table, {years[0]:g}"
        found.problem(place, message)
    elif start >= years[-1] + 1:
        message = f"start_year is {start:g}: the last year of the life table, {years[-1]:g}, holds"
        found.warn(place, f"{message} throughout")


def _check_norms(found: Findings, start: Sequence[float]) -> None:
    """Norms are there for every age from the start to the horizon."""
    spec = found.spec
    table = spec.life_table
    assert table is not None
    last = max(start) + horizon_in_years(spec)
    ages = (table.age >= math.floor(min(start))) & (table.age <= last)
    key = "utility_cap" if spec.settings.utility_cap != "none" else "age_adjusted_utilities"
    for sex in ("male", "female"):
        norm = np.atleast_2d(getattr(table, f"utility_{sex}"))
        blank = ages & np.isnan(norm).any(axis=0)
        if blank.any():
            message = (
                f"{key} needs the norm `utility_{sex}` of every age from the start on; it is"
                f" blank at age {table.age[blank][0]:g}"
            )
            found.problem(setting_place(spec, key), message)
            return
