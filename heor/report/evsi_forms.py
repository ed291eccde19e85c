"""Value of sample information on the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from heor.analyses.evsi import FEWEST_EFFECTIVE, DesignResult, EvsiResult
from heor.report.numbers import money, percent

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def rows(result: EvsiResult) -> list[dict[str, Any]]:
    """One row per design, size and threshold (docs/json.md)."""
    return [
        {
            "design": one.design.name,
            "patients": sample.patients,
            "threshold": float(threshold),
            "evsi": float(sample.evsi[at]),
            "se": float(sample.se[at]),
            "check": float(sample.check[at]),
            "check_se": float(sample.check_se[at]),
            "effective_draws": sample.effective,
            "explained": float(sample.explained[at]),
            "population_evsi": None if sample.population is None else float(sample.population[at]),
            "cost": sample.cost,
            "net_benefit": None if sample.net_benefit is None else float(sample.net_benefit[at]),
            "best": one.best[at] == sample.patients,
        }
        for one in result.designs
        for sample in one.samples
        for at, threshold in enumerate(result.thresholds)
    ]


def evsi_json(result: EvsiResult) -> dict[str, Any]:
    """Value of designs: `heor evsi --json` (docs/json.md)."""
    return {
        "draws": result.draws,
        "thresholds": result.thresholds.tolist(),
        "evpi": result.evpi.tolist(),
        "designs": [
            {"name": one.design.name, "delay": one.delay, "patients_after": one.served}
            for one in result.designs
        ],
        "evsi": rows(result),
    }


def to_csv(result: EvsiResult) -> str:
    """The rows of `rows` as CSV."""
    table = rows(result)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def evsi_tables(result: EvsiResult, currency: str) -> list[RenderableType]:
    """Print every design at every threshold at which knowing more has any worth."""
    parts: list[RenderableType] = []
    idle = [
        money(float(threshold), currency)
        for threshold, evpi in zip(result.thresholds, result.evpi, strict=True)
        if round(evpi) == 0
    ]
    if idle:
        parts.append(
            f"At {', '.join(idle)} per QALY even perfect information is worth nothing: the "
            "decision is the same in every draw, so no study can change it."
        )
    for one in result.designs:
        for at in range(len(result.thresholds)):
            if round(result.evpi[at]) > 0:
                parts += _one(result, one, at, currency)
    return parts


def _one(result: EvsiResult, one: DesignResult, at: int, currency: str) -> list[RenderableType]:
    parts: list[RenderableType] = [_table(result, one, at, currency)]
    if one.served is not None:
        found = one.best[at]
        advice = (
            "no size listed is worth its cost"
            if found is None
            else f"largest expected net benefit of sampling with {found:,} patients"
        )
        parts.append(
            f"Results after {one.delay:.3g} years, for {one.served:,.0f} patients, discounted: "
            f"{advice}."
        )
    weak = [s.patients for s in one.samples if s.effective < FEWEST_EFFECTIVE]
    if weak:
        parts.append(
            f"From {min(weak):,} patients on, fewer than {FEWEST_EFFECTIVE:.0f} draws carry the "
            "weight of the data: there the check needs more draws."
        )
    return parts


def _table(result: EvsiResult, one: DesignResult, at: int, currency: str) -> Table:
    from heor.report.layout import make_table

    threshold = money(float(result.thresholds[at]), currency)
    table = make_table(
        f"{one.design.name}: at {threshold} per QALY (EVPI {money(result.evpi[at], currency)})",
        ("Patients", "EVSI", "SE", "Check", "SE", "Explains", "Population", "Cost", "Net benefit"),
        words=(),
    )
    for sample in one.samples:
        everyone = None if sample.population is None else float(sample.population[at])
        gain = None if sample.net_benefit is None else float(sample.net_benefit[at])
        table.add_row(
            f"{sample.patients:,}",
            money(float(sample.evsi[at]), currency),
            money(float(sample.se[at]), currency),
            money(float(sample.check[at]), currency),
            money(float(sample.check_se[at]), currency),
            percent(float(sample.explained[at])),
            money(everyone, currency),
            money(sample.cost, currency),
            money(gain, currency),
        )
    return table
