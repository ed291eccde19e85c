"""Nested Monte Carlo: the definition of EVPPI and EVSI, run as it stands (methods 7.4, 7.8).

Slow and exact but for its number of draws: a check of the regressions where the model is cheap. For
each of some outer values of an input, the model is run for inner draws of everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heor.engine.evaluate import evaluate
from heor.errors import HeorError
from heor.spec import draws as draw_sets
from heor.spec.parameters import Draws, FloatArray
from heor.spec.records import Spec

Progress = Callable[[int, int], None]
Places = NDArray[np.intp]

#: Model runs at a time, so that memory does not grow with their number.
RUNS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """Value of information by nested Monte Carlo; arrays ``(threshold,)``, per patient.

    Attributes
    ----------
    outer, inner : int
        Values of the inputs, and model runs for each.
    value, se : array
        Mean over outer values of the best inner mean less that of the strategy best overall, and
        its standard error. The best of noisy means is too good, so ``value`` is too high.
    bias : array
        By how much, about: the value with half the inner draws less ``value``, for the bias falls
        with their number.
    """

    outer: int
    inner: int
    thresholds: FloatArray
    value: FloatArray
    se: FloatArray
    bias: FloatArray


def evppi(
    spec: Spec,
    names: Sequence[str],
    outer: int,
    inner: int,
    thresholds: Sequence[float],
    *,
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> Nested:
    """Value of knowing inputs perfectly.

    Parameters
    ----------
    spec : Spec
        The study.
    names : sequence of str
        Inputs that become known together.
    outer, inner : int
        2 or more.
    thresholds : sequence of float
        Currency per QALY.
    seed : int
    workers : int
        Threads.
    progress : callable, optional
        Called with model runs done and wanted.

    Raises
    ------
    HeorError
        When an input is not drawn, or drawn together with one that stays unknown.
    """
    _check(spec, names, outer, inner)

    def known(values: dict[str, FloatArray], rng: np.random.Generator) -> None:
        for name in names:
            values[name] = np.repeat(values[name][::inner], inner)

    return _run(spec, known, outer, inner, thresholds, seed, workers, progress)


def evsi_binomial(
    spec: Spec,
    name: str,
    patients: int,
    outer: int,
    inner: int,
    thresholds: Sequence[float],
    *,
    seed: int,
    workers: int = 1,
) -> Nested:
    """Value of ``patients`` more binomial observations of an input that has a beta distribution.

    Its posterior is a beta distribution again, so inner draws are exact.

    Raises
    ------
    HeorError
        When the input has no beta distribution of its own.
    """
    _check(spec, [name], outer, inner)
    distribution = spec.parameters[name].distribution
    if distribution is None or distribution.name != "beta":
        raise HeorError(f"`{name}` has no beta distribution, so its posterior is not known")
    a, b = distribution.parameters

    def known(values: dict[str, FloatArray], rng: np.random.Generator) -> None:
        seen = np.repeat(rng.binomial(patients, values[name][::inner]), inner)
        values[name] = rng.beta(a + seen, b + patients - seen)

    return _run(spec, known, outer, inner, thresholds, seed, workers, None)


def _check(spec: Spec, names: Sequence[str], outer: int, inner: int) -> None:
    if min(outer, inner) < 2:
        raise HeorError(f"nested Monte Carlo needs 2 outer and inner draws, found {outer}, {inner}")
    for name in names:
        if name not in spec.parameters or spec.parameters[name].distribution is None:
            raise HeorError(f"nested Monte Carlo: `{name}` is not a drawn parameter")
    tied = draw_sets.drawn_together(spec) & set(names)
    if tied:
        raise HeorError(
            f"nested Monte Carlo: `{', '.join(sorted(tied))}` is drawn together with other inputs, "
            "so what is known of those would have to change; the regression has no such limit"
        )


def _run(
    spec: Spec,
    known: Callable[[dict[str, FloatArray], np.random.Generator], None],
    outer: int,
    inner: int,
    thresholds: Sequence[float],
    seed: int,
    workers: int,
    progress: Progress | None,
) -> Nested:
    marks = np.asarray(thresholds, dtype=np.float64)
    at_once = max(1, RUNS // inner)
    whole, halves = [], []
    for part, begin in enumerate(range(0, outer, at_once)):
        count = min(at_once, outer - begin)
        rng = np.random.default_rng([seed, part])
        some = int(rng.integers(2**31))
        table = dict(draw_sets.sample(spec, count * inner, seed=some, sampler="random").values)
        known(table, rng)
        result = evaluate(spec, Draws(draw_sets.derive(spec, table)), workers=workers)
        order = [result.strategies.index(result.reference)]
        order += [i for i in range(len(result.strategies)) if i != order[0]]
        worth = spec.settings.severity_weight * result.get("qaly")[:, order]
        benefit = marks[:, None, None] * worth - result.get("cost")[:, order]
        blocks = benefit.reshape(len(marks), count, inner, -1)
        whole.append(blocks.mean(axis=2))
        half = inner // 2
        halves.append(
            np.stack([blocks[:, :, :half].mean(axis=2), blocks[:, :, half:].mean(axis=2)])
        )
        if progress is not None:
            progress((begin + count) * inner, outer * inner)
    means = np.concatenate(whole, axis=1)
    best: Places = means.mean(axis=1).argmax(axis=1)
    gain = _gain(means, best)
    value = gain.mean(axis=1)
    noisier = np.mean([_gain(one, best) for one in np.concatenate(halves, axis=2)], axis=(0, 2))
    return Nested(
        outer=outer,
        inner=inner,
        thresholds=marks,
        value=value,
        se=gain.std(axis=1, ddof=1) / np.sqrt(outer),
        bias=noisier - value,
    )


def _gain(means: FloatArray, best: Places) -> FloatArray:
    """Best inner mean less that of the strategy best overall, ``(threshold, outer)``."""
    chosen = np.take_along_axis(means, best[:, None, None], axis=2)[:, :, 0]
    gain: FloatArray = means.max(axis=2) - chosen
    return gain
