"""What is wrong with a workbook that must be a readable and safe model.

`scan` gives every fault with its place. The rules are those of methods and of agencies that take
only workbooks they can follow: no number inside a formula but 0 and 1 (others stand in cells of
their own), no function newer than Excel 2010, nothing volatile, hidden, locked or linked, a stored
value beside every formula and no error value anywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xlsx_package import Cell, Package, SheetPart, read_package, split_address

from heor.spec.schema import TABLES

#: Characters of the longest formula, and terms of the longest chain of sums.
LONGEST, MOST_TERMS = 2_000, 12

_VOLATILE = "CELL INDIRECT INFO NOW OFFSET RAND RANDBETWEEN TODAY"

#: Functions that Excel 2010 and LibreOffice 7 share, without dotted names (which Excel 2010 writes
#: with a prefix) and without any that reaches outside the workbook.
_ALLOWED = """
    ABS AND AVERAGE AVERAGEIF AVERAGEIFS BETADIST BETAINV CEILING CHIDIST CHOOSE COLUMN COLUMNS
    CONCATENATE CORREL COS COUNT COUNTA COUNTBLANK COUNTIF COUNTIFS COVAR EXACT EXP FDIST FIND
    FIXED FLOOR FREQUENCY GAMMADIST GAMMAINV GAMMALN HLOOKUP IF IFERROR INDEX INT ISBLANK
    ISERROR ISNUMBER ISTEXT LARGE LEFT LEN LN LOG10 LOOKUP LOWER MATCH MAX MEDIAN MID MIN MMULT
    MOD N NORMDIST NORMINV NORMSDIST NORMSINV NOT OR PERCENTILE PERCENTRANK PI POWER PRODUCT
    RANK REPLACE REPT RIGHT ROUND ROUNDDOWN ROUNDUP ROW ROWS SEARCH SIGN SIN SMALL SQRT STDEV
    STDEVP SUBSTITUTE SUBTOTAL SUM SUMIF SUMIFS SUMPRODUCT SUMSQ SUMX2MY2 SUMXMY2 T TEXT TRIM
    UPPER VALUE VAR VARP VLOOKUP
"""
VOLATILE, ALLOWED = (frozenset(names.split()) for names in (_VOLATILE, _ALLOWED))

#: Functions that take a range as it stands; others, and sums over a range, need SUMPRODUCT around
#: them, for elsewhere Excel 2010 asks for an array formula.
_TAKES_RANGES = """
    AND AVERAGE AVERAGEIF AVERAGEIFS COLUMNS CORREL COUNT COUNTA COUNTBLANK COUNTIF COUNTIFS COVAR
    HLOOKUP INDEX LARGE LOOKUP MATCH MAX MEDIAN MIN OR PERCENTILE PERCENTRANK PRODUCT RANK ROWS
    SMALL STDEV STDEVP SUBTOTAL SUM SUMIF SUMIFS SUMSQ SUMX2MY2 SUMXMY2 VAR VARP VLOOKUP
"""
TAKES_RANGES = frozenset(_TAKES_RANGES.split())

#: Functions that look at the first cell only, even inside SUMPRODUCT.
_FIRST_CELL_ONLY = frozenset(("CHOOSE", "IF", "IFERROR", "TRANSPOSE"))

#: Columns of input tables whose numbers a ``calc:`` formula of the same row may repeat.
_EXPRESSIONS = {
    name: frozenset(
        column.name
        for column in table.columns
        if column.kind in ("expression", "expressions", "number")
    )
    | {"value"}
    for name, table in TABLES.items()
}
_ERROR = re.compile(r"#(REF!|N/A|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!)|Err:\d+")

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<string>"(?:[^"]|"")*")
    | (?P<error>\#(?:REF!|N/A|VALUE!|DIV/0!|NAME\?|NUM!|NULL!))
    | (?P<sheet>(?:'(?:[^']|'')+'|[A-Za-z_][\w.]*)!)
    | (?P<cell>\$?[A-Za-z]{1,3}\$?[0-9]+(?![\w.(!]))
    | (?P<column>\$?[A-Za-z]{1,3}:\$?[A-Za-z]{1,3}(?![\w.(!]))
    | (?P<rows>\$?[0-9]+:\$?[0-9]+(?![\w.]))
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
    | (?P<function>[A-Za-z_][\w.]*\()
    | (?P<name>[A-Za-z_][\w.]*)
    | (?P<operator><=|>=|<>|[-+*/^&=<>%])
    | (?P<open>\()
    | (?P<close>\))
    | (?P<comma>,)
    | (?P<colon>:)
    """,
    re.VERBOSE,
)
_VALUE_ENDS = frozenset(("string", "error", "cell", "column", "rows", "number", "name", "close"))
_ROW_NUMBER = re.compile(r"(?<=[A-Z])[0-9]+")
_QUOTED_OR_ROW = re.compile(r"('[^']*'|\"[^\"]*\")|(?<=[A-Z])[0-9]+(?![\w(])")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: which rule, where, and what was found."""

    rule: str
    place: str
    found: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.found}"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a formula."""

    kind: str
    text: str


