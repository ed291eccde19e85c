"""Value of information on the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from heor.analyses.nested import Nested
from heor.analyses.voi_results import Evppi, VoiResult
from heor.report.numbers import count, money, percent

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

#: Sets that are printed; files hold all of them.
MOST_SETS = 15

#: A pattern in the residuals less likely than this is pointed out.
LACK_OF_FIT = 0.01


def rows(sets: Sequence[Evppi], names: Mapping[tuple[str, ...], str]) -> list[dict[str, Any]]:
    """One row per set and threshold: `heor evppi --json` (docs/json.md)."""
    return [
        {
            "name": names.get(one.parameters, " + ".join(one.parameters)),
            "parameters": list(one.parameters),
            "threshold": float(threshold),
            "evppi": float(one.evppi[i]),
            "se": float(one.se[i]),
            "explained": float(one.explained[i]),
            "lack_of_fit": float(one.lack_of_fit[i]),
        }
        for one in sets
        for i, threshold in enumerate(one.thresholds)
    ]


def to_csv(sets: Sequence[Evppi], names: Mapping[tuple[str, ...], str]) -> str:
    """Give the same rows as CSV; the parameters of a set parted by ``;``."""
    text = io.StringIO()
    columns = ("name", "parameters", "threshold", "evppi", "se", "explained", "lack_of_fit")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows(sets, names):
        writer.writerow({**row, "parameters": "; ".join(row["parameters"])})
    return text.getvalue()


def voi_json(result: VoiResult) -> dict[str, Any]:
    """Value of information of a study: `heor voi --json` (docs/json.md)."""
    return {
        "draws": result.draws,
        "thresholds": result.thresholds.tolist(),
        "evpi": result.evpi.tolist(),
        "evpi_se": result.evpi_se.tolist(),
        "patients": result.patients,
        "population_evpi": None
        if result.patients is None
        else (result.evpi * result.patients).tolist(),
        "evppi": rows(result.sets, result.names),
    }


def voi_tables(result: VoiResult, currency: str) -> list[RenderableType]:
    """Print EVPI at each threshold, then the ranking of inputs."""
    from heor.report.layout import make_table

    table = make_table(
        "Expected value of perfect information",
        ("Threshold per QALY", "Per patient", "Population"),
        words=(),
    )
    for threshold, value in zip(result.thresholds, result.evpi, strict=True):
        whole = "–" if result.patients is None else money(value * result.patients, currency)
        table.add_row(money(threshold, currency), money(value, currency), whole)
    parts: list[RenderableType] = [table]
    if result.patients is not None:
        parts.append(f"Population: {result.patients:,.0f} patients, discounted.")
    at = int(result.evpi.argmax())
    return [*parts, *evppi_tables(result.sets, result.names, currency, at)]


def evppi_tables(
    sets: Sequence[Evppi], names: Mapping[tuple[str, ...], str], currency: str, at: int
) -> list[RenderableType]:
    """Print the ranking of sets by value at one threshold, by its index, and what to doubt."""
    table = _ranking(sets[:MOST_SETS], names, at, currency)
    notes: list[RenderableType] = []
    if len(sets) > MOST_SETS:
        notes.append(f"{count(len(sets) - MOST_SETS, 'more set')} in files and in --json.")
    doubted = [
        names.get(one.parameters, " + ".join(one.parameters))
        for one in sets
        if one.lack_of_fit.min() < LACK_OF_FIT
    ]
    if doubted:
        notes.append(
            "The regression misses part of the pattern, so take these values with care: "
            + "; ".join(doubted[:5])
            + (f" and {count(len(doubted) - 5, 'more')}" if len(doubted) > 5 else "")
            + "."
        )
    return [table, *notes]


def _ranking(
    sets: Sequence[Evppi], names: Mapping[tuple[str, ...], str], at: int, currency: str
) -> Table:
    from heor.report.layout import make_table

    threshold = money(float(sets[0].thresholds[at]), currency)
    table = make_table(
        f"Value of knowing each input perfectly, at {threshold} per QALY",
        ("Inputs", "EVPPI", "SE", "Explains"),
    )
    for one in sets:
        table.add_row(
            names.get(one.parameters, " + ".join(one.parameters)),
            money(float(one.evppi[at]), currency),
            money(float(one.se[at]), currency),
            percent(float(one.explained[at])),
        )
    return table


def nested_rows(
    checked: Mapping[tuple[str, ...], Nested], names: Mapping[tuple[str, ...], str]
) -> list[dict[str, Any]]:
    """One row per set and threshold of the nested Monte Carlo (docs/json.md)."""
    return [
        {
            "name": names.get(members, " + ".join(members)),
            "parameters": list(members),
            "threshold": float(threshold),
            "outer": one.outer,
            "inner": one.inner,
            "evppi": float(one.value[i]),
            "se": float(one.se[i]),
            "bias": float(one.bias[i]),
        }
        for members, one in checked.items()
        for i, threshold in enumerate(one.thresholds)
    ]


def nested_tables(
    checked: Mapping[tuple[str, ...], Nested], result: VoiResult, currency: str
) -> list[RenderableType]:
    """Print the nested Monte Carlo beside the regression, at the threshold of the largest EVPI."""
    from heor.report.layout import make_table

    if not checked:
        return []
    at = int(result.evpi.argmax())
    threshold = money(float(result.thresholds[at]), currency)
    table = make_table(
        f"EVPPI by nested Monte Carlo, at {threshold} per QALY",
        ("Inputs", "Nested", "SE", "Too high by about", "Regression", "SE"),
    )
    by_regression = {one.parameters: one for one in result.sets}
    for members, one in checked.items():
        other = by_regression[members]
        table.add_row(
            result.names.get(members, " + ".join(members)),
            *(money(float(v[at]), currency) for v in (one.value, one.se, one.bias)),
            *(money(float(v[at]), currency) for v in (other.evppi, other.se)),
        )
    words = " and ".join({f"{one.outer:,} x {one.inner:,}" for one in checked.values()})
    return [table, f"Model runs: {words}; the best of noisy means is a little too good."]
