"""The comparison of structures on the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heor.analyses.psa_results import PsaSummary
from heor.analyses.results import BaseCase, PairwiseRow
from heor.analyses.structure_results import (
    PERIODS,
    GroupStructure,
    StructureCase,
    StructureResult,
)
from heor.report.numbers import NONE, money, percent, with_signs, years
from heor.spec.records import FORWARD, PARTITIONED, RESET, Spec

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

#: What structures are called for people.
WORDS: Mapping[str, str] = {
    PARTITIONED: "Partitioned survival",
    FORWARD: "Clock forward",
    RESET: "Clock reset",
    "": "Average",
}

#: Shares of the time progressed below this are not pointed out.
SMALL_SHARE = 0.0005

_COLUMNS = (
    "structure",
    "strategy",
    "cost",
    "ly",
    "qaly",
    "delta_cost",
    "delta_ly",
    "delta_qaly",
    "icer",
    "psa_cost",
    "psa_ly",
    "psa_qaly",
    "psa_icer",
)


def structure_json(result: StructureResult) -> dict[str, Any]:
    """``heor structure --json`` (docs/json.md)."""
    average = result.average
    return {
        "follow_up": result.follow_up,
        "structures": [_case(case) for case in result.cases],
        "groups": [_group(row) for row in result.groups],
        "average": None
        if average is None
        else {"weights": list(result.weights or ()), **_case(average)},
    }


def _case(case: StructureCase) -> dict[str, Any]:
    base = case.base
    shape: dict[str, Any] = {"structure": case.structure} if case.structure else {}
    shape["strategies"] = [
        {
            "id": row.id,
            "cost": row.cost,
            "ly": row.ly,
            "qaly": row.qaly,
            "evly": row.evly,
            "ly_undiscounted": row.ly_undiscounted,
            "ly_by_state": dict(row.ly_by_state),
            "qaly_by_state": dict(row.qaly_by_state),
        }
        for row in base.strategies
    ]
    shape["incremental"] = [
        {
            "id": row.id,
            "versus": row.versus,
            "delta_cost": row.delta_cost,
            "delta_ly": row.delta_ly,
            "delta_qaly": row.delta_qaly,
            "evlyg": row.evlyg,
            "icer": row.icer,
            "status": row.status,
        }
        for row in base.pairwise
    ]
    shape["psa"] = None if case.psa is None else _psa(case.psa)
    return shape


def _psa(summary: PsaSummary) -> dict[str, Any]:
    return {
        "strategies": [
            {
                "id": row.id,
                "cost": row.cost.mean,
                "ly": row.ly.mean,
                "qaly": row.qaly.mean,
                "probability": [p.value for p in row.probability],
            }
            for row in summary.strategies
        ],
        "incremental": [
            {
                "id": row.id,
                "versus": row.versus,
                "delta_cost": row.delta_cost.mean,
                "delta_ly": row.delta_ly.mean,
                "delta_qaly": row.delta_qaly.mean,
                "delta_qaly_sd": row.delta_qaly.sd,
                "icer": row.icer,
                "icer_mcse": row.icer_mcse,
            }
            for row in summary.increments
        ],
    }


def _group(row: GroupStructure) -> dict[str, Any]:
    return {
        "strategy": row.strategy,
        "group": row.group,
        "weight": row.weight,
        "deaths_before_progression": row.deaths,
        "progressions": row.progressions,
        "after_progression": row.after,
        "rate": row.rate,
        "years_per_progression": dict(row.years),
        "period_ends": [None if math.isinf(end) else end for end in PERIODS],
        "hazard": {name: list(values) for name, values in row.hazards.items()},
        "share_below_population": row.below,
        "share_negative": row.negative,
    }


def structure_csv(result: StructureResult) -> str:
    """Give a row per structure and strategy; the average, where there is one, last."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for case in _all(result):
        pairs = {row.id: row for row in case.base.pairwise}
        means = {} if case.psa is None else {row.id: row for row in case.psa.strategies}
        ratios = {} if case.psa is None else {row.id: row.icer for row in case.psa.increments}
        for own in case.base.strategies:
            row: dict[str, Any] = {
                "structure": case.structure or "average",
                "strategy": own.id,
                "cost": own.cost,
                "ly": own.ly,
                "qaly": own.qaly,
            }
            if own.id in pairs:
                pair = pairs[own.id]
                row |= {name: getattr(pair, name) for name in _COLUMNS[5:9]}
            if own.id in means:
                mean = means[own.id]
                row |= {f"psa_{name}": getattr(mean, name).mean for name in ("cost", "ly", "qaly")}
            if ratios.get(own.id) is not None:
                row["psa_icer"] = ratios[own.id]
            writer.writerow(row)
    return text.getvalue()


def _all(result: StructureResult) -> tuple[StructureCase, ...]:
    return (*result.cases, *(() if result.average is None else (result.average,)))


