"""The one way to run a model: a study and a table of draws in, outcomes out.

Base case, one-way analysis, scenarios and probabilistic sensitivity analysis all come through
here. A draw's results are the same bits whatever the block size, the number of workers or the
draws beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import numpy as np

from heor.engine.background import Background
from heor.engine.curves import CurveBlock, CurveKeys, Workspace
from heor.engine.outcomes import Outcomes
from heor.engine.payoffs import Payoffs
from heor.engine.timeline import Timeline
from heor.engine.trace import StrategyTrace, Tracer
from heor.spec.parameters import Draws, FloatArray
from heor.spec.records import Spec

#: Values of a curve per block: enough to drown Python's overhead, few enough for the cache.
BLOCK_VALUES = 200_000

_DIAGNOSTICS = ("crossing_share", "crossing_years", "crossing_cycles", "floor_capped_years")


def evaluate(
    spec: Spec,
    draws: Draws,
    *,
    chunk: int | None = None,
    workers: int = 1,
    qaly_years: Iterable[float] = (),
    keep: Sequence[str] | None = None,
    before: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Outcomes:
    """Run the model for every draw.

    Parameters
    ----------
    spec : Spec
        The study.
    draws : Draws
        One row of parameter values per evaluation.
    chunk : int, optional
        Draws per block, chosen by the number of cycles when left out; changes speed and memory
        only.
    workers : int
        Threads that work on blocks side by side.
    qaly_years : iterable of float
        Years for which discounted QALYs accrued so far are wanted (``qaly_to:<year>``).
    keep : sequence of str, optional
        Outcomes wanted, in this order; all when left out. Equal-value life years, the only ones
        that take long by themselves, are computed only when wanted.
    before : int
        Draws before the first of these, for messages.
    progress : callable, optional
        Called with the number of draws done, after each block.

    Returns
    -------
    Outcomes
        Values ``(draw, strategy, outcome)``; see `heor.engine.outcomes` for the names.

    Raises
    ------
    ModelError
        When a guard fails; the message names strategy, group, draw and cycle (methods 10).
    """
    timeline = Timeline(spec.settings)
    chunk = chunk or max(1, BLOCK_VALUES // (timeline.cycles + 1))
    tracer = Tracer(spec, timeline)
    payoffs = Payoffs(spec, timeline, qaly_years, equal_value=keep is None or "evly" in keep)
    names = payoffs.names if keep is None else tuple(keep)
    kept = slice(None) if keep is None else [payoffs.names.index(name) for name in names]
    keys = CurveKeys()
    strategies = spec.strategy_ids()
    reference = spec.settings.reference
    order = sorted(range(len(strategies)), key=lambda i: strategies[i] != reference)
    count = len(draws)
    values = np.empty((count, len(strategies), len(names)))
    diagnostics = {name: np.zeros((count, len(strategies))) for name in _DIAGNOSTICS}
    lived = payoffs.names.index("ly_undiscounted")

    def block(start: int, workspace: Workspace) -> int:
        stop = min(start + chunk, count)
        workspace.reset()
        curves = CurveBlock(
            timeline, draws.rows(start, stop), spec.km, workspace, keys, before + start + 1
        )
        background = Background(spec, timeline, curves)
        comparator: FloatArray | None = None
        with np.errstate(all="ignore"):
            for position in order:
                trace = tracer.run(strategies[position], curves, background, before + start + 1)
                out = np.empty((len(payoffs.names), stop - start))
                payoffs.run(trace, curves, comparator, out)
                if strategies[position] == reference:
                    comparator = trace.endpoints["os"]
                values[start:stop, position] = out.T[:, kept]
                _keep_diagnostics(diagnostics, trace, out[lived], start, stop, position)
        return stop - start

    _run_blocks(range(0, count, chunk), block, workers, progress)
    return Outcomes(values, strategies, names, reference, diagnostics)


def traces(spec: Spec, draws: Draws) -> dict[str, StrategyTrace]:
    """Keep everything of a few draws: curves, occupancy, background mortality, crossing.

    Returns
    -------
    dict
        A `StrategyTrace` by strategy id; its arrays are ``(draw, cycle + 1)``.
    """
    timeline = Timeline(spec.settings)
    tracer = Tracer(spec, timeline)
    curves = CurveBlock(timeline, draws, spec.km, Workspace(), CurveKeys())
    background = Background(spec, timeline, curves)
    with np.errstate(all="ignore"):
        return {
            strategy: tracer.run(strategy, curves, background, 1, detail=True)
            for strategy in spec.strategy_ids()
        }


def _keep_diagnostics(
    diagnostics: dict[str, FloatArray],
    trace: StrategyTrace,
    life_years: FloatArray,
    start: int,
    stop: int,
    position: int,
) -> None:
    share = np.divide(
        trace.crossing_years, life_years, out=np.zeros_like(life_years), where=life_years > 0
    )
    for name, value in (
        ("crossing_share", share),
        ("crossing_years", trace.crossing_years),
        ("crossing_cycles", trace.crossing_cycles),
        ("floor_capped_years", trace.floor_capped_years),
    ):
        diagnostics[name][start:stop, position] = value


def _run_blocks(
    starts: range,
    block: Callable[[int, Workspace], int],
    workers: int,
    progress: Callable[[int], None] | None,
) -> None:
    """Run blocks one after another, or on threads; the first error stops the rest."""
    done = 0
    if workers <= 1 or len(starts) <= 1:
        workspace = Workspace()
        for start in starts:
            done += block(start, workspace)
            if progress is not None:
                progress(done)
        return
    idle = [Workspace() for _ in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        queue = iter(starts)
        running = {}
        try:
            while True:
                while idle and (upcoming := next(queue, None)) is not None:
                    lent = idle.pop()
                    running[pool.submit(block, upcoming, lent)] = lent
                if not running:
                    return
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    idle.append(running.pop(future))
                    done += future.result()
                    if progress is not None:
                        progress(done)
        finally:
            for future in running:
                future.cancel()
