"""Acceptability curves, the value of perfect information and the axis they are drawn on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heor.analyses.cea import QALY_TOLERANCE, icer
from heor.analyses.psa_results import Acceptability
from heor.spec.parameters import FloatArray

#: Draws worked on at a time, so that arrays stay small whatever the number of draws.
BLOCK = 8192

#: Relative distance of a threshold from the point where a draw changes sides within which the draw
#: is looked at by itself.
NEAR = 1e-9

#: Upper end of the acceptability axis when neither draws nor thresholds say anything.
DEFAULT_AXIS_END = 100_000.0

_NICE_ENDS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def acceptability(
    strategies: Sequence[str],
    costs: FloatArray,
    qalys: FloatArray,
    thresholds: ArrayLike,
    severity_weight: float = 1.0,
) -> Acceptability:
    """CEAC, CEAF, EVPI and expected losses over thresholds (methods 7.4).

    Memory does not grow with draws × thresholds. Of two strategies, draws are sorted once by the
    threshold at which each changes sides, and a threshold then costs a search; of more, draws are
    worked on block by block.

    Parameters
    ----------
    strategies : sequence of str
        Labels of the second axis.
    costs, qalys : array ``(draw, strategy)``
        Discounted totals per draw.
    thresholds : array ``(threshold,)``
        Currency per QALY.
    severity_weight : float
        w of methods 6.2.
    """
    k = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    n, s = _check_draws(strategies, costs, qalys)
    sums = _two_strategies if s == 2 else _many_strategies
    wins, loss = sums(costs, qalys, k, severity_weight)
    ceac, loss = wins / n, loss / n
    best = loss.argmin(axis=1)
    row = np.arange(len(k))
    return Acceptability(
        strategies=tuple(strategies),
        thresholds=k,
        ceac=ceac,
        best=best.astype(np.int64),
        ceaf=ceac[row, best],
        evpi=loss[row, best],
        expected_loss=loss,
    )


def _many_strategies(
    costs: FloatArray, qalys: FloatArray, k: FloatArray, severity_weight: float
) -> tuple[FloatArray, FloatArray]:
    """Draws won, ties shared, and summed losses, each ``(threshold, strategy)``."""
    n, s = costs.shape
    wins = np.zeros((len(k), s))
    loss = np.zeros((len(k), s))
    for start in range(0, n, BLOCK):
        cost = np.ascontiguousarray(costs[start : start + BLOCK].T)
        worth = np.ascontiguousarray(qalys[start : start + BLOCK].T) * severity_weight
        for j, threshold in enumerate(k):
            benefit = threshold * worth - cost
            highest = benefit.max(axis=0)
            winners = benefit == highest
            count = winners.sum(axis=0)
            wins[j] += (winners / count).sum(axis=1)
            loss[j] += (highest - benefit).sum(axis=1)
    return wins, loss


def _two_strategies(
    costs: FloatArray, qalys: FloatArray, k: FloatArray, severity_weight: float
) -> tuple[FloatArray, FloatArray]:
    """The same for two strategies: draws in order of the threshold at which each changes sides.

    Where a threshold is so near that rounding might decide, the draw's net benefits are compared
    as they are for more strategies.
    """
    worth = qalys * severity_weight
    gain, price = worth[:, 1] - worth[:, 0], costs[:, 1] - costs[:, 0]
    wins, loss = np.zeros((len(k), 2)), np.zeros((len(k), 2))
    same = gain == 0
    wins[:, 1] += (price[same] < 0).sum() + 0.5 * (price[same] == 0).sum()
    loss[:, 0] += np.maximum(-price[same], 0.0).sum()
    loss[:, 1] += np.maximum(price[same], 0.0).sum()
    # the second strategy is ahead above its draw's threshold where it gains, below where it loses
    for sign in (1.0, -1.0):
        rows = np.flatnonzero(sign * gain > 0)
        with np.errstate(over="ignore"):
            turns = price[rows] / gain[rows]
        order = np.argsort(turns)
        rows, turns = rows[order], turns[order]
        below, above = _running(gain[rows], price[rows])
        first = np.searchsorted(turns, k - NEAR * np.abs(k))
        last = np.searchsorted(turns, k + NEAR * np.abs(k), side="right")
        ahead, behind = (first, len(rows) - last) if sign > 0 else (len(rows) - last, first)
        wins[:, 1] += ahead
        lower = sign * (k * below[0][first] - below[1][first])
        upper = -sign * (k * above[0][last] - above[1][last])
        loss[:, 0] += lower if sign > 0 else upper
        loss[:, 1] += upper if sign > 0 else lower
        wins[:, 0] += behind
        for j in np.flatnonzero(last > first):
            near = rows[first[j] : last[j]]
            benefit = k[j] * worth[near] - costs[near]
            highest = benefit.max(axis=1, keepdims=True)
            winners = benefit == highest
            wins[j] += (winners / winners.sum(axis=1, keepdims=True)).sum(axis=0)
            loss[j] += (highest - benefit).sum(axis=0)
    wins[:, 0] += same.sum() - ((price[same] < 0).sum() + 0.5 * (price[same] == 0).sum())
    return wins, loss


def _running(
    gain: FloatArray, price: FloatArray
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Sums of both over the draws before each place, and over those from it on.

    Each is added up from its own end, so that the sum of a few draws keeps their digits.
    """
    below = tuple(np.concatenate(([0.0], np.cumsum(part))) for part in (gain, price))
    above = tuple(np.concatenate((np.cumsum(part[::-1])[::-1], [0.0])) for part in (gain, price))
    return (below[0], below[1]), (above[0], above[1])