def tokens(formula: str) -> list[Token]:
    """Pieces of a formula without its ``=``; ``unknown`` for what no spreadsheet of 2010 reads."""
    out: list[Token] = []
    at = 0
    while at < len(formula):
        found = _TOKEN.match(formula, at)
        if found is None:
            out.append(Token("unknown", formula[at]))
            at += 1
            continue
        at = found.end()
        if found.lastgroup != "space":
            out.append(Token(str(found.lastgroup), found.group()))
    return out


def scan(path: Path) -> list[Fault]:
    """Every fault of a workbook."""
    return scan_package(read_package(path))


def scan_package(package: Package) -> list[Fault]:
    """Every fault of a workbook that has been read."""
    faults = [*_file_faults(package), *_name_faults(package)]
    titles = {title.casefold() for title in package.sheets}
    names = {name.casefold() for name in package.names}
    known: dict[str, list[tuple[str, str]]] = {}
    for sheet in package.sheets.values():
        faults += _sheet_faults(sheet)
        headings = _headings(sheet)
        for place, cell in sheet.cells.items():
            where = f"{sheet.title}!{place}"
            faults += (Fault(rule, where, found) for rule, found in _value_faults(cell))
            if cell.formula is None:
                continue
            # formulas of a column differ in row numbers only, so each pattern is read once
            key = _ROW_NUMBER.sub("1", cell.formula)
            if key not in known:
                known[key] = list(_text_faults(cell.formula, titles, names))
            for rule, found in known[key]:
                if rule == "number" and float(found) in _own_numbers(sheet, place, headings):
                    continue
                faults.append(Fault(rule, where, found))
            if len(cell.formula) > LONGEST:
                faults.append(Fault("length", where, f"{len(cell.formula):,} characters"))
        for kind, text in sheet.rules:
            for rule, found in _text_faults(text, titles, names):
                if rule not in ("number", "minus", "chain", "array"):
                    faults.append(Fault(rule, f"{sheet.title}, {kind}", found))
    for part, text in package.charts:
        for rule, found in _text_faults(text, titles, names):
            if rule == "sheet":
                faults.append(Fault(rule, part, found))
    return faults


def columns_with_several_formulas(
    sheets: Iterable[SheetPart], first_row: int, least: int
) -> list[Fault]:
    """Columns of sheets whose formulas from a row on, counted from 1, are not all the same.

    A cell without a formula between two with one is a fault as well. Columns with fewer than
    ``least`` formulas are not looked at.
    """
    faults = []
    for sheet in sheets:
        columns: dict[str, list[tuple[int, Cell]]] = {}
        for place, cell in sheet.cells.items():
            column, row = split_address(place)
            if row >= first_row:
                columns.setdefault(column, []).append((row, cell))
        for column, cells in columns.items():
            rows = [row for row, cell in cells if cell.formula is not None]
            if len(rows) < least:
                continue
            last = rows[-1]
            before: str | None = None
            for row, cell in cells:
                where = f"{sheet.title}!{column}{row}"
                if cell.formula is None:
                    if before is not None and row < last:
                        faults.append(Fault("column", where, f"{cell.value} is no formula"))
                    continue
                pattern = relative(cell.formula, row)
                if before is not None and pattern != before:
                    faults.append(Fault("column", where, f"{cell.formula} is not that above"))
                before = pattern
    return faults


def relative(formula: str, row: int) -> str:
    """A formula with its relative row numbers as distances from its own row."""
    return _QUOTED_OR_ROW.sub(lambda found: found[1] or f"[{int(found[0]) - row}]", formula)


