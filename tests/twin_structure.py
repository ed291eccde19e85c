"""State-transition models in plain loops (methods 9): the part of the second engine for them.

Written from docs/methods.md. The hazard that partitioned survival implies is found by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from heor.spec.records import UNITS_PER_YEAR, Curve

if TYPE_CHECKING:
    from twin import Model

Row = list[float]


def state_transition(
    model: Model, pfs_row: Curve, os_row: Curve, pfs: Row, os: Row, survival: Callable[..., float]
) -> tuple[Row, Row]:
    """PFS and OS of one group."""
    settings = model.spec.settings
    cycles = range(model.cycles)
    progressed = [a - b for a, b in zip(os, pfs, strict=True)]
    alive = [1.0 for _ in cycles]
    if settings.background_mortality == "floor":
        alive = [model.background[k + 1] / model.background[k] for k in cycles]
    dying = dying_share(model, pfs_row, os_row, pfs)
    nobody = [progressed[k] == 0 and progressed[k + 1] == 0 for k in cycles]

    def leaving(s: Row) -> list[tuple[float, float]]:
        out = []
        for k in cycles:
            events = s[k] - s[k + 1]
            background = (s[k] + s[k + 1]) * (1 - alive[k]) / (1 + alive[k])
            deaths = max(dying[k] * events, min(events, background))
            deaths = events if nobody[k] else deaths
            out.append((deaths, events - deaths))
        return out

    moved = [p for _, p in leaving(pfs)]
    implied = [solve(progressed[k], progressed[k + 1], moved[k]) for k in cycles]
    floored = [1.0]
    for k in cycles:
        ratio = pfs[k + 1] / pfs[k] if pfs[k] > 0 else 0.0
        floored.append(floored[k] * min(ratio, alive[k]))
    pfs = floored
    moved = [p for _, p in leaving(pfs)]
    hazard = [max(implied[k], -math.log(alive[k])) for k in cycles]
    steps = [(math.exp(-x), arriving(x)) for x in hazard]
    if settings.structure == "state_transition_reset" and os_row.pps_family:
        steps = by_age(model, os_row, moved, alive, survival)
    elif settings.structure == "state_transition_reset":
        rate = derived_rate(model, moved, hazard)
        hazard = [max(rate, -math.log(alive[k])) for k in cycles]
        steps = [(math.exp(-x), arriving(x)) for x in hazard]
    level = [0.0]
    for k in cycles:
        level.append(level[k] * steps[k][0] + moved[k] * steps[k][1])
    return pfs, [a + b for a, b in zip(pfs, level, strict=True)]


def dying_share(model: Model, pfs_row: Curve, os_row: Curve, pfs: Row) -> Row:
    """Share of the PFS events of each cycle that are deaths."""
    share = model.optional(os_row.pfs_death_share, 0.0)
    early = model.early(pfs_row)
    others = [s / e if e > 0 else 0.0 for s, e in zip(pfs, early, strict=True)]
    out = []
    for k in range(model.cycles):
        events = pfs[k] - pfs[k + 1]
        died = (early[k] - early[k + 1]) * (others[k] + others[k + 1]) / 2
        first = min(1.0, max(0.0, died / events)) if events > 0 else 0.0
        out.append(first + share * (1 - first))
    return out


def arriving(x: float) -> float:
    """Share alive of those who arrive evenly over a cycle."""
    if math.isinf(x):
        return 0.0
    return -math.expm1(-x) / x if x else 1.0


def solve(start: float, end: float, arrivals: float) -> float:
    """The hazard that leaves ``end`` of ``start`` and of ``arrivals``, by bisection."""
    if end <= 0:
        return math.inf if start > 0 or arrivals > 0 else -math.inf
    if start <= 0 and arrivals <= 0:
        return -math.inf
    low, high = -1.0, 1e9
    while (start * math.exp(-low) + arrivals * arriving(low)) < end and low > -600:
        low *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if start * math.exp(-middle) + arrivals * arriving(middle) > end:
            low = middle
        else:
            high = middle
    return low


def derived_rate(model: Model, moved: Row, hazard: Row) -> float:
    """Deaths after progression over time progressed, within the follow-up."""
    until = model.spec.settings.pps_follow_up
    level, pairs = 0.0, []
    for k in range(model.cycles):
        x = hazard[k]
        stay, arrive = math.exp(-x), arriving(x)
        later = 0.5 - x / 6 if x < 1e-4 else (1 - arrive) / x if not math.isinf(x) else 0.0
        after = level * stay + moved[k] * arrive
        years = math.inf if until is None else until
        inside = min(1.0, max(0.0, (years - model.times[k]) / model.delta))
        pairs.append((level + moved[k] - after, level * arrive + moved[k] * later, inside))
        level = after
    for weight in ([inside for *_, inside in pairs], [1.0] * len(pairs)):
        deaths = sum(w * d for w, (d, *_) in zip(weight, pairs, strict=True))
        time = sum(w * t for w, (_, t, _) in zip(weight, pairs, strict=True))
        if time > 0:
            return max(0.0, deaths / time)
    return math.inf if any(deaths > 0 for deaths, *_ in pairs) else 0.0


def by_age(
    model: Model, row: Curve, moved: Row, alive: Row, survival: Callable[..., float]
) -> list[tuple[float, float]]:
    """Survival over a cycle of those progressed, and of arrivals, from the row's own curve."""
    step = model.delta * UNITS_PER_YEAR[row.time_unit]
    numbers = {name: model.number(e) for name, e in row.pps_parameters.items()}
    early = model.early(row)
    out = []
    middle = [(early[k] + early[k + 1]) / 2 for k in range(model.cycles)]
    arrivals = [p / m if m > 0 else 0.0 for p, m in zip(moved, middle, strict=True)]
    exponential = row.pps_family == "exponential"
    if not exponential:
        pps = [
            survival(row.pps_family, numbers, (j + 0.5) * step, row.pps_scale)
            for j in range(model.cycles)
        ]
    for k in range(model.cycles):
        if exponential:
            x = numbers["rate"] * step
            stay, arrive = math.exp(-x), arriving(x)
        else:
            before = sum(arrivals[j] * pps[k - j - 1] for j in range(k))
            after = sum(arrivals[j] * pps[k - j] for j in range(k))
            stay = min(1.0, max(0.0, after / before)) if before > 0 else 0.0
            arrive = pps[0]
        stay *= early[k + 1] / early[k] if early[k] > 0 else 0.0
        arrive *= early[k + 1] / middle[k] if middle[k] > 0 else 0.0
        if stay > alive[k]:
            stay = alive[k]
            arrive = min(arrive, arriving(-math.log(alive[k])))
        out.append((stay, arrive))
    return out
