"""What drives the spread of results, on the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heor.analyses.importance import Explained, ImportanceResult
from heor.analyses.sobol import SobolIndex, SobolResult
from heor.report.numbers import NONE, count, money, percent

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Inputs that are printed; files hold all of them.
MOST_INPUTS = 15

#: What the outcomes are called.
OUTCOME_WORDS: Mapping[str, str] = {
    "inmb": "incremental net monetary benefit",
    "delta_cost": "extra cost",
    "delta_qaly": "QALYs gained",
}


def indices_of(one: Explained, sobol: SobolResult | None) -> dict[str, SobolIndex]:
    """Sobol indices of one result by the name of the factor; empty without them."""
    if sobol is None:
        return {}
    return {index.factor.name: index for index in sobol.indices[one.id, one.outcome]}


def _rows(one: Explained, sobol: SobolResult | None) -> list[dict[str, Any]]:
    indices = indices_of(one, sobol)
    rows = []
    for row in one.rows:
        shape: dict[str, Any] = {
            "name": row.factor.name,
            "label": row.factor.label,
            "parameters": list(row.factor.parameters),
            "together": row.factor.together,
            "first": row.first,
            "first_se": row.first_se,
            "share": row.share,
            "share_se": row.share_se,
            "src": row.src,
            "rank": row.rank,
            "rank_se": row.rank_se,
        }
        if sobol is not None:
            index = indices.get(row.factor.name)
            for key in ("first", "first_half", "total", "total_half"):
                shape[f"sobol_{key}"] = None if index is None else getattr(index, key)
        rows.append(shape)
    return rows


def importance_json(result: ImportanceResult, sobol: SobolResult | None = None) -> dict[str, Any]:
    """Give `heor importance --json` (docs/json.md)."""
    shape: dict[str, Any] = {
        "draws": result.draws,
        "threshold": result.threshold,
        "explained": [
            {
                "id": one.id,
                "versus": one.versus,
                "outcome": one.outcome,
                "sd": one.sd,
                "r2": one.r2,
                "shared": one.shared,
                "factors": _rows(one, sobol),
            }
            for one in result.results
        ],
    }
    if sobol is not None:
        shape["sobol"] = {
            "base": sobol.base,
            "evaluations": sobol.evaluations,
            "seed": sobol.seed,
        }
    return shape


def importance_csv(result: ImportanceResult, sobol: SobolResult | None = None) -> str:
    """One row per comparison, outcome and factor; the parameters of a factor parted by ``;``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header: list[str] | None = None
    for one in result.results:
        for row in _rows(one, sobol):
            if header is None:
                header = ["strategy", "versus", "outcome", *row]
                writer.writerow(header)
            row["parameters"] = "; ".join(row["parameters"])
            writer.writerow([one.id, one.versus, one.outcome, *row.values()])
    return text.getvalue()


def importance_tables(
    result: ImportanceResult,
    outcome: str,
    labels: Mapping[str, str],
    currency: str,
    sobol: SobolResult | None = None,
) -> list[RenderableType]:
    """Print the factors that explain most of an outcome, per comparison."""
    from rich.text import Text

    from heor.report.layout import make_table

    parts: list[RenderableType] = []
    for one in (r for r in result.results if r.outcome == outcome):
        words = OUTCOME_WORDS[outcome]
        if outcome == "inmb":
            words += f" at {money(result.threshold, currency)} per QALY"
        headings = ["Input", "Explains", "± SE", "Linear", "SRC", "Rank"]
        if sobol is not None:
            headings += ["Sobol first", "Sobol total"]
        table = make_table(
            f"What the spread of {words} comes from: {labels[one.id]} against {labels[one.versus]}",
            headings,
        )
        indices = indices_of(one, sobol)
        for row in one.rows[:MOST_INPUTS]:
            cells = [
                row.factor.name,
                percent(row.first),
                percent(row.first_se),
                percent(row.share),
                NONE if row.src is None else f"{row.src:.3f}",
                NONE if row.rank is None else f"{row.rank:.3f}",
            ]
            if sobol is not None:
                found = indices[row.factor.name]
                cells += [
                    f"{100 * found.first:.1f}±{percent(found.first_half)}",
                    f"{100 * found.total:.1f}±{percent(found.total_half)}",
                ]
            table.add_row(*cells)
        more = len(one.rows) - MOST_INPUTS
        note = (
            f"Linear in all inputs: {percent(one.r2)} of the variance. Explains: share of the "
            "variance explained by the input alone; Linear: what a linear regression on all "
            "inputs loses without it; SRC: standardised coefficient; Rank: rank correlation."
        )
        if more > 0:
            note += f" {count(more, 'more input')} in files and in --json."
        parts += [table, Text(note, style="dim")]
    if sobol is not None:
        parts.append(
            Text(
                f"Sobol indices ± half of a 95% interval, from {sobol.evaluations:,} evaluations; "
                "inputs drawn jointly count as one.",
                style="dim",
            )
        )
    return parts
