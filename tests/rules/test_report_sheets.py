"""Result sheets of the report never collide with the input tables that share its workbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from heor.report.workbook import FRONT, SHEETS, TITLES
from heor.report.xlsx import MAX_TITLE, safe_title
from heor.spec.schema import REPORT_SHEETS, TABLES

SOURCES = sorted((Path(__file__).parents[2] / "heor" / "report").rglob("*.py"))


def test_reading_ignores_every_result_sheet() -> None:
    assert {t for t in TITLES if not t.startswith("Calc ")} <= set(REPORT_SHEETS)


def test_no_title_differs_from_a_table_only_in_case() -> None:
    tables = {name.casefold() for name in TABLES}
    assert not tables & {title.casefold() for title in (*TITLES, *REPORT_SHEETS)}


@pytest.mark.parametrize("title", TITLES)
def test_titles_are_safe_as_they_are(title: str) -> None:
    assert safe_title(title) == title
    assert len(title) <= MAX_TITLE


def test_titles_are_unique() -> None:
    assert len({title.casefold() for title in TITLES}) == len(TITLES)
    assert all(kind.meaning.endswith(".") != kind.each for kind in (*FRONT, *SHEETS))


def test_sheets_of_strategies_are_ignored_on_reading_whatever_the_strategy() -> None:
    for strategy in ("a", "x" * 60, "Results", "costs"):
        for kind in SHEETS:
            if kind.each:
                title = safe_title(f"{kind.title} {strategy}")
                assert title.lower().startswith("calc ")


def test_only_the_adapter_knows_xlsxwriter() -> None:
    users = [p.name for p in SOURCES if "import xlsxwriter" in p.read_text("utf-8")]
    users += [p.name for p in SOURCES if "from xlsxwriter" in p.read_text("utf-8")]
    assert set(users) == {"xlsx.py", "fast_xlsx.py"}
