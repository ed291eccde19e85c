"""Regression of a result on drawn inputs: a smooth curve for one, a smooth surface for several.

Both are one model: a straight part without penalty and a wavy part with one, the weight of the
penalty chosen by restricted maximum likelihood. One input has a penalised spline (Ruppert, Wand &
Carroll 2003, doi 10.1017/CBO9780511755453). Several have a Gaussian process, so that interactions
are seen; its scales are fitted on some of the draws and it stands on a set of inducing points
(Quiñonero-Candela & Rasmussen 2005; EVPPI by Gaussian process: Strong, Oakley & Brennan 2014,
doi 10.1177/0272989X13505910).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, special

from heor.spec.parameters import FloatArray

#: Knots of a spline, inducing points of a process, draws on which its scales are fitted.
KNOTS, INDUCING, TRAINING = 20, 400, 350

#: Range of ln(penalty weight) relative to the largest eigenvalue of the wavy part.
_WEAKEST, _STRONGEST = -32.0, 12.0

#: Eigenvalues of the wavy part below this share of the largest are left out.
_NEGLIGIBLE = 1e-11

_SEED = 20_140_401


@dataclass(frozen=True, slots=True)
class Smooth:
    """A fitted regression of one result.

    Attributes
    ----------
    fitted : array ``(draw,)``
        Regression at each draw.
    basis : array ``(draw, term)``
        Columns whose weighted sum is the regression.
    mean, spread : array ``(term,)``
        Mean and standard deviation of the weights, which are independent of each other.
    residual_sd : float
        Standard deviation of what the inputs do not explain.
    degrees : float
        Effective number of terms.
    """

    fitted: FloatArray
    basis: FloatArray
    mean: FloatArray
    spread: FloatArray
    residual_sd: float
    degrees: float


@dataclass(frozen=True, slots=True)
class Basis:
    """Columns of a regression: ``straight`` and orthogonal ``wavy`` ones with their scales.

    Attributes
    ----------
    straight : array ``(draw, s)``
        Orthonormal columns without penalty.
    wavy : array ``(draw, w)``
        Columns orthogonal to each other and to ``straight``.
    size : array ``(w,)``
        Squared length of each wavy column.
    """

    straight: FloatArray
    wavy: FloatArray
    size: FloatArray


def spline_basis(x: FloatArray, knots: int = KNOTS) -> Basis:
    """Penalised cubic radial basis of one input ``(draw,)`` with knots at its quantiles.

    An input with few distinct values gets a knot at each.
    """
    z = _standard(x[:, None])
    distinct = np.unique(z)
    if len(distinct) <= knots:
        places = distinct
    else:
        places = np.unique(np.quantile(distinct, (np.arange(knots) + 0.5) / knots))
    straight = np.column_stack([np.ones(len(z)), z]) if len(distinct) > 1 else np.ones((len(z), 1))
    if len(places) < 3:
        return _orthogonal(straight, np.zeros((len(z), 0)))
    radial = _cubed_distance(z, places)
    between = _cubed_distance(places[:, None], places)
    u, s, vt = np.linalg.svd(between)
    root = (u / np.sqrt(np.maximum(s, s[0] * 1e-12))) @ vt
    return _orthogonal(straight, radial @ root)


def process_basis(x: FloatArray, y: FloatArray) -> Basis:
    """Basis of a Gaussian process of several inputs ``(draw, input)`` whose scales suit ``y``.

    Parameters
    ----------
    x : array ``(draw, input)``
    y : array ``(draw,)``
    """
    z = _standard(x)
    rng = np.random.default_rng(_SEED)
    order = rng.permutation(len(z))
    straight = np.column_stack([np.ones(len(z)), z])
    q = _orthonormal(straight)
    rest = y - q @ (q.T @ y)
    spread = float(rest.std())
    if spread <= 1e-12 * max(float(np.abs(y).max()), 1e-300):
        return _orthogonal(straight, np.zeros((len(z), 0)))
    training = order[:TRAINING]
    scales = _fit_scales(z[training], rest[training] / spread)
    points = z[order[: min(INDUCING, len(z))]] / scales
    kernel = _gaussian(points, points)
    kernel[np.diag_indices_from(kernel)] += 1e-9
    low = linalg.cholesky(kernel, lower=True)
    wavy = linalg.solve_triangular(low, _gaussian(points, z / scales), lower=True).T
    return _orthogonal(straight, wavy)


def fit(basis: Basis, y: FloatArray) -> Smooth:
    """Regress ``y`` ``(draw,)`` on a basis; the penalty by restricted maximum likelihood."""
    q, wavy, size = basis.straight, basis.wavy, basis.size
    free = len(y) - q.shape[1]
    straight = q.T @ y
    rest = y - q @ straight
    total = float(rest @ rest)
    length = np.sqrt(size)
    seen = (wavy.T @ rest) / np.where(length > 0, length, 1.0)  # along unit columns
    explained = seen**2
    outside = max(total - float(explained.sum()), 0.0)

    def variance(weight: float) -> float:
        missed = float((explained * weight / (size + weight)).sum())
        return float((outside + missed) / free)

    def criterion(log_weight: float) -> float:
        weight = float(np.exp(log_weight))
        return float(free * np.log(max(variance(weight), 1e-300)) + np.log1p(size / weight).sum())

    if size.size and total > 0:
        top = np.log(size.max())
        grid = np.linspace(top + _WEAKEST, top + _STRONGEST, 45)
        values = [criterion(g) for g in grid]
        best = int(np.argmin(values))
        bounds = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        from scipy import optimize

        found = optimize.minimize_scalar(criterion, bounds=bounds, method="bounded")
        weight = float(np.exp(found.x if found.fun <= values[best] else grid[best]))
    else:
        weight = 1.0
    sd = float(np.sqrt(variance(weight)))
    shrink = size / (size + weight)
    weights = seen * length / (size + weight)
    fitted = q @ straight + wavy @ weights
    spread = np.concatenate([np.full(q.shape[1], sd), sd / np.sqrt(size + weight)])
    return Smooth(
        fitted=fitted,
        basis=np.column_stack([q, wavy]),
        mean=np.concatenate([straight, weights]),
        spread=spread,
        residual_sd=sd,
        degrees=float(q.shape[1] + shrink.sum()),
    )


def lack_of_fit(x: FloatArray, residual: FloatArray, bins: int = 20) -> float:
    """Probability of residuals as patterned as these along any input, if none were left.

    The residuals are cut into bins along each input and along each product of two, and the means
    of the bins are compared with their spread; the smallest probability counts, corrected for the
    number of looks.

    Parameters
    ----------
    x : array ``(draw, input)``
    residual : array ``(draw,)``
    bins : int
        Bins along each look, fewer where there are few draws.

    Returns
    -------
    float
        0 to 1; below 0.01 the regression misses something.
    """
    z = _standard(x)
    looks = [z[:, i] for i in range(z.shape[1])]
    pairs = [(i, j) for i in range(z.shape[1]) for j in range(i)][:60]
    looks += [z[:, i] * z[:, j] for i, j in pairs]
    bins = max(2, min(bins, len(residual) // 25))
    sizes = np.array([len(part) for part in np.array_split(residual, bins)])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    smallest = 1.0
    for look in looks:
        ordered = residual[np.argsort(look, kind="stable")]
        mean = np.add.reduceat(ordered, starts) / sizes
        centred = ordered - np.repeat(mean, sizes)
        spread = np.add.reduceat(centred * centred, starts) / np.maximum(sizes - 1, 1)
        seen = spread > 0
        score = float((sizes[seen] * mean[seen] ** 2 / spread[seen]).sum())
        smallest = min(smallest, float(special.chdtrc(bins, score)))
    return min(1.0, smallest * len(looks))


def _cubed_distance(z: FloatArray, places: FloatArray) -> FloatArray:
    """|z - place|³ of a column ``(draw, 1)`` from each place, ``(draw, place)``."""
    distance = np.abs(z - places[None, :])
    cubed: FloatArray = distance * distance * distance
    return cubed


def _standard(x: FloatArray) -> FloatArray:
    """Centre and scale each column; a column that does not vary becomes 0."""
    centred = x - x.mean(axis=0)
    sd = centred.std(axis=0)
    flat = sd <= 1e-14 * np.maximum(np.abs(x).max(axis=0), 1e-300)
    result: FloatArray = np.where(flat, 0.0, centred / np.where(flat, 1.0, sd))
    return result


def _orthonormal(columns: FloatArray) -> FloatArray:
    u, s, _ = np.linalg.svd(columns, full_matrices=False)
    kept: FloatArray = u[:, s > s[0] * 1e-10]
    return kept


def _orthogonal(straight: FloatArray, wavy: FloatArray) -> Basis:
    """Take the straight part out of the wavy one and turn it to its principal axes."""
    q = _orthonormal(straight)
    rest = wavy - q @ (q.T @ wavy)
    if not rest.shape[1]:
        return Basis(q, rest, np.zeros(0))
    size, axes = np.linalg.eigh(rest.T @ rest)
    kept = size > max(size[-1], 0.0) * _NEGLIGIBLE
    columns: FloatArray = rest @ axes[:, kept]
    return Basis(q, columns, np.einsum("ij,ij->j", columns, columns))


def _gaussian(a: FloatArray, b: FloatArray) -> FloatArray:
    """Kernel exp(-|a-b|²/2) between scaled points, ``(len(a), len(b))``."""
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    result: FloatArray = np.exp(-0.5 * np.maximum(square, 0.0))
    return result


def _fit_scales(z: FloatArray, y: FloatArray) -> FloatArray:
    """Length scale of each input, by the likelihood of a Gaussian process on some draws."""
    count, inputs = z.shape
    differences = [np.subtract.outer(z[:, j], z[:, j]) ** 2 for j in range(inputs)]

    def negative(theta: FloatArray) -> tuple[float, FloatArray]:
        scale2, signal, noise = np.exp(2 * theta[:inputs]), np.exp(theta[-2]), np.exp(theta[-1])
        exponent = np.zeros((count, count))
        for difference, s in zip(differences, scale2, strict=True):
            exponent -= difference / (2 * s)
        kernel = signal * np.exp(exponent)
        covariance = kernel + (noise + 1e-8) * np.eye(count)
        try:
            factor = linalg.cho_factor(covariance, lower=True)
        except linalg.LinAlgError:
            return 1e25, np.zeros_like(theta)
        alpha = linalg.cho_solve(factor, y)
        value = 0.5 * float(y @ alpha) + float(np.log(np.diag(factor[0])).sum())
        inner = linalg.cho_solve(factor, np.eye(count)) - np.outer(alpha, alpha)
        weighted = 0.5 * inner * kernel
        slope = np.empty_like(theta)
        for j, difference in enumerate(differences):
            slope[j] = float((weighted * difference).sum()) / scale2[j]
        slope[-2] = float(weighted.sum())
        slope[-1] = 0.5 * noise * float(np.trace(inner))
        # a weak pull to wide scales: inputs that do nothing do not wander
        pull = (theta[:inputs] - 1.0) / 4.0
        slope[:inputs] += pull / 4.0
        return value + 0.5 * float(pull @ pull), slope

    start = np.concatenate([np.full(inputs, np.log(2.0) + 0.5 * np.log(inputs)), [0.0, -1.0]])
    bounds = [(-2.0, 6.0)] * inputs + [(-8.0, 4.0), (-16.0, 2.0)]
    from scipy import optimize

    found = optimize.minimize(
        negative, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}
    )
    result: FloatArray = np.exp(found.x[:inputs])
    return result


def regress(x: FloatArray, results: Sequence[FloatArray]) -> list[Smooth]:
    """Regress several results ``(draw,)`` on inputs ``(draw, input)``.

    One input shares its spline over the results; several have a process for each.
    """
    if x.shape[1] == 1:
        basis = spline_basis(x[:, 0])
        return [fit(basis, y) for y in results]
    return [fit(process_basis(x, y), y) for y in results]
