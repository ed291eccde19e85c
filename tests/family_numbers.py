"""Survival families by name, and their numbers as workbooks lay them out, from definitions."""

from __future__ import annotations

import math
from collections.abc import Mapping

from heor.engine.survival import CURVES, family_of
from heor.engine.survival_family import Family
from heor.spec.records import Spec

#: A few splines, named as `family_called` reads them.
SPLINES = (
    *(f"spline {scale} {knots}" for scale in ("hazard", "odds", "normal") for knots in (2, 3)),
    "spline hazard 7",
    "spline odds 5",
)

#: Every family with a formula, and a few splines.
FAMILIES = (*CURVES, *SPLINES)


def family_called(name: str) -> Family:
    """Give a family by its name; a spline is called ``spline odds 4`` by scale and knots."""
    kind, _, rest = name.partition(" ")
    scale, _, knots = rest.partition(" ")
    return family_of(kind, scale, int(knots)) if rest else CURVES[kind]


def most_knots(spec: Spec) -> dict[str, int]:
    """Knots of the largest spline of a study, of curves (p) and after progression (q)."""
    return {
        "p": max([len(c.parameters) // 2 for c in spec.curves if c.family == "spline"], default=0),
        "q": max(
            [len(c.pps_parameters) // 2 for c in spec.curves if c.pps_family == "spline"], default=0
        ),
    }


def family_numbers(family: str, values: Mapping[str, float], most: int) -> list[float]:
    """Parameters in their order, then what formulas repeat of them.

    A spline of fewer knots than ``most`` has gammas of 0 and repeats its last knot.
    """
    found = list(values.values())
    if family == "genf":
        _, _, q, p = found
        delta = math.sqrt(q * q + 2 * p)
        return [*found, delta, 2 / (delta**2 + q * delta), 2 / (delta**2 - q * delta)]
    if family != "spline":
        return found
    count = len(found) // 2
    gammas = found[:count] + [0.0] * (most - count)
    knots = found[count:] + [found[-1]] * (most - count)
    if most == 2:
        return gammas + knots
    low, high = knots[0], knots[-1]
    shares = [(high - knot) / (high - low) for knot in knots[1:-1]]
    pairs = list(zip(gammas[2:], shares, strict=True))
    sums = [sum(g * s for g, s in pairs), sum(g * (1 - s) for g, s in pairs)]
    return [*gammas, *knots, *sums]
