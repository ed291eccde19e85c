"""The one way to run a model: a study and a table of draws in, outcomes out.

Base case, one-way analysis, scenarios and probabilistic sensitivity analysis all come through
here. A draw's results are the same bits whatever the block size, the number of workers or the
draws beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import NDArray

from heor.engine.background import Background
from heor.engine.compressed import Nodes, nodes_for
from heor.engine.curves import CurveBlock, CurveKeys, Workspace
from heor.engine.outcomes import Outcomes
from heor.engine.payoffs import Payoffs
from heor.engine.timeline import Timeline
from heor.engine.trace import StrategyTrace, Tracer
from heor.errors import ModelError
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
        Outcomes wanted, in this order; all when left out. Without equal-value life years the rest
        takes less time, and much less where curves are smooth (`heor.engine.compressed`).
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
    every = _Way(spec, Timeline(spec.settings), qaly_years, keep)
    nodes = nodes_for(spec, keep, tuple(qaly_years))
    few = None if nodes is None else _Way(spec, nodes, (), keep)
    count = len(draws)
    names, strategies = every.names, spec.strategy_ids()
    values = np.empty((count, len(strategies), len(names)))
    diagnostics = {name: np.zeros((count, len(strategies))) for name in _DIAGNOSTICS}

    def block(start: int, stop: int, workspace: Workspace) -> int:
        into = workspace, before, values, diagnostics
        rows = np.arange(start, stop)
        if few is not None:
            rows = rows[few.run(draws, rows, *into)]
        for first in range(0, len(rows), size):
            part = rows[first : first + size]
            try:
                every.run(draws, part, *into)
            except ModelError:
                for row in part if len(part) <= part[-1] - part[0] else ():
                    every.run(draws, row[None], *into)  # names the draw, here not one of a row
                raise
        return stop - start

    size = chunk or every.block
    step = chunk or (few or every).block
    _run_blocks(range(0, count, step), count, block, workers, progress)
    return Outcomes(values, strategies, names, spec.settings.reference, diagnostics)


class _Way:
    """A way through the model: over every cycle boundary, or over nodes that stand for them.

    Parameters
    ----------
    spec : Spec
        The study.
    timeline : Timeline
        Times at which curves are evaluated.
    qaly_years, keep :
        As in `evaluate`.
    """

    def __init__(
        self,
        spec: Spec,
        timeline: Timeline,
        qaly_years: Iterable[float],
        keep: Sequence[str] | None,
    ) -> None:
        self.spec = spec
        self.timeline = timeline
        self.block = max(1, BLOCK_VALUES // (timeline.cycles + 1))
        if isinstance(timeline, Nodes):
            self.block *= 2  # fewer, larger rests for all boundaries
        self.tracer = Tracer(spec, timeline)
        boundaries = Timeline(spec.settings) if isinstance(timeline, Nodes) else timeline
        equal_value = keep is None or "evly" in keep
        self.payoffs = Payoffs(spec, boundaries, qaly_years, equal_value=equal_value)
        if isinstance(timeline, Nodes):
            self.payoffs.on(timeline.project)
        self.keys = CurveKeys()
        own = self.payoffs.names
        self.names = own if keep is None else tuple(keep)
        self._kept = slice(None) if keep is None else [own.index(name) for name in self.names]
        self._lived = own.index("ly_undiscounted")
        self._strategies = spec.strategy_ids()
        first = spec.settings.reference
        self._order = sorted(
            range(len(self._strategies)), key=lambda i: self._strategies[i] != first
        )

    def run(
        self,
        draws: Draws,
        rows: NDArray[np.int64],
        workspace: Workspace,
        before: int,
        values: FloatArray,
        diagnostics: dict[str, FloatArray],
    ) -> NDArray[np.bool_]:
        """Fill the results of some rows; gives those of them that want every boundary."""
        workspace.reset()
        first = before + int(rows[0]) + 1
        whole = len(rows) == rows[-1] - rows[0] + 1
        part = draws.rows(int(rows[0]), int(rows[-1]) + 1) if whole else draws.take(rows)
        curves = CurveBlock(self.timeline, part, self.spec.km, workspace, self.keys, first)
        background = Background(self.spec, self.timeline, curves)
        comparator: FloatArray | None = None
        unresolved = np.zeros(len(rows), dtype=np.bool_)
        with np.errstate(all="ignore"):
            for position in self._order:
                strategy = self._strategies[position]
                try:
                    trace = self.tracer.run(strategy, curves, background, first)
                except ModelError:
                    if not isinstance(self.timeline, Nodes):
                        raise
                    return np.ones(len(rows), dtype=np.bool_)
                out = np.empty((len(self.payoffs.names), len(rows)))
                self.payoffs.run(trace, curves, comparator, out)
                if strategy == self.spec.settings.reference:
                    comparator = trace.endpoints["os"]
                values[rows, position] = out.T[:, self._kept]
                _keep_diagnostics(diagnostics, trace, out[self._lived], rows, position)
                if isinstance(self.timeline, Nodes):
                    unresolved |= self.timeline.unresolved(trace, self.tracer)
        return unresolved


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
    rows: NDArray[np.int64],
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
        diagnostics[name][rows, position] = value


def _run_blocks(
    starts: range,
    count: int,
    block: Callable[[int, int, Workspace], int],
    workers: int,
    progress: Callable[[int], None] | None,
) -> None:
    """Run blocks one after another, or on threads; the first error stops the rest."""
    done = 0
    if workers <= 1 or len(starts) <= 1:
        workspace = Workspace()
        for start in starts:
            done += block(start, min(start + starts.step, count), workspace)
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
                    stop = min(upcoming + starts.step, count)
                    running[pool.submit(block, upcoming, stop, lent)] = lent
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
