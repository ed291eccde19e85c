"""What the draws of a probabilistic analysis say: means, curves, precision and checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heor.analyses import cea, ceac, monte_carlo
from heor.analyses.monte_carlo import Replicates, estimate, probability, replicates_of
from heor.analyses.psa_checks import correlation_checks, parameter_checks, precision_of
from heor.analyses.psa_results import (
    BaseCheck,
    Crossing,
    ParameterCheck,
    PsaIncrement,
    PsaResult,
    PsaStrategy,
    PsaSummary,
)
from heor.analyses.results import BaseCase
from heor.engine.outcomes import Outcomes
from heor.spec.parameters import FloatArray
from heor.spec.records import Settings, Spec

#: Standard errors from which a PSA mean differs from the base case by more than chance.
BEYOND_CHANCE = 3.0


@dataclass(frozen=True, slots=True)
class _Context:
    """What every part of the summary reads: totals ``(draw, strategy)`` and the study's choices."""

    settings: Settings
    outcomes: Outcomes
    replicates: Replicates
    cost: FloatArray
    qaly: FloatArray


def summarise(
    spec: Spec, result: PsaResult, base: BaseCase | None = None, axis: Sequence[float] | None = None
) -> PsaSummary:
    """Summarise a probabilistic analysis.

    Parameters
    ----------
    spec : Spec
        The study.
    result : PsaResult
        Its draws.
    base : BaseCase, optional
        For the comparison of PSA means with the base case.
    axis : sequence of float, optional
        Thresholds of the acceptability curve; `heor.analyses.ceac.threshold_grid` chooses them
        when left out.
    """
    settings, outcomes = spec.settings, result.outcomes
    cost, qaly = outcomes.get("cost"), outcomes.get("qaly")
    context = _Context(settings, outcomes, replicates_of(result), cost, qaly)
    weight, thresholds = settings.severity_weight, settings.thresholds
    grid = ceac.threshold_grid(cost, qaly, thresholds, weight) if axis is None else axis
    others = [s for s in outcomes.strategies if s != outcomes.reference]
    deltas = {s: _deltas(outcomes, s) for s in others}
    middle = ceac.middle_threshold(thresholds)
    crossing = crossing_of(outcomes, settings.crossing_limit)
    some = _first(context.replicates, len(result.draws))
    checks = parameter_checks(spec, result.draws, some)
    base_checks = _base_checks(context, base) if base is not None else ()
    recommended = tuple(
        monte_carlo.recommended_draws(
            s, outcomes.reference, middle, weight, deltas[s]["cost"], deltas[s]["qaly"]
        )
        for s in others
    )
    return PsaSummary(
        n=result.n,
        seed=result.seed,
        sampler=result.sampler,
        replicates=result.replicates,
        stopping=result.stopping,
        reference=outcomes.reference,
        thresholds=thresholds,
        strategies=_strategies(spec, context),
        increments=tuple(_increment(context, s, deltas[s]) for s in others),
        incremental=cea.incremental_table(outcomes.strategies, cost.mean(axis=0), qaly.mean(axis=0))
        if others
        else (),
        at_thresholds=ceac.acceptability(outcomes.strategies, cost, qaly, thresholds, weight),
        curve=ceac.acceptability(outcomes.strategies, cost, qaly, grid, weight),
        convergence=tuple(
            monte_carlo.convergence(
                s, outcomes.reference, middle, weight, deltas[s]["cost"], deltas[s]["qaly"]
            )
            for s in others
        ),
        recommended_draws=recommended,
        crossing=crossing,
        parameter_checks=checks,
        correlation_checks=correlation_checks(spec, result.draws),
        precision=precision_of(
            others,
            middle,
            [middle * weight * deltas[s]["qaly"] - deltas[s]["cost"] for s in others],
            context.replicates,
        ),
        steps=result.steps,
        base_checks=base_checks,
        warnings=_warnings(
            result, crossing, checks, [r.words for r in recommended if not r.reached]
        ),
    )


def _first(replicates: Replicates, n: int) -> Replicates:
    """How the first ``n`` draws depend on one another, of which inputs are kept."""
    of_draw = replicates.of_draw[:n]
    return Replicates(of_draw, len(np.unique(of_draw)), replicates.independent)


def _deltas(outcomes: Outcomes, strategy: str) -> dict[str, FloatArray]:
    return {
        name: outcomes.of(strategy, name) - outcomes.of(outcomes.reference, name)
        for name in ("cost", "qaly", "ly", "evly", *_UNDISCOUNTED)
    }


_UNDISCOUNTED = ("cost_undiscounted", "qaly_undiscounted", "ly_undiscounted")


def _strategies(spec: Spec, context: _Context) -> tuple[PsaStrategy, ...]:
    outcomes, settings = context.outcomes, context.settings
    benefits = [
        cea.nmb(context.cost, context.qaly, k, settings.severity_weight)
        for k in settings.thresholds
    ]
    wins = []
    for benefit in benefits:
        highest = benefit == benefit.max(axis=1, keepdims=True)
        wins.append(highest / highest.sum(axis=1, keepdims=True))
    rows = []
    for place, strategy in enumerate(spec.strategies):
        totals = {
            name: estimate(outcomes.of(strategy.id, name), context.replicates)
            for name in ("cost", "qaly", "ly", "evly")
        }
        rows.append(
            PsaStrategy(
                id=strategy.id,
                label=strategy.label,
                nmb=tuple(estimate(b[:, place], context.replicates) for b in benefits),
                probability=tuple(probability(w[:, place], context.replicates) for w in wins),
                **totals,
            )
        )
    return tuple(rows)


