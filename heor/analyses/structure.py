"""The same evidence under three structures, beside each other and averaged (methods 9)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from heor.analyses import base_case, psa
from heor.analyses.psa_results import PsaResult
from heor.analyses.structure_results import (
    PERIODS,
    GroupStructure,
    StructureCase,
    StructureResult,
)
from heor.engine.evaluate import evaluate, traces
from heor.engine.outcomes import Outcomes
from heor.engine.structure import Flow
from heor.engine.timeline import Timeline
from heor.engine.trace import StrategyTrace
from heor.errors import HeorError
from heor.spec import draws as draw_sets
from heor.spec.parameters import Draws, FloatArray
from heor.spec.records import FORWARD, PARTITIONED, RESET, STRUCTURES, Spec
from heor.spec.sampling import Streams

#: Stream that says which structure a draw belongs to; no parameter can have this name.
STREAM = "structure of the draw"

#: How far below the population's a hazard must be to be called so: a share of it.
_BELOW = 1e-3

Progress = Callable[[str, int, int], None]


def applies(spec: Spec) -> bool:
    """Whether the study can be read as a state-transition model (methods 9)."""
    if spec.nested_endpoints[-2:] != ("pfs", "os"):
        return False
    for strategy in spec.strategy_ids():
        curves = spec.curves_in_use(strategy)
        pfs, os = ({c.group for c in curves if c.endpoint == e} for e in ("pfs", "os"))
        if pfs and pfs != os:
            return False
    return True


def with_structure(spec: Spec, structure: str) -> Spec:
    """The study under another structure."""
    settings = dataclasses.replace(spec.settings, structure=structure)
    return dataclasses.replace(spec, settings=settings)


def run(
    spec: Spec,
    draws: int | None = None,
    *,
    seed: int | None = None,
    sampler: str | None = None,
    weights: Sequence[float] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> StructureResult:
    """Compare the structures at base values and, with ``draws``, over the same PSA draws.

    Parameters
    ----------
    spec : Spec
        The study; its own ``structure`` does not matter.
    draws, seed, sampler : optional
        Of the probabilistic analysis; none is run without ``draws``.
    weights : sequence of three floats, optional
        Of `STRUCTURES`, for the average.
    workers : int
        Threads.
    progress : callable, optional
        Called with a structure, draws done and draws wanted.

    Raises
    ------
    HeorError
        When the weights are no weights, or the study has no state-transition reading.
    """
    if weights is not None:
        _check_weights(weights)
    specs = {structure: with_structure(spec, structure) for structure in STRUCTURES}
    values = draw_sets.base(spec)
    cases, samples = [], {}
    for structure, one in specs.items():
        base = base_case.run(one)
        summary = None
        if draws is not None:
            samples[structure] = psa.run(
                one, draws, seed, sampler, workers=workers, progress=_named(progress, structure)
            )
            summary = psa.summarise(one, samples[structure], base)
        cases.append(StructureCase(structure=structure, base=base, psa=summary))
    return StructureResult(
        cases=tuple(cases),
        groups=_groups(specs, values),
        weights=None if weights is None else tuple(weights),
        average=None if weights is None else _average(spec, values, specs, samples, weights),
        follow_up=spec.settings.pps_follow_up,
    )


def _check_weights(weights: Sequence[float]) -> None:
    found = ", ".join(f"{w:g}" for w in weights)
    wanted = f"weights of {', '.join(STRUCTURES)}: three numbers of at least 0 that sum to 1"
    if len(weights) != len(STRUCTURES) or not all(0 <= w <= 1 for w in weights):
        raise HeorError(f"{wanted}; found {found}")
    if abs(math.fsum(weights) - 1) > 1e-9:
        raise HeorError(f"{wanted}; found {found}, which sum to {math.fsum(weights):g}")


def _named(progress: Progress | None, structure: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(structure.replace("_", " "), done, total)


# --- averaging -------------------------------------------------------------------------------


def structures_of_draws(seed: int, n: int, weights: Sequence[float]) -> np.ndarray:
    """Place in `STRUCTURES` of each draw, ``(draw,)``, from a stream of its own (methods 9.4)."""
    uniform = Streams(seed, n, "random", 0, ()).uniform(STREAM)
    edges = np.cumsum(np.asarray(weights, dtype=float))[:-1]
    return np.searchsorted(edges, uniform, side="right")


def _average(
    spec: Spec,
    values: Draws,
    specs: Mapping[str, Spec],
    samples: Mapping[str, PsaResult],
    weights: Sequence[float],
) -> StructureCase:
    found = [evaluate(one, values) for one in specs.values()]
    mean = np.tensordot(np.asarray(weights), np.stack([one.values for one in found]), axes=1)
    outcomes = dataclasses.replace(found[0], values=mean)
    base = base_case.of_row(spec, values, outcomes, 0)
    if not samples:
        return StructureCase(structure="", base=base, psa=None)
    mixed = _mixture(list(samples.values()), weights)
    return StructureCase(structure="", base=base, psa=psa.summarise(spec, mixed, base))


def _mixture(samples: Sequence[PsaResult], weights: Sequence[float]) -> PsaResult:
    """Each draw under the structure it belongs to."""
    first = samples[0]
    place = structures_of_draws(first.seed, first.n, weights)

    def chosen(arrays: Sequence[FloatArray]) -> FloatArray:
        out = arrays[0].copy()
        for number, array in enumerate(arrays):
            out[place == number] = array[place == number]
        return out

    outcomes = first.outcomes
    mixed = Outcomes(
        chosen([s.outcomes.values for s in samples]),
        outcomes.strategies,
        outcomes.names,
        outcomes.reference,
        {
            name: chosen([s.outcomes.diagnostics[name] for s in samples])
            for name in outcomes.diagnostics
        },
    )
    return dataclasses.replace(first, outcomes=mixed)


# --- where it comes from ---------------------------------------------------------------------


def _groups(specs: Mapping[str, Spec], values: Draws) -> tuple[GroupStructure, ...]:
    by_structure = {name: traces(spec, values) for name, spec in specs.items()}
    timeline = Timeline(specs[PARTITIONED].settings)
    years = timeline.person_time(None).weights()
    rows = []
    for strategy, reset in by_structure[RESET].items():
        curves = {c.group: c for c in specs[RESET].curves_in_use(strategy) if c.endpoint == "os"}
        for group, flow in reset.flows.items():
            family = curves[group].pps_family
            after = f"given: {family}" if family else "derived: exponential"
            moved = float(flow.progressions[0].sum())
            time = {
                name: float(years @ _progressed(found[strategy], group))
                for name, found in by_structure.items()
            }
            below, negative = _contradiction(flow)
            rows.append(
                GroupStructure(
                    strategy=strategy,
                    group=group,
                    weight=float(reset.weights[group][0]),
                    deaths=float(flow.deaths[0].sum()),
                    progressions=moved,
                    after=after,
                    rate=None if flow.rate is None else float(flow.rate[0]),
                    years={n: t / moved if moved > 0 else 0.0 for n, t in time.items()},
                    hazards={
                        name: _hazards(by_structure[name][strategy], group, timeline)
                        for name in (FORWARD, RESET)
                    },
                    below=below,
                    negative=negative,
                )
            )
    return tuple(rows)


def _progressed(trace: StrategyTrace, group: str) -> FloatArray:
    progressed: FloatArray = (
        trace.group_curves["os", group][0] - trace.group_curves["pfs", group][0]
    )
    return progressed


def _contradiction(flow: Flow) -> tuple[float, float]:
    """Shares of the time progressed with an implied hazard below the population's, and below 0."""
    level = flow.partitioned[0]
    time = (level[:-1] + level[1:]) / 2
    total = float(time.sum())
    if total <= 0:
        return 0.0, 0.0
    implied, least = flow.implied[0], np.broadcast_to(flow.least, flow.implied.shape)[0]
    below = implied < least * (1 - _BELOW)
    return float(time[below].sum()) / total, float(time[implied < 0].sum()) / total


def _hazards(trace: StrategyTrace, group: str, timeline: Timeline) -> tuple[float | None, ...]:
    """Deaths per year progressed in each period since the start."""
    flow, level = trace.flows[group], _progressed(trace, group)
    deaths = level[:-1] + flow.progressions[0] - level[1:]
    time = (level[:-1] + level[1:]) / 2 * timeline.length
    out: list[float | None] = []
    lower = 0.0
    for upper in PERIODS:
        inside = (timeline.mid_years >= lower) & (timeline.mid_years < upper)
        spent = float(time[inside].sum())
        out.append(float(deaths[inside].sum()) / spent if spent > 1e-9 else None)
        lower = upper
    return tuple(out)
