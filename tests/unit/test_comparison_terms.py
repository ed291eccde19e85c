"""Words and ratios of a comparison as formulas: those of the analyses, case by case."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import openpyxl
import pytest
from libreoffice import recalculate
from live_registry import Registry, write_payoffs
from small_studies import cost, curve, settings, study

from heor.analyses import base_case, cea
from heor.report.live import cell, put
from heor.report.sheets.comparison import (
    DASH,
    ratio_term,
    ratio_value,
    saving_term,
    status_term,
)
from heor.report.xlsx import Style, writing
from heor.spec.records import Spec

NUMBER = Style("value")
CASES = [
    (cost_, effect)
    for cost_ in (10_000.0, -10_000.0, 0.0, 9e-7, -9e-7, 2e-6, 1_234_567.8)
    for effect in (0.25, -0.25, 0.0, 9e-10, -9e-10, 2e-9)
]


def two() -> Spec:
    return study(
        [
            curve("a", "os", "exponential", {"rate": 0.3}),
            curve("b", "os", "exponential", {"rate": 0.2}),
        ],
        options=settings(
            cycle_length=0.1, severity_weight=1.2, thresholds=(0.0, 20_000.0, 50_000.0)
        ),
        endpoints=("os",),
        costs=[cost("b", "start", 9000.0)],
    )


def write_cases(path: Path) -> list[tuple[str | float, ...]]:
    found: list[tuple[str | float, ...]] = []
    with writing(path) as book:
        ctx = Registry(two(), book).ctx
        sheet = book.sheet("Cases")
        for row, values in enumerate(CASES):
            for column, value in enumerate(values):
                sheet.number(row, column, value, NUMBER)
            money, effect = (cell(sheet, row, c, v) for c, v in enumerate(values))
            terms = (f(ctx, money, effect) for f in (ratio_term, saving_term, status_term))
            found.append(
                tuple(
                    put(sheet, row, column, term, Style("formula")).value
                    for column, term in enumerate(terms, start=2)
                )
            )
    return found


def test_words_are_those_of_the_analyses(tmp_path: Path) -> None:
    for (money, effect), found in zip(CASES, write_cases(tmp_path / "a.xlsx"), strict=True):
        pair = cea.pairwise("b", "a", delta_cost=money, delta_qaly=effect, currency="USD")
        saving = pair.saving_per_qaly_forgone
        wanted = (ratio_value(money, effect), DASH if saving is None else saving, pair.status)
        assert found == wanted, (money, effect)


@pytest.mark.libreoffice
def test_a_spreadsheet_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    wanted = write_cases(path)
    sheet = openpyxl.load_workbook(recalculate(path, tmp_path / "again"), data_only=True)["Cases"]
    for row, cells in enumerate(wanted, start=1):
        for column, value in enumerate(cells, start=3):
            found = sheet.cell(row, column).value
            if isinstance(value, str):
                assert found == value
            else:
                assert found == pytest.approx(value, rel=1e-14)


def test_net_benefit_carries_the_severity_weight(tmp_path: Path) -> None:
    spec = two()
    with writing(tmp_path / "a.xlsx") as book:
        ctx = write_payoffs(spec, book)
    base = base_case.run(spec)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx", data_only=True)["Results"]
    first = 2 + next(
        row for row in range(1, 100) if sheet.cell(row, 1).value == "Severity weight on QALYs"
    )
    (pair,) = base.pairwise
    for place, threshold in enumerate(spec.settings.thresholds):
        row = [sheet.cell(first + place, column).value for column in range(1, 7)]
        health = pair.inhb[place]
        assert row[:4] == pytest.approx(
            [threshold, *(t.nmb[place] for t in base.strategies), pair.inmb[place]], rel=1e-11
        )
        assert row[4] == (DASH if health is None else pytest.approx(health, rel=1e-11))
        assert row[5] == base.best[place]
        assert ctx.live[f"inmb {place} b"].value == row[3]


@pytest.mark.parametrize(("until", "moments"), [(3.0, 6), (3.0 + 1e-12, 6), (3.1, 7), (0.2, 1)])
def test_a_schedule_ends_before_its_end(until: float, moments: int, tmp_path: Path) -> None:
    """A moment at ``until``, to rounding, does not count (methods 5)."""
    item = cost("all", "schedule", 1.0, state="os", every=0.5, until=until)
    spec = dataclasses.replace(two(), costs=(item,))
    with writing(tmp_path / "a.xlsx") as book:
        ctx = write_payoffs(spec, book)
    assert ctx.columns["schedule counts 0"].values.sum() == moments
    wanted = base_case.run(spec).totals("b").cost
    assert ctx.live["total cost b"].value == pytest.approx(wanted, rel=1e-12)
