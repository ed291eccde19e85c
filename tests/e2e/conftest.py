"""The shipped study's workbook, written once and loaded once in LibreOffice for all tests here."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from spreadsheet import Spreadsheet
from workbook_model import Model, write_model

from heor.spec.reader import read_study, shipped_studies
from heor.study import Plan, run_study

#: Draws of its PSA. More make ranges longer and LibreOffice slower, and no other formulas.
DRAWS = 1_000


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The shipped study's report as ``heor run`` writes it, with fewer draws."""
    spec = read_study(shipped_studies() / "lifileucel_nsclc")
    path = tmp_path_factory.mktemp("shipped") / "report.xlsx"
    return write_model(run_study(spec, Plan(draws=DRAWS, workers=2, voi=True)), path)


@pytest.fixture(scope="session")
def shipped_calcs(shipped: Model) -> Iterator[tuple[Spreadsheet, ...]]:
    """The shipped study's report in LibreOffice, every formula computed afresh, in each of two.

    Two processes make changes side by side; a change of the model takes most of a second.
    """
    with Spreadsheet() as one, Spreadsheet() as other, ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda calc: calc.open(shipped.path), (one, other)))
        yield one, other


@pytest.fixture
def shipped_calc(shipped_calcs: tuple[Spreadsheet, ...]) -> Spreadsheet:
    """One of them."""
    return shipped_calcs[0]