def structure_tables(spec: Spec, result: StructureResult) -> list[RenderableType]:
    """Print results by structure, the differences and where they come from."""
    names = {strategy.id: strategy.label for strategy in spec.strategies}
    parts: list[RenderableType] = []
    for pair in result.cases[0].base.pairwise:
        title = f"{names[pair.id]} against {names[pair.versus]}, by structure"
        parts.append(_comparison(title, pair.id, result))
        if result.cases[0].psa is not None:
            parts.append(_means(pair.id, result))
    parts += [_difference(names, result), _progression(names, result), _hazard_table(names, result)]
    return [*parts, *_notes(result)]


def _comparison(title: str, strategy: str, result: StructureResult) -> Table:
    from heor.report.layout import make_table

    table = make_table(title, ("Structure", "Extra cost", "Extra LYs", "Extra QALYs", "ICER"))
    for case in _all(result):
        row = next(row for row in case.base.pairwise if row.id == strategy)
        table.add_row(WORDS[case.structure], *_pair(row, case.base))
    return table


def _pair(row: PairwiseRow, base: BaseCase) -> tuple[str, ...]:
    ratio = with_signs(row.status, base.currency)
    return (
        money(row.delta_cost, base.currency),
        years(row.delta_ly),
        years(row.delta_qaly),
        ratio if row.icer is None else money(row.icer, base.currency),
    )


def _means(strategy: str, result: StructureResult) -> Table:
    from heor.report.layout import make_table

    table = make_table(
        "Means over the draws", ("Structure", "Extra cost", "Extra LYs", "Extra QALYs", "ICER")
    )
    for case in _all(result):
        assert case.psa is not None
        row = next(row for row in case.psa.increments if row.id == strategy)
        currency = case.base.currency
        ratio = with_signs(row.status, currency) if row.icer is None else money(row.icer, currency)
        table.add_row(
            WORDS[case.structure],
            money(row.delta_cost.mean, currency),
            years(row.delta_ly.mean),
            years(row.delta_qaly.mean),
            ratio,
        )
    return table


def _difference(names: Mapping[str, str], result: StructureResult) -> Table:
    from heor.report.layout import make_table

    first = result.cases[0].base
    table = make_table(
        "Difference from partitioned survival, discounted",
        ("Strategy", "Structure", "LYs", "LYs in PFS", "LYs progressed", "QALYs", "Cost"),
        words=(0, 1),
    )
    for own in first.strategies:
        for case in result.cases[1:]:
            other = case.base.totals(own.id)
            *_, progressed = own.ly_by_state
            after = other.ly_by_state[progressed] - own.ly_by_state[progressed]
            table.add_row(
                names[own.id],
                WORDS[case.structure],
                years(other.ly - own.ly),
                years(other.ly - own.ly - after),
                years(after),
                years(other.qaly - own.qaly),
                money(other.cost - own.cost, first.currency),
            )
    return table


def _progression(names: Mapping[str, str], result: StructureResult) -> Table:
    from heor.report.layout import make_table

    table = make_table(
        "After progression: mean years per progression, undiscounted",
        ("Strategy", "Group", "Progress", "Curves", "Forward", "Reset", "Survival of reset"),
        words=(0, 1, 6),
    )
    for row in result.groups:
        table.add_row(
            names[row.strategy],
            row.group,
            percent(row.progressions),
            years(row.years[PARTITIONED]),
            years(row.years[FORWARD]),
            years(row.years[RESET]),
            row.after if row.rate is None else f"derived: {row.rate:.3f} a year",
        )
    return table


def _hazard_table(names: Mapping[str, str], result: StructureResult) -> Table:
    from heor.report.layout import make_table

    ends = [
        f"Years {low:g}-{high:g}" for low, high in zip((0, *PERIODS), PERIODS[:-1], strict=False)
    ]
    table = make_table(
        "Deaths per year progressed: implied by the curves, and clock reset",
        ("Strategy", "Group", "Structure", *ends, f"Later than {PERIODS[-2]:g}"),
        words=(0, 1, 2),
    )
    for row in result.groups:
        for name, values in row.hazards.items():
            words = "curves" if name == FORWARD else "reset"
            cells = [NONE if v is None else f"{v:.2f}" for v in values]
            table.add_row(names[row.strategy], row.group, words, *cells)
    return table


def _notes(result: StructureResult) -> list[RenderableType]:
    lines = [
        "Clock forward and clock reset are state-transition models of the same PFS and OS: the "
        "hazard after progression goes by the time since the start, or since progression.",
        "LYs in PFS differ where PFS falls more slowly than the general population dies.",
    ]
    lines += [
        f"{row.strategy}, {row.group}: in {percent(row.below)} of the time progressed PFS and OS "
        f"imply a hazard below the population's, in {percent(row.negative)} below 0."
        for row in result.groups
        if row.below >= SMALL_SHARE
    ]
    if all(row.below < SMALL_SHARE for row in result.groups):
        lines.append("The hazard that PFS and OS imply after progression is nowhere too low.")
    return list(lines)
