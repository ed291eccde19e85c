"""The deterministic result: totals and their parts, incremental table, pairwise rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from heor.analyses import cea
from heor.analyses.results import BackgroundRow, BaseCase, PairwiseRow, StrategyTotals
from heor.engine.evaluate import evaluate, traces
from heor.engine.outcomes import Outcomes
from heor.spec import draws as draw_sets
from heor.spec.parameters import Draws, FloatArray
from heor.spec.records import EXCESS, Spec


def run(spec: Spec) -> BaseCase:
    """Evaluate a study at its base values."""
    draws = draw_sets.base(spec)
    return of_row(spec, draws, evaluate(spec, draws), 0)


def of_row(spec: Spec, draws: Draws, outcomes: Outcomes, row: int) -> BaseCase:
    """Totals and comparison of one row of outcomes, e.g. of one draw that is looked at alone."""
    settings = spec.settings
    thresholds, weight = settings.thresholds, settings.severity_weight
    strategies = tuple(
        _totals(spec, outcomes, row, strategy.id, strategy.label) for strategy in spec.strategies
    )
    several = len(strategies) > 1
    return BaseCase(
        currency=settings.currency,
        reference=settings.reference,
        thresholds=thresholds,
        severity_weight=weight,
        strategies=strategies,
        incremental=cea.incremental_table(
            [s.id for s in strategies], [s.cost for s in strategies], [s.qaly for s in strategies]
        )
        if several
        else (),
        pairwise=pairwise_rows(spec, {s.id: totals_of(outcomes, row, s.id) for s in strategies}),
        best=tuple(
            max(strategies, key=lambda s: s.nmb[place]).id for place in range(len(thresholds))
        ),
        draws=draws.rows(row, row + 1),
        outcomes=Outcomes(
            outcomes.values[row : row + 1],
            outcomes.strategies,
            outcomes.names,
            outcomes.reference,
            {name: value[row : row + 1] for name, value in outcomes.diagnostics.items()},
        ),
        background=background_rows(spec, draws.rows(row, row + 1)),
    )


def background_rows(spec: Spec, draws: Draws) -> tuple[BackgroundRow, ...]:
    """Say where background mortality binds in the first of some draws, group by group."""
    rows = []
    for strategy, trace in traces(spec, draws).items():
        for curve in spec.curves_in_use(strategy):
            if curve.endpoint != "os":
                continue
            excess = all(one.hazard == EXCESS for one in curve.average or (curve,))
            found = trace.bindings.get(curve.group)
            first, for_good = (
                (_cycle(found.first), _cycle(found.for_good)) if found else (None, None)
            )
            rows.append(
                BackgroundRow(
                    strategy=strategy,
                    group=curve.group,
                    mechanism=EXCESS if excess else spec.settings.background_mortality,
                    share=None if found is None else float(found.share[0]),
                    first_cycle=first,
                    first_year=None if first is None else float(trace.time[first - 1]),
                    for_good_cycle=for_good,
                    for_good_year=None if for_good is None else float(trace.time[for_good - 1]),
                )
            )
    return tuple(rows)


def _cycle(number: FloatArray) -> int | None:
    return None if np.isnan(number[0]) else int(number[0])


#: The totals that a pairwise row compares.
TOTALS = ("cost", "qaly", "ly", "evly", "cost_undiscounted", "qaly_undiscounted", "ly_undiscounted")


def totals_of(outcomes: Outcomes, row: int, strategy: str) -> dict[str, float]:
    """The totals of one strategy in one row, by outcome name."""
    return {name: float(outcomes.of(strategy, name)[row]) for name in TOTALS}


def pairwise_rows(spec: Spec, totals: Mapping[str, Mapping[str, float]]) -> tuple[PairwiseRow, ...]:
    """Every strategy but the reference against it, from totals (`TOTALS`) by strategy."""
    settings = spec.settings
    reference = totals[settings.reference]
    rows = []
    for strategy, own in totals.items():
        if strategy == settings.reference:
            continue
        delta = {name: own[name] - reference[name] for name in TOTALS}
        rows.append(
            cea.pairwise(
                strategy,
                settings.reference,
                delta_cost=delta["cost"],
                delta_qaly=delta["qaly"],
                delta_ly=delta["ly"],
                evlyg=delta["evly"],
                undiscounted=(
                    delta["cost_undiscounted"],
                    delta["qaly_undiscounted"],
                    delta["ly_undiscounted"],
                ),
                thresholds=settings.thresholds,
                severity_weight=settings.severity_weight,
                currency=settings.currency,
            )
        )
    return tuple(rows)


def _totals(spec: Spec, outcomes: Outcomes, row: int, strategy: str, label: str) -> StrategyTotals:
    def parts(prefix: str) -> dict[str, float]:
        return {
            key: float(outcomes.of(strategy, f"{prefix}:{key}")[row])
            for key in outcomes.parts(prefix)
        }

    total = totals_of(outcomes, row, strategy)
    nmb, nhb = cea.net_benefits(
        total["cost"], total["qaly"], spec.settings.thresholds, spec.settings.severity_weight
    )
    return StrategyTotals(
        id=strategy,
        label=label,
        cost=total["cost"],
        qaly=total["qaly"],
        ly=total["ly"],
        evly=total["evly"],
        cost_undiscounted=total["cost_undiscounted"],
        qaly_undiscounted=total["qaly_undiscounted"],
        ly_undiscounted=total["ly_undiscounted"],
        cost_by_category=parts("cost"),
        cost_by_category_undiscounted=parts("cost_undiscounted"),
        cost_by_state=parts("cost_in"),
        cost_by_state_undiscounted=parts("cost_in_undiscounted"),
        ly_by_state=parts("ly"),
        ly_by_state_undiscounted=parts("ly_undiscounted"),
        qaly_by_state=parts("qaly"),
        qaly_by_state_undiscounted=parts("qaly_undiscounted"),
        nmb=nmb,
        nhb=nhb,
    )
