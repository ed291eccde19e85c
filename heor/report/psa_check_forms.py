"""Checks of the draws on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import RenderableType
from rich.text import Text

from heor.analyses.psa_results import ParameterCheck, PsaSummary
from heor.report.layout import make_table
from heor.report.numbers import NONE, count, money


def check_tables(
    summary: PsaSummary, names: Mapping[str, str], currency: str
) -> list[RenderableType]:
    """Print precision, the way to it, correlations, and the inputs that are furthest off."""
    parts: list[RenderableType] = [_precision(summary, names, currency)]
    if summary.steps:
        table = make_table(
            "Draws until the standard error of net benefit was small enough",
            ("Draws", "MC error"),
            words=(),
        )
        for draws, mcse in summary.steps:
            table.add_row(f"{draws:,}", money(mcse, currency))
        parts.append(table)
    if summary.correlation_checks:
        table = make_table(
            "Correlations of inputs drawn together",
            ("Pair", "Kind", "Asked", "Drawn", "Error in SE"),
            words=(0, 1),
        )
        for row in summary.correlation_checks:
            table.add_row(
                f"{row.row}, {row.column}",
                row.kind,
                f"{row.asked:.3f}",
                f"{row.achieved:.3f}",
                NONE if row.error_in_se is None else f"{row.error_in_se:.1f}",
            )
        parts.append(table)
    line = _furthest(summary.parameter_checks)
    return [*parts, Text(line)] if line else parts


def _precision(summary: PsaSummary, names: Mapping[str, str], currency: str) -> RenderableType:
    threshold = summary.precision[0].threshold if summary.precision else 0.0
    table = make_table(
        f"Precision of net benefit at {money(threshold, currency)} per QALY, against "
        f"{names[summary.reference]}",
        ("Strategy", "Mean", "MC error", "95% ±", "If random", "A draw is worth"),
    )
    for row in summary.precision:
        table.add_row(
            names[row.id],
            money(row.mean, currency),
            money(row.mcse, currency),
            money(row.half_width, currency),
            money(row.mcse_if_random, currency),
            NONE if row.gain != row.gain else f"{row.gain:,.1f}",
        )
    return table


def _furthest(checks: tuple[ParameterCheck, ...]) -> str:
    means = [row for row in checks if row.error_in_se is not None]
    spreads = [row for row in checks if row.sd_error_in_se is not None]
    if not means or not spreads:
        return ""
    mean = max(means, key=lambda row: abs(row.error_in_se or 0.0))
    spread = max(spreads, key=lambda row: abs(row.sd_error_in_se or 0.0))
    return (
        f"Of {count(len(checks), 'sampled input')} the mean furthest from its distribution's is "
        f"that of {mean.parameter} ({abs(mean.error_in_se or 0.0):.1f} standard errors), the SD "
        f"that of {spread.parameter} ({abs(spread.sd_error_in_se or 0.0):.1f})."
    )
