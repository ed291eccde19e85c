"""Terminal tables that never cut a number: words wrap, and where that is not enough rows run on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

#: Columns of text in a pipe or a file, where there is no screen to fit.
PIPE_WIDTH = 80

#: A line of hyphens under the headings and nothing else, for pipes and files.
PLAIN_BOX = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def console(*, no_color: bool = False, stderr: bool = False) -> Console:
    """Make a console that takes user text literally and obeys ``--no-color`` and ``NO_COLOR``.

    A pipe is `PIPE_WIDTH` columns wide whatever the environment says of the screen.
    """

    def make(width: int | None) -> Console:
        return Console(
            width=width,
            no_color=no_color or None,
            stderr=stderr,
            markup=False,
            emoji=False,
            highlight=False,
            soft_wrap=False,
        )

    screen = make(None)
    return screen if screen.is_terminal else make(PIPE_WIDTH)


def make_table(title: str, headings: Sequence[str], words: Sequence[int] = (0,)) -> Table:
    """Make a table whose columns at the places ``words`` hold words, the others numbers."""
    table = Table(title=title, pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(
            heading, justify="left" if place in words else "right", overflow="fold", min_width=1
        )
    return table


def show(to: Console, parts: Sequence[RenderableType]) -> None:
    """Print the parts of an output, a blank line before each table; a pipe gets plain text."""
    for part in parts:
        if isinstance(part, Table) and part.title:
            part.box, part.show_edge = (SIMPLE_HEAD if to.is_terminal else PLAIN_BOX), False
            to.print()
            to.print(Text(str(part.title), style="bold"))
            part.title = None
            part = _Whole(part)
        if to.is_terminal:
            to.print(part, crop=False)
            continue
        with to.capture() as printed:
            to.print(part, crop=False)
        to.out("\n".join(line.rstrip() for line in printed.get().splitlines()))


class _Whole:
    """A table at the width that its numbers need, even where that is more than the screen has."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = self.table.columns
        between = 3 * len(columns) - 1  # padding left and right of each, and what parts them
        widths = _widths(columns, options.max_width - between)
        for column, width in zip(columns, widths, strict=True):
            column.width = width
        needed = sum(widths) + between
        yield from console.render(self.table, options.update(width=max(options.max_width, needed)))


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """Width of each column; the widest is narrowed first, and none below what may not be cut."""
    widths = [max(map(cell_len, _texts(column))) for column in columns]
    least = [
        max(cell_len(text) if _is_number(text) else _longest_word(text) for text in _texts(column))
        for column in columns
    ]
    while sum(widths) > room:
        spare = [width if width > low else 0 for width, low in zip(widths, least, strict=True)]
        if not any(spare):
            break
        widths[spare.index(max(spare))] -= 1
    return widths


def _texts(column: Column) -> list[str]:
    return [str(column.header), *map(str, column.cells)]


def _is_number(text: str) -> bool:
    """Whether a cell is a number, with a currency before it perhaps."""
    return text[-1:].isdigit() and len(text.split()) <= 2


def _longest_word(text: str) -> int:
    return max((cell_len(word) for word in text.split()), default=0)
