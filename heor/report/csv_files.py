"""Results as CSV text with Unix line ends.

Numbers are the shortest decimals that read back as the same number, so that one seed gives
the same bytes on every run.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from heor.analyses.psa_results import PsaResult
from heor.analyses.results import BaseCase, DsaResult, ScenarioResult
from heor.report.numbers import threshold_key

#: Draws turned into text at a time.
BLOCK = 10_000

#: Outcomes of ``psa.csv`` before the cost categories.
PSA_OUTCOMES = ("cost", "qaly", "ly", "evly")


def psa_csv(psa: PsaResult) -> str:
    """One row per draw and strategy: totals, then ``cost:<category>``; discounted."""
    outcomes = psa.outcomes
    names = (*PSA_OUTCOMES, *(f"cost:{key}" for key in outcomes.parts("cost")))
    columns = [outcomes.names.index(name) for name in names]
    rows = (
        [draw, strategy, *values]
        for start in range(0, len(outcomes), BLOCK)
        for draw, block in enumerate(
            outcomes.values[start : start + BLOCK, :, columns].tolist(), start=start + 1
        )
        for strategy, values in zip(outcomes.strategies, block, strict=True)
    )
    return _text(("draw", "strategy", *names), rows)


def psa_inputs_csv(psa: PsaResult) -> str:
    """One row per draw, one column per parameter."""
    names = tuple(psa.draws.values)
    columns = [psa.draws.values[name].tolist() for name in names]
    return _text(("draw", *names), zip(range(1, psa.n + 1), *columns, strict=True))


def base_case_csv(base: BaseCase) -> str:
    """One row per strategy: totals, parts and the comparison with the reference."""
    pairwise = {row.id: row for row in base.pairwise}
    totals = ("cost", "qaly", "ly", "evly")
    undiscounted = ("cost_undiscounted", "qaly_undiscounted", "ly_undiscounted")
    deltas = ("delta_cost", "delta_qaly", "delta_ly", "evlyg", "icer", "status")
    first = base.strategies[0]
    parts = [
        (field, key)
        for field in ("cost_by_category", "ly_by_state", "qaly_by_state")
        for key in getattr(first, field)
    ]
    header = [
        "strategy",
        *totals,
        *undiscounted,
        *(f"{field.split('_')[0]}:{key}" for field, key in parts),
        "versus",
        *deltas,
        *(f"inmb_{threshold_key(k)}" for k in base.thresholds),
    ]
    rows = []
    for strategy in base.strategies:
        row = [
            strategy.id,
            *(getattr(strategy, name) for name in (*totals, *undiscounted)),
            *(getattr(strategy, field)[key] for field, key in parts),
        ]
        versus = pairwise.get(strategy.id)
        if versus is None:
            row += [None] * (1 + len(deltas) + len(base.thresholds))
        else:
            row += [versus.versus, *(getattr(versus, name) for name in deltas), *versus.inmb]
        rows.append(row)
    return _text(header, rows)


def scenarios_csv(scenarios: Sequence[ScenarioResult]) -> str:
    """One row per scenario and strategy other than the reference."""
    thresholds = scenarios[0].thresholds if scenarios else ()
    header = (
        *("scenario", "purpose", "strategy", "versus"),
        *("delta_cost", "delta_qaly", "delta_ly", "icer", "status", "direction"),
        *(f"inmb_{threshold_key(k)}" for k in thresholds),
    )
    rows = []
    for scenario in scenarios:
        effects = {effect.id: effect for effect in scenario.effects}
        for row in scenario.result.pairwise:
            effect = effects.get(row.id)
            rows.append(
                [
                    *(scenario.name, scenario.purpose, row.id, row.versus),
                    *(row.delta_cost, row.delta_qaly, row.delta_ly, row.icer, row.status),
                    effect.direction if effect else None,
                    *(effect.inmb if effect else [None] * len(thresholds)),
                ]
            )
    return _text(header, rows)


def dsa_csv(dsa: DsaResult) -> str:
    """One row per comparison, parameter and end of its interval."""
    header = (
        *("strategy", "versus", "parameter", "label", "unit", "bound", "value"),
        *("delta_cost", "delta_qaly", "icer", "status"),
        *(f"inmb_{threshold_key(k)}" for k in dsa.thresholds),
    )
    rows = [
        [
            *(comparison.id, comparison.versus, bar.parameter, bar.label, bar.unit, bound),
            *(point.value, point.delta_cost, point.delta_qaly, point.icer, point.status),
            *point.inmb,
        ]
        for comparison in dsa.comparisons
        for bar in comparison.bars
        for bound, point in (("low", bar.low), ("high", bar.high))
    ]
    return _text(header, rows)


def _text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
