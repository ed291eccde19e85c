"""When the gain comes: shares of the incremental QALYs and life years accrued by some years."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heor.analyses.cea import QALY_TOLERANCE
from heor.analyses.results import AccrualRow
from heor.engine.evaluate import evaluate
from heor.engine.outcomes import Outcomes
from heor.spec import draws as draw_sets
from heor.spec.expressions import constant
from heor.spec.records import Spec

YEARS = (5.0, 10.0, 15.0, 20.0)


def run(spec: Spec, years: Sequence[float] = YEARS) -> tuple[AccrualRow, ...]:
    """Discounted gains over the reference accrued by each year, at base values.

    Years past the horizon give the whole gain and are marked so. Life years are the QALYs of the
    same study with every utility 1 and no one-off loss, so that both are cut at the same moment.
    """
    draws = draw_sets.base(spec)
    rounded = tuple(float(year) for year in years)
    qalys = evaluate(spec, draws, qaly_years=rounded)
    lives = evaluate(_every_utility_one(spec), draws, qaly_years=rounded)
    reference = spec.settings.reference
    rows = []
    for strategy in spec.strategy_ids():
        if strategy == reference:
            continue
        for year in rounded:
            delta_qaly, qaly_share = _gain(qalys, strategy, reference, year)
            delta_ly, ly_share = _gain(lives, strategy, reference, year)
            rows.append(
                AccrualRow(
                    id=strategy,
                    versus=reference,
                    year=year,
                    delta_qaly=delta_qaly,
                    qaly_share=qaly_share,
                    delta_ly=delta_ly,
                    ly_share=ly_share,
                    within_horizon=year <= spec.settings.horizon,
                )
            )
    return tuple(rows)


def _every_utility_one(spec: Spec) -> Spec:
    return replace(
        spec,
        settings=replace(spec.settings, age_adjusted_utilities=False, utility_cap="none"),
        utilities=tuple(replace(u, value=constant(1.0)) for u in spec.utilities),
        adverse_events=(),
    )


def _gain(
    outcomes: Outcomes, strategy: str, reference: str, year: float
) -> tuple[float, float | None]:
    name = f"qaly_to:{year:g}"
    gain = float(outcomes.of(strategy, name)[0] - outcomes.of(reference, name)[0])
    whole = float(outcomes.of(strategy, "qaly")[0] - outcomes.of(reference, "qaly")[0])
    return gain, gain / whole if abs(whole) >= QALY_TOLERANCE else None
