"""The spreadsheet formula of every family gives the engine's number, in LibreOffice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xlsxwriter
from family_numbers import family_called
from libreoffice import recalculate, recalculates, require_libreoffice
from openpyxl import load_workbook

from heor.engine.survival import CURVES, step_excel, step_survival
from heor.spec.records import KaplanMeier

pytestmark = pytest.mark.libreoffice

PARAMETERS: dict[str, list[tuple[float, ...]]] = {
    "exponential": [(0.3,), (1e-5,), (40.0,)],
    "weibull": [(0.3, 2.0), (1.0, 3.0), (2.5, 1.2), (30.0, 4.0), (0.05, 400.0)],
    "gompertz": [
        *((0.2, 0.1), (-0.4, 0.5), (0.0, 0.3), (1e-12, 0.3), (-1e-9, 0.3), (30.0, 1e-6)),
        *((5e-4, 1.0), (-1e-3, 0.2), (1e-300, 0.2)),
    ],
    "loglogistic": [(0.3, 2.0), (1.0, 1.0), (3.0, 1.5), (30.0, 4.0)],
    "lognormal": [(0.6, 0.9), (-1.0, 2.0), (2.0, 0.05), (5.0, 3.0)],
    "gamma": [(0.05, 0.1), (0.5, 0.3), (1.0, 0.7), (4.0, 2.0), (60.0, 20.0), (2000.0, 300.0)],
    "gengamma": [
        *((0.6, 0.8, q) for q in (-6, -2, -0.7, -0.1, -0.02, -0.0101, -0.0099, -1e-3, -1e-5)),
        *((0.6, 0.8, q) for q in (0, 1e-12, 4e-6, 1e-4, 5e-3, 0.0099, 0.0101, 0.03, 0.3, 1, 3, 6)),
        *((1.5, 0.05, q) for q in (-1, 0, 0.0099, 0.5)),
        *((1.0, 2.5, q) for q in (-0.0099, -0.3, 0.003, 1)),
    ],
    "genf": [
        (0.6, 0.8, q, p)
        for q in (-6.0, -2.0, -0.3, 0.0, 0.01, 0.4, 1.0, 3.0)
        for p in (1e-9, 1e-6, 1e-4, 1e-2, 0.3, 2.0, 30.0)
    ],
    "spline hazard 2": [(-0.8, 1.2, -2.0, 1.5), (-4.0, 3.0, -1.0, 1.0)],
    "spline hazard 3": [(-0.8, 1.2, 0.05, -2.0, 0.3, 1.5), (-0.8, 0.9, -0.04, -1.0, 0.0, 2.0)],
    "spline odds 4": [(-0.5, 1.5, 0.06, -0.05, -2.0, -0.2, 0.7, 1.9)],
    "spline normal 3": [(-0.4, 0.9, 0.03, -2.0, 0.3, 1.5)],
    "spline hazard 7": [
        (-0.7, 1.1, 0.04, -0.05, 0.03, -0.02, 0.03, -2.5, -1.0, -0.3, 0.2, 0.8, 1.4, 2.2)
    ],
}
TIMES = np.array(
    [
        0.0,
        1e-9,
        7 / 365.25,
        0.05,
        0.2,
        0.5,
        0.9,
        1.0,
        1.7,
        2.5,
        3.9,
        4.1,
        6.0,
        9.0,
        15.0,
        30.0,
        60.0,
    ]
)
#: Row of the first time, below the parameters.
FIRST = 16
STEPS = KaplanMeier(
    strategy="a",
    endpoint="os",
    group="all",
    time=np.array([0.0, 0.05, 0.9, 4.0, 30.0]),
    survival=np.array([1.0, 0.95, 0.6, 0.4, 0.25]),
    at_risk=np.full(5, np.nan),
    events=np.full(5, np.nan),
    time_unit="year",
    source="trial",
)


def expected(family: str, params: tuple[float, ...]) -> np.ndarray:
    curve = family_called(family)
    with np.errstate(divide="ignore"):
        log_times = np.log(TIMES)
    columns = [np.array([[float(value)]]) for value in params]
    return curve.survival(TIMES, log_times, columns, np.empty((1, len(TIMES))))[0]


def write_family(book: Any, family: str, sets: list[tuple[float, ...]]) -> None:
    """One sheet: times in column A, a parameter set above each further column."""
    sheet = book.add_worksheet(family)
    sheet.write_column(FIRST, 0, TIMES.tolist())
    for column, params in enumerate(sets, start=1):
        letter = xlsxwriter.utility.xl_col_to_name(column)
        sheet.write_column(0, column, params)
        cells = [f"{letter}${row}" for row in range(1, 1 + len(params))]
        for row in range(len(TIMES)):
            formula = family_called(family).excel(cells, f"$A{FIRST + row + 1}")
            # the stored value is wrong on purpose
            sheet.write_formula(FIRST + row, column, f"={formula}", value=0)


def write_steps(book: Any) -> None:
    sheet = book.add_worksheet("steps")
    sheet.write_column(0, 3, STEPS.time.tolist())
    sheet.write_column(0, 4, STEPS.survival.tolist())
    for row, time in enumerate(TIMES.tolist()):
        sheet.write_number(row, 0, time)
        formula = step_excel(f"A{row + 1}", "$D$1:$D$5", "$E$1:$E$5")
        sheet.write_formula(row, 1, f"={formula}", value=0)


@pytest.fixture(scope="module")
def recalculated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    require_libreoffice()
    folder = tmp_path_factory.mktemp("survival")
    assert recalculates(folder), "LibreOffice gave a wrong stored value back unchanged"
    path: Path = folder / "survival.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for family, sets in PARAMETERS.items():
            write_family(book, family, sets)
        write_steps(book)
    return load_workbook(recalculate(path, folder / "out"), data_only=True)


@pytest.mark.parametrize("family", PARAMETERS)
def test_formula_equals_engine(recalculated: Any, family: str) -> None:
    sheet = recalculated[family]
    for column, params in enumerate(PARAMETERS[family], start=2):
        ours = [sheet.cell(row=FIRST + row + 1, column=column).value for row in range(len(TIMES))]
        assert all(isinstance(value, int | float) for value in ours), (params, ours)
        np.testing.assert_allclose(
            np.array(ours, dtype=float),
            expected(family, params),
            rtol=1e-9,
            # LibreOffice's BETADIST of arguments of the order of 1/P
            atol=max(1e-12, 3e-16 / params[3]) if family == "genf" else 1e-12,
            err_msg=f"{family}{params}",
        )


def test_every_family_is_here() -> None:
    assert set(CURVES) < set(PARAMETERS)


def test_step_formula_equals_engine(recalculated: Any) -> None:
    ours = [recalculated["steps"].cell(row=row + 1, column=2).value for row in range(len(TIMES))]
    assert ours == step_survival(STEPS, TIMES).tolist()
