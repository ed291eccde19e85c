"""Parts as a Word document: native tables and captions, page turned for wide tables."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from heor.errors import HeorError
from heor.report.dossier.parts import Group, Heading, Paragraph, Part, Table

if TYPE_CHECKING:
    from docx.document import Document
    from docx.section import Section

#: Short and long side of a sheet of paper in millimetres, by name.
PAPERS: Mapping[str, tuple[float, float]] = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}

#: Characters that a property of the document may have.
MOST_TITLE = 255

#: Margin, in millimetres.
MARGIN = 20.0

#: Points: text, cells, and the notes and foot line.
_TEXT, _CELL, _SMALL = 10.0, 8.0, 7.5

#: Fills of header rows and of rows that name a group; lines of tables.
_HEAD_FILL, _GROUP_FILL, _LINE = "D9E2F3", "F2F2F2", "A6A6A6"

_INK, _WARNING = "1F3864", "9C2A00"

#: Date that every file inside the document bears, so that two runs give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class NotInstalled(HeorError):
    """An optional package is missing."""


def import_docx() -> None:
    """Make sure that python-docx is there, or say how to install it."""
    try:
        import docx  # noqa: F401
    except ImportError as error:
        raise NotInstalled(
            'Word tables need python-docx, which is not installed; run: pip install "heor[docx]" '
            '(in a checkout of heor: pip install ".[docx]").'
        ) from error


def render(parts: Sequence[Part], title: str, origin: str, paper: str) -> bytes:
    """Make the document; the same parts give the same bytes.

    Parameters
    ----------
    parts : sequence of Part
        In order; neighbouring tables of one width share the orientation of their pages.
    title, origin : str
        Title of the document; line at the foot of every page, before its number.
    paper : str
        A key of `PAPERS`.
    """
    import_docx()
    from docx import Document

    document = Document()
    _style(document)
    _properties(document, title, origin)
    section = document.sections[0]
    _paper(section, paper, wide=False)
    _foot(section, origin)
    wide, number = False, 0
    for part, turned in zip(parts, _turned(parts), strict=True):
        if turned != wide:
            wide = turned
            section = document.add_section()
            _paper(section, paper, wide=wide)
        if isinstance(part, Heading):
            document.add_heading(_clean(part.text), part.level)
        elif isinstance(part, Paragraph):
            document.add_paragraph(_clean(part.text), _PARAGRAPHS[part.style])
        else:
            number += 1
            _table(document, part, number, _text_width(section))
    return _same_bytes(document)


_PARAGRAPHS = {"text": "Normal", "warning": "Intense Quote", "note": "Note"}


def _turned(parts: Sequence[Part]) -> list[bool]:
    """Whether each part stands on a landscape page: headings and words go with what follows."""
    found: list[bool] = []
    following = False
    for part in reversed(parts):
        if isinstance(part, Table):
            following = part.wide
        found.append(following)
    return found[::-1]


def _style(document: Document) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    styles: Any = document.styles
    for name in ("Note", "Table Text"):
        styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH).base_style = styles["Normal"]
    sizes = {"Normal": _TEXT, "Caption": 9.0, "Note": _SMALL, "Intense Quote": _TEXT}
    sizes |= {"Table Text": _CELL}
    sizes |= {"Title": 18.0, "Heading 1": 14.0, "Heading 2": 11.5, "Footer": _SMALL}
    for name, size in sizes.items():
        style = styles[name]
        style.font.name = "Calibri"
        style.font.size = Pt(size)
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        plain = name in ("Normal", "Table Text")
        style.font.color.rgb = RGBColor.from_string("000000" if plain else _INK)
    for name, before, after in (
        ("Normal", 0, 4),
        ("Caption", 10, 3),
        ("Note", 2, 8),
        ("Table Text", 1, 1),
        ("Heading 1", 14, 4),
        ("Heading 2", 10, 2),
        ("Intense Quote", 0, 3),
    ):
        styles[name].paragraph_format.space_before = Pt(before)
        styles[name].paragraph_format.space_after = Pt(after)
    styles["Caption"].paragraph_format.keep_with_next = True
    styles["Caption"].font.bold = True
    warning = styles["Intense Quote"]
    warning.font.italic, warning.font.bold = False, False
    warning.font.color.rgb = RGBColor.from_string(_WARNING)
    warning.paragraph_format.left_indent = warning.paragraph_format.right_indent = Pt(6)
    border = warning.element.pPr.find(qn("w:pBdr"))
    if border is not None:
        warning.element.pPr.remove(border)


def _properties(document: Document, title: str, origin: str) -> None:
    """Title and origin; the dates of the template are taken out."""
    properties = document.core_properties
    properties.title, properties.author = _clean(title)[:MOST_TITLE], "heor"
    properties.comments = origin[:MOST_TITLE]
    properties.last_modified_by = "heor"
    element = properties._element
    for child in list(element):
        if child.tag.endswith(("}created", "}modified")):
            element.remove(child)


def _paper(section: Section, paper: str, *, wide: bool) -> None:
    from docx.enum.section import WD_ORIENT
    from docx.shared import Mm

    short, long = PAPERS[paper]
    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = (
        (Mm(long), Mm(short)) if wide else (Mm(short), Mm(long))
    )
    section.left_margin = section.right_margin = Mm(MARGIN)
    section.top_margin = section.bottom_margin = Mm(MARGIN)


def _text_width(section: Section) -> float:
    """Width between the margins in points."""
    assert section.page_width is not None
    return float(section.page_width.mm - 2 * MARGIN) * 72 / 25.4


def _foot(section: Section, origin: str) -> None:
    """Origin and page number; later sections show the same."""
    paragraph = section.footer.paragraphs[0]
    paragraph.add_run(f"{origin} · page ")
    _field(paragraph, "PAGE", "1")


def _field(paragraph: Any, code: str, shown: str) -> None:
    """Add a field that Word renews, with the text it shows until then."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), code)
    run = OxmlElement("w:r")
    text = OxmlElement("w:t")
    text.text = shown
    run.append(text)
    field.append(run)
    paragraph._p.append(field)


