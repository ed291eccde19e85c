"""``Checks``: identities as live formulas, warnings, crossing, and the record of the run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from heor.analyses.cea import COST_TOLERANCE, QALY_TOLERANCE
from heor.analyses.psa_results import Crossing
from heor.engine.trace import TOLERANCE as OCCUPANCY_TOLERANCE
from heor.report.sheets.layout import CHANGE_TOLERANCE, Context, head, heading, table_head
from heor.report.xlsx import AFTER, LABEL, WRAP, Sheet, Style, cell_name

TITLE = "Checks"

#: Numbers that formulas of several sheets compare with.
_TOLERANCES = (
    ("tolerance", "Relative change of an input that counts as a change", CHANGE_TOLERANCE),
    ("tolerance qaly", "QALYs or life years below which there is no difference", QALY_TOLERANCE),
    ("tolerance cost", "Money below which there is no difference", COST_TOLERANCE),
    ("tolerance occupancy", "How far occupancy may stray from 0 to 1", OCCUPANCY_TOLERANCE),
)


def register_tolerances(ctx: Context) -> None:
    """Give the tolerances their cells, before any sheet is filled."""
    for key, meaning, value in _TOLERANCES:
        ctx.cells[key] = ctx.constants.term(value, meaning).text


def write_checks(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet."""
    row = head(ctx, sheet, "Checks, warnings and the record of the run", live=True)
    row = _write_identities(ctx, sheet, row)
    row = _write_warnings(ctx, sheet, row + 1)
    row = _write_crossing(ctx, sheet, row + 1)
    row = _write_floor(ctx, sheet, row + 1)
    row = _write_inputs_drawn(ctx, sheet, row + 1)
    _write_record(ctx, sheet, row + 1)
    sheet.widths((62, 17, 17, 15, 15, 15, 15, 15, 20))
    sheet.freeze(4, 0)
    sheet.print_setup()


