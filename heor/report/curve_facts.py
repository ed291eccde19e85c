"""What reports say of modelled curves: landmarks, medians, published numbers, how far to draw them.

A curve is named by strategy, endpoint and group; the group ``all`` is the mixture of the groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from heor.engine.trace import StrategyTrace
from heor.spec.parameters import FloatArray
from heor.spec.records import ALL, UNITS_PER_YEAR, KaplanMeier, Spec, ValidationTarget

#: Years at which tables give the modelled curves.
LANDMARKS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)

#: The alive share below which charts stop, and the grain of their time axis in years.
SHOWN_ALIVE, SHOWN_GRAIN = 0.02, 5.0

#: Shortest time axis in years.
SHORTEST = 2.0

#: Sources that a legend names.
MOST_SOURCES = 3

Traces = Mapping[str, StrategyTrace]
Key = tuple[str, str, str]

_ENDPOINT_NAMES = {
    "os": "Overall survival",
    "pfs": "Progression-free survival",
    "response": "In response",
}


def endpoint_name(endpoint: str) -> str:
    """Words for an endpoint."""
    return _ENDPOINT_NAMES.get(endpoint, endpoint)


def curve_of(traces: Traces, key: Key) -> FloatArray | None:
    """Base-case curve ``(cycle + 1,)``; None where the model has none."""
    strategy, endpoint, group = key
    trace = traces.get(strategy)
    if trace is None:
        return None
    if group in ("", ALL):
        curve = trace.endpoints.get(endpoint)
    else:
        curve = trace.group_curves.get((endpoint, group))
    return None if curve is None else curve[0]


def groups_of(trace: StrategyTrace, endpoint: str) -> tuple[str, ...]:
    """Groups whose curves an endpoint mixes; none where it has a single curve."""
    return tuple(g for e, g in trace.group_curves if e == endpoint and g != ALL)


def endpoints_of(traces: Traces) -> tuple[str, ...]:
    """Every endpoint of any strategy, outermost first."""
    return tuple(reversed(dict.fromkeys(e for t in traces.values() for e in t.endpoints)))


def shown_curves(traces: Traces) -> tuple[Key, ...]:
    """Every endpoint of every strategy, followed by its groups."""
    keys = []
    for strategy, trace in traces.items():
        for endpoint in reversed(list(trace.endpoints)):
            keys.append((strategy, endpoint, ALL))
            keys += [(strategy, endpoint, group) for group in groups_of(trace, endpoint)]
    return tuple(keys)


def crossing_time(time: FloatArray, curve: FloatArray, level: float) -> float | None:
    """Time at which a falling curve ``(cycle + 1,)`` passes a level; None when it does not.

    Straight between boundaries, in the unit of ``time``.
    """
    below = np.flatnonzero(curve <= level)
    if not len(below):
        return None
    k = int(below[0])
    if k == 0:
        return float(time[0])
    step = (curve[k - 1] - level) / (curve[k - 1] - curve[k])
    return float(time[k - 1] + step * (time[k] - time[k - 1]))


def years_of(km: KaplanMeier) -> FloatArray:
    """Times of a Kaplan-Meier curve in years."""
    return np.asarray(km.time / UNITS_PER_YEAR[km.time_unit], dtype=np.float64)


def target_key(target: ValidationTarget) -> Key:
    """Curve a published number is set beside."""
    return target.strategy, target.endpoint, target.group or ALL


def target_point(target: ValidationTarget) -> tuple[float, float]:
    """Where a published number stands in a chart: years and share."""
    per_year = UNITS_PER_YEAR[target.time_unit]
    if target.time is None:
        return target.value / per_year, 0.5
    return target.time / per_year, target.value


def modelled(traces: Traces, target: ValidationTarget) -> float | None:
    """Model's value of a published number, in that number's unit; None where it has none."""
    curve = curve_of(traces, target_key(target))
    if curve is None:
        return None
    time = traces[target.strategy].time
    per_year = UNITS_PER_YEAR[target.time_unit]
    if target.time is None:
        median = crossing_time(time, curve, 0.5)
        return None if median is None else median * per_year
    at = target.time / per_year
    return float(np.interp(at, time, curve)) if at <= time[-1] else None


def ordered_targets(
    traces: Traces, targets: Iterable[ValidationTarget]
) -> tuple[ValidationTarget, ...]:
    """Published numbers of one curve side by side, curves in the order of `shown_curves`."""
    order = {key: place for place, key in enumerate(shown_curves(traces))}
    return tuple(sorted(targets, key=lambda t: order.get(target_key(t), len(order))))


def known_until(spec: Spec, keys: Sequence[Key]) -> float | None:
    """Whole years that published points of some curves cover; None when there are none."""
    observed = [km for (s, e, g), km in spec.km.items() if (s, e, g or ALL) in keys]
    ends = [float(years_of(km)[-1]) for km in observed]
    ends += [target_point(t)[0] for t in spec.validation_targets if target_key(t) in keys]
    return max(float(np.ceil(max(ends) * (1 - 1e-9))), SHORTEST) if ends else None


def shown_until(traces: Traces) -> float:
    """Years to which charts run: nobody much is alive after it, in any strategy."""
    last = 0.0
    for trace in traces.values():
        alive = np.flatnonzero(trace.endpoints["os"][0] > SHOWN_ALIVE)
        last = max(last, float(trace.time[alive[-1]]) if len(alive) else 0.0)
    horizon = float(next(iter(traces.values())).time[-1])
    grain = SHOWN_GRAIN if horizon > SHOWN_GRAIN else 1.0
    return min(max(grain, float(np.ceil(last / grain) * grain)), horizon)


def parted(*texts: str) -> tuple[str, ...]:
    """Keys of sources in cells that hold one or several, each once."""
    parts = (part.strip() for text in texts for part in text.split(";"))
    return tuple(dict.fromkeys(part for part in parts if part))


def named(sources: Sequence[str]) -> str:
    """Sources as a legend names them: the first ones, and how many more there are.

    Examples
    --------
    >>> named(("a", "b", "c", "d", "e"))
    'a, b, c and 2 more'
    """
    rest = len(sources) - MOST_SOURCES
    return ", ".join(sources[:MOST_SOURCES]) + (f" and {rest} more" if rest > 0 else "")
