"""Where background mortality binds, as a terminal table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import RenderableType

from heor.analyses.results import BackgroundRow, BaseCase
from heor.report.layout import make_table
from heor.report.numbers import NONE, percent
from heor.spec.records import ALL


def binding_table(base: BaseCase, names: Mapping[str, str]) -> list[RenderableType]:
    """Give the table, or nothing where no group has a mechanism."""
    if all(row.mechanism == "none" for row in base.background):
        return []
    headings = ("OS of", "Mechanism", "Cycles bound", "First", "For good from")
    table = make_table("Background mortality (cycles from 1)", headings, words=(0, 1))
    for row in base.background:
        who = names[row.strategy] + ("" if row.group == ALL else f", {row.group}")
        table.add_row(who, row.mechanism, *_cells(row))
    return [table]


def _cells(row: BackgroundRow) -> tuple[str, str, str]:
    if row.share is None:
        return NONE, NONE, NONE
    return (
        percent(row.share),
        "never" if row.first_cycle is None else f"{row.first_cycle:,}",
        "never"
        if row.for_good_cycle is None
        else f"{row.for_good_cycle:,} (year {row.for_good_year:.1f})",
    )