def _write_identities(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(sheet, row, "Identities", "Recalculated whenever a cell of the workbook changes.")
    row = table_head(sheet, row, ("Check", "Value", "Must be", "Result"), 18)
    first = row
    cost, qaly = ctx.cells["tolerance cost"], ctx.cells["tolerance occupancy"]

    def add(words: str, formula: str, value: float, must: str, test: Callable[[str], str]) -> None:
        nonlocal row
        sheet.text(row, 0, words)
        sheet.formula(row, 1, f"={formula}", value, Style("formula", unit="number"))
        sheet.text(row, 2, must, Style(align="right"))
        condition = test(cell_name(row, 1))
        sheet.formula(
            row,
            3,
            f'=IF({condition},"PASS","FAIL")',
            "PASS",
            Style("formula", bold=True, align="center"),
        )
        sheet.red_when(row, 3, "FAIL")
        row += 1

    for strategy in ctx.strategies:
        label = ctx.label(strategy)
        for suffix, words in (("", "discounted"), (" undiscounted", "undiscounted")):
            by_category = ctx.cells[f"cost{suffix} {strategy}"]
            by_state = ctx.cells[f"cost by state{suffix} {strategy}"]
            add(
                f"{label}: {words} costs by category minus by state",
                f"{by_category}-{by_state}",
                0.0,
                "about 0",
                lambda cell: f"ABS({cell})<{cost}",
            )
        add(
            f"{label}: QALYs do not exceed life years (life years minus QALYs)",
            f"{ctx.cells[f'ly {strategy}']}-{ctx.cells[f'qaly {strategy}']}",
            ctx.results.base.totals(strategy).ly - ctx.results.base.totals(strategy).qaly,
            "0 or more",
            lambda cell: f"{cell}>=-{qaly}",
        )
        for key, words, must, test in (
            ("smallest share", "smallest share in any state at any time", "0 or more", "{}>=-{}"),
            ("largest share", "largest share in any state at any time", "1 or less", "{}<=1+{}"),
            ("sum off", "furthest that the states' sum is from 1", "about 0", "{}<={}"),
            ("dead falls", "cycles in which the dead become fewer", "0", "{}=0"),
            ("crossing error", "curves cross under the rule “error” (1: yes)", "0", "{}=0"),
        ):
            found = ctx.live[f"{key} {strategy}"]
            add(f"{label}: {words}", found.text, found.value, must, _test(test, qaly))
    for key, words in (
        ("rows missing", "Horizon longer than the rows of the calculation sheets (1: yes)"),
        ("steps missing", "Curves in use that need a step the trace has no column for"),
        ("norms missing", "Ages without a utility norm that the settings need"),
    ):
        if key in ctx.live:
            add(words, ctx.live[key].text, ctx.live[key].value, "0", lambda cell: f"{cell}=0")
    sheet.text(row, 0, "Input cells that differ from those the results were made with")
    count = ctx.live["inputs changed"].text
    sheet.formula(row, 1, f"={count}", 0.0, Style("link", align="right"))
    sheet.text(row, 2, "0", Style(align="right"))
    sheet.formula(
        row,
        3,
        f'=IF({cell_name(row, 1)}=0,"PASS","CHANGED")',
        "PASS",
        Style("formula", bold=True, align="center"),
    )
    sheet.red_when(row, 3, "CHANGED")
    row += 1
    ctx.cells["identities"] = sheet.range(first, 3, row - 1, 3)
    return row


def _test(template: str, tolerance: str) -> Callable[[str], str]:
    """Give the condition of a cell that a template compares with a tolerance."""
    return lambda cell: template.format(cell, tolerance)


def _write_warnings(ctx: Context, sheet: Sheet, row: int) -> int:
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
    rows = [(s, g) for s, trace in ctx.traces.items() for g in trace.floor_bound_share]
    if not rows:
        return row
    row = heading(
        sheet,
        row,
        "Background mortality",
        f"Rule: {ctx.results.spec.settings.background_mortality}. Share of cycles in which the "
        "general population's mortality decides, base case.",
    )
    row = table_head(sheet, row, ("Strategy and group", "Share of cycles", "For good from, years"))
    for strategy, group in rows:
        trace = ctx.traces[strategy]
        sheet.text(row, 0, f"{ctx.label(strategy)}, {group}")
        share = float(trace.floor_bound_share[group][0])
        sheet.number(row, 1, share, Style("value", unit="proportion"))
        start = float(trace.floor_binds_from[group][0])
        style = Style("value", unit="month", align="right")
        sheet.cell(row, 2, start if np.isfinite(start) else "never", style)
        row += 1
    return row


def _write_inputs_drawn(ctx: Context, sheet: Sheet, row: int) -> int:
    made = ctx.results.psa_summary
    if made is None or not made.parameter_checks:
        return row
    row = heading(
        sheet,
        row,
        "Inputs as drawn",
        "Sample mean and SD against the distribution's; the error of the mean in standard errors.",
    )
    heads = ("Parameter", "Mean", "Mean of draws", "SD", "SD of draws", "Error in SE", "SD ratio")
    row = table_head(sheet, row, (*heads, "Warning"), 18, texts=("Warning",))
    for one in made.parameter_checks:
        sheet.text(row, 0, one.parameter)
        for column, value in enumerate(
            (one.mean, one.sample_mean, one.sd, one.sample_sd, one.error_in_se, one.sd_ratio),
            start=1,
        ):
            missing = value is None or not np.isfinite(value)
            unit = "ratio" if column >= 5 else "money_cents" if abs(one.mean) >= 1000 else "number"
            style = Style("value", unit=unit, align="right")
            sheet.cell(row, column, "–" if missing else value, style)
        sheet.text(row, 7, one.warning, AFTER)
        row += 1
    return row


def _write_record(ctx: Context, sheet: Sheet, row: int) -> int:
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
