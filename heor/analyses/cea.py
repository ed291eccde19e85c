"""Comparison of strategies: incremental table, pairwise rows, net benefit (methods 6).

Everything here works on plain numbers or arrays ``(draw, strategy)``: it knows nothing of how
costs and QALYs came about, so it serves anybody's PSA output.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from heor.analyses.results import (
    EXTENDEDLY_DOMINATED,
    ON_AXIS,
    ON_FRONTIER,
    QUADRANTS,
    STRICTLY_DOMINATED,
    IncrementalRow,
    PairwiseRow,
)
from heor.spec.parameters import FloatArray

#: Differences in QALYs (or life years) smaller than this are no difference: no ICER.
QALY_TOLERANCE = 1e-9

#: Differences in cost smaller than this are no difference in the words of a pairwise row.
COST_TOLERANCE = 1e-6

#: Two ICERs that differ by less than this share of the larger are equal.
ICER_TOLERANCE = 1e-9


# --- Incremental table -------------------------------------------------------------------------


def incremental_table(
    ids: Sequence[str], costs: Sequence[float] | FloatArray, qalys: Sequence[float] | FloatArray
) -> tuple[IncrementalRow, ...]:
    """Fully incremental analysis with strict and extended dominance (methods 6.1).

    A strategy is dominated when another costs no more and gives at least as many QALYs, one of
    the two strictly (QALYs within 1e-9 are equal). Of the rest, by rising cost, one is extendedly
    dominated while its ICER exceeds the next one's. Equal ICERs stay on the frontier. Strategies
    with the same cost and QALYs share the same result.

    Parameters
    ----------
    ids : sequence of str
        At least two different strategies.
    costs, qalys : sequence of float ``(strategy,)``
        Totals in the order of ``ids``.

    Returns
    -------
    tuple of IncrementalRow
        The frontier in order of QALYs, then the extendedly dominated, then the dominated, each
        by cost.

    Examples
    --------
    >>> [(row.id, row.icer) for row in incremental_table(("old", "new"), (100, 400), (1, 2))]
    [('old', None), ('new', 300.0)]
    """
    cost = [float(c) for c in costs]
    qaly = [float(q) for q in qalys]
    _check_totals(ids, cost, qaly)
    by_cost = sorted(range(len(ids)), key=lambda i: (cost[i], -qaly[i]))
    twin_of = _twins(by_cost, cost, qaly)
    undominated: list[int] = []
    for i in by_cost:
        if not undominated or qaly[i] > qaly[undominated[-1]] + QALY_TOLERANCE:
            undominated.append(i)
    frontier = _lower_hull(undominated, cost, qaly)

    rows = _frontier_rows(ids, cost, qaly, frontier, twin_of)
    for wanted in (EXTENDEDLY_DOMINATED, STRICTLY_DOMINATED):
        for i in by_cost:
            first = twin_of.get(i, i)
            extended = first in undominated
            if first in frontier or (wanted == EXTENDEDLY_DOMINATED) != extended:
                continue
            dominators = (
                _neighbours(first, frontier, cost)
                if extended
                else [k for k in by_cost if _dominates(k, i, cost, qaly)]
            )
            rows.append(
                IncrementalRow(
                    id=ids[i],
                    cost=cost[i],
                    qaly=qaly[i],
                    versus=None,
                    delta_cost=None,
                    delta_qaly=None,
                    icer=None,
                    status=wanted,
                    dominated_by=tuple(ids[k] for k in dominators),
                    note=_twin_note(ids, i, twin_of),
                )
            )
    return tuple(rows)


def _check_totals(ids: Sequence[str], cost: Sequence[float], qaly: Sequence[float]) -> None:
    if len(ids) < 2:
        raise ValueError("an incremental table needs at least two strategies")
    if len(set(ids)) != len(ids):
        raise ValueError("strategy ids must differ")
    if not len(ids) == len(cost) == len(qaly):
        raise ValueError(f"{len(ids)} ids, {len(cost)} costs and {len(qaly)} QALYs do not match")
    for name, c, q in zip(ids, cost, qaly, strict=True):
        if not (math.isfinite(c) and math.isfinite(q)):
            raise ValueError(f"strategy {name}: cost {c} and QALYs {q} must be finite numbers")


def _twins(by_cost: list[int], cost: list[float], qaly: list[float]) -> dict[int, int]:
    """Map each repeated strategy to the first in table order with the same cost and QALYs."""
    twins: dict[int, int] = {}
    start = 0
    for end in range(1, len(by_cost) + 1):
        head = by_cost[start]
        if (
            end < len(by_cost)
            and cost[by_cost[end]] == cost[head]
            and qaly[head] - qaly[by_cost[end]] <= QALY_TOLERANCE
        ):
            continue
        group = by_cost[start:end]
        for i in group:
            if i != head:
                twins[i] = head
        start = end
    return twins


def _dominates(k: int, i: int, cost: list[float], qaly: list[float]) -> bool:
    return (
        cost[k] <= cost[i]
        and qaly[k] >= qaly[i] - QALY_TOLERANCE
        and (cost[k] < cost[i] or qaly[k] > qaly[i] + QALY_TOLERANCE)
    )


def _lower_hull(undominated: list[int], cost: list[float], qaly: list[float]) -> list[int]:
    """Drop strategies whose ICER exceeds the next; equal ICERs (to 1e-9) stay."""

    def ratio(low: int, high: int) -> float:
        return (cost[high] - cost[low]) / (qaly[high] - qaly[low])

    hull: list[int] = []
    for new in undominated:
        while len(hull) >= 2:
            before, after = ratio(hull[-2], hull[-1]), ratio(hull[-1], new)
            if before <= after or _equal_ratios(before, after):
                break
            hull.pop()
        hull.append(new)
    return hull


def _equal_ratios(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=ICER_TOLERANCE)


def _neighbours(i: int, frontier: list[int], cost: list[float]) -> list[int]:
    above = next(place for place, k in enumerate(frontier) if cost[k] > cost[i])
    return [frontier[above - 1], frontier[above]]


def _twin_note(ids: Sequence[str], i: int, twin_of: Mapping[int, int]) -> str:
    head = twin_of.get(i, i)
    others = [ids[k] for k in sorted({head, *twin_of}) if k != i and twin_of.get(k, k) == head]
    return f"same cost and QALYs as {', '.join(others)}" if others else ""


def _frontier_rows(
    ids: Sequence[str],
    cost: list[float],
    qaly: list[float],
    frontier: list[int],
    twin_of: Mapping[int, int],
) -> list[IncrementalRow]:
    rows: list[IncrementalRow] = []
    previous: int | None = None
    last_icer: float | None = None
    for head in frontier:
        delta_cost = delta_qaly = icer = None
        note = ""
        if previous is not None:
            delta_cost, delta_qaly = cost[head] - cost[previous], qaly[head] - qaly[previous]
            icer = delta_cost / delta_qaly
            if last_icer is not None and _equal_ratios(icer, last_icer):
                note = (
                    f"same ICER as {ids[previous]}, which stays on the frontier although no "
                    "threshold makes it the only best choice"
                )
        same = sorted(k for k in range(len(ids)) if twin_of.get(k, k) == head)
        for i in same:
            notes = [text for text in (note, _twin_note(ids, i, twin_of)) if text]
            rows.append(
                IncrementalRow(
                    id=ids[i],
                    cost=cost[i],
                    qaly=qaly[i],
                    versus=None if previous is None else ids[previous],
                    delta_cost=delta_cost,
                    delta_qaly=delta_qaly,
                    icer=icer,
                    status=ON_FRONTIER,
                    dominated_by=(),
                    note="; ".join(notes),
                )
            )
        previous, last_icer = head, icer
    return rows


# --- Pairwise ----------------------------------------------------------------------------------


def quadrant(delta_cost: float, delta_qaly: float) -> str:
    """Quadrant of the cost-effectiveness plane: NE, SE, SW, NW or "on axis"."""
    if abs(delta_qaly) < QALY_TOLERANCE or abs(delta_cost) < COST_TOLERANCE:
        return ON_AXIS
    north_south = "N" if delta_cost > 0 else "S"
    return north_south + ("E" if delta_qaly > 0 else "W")


def quadrant_shares(delta_cost: FloatArray, delta_qaly: FloatArray) -> dict[str, float]:
    """Shares of draws in each quadrant and on an axis; arrays ``(draw,)``; the shares sum to 1."""
    on_axis = (np.abs(delta_qaly) < QALY_TOLERANCE) | (np.abs(delta_cost) < COST_TOLERANCE)
    north, east = delta_cost > 0, delta_qaly > 0
    inside = ~on_axis
    members = (north & east, ~north & east, ~north & ~east, north & ~east)
    shares = {
        name: float(np.mean(inside & member))
        for name, member in zip(QUADRANTS, members, strict=True)
    }
    shares[ON_AXIS] = float(np.mean(on_axis))
    return shares


def icer(delta_cost: float, delta_qaly: float) -> float | None:
    """ΔC/ΔQALY where both rise, else None: elsewhere the bare ratio misleads (methods 6.2)."""
    return delta_cost / delta_qaly if quadrant(delta_cost, delta_qaly) == "NE" else None


def status_words(delta_cost: float, delta_qaly: float, currency: str = "") -> str:
    """Say in words how a strategy compares; never a negative ratio (methods 6.2).

    Examples
    --------
    >>> status_words(-5_000, -0.25, "USD")
    'less costly, less effective: saves USD 20,000 per QALY forgone'
    >>> status_words(5_000, -0.25)
    'dominated'
    """
    where = quadrant(delta_cost, delta_qaly)
    if where == "NE":
        return "more costly, more effective"
    if where == "SE":
        return "dominant"
    if where == "NW":
        return "dominated"
    if where == "SW":
        amount = f"{currency} {delta_cost / delta_qaly:,.0f}".strip()
        return f"less costly, less effective: saves {amount} per QALY forgone"
    if abs(delta_qaly) >= QALY_TOLERANCE:
        more = delta_qaly > 0
        return "dominant: same cost, more QALYs" if more else "dominated: same cost, fewer QALYs"
    if abs(delta_cost) >= COST_TOLERANCE:
        more = delta_cost > 0
        return "dominated: same QALYs, more costly" if more else "dominant: same QALYs, less costly"
    return "no difference in cost or QALYs"


def nmb(
    cost: ArrayLike, qaly: ArrayLike, threshold: float, severity_weight: float = 1.0
) -> FloatArray:
    """Net monetary benefit k·w·Q − C, of any shape, in currency (methods 6.2)."""
    worth = threshold * severity_weight * np.asarray(qaly, dtype=np.float64)
    return np.asarray(worth - np.asarray(cost, dtype=np.float64), dtype=np.float64)


def net_benefits(
    cost: float, qaly: float, thresholds: Sequence[float], severity_weight: float = 1.0
) -> tuple[tuple[float, ...], tuple[float | None, ...]]:
    """Net monetary (currency) and net health benefit (QALYs; None at k = 0) per threshold."""
    money = tuple(k * severity_weight * qaly - cost for k in thresholds)
    health = tuple(severity_weight * qaly - cost / k if k else None for k in thresholds)
    return money, health


def pairwise(
    strategy: str,
    versus: str,
    *,
    delta_cost: float,
    delta_qaly: float,
    delta_ly: float | None = None,
    evlyg: float | None = None,
    undiscounted: tuple[float, float, float] | None = None,
    thresholds: Sequence[float] = (),
    severity_weight: float = 1.0,
    currency: str = "",
) -> PairwiseRow:
    """Compare one strategy with the reference (methods 6.2).

    Parameters
    ----------
    strategy, versus : str
        Ids.
    delta_cost, delta_qaly, delta_ly, evlyg : float
        Discounted increments; the last two may be unknown.
    undiscounted : tuple of three floats, optional
        ΔC, ΔQALY and ΔLY undiscounted.
    thresholds : sequence of float
        Currency per QALY.
    severity_weight : float
        Weight w on QALYs in net benefit; the ICER is reported without it.
    currency : str
        For the words.
    """
    where = quadrant(delta_cost, delta_qaly)
    inmb, inhb = net_benefits(delta_cost, delta_qaly, thresholds, severity_weight)
    plain = undiscounted or (None, None, None)
    return PairwiseRow(
        id=strategy,
        versus=versus,
        delta_cost=delta_cost,
        delta_qaly=delta_qaly,
        delta_ly=delta_ly,
        delta_cost_undiscounted=plain[0],
        delta_qaly_undiscounted=plain[1],
        delta_ly_undiscounted=plain[2],
        evlyg=evlyg,
        icer=icer(delta_cost, delta_qaly),
        cost_per_ly=None if delta_ly is None else icer(delta_cost, delta_ly),
        cost_per_evlyg=None if evlyg is None else icer(delta_cost, evlyg),
        saving_per_qaly_forgone=delta_cost / delta_qaly if where == "SW" else None,
        quadrant=where,
        status=status_words(delta_cost, delta_qaly, currency),
        thresholds=tuple(thresholds),
        inmb=inmb,
        inhb=inhb,
        severity_weight=severity_weight,
    )
