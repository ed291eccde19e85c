"""Reconstructed patient data as CSV, and what the report of them says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from heor.fitting.reconstruct import Reconstruction
from heor.report.numbers import count

#: Numbers at risk that are printed.
MOST_ROWS = 15

if TYPE_CHECKING:
    from rich.console import RenderableType


def to_csv(made: Reconstruction) -> str:
    """Give columns time and event, a row a patient: what `heor fit` reads."""
    rows = (f"{time:.10g},{event:.0f}" for time, event in zip(made.time, made.event, strict=True))
    return "time,event\n" + "\n".join(rows) + "\n"


def to_json(made: Reconstruction, name: str, unit: str) -> dict[str, Any]:
    """Give the report and the data: `heor reconstruct --json` (docs/json.md)."""
    return {
        "curve": name,
        "time_unit": unit or None,
        "subjects": len(made.time),
        "events": made.events,
        "events_published": made.events_published,
        "points": len(made.curve.time),
        "read_as": "grid" if made.curve.sampled else "corners",
        "repairs": list(made.repairs),
        "warnings": list(made.warnings),
        "largest_gap": made.largest_gap,
        "largest_gap_at": made.largest_gap_at,
        "mean_gap": made.mean_gap,
        "median": {"read": made.median_read, "made": made.median_made},
        "restricted_mean": {"until": made.until, "read": made.mean_read, "made": made.mean_made},
        "at_risk": [
            {"time": row.time, "published": row.published, "made": row.made} for row in made.at_risk
        ],
        "data": {"time": made.time.tolist(), "event": made.event.astype(int).tolist()},
    }


def tables(made: Reconstruction, name: str, unit: str) -> list[RenderableType]:
    """Print what was repaired, how well the curve is met, and the numbers at risk."""
    from heor.report.layout import make_table

    read_as = "an even grid" if made.curve.sampled else "the places where the curve falls"
    parts: list[RenderableType] = [
        f"{name}: {count(len(made.time), 'patient')}, {count(made.events, 'event')}, made from "
        f"{len(made.curve.time)} points read as {read_as}."
    ]
    parts += [f"Repaired: {words}." for words in made.repairs]
    table = make_table(
        "How well the data made agree with what was read", ("", "Read", "Made", "Off")
    )
    of_unit = f", {unit}s" if unit else ""
    table.add_row(f"Median{of_unit}", *_pair(made.median_read, made.median_made))
    until = f"Mean up to {made.until:.4g}{of_unit}"
    table.add_row(until, *_pair(made.mean_read, made.mean_made))
    published = made.events_published
    missed = "-" if published is None else f"{made.events - published:+d}"
    table.add_row("Events", "-" if published is None else str(published), str(made.events), missed)
    parts.append(table)
    parts.append(
        f"Survival is off by {made.mean_gap:.4f} on average and by {made.largest_gap:.4f} at most "
        f"(at time {made.largest_gap_at:.4g})."
    )
    met = sum(row.made == row.published for row in made.at_risk)
    words = f"{met} of {count(len(made.at_risk), 'number')} at risk are met exactly"
    if len(made.at_risk) > MOST_ROWS:
        parts.append(f"{words}; --json has them.")
    else:
        risk = make_table("Numbers at risk", ("Time", "Published", "Made"), words=())
        for row in made.at_risk:
            risk.add_row(f"{row.time:.4g}", str(row.published), str(row.made))
        parts += [f"{words}.", risk]
    parts += [f"Warning: {words}." for words in made.warnings]
    return parts


def _pair(read: float, made: float) -> tuple[str, str, str]:
    def shown(value: float) -> str:
        return "not reached" if math.isnan(value) else f"{value:.4g}"

    off = made / read - 1.0 if read > 0 else math.nan
    return shown(read), shown(made), "-" if math.isnan(off) else f"{off:+.2%}"
