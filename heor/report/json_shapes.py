"""Results as JSON-ready dictionaries. The shapes are stable and described in ``docs/json.md``."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heor.analyses.psa_results import (
    Acceptability,
    CeaResult,
    Crossing,
    Estimate,
    PsaIncrement,
    PsaSummary,
)
from heor.analyses.results import (
    ON_FRONTIER,
    AccrualRow,
    BaseCase,
    DsaPoint,
    DsaResult,
    IncrementalRow,
    PairwiseRow,
    ScenarioResult,
    StrategyTotals,
)
from heor.analyses.study_results import RunRecord, StudyResults
from heor.report.importance_forms import importance_json
from heor.report.numbers import threshold_key
from heor.report.sensitivity_forms import threshold_json, two_way_json
from heor.report.structure_forms import structure_json
from heor.report.voi_forms import voi_json

Json = dict[str, Any]


def dumps(value: Any) -> str:
    """JSON text, indented, UTF-8 characters kept; NaN and infinity become null."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def header(results: StudyResults) -> Json:
    """What every output says first: study, version, input hash, currency, banner, warnings."""
    return {
        "study": results.spec.name,
        "version": results.version,
        "input_hash": results.spec.input_hash,
        "currency": results.spec.settings.currency,
        "banner": list(results.banner),
        "warnings": list(results.record.warnings),
    }


def base_case(results: StudyResults) -> Json:
    """``heor base-case --json``."""
    return {**header(results), **_base(results.base)}


def scenarios(results: StudyResults) -> Json:
    """``heor scenarios --json``."""
    return {**header(results), "scenarios": [_scenario(row) for row in results.scenarios]}


def dsa(results: StudyResults) -> Json:
    """``heor dsa --json``."""
    assert results.dsa is not None
    return {**header(results), **_dsa(results.dsa)}


def psa(results: StudyResults) -> Json:
    """``heor psa --json``."""
    assert results.psa_summary is not None
    return {**_psa(results.psa_summary), **header(results)}


def study(results: StudyResults) -> Json:
    """``results.json`` of ``heor run``: every analysis under its own key."""
    shape = {
        **header(results),
        "base_case": _base(results.base),
        "accrual": [_accrual(row) for row in results.accrual],
        "scenarios": [_scenario(row) for row in results.scenarios],
    }
    if results.structure is not None:
        shape["structure"] = structure_json(results.structure)
    if results.dsa is not None:
        shape["dsa"] = _dsa(results.dsa)
    if results.thresholds is not None:
        shape["two_way"] = [two_way_json(grid) for grid in results.two_way]
        shape["threshold"] = threshold_json(results.thresholds)
    if results.psa_summary is not None:
        shape["psa"] = _psa(results.psa_summary)
    if results.voi is not None:
        shape["voi"] = voi_json(results.voi)
    if results.importance is not None:
        shape["importance"] = importance_json(results.importance)
    return shape


def run_record(record: RunRecord) -> Json:
    """``run.json``: what was run, so that it can be run again."""
    return dataclasses.asdict(record)


def cea(result: CeaResult) -> Json:
    """``heor cea --json``."""
    return {
        "strategies": list(result.strategies),
        "draws": result.n,
        "frontier": list(result.frontier),
        "icers": [_icer(row) for row in result.incremental],
        **_acceptability(result.acceptability),
    }


def _base(base: BaseCase) -> Json:
    return {
        "reference": base.reference,
        "strategies": [_totals(row) for row in base.strategies],
        "incremental": [_pairwise(row) for row in base.pairwise],
        "frontier": [row.id for row in base.incremental if row.status == ON_FRONTIER],
        "icers": [_icer(row) for row in base.incremental],
        "background": [dataclasses.asdict(row) for row in base.background],
    }


def _totals(row: StrategyTotals) -> Json:
    return {
        "id": row.id,
        "label": row.label,
        "cost": row.cost,
        "qaly": row.qaly,
        "ly": row.ly,
        "evly": row.evly,
        "cost_undiscounted": row.cost_undiscounted,
        "qaly_undiscounted": row.qaly_undiscounted,
        "ly_undiscounted": row.ly_undiscounted,
        "cost_by_category": dict(row.cost_by_category),
        "ly_by_state": dict(row.ly_by_state),
        "qaly_by_state": dict(row.qaly_by_state),
    }


def _pairwise(row: PairwiseRow) -> Json:
    return {
        "id": row.id,
        "versus": row.versus,
        "delta_cost": row.delta_cost,
        "delta_qaly": row.delta_qaly,
        "delta_ly": row.delta_ly,
        "evlyg": row.evlyg,
        "icer": row.icer,
        "cost_per_ly": row.cost_per_ly,
        "cost_per_evlyg": row.cost_per_evlyg,
        "saving_per_qaly_forgone": row.saving_per_qaly_forgone,
        "quadrant": row.quadrant,
        "status": row.status,
        "nmb": _by_threshold(row.thresholds, row.inmb),
    }


def _icer(row: IncrementalRow) -> Json:
    return {
        "id": row.id,
        "cost": row.cost,
        "qaly": row.qaly,
        "versus": row.versus,
        "delta_cost": row.delta_cost,
        "delta_qaly": row.delta_qaly,
        "icer": row.icer,
        "status": row.status,
        "dominated_by": list(row.dominated_by),
        "note": row.note,
    }


