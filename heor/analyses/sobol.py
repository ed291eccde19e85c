"""First and total Sobol indices of every factor, through SALib (methods 7.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heor.analyses.ceac import middle_threshold
from heor.analyses.factors import Factor, factors_of
from heor.analyses.importance import OUTCOMES
from heor.engine.evaluate import evaluate
from heor.errors import HeorError
from heor.spec import draws as draw_sets
from heor.spec.parameters import FloatArray
from heor.spec.records import Spec

#: Most rows of a design; their inputs are held at once.
MOST_ROWS = 1_000_000

#: Bootstrap samples of the confidence intervals, and how much they are to hold.
RESAMPLES, CONFIDENCE = 200, 0.95

_LEAST = 2.0**-53


@dataclass(frozen=True, slots=True, kw_only=True)
class SobolIndex:
    """First and total index of one factor, each with half of its 95% interval."""

    factor: Factor
    first: float
    first_half: float
    total: float
    total_half: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SobolResult:
    """Sobol indices of a study.

    Attributes
    ----------
    base : int
        Points of each of the two samples; a power of 2.
    evaluations : int
        base × (factors + 2).
    seed : int
    threshold : float
        Of net benefit, in currency per QALY.
    indices : mapping of (str, str) to tuple of SobolIndex
        By strategy and outcome, in table order of the factors.
    """

    base: int
    evaluations: int
    seed: int
    threshold: float
    indices: Mapping[tuple[str, str], tuple[SobolIndex, ...]]


def run(
    spec: Spec,
    base: int,
    threshold: float | None = None,
    seed: int | None = None,
    workers: int = 1,
) -> SobolResult:
    """Evaluate a Saltelli design and give the indices of net benefit, cost and QALYs.

    Parameters
    ----------
    spec : Spec
        The study.
    base : int
        Points of each sample, a power of 2.
    threshold : float, optional
        Currency per QALY; the study's middle one when left out.
    seed : int, optional
        Of the scrambling; that of the study's probabilistic analysis when left out.
    workers : int
        Threads.

    Raises
    ------
    HeorError
        When SALib is missing, nothing is uncertain, or the design would be too large.
    """
    import_salib()
    factors = factors_of(spec)
    if not factors:
        raise HeorError("the study has no uncertain parameters")
    rows = base * (len(factors) + 2)
    if rows > MOST_ROWS:
        raise HeorError(
            f"{base:,} points and {len(factors)} factors need {rows:,} evaluations, more than "
            f"{MOST_ROWS:,}; ask for fewer points"
        )
    seed = spec.settings.psa_seed if seed is None else seed
    shown = middle_threshold(spec.settings.thresholds) if threshold is None else threshold
    problem, points = design(factors, base, seed)
    found = evaluate(spec, draw_sets.at(spec, points), workers=workers, keep=("cost", "qaly"))
    indices = {}
    for strategy in found.strategies:
        if strategy == found.reference:
            continue
        cost, qaly = (
            found.of(strategy, name) - found.of(found.reference, name) for name in ("cost", "qaly")
        )
        benefit = shown * spec.settings.severity_weight * qaly - cost
        for outcome, values in zip(OUTCOMES, (benefit, cost, qaly), strict=True):
            indices[strategy, outcome] = analyse(factors, problem, values, seed)
    return SobolResult(base=base, evaluations=rows, seed=seed, threshold=shown, indices=indices)


def import_salib() -> Any:
    """Import SALib, or say how to install it."""
    try:
        import SALib
    except ImportError as error:
        raise HeorError(
            'Sobol indices need SALib, which is not installed; run: pip install "heor[voi]" '
            '(in a checkout of heor: pip install ".[voi]").'
        ) from error
    return SALib


def design(
    factors: Sequence[Factor], base: int, seed: int
) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    """Saltelli's design on the unit cube, and the uniform numbers of every parameter.

    Parameters of the table ``draws`` share one number, as they share their row.
    """
    from SALib.sample import sobol

    names, groups, takers = [], [], []
    for number, factor in enumerate(factors):
        whole = factor.together == "rows"
        for members in [factor.parameters] if whole else [(p,) for p in factor.parameters]:
            names.append(members[0])
            groups.append(f"{number:06d}")
            takers.append(members)
    problem = {
        "num_vars": len(names),
        "names": names,
        "groups": groups,
        "bounds": [[0.0, 1.0]] * len(names),
    }
    table = sobol.sample(problem, base, calc_second_order=False, scramble=True, seed=seed)
    table = np.clip(table, _LEAST, 1 - _LEAST)
    return problem, {
        taker: np.ascontiguousarray(table[:, column])
        for column, members in enumerate(takers)
        for taker in members
    }


def analyse(
    factors: Sequence[Factor], problem: dict[str, Any], y: FloatArray, seed: int
) -> tuple[SobolIndex, ...]:
    """Indices of one result ``(row,)`` of the design; zeros where it does not vary."""
    from SALib.analyze import sobol

    if not np.ptp(y) > 0:
        return tuple(
            SobolIndex(factor=f, first=0.0, first_half=0.0, total=0.0, total_half=0.0)
            for f in factors
        )
    found = sobol.analyze(
        problem,
        y,
        calc_second_order=False,
        num_resamples=RESAMPLES,
        conf_level=CONFIDENCE,
        seed=seed,
    )
    return tuple(
        SobolIndex(
            factor=factor,
            first=float(found["S1"][i]),
            first_half=float(found["S1_conf"][i]),
            total=float(found["ST"][i]),
            total_half=float(found["ST_conf"][i]),
        )
        for i, factor in enumerate(factors)
    )
