"""The shipped study's workbook, written once and loaded once in LibreOffice for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from spreadsheet import Spreadsheet
from workbook_model import Model, write_model

from heor.spec.reader import read_study, shipped_studies
from heor.study import Plan, run_study


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The shipped study's report as ``heor run`` writes it."""
    spec = read_study(shipped_studies() / "lifileucel_nsclc")
    path = tmp_path_factory.mktemp("shipped") / "report.xlsx"
    return write_model(run_study(spec, Plan(workers=2)), path)


@pytest.fixture(scope="session")
def shipped_calc(shipped: Model) -> Iterator[Spreadsheet]:
    """The shipped study's report in LibreOffice, every formula computed afresh."""
    with Spreadsheet() as running:
        running.open(shipped.path)
        yield running
