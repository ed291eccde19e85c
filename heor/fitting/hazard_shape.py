"""The course of a hazard in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from heor.spec.parameters import FloatArray

#: Changes of a hazard below this share of its largest value are not called a change, and the number
#: of times at which it is looked at.
_SMALL_CHANGE, _HAZARD_POINTS = 1e-3, 2000

#: Turns of a hazard that are told one by one.
_MOST_TURNS = 4


def hazard_words(hazard: Callable[[FloatArray], FloatArray], first: float, end: float) -> str:
    """Say how a hazard runs from the first event to the horizon.

    Parameters
    ----------
    hazard : callable
        Of an array of times.
    first, end : float
        In the time unit.

    Examples
    --------
    >>> hazard_words(lambda time: time * np.exp(-time), 0.1, 5.0)
    'rises until 1, then falls'
    """
    times = np.geomspace(min(first, end / 2), end, _HAZARD_POINTS)
    values = hazard(times)
    usable = np.isfinite(values)
    times, values = times[usable], values[usable]
    if len(values) < 2:
        return ""
    turns: list[tuple[int, int]] = []  # direction, and the place from which it runs
    low = high = 0
    small = _SMALL_CHANGE * float(values.max())
    for place, value in enumerate(values):
        low = place if value < values[low] else low
        high = place if value > values[high] else high
        direction = turns[-1][0] if turns else 0
        if value > values[low] + small and direction <= 0:
            turns.append((1, low))
            high = place
        elif value < values[high] - small and direction >= 0:
            turns.append((-1, high))
            low = place
    if not turns:
        return "constant"
    if len(turns) > _MOST_TURNS:
        return f"turns {len(turns) - 1} times"
    words = {1: "rises", -1: "falls"}
    text = words[turns[0][0]]
    for direction, place in turns[1:]:
        when = times[place]
        text += f" until {when:.3g}, then " if when < 1000 else f" until {when:,.0f}, then "
        text += words[direction]
    return text
