"""Reading a folder of CSV files, or a workbook, into rows of cells that know their place.

Both sources go through `_build`; they differ only in how they make rows of texts. The schema of
the tables is in `heor.spec.schema`.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from heor.errors import InputErrors, Place, Problem
from heor.spec.records import TableData
from heor.spec.schema import REPORT_SHEETS, TABLES, TableSchema

__all__ = [
    "REPORT_SHEETS",
    "TABLES",
    "Cell",
    "Row",
    "Table",
    "did_you_mean",
    "input_hash",
    "load_tables",
    "read_tables",
]

_EXCEL_ERROR = re.compile(r"(#(REF!|N/A|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!)|Err:\d+)")
_NO_STORED_VALUE = "\0formula"
#: The sheet of a report's selectors, in small letters; see `heor.spec.control`.
CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of one cell. A ``broken`` cell has been reported already and reads as blank."""

    text: str
    place: Place
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table; a column that the table lacks gives a blank cell."""

    place: Place
    cells: Mapping[str, Cell]

    def __getitem__(self, column: str) -> Cell:
        return self.cells.get(column) or Cell("", self.place)


@dataclass(frozen=True, slots=True)
class Table:
    """One table as read: its place, its columns (without ``calc:`` ones) and its rows."""

    schema: TableSchema
    place: Place
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def data(self) -> TableData:
        """Give the same table as plain texts."""
        texts = tuple(tuple(row[column].text for column in self.columns) for row in self.rows)
        return TableData(name=self.schema.name, columns=self.columns, rows=texts)


#: A row of texts with its number in the file.
_RawRow = tuple[int, Sequence[str]]


@dataclass(frozen=True, slots=True)
class RawSheet:
    """A sheet as texts: its place and its rows."""

    place: Place
    rows: Sequence[_RawRow]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder or workbook holds: the tables in the order of `TABLES`, the sheet Control."""

    tables: Mapping[str, Table]
    control: RawSheet | None = None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Give ``; did you mean `x`?`` for the nearest choice, or an empty text.

    Examples
    --------
    >>> did_you_mean("horizn", ["horizon", "currency"])
    '; did you mean `horizon`?'
    """
    by_lower = {choice.lower(): choice for choice in choices}
    close = get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean `{by_lower[close[0]]}`?" if close else ""


def read_tables(path: str | Path) -> Mapping[str, TableData]:
    """Read the tables of a folder or workbook as texts, in the order of `TABLES`.

    Raises
    ------
    InputErrors
        When a file or sheet cannot be read, with every such problem.
    """
    problems: list[Problem] = []
    loaded = load_tables(path, problems, [])
    if problems:
        raise InputErrors(problems)
    return {name: table.data() for name, table in loaded.tables.items()}


def load_tables(path: str | Path, problems: list[Problem], warnings: list[Problem]) -> Loaded:
    """Read a folder of CSV files or one .xlsx.

    What is wrong is added to ``problems``, and what is left unread to ``warnings``.
    """
    path = Path(path)
    control = None
    if path.is_dir():
        tables = list(_folder(path, problems))
        warnings += _unread_files(path)
    elif not path.exists():
        problems.append(Problem(Place(str(path)), "there is no such folder or file"))
        return Loaded({})
    elif path.suffix.lower() in (".xlsx", ".xlsm"):
        tables, control = _workbook(path, problems, warnings)
    else:
        message = "give a folder of CSV tables or one .xlsx workbook"
        problems.append(Problem(Place(str(path)), message))
        return Loaded({})
    by_name: dict[str, Table] = {}
    for table in tables:
        name = table.schema.name
        if name in by_name:
            message = f"the table `{name}` is here twice; the other is {by_name[name].place}"
            problems.append(Problem(table.place, message))
        else:
            by_name[name] = table
    return Loaded({name: by_name[name] for name in TABLES if name in by_name}, control)


def input_hash(tables: Mapping[str, TableData]) -> str:
    """SHA-256 of the tables' content, the same for CSV files and a workbook (64 hex digits).

    Blank cells, blank rows, comments, the order of columns and the way a number is written
    do not matter; the order of rows does.
    """
    digest = hashlib.sha256()
    for name in sorted(tables):
        table = tables[name]
        for row in table.rows:
            cells = sorted((c, _canonical(t)) for c, t in zip(table.columns, row, strict=True) if t)
            digest.update(repr((name, cells)).encode())
    return digest.hexdigest()


def _canonical(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text


# --- CSV ------------------------------------------------------------------------------------


def _folder(folder: Path, problems: list[Problem]) -> Iterator[Table]:
    files = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() == ".csv" and not file.name.startswith((".", "~")) and file.is_file()
    )
    if not files:
        message = "no CSV tables in this folder"
        workbooks = sorted(file.name for file in folder.glob("*.xlsx"))
        if workbooks:
            message += f"; to read a workbook, name it: {folder / workbooks[0]}"
        problems.append(Problem(Place(str(folder)), message))
    for file in files:
        place = Place(str(file))
        schema = TABLES.get(file.stem.lower())
        if schema is None:
            hint = did_you_mean(file.stem, TABLES) or "; keep notes in a .txt or .md file"
            problems.append(Problem(place, f"`{file.name}` is not an input table{hint}"))
            continue
        text = _decode(file, place, problems)
        if text is None:
            continue
        if not text.strip():
            problems.append(Problem(place, "the file is empty"))
            continue
        raw = _csv_rows(text, place, problems)
        table = None if raw is None else _build(schema, place, raw, problems)
        if table is not None:
            yield table


def _unread_files(folder: Path) -> list[Problem]:
    """Warn of files that are named as a table but are no CSV files."""
    return [
        Problem(Place(str(file)), f"`{file.name}` is not read; save the table as `{stem}.csv`")
        for file in sorted(folder.iterdir())
        if (stem := file.stem.lower()) in TABLES
        and file.suffix.lower() != ".csv"
        and file.is_file()
    ]


def _decode(file: Path, place: Place, problems: list[Problem]) -> str | None:
    try:
        data = file.read_bytes()
    except OSError as error:
        problems.append(Problem(place, f"cannot be read ({error.strerror})"))
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        message = "not UTF-8 text; save it as “CSV UTF-8 (comma delimited)”"
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            message, row = message.replace("not UTF-8", "UTF-16, not UTF-8"), 0
        problems.append(Problem(Place(place.file, row=row), message))
        return None


def _csv_rows(text: str, place: Place, problems: list[Problem]) -> list[_RawRow] | None:
    lines = list(io.StringIO(text, newline=""))
    position = 0

    def feed() -> Iterator[str]:
        nonlocal position
        while position < len(lines):
            position += 1
            yield lines[position - 1]

    reader = csv.reader(feed(), strict=True)
    rows: list[_RawRow] = []
    while position < len(lines):
        if _is_comment(lines[position]):
            position += 1
            continue
        start = position + 1
        try:
            row = next(reader)
        except csv.Error as error:
            message = f"not a readable CSV row ({error}); check the double quotes"
            problems.append(Problem(Place(place.file, row=start), message))
            return None
        rows.append((start, [cell.strip() for cell in row]))
    return rows


def _is_comment(text: str) -> bool:
    return text.startswith("# ") or text.rstrip() == "#"


# --- workbook -------------------------------------------------------------------------------


def _workbook(
    path: Path, problems: list[Problem], unread: list[Problem]
) -> tuple[list[Table], RawSheet | None]:
    import warnings
    import zipfile

    import openpyxl

    try:
        with warnings.catch_warnings():  # of parts of a workbook that hold no cells
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, keep_links=False)
            try:
                return _sheets(path, book, problems, unread)
            finally:
                book.close()
    except (OSError, KeyError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        message = f"cannot be opened as an .xlsx workbook ({error})"
        problems.append(Problem(Place(str(path)), message))
        return [], None


def _sheets(
    path: Path, book: Any, problems: list[Problem], unread: list[Problem]
) -> tuple[list[Table], RawSheet | None]:
    """Read the sheets that are input tables, and Control; a title like a table's is a mistake.

    Other sheets of a report are passed over in silence, any other with a warning.
    """
    report = {title.lower() for title in REPORT_SHEETS}
    tables, control = [], None
    for title in book.sheetnames:
        lower = title.strip().lower()
        place = Place(str(path), sheet=title)
        schema = TABLES.get(lower)
        if lower == CONTROL:
            control = RawSheet(place, _sheet_rows(book, title))
        if schema is None:
            if lower not in report and not lower.startswith("calc "):
                hint = did_you_mean(title, TABLES)
                if hint:
                    problems.append(Problem(place, f"`{title}` is not an input table{hint}"))
                else:
                    message = f"sheet `{title}` is not an input table and is not read"
                    unread.append(Problem(place, message))
            continue
        table = _build(schema, place, _sheet_rows(book, title), problems)
        if table is not None:
            tables.append(table)
    if not tables and not problems:
        message = "no sheet of this workbook is an input table; a sheet has the table's name"
        problems.append(Problem(Place(str(path)), message))
    return tables, control


def _sheet_rows(book: Any, title: str) -> list[_RawRow]:
    """Read a sheet's stored values, and its formulas to tell a blank cell from one never computed.

    Opening the workbook once for each would read all its texts twice.
    """
    book[title].reset_dimensions()  # some writers store a wrong extent, and rows would be lost
    found = []
    for values_only in (True, False):
        book._data_only = values_only  # looked at when a sheet is read
        found.append(list(book[title].iter_rows(values_only=True)))
    rows: list[_RawRow] = []
    for number, (row, source) in enumerate(zip(*found, strict=True), start=1):
        texts = [_cell_text(v, f) for v, f in zip(row, source, strict=True)]
        if not _is_comment(texts[0] if texts else ""):
            rows.append((number, texts))
    return rows


def _cell_text(value: object, formula: object) -> str:
    if value is None:
        return "" if formula is None else _NO_STORED_VALUE
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    return str(value).strip()


# --- both -----------------------------------------------------------------------------------


def _build(
    schema: TableSchema, place: Place, raw: list[_RawRow], problems: list[Problem]
) -> Table | None:
    """Make a table of raw rows: the first that is not blank is the heading."""
    raw = [row for row in raw if any(row[1]) and not _is_comment(row[1][0])]
    if not raw:
        return Table(schema, place, (), ())
    number, headings = raw[0]
    if len(headings) == 1 and len(schema.columns) > 1 and re.search("[;\t]", headings[0]):
        mark = "semicolons" if ";" in headings[0] else "tabs"
        message = f"the columns are separated by {mark}; save it as CSV with commas, decimal point"
        problems.append(Problem(Place(place.file, place.sheet, number), message))
        return None
    used: dict[str, int] = {}
    _check_headings(schema, place, number, headings, used, problems)
    _check_blank_headings(place, raw, problems)
    rows = []
    for number, texts in raw[1:]:
        cells = {}
        for column, index in used.items():
            text = texts[index] if index < len(texts) else ""
            if text:
                cells[column] = make_cell(text, place_of(place, number, index, column), problems)
        extra = [text for text in texts[len(headings) :] if text]
        if extra:
            message = (
                f"{extra[0]!r} stands under no heading; put a text that holds a comma in double"
                " quotes, and write decimals with a point"
            )
            problems.append(Problem(Place(place.file, place.sheet, number), message))
        if cells:
            rows.append(Row(Place(place.file, place.sheet, number), cells))
    return Table(schema, place, tuple(used), tuple(rows))


def _check_headings(
    schema: TableSchema,
    place: Place,
    number: int,
    headings: Sequence[str],
    used: dict[str, int],
    problems: list[Problem],
) -> None:
    """Fill ``used`` (column to index); report unknown, doubled and missing columns."""
    names = schema.column_names
    for index, heading in enumerate(headings):
        where = place_of(place, number, index, heading)
        if not heading or heading.lower().startswith("calc:"):
            continue
        if heading in used:
            problems.append(Problem(where, f"the column `{heading}` stands here twice"))
        elif heading in names or schema.open_columns:
            used[heading] = index
        else:
            hint = did_you_mean(heading, names)
            if not hint:
                hint = "; allowed: " + ", ".join(names)
            message = f"`{heading}` is not a column of `{schema.name}`{hint}"
            problems.append(Problem(where, message))
    for column in schema.columns:
        if column.required and column.name not in used:
            message = f"the column `{column.name}` is missing"
            problems.append(Problem(Place(place.file, place.sheet, number), message))


def _check_blank_headings(place: Place, raw: list[_RawRow], problems: list[Problem]) -> None:
    """Report each column that has cells but no heading, once."""
    number, headings = raw[0]
    for index in (i for i, heading in enumerate(headings) if not heading):
        filled = [(n, texts[index]) for n, texts in raw[1:] if index < len(texts) and texts[index]]
        if filled:
            row, text = filled[0]
            message = (
                f"column {_letters(index)} has no heading, and a cell in {len(filled)} of"
                f" {len(raw) - 1} rows; the first is {text!r} in row {row}"
            )
            problems.append(Problem(place_of(place, number, index, ""), message))


def place_of(place: Place, row: int, index: int, column: str) -> Place:
    """Place of a cell: a row for a CSV file, an address as well for a workbook."""
    cell = f"{_letters(index)}{row}" if place.sheet else ""
    return Place(place.file, place.sheet, row, column, cell)


def _letters(index: int) -> str:
    """Column letters of a zero-based index: 0 is A, 26 is AA."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def make_cell(text: str, place: Place, problems: list[Problem]) -> Cell:
    """Make a cell; errors of the spreadsheet and formulas that were never computed are reported."""
    if text == _NO_STORED_VALUE:
        message = "a formula without a stored value; open and save the workbook in Excel first"
    elif _EXCEL_ERROR.fullmatch(text):
        message = f"found the spreadsheet error {text}; mend the formula or type the value"
    elif text.startswith("="):
        message = f"found {text!r}; write a formula without the leading `=`"
    else:
        return Cell(text, place)
    problems.append(Problem(place, message))
    return Cell("", place, broken=True)