def _table(document: Document, part: Table, number: int, width: float) -> None:
    """Caption with a number that Word renews, the table, and the note below it."""
    from docx.oxml import parse_xml

    caption = document.add_paragraph("Table ", "Caption")
    _field(caption, "SEQ Table \\* ARABIC", str(number))
    caption.add_run(f". {_clean(part.caption)}")
    points = [width * share / sum(part.widths) for share in part.widths]
    caption._p.addnext(parse_xml(table_xml(part, points)))
    document.add_paragraph(_clean(part.note), "Note")


def table_xml(part: Table, points: Sequence[float]) -> str:
    """WordprocessingML of a table whose columns are so many points wide.

    Written as text and parsed once: tables have thousands of cells, and python-docx takes a
    millisecond for each. No row is split over pages and the head is repeated on each page.
    """
    widths = [round(20 * width) for width in points]
    edges = ("top", "left", "bottom", "right", "insideH", "insideV")
    borders = "".join(f'<w:{edge} w:val="single" w:sz="4" w:color="{_LINE}"/>' for edge in edges)
    columns = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    rows = [_row_xml(part.heads, part.align, widths, bold=True, fill=_HEAD_FILL, head=True)]
    for place, row in enumerate(part.rows):
        if isinstance(row, Group):
            cell = _cell_xml(row.text, sum(widths), len(widths), "l", True, _GROUP_FILL, keep=True)
            rows.append(f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cell}</w:tr>")
        else:
            rows.append(_row_xml(row, part.align, widths, bold=place in part.bold))
    return (
        f'<w:tbl xmlns:w="{_W}"><w:tblPr><w:tblStyle w:val="TableGrid"/>'
        f'<w:tblW w:w="{sum(widths)}" w:type="dxa"/><w:tblBorders>{borders}</w:tblBorders>'
        '<w:tblLayout w:type="fixed"/><w:tblLook w:val="0020" w:firstRow="1"/>'
        f'<w:tblCaption w:val="{_escape(part.caption)}"/></w:tblPr>'
        f"<w:tblGrid>{columns}</w:tblGrid>{''.join(rows)}</w:tbl>"
    )


def _row_xml(
    cells: Sequence[str],
    align: str,
    widths: Sequence[int],
    *,
    bold: bool,
    fill: str = "",
    head: bool = False,
) -> str:
    repeat = "<w:tblHeader/>" if head else ""
    inner = "".join(
        _cell_xml(text, width, 1, side, bold, fill, keep=head)
        for text, width, side in zip(cells, widths, align, strict=True)
    )
    return f"<w:tr><w:trPr><w:cantSplit/>{repeat}</w:trPr>{inner}</w:tr>"


def _cell_xml(
    text: str, width: int, span: int, side: str, bold: bool, fill: str, *, keep: bool
) -> str:
    """One cell; ``keep`` holds its row on the page of the next."""
    form = f'<w:tcW w:w="{width}" w:type="dxa"/>'
    form += f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    form += f'<w:shd w:val="clear" w:color="auto" w:fill="{fill}"/>' if fill else ""
    style = '<w:pStyle w:val="TableText"/>' + ("<w:keepNext/>" if keep else "")
    style += '<w:jc w:val="right"/>' if side == "r" else ""
    look = "<w:rPr><w:b/></w:rPr>" if bold else ""
    lines = '</w:t><w:br/><w:t xml:space="preserve">'.join(_escape(text).split("\n"))
    return (
        f"<w:tc><w:tcPr>{form}</w:tcPr><w:p><w:pPr>{style}</w:pPr>"
        f'<w:r>{look}<w:t xml:space="preserve">{lines}</w:t></w:r></w:p></w:tc>'
    )


def _clean(text: str) -> str:
    """Text without the control characters that XML forbids."""
    return _FORBIDDEN.sub("", text)


def _escape(text: str) -> str:
    return escape(_clean(text), {'"': "&quot;"})


def _same_bytes(document: Document) -> bytes:
    """Save, and give every file inside one date."""
    saved, steady = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(steady, "w") as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, source.read(name))
    return steady.getvalue()
