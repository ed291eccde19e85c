"""What a figure is before it is drawn, and the marks that keep figures apart without colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heor.report.charts import money_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Dash = str | tuple[int, tuple[int, ...]]

#: Width of a page's text in inches (A4 with margins of 25 mm).
PAGE_WIDTH = 6.3

#: Height of a usual figure and of the tallest that a page holds, in inches.
HEIGHT, TALLEST = 4.1, 9.0

#: Line styles of strategies in table order, so that greyscale prints can be read.
DASHES: tuple[Dash, ...] = (
    "-",
    (0, (6, 2)),
    (0, (1, 1)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1)),
    (0, (6, 2, 1, 2, 1, 2)),
    (0, (1, 3)),
)

#: Hatches of bars and areas, in the order of the colours beside them.
HATCHES = ("", "////", "..", "xxxx", "----", "\\\\\\\\", "oo")

#: Colour of text, and of lines that belong to no strategy.
INK, FAINT = "#404040", "#8C8C8C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One figure.

    Parameters
    ----------
    name : str
        Stem of its files; the same for the same chart of the same strategy in every run.
    title : str
        Stands above it.
    caption : str
        Sentences for the document: what is drawn, of which draws, from which sources.
    draw : callable
        Draws it on an empty matplotlib figure.
    height : float
        Inches; the width is `PAGE_WIDTH`.
    legend : int
        Columns of the legend below it; 0 for none.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Figure], None]
    height: float = HEIGHT
    legend: int = 3


@dataclass(frozen=True, slots=True)
class Money:
    """How an axis writes money: divided by ``unit``, with ``digits`` decimals, named ``words``."""

    unit: float
    digits: int
    words: str

    @classmethod
    def of(cls, largest: float, currency: str) -> Money:
        """Choose as the workbook's axes do.

        Examples
        --------
        >>> Money.of(650000, "USD")
        Money(unit=1000.0, digits=0, words='thousand USD')
        """
        form, words = money_scale(largest, currency)
        commas = len(form) - len(form.rstrip(","))
        return cls(1000.0**commas, 1 if ".0" in form else 0, words)

    def text(self, value: float, place: float = 0) -> str:
        """A tick label."""
        return signed(f"{value / self.unit:,.{self.digits}f}")


def signed(text: str) -> str:
    """A number with a true minus sign, and without one before zero.

    Examples
    --------
    >>> signed("-1,200"), signed("-0.0")
    ('−1,200', '0.0')
    """
    if text.startswith("-") and not any(character in "123456789" for character in text):
        return text[1:]
    return text.replace("-", "−")


def dash(index: int) -> Dash:
    """Line style of the n-th strategy."""
    return DASHES[index % len(DASHES)]


def hatch(index: int) -> str:
    """Hatch of the n-th bar or area."""
    return HATCHES[index % len(HATCHES)]


def file_stem(*parts: str) -> str:
    """Parts as the stem of a file that every system takes.

    Examples
    --------
    >>> file_stem("trace", "Drug A/b")
    'trace_Drug_A_b'
    """
    text = "_".join(parts)
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in text)


def percents(axis: Axis) -> None:
    """Write an axis of shares in per cent, from 0% to 100% in steps of 20%."""
    axis.set_ticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axis.set_major_formatter(lambda value, place: f"{100 * value:.0f}%")


def limits(axes: Axes, name: str, low: float, high: float, step: float) -> None:
    """Set limits and ticks of the axis ``x`` or ``y``."""
    ticks = np.arange(round(low / step), round(high / step) + 1) * step
    if name == "x":
        axes.set_xlim(low, high)
        axes.set_xticks(ticks)
    else:
        axes.set_ylim(low, high)
        axes.set_yticks(ticks)
