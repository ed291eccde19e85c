"""One-way sensitivity analysis: each parameter at its low and high value (methods 7.3)."""

from __future__ import annotations

from heor.analyses.cea import icer, net_benefits, status_words
from heor.analyses.ceac import middle_threshold
from heor.analyses.results import DsaBar, DsaComparison, DsaPoint, DsaResult
from heor.engine.evaluate import evaluate
from heor.engine.outcomes import Outcomes
from heor.spec import draws as draw_sets
from heor.spec.parameters import Draws, Parameter
from heor.spec.records import Spec


def run(spec: Spec, workers: int = 1) -> DsaResult:
    """Evaluate the base row and both bounds of every parameter that has an interval of its own.

    Joint and methodological parameters are left out: a joint parameter does not move alone, and
    discount rates and horizon are choices, not estimates.
    """
    draws = draw_sets.one_way(spec)
    outcomes = evaluate(spec, draws, workers=workers)
    thresholds = spec.settings.thresholds
    threshold = middle_threshold(thresholds)
    rows = _rows_by_parameter(draws)
    return DsaResult(
        thresholds=thresholds,
        threshold=threshold,
        comparisons=tuple(
            _comparison(spec, draws, outcomes, strategy, rows, thresholds.index(threshold))
            for strategy in spec.strategy_ids()
            if strategy != spec.settings.reference
        ),
        left_out=draw_sets.alone(spec)[1],
        draws=draws,
        outcomes=outcomes,
    )


def _rows_by_parameter(draws: Draws) -> dict[str, tuple[int, int]]:
    """Rows of the low and the high value of each parameter that is varied."""
    lows: dict[str, int] = {}
    highs: dict[str, int] = {}
    pairs = zip(draws.labels["parameter"], draws.labels["bound"], strict=True)
    for row, (parameter, bound) in enumerate(pairs):
        if bound == "low":
            lows[str(parameter)] = row
        elif bound == "high":
            highs[str(parameter)] = row
    return {name: (lows[name], highs[name]) for name in lows}


def _comparison(
    spec: Spec,
    draws: Draws,
    outcomes: Outcomes,
    strategy: str,
    rows: dict[str, tuple[int, int]],
    place: int,
) -> DsaComparison:
    def point(row: int, value: float | None) -> DsaPoint:
        return _point(spec, outcomes, strategy, row, value)

    bars = []
    for name, (low, high) in rows.items():
        parameter = spec.parameters[name]
        values = draws.values[name]
        bars.append(
            _bar(
                parameter,
                float(values[0]),
                point(0, None),
                point(low, float(values[low])),
                point(high, float(values[high])),
            )
        )
    bars.sort(key=lambda bar: -bar.swing[place])
    return DsaComparison(
        id=strategy,
        versus=spec.settings.reference,
        base=point(0, None),
        bars=tuple(bars),
    )


def _point(
    spec: Spec, outcomes: Outcomes, strategy: str, row: int, value: float | None
) -> DsaPoint:
    settings = spec.settings
    delta = {
        name: float(outcomes.of(strategy, name)[row] - outcomes.of(settings.reference, name)[row])
        for name in ("cost", "qaly")
    }
    inmb, _ = net_benefits(
        delta["cost"], delta["qaly"], settings.thresholds, settings.severity_weight
    )
    return DsaPoint(
        value=value,
        delta_cost=delta["cost"],
        delta_qaly=delta["qaly"],
        inmb=inmb,
        icer=icer(delta["cost"], delta["qaly"]),
        status=status_words(delta["cost"], delta["qaly"], settings.currency),
    )


def _bar(
    parameter: Parameter, base_value: float, base: DsaPoint, low: DsaPoint, high: DsaPoint
) -> DsaBar:
    points = (low, base, high)
    swing = tuple(max(at) - min(at) for at in zip(*(p.inmb for p in points), strict=True))
    ratios = [p.icer for p in points if p.icer is not None]
    return DsaBar(
        parameter=parameter.id,
        label=parameter.label,
        unit=parameter.unit,
        base_value=base_value,
        low=low,
        high=high,
        swing=swing,
        icer_swing=max(ratios) - min(ratios) if len(ratios) == len(points) else None,
    )