def _accrual(row: AccrualRow) -> Json:
    return dataclasses.asdict(row)


def _scenario(row: ScenarioResult) -> Json:
    return {
        "name": row.name,
        "purpose": row.purpose,
        "changes": [{"target": target, "value": value} for target, value in row.changes],
        "threshold": row.threshold,
        "strategies": [_totals(totals) for totals in row.result.strategies],
        "incremental": [_pairwise(pair) for pair in row.result.pairwise],
        "effects": [
            {
                "id": effect.id,
                "nmb": _by_threshold(row.thresholds, effect.inmb),
                "change_in_nmb": _by_threshold(row.thresholds, effect.delta_inmb),
                "direction": effect.direction,
            }
            for effect in row.effects
        ],
    }


def _dsa(result: DsaResult) -> Json:
    def point(at: DsaPoint) -> Json:
        return {
            "value": at.value,
            "delta_cost": at.delta_cost,
            "delta_qaly": at.delta_qaly,
            "icer": at.icer,
            "status": at.status,
            "nmb": _by_threshold(result.thresholds, at.inmb),
        }

    return {
        "threshold": result.threshold,
        "comparisons": [
            {
                "id": comparison.id,
                "versus": comparison.versus,
                "base": {key: val for key, val in point(comparison.base).items() if key != "value"},
                "bars": [
                    {
                        "parameter": bar.parameter,
                        "label": bar.label,
                        "unit": bar.unit,
                        "low": point(bar.low),
                        "high": point(bar.high),
                        "swing": _by_threshold(result.thresholds, bar.swing),
                        "icer_swing": bar.icer_swing,
                    }
                    for bar in comparison.bars
                ],
            }
            for comparison in result.comparisons
        ],
        "left_out": [{"parameter": name, "reason": reason} for name, reason in result.left_out],
    }


def _psa(summary: PsaSummary) -> Json:
    return {
        "draws": summary.n,
        "seed": summary.seed,
        "sampler": summary.sampler,
        "replicates": summary.replicates,
        "stopping": summary.stopping,
        "steps": [{"draws": n, "mcse": mcse} for n, mcse in summary.steps],
        "reference": summary.reference,
        "strategies": [
            {
                "id": row.id,
                "label": row.label,
                "cost": _estimate(row.cost),
                "qaly": _estimate(row.qaly),
                "ly": _estimate(row.ly),
                "evly": _estimate(row.evly),
                "nmb": _by_threshold(summary.thresholds, map(_estimate, row.nmb)),
            }
            for row in summary.strategies
        ],
        "increments": [_increment(row, summary.thresholds) for row in summary.increments],
        "icers": [_icer(row) for row in summary.incremental],
        **_acceptability(summary.at_thresholds),
        "curve": _acceptability(summary.curve),
        "quadrants": {row.id: dict(row.quadrants) for row in summary.increments},
        "crossing": [_crossing(row) for row in summary.crossing],
        "recommended_draws": [dataclasses.asdict(row) for row in summary.recommended_draws],
        "parameter_checks": [dataclasses.asdict(row) for row in summary.parameter_checks],
        "correlation_checks": [dataclasses.asdict(row) for row in summary.correlation_checks],
        "precision": [dataclasses.asdict(row) for row in summary.precision],
        "base_checks": [dataclasses.asdict(row) for row in summary.base_checks],
        "warnings": list(summary.warnings),
    }


def _increment(row: PsaIncrement, thresholds: Sequence[float]) -> Json:
    return {
        "id": row.id,
        "versus": row.versus,
        "delta_cost": _estimate(row.delta_cost),
        "delta_qaly": _estimate(row.delta_qaly),
        "delta_ly": _estimate(row.delta_ly),
        "evlyg": _estimate(row.evlyg),
        "icer": row.icer,
        "icer_mcse": row.icer_mcse,
        "quadrant": row.quadrant,
        "status": row.status,
        "nmb": _by_threshold(thresholds, map(_estimate, row.inmb)),
        "probability": _by_threshold(thresholds, map(dataclasses.asdict, row.probability)),
    }


def _acceptability(result: Acceptability) -> Json:
    def by_strategy(values: Any) -> Json:
        return {name: values[:, i].tolist() for i, name in enumerate(result.strategies)}

    return {
        "thresholds": result.thresholds.tolist(),
        "ceac": by_strategy(result.ceac),
        "ceaf": result.ceaf.tolist(),
        "ceaf_strategy": [result.strategies[i] for i in result.best.tolist()],
        "evpi": result.evpi.tolist(),
        "expected_loss": by_strategy(result.expected_loss),
    }


def _estimate(value: Estimate) -> Json:
    return dataclasses.asdict(value)


def _crossing(row: Crossing) -> Json:
    return dataclasses.asdict(row)


def _by_threshold(thresholds: Sequence[float], values: Iterable[Any]) -> Json:
    return {threshold_key(k): value for k, value in zip(thresholds, values, strict=True)}


def _finite(value: Any) -> Any:
    """Replace NaN and infinity by None, and numpy scalars by Python numbers, all the way down."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if hasattr(value, "item"):
        return _finite(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