def _check_draws(
    strategies: Sequence[str], costs: FloatArray, qalys: FloatArray
) -> tuple[int, int]:
    if costs.ndim != 2 or costs.shape != qalys.shape or costs.shape[1] != len(strategies):
        raise ValueError(
            f"costs {costs.shape} and qalys {qalys.shape} must both be (draw, strategy) with "
            f"{len(strategies)} strategies"
        )
    if not costs.shape[0]:
        raise ValueError("there are no draws")
    return costs.shape[0], costs.shape[1]


def _unnamed(
    costs: FloatArray, qalys: FloatArray, thresholds: ArrayLike, w: float
) -> Acceptability:
    names = [str(i) for i in range(costs.shape[1])]
    return acceptability(names, costs, qalys, thresholds, w)


def ceac(
    costs: FloatArray, qalys: FloatArray, thresholds: ArrayLike, severity_weight: float = 1.0
) -> FloatArray:
    """Acceptability ``(threshold, strategy)`` of draws ``(draw, strategy)``."""
    return _unnamed(costs, qalys, thresholds, severity_weight).ceac


def ceaf(
    costs: FloatArray, qalys: FloatArray, thresholds: ArrayLike, severity_weight: float = 1.0
) -> FloatArray:
    """Acceptability ``(threshold,)`` of the strategy with the highest mean NMB."""
    return _unnamed(costs, qalys, thresholds, severity_weight).ceaf


def evpi(
    costs: FloatArray, qalys: FloatArray, thresholds: ArrayLike, severity_weight: float = 1.0
) -> FloatArray:
    """Expected value of perfect information ``(threshold,)`` per patient, in currency, >= 0."""
    return _unnamed(costs, qalys, thresholds, severity_weight).evpi


def middle_threshold(thresholds: Sequence[float]) -> float:
    """The threshold that stands for all where one is needed: the middle one, upper of two.

    Examples
    --------
    >>> middle_threshold((50_000, 100_000, 150_000))
    100000.0
    """
    if not thresholds:
        raise ValueError("the study has no thresholds")
    return float(sorted(thresholds)[len(thresholds) // 2])


def threshold_grid(
    costs: FloatArray,
    qalys: FloatArray,
    thresholds: Sequence[float] = (),
    severity_weight: float = 1.0,
    *,
    within: float = 0.05,
    furthest: float = 10.0,
) -> FloatArray:
    """Axis for acceptability curves that reaches to where the curves stop moving.

    The end is the smallest round number past every study threshold and past the point from which
    the CEAC of the strategy with the highest mean QALYs stays within ``within`` of its limit, but
    no more than ``furthest`` times the largest of the study's thresholds and the ICERs of the
    means against the cheapest strategy. 101 to 201 even steps from 0, and the thresholds. The
    last few per cent are left off because draws with hardly any gain move only at ICERs far
    beyond everything else on the axis.

    Parameters
    ----------
    costs, qalys : array ``(draw, strategy)``
        Discounted totals per draw.
    thresholds : sequence of float
        The study's thresholds, all on the axis.
    severity_weight : float
        w of methods 6.2: the axis is in unweighted currency per QALY.

    Returns
    -------
    array ``(threshold,)``
        Rising, without repeats.
    """
    worth = qalys * severity_weight
    settled = _settled(costs, worth, within)
    scale = max([*thresholds, *_positive_ratios(costs.mean(axis=0), worth.mean(axis=0))], default=0)
    if scale > 0:
        settled = min(settled, furthest * scale)
    end = max([settled, *thresholds]) or DEFAULT_AXIS_END
    power = 10.0 ** math.floor(math.log10(end))
    nice = next(m for m in _NICE_ENDS if m * power >= end * (1 - 1e-12))
    step = next(m for m in (0.05, 0.02, 0.01) if nice / m >= 100 - 1e-9)
    count = round(nice / step)
    axis = np.arange(count + 1) * (nice * power) / count
    # Where a study threshold is on the grid, keep it exact and once.
    axis = np.round(axis, 12 - math.floor(math.log10(nice * power)))
    return np.unique(np.concatenate([axis, np.asarray(thresholds, dtype=np.float64)]))


def _settled(costs: FloatArray, qalys: FloatArray, within: float) -> float:
    """Threshold past which at most a share ``within`` of draws still change the top's CEAC."""
    n = len(costs)
    top = int(qalys.mean(axis=0).argmax())
    on_from = np.zeros(n)
    off_from = np.full(n, np.inf)
    for other in range(costs.shape[1]):
        if other == top:
            continue
        dc, dq = costs[:, top] - costs[:, other], qalys[:, top] - qalys[:, other]
        crossing = np.divide(dc, dq, out=np.zeros(n), where=np.abs(dq) >= QALY_TOLERANCE)
        same = np.abs(dq) < QALY_TOLERANCE
        on_from = np.maximum(on_from, np.where(dq > 0, crossing, 0.0))
        off_from = np.minimum(off_from, np.where(dq < 0, crossing, np.inf))
        off_from = np.where(same & (dc > 0), 0.0, off_from)
    # The last threshold at which a draw changes its mind about the top strategy.
    last = np.where(np.isinf(off_from), on_from, np.where(off_from > on_from, off_from, 0.0))
    spared = min(int(within * n), n - 1)
    return float(np.sort(last)[n - 1 - spared])


def _positive_ratios(cost: NDArray[np.float64], qaly: NDArray[np.float64]) -> list[float]:
    """ICERs of the means against the cheapest strategy, where costs and QALYs rise."""
    cheapest = int(cost.argmin())
    ratios = [
        icer(float(c - cost[cheapest]), float(q - qaly[cheapest]))
        for c, q in zip(cost, qaly, strict=True)
    ]
    return [ratio for ratio in ratios if ratio is not None]
