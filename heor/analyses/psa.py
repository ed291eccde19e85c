"""Probabilistic sensitivity analysis: draws through the model, and what they say (methods 7)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from heor.analyses import cea, ceac, psa_parts
from heor.analyses.mapper import Mapper, here
from heor.analyses.psa_results import PsaResult
from heor.analyses.psa_summary import summarise
from heor.engine.evaluate import evaluate
from heor.engine.outcomes import Outcomes
from heor.errors import HeorError
from heor.spec import draws as draw_sets
from heor.spec.parameters import Draws
from heor.spec.records import SAMPLERS, Settings, Spec

__all__ = ["MOST_DRAWS", "draw_set", "run", "summarise"]

#: Draws beyond which a run until a given precision does not go.
MOST_DRAWS = 200_000

#: Draws beyond which only the totals of a draw are kept, and the inputs of the first ones.
KEEP_ALL = 200_000

#: Draws evaluated at a time when not all of a draw is kept.
PART = 50_000

#: Draws that are sent at a time to other machines.
SENT = 500

#: Fewest draws from which a run until a given precision forecasts how many it needs.
FIRST_DRAWS = 100

#: What a forecast number of draws is multiplied by, so that one more step mostly suffices.
MARGIN = 1.05

Progress = Callable[[int, int], None]


def run(
    spec: Spec,
    n: int | None = None,
    seed: int | None = None,
    sampler: str | None = None,
    *,
    workers: int = 1,
    progress: Progress | None = None,
    until_mcse: float | None = None,
    threshold: float | None = None,
    most_draws: int = MOST_DRAWS,
    streamed: bool = False,
    mapper: Mapper | None = None,
) -> PsaResult:
    """Draw parameters and run the model for every draw.

    Of more than `KEEP_ALL` draws only totals can be kept (`psa_parts.TOTALS`), and only the inputs
    of the first part, so that memory grows by about 90 bytes a draw and strategy.

    Sampler ``random`` makes ``n`` independent draws. ``latin_hypercube`` and ``sobol`` split the
    ``n`` draws over ``psa_replicates`` independent randomisations of as equal size as can be (no
    more randomisations than draws), because the error of a stratified sample shows only between
    randomisations; the first ones take one more draw when ``n`` does not divide.

    Parameters
    ----------
    spec : Spec
        The study; ``n``, ``seed`` and ``sampler`` are its settings when left out.
    workers : int
        Threads.
    progress : callable, optional
        Called with draws done and draws wanted, first with 0 draws done.
    until_mcse : float, optional
        Sampler ``random`` only: draw until the Monte Carlo standard error of INMB at ``threshold``
        is at most this (currency) for every strategy against the reference. The ``n`` first draws
        (`FIRST_DRAWS` or more) forecast how many that takes.
    threshold : float, optional
        For ``until_mcse``; the middle one of the study when left out.
    most_draws : int
        A forecast beyond this is refused.
    streamed : bool
        Whether more than `KEEP_ALL` draws, of which totals are kept, are of use.
    mapper : Mapper, optional
        Does the draws elsewhere, part by part; not with ``until_mcse``. Results have the same
        bits.

    Returns
    -------
    PsaResult
        Draws and outcomes.

    Raises
    ------
    HeorError
        When ``n``, the sampler or the precision asked for makes no sense, or the precision is out
        of reach.
    """
    settings = spec.settings
    n = settings.psa_samples if n is None else n
    seed = settings.psa_seed if seed is None else seed
    sampler = settings.psa_sampler if sampler is None else sampler
    if n < 1:
        raise HeorError(f"the number of draws must be 1 or more, found {n}")
    if sampler not in SAMPLERS:
        raise HeorError(f"unknown sampler '{sampler}'; allowed are {', '.join(SAMPLERS)}")
    if until_mcse is not None:
        if sampler != "random":
            raise HeorError(
                f"a run until a given standard error needs the sampler 'random', not '{sampler}': "
                "a stratified sample cannot be extended"
            )
        if not until_mcse > 0:
            raise HeorError(f"the standard error to reach must be above 0, found {until_mcse}")
        goal = ceac.middle_threshold(settings.thresholds) if threshold is None else threshold
        if mapper is not None:
            raise HeorError("a run until a given standard error is made on this machine only")
        return _run_until(spec, n, seed, workers, progress, until_mcse, goal, most_draws)
    sizes = _sizes(settings, n, sampler)
    whole = n <= KEEP_ALL
    if not whole and not streamed:
        raise HeorError(
            f"{n:,} draws are more than the {KEEP_ALL:,} whose inputs and outcomes are all kept; "
            "`heor psa`, which keeps totals, takes more"
        )
    if progress is not None:
        progress(0, n)
    if whole:
        draws, _ = draw_set(spec, n, seed, sampler)
    if whole and mapper is None:
        outcomes = evaluate(spec, draws, workers=workers, progress=_reporter(progress, 0, n))
    else:
        largest, threads = (PART, workers) if mapper is None else (SENT, 1)
        keep = None if whole else psa_parts.TOTALS
        parts = psa_parts.cut(sizes, seed, sampler, largest, keep, threads)
        outcomes = psa_parts.do(spec, parts, mapper or here, progress)
    if not whole:
        draws = psa_parts.draw(spec, psa_parts.cut(sizes, seed, sampler, PART, None)[0])
    return PsaResult(
        draws=draws,
        outcomes=outcomes,
        seed=seed,
        n=n,
        sampler=sampler,
        replicates=len(sizes),
        replicate=_replicate(sizes),
        stopping="",
    )


def _reporter(progress: Progress | None, before: int, total: int) -> Callable[[int], None] | None:
    return None if progress is None else lambda done: progress(before + done, total)


def draw_set(
    spec: Spec, n: int | None = None, seed: int | None = None, sampler: str | None = None
) -> tuple[Draws, NDArray[np.int64]]:
    """The draws that `run` evaluates, and the randomisation ``(draw,)`` each belongs to, from 0."""
    settings = spec.settings
    n = settings.psa_samples if n is None else n
    seed = settings.psa_seed if seed is None else seed
    sampler = settings.psa_sampler if sampler is None else sampler
    sizes = _sizes(settings, n, sampler)
    parts = [
        draw_sets.sample(spec, size, seed=seed, sampler=sampler, replicate=r, start=sum(sizes[:r]))
        for r, size in enumerate(sizes)
    ]
    return _join(parts), _replicate(sizes)


def _sizes(settings: Settings, n: int, sampler: str) -> list[int]:
    """Draws of each randomisation."""
    replicates = 1 if sampler == "random" else max(1, min(settings.psa_replicates, n))
    return [n // replicates + (r < n % replicates) for r in range(replicates)]


def _replicate(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)


def _join(parts: Sequence[Draws]) -> Draws:
    if len(parts) == 1:
        return parts[0]
    return Draws(
        {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values},
        {name: np.concatenate([part.labels[name] for part in parts]) for name in parts[0].labels},
    )


def _run_until(
    spec: Spec,
    n: int,
    seed: int,
    workers: int,
    progress: Progress | None,
    until_mcse: float,
    threshold: float,
    most_draws: int,
) -> PsaResult:
    """Add draws until every INMB is precise enough; earlier draws stay as they are."""
    n = min(max(n, FIRST_DRAWS), most_draws)
    outcomes: Outcomes | None = None
    steps = []
    while True:
        done = 0 if outcomes is None else len(outcomes)
        if progress is not None:
            progress(done, n)
        draws = draw_sets.sample(spec, n, seed=seed, sampler="random")
        more = evaluate(
            spec, draws.rows(done, n), workers=workers, progress=_reporter(progress, done, n)
        )
        outcomes = more if outcomes is None else _append(outcomes, more)
        mcse = _largest_mcse(outcomes, threshold, spec.settings.severity_weight)
        steps.append((n, mcse))
        if mcse <= until_mcse or (done and n == most_draws):
            break
        needed = MARGIN * n * (mcse / until_mcse) ** 2
        if needed > most_draws and not done:
            raise _out_of_reach(until_mcse, needed, most_draws)
        n = math.ceil(min(max(needed, n + 1), most_draws))
    reached = "reached" if mcse <= until_mcse else "not reached at the largest number allowed"
    return PsaResult(
        draws=draws,
        outcomes=outcomes,
        seed=seed,
        n=n,
        sampler="random",
        replicates=1,
        replicate=np.zeros(n, dtype=np.int64),
        stopping=(
            f"standard error of INMB at {threshold:,.0f} is {mcse:,.4g} after {n:,} draws; "
            f"{until_mcse:,.4g} was asked for: {reached}"
        ),
        steps=tuple(steps),
    )


def _out_of_reach(wanted: float, needed: float, most_draws: int) -> HeorError:
    within = wanted * math.sqrt(needed / most_draws)
    return HeorError(
        f"a standard error of INMB of {wanted:,.4g} would take about {float(f'{needed:.2g}'):,.0f} "
        f"draws; at most {most_draws:,} are made, enough for about {float(f'{within:.2g}'):,.10g}. "
        "Ask for less precision, or set the number of draws."
    )


def _append(first: Outcomes, second: Outcomes) -> Outcomes:
    return Outcomes(
        np.concatenate([first.values, second.values]),
        first.strategies,
        first.names,
        first.reference,
        {
            name: np.concatenate([value, second.diagnostics[name]])
            for name, value in first.diagnostics.items()
        },
    )


def _largest_mcse(outcomes: Outcomes, threshold: float, severity_weight: float) -> float:
    benefit = cea.nmb(outcomes.get("cost"), outcomes.get("qaly"), threshold, severity_weight)
    reference = outcomes.strategies.index(outcomes.reference)
    gain = benefit - benefit[:, [reference]]
    return float(gain.std(axis=0, ddof=1).max() / np.sqrt(len(gain)))