def _file_faults(package: Package) -> Iterator[Fault]:
    for part in package.parts:
        low = part.lower()
        if "vba" in low or "macrosheets" in low or "dialogsheets" in low:
            yield Fault("macro", part, "holds a program")
        elif any(
            word in low for word in ("activex", "ctrlprops", "embeddings", "querytables")
        ) or low in ("xl/connections.xml", "xl/metadata.xml"):
            yield Fault("active", part, "is neither a sheet nor a chart")
        elif "externallinks" in low and not low.endswith(".rels"):
            yield Fault("link", part, "another workbook")
    for target in package.outside:
        yield Fault("link", target.split(": ")[0], target.split(": ", 1)[1])
    for kind in package.locked:
        yield Fault("protection", "workbook", kind)
    for name in package.hidden_names:
        if not name.startswith("_xlnm."):
            yield Fault("hidden", f"name {name}", "defined name out of sight")


def _name_faults(package: Package) -> Iterator[Fault]:
    sheets = {title.casefold(): sheet for title, sheet in package.sheets.items()}
    for name, text in package.names.items():
        where = f"name {name}"
        parts = tokens(text)
        if any(part.kind in ("error", "unknown") for part in parts) or not parts:
            yield Fault("name", where, text or "nothing")
            continue
        for part in parts:
            if part.kind == "sheet" and _title(part.text).casefold() not in sheets:
                yield Fault("name", where, text)
        if len(parts) == 2 and (parts[0].kind, parts[1].kind) == ("sheet", "cell"):
            sheet = sheets.get(_title(parts[0].text).casefold())
            cell = sheet.cells.get(parts[1].text.replace("$", "")) if sheet else None
            if sheet is not None and (cell is None or cell.value is None):
                yield Fault("name", where, f"{text} is empty")


def _sheet_faults(sheet: SheetPart) -> Iterator[Fault]:
    if sheet.state != "visible":
        yield Fault("hidden", sheet.title, f"the sheet is {sheet.state}")
    for what in sheet.hidden:
        yield Fault("hidden", sheet.title, what)
    if sheet.protected:
        yield Fault("protection", sheet.title, "the sheet is locked")


def _value_faults(cell: Cell) -> Iterator[tuple[str, str]]:
    if isinstance(cell.value, str) and (cell.kind == "error" or _ERROR.fullmatch(cell.value)):
        yield "error", cell.value
    if isinstance(cell.value, float) and not math.isfinite(cell.value):
        yield "not finite", str(cell.value)
    if cell.kind == "boolean":
        yield "boolean", str(cell.value)
    if cell.formula is None:
        return
    if cell.value is None:
        yield "no value", cell.formula
    if cell.sort in ("array", "dataTable") or cell.dynamic:
        yield "array", cell.formula


def _text_faults(formula: str, titles: set[str], names: set[str]) -> Iterator[tuple[str, str]]:
    parts = tokens(formula)
    for part in parts:
        if part.kind == "number" and float(part.text) not in (0.0, 1.0):
            yield "number", part.text
        elif part.kind == "function":
            name = part.text[:-1].upper()
            if name in VOLATILE:
                yield "volatile", name
            elif name not in ALLOWED:
                yield "function", name
        elif part.kind == "sheet" and _title(part.text).casefold() not in titles:
            rule = "link" if "[" in part.text else "sheet"
            yield rule, part.text
        elif part.kind == "name" and part.text.casefold() not in (names | {"true", "false"}):
            yield "name", part.text
        elif part.kind == "error":
            yield "error", part.text
        elif part.kind == "unknown":
            yield (
                ("link" if part.text in "[]" else "array" if part.text in "{};@" else "text"),
                (f"{part.text} in {formula}"),
            )
    if (trap := _minus_power(parts)) is not None:
        yield "minus", trap
    yield from (("array", found) for found in _disguised_arrays(parts))
    if (terms := longest_chain(parts)) > MOST_TERMS:
        yield "chain", f"{terms} terms in a row"


@dataclass(slots=True)
class _Argument:
    """An argument in the making: of which function, whether it holds a range, and an operator."""

    function: str
    ranged: bool = False
    worked: bool = False


