"""Trials of known patients, their curves as somebody would read them, and what to compare."""

from __future__ import annotations

import numpy as np

from heor.fitting.data import kaplan_meier, right_censored
from heor.fitting.digitised import Digitised

SHAPES = ("weibull", "falling", "loglogistic", "plateau")
CENSORING = ("late", "heavy", "none")

#: Share of the time axis, in units of the noise of survival, by which a click is off sideways.
SIDEWAYS = 0.15

#: Points of an even grid.
GRID = 300


def trial(rng, shape: str, censoring: str, n: int, ratio: float):
    """Times and marks whose hazard is ``ratio`` times that of the shape."""
    left = rng.uniform(size=n)
    hazard = -np.log(left) / ratio
    time = {
        "weibull": 12 * hazard ** (1 / 1.3),
        "falling": 12 * hazard ** (1 / 0.75),
        "loglogistic": 10 * np.expm1(hazard) ** (1 / 1.6),
        "plateau": np.where(left > 0.25**ratio, 8 * hazard, 500.0),
    }[shape]
    end = {
        "late": rng.uniform(25, 40, n),
        "heavy": np.minimum(rng.exponential(25, n), rng.uniform(12, 36, n)),
        "none": np.full(n, 30.0),
    }[censoring]
    return np.maximum(np.minimum(time, end), 0.01), (time <= end).astype(float)


def read_off(rng, time, event, style: str, noise: float):
    """Points somebody would click: both corners of each step, or an even grid."""
    at, alive = kaplan_meier(right_censored(time, event))
    end = time.max()
    if style == "corners":
        clicked = np.concatenate([[0.0], np.repeat(at, 2), [end]])
        tops = np.append(1.0, alive[:-1])
        seen = np.concatenate([[1.0], np.stack([tops, alive], axis=1).ravel(), [alive[-1]]])
        clicked = clicked + rng.normal(0, SIDEWAYS * noise * end, len(clicked))
    else:
        clicked = np.linspace(0, end, GRID + 1)
        seen = np.append(1.0, alive)[np.searchsorted(at, clicked, side="right")]
    return clicked, seen + rng.normal(0, noise, len(seen))


def cox(one, other) -> float:
    """Logarithm of the hazard ratio of two arms by partial likelihood (Breslow's ties)."""
    time, event = (np.concatenate([one[i], other[i]]) for i in (0, 1))
    arm = np.repeat([0.0, 1.0], [len(one[0]), len(other[0])])
    whens = np.unique(time[event > 0])
    at_risk = (
        [((time >= w) & (arm == 0)).sum() for w in whens],
        [((time >= w) & (arm == 1)).sum() for w in whens],
    )
    zero, first = (np.array(counts, dtype=float) for counts in at_risk)
    died = np.array([((time == w) & (event > 0)).sum() for w in whens])
    died_first = np.array([((time == w) & (event > 0) & (arm == 1)).sum() for w in whens])
    beta = 0.0
    for _ in range(25):
        share = first * np.exp(beta) / (first * np.exp(beta) + zero)
        beta += (died_first - died * share).sum() / (died * share * (1 - share)).sum()
    return float(beta)


def curve_of(time, event) -> Digitised:
    """The Kaplan-Meier curve of the patients themselves."""
    at, alive = kaplan_meier(right_censored(time, event))
    return Digitised(time=np.append(0.0, at), survival=np.append(1.0, alive))


def restricted_mean(time, event, until: float) -> float:
    """Area under their Kaplan-Meier curve up to a time."""
    return curve_of(time, event).restricted_mean(until)


def median_off(time, event, made: float, level: float, step: float) -> float:
    """How far a median is from the sample's, as a share of it.

    Where the sample's curve lies within ``level`` of one half for a while, no reader could tell
    which end of that step is the median, so any time of it is right; and on a grid nobody knows
    more than its ``step``.
    """
    at, alive = kaplan_meier(right_censored(time, event))

    def when(share: float) -> float:
        below = np.flatnonzero(alive <= share)
        return float(at[below[0]]) if len(below) else np.inf

    early, true, late = when(0.5 + level), when(0.5), when(0.5 - level)
    if np.isnan(made):
        return 0.0 if np.isinf(late) else np.inf
    if np.isinf(true):
        return 0.0 if made >= early else np.inf
    return max(early - step - made, made - late - step, 0.0) / true
