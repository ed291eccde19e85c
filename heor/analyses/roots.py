"""Roots of many functions side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from heor.spec.parameters import FloatArray

#: Most halvings and interpolations; bisection alone would need 40.
MOST_STEPS = 100

Gain = Callable[["NDArray[np.intp]", FloatArray], FloatArray]


def close_in(
    gain: Gain,
    low: FloatArray,
    high: FloatArray,
    at_low: FloatArray,
    at_high: FloatArray,
    exact: FloatArray,
) -> FloatArray:
    """Roots of many functions side by side, each inside its bracket ``(bracket,)``.

    Chandrupatla's method (1997, doi 10.1016/S0965-9978(96)00051-8): inverse quadratic
    interpolation where it is safe, else halving. A bracket is done when its width is below
    ``exact`` or its function is 0.

    Parameters
    ----------
    gain : callable
        Takes the numbers of the brackets that are not done and a value for each; gives the
        functions there.
    low, high, at_low, at_high : array ``(bracket,)``
        Ends and the functions there, of opposite signs unless one is 0.
    exact : array ``(bracket,)``
        Width at which a bracket is done.
    """
    a, b, fa, fb = high.copy(), low.copy(), at_high.copy(), at_low.copy()
    c, fc = a.copy(), fa.copy()
    best = np.where(np.abs(fa) < np.abs(fb), a, b)
    todo = np.flatnonzero((fa != 0) & (fb != 0) & (a != b))
    share = np.full(len(a), 0.5)
    for _ in range(MOST_STEPS):
        if not len(todo):
            break
        x = a[todo] + share[todo] * (b[todo] - a[todo])
        fx = gain(todo, x)
        same = np.sign(fx) == np.sign(fa[todo])
        c[todo] = np.where(same, a[todo], b[todo])
        fc[todo] = np.where(same, fa[todo], fb[todo])
        b[todo] = np.where(same, b[todo], a[todo])
        fb[todo] = np.where(same, fb[todo], fa[todo])
        a[todo], fa[todo] = x, fx
        nearer = np.abs(fa[todo]) < np.abs(fb[todo])
        best[todo] = np.where(nearer, a[todo], b[todo])
        least = np.maximum(exact[todo], 2 * np.finfo(float).eps * np.abs(best[todo]))
        limit = least / np.maximum(np.abs(b[todo] - a[todo]), 1e-300)
        done = (limit > 0.5) | (fx == 0)
        share[todo] = np.clip(_share(a, b, c, fa, fb, fc, todo), limit, 1 - np.minimum(limit, 0.5))
        todo = todo[~done]
    return best


def _share(
    a: FloatArray,
    b: FloatArray,
    c: FloatArray,
    fa: FloatArray,
    fb: FloatArray,
    fc: FloatArray,
    todo: NDArray[np.intp],
) -> FloatArray:
    """Where to look next, as a share of the way from ``a`` to ``b``."""
    a, b, c, fa, fb, fc = (values[todo] for values in (a, b, c, fa, fb, fc))
    with np.errstate(all="ignore"):
        xi = (a - b) / (c - b)
        phi = (fa - fb) / (fc - fb)
        safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
        inverse = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (
            fc - fb
        )
    return np.where(safe & np.isfinite(inverse), inverse, 0.5)
