"""Sums over all cycles from a few times (methods 3.4).

Between the nodes of a Chebyshev grid in ln t a smooth curve is its interpolating polynomial to
rounding. A weighted sum over cycle boundaries is then the same weights, carried over to the nodes
once, times the curve at the nodes: the sum over cycles, not an integral. Draws with a curve that
crosses another, or that the polynomial does not follow, are told by `Nodes.unresolved` and go over
all boundaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heor.engine.timeline import Timeline
from heor.engine.trace import StrategyTrace, Tracer
from heor.spec.parameters import FloatArray
from heor.spec.records import ALL_CAUSE, PARTITIONED, Curve, Spec

#: Boundaries after 0 that are nodes themselves; curves may do anything there.
DIRECT = 12

#: Nodes of a segment, and how many times as late a segment ends as it begins.
NODES, RATIO = 20, 3.0

#: Largest of a curve's last two Chebyshev coefficients in any segment: where the polynomial still
#: has more to say, it does not follow the curve.
CERTIFIED = 1e-10

#: Fewer boundaries than this many times the nodes are evaluated as they are.
WORTH = 3

#: Families that are smooth for t > 0.
SMOOTH = frozenset(
    ("exponential", "weibull", "gompertz", "loglogistic", "lognormal", "gamma", "gengamma", "genf")
)

#: Columns of a curve that leave it smooth. Any other that is filled in keeps the study away.
_PLAIN = frozenset(
    (
        *("id", "strategy", "endpoint", "group", "weight", "family", "parameters", "time_unit"),
        *("acceleration", "hazard_ratio", "cure_fraction", "hazard", "use", "source", "place"),
        *("average_weight", "aic", "bic", "bic_events", "fit_data"),
    )
)


class Nodes(Timeline):
    """Times that stand for all boundaries of a timeline.

    Parameters
    ----------
    spec : Spec
        The study.

    Attributes
    ----------
    years : array ``(node,)``
        Boundaries 0 to `DIRECT`, the Chebyshev nodes of each segment, the last boundary; rising.
    cycles : int
        Nodes less one, so that arrays of a curve have a column a node.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec.settings)
        self._all = Timeline(spec.settings)
        last = self._all.cycles
        edges = _edges(last)
        angle = (2 * np.arange(NODES)[::-1] + 1) * np.pi / (2 * NODES)
        points = np.cos(angle)
        columns = DIRECT + 1 + NODES * (len(edges) - 1) + 1
        carry = np.zeros((last + 1, columns))
        carry[: DIRECT + 1, : DIRECT + 1] = np.eye(DIRECT + 1)
        position = [np.arange(DIRECT + 1, dtype=np.float64)]
        for number, (before, end) in enumerate(pairwise(edges)):
            low, high = np.log(before + 1), np.log(end)
            inside = np.arange(before + 1, end + 1)
            place = 2 * (np.log(inside) - low) / (high - low) - 1
            first = DIRECT + 1 + NODES * number
            carry[inside, first : first + NODES] = _interpolation(place, points, np.sin(angle))
            position.append(np.exp(low + (points + 1) / 2 * (high - low)))
        carry[last] = np.eye(columns)[-1]
        self._carry = carry
        self.years = np.concatenate((*position, [last])) * self.length
        self.cycles = columns - 1
        degree = np.array([NODES - 2, NODES - 1])
        self._last_two = np.cos(degree[:, None] * angle) * (2 / NODES)

    def project(self, weights: FloatArray) -> FloatArray:
        """Carry weights of all boundaries ``(cycle + 1,)`` over to the nodes ``(node,)``."""
        carried: FloatArray = np.einsum("k,kn->n", weights, self._carry)
        return carried

    def person_years(self) -> FloatArray:
        """Undiscounted person-time, on the nodes."""
        return self.project(self._all.person_years())

    def unresolved(self, trace: StrategyTrace, tracer: Tracer) -> NDArray[np.bool_]:
        """Draws whose curves nodes do not settle, ``(draw,)``.

        Those with a curve that no polynomial follows, and those where one curve crosses another at
        a node or comes so near to it between nodes that it might.
        """
        bad = np.array(trace.crossing_cycles > 0, dtype=np.bool_)
        for curve in trace.group_curves.values():
            parts = curve[:, DIRECT + 1 : -1].reshape(len(curve), -1, NODES)
            for degree in self._last_two:
                coefficient = np.einsum("dsn,n->ds", parts, degree)
                largest = np.abs(coefficient, out=coefficient).max(axis=1)
                np.logical_or(bad, ~(largest <= CERTIFIED), out=bad)
        for low, high in tracer.neighbours(trace):
            if low is not high:
                gap = high - low
                falls = gap[:, 1:] < gap[:, :-1]
                turns = np.flatnonzero((falls[:, :-1] > falls[:, 1:]).any(axis=1))
                bad[turns] = np.logical_or(bad[turns], _may_cross(gap[turns]))
        return bad


def _may_cross(gap: FloatArray) -> NDArray[np.bool_]:
    """Draws in which a gap ``(draw, node)`` has a valley that might reach below 0."""
    left, middle, right = gap[:, :-2], gap[:, 1:-1], gap[:, 2:]
    valley = (middle < left) & (middle <= right)
    deep = valley & (2 * middle < np.maximum(left, right))
    return np.asarray(deep.any(axis=1), dtype=np.bool_)


def nodes_for(spec: Spec, keep: Sequence[str] | None, years: Sequence[float]) -> Nodes | None:
    """Nodes for a study all of whose wanted outcomes are sums of smooth curves; None for others."""
    settings = spec.settings
    smooth = (
        keep is not None
        and "evly" not in keep
        and not years
        and settings.structure == PARTITIONED
        and settings.background_mortality == "none"
        and settings.utility_cap == "none"
        and not settings.age_adjusted_utilities
        and all(_smooth(curve) for curve in _used(spec))
    )
    last = Timeline(settings).cycles
    if not smooth or last < WORTH * (DIRECT + 2 * NODES):
        return None
    nodes = Nodes(spec)
    return nodes if last >= WORTH * len(nodes.years) else None


def _used(spec: Spec) -> Iterator[Curve]:
    for strategy in spec.strategy_ids():
        yield from spec.curves_in_use(strategy)


def _smooth(curve: Curve) -> bool:
    others = (getattr(curve, field.name) for field in fields(curve) if field.name not in _PLAIN)
    # an excess hazard takes on the life table's bends
    return curve.family in SMOOTH and curve.hazard == ALL_CAUSE and not any(others)


def _edges(last: int) -> list[int]:
    """Last boundaries of the segments, after `DIRECT`; the last one is no short rest."""
    count = max(1, round(np.log(last / DIRECT) / np.log(RATIO)))
    return [round(DIRECT * (last / DIRECT) ** (i / count)) for i in range(count + 1)]


def _interpolation(place: FloatArray, points: FloatArray, weight: FloatArray) -> FloatArray:
    """Barycentric interpolation from Chebyshev points of the first kind, ``(place, point)``."""
    signed = weight * (-1.0) ** np.arange(len(points))
    apart = place[:, None] - points
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix: FloatArray = signed / apart
        matrix /= matrix.sum(axis=1, keepdims=True)
    met = apart == 0
    rows = met.any(axis=1)
    matrix[rows] = met[rows]
    return matrix