def _increment(context: _Context, strategy: str, delta: dict[str, FloatArray]) -> PsaIncrement:
    settings, replicates = context.settings, context.replicates
    inmbs = [
        k * settings.severity_weight * delta["qaly"] - delta["cost"] for k in settings.thresholds
    ]
    mean = {name: float(values.mean()) for name, values in delta.items()}
    row = cea.pairwise(
        strategy,
        context.outcomes.reference,
        delta_cost=mean["cost"],
        delta_qaly=mean["qaly"],
        delta_ly=mean["ly"],
        evlyg=mean["evly"],
        undiscounted=(mean[_UNDISCOUNTED[0]], mean[_UNDISCOUNTED[1]], mean[_UNDISCOUNTED[2]]),
        thresholds=settings.thresholds,
        severity_weight=settings.severity_weight,
        currency=settings.currency,
    )
    return PsaIncrement(
        id=strategy,
        versus=context.outcomes.reference,
        delta_cost=estimate(delta["cost"], replicates),
        delta_qaly=estimate(delta["qaly"], replicates),
        delta_ly=estimate(delta["ly"], replicates),
        evlyg=estimate(delta["evly"], replicates),
        inmb=tuple(estimate(values, replicates) for values in inmbs),
        probability=tuple(
            probability(monte_carlo.wins_over(values), replicates) for values in inmbs
        ),
        icer=row.icer,
        icer_mcse=monte_carlo.icer_standard_error(delta["cost"], delta["qaly"], replicates),
        status=row.status,
        quadrant=row.quadrant,
        pairwise=row,
        quadrants=cea.quadrant_shares(delta["cost"], delta["qaly"]),
    )


def crossing_of(outcomes: Outcomes, limit: float) -> tuple[Crossing, ...]:
    """How far curves crossed, per strategy; empty when the outcomes carry no diagnostics."""
    diagnostics = outcomes.diagnostics
    if "crossing_share" not in diagnostics:
        return ()
    rows = []
    for place, strategy in enumerate(outcomes.strategies):
        share = diagnostics["crossing_share"][:, place]
        years = diagnostics["crossing_years"][:, place]
        rows.append(
            Crossing(
                strategy=strategy,
                mean_share=float(share.mean()),
                max_share=float(share.max()),
                limit=limit,
                over_limit=bool(share.max() > limit),
                draws=int((years > 0).sum()),
                draws_over_limit=int((share > limit).sum()),
                of_draws=len(share),
                mean_years=float(years.mean()),
                mean_cycles=float(diagnostics["crossing_cycles"][:, place].mean()),
                floor_years=float(diagnostics["floor_capped_years"][:, place].mean()),
                floor_draws=int((diagnostics["floor_capped_years"][:, place] > 0).sum()),
            )
        )
    return tuple(rows)


def _base_checks(context: _Context, base: BaseCase) -> tuple[BaseCheck, ...]:
    outcomes = context.outcomes
    rows = []
    for strategy in outcomes.strategies:
        for name in ("cost", "qaly", "ly", "evly"):
            own = float(getattr(base.totals(strategy), name))
            values = outcomes.of(strategy, name)
            rows.append(_base_check(strategy, name, own, values, context.replicates))
        if strategy == outcomes.reference:
            continue
        row = next(r for r in base.pairwise if r.id == strategy)
        for name, own in (("delta_cost", row.delta_cost), ("delta_qaly", row.delta_qaly)):
            delta = _deltas(outcomes, strategy)[name.removeprefix("delta_")]
            rows.append(_base_check(strategy, name, own, delta, context.replicates))
    return tuple(rows)


def _base_check(
    strategy: str, outcome: str, base: float, values: FloatArray, replicates: Replicates
) -> BaseCheck:
    mean, mcse = float(values.mean()), replicates.standard_error(values)
    difference = mean - base
    in_mcse = difference / mcse if mcse > 0 else None
    if abs(difference) <= 1e-9 * max(1.0, abs(base)):
        words = "equal"
    elif in_mcse is None:
        words = "no standard error to judge the difference by"
    elif abs(in_mcse) <= BEYOND_CHANCE:
        words = "within Monte Carlo error"
    else:
        words = (
            "beyond Monte Carlo error: the model is not linear in its inputs, or a base value is "
            "not the mean of its distribution"
        )
    return BaseCheck(
        strategy=strategy,
        outcome=outcome,
        base=base,
        psa=mean,
        difference=difference,
        relative=difference / abs(base) if base else None,
        in_mcse=in_mcse,
        words=words,
    )


def _warnings(
    result: PsaResult,
    crossing: Sequence[Crossing],
    checks: Sequence[ParameterCheck],
    advice: Sequence[str],
) -> tuple[str, ...]:
    lines = [
        f"{row.strategy}: PFS and OS cross; the cap moved {row.mean_share:.2%} of life years on "
        f"average and {row.max_share:.2%} at most, above the limit of {row.limit:.2%} in "
        f"{row.draws_over_limit:,} of {row.of_draws:,} draws"
        for row in crossing
        if row.over_limit
    ]
    lines += [f"{check.parameter}: {check.warning}" for check in checks if check.warning]
    if result.sampler != "random" and result.replicates < 2:
        lines.append(
            f"one randomisation of a {result.sampler} sample has no standard error; "
            "set psa_replicates to 2 or more"
        )
    lines += advice
    return tuple(lines)
