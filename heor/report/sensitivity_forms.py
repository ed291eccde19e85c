"""Two-way grids and threshold values on the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from heor.analyses.thresholds import Root, ThresholdResult, ThresholdRow, Turning, shown_rows
from heor.analyses.two_way import Grid, GridAxis, TwoWayResult
from heor.report.numbers import NONE, count, money, plain, threshold_key, years

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Columns of a grid that are printed; files hold all of them.
MOST_COLUMNS = 6

#: What an outcome of a grid is called.
OUTCOME_WORDS: Mapping[str, str] = {
    "inmb": "Incremental net monetary benefit",
    "icer": "ICER",
    "delta_cost": "Extra cost",
    "delta_qaly": "QALYs gained",
    "delta_ly": "Life years gained",
}


# --- two-way -------------------------------------------------------------------------------------


def two_way_json(result: TwoWayResult) -> dict[str, Any]:
    """Give `heor two-way --json` (docs/json.md)."""
    return {
        "x": _axis_json(result.x),
        "y": _axis_json(result.y),
        "threshold": result.threshold,
        "comparisons": [
            {
                "id": one.id,
                "versus": one.versus,
                "delta_cost": one.delta_cost.tolist(),
                "delta_qaly": one.delta_qaly.tolist(),
                "delta_ly": one.delta_ly.tolist(),
                "icer": one.icer.tolist(),
                "nmb": {
                    threshold_key(k): one.inmb[i].tolist() for i, k in enumerate(result.thresholds)
                },
            }
            for one in result.grids
        ],
        "best": [
            {
                "threshold": k,
                "strategies": [[result.strategies[i] for i in row] for row in result.best[place]],
            }
            for place, k in enumerate(result.thresholds)
        ],
    }


def _axis_json(one: GridAxis) -> dict[str, Any]:
    return {
        "parameter": one.parameter,
        "label": one.label,
        "unit": one.unit,
        "base_value": one.base_value,
        "values": one.values.tolist(),
    }


def two_way_csv(result: TwoWayResult) -> str:
    """One row per comparison and pair of values."""
    header = (
        *("strategy", "versus", result.x.parameter, result.y.parameter),
        *("delta_cost", "delta_qaly", "delta_ly", "icer"),
        *(f"inmb_{threshold_key(k)}" for k in result.thresholds),
    )
    rows = (
        (
            *(one.id, one.versus, float(x), float(y)),
            *(float(v[j, i]) for v in (one.delta_cost, one.delta_qaly, one.delta_ly)),
            None if math.isnan(one.icer[j, i]) else float(one.icer[j, i]),
            *(float(v) for v in one.inmb[:, j, i]),
        )
        for one in result.grids
        for j, y in enumerate(result.y.values)
        for i, x in enumerate(result.x.values)
    )
    return _csv(header, rows)


def two_way_tables(
    result: TwoWayResult, outcome: str, labels: Mapping[str, str], currency: str
) -> list[RenderableType]:
    """Print a grid per comparison, every few columns of it where it is wide."""
    from rich.text import Text

    from heor.report.layout import make_table

    step = -(-len(result.x.values) // MOST_COLUMNS)
    shown = range(0, len(result.x.values), step)
    parts: list[RenderableType] = []
    for one in result.grids:
        words = OUTCOME_WORDS[outcome]
        if outcome == "inmb":
            words += f" at {money(result.threshold, currency)} per QALY"
        table = make_table(
            f"{words}: {labels[one.id]} against {labels[one.versus]}\n"
            f"down {_named(result.y)}; across {_named(result.x)}",
            (result.y.parameter, *(plain(float(result.x.values[i])) for i in shown)),
            words=(),
        )
        values = one.outcome(outcome, result.place)
        for j, y in enumerate(result.y.values):
            cells = (_cell(one, outcome, float(values[j, i]), j, i, currency) for i in shown)
            table.add_row(plain(float(y)), *cells)
        parts.append(table)
    base = f"Base case: {_based(result.x)}, {_based(result.y)}."
    if step > 1:
        base += f" Every {_ordinal(step)} of {len(result.x.values)} columns; --json gives all."
    return [*parts, Text(base, style="dim")]


def _ordinal(step: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(step, f"{step}th")


def _named(one: GridAxis) -> str:
    label = one.parameter if one.label == one.parameter else f"{one.parameter} ({one.label})"
    return f"{label}, {one.unit}" if one.unit else label


def _based(one: GridAxis) -> str:
    return f"{one.parameter} = {plain(one.base_value)}"


def _cell(one: Grid, outcome: str, value: float, j: int, i: int, currency: str) -> str:
    if outcome in ("delta_qaly", "delta_ly"):
        return years(value)
    if outcome == "icer" and math.isnan(value):
        cost, qaly = one.delta_cost[j, i], one.delta_qaly[j, i]
        if cost <= 0 <= qaly:
            return "dominant"
        return "dominated" if cost >= 0 >= qaly else NONE
    return money(value, currency)


# --- thresholds ----------------------------------------------------------------------------------


def threshold_json(result: ThresholdResult) -> dict[str, Any]:
    """Give `heor threshold --json` (docs/json.md)."""
    return {
        "reference": result.reference,
        "thresholds": list(result.thresholds),
        "parameters": [_row_json(row) for row in result.rows],
        "left_out": [{"parameter": name, "reason": reason} for name, reason in result.left_out],
        "evaluations": result.evaluations,
    }


def _row_json(row: ThresholdRow) -> dict[str, Any]:
    return {
        "parameter": row.parameter,
        "label": row.label,
        "unit": row.unit,
        "base_value": row.base_value,
        "low": row.low,
        "high": row.high,
        "changes_decision": row.changes_decision,
        "turnings": [
            {
                "id": one.id,
                "versus": one.versus,
                "threshold": one.threshold,
                "nmb": one.base,
                "at_low": one.at_low,
                "at_high": one.at_high,
                "always": one.always,
                "roots": [
                    {
                        "value": root.value,
                        "rising": root.rising,
                        "jump": root.jump,
                        "decision": root.decision,
                    }
                    for root in one.roots
                ],
            }
            for one in row.turnings
        ],
    }


def threshold_csv(result: ThresholdResult) -> str:
    """One row per parameter, comparison, threshold and root; an empty value where there is none."""
    header = (
        *("parameter", "label", "unit", "base_value", "low", "high", "strategy", "versus"),
        *("threshold", "inmb", "inmb_at_low", "inmb_at_high", "value", "rising", "jump"),
        "changes_decision",
    )
    rows = (
        (
            *(row.parameter, row.label, row.unit, row.base_value, row.low, row.high),
            *(one.id, one.versus, one.threshold, one.base, one.at_low, one.at_high),
            *_root_cells(root),
        )
        for row in result.rows
        for one in row.turnings
        for root in (one.roots or (None,))
    )
    return _csv(header, rows)


def _root_cells(root: Root | None) -> tuple[object, ...]:
    if root is None:
        return (None, None, None, None)
    yes_no = ("no", "yes")
    return (root.value, *(yes_no[flag] for flag in (root.rising, root.jump, root.decision)))


def threshold_tables(
    result: ThresholdResult, labels: Mapping[str, str], currency: str, *, named: bool
) -> list[RenderableType]:
    """Print the parameters that turn a comparison, or all of those that were named."""
    from rich.text import Text

    from heor.report.layout import make_table

    rows = result.rows if named else shown_rows(result)
    parts: list[RenderableType] = []
    for strategy, versus in _pairs(rows):
        table = make_table(
            f"Values at which {labels[strategy]} and {labels[versus]} have the same net benefit",
            ("Parameter", "Base", "Searched", *(money(k, currency) for k in result.thresholds)),
        )
        for row in rows:
            mine = [one for one in row.turnings if (one.id, one.versus) == (strategy, versus)]
            if not mine or not (named or any(one.roots or one.always for one in mine)):
                continue
            found = {one.threshold: _roots(one) for one in mine}
            table.add_row(
                row.parameter,
                plain(row.base_value),
                f"{plain(row.low)} to {plain(row.high)}",
                *(found.get(k, NONE) for k in result.thresholds),
            )
        parts.append(table)
    without = len(result.rows) - len(shown_rows(result))
    notes = []
    if not named:
        notes.append(
            f"{count(without, 'parameter')} of {len(result.rows)} turn nothing anywhere between "
            "their low and high values."
        )
        if not any(row.changes_decision for row in result.rows):
            notes.append("No parameter alone changes the decision at any threshold.")
            notes += _nearest(result, labels, currency)
    notes.append(
        "Columns: willingness to pay per QALY. ↑ better above the value, ↓ better below it; "
        "* another strategy is better than both there; ! net benefit jumps over 0."
    )
    if result.left_out:
        notes.append(f"Left out unless named: {', '.join(name for name, _ in result.left_out)}.")
    return [*parts, *(Text(note, style="dim") for note in notes)]


def _nearest(result: ThresholdResult, labels: Mapping[str, str], currency: str) -> list[str]:
    """Say which end of which parameter comes nearest to turning a comparison."""
    ends = [
        (abs(gain), row, one, value, gain)
        for row in result.rows
        for one in row.turnings
        for value, gain in ((row.low, one.at_low), (row.high, one.at_high))
    ]
    if not ends:
        return []
    _, row, one, value, gain = min(ends, key=lambda end: end[0])
    return [
        f"Nearest: {row.parameter} at {plain(value)}, where net benefit of {labels[one.id]} over "
        f"{labels[one.versus]} is {money(gain, currency)} at {money(one.threshold, currency)} per "
        "QALY."
    ]


def _pairs(rows: Sequence[ThresholdRow]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one.id, one.versus) for row in rows for one in row.turnings))


def _roots(one: Turning) -> str:
    if one.always:
        return "everywhere"
    marks = (
        f"{plain(root.value)} {'↑' if root.rising else '↓'}"
        f"{'' if root.decision else '*'}{'!' if root.jump else ''}"
        for root in one.roots
    )
    return "; ".join(marks) or "none"


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
