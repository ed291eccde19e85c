"""What drives the spread of results over the draws: shares of variance by input (methods 7.9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from heor.analyses.ceac import middle_threshold
from heor.analyses.factors import Factor, factors_of
from heor.analyses.psa_results import PsaResult
from heor.errors import HeorError
from heor.spec.parameters import FloatArray
from heor.spec.records import Spec

#: Outcomes whose spread is explained.
OUTCOMES = ("inmb", "delta_cost", "delta_qaly")

#: Pieces of the broken line along one input, and fewest draws in a piece.
PIECES, FEWEST = 16, 12

#: Most inputs of a cubic surface.
MOST_CUBIC = 5

#: Parts of the draws that are left out in turn for standard errors.
PARTS = 20

#: Columns of inputs that depend on others beyond this are left out of the regression.
_DEPENDENT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much of the variance of one result one factor explains.

    Attributes
    ----------
    factor : Factor
    share, share_se : float
        Analysis of covariance: what R² of the linear regression on all inputs falls by without
        this factor, and its jackknife standard error.
    first, first_se : float
        Variance explained by the factor alone, of any form: its first-order index.
    src : float or None
        Standardised regression coefficient; None for several parameters.
    rank, rank_se : float or None
        Spearman's rank correlation with the result, and its standard error.
    """

    factor: Factor
    share: float
    share_se: float
    first: float
    first_se: float
    src: float | None
    rank: float | None
    rank_se: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One result of one comparison: ``rows`` by falling ``first``; ``sd`` is over the draws.

    ``r2`` is of the linear regression on all inputs; ``shared`` is what it explains that no factor
    explains alone (below 0 where inputs that are correlated by chance work against each other).
    """

    id: str
    versus: str
    outcome: str
    sd: float
    r2: float
    shared: float
    rows: tuple[Importance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceResult:
    """Shares of variance of a probabilistic analysis.

    Attributes
    ----------
    draws : int
    threshold : float
        Of net benefit, in currency per QALY.
    results : tuple of Explained
        By comparison, then in the order of `OUTCOMES`.
    """

    draws: int
    threshold: float
    results: tuple[Explained, ...]

    def of(self, strategy: str, outcome: str) -> Explained:
        """One result of one strategy against the reference."""
        return next(r for r in self.results if (r.id, r.outcome) == (strategy, outcome))


def run(spec: Spec, psa: PsaResult, threshold: float | None = None) -> ImportanceResult:
    """Explain the variance of net benefit, extra cost and QALYs gained.

    Parameters
    ----------
    spec : Spec
        The study.
    psa : PsaResult
        Its probabilistic analysis, with the inputs of every draw.
    threshold : float, optional
        Currency per QALY; the study's middle one when left out.

    Raises
    ------
    HeorError
        When there are too few draws for the regression, or their inputs were not kept.
    """
    shown = middle_threshold(spec.settings.thresholds) if threshold is None else threshold
    factors = _varying(spec, psa)
    inputs = sum(len(factor.parameters) for factor in factors)
    fewest = fewest_draws(inputs)
    if len(psa.draws) < psa.n:
        raise HeorError(f"the inputs of {psa.n:,} draws are not kept; ask for fewer draws")
    if len(psa.outcomes.strategies) < 2:
        raise HeorError("with one strategy there is no difference whose spread could be explained")
    if not factors:
        raise HeorError("no input varies over the draws")
    if psa.n < fewest:
        raise HeorError(
            f"{psa.n:,} draws are too few to explain their spread by {inputs} inputs; at least "
            f"{fewest:,} are needed"
        )
    outcomes, weight = psa.outcomes, spec.settings.severity_weight
    names, columns = [], []
    for strategy in outcomes.strategies:
        if strategy == outcomes.reference:
            continue
        cost, qaly = (
            outcomes.of(strategy, name) - outcomes.of(outcomes.reference, name)
            for name in ("cost", "qaly")
        )
        for outcome, values in zip(
            OUTCOMES, (shown * weight * qaly - cost, cost, qaly), strict=True
        ):
            names.append((strategy, outcome))
            columns.append(values)
    explained = explain(
        factors, [[psa.draws.values[p] for p in f.parameters] for f in factors], columns
    )
    return ImportanceResult(
        draws=psa.n,
        threshold=shown,
        results=tuple(
            Explained(
                id=strategy,
                versus=outcomes.reference,
                outcome=outcome,
                sd=float(values.std(ddof=1)),
                r2=r2,
                shared=r2 - math.fsum(row.share for row in rows),
                rows=tuple(sorted(rows, key=lambda row: -row.first)),
            )
            for (strategy, outcome), values, (r2, rows) in zip(
                names, columns, explained, strict=True
            )
        ),
    )


def possible(spec: Spec, psa: PsaResult) -> bool:
    """Whether strategies differ, something varies, and there are enough draws with inputs."""
    inputs = sum(len(factor.parameters) for factor in _varying(spec, psa))
    if len(psa.outcomes.strategies) < 2:
        return False
    return inputs > 0 and fewest_draws(inputs) <= psa.n == len(psa.draws)


def _varying(spec: Spec, psa: PsaResult) -> list[Factor]:
    return [
        factor
        for factor in factors_of(spec)
        if any(np.ptp(psa.draws.values[name]) > 0 for name in factor.parameters)
    ]


def fewest_draws(inputs: int) -> int:
    """Fewest draws for a regression on so many inputs with a part of the draws left out."""
    return max(2 * FEWEST, math.ceil((inputs + 3) * PARTS / (PARTS - 1)))


def explain(
    factors: Sequence[Factor],
    inputs: Sequence[Sequence[FloatArray]],
    results: Sequence[FloatArray],
) -> list[tuple[float, list[Importance]]]:
    """R² and the importance of every factor, for each of ``results``.

    Parameters
    ----------
    factors : sequence of Factor
    inputs : sequence of sequences of array ``(draw,)``
        Columns of each factor.
    results : sequence of array ``(draw,)``
    """
    y = np.column_stack(results)
    y = y - y.mean(axis=0)
    spread = y.std(axis=0)
    y = np.divide(y, spread, out=np.zeros_like(y), where=spread > 0)
    of_factor = np.repeat(np.arange(len(factors)), [len(columns) for columns in inputs])
    x = np.column_stack([column for columns in inputs for column in columns])
    x = x - x.mean(axis=0)
    scale = x.std(axis=0)
    x = np.divide(x, scale, out=np.zeros_like(x), where=scale > 0)
    kept = _independent(x)
    r2, shares, some = _shares(
        x[:, kept].T @ x[:, kept], x[:, kept].T @ y, (y * y).sum(axis=0), of_factor[kept], of_factor
    )
    coefficients = np.zeros((x.shape[1], y.shape[1]))
    coefficients[kept] = some
    errors = _jackknife(x[:, kept], y, of_factor[kept], of_factor)
    ranked = np.column_stack([_ranks(column) for column in y.T])
    ranks = np.array([_ranks(column) @ ranked for column in x.T])
    firsts = np.array([_first(columns, y) for columns in inputs])
    found = []
    for j in range(y.shape[1]):
        rows = []
        for i, factor in enumerate(factors):
            single = len(factor.parameters) == 1
            place = int(np.flatnonzero(of_factor == i)[0])
            rank = float(ranks[place, j]) if single else None
            first = float(firsts[i, j])
            rows.append(
                Importance(
                    factor=factor,
                    share=float(shares[i, j]),
                    share_se=float(errors[i, j]),
                    first=first,
                    first_se=2 * math.sqrt(first) * (1 - first) / math.sqrt(len(y)),
                    src=float(coefficients[place, j]) if single else None,
                    rank=rank,
                    rank_se=None if rank is None else rank_error(rank, len(y)),
                )
            )
        found.append((float(r2[j]), rows))
    return found


def rank_error(rank: float, n: int) -> float:
    """Standard error of a rank correlation (Bonett & Wright 2000, doi 10.1007/BF02294183)."""
    return (1 - rank * rank) * math.sqrt((1 + rank * rank / 2) / max(n - 3, 1))


def _independent(x: FloatArray) -> NDArray[np.bool_]:
    """Which columns a regression can tell apart from those before them, as booleans."""
    _, triangle, order = linalg.qr(x.T @ x, pivoting=True)
    sizes = np.abs(np.diag(triangle))
    kept = np.zeros(x.shape[1], dtype=bool)
    kept[order[sizes > _DEPENDENT * max(float(sizes[0]), 1e-300)]] = True
    return kept


def _shares(
    gram: FloatArray,
    moment: FloatArray,
    total: FloatArray,
    of_column: NDArray[np.intp],
    of_factor: NDArray[np.intp],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """R² ``(result,)``, shares ``(factor, result)``, coefficients ``(column, result)``."""
    inverse = linalg.inv(gram)
    b = inverse @ moment
    safe = np.where(total > 0, total, 1.0)
    r2 = (b * moment).sum(axis=0) / safe
    shares = np.zeros((int(of_factor.max()) + 1, moment.shape[1]))
    sizes = np.bincount(of_column)
    alone = sizes[of_column] == 1
    shares[of_column[alone]] = b[alone] ** 2 / np.diag(inverse)[alone, None] / safe
    for i in np.flatnonzero(sizes > 1):
        mine = np.flatnonzero(of_column == i)
        part = linalg.solve(inverse[np.ix_(mine, mine)], b[mine])
        shares[i] = (b[mine] * part).sum(axis=0) / safe
    return r2, shares, b


def _jackknife(
    x: FloatArray, y: FloatArray, of_column: NDArray[np.intp], of_factor: NDArray[np.intp]
) -> FloatArray:
    """Standard errors of the shares ``(factor, result)``, each part of the draws left out once."""
    x = np.column_stack([np.ones(len(x)), x])
    parts = [slice(part[0], part[-1] + 1) for part in np.array_split(np.arange(len(x)), PARTS)]
    grams = np.array([x[p].T @ x[p] for p in parts])
    moments = np.array([x[p].T @ y[p] for p in parts])
    squares = np.array([(y[p] ** 2).sum(axis=0) for p in parts])
    sums = np.array([y[p].sum(axis=0) for p in parts])
    found = []
    for out in range(PARTS):
        gram, moment = grams.sum(axis=0) - grams[out], moments.sum(axis=0) - moments[out]
        n = gram[0, 0]
        centred = gram[1:, 1:] - np.outer(gram[1:, 0], gram[0, 1:]) / n
        total_y = sums.sum(axis=0) - sums[out]
        cross = moment[1:] - np.outer(gram[1:, 0], total_y) / n
        total = squares.sum(axis=0) - squares[out] - total_y**2 / n
        found.append(_shares(centred, cross, total, of_column, of_factor)[1])
    shares = np.array(found)
    deviation = shares - shares.mean(axis=0)
    error: FloatArray = np.sqrt((PARTS - 1) / PARTS * (deviation**2).sum(axis=0))
    return error


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks of unit length about 0, ties sharing the mean of theirs; zeros for equal values."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.concatenate([starts, [len(values)]]))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (sizes - 1) / 2, sizes)
    ranks -= ranks.mean()
    length = float(np.sqrt(ranks @ ranks))
    result: FloatArray = ranks / length if length > 0 else ranks
    return result


def _first(columns: Sequence[FloatArray], y: FloatArray) -> FloatArray:
    """First-order index of one factor ``(result,)`` of standardised results ``(draw, result)``."""
    if len(columns) == 1:
        return broken_line(columns[0], y)
    return surface(np.column_stack(columns), y)


def surface(x: FloatArray, y: FloatArray) -> FloatArray:
    """Share of the variance of results that a cubic surface of several inputs explains.

    All products of up to three inputs, of up to two where there are more than five inputs;
    corrected for the number of terms, never below 0.

    Parameters
    ----------
    x : array ``(draw, input)``
    y : array ``(draw, result)``
    """
    sd = x.std(axis=0)
    z = np.divide(x - x.mean(axis=0), sd, out=np.zeros_like(x), where=sd > 0)
    degree = 3 if z.shape[1] <= MOST_CUBIC else 2
    terms = [
        z[:, list(places)].prod(axis=1)
        for order in range(1, degree + 1)
        for places in combinations_with_replacement(range(z.shape[1]), order)
    ]
    columns = np.column_stack(terms)
    columns = columns[:, : max(1, len(x) // FEWEST)]
    columns = columns - columns.mean(axis=0)
    centred = y - y.mean(axis=0)
    weights, _, rank, _ = np.linalg.lstsq(columns, centred, rcond=1e-10)
    left = ((centred - columns @ weights) ** 2).sum(axis=0)
    whole = (centred**2).sum(axis=0)
    return _corrected(left, whole, len(x), 1 + int(rank))


def broken_line(x: FloatArray, y: FloatArray) -> FloatArray:
    """Share of the variance of results that a function of one input explains, ``(result,)``.

    A straight line in each of up to `PIECES` pieces with equally many draws, corrected for the
    number of its terms, never below 0.

    Parameters
    ----------
    x : array ``(draw,)``
    y : array ``(draw, result)``
    """
    n = len(x)
    pieces = max(1, min(PIECES, n // FEWEST))
    size = n // pieces
    order = np.argsort(x, kind="stable")
    extra = n - size * pieces
    left, terms = np.zeros(y.shape[1]), 0
    # the first pieces take one draw more, so that all have their place in one array
    for rows, length in (
        (order[: extra * (size + 1)], size + 1),
        (order[extra * (size + 1) :], size),
    ):
        if not len(rows):
            continue
        u, v = x[rows].reshape(-1, length), y[rows].reshape(-1, length, y.shape[1])
        u = u - u.mean(axis=1, keepdims=True)
        v = v - v.mean(axis=1, keepdims=True)
        size_u = (u * u).sum(axis=1)
        slope = np.einsum("pi,pij->pj", u, v)
        explained = np.divide(
            slope**2, size_u[:, None], out=np.zeros_like(slope), where=size_u[:, None] > 0
        )
        left += ((v * v).sum(axis=1) - explained).sum(axis=0)
        terms += len(u) + int((size_u > 0).sum())
    whole = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    return _corrected(left, whole, n, terms)


def _corrected(left: FloatArray, whole: FloatArray, n: int, terms: int) -> FloatArray:
    """R² from sums of squares, corrected for the number of terms."""
    ratio = np.divide(left, whole, out=np.ones_like(left), where=whole > 0)
    result: FloatArray = np.clip(1 - ratio * (n - 1) / max(n - terms, 1), 0.0, 1.0)
    return result