def _disguised_arrays(parts: Sequence[Token]) -> Iterator[str]:
    """Ranges where a single value is expected: Excel 2010 would take one cell of them."""
    stack = [_Argument("")]

    def judge() -> Iterator[str]:
        top = stack[-1]
        names = [argument.function for argument in stack]
        if not top.ranged:
            return
        if "SUMPRODUCT" in names:
            inner = names[len(names) - names[::-1].index("SUMPRODUCT") :]
            for name in _FIRST_CELL_ONLY.intersection(inner):
                yield f"{name} over a range inside SUMPRODUCT"
        elif top.function == "(":
            return
        elif top.function not in TAKES_RANGES or top.worked:
            yield f"a range in {top.function or 'the formula'}{' with an operator' * top.worked}"

    for part in parts:
        top = stack[-1]
        if part.kind == "function":
            stack.append(_Argument(part.text[:-1].upper()))
        elif part.kind == "open":
            stack.append(_Argument("("))
        elif part.kind in ("comma", "close"):
            yield from judge()
            if part.kind == "comma":
                stack[-1] = _Argument(top.function)
            elif len(stack) > 1:
                stack.pop()
                if top.function == "(":
                    stack[-1].ranged |= top.ranged
                    stack[-1].worked |= top.worked
        elif part.kind in ("colon", "column", "rows"):
            top.ranged = True
        elif part.kind == "operator":
            top.worked = True
    yield from judge()


def _title(text: str) -> str:
    name = text[:-1]
    return name[1:-1].replace("''", "'") if name.startswith("'") else name


def _minus_power(parts: Sequence[Token]) -> str | None:
    """The first ``-a^b``: Excel reads (-a)^b, mathematics -(a^b)."""
    for at, part in enumerate(parts):
        if part.kind != "operator" or part.text != "-":
            continue
        if at and (parts[at - 1].kind in _VALUE_ENDS or parts[at - 1].text == "%"):
            continue
        end = _operand_end(parts, at + 1)
        if end < len(parts) and parts[end].text == "^":
            return "".join(p.text for p in parts[at : end + 2])
    return None


def _operand_end(parts: Sequence[Token], at: int) -> int:
    """Place after the operand that starts at ``at``."""
    while at < len(parts) and (
        parts[at].kind == "sheet" or (parts[at].kind == "operator" and parts[at].text in "+-")
    ):
        at += 1
    if at < len(parts) and parts[at].kind in ("open", "function"):
        depth = 0
        while at < len(parts):
            depth += parts[at].kind in ("open", "function")
            depth -= parts[at].kind == "close"
            at += 1
            if depth == 0:
                break
        return at
    at += 1
    if at < len(parts) and parts[at].kind == "colon":
        return _operand_end(parts, at + 1)
    return at


def longest_chain(parts: Sequence[Token]) -> int:
    """Terms of the longest sum: ``a+b-c`` is three, brackets and arguments count apart."""
    stack, longest = [1], 1
    for before, part in zip((Token("open", "("), *parts), parts, strict=False):
        if part.kind in ("open", "function"):
            stack.append(1)
        elif part.kind == "close" and len(stack) > 1:
            stack.pop()
        elif part.kind == "comma" or (
            part.kind == "operator" and part.text in ("=", "<", ">", "&")
        ):
            stack[-1] = 1
        elif part.kind == "operator" and part.text in "+-" and before.kind in _VALUE_ENDS:
            stack[-1] += 1
            longest = max(longest, stack[-1])
    return longest


def _headings(sheet: SheetPart) -> dict[str, str]:
    """Column headings of an input table by column letter; none of any other sheet."""
    if sheet.title not in TABLES:
        return {}
    return {
        column: str(cell.value)
        for place, cell in sheet.cells.items()
        for column, row in [split_address(place)]
        if row == 1
    }


def _own_numbers(sheet: SheetPart, place: str, headings: dict[str, str]) -> set[float]:
    """Numbers that a ``calc:`` formula may hold: those of the user's expressions in its row.

    A number of more digits than a cell keeps stands in its cell as a text as well.
    """
    column, row = split_address(place)
    if not headings.get(column, "").startswith("calc:"):
        return set()
    wanted = _EXPRESSIONS[sheet.title]
    found: set[float] = set()
    for letter, heading in headings.items():
        cell = sheet.cells.get(f"{letter}{row}")
        if heading in wanted and cell is not None and isinstance(cell.value, str):
            found.update(float(part.text) for part in tokens(cell.value) if part.kind == "number")
    return found
