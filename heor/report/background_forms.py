"""Where background mortality binds, as a terminal table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import RenderableType

from heor.analyses.results import BackgroundRow, BaseCase
from heor.report.layout import make_table
from heor.report.numbers import NONE, percent
from heor.spec.records import ALL

#: What each mechanism does, in words.
MECHANISMS: Mapping[str, str] = {
    "floor": "floor",
    "add": "added",
    "excess": "excess hazard",
    "none": "none",
}


def binding_table(base: BaseCase, names: Mapping[str, str]) -> list[RenderableType]:
    """Give the table, or nothing where no group has a mechanism."""
    if all(row.mechanism == "none" for row in base.background):
        return []
    headings = ("Overall survival of", "Mechanism", "Binds in", "First in cycle", "For good from")
    table = make_table("Background mortality", headings, words=(0, 1))
    for row in base.background:
        who = names[row.strategy] + ("" if row.group == ALL else f", {row.group}")
        table.add_row(who, MECHANISMS[row.mechanism], *_cells(row))
    return [table]


def _cells(row: BackgroundRow) -> tuple[str, str, str]:
    if row.share is None:
        return NONE, NONE, NONE
    return (
        f"{percent(row.share)} of cycles",
        _when(row.first_cycle, row.first_year),
        _when(row.for_good_cycle, row.for_good_year),
    )


def _when(cycle: int | None, year: float | None) -> str:
    return "never" if cycle is None or year is None else f"{cycle:,} (year {year:.2f})"
