"""What all result sheets share: heads, tables, labels, colours, and cells that others point at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from heor.analyses.study_results import StudyResults
from heor.engine.trace import StrategyTrace
from heor.report.live import Column, Term
from heor.report.lookup import SummedRows
from heor.report.sheets.constants import CONSTANTS, Constants
from heor.report.view import StudyView
from heor.report.xlsx import (
    AFTER_HEADER,
    BOLD,
    HEADER,
    HEADING,
    NOTE,
    TITLE,
    WRAP,
    Book,
    Sheet,
    Style,
)

PASTED = "Grey values were computed by heor; they do not change when cells are edited."
LIVE = "Black cells are formulas over this workbook; grey values were computed by heor."

#: Columns that every result sheet may use for its head; heads never widen a column.
HEAD_ROWS = 5

#: Characters of the changes named under the title of every result sheet.
CHANGES_SHOWN = 100


#: Draws whose inputs the workbook stores unless told otherwise.
INPUT_DRAWS = 1_000

#: Relative difference from which an input counts as changed.
CHANGE_TOLERANCE = 1e-9


@dataclass(slots=True)
class Context(StudyView):
    """What the sheets are made of, and the cells that formulas on other sheets may point at.

    Parameters
    ----------
    results : StudyResults
        Finished results.
    book : Book
        The workbook.
    traces : mapping of str to StrategyTrace
        Base-case traces, one row each.
    names : mapping of str to str
        Defined name of each parameter id.
    cells : mapping of str to str
        References by key, filled in as sheets are written, e.g. ``cost lifileucel``.
    live : mapping of str to Term
        Cells of the live chain by key, filled in as sheets are written, e.g. ``param c_lif``.
    sums : mapping of str to SummedRows
        Tables whose rows other sheets sum by their texts: ``costs``, ``losses``.
    columns : mapping of str to Column
        Columns over cycle boundaries by key, e.g. ``endpoint lifileucel os``.
    input_draws : int or None
        PSA draws whose inputs are stored; None stores all.
    contents : list of tuple
        Heading, title and meaning of every sheet, in order.
    """

    results: StudyResults
    book: Book
    traces: Mapping[str, StrategyTrace]
    names: Mapping[str, str]
    cells: dict[str, str] = field(default_factory=dict)
    live: dict[str, Term] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    sums: dict[str, SummedRows] = field(default_factory=dict)
    input_draws: int | None = INPUT_DRAWS
    contents: list[tuple[str, str, str]] = field(default_factory=list)
    _constants: Constants | None = None

    @property
    def constants(self) -> Constants:
        """Cells of the numbers that formulas need; the sheet is made when first asked for."""
        if self._constants is None:
            self._constants = Constants(self.book.sheet(CONSTANTS))
        return self._constants


def head(
    ctx: Context, sheet: Sheet, title: str, *, live: bool = False, probabilistic: bool = False
) -> int:
    """Write title, research warning and origin at the top; give the first free row."""
    results = ctx.results
    origin = ctx.made()
    if probabilistic and results.psa is not None:
        psa = results.psa
        origin += f" · seed {psa.seed} · {psa.n:,} draws ({psa.sampler.replace('_', ' ')})"
    else:
        origin += f" · base case, no draws (PSA seed {results.record.seed})"
    sheet.text(0, 0, title, TITLE)
    sheet.height(0, 22)
    warning = _warning(results)
    if warning:
        sheet.text(1, 0, warning, Style("warning_text", bold=True))
    sheet.text(2, 0, f"{origin}. {LIVE if live else PASTED}", NOTE)
    sheet.link(3, 0, "Contents", "Contents")
    return HEAD_ROWS


def _warning(results: StudyResults) -> str:
    """Words that stand under the title of every result sheet; empty when there is nothing to say.

    What was changed comes first, cut short; the Cover has it in full.
    """
    words = []
    if results.spec.changes:
        changes = "; ".join(results.spec.changes)
        words.append("Not the base case: " + shorten(changes, CHANGES_SHOWN) + ".")
    if results.spec.settings.banner.strip():
        words.append(
            "Research model, not for decisions without review: see the warnings on the Cover."
        )
    elif results.banner:
        words.append("See what the Cover says to read first.")
    return " ".join(words)


def shorten(text: str, most: int) -> str:
    """Cut a text to at most ``most`` characters, with a mark where it was cut.

    Examples
    --------
    >>> shorten("price = 12345", 10)
    'price = 1…'
    """
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def heading(sheet: Sheet, row: int, text: str, note: str = "") -> int:
    """Write a heading over a table and, below it, a line that explains it; give the next row."""
    sheet.text(row, 0, text, HEADING)
    if not note:
        return row + 1
    sheet.text(row + 1, 0, note, NOTE)
    return row + 2


def table_head(
    sheet: Sheet, row: int, columns: Sequence[str], height: float = 30, texts: Sequence[str] = ()
) -> int:
    """Write column headings, those over ``texts`` to the left; give the next row."""
    first, *rest = columns
    sheet.text(row, 0, first, HEADER)
    for column, name in enumerate(rest, start=1):
        style = AFTER_HEADER if name in texts else Style("header", align="right")
        sheet.text(row, column, name, style)
    sheet.height(row, height)
    return row + 1


def reference_to(sheet: Sheet, row: int, column: int) -> str:
    """Formula that shows a cell of another sheet."""
    return "=" + sheet.ref(row, column)


def lines(sheet: Sheet, row: int, texts: Sequence[str], last_column: int, chars: int) -> int:
    """Write paragraphs across columns, wrapped in rows high enough; give the next row."""
    for text in texts:
        sheet.merge(row, 0, last_column, text, WRAP)
        sheet.height(row, 13.5 * wrapped_lines(text, chars) + 2)
        row += 1
    return row


def fit_height(sheet: Sheet, row: int, texts: Sequence[tuple[str, float]]) -> None:
    """Make a row high enough for wrapped texts, each with the width of its column."""
    most = max((wrapped_lines(text, int(width * 1.1)) for text, width in texts), default=1)
    if most > 1:
        sheet.height(row, 13.5 * most + 2)


def wrapped_lines(text: str, chars: int) -> int:
    """Lines a text takes in a column of ``chars`` characters."""
    return sum(max(1, -(-len(part) // max(chars, 1))) for part in text.split("\n"))


def key_values(
    sheet: Sheet, row: int, pairs: Sequence[tuple[str, float | str]], style: Style
) -> int:
    """Write names and values side by side; give the next row."""
    for name, value in pairs:
        sheet.text(row, 0, name, BOLD)
        sheet.cell(row, 1, value, style)
        row += 1
    return row
