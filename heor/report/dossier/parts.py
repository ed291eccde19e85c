"""What a document is made of before Word knows of it: headings, paragraphs and tables of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Shown where a number has no meaning.
NONE = "–"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is a chapter."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph in a style: ``text``, ``warning`` or ``note``."""

    text: str
    style: str = "text"


@dataclass(frozen=True, slots=True)
class Group:
    """A row of a table that names the rows below it."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table.

    Parameters
    ----------
    caption : str
        Stands above it, after its number.
    heads : sequence of str
        Column headings; repeated on every page.
    rows : sequence of (sequence of str, or Group)
        Cells as text.
    align : str
        A letter per column: ``l`` for words, ``r`` for numbers.
    widths : sequence of float
        Relative widths of the columns.
    note : str
        Stands below it.
    wide : bool
        Needs a page in landscape.
    bold : sequence of int
        Rows to set in bold, such as totals.
    """

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str] | Group]
    align: str
    widths: Sequence[float]
    note: str = ""
    wide: bool = False
    bold: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Refuse a table whose columns do not agree."""
        columns = len(self.heads)
        lengths = {len(row) for row in self.rows if not isinstance(row, Group)}
        if lengths - {columns} or len(self.align) != columns or len(self.widths) != columns:
            raise ValueError(f"table '{self.caption}': columns do not agree")


Part = Heading | Paragraph | Table
