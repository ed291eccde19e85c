"""What an .xlsx file holds, read straight from its XML: every cell with formula and stored value.

It sees what a spreadsheet would: also what openpyxl leaves out, such as a formula without a value,
array formulas, hidden rows and parts of the file that no sheet shows.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_FIRST_DIGIT = re.compile(r"\d")

Value = float | str | bool | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its ``kind`` is ``number``, ``text``, ``boolean`` or ``error``.

    ``value`` is None where none is stored. ``formula`` has no ``=``; ``sort`` is what the file
    calls it: ``normal``, ``array``, ``shared`` or ``dataTable``.
    """

    value: Value
    kind: str = "number"
    formula: str | None = None
    sort: str = "normal"
    dynamic: bool = False


@dataclass(slots=True)
class SheetPart:
    """One sheet: its cells by address, and whatever about it may be out of sight or locked."""

    title: str
    state: str = "visible"
    cells: dict[str, Cell] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)
    protected: bool = False
    rules: list[tuple[str, str]] = field(default_factory=list)

    @property
    def formulas(self) -> Iterator[tuple[str, Cell]]:
        """Address and cell of every formula."""
        return ((place, cell) for place, cell in self.cells.items() if cell.formula is not None)


@dataclass(slots=True)
class Package:
    """A workbook: sheets by title in order, defined names, and the parts of the file."""

    sheets: dict[str, SheetPart]
    names: dict[str, str]
    hidden_names: list[str]
    parts: list[str]
    charts: list[tuple[str, str]]
    outside: list[str]
    locked: list[str]


def split_address(address: str) -> tuple[str, int]:
    """``AB12`` -> ("AB", 12)."""
    found = _FIRST_DIGIT.search(address)
    if found is None:
        raise ValueError(f"{address!r} is not the address of a cell")
    return address[: found.start()], int(address[found.start() :])


def column_index(letters: str) -> int:
    """``A`` -> 0, ``AB`` -> 27."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def read_package(path: Path) -> Package:
    """Read a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.namelist()
        book = ET.fromstring(archive.read("xl/workbook.xml"))
        targets = _targets(archive, "xl/workbook.xml")
        texts = _shared_texts(archive)
        sheets = {}
        for entry in book.iterfind(f"{_MAIN}sheets/{_MAIN}sheet"):
            title = entry.attrib["name"]
            sheet = SheetPart(title, entry.get("state", "visible"))
            with archive.open(targets[entry.attrib[_ID]]) as stream:
                _read_sheet(stream, texts, sheet)
            sheets[title] = sheet
        names, hidden_names = _names(book)
        return Package(
            sheets=sheets,
            names=names,
            hidden_names=hidden_names,
            parts=parts,
            charts=[
                (part, reference.text or "")
                for part in parts
                if part.startswith("xl/charts/chart")
                for reference in ET.fromstring(archive.read(part)).iter()
                if reference.tag.endswith("}f")
            ],
            outside=[
                f"{part}: {target}"
                for part in parts
                if part.endswith(".rels")
                for target in _outside(archive.read(part))
            ],
            locked=[
                entry.tag.removeprefix(_MAIN)
                for entry in book
                if entry.tag.removeprefix(_MAIN) in ("workbookProtection", "fileSharing")
            ],
        )


def _targets(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    folder, name = posixpath.split(part)
    links = ET.fromstring(archive.read(f"{folder}/_rels/{name}.rels"))
    return {
        link.attrib["Id"]: posixpath.normpath(posixpath.join(folder, link.attrib["Target"]))
        if not link.attrib["Target"].startswith("/")
        else link.attrib["Target"][1:]
        for link in links
    }


def _outside(text: bytes) -> list[str]:
    links = ET.fromstring(text)
    return [link.attrib["Target"] for link in links if link.get("TargetMode") == "External"]


def _shared_texts(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    root = ET.fromstring(archive.read("xl/sharedStrings.xml"))
    return ["".join(text.text or "" for text in item.iter(f"{_MAIN}t")) for item in root]


def _names(book: ET.Element) -> tuple[dict[str, str], list[str]]:
    names, hidden = {}, []
    for entry in book.iterfind(f"{_MAIN}definedNames/{_MAIN}definedName"):
        name = entry.attrib["name"]
        local = entry.get("localSheetId")
        names[name if local is None else f"{name} of sheet {local}"] = entry.text or ""
        if entry.get("hidden") == "1":
            hidden.append(name)
    return names, hidden


def _read_sheet(stream: IO[bytes], texts: list[str], sheet: SheetPart) -> None:
    data = None
    for event, element in ET.iterparse(stream, events=("start", "end")):
        tag = element.tag.removeprefix(_MAIN)
        if event == "start":
            if tag == "sheetData":
                data = element
            continue
        if tag == "row":
            if element.get("hidden") == "1" or element.get("ht") == "0":
                sheet.hidden.append(f"row {element.get('r')}")
            for entry in element:
                sheet.cells[entry.attrib["r"]] = _cell(entry, texts)
            if data is not None:
                data.clear()
        elif tag == "col" and (element.get("hidden") == "1" or element.get("width") == "0"):
            sheet.hidden.append(f"columns {element.get('min')} to {element.get('max')}")
        elif tag == "sheetFormatPr" and element.get("zeroHeight") == "1":
            sheet.hidden.append("every row without a height")
        elif tag in ("sheetProtection", "protectedRanges"):
            sheet.protected = True
        elif tag in ("formula", "formula1", "formula2") and element.text:
            sheet.rules.append((tag, element.text))


def _cell(entry: ET.Element, texts: list[str]) -> Cell:
    formula: Any = None
    stored: str | None = None
    sort = "normal"
    for child in entry:
        tag = child.tag
        if tag == f"{_MAIN}f":
            formula = child.text or ""
            sort = child.get("t", "normal")
        elif tag == f"{_MAIN}v":
            stored = child.text or ""
        elif tag == f"{_MAIN}is":
            stored = "".join(text.text or "" for text in child.iter(f"{_MAIN}t"))
    kind = entry.get("t", "n")
    dynamic = entry.get("cm") is not None
    if stored is None:
        return Cell(None, "number", formula, sort, dynamic)
    if kind == "n":
        value: Value = float(stored) if stored else None
        return Cell(value, "number", formula, sort, dynamic)
    if kind == "s":
        return Cell(texts[int(stored)], "text", formula, sort, dynamic)
    if kind == "b":
        return Cell(stored == "1", "boolean", formula, sort, dynamic)
    return Cell(stored, "error" if kind == "e" else "text", formula, sort, dynamic)


def rewrite(path: Path, new: Path, edits: Mapping[str, Callable[[str], str]]) -> Path:
    """Copy a workbook with some of its parts edited as text.

    Raises
    ------
    ValueError
        When an edit changes nothing, so that a test cannot pass by mistake.
    """
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as out:
        for part in old.namelist():
            data = old.read(part)
            if part in edits:
                text = edits[part](data.decode("utf-8"))
                if text.encode("utf-8") == data:
                    raise ValueError(f"{part} stays as it was")
                data = text.encode("utf-8")
            out.writestr(part, data)
    return new
