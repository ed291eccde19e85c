"""A probabilistic analysis in parts that can be done anywhere, and only once (methods 7.2).

A part is told by numbers alone: seed, sampler, which draws. Whoever does it draws its parameters
himself, so that nothing large travels and no more than one part's inputs need memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from heor.analyses.mapper import Mapper
from heor.engine.evaluate import evaluate
from heor.engine.outcomes import Outcomes
from heor.spec import draws as draw_sets
from heor.spec.parameters import Draws
from heor.spec.records import Spec

#: Totals kept of every draw when draws are too many to keep all outcomes.
TOTALS = (
    *("cost", "qaly", "ly", "evly"),
    *("cost_undiscounted", "qaly_undiscounted", "ly_undiscounted"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Draws ``first`` to ``first + size`` of an analysis.

    Attributes
    ----------
    seed : int
    sampler : str
    replicate : int
        Randomisation they belong to, from 0.
    first : int
        Draws of the analysis before them.
    skip : int
        Draws of their randomisation before them; only the sampler ``random`` can be cut.
    size : int
    keep : tuple of str or None
        Outcomes wanted; None for all.
    workers : int
        Threads.
    """

    seed: int
    sampler: str
    replicate: int
    first: int
    skip: int
    size: int
    keep: tuple[str, ...] | None
    workers: int = 1


def cut(
    sizes: Sequence[int],
    seed: int,
    sampler: str,
    largest: int,
    keep: tuple[str, ...] | None,
    workers: int = 1,
) -> list[Part]:
    """Cut randomisations of given sizes into parts of at most ``largest`` draws where possible.

    A stratified sample holds together: its randomisations are parts as they are.
    """
    found = []
    for replicate, size in enumerate(sizes):
        before = sum(sizes[:replicate])
        step = largest if sampler == "random" else size
        for skip in range(0, size, step):
            found.append(
                Part(
                    seed=seed,
                    sampler=sampler,
                    replicate=replicate,
                    first=before + skip,
                    skip=skip,
                    size=min(step, size - skip),
                    keep=keep,
                    workers=workers,
                )
            )
    return found


def draw(spec: Spec, part: Part) -> Draws:
    """Inputs of a part."""
    return draw_sets.sample(
        spec,
        part.size,
        seed=part.seed,
        sampler=part.sampler,
        replicate=part.replicate,
        start=part.first - part.skip,
        skip=part.skip,
    )


def run(spec: Spec, part: Part) -> Outcomes:
    """Do one part."""
    return evaluate(spec, draw(spec, part), workers=part.workers, keep=part.keep, before=part.first)


def do(
    spec: Spec,
    parts: Sequence[Part],
    mapper: Mapper,
    progress: Callable[[int, int], None] | None = None,
) -> Outcomes:
    """Do all parts and put their outcomes together, in the order of the draws.

    Parameters
    ----------
    spec : Spec
        The study.
    parts : sequence of Part
        Of one analysis, all of it.
    mapper : Mapper
        Who does them.
    progress : callable, optional
        Called with draws done and draws wanted after each part.

    Returns
    -------
    Outcomes
        ``(draw, strategy, outcome)``.

    Raises
    ------
    RuntimeError
        When the mapper has left a part out.
    """
    total, done = sum(part.size for part in parts), 0
    whole: Outcomes | None = None
    missing = set(range(len(parts)))
    for place, found in mapper(run, spec, parts):
        part = parts[place]
        if whole is None:
            whole = Outcomes(
                np.empty((total, *found.values.shape[1:])),
                found.strategies,
                found.names,
                found.reference,
                {name: np.empty((total, v.shape[1])) for name, v in found.diagnostics.items()},
            )
        rows = slice(part.first, part.first + part.size)
        whole.values[rows] = found.values
        for name, value in found.diagnostics.items():
            whole.diagnostics[name][rows] = value
        missing.discard(place)
        done += part.size
        if progress is not None:
            progress(done, total)
    if whole is None or missing:
        raise RuntimeError(f"parts {sorted(missing)} of the analysis were never done")
    return whole
