"""Parts of ``Verification`` that belong to the run: warnings, crossing, the record."""

from __future__ import annotations

import numpy as np

from heor.analyses.psa_results import Crossing
from heor.report.sheets.layout import Context, heading, table_head
from heor.report.xlsx import LABEL, WRAP, Sheet, Style


def write_warnings(ctx: Context, sheet: Sheet, row: int) -> int:
    """Write warnings, curves that cross and background mortality."""
    row = _write_list(ctx, sheet, row)
    row = _write_crossing(ctx, sheet, row + 1)
    return _write_floor(ctx, sheet, row + 1)


def _write_list(ctx: Context, sheet: Sheet, row: int) -> int:
    made = ctx.results.psa_summary
    texts = [str(problem) for problem in ctx.results.spec.warnings]
    texts += list(made.warnings) if made is not None else []
    texts += [text for text in ctx.results.record.warnings if text not in texts]
    row = heading(sheet, row, f"Warnings ({len(texts)})")
    for text in texts or ["None."]:
        sheet.merge(row, 0, 7, text, WRAP)
        sheet.height(row, 14.0 * max(1, -(-len(text) // 170)) + 1)
        row += 1
    return row


def _write_crossing(ctx: Context, sheet: Sheet, row: int) -> int:
    crossing: tuple[Crossing, ...] = ctx.results.record.crossing
    if not crossing:
        return row
    row = heading(
        sheet,
        row,
        "Curves that cross",
        "Person-time moved by capping an inner curve at an outer one, before background mortality; "
        f"rule: {ctx.results.spec.settings.crossing}. Draws are never redrawn.",
    )
    row = table_head(
        sheet,
        row,
        (
            "Strategy",
            "Share of life years, mean",
            "Share, largest draw",
            "Limit",
            "Draws with any",
            "Of draws",
            "Years moved, mean",
            "Cycles, mean",
            "Years capped by background mortality, mean",
        ),
        44,
    )
    for one in crossing:
        sheet.text(row, 0, ctx.label(one.strategy))
        values: tuple[tuple[float, str], ...] = (
            (one.mean_share, "percent_fine"),
            (one.max_share, "percent_fine"),
            (one.limit, "percent_fine"),
            (one.draws, "count"),
            (one.of_draws, "count"),
            (one.mean_years, "number"),
            (one.mean_cycles, "ratio"),
            (one.floor_years, "number"),
        )
        for column, (value, unit) in enumerate(values, start=1):
            sheet.number(row, column, float(value), Style("value", unit=unit))
        row += 1
    return row


def _write_floor(ctx: Context, sheet: Sheet, row: int) -> int:
    rows = [(s, g) for s, trace in ctx.traces.items() for g in trace.bindings]
    if not rows:
        return row
    row = heading(
        sheet,
        row,
        "Background mortality",
        f"Rule: {ctx.results.spec.settings.background_mortality}. Share of cycles in which the "
        "general population's mortality decides, the first of them and the one from which it does "
        "for good (counted from 1), base case.",
    )
    heads = ("Strategy and group", "Share of cycles", "First cycle", "First at, years")
    row = table_head(sheet, row, (*heads, "For good from cycle", "For good from, years"))
    length = ctx.results.spec.settings.cycle_length
    for strategy, group in rows:
        found = ctx.traces[strategy].bindings[group]
        sheet.text(row, 0, f"{ctx.label(strategy)}, {group}")
        sheet.number(row, 1, float(found.share[0]), Style("value", unit="proportion"))
        for column, cycle in ((2, float(found.first[0])), (4, float(found.for_good[0]))):
            never = not np.isfinite(cycle)
            for place, value, unit in (
                (column, cycle, "integer"),
                (column + 1, (cycle - 1) * length, "month"),
            ):
                style = Style("value", unit=unit, align="right")
                sheet.cell(row, place, "never" if never else value, style)
        row += 1
    return row


def write_record(ctx: Context, sheet: Sheet, row: int) -> int:
    """Write how the run was made, so that it can be made again."""
    record, spec = ctx.results.record, ctx.results.spec
    row = heading(sheet, row, "Record of the run")
    pairs: list[tuple[str, str]] = [
        ("Study", record.study),
        ("heor version", record.version),
        ("Input hash (SHA-256)", spec.input_hash),
        ("Changes", "; ".join(record.changes) or "none: the study as its tables have it"),
        ("Started (UTC)", record.started),
        ("PSA seed", str(record.seed)),
        ("PSA draws", f"{record.draws:,}"),
        ("Sampler", record.sampler.replace("_", " ")),
        ("Replicates", str(record.replicates)),
        ("Workers", str(record.workers)),
        ("Python", record.python),
        *((f"Package {name}", version) for name, version in record.packages.items()),
        *((f"Seconds: {step}", f"{seconds:.2f}") for step, seconds in record.timings.items()),
    ]
    for name, text in pairs:
        sheet.text(row, 0, name, LABEL)
        sheet.text(row, 1, text, Style("value"))
        row += 1
    return row
