"""Terms: the text of a formula and its value, made together."""

from __future__ import annotations

import numpy as np
import pytest

from heor.report import live
from heor.report.live import Grid, Term
from heor.report.sheets.constants import CONSTANTS, Constants
from heor.report.xlsx import Style, writing

A, B, C = Term("A1", 2.0), Term("B1", 3.0), Term("C1", 5.0)
NUMBER = Style("formula")


@pytest.mark.parametrize(
    ("term", "text", "value"),
    [
        (A + B * C, "A1+B1*C1", 17.0),
        ((A + B) * C, "(A1+B1)*C1", 25.0),
        (A - (B - C), "A1-(B1-C1)", 4.0),
        (A - B - C, "A1-B1-C1", -6.0),
        (A / (B * C), "A1/(B1*C1)", 2 / 15),
        (A**B**C, "A1^(B1^C1)", 2.0**243),
        ((A**B) ** C, "A1^B1^C1", 2.0**15),
        (-(A**B), "-(A1^B1)", -8.0),
        ((-A) ** B, "(-A1)^B1", -8.0),
        (A * -B, "A1*(-B1)", -6.0),
        (1 - A, "1-A1", -1.0),
        (A + (-B), "A1+(-B1)", -1.0),
        (live.where(A < B, A, B + 1), "IF(A1<B1,A1,B1+1)", 2.0),
        (live.where(Term("D1", "Yes").equals("yes"), 1, 0), 'IF(D1="yes",1,0)', 1.0),
        (live.every(A < B, B < A), "AND(A1<B1,B1<A1)", False),
        (live.rounded_up(A / B), "ROUNDUP(A1/B1,0)", 1.0),
        (live.smallest(A, 1) * B, "MIN(A1,1)*B1", 3.0),
    ],
)
def test_text_and_value_are_of_one_formula(term, text, value):
    assert term.text == text
    assert term.value == value


def test_only_0_and_1_may_stand_in_a_formula():
    with pytest.raises(ValueError, match="cell of its own"):
        A * 2


def test_only_the_branch_taken_counts():
    term = live.where(
        Term("x", np.array([0.0, 2.0])) > 0, live.ln(Term("x", np.array([0.0, 2.0]))), 1
    )
    assert term.value.tolist() == [1.0, np.log(2.0)]


def test_a_grid_writes_one_formula_down_a_column(tmp_path):
    import openpyxl

    path = tmp_path / "a.xlsx"
    with writing(path) as book:
        sheet = book.sheet("Calc grid")
        grid = Grid(sheet, 4)
        k = grid.add("k", "Cycle", Term("ROW()-1", np.arange(4.0)), NUMBER)
        grid.add("double", "Double", k.here + k.next, NUMBER)
        values = np.array([1.0, 3.0, 9.0, 27.0])
        grid.add_recursion(
            "power", "Power", lambda last: last + last + last, values, NUMBER,
            at_start=k.here.equals(0),
        )  # fmt: skip
        total = live.put(sheet, 0, 5, live.sum_of_products(k.starts, grid["power"].ends), NUMBER)
        assert total.value == 0 * 3 + 1 * 9 + 2 * 27
        with pytest.raises(ValueError, match="not what its formula gives"):
            grid.add_recursion(
                "bad", "Bad", lambda last: last + 1, values, NUMBER, at_start=k.here.equals(0)
            )
    written = openpyxl.load_workbook(path)["Calc grid"]
    assert [written.cell(13 + i, 2).value for i in range(2)] == ["=$A13+$A14", "=$A14+$A15"]
    assert written["C14"].value == "=IF($A14=0,1,$C13+$C13+$C13)"
    assert written["F1"].value == "=SUMPRODUCT($A$13:$A$15,$C$14:$C$16)"
    stored = openpyxl.load_workbook(path, data_only=True)["Calc grid"]
    assert [stored.cell(13 + i, 2).value for i in range(4)] == [1, 3, 5, 3]


def test_numbers_of_a_formula_move_to_cells(tmp_path):
    with writing(tmp_path / "a.xlsx") as book:
        constants = Constants(book.sheet(CONSTANTS))
        title = f"'{CONSTANTS}'!"
        lifted = constants.lift("IF(A12=1,EXP(-0.5*B2^2),\"24 x\")+'S 3'!$C$4+LOG10(7E-3)", "test")
        assert lifted == (
            f"IF(A12=1,EXP(-{title}$B$5*B2^{title}$B$6),\"24 x\")+'S 3'!$C$4+LOG10({title}$B$7)"
        )
        assert constants.term(0.5, "half").text == f"{title}$B$5"
