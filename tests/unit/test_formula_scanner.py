"""The scanner of workbooks finds each fault, names its cell, and finds none in a sound workbook."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from formula_scanner import (
    columns_with_several_formulas,
    longest_chain,
    relative,
    scan,
    tokens,
)
from xlsx_package import read_package, rewrite

SHEET = "xl/worksheets/sheet1.xml"
BOOK = "xl/workbook.xml"


def write(path: Path, fill: Callable[[Any], None] | None = None) -> Path:
    """A sound workbook with a model, an input table and a defined name; ``fill`` adds to it."""
    with xlsxwriter.Workbook(str(path)) as book:
        model, table = book.add_worksheet("Model"), book.add_worksheet("parameters")
        other = book.add_worksheet("it's other")
        model.write_number("A1", 2.5)
        model.write_formula("A2", "=IF(A1>0,MAX(A1,1)^2e0,0)".replace("^2e0", "^A1"), value=9.9)
        model.write_formula("A3", '=IF(A1>=1,"yes: 12","no")', value="yes: 12")
        model.write_formula("A4", "=SUM('it''s other'!$A$1:$A$3)+price-(-A1)^A1", value=1.0)
        model.write_formula("A5", "=SUMPRODUCT($A$1:$A$2,$A$1:$A$2)/(1+A1)", value=1.0)
        array = "=IF(A1>0,SUMPRODUCT((MMULT(($A$1:$B$3>$A$1)*1,$A$1:$A$2)=0)*1),SUM((A1:A2),A3:A4))"
        model.write_formula("A7", array, value=1.0)
        model.write_formula("A8", "=SUM($A$1:INDEX($A$1:$A$3,A1))*IF(A1=1,1,0)", value=1.0)
        model.write_formula("A6", "=INDEX($A:$A,MATCH(A1,$1:$1,0))-A1^-A1", value=1.0)
        table.write_row("A1", ["id", "value", "note", "calc: value"])
        table.write_row("A2", ["price", "12 * a + 5e-01", "30"])
        table.write_formula("D2", "=12*Model!$A$1+0.5", value=30.5)
        other.write_column("A1", [1, 2, 3])
        book.define_name("price", "=Model!$A$1")
        other.data_validation("B1", {"validate": "list", "source": "=Model!$A$1:$A$2"})
        if fill is not None:
            fill(book)
    return path


def edited(path: Path, part: str, old: str, new: str) -> Path:
    """The sound workbook with a text of one part replaced."""
    source = write(path.with_name("source.xlsx"))
    return rewrite(source, path, {part: lambda text: text.replace(old, new, 1)})


def found(path: Path) -> list[tuple[str, str]]:
    return [(fault.rule, fault.place) for fault in scan(path)]


def test_a_sound_workbook_has_no_faults(tmp_path: Path) -> None:
    path = write(tmp_path / "good.xlsx")
    assert found(path) == []
    package = read_package(path)
    assert package.sheets["Model"].cells["A3"].value == "yes: 12"
    assert package.sheets["Model"].cells["A4"].formula.startswith("SUM('it''s other'!")
    assert package.sheets["parameters"].cells["B2"].value == "12 * a + 5e-01"


#: Formula and the rule that it breaks; it stands in Model!C1.
BAD = {
    "=A1*12": "number",
    "=A1*0.5": "number",
    "=A1+1e-9": "number",
    "=ROUND(A1,2)": "number",
    '=IF(A1>30,"30","")&"x"': "number",
    "=-A1^A1": "minus",
    "=1-(-$A$1^A1)": "minus",
    "=EXP(-(A1+A1)^A1)": "minus",
    "=A1*-SUM(A1,A2)^A1": "minus",
    "=-Model!A1^A1": "minus",
    "=" + "+".join(["A1"] * 13): "chain",
    "=MAX(1,A1" + "+A2-A3" * 6 + ")": "chain",
    "=SUM(" + ",".join(["$A$1"] * 400) + ",0)": "length",
    "=_xlfn.IFS(A1>0,1)": "function",
    "=_xlfn.CONCAT(A1,A1)": "function",
    "=NUMBERVALUE(A1)": "function",
    "=NORM.S.DIST(A1,1)": "function",
    '=HYPERLINK("x")': "function",
    '=INDIRECT("A1")': "volatile",
    "=offset(A1,1,1)": "volatile",
    "=RAND()": "volatile",
    "=NOW()+TODAY()": "volatile",
    "=Missing!A1": "sheet",
    "='Mis sing'!$A$1": "sheet",
    "=[1]Model!A1": "link",
    "='[other.xlsx]Model'!A1": "link",
    "=cost*1": "name",
    "=A1#": "text",
    "=#REF!+1": "error",
    "={1;0}": "array",
    "=A1:A3": "array",
    "=SUM((A1:A3)*A1)": "array",
    "=MAX(ABS(A1:A3))": "array",
    "=MATCH(1,(A1:A3=A1)*1,0)": "array",
    "=MMULT($A$1:$A$3,$A$1:$B$1)": "array",
    "=SUMPRODUCT(IF(A1:A3>0,A1:A3,0))": "array",
    "=A1:INDEX(A1:A3,1)*1": "array",
}


@pytest.mark.parametrize("formula", BAD)
def test_a_bad_formula_is_named_with_its_cell(tmp_path: Path, formula: str) -> None:
    def fill(book: Any) -> None:
        book.get_worksheet_by_name("Model").write_formula("C1", formula, value=1.0)

    faults = scan(write(tmp_path / "bad.xlsx", fill))
    assert faults
    assert {(fault.rule, fault.place) for fault in faults} == {(BAD[formula], "Model!C1")}


def test_numbers_of_an_input_table_are_the_user_s_own_or_refused(tmp_path: Path) -> None:
    def fill(book: Any) -> None:
        table = book.get_worksheet_by_name("parameters")
        table.write_formula("D2", "=12*Model!$A$1+0.25", value=1.0)  # 0.25 is not in the row
        table.write_row("A3", ["b", "a * 7", "8"])
        table.write_formula("D3", "=8*Model!$A$1", value=1.0)  # 8 stands in a note only
        table.write_formula("E2", "=12*Model!$A$1", value=1.0)  # no calc: column

    faults = found(write(tmp_path / "bad.xlsx", fill))
    assert faults == [("number", f"parameters!{place}") for place in ("D2", "E2", "D3")]


def test_stored_values(tmp_path: Path) -> None:
    def fill(book: Any) -> None:
        model = book.get_worksheet_by_name("Model")
        model.write_formula("C1", "=A1", value="#DIV/0!")
        model.write_string("C2", "#N/A")
        model.write_formula("C3", "=A1=A1", value=True)
        model.write_formula("C4", "=A1", value="")
        model.write_formula("C5", "=A1", value=7.0)
        model.write_formula("C6", "=A1", value=8.0)

    path = write(tmp_path / "source.xlsx", fill)
    edits = _both(("<v>7.0</v>", ""), ("<v>8.0</v>", "<v>nan</v>"))
    faults = found(rewrite(path, tmp_path / "bad.xlsx", {SHEET: edits}))
    assert faults == [
        ("error", "Model!C1"),
        ("error", "Model!C2"),
        ("boolean", "Model!C3"),
        ("no value", "Model!C4"),
        ("no value", "Model!C5"),
        ("not finite", "Model!C6"),
    ]


def _both(*pairs: tuple[str, str]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        for old, new in pairs:
            text = text.replace(old, new)
        return text

    return edit


def test_an_empty_text_is_a_value_when_the_file_says_it_is_text(tmp_path: Path) -> None:
    def fill(book: Any) -> None:
        book.get_worksheet_by_name("Model").write_formula("C1", '=IF(A1>0,"","x")', value="")

    source = write(tmp_path / "source.xlsx", fill)
    assert found(source) == [("no value", "Model!C1")]
    typed = rewrite(
        source, tmp_path / "typed.xlsx", {SHEET: lambda t: t.replace('r="C1"', 'r="C1" t="str"')}
    )
    assert found(typed) == []
    assert read_package(typed).sheets["Model"].cells["C1"].value == ""


#: What is done to the workbook and its sheet Model, and the fault.
HIDDEN: dict[str, tuple[Callable[[Any, Any], Any], tuple[str, str]]] = {
    "sheet": (
        lambda book, model: book.get_worksheet_by_name("it's other").hide(),
        ("hidden", "it's other"),
    ),
    "row": (lambda book, model: model.set_row(3, None, None, {"hidden": 1}), ("hidden", "Model")),
    "column": (
        lambda book, model: model.set_column(3, 3, None, None, {"hidden": 1}),
        ("hidden", "Model"),
    ),
    "other rows": (
        lambda book, model: model.set_default_row(hide_unused_rows=True),
        ("hidden", "Model"),
    ),
    "locked": (lambda book, model: model.protect(), ("protection", "Model")),
    "array": (
        lambda book, model: model.write_array_formula("C1:C2", "{=A1:A2}"),
        ("array", "Model!C1"),
    ),
    "spill": (
        lambda book, model: model.write_dynamic_array_formula("C1", "=A1:A2"),
        ("array", "Model!C1"),
    ),
    "web": (
        lambda book, model: model.write_url("C1", "https://example.org"),
        ("link", "xl/worksheets/_rels/sheet1.xml.rels"),
    ),
    "lost": (lambda book, model: book.define_name("a", "=Missing!$A$1"), ("name", "name a")),
    "error": (lambda book, model: book.define_name("a", "=#REF!"), ("name", "name a")),
    "blank": (lambda book, model: book.define_name("a", "=Model!$Z$9"), ("name", "name a")),
    "validation": (
        lambda book, model: model.data_validation(
            "B1", {"validate": "list", "source": "=INDIRECT(A1)"}
        ),
        ("volatile", "Model, formula1"),
    ),
    "format": (
        lambda book, model: model.conditional_format(
            "B1", {"type": "formula", "criteria": "=NOW()>A1", "format": book.add_format()}
        ),
        ("volatile", "Model, formula"),
    ),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_is_out_of_sight_locked_or_lost(tmp_path: Path, case: str) -> None:
    act, fault = HIDDEN[case]

    def fill(book: Any) -> None:
        act(book, book.get_worksheet_by_name("Model"))

    faults = found(write(tmp_path / "bad.xlsx", fill))
    assert fault in faults
    assert {rule for rule, _ in faults} <= {fault[0], "active"}


def test_a_chart_of_a_missing_sheet(tmp_path: Path) -> None:
    def fill(book: Any) -> None:
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Missing!$A$1:$A$3", "values_data": [1, 2, 3]})
        book.get_worksheet_by_name("Model").insert_chart("E1", chart)

    assert found(write(tmp_path / "bad.xlsx", fill)) == [("sheet", "xl/charts/chart1.xml")]


@pytest.mark.parametrize(
    ("part", "old", "new", "fault"),
    [
        (BOOK, "<sheets>", "<workbookProtection lockStructure='1'/><sheets>", "protection"),
        (BOOK, "<sheets>", "<fileSharing userName='x'/><sheets>", "protection"),
        (BOOK, 'name="Model"', 'name="Model" state="veryHidden"', "hidden"),
        (BOOK, 'definedName name="price"', 'definedName hidden="1" name="price"', "hidden"),
        (SHEET, "<sheetData>", '<cols><col min="1" width="0"/></cols><sheetData>', "hidden"),
        (SHEET, '<row r="1"', '<row ht="0" r="1"', "hidden"),
    ],
)  # fmt: skip
def test_faults_that_only_the_file_shows(
    tmp_path: Path, part: str, old: str, new: str, fault: str
) -> None:
    assert [rule for rule, _ in found(edited(tmp_path / "bad.xlsx", part, old, new))] == [fault]


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        ("xl/vbaProject.bin", "macro"),
        ("xl/externalLinks/externalLink1.xml", "link"),
        ("xl/activeX/activeX1.xml", "active"),
        ("xl/connections.xml", "active"),
        ("xl/embeddings/oleObject1.bin", "active"),
    ],
)
def test_parts_that_are_no_sheets(tmp_path: Path, part: str, rule: str) -> None:
    path = write(tmp_path / "bad.xlsx")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(part, "<x/>")
    assert found(path) == [(rule, part)]


def test_an_edit_that_changes_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stays as it was"):
        edited(tmp_path / "bad.xlsx", SHEET, "no such text", "x")


def test_tokens() -> None:
    kinds = [(part.kind, part.text) for part in tokens('IF(\'a b\'!$A1>=1.5e-3,"x""1",name_2)')]
    assert kinds == [
        ("function", "IF("),
        ("sheet", "'a b'!"),
        ("cell", "$A1"),
        ("operator", ">="),
        ("number", "1.5e-3"),
        ("comma", ","),
        ("string", '"x""1"'),
        ("comma", ","),
        ("name", "name_2"),
        ("close", ")"),
    ]


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("A1", 1),
        ("-A1+A2-A3", 3),
        ("A1+SUM(A1+A2,A1+A2+A3+A4)*(A1+A2)", 4),
        ("IF(A1+A2>A3+A4,A1+A2,0)", 2),
        ("A1*-A2*-A3", 1),
    ],
)
def test_chains(formula: str, terms: int) -> None:
    assert longest_chain(tokens(formula)) == terms


def test_the_same_formula_down_a_column(tmp_path: Path) -> None:
    path = tmp_path / "grid.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Calc A1")
        sheet.write_row("A3", [1.0, 2.0, 3.0])
        for row in range(3, 9):
            sheet.write_formula(row, 0, f"=B{row + 1}+$C$1*'Calc A1'!$B{row}", value=1.0)
            wrong = f"=B{row + 2}" if row == 6 else f"=B{row + 1}"
            sheet.write_formula(row, 1, wrong, value=1.0)
            if row != 5:
                sheet.write_formula(row, 2, f"=B{row + 1}", value=1.0)
        sheet.write_number("C6", 1.0)
        sheet.write_number("C10", 1.0)
    sheets = read_package(path).sheets.values()
    faults = columns_with_several_formulas(sheets, 3, 5)
    assert [fault.place for fault in faults] == ["Calc A1!B7", "Calc A1!B8", "Calc A1!C6"]
    assert columns_with_several_formulas(sheets, 3, 7) == []
    assert columns_with_several_formulas(sheets, 8, 1) == []
    formula = "B9+$C$1*'Calc A1'!$B8+LOG10(A9)"
    assert relative(formula, 9) == "B[0]+$C$1*'Calc A1'!$B[-1]+LOG10(A[0])"
