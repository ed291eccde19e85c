"""Native charts in one look: titled axes with units, fixed colours, a legend outside the plot.

Colours are those of Okabe and Ito, which stay apart in every common colour-vision deficiency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from heor.report.xlsx import Book, Sheet

#: Colours of strategies, in table order.
STRATEGY_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: Colours of living states, best to worst; the dead state is grey.
STATE_COLOURS = ("#009E73", "#56B4E9", "#E69F00", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
DEAD_COLOUR = "#BFBFBF"
REFERENCE_COLOUR = "#404040"

#: Dashes of strategies, in table order, so that lines stay apart without colour.
STRATEGY_DASHES = ("solid", "dash", "round_dot", "long_dash_dot", "long_dash", "square_dot")

#: Low and high values of a parameter in a tornado: light and dark, so that grey tells them too.
LOW_COLOUR, HIGH_COLOUR = "#F5C26B", "#0072B2"

_TEXT = "#404040"
_GRID = "#E3E3E3"
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Cells:
    """A range of one column of a sheet: rows ``first``..``last``, counted from 0."""

    sheet: Sheet
    column: int
    first: int
    last: int

    def as_list(self) -> list[str | int]:
        """Give the range as XlsxWriter wants it."""
        return [self.sheet.title, self.first, self.column, self.last, self.column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of a chart. ``marker`` None draws a line only, ``line`` False markers only."""

    name: str
    x: Cells
    y: Cells
    colour: str
    line: bool = True
    dash: str = "solid"
    width: float = 2.0
    marker: str | None = None
    marker_size: int = 6
    hollow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis: its title with the unit, its limits and its number format."""

    title: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    number_format: str = "General"
    grid: bool = True
    labels_low: bool = True

    def options(self) -> dict[str, Any]:
        """Give XlsxWriter's options of the axis."""
        found: dict[str, Any] = {
            "name": self.title,
            "name_font": {"size": 10, "bold": False, "color": _TEXT},
            "num_font": {"size": 9, "color": _TEXT},
            "num_format": self.number_format,
            "line": {"color": "#7F7F7F"},
            "major_gridlines": {"visible": self.grid, "line": {"color": _GRID, "width": 0.75}},
        }
        if self.labels_low:
            found["label_position"] = "low"
        for key, value in (("min", self.low), ("max", self.high), ("major_unit", self.step)):
            if value is not None:
                found[key] = value
        return found


def nice_step(span: float, parts: int = 6) -> float:
    """Give a round step that cuts a span in at most about ``parts`` parts.

    Examples
    --------
    >>> nice_step(300000)
    50000.0
    """
    if not span > 0:
        return 1.0
    rough = span / parts
    power = 10.0 ** math.floor(math.log10(rough))
    return next(float(f"{power * s:.6g}") for s in _STEPS if power * s >= rough * (1 - 1e-9))


def nice_limits(low: float, high: float, parts: int = 6) -> tuple[float, float, float]:
    """Give round axis limits around a range that always hold 0, and their step.

    Examples
    --------
    >>> nice_limits(-12.0, 203.0)
    (-50.0, 250.0, 50.0)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = 1.0
    step = nice_step(high - low, parts)
    return (
        float(f"{math.floor(low / step + 1e-9) * step:.10g}"),
        float(f"{math.ceil(high / step - 1e-9) * step:.10g}"),
        step,
    )


def money_scale(largest: float, currency: str) -> tuple[str, str]:
    """Give the number format and the unit's words for an axis of money.

    Examples
    --------
    >>> money_scale(650000, "USD")
    ('#,##0,', 'thousand USD')
    """
    if abs(largest) >= 5e6:
        return "#,##0.0,,", f"million {currency}"
    if abs(largest) >= 2e4:
        return "#,##0,", f"thousand {currency}"
    return "#,##0", currency


def lighter(colour: str, share: float = 0.55) -> str:
    """Mix a colour with white, for clouds of points under other marks.

    Examples
    --------
    >>> lighter("#0072B2", 0.5)
    '#80B9D9'
    """
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{int(part + (255 - part) * share + 0.5):02X}" for part in parts)


def colour_of(index: int, colours: Sequence[str] = STRATEGY_COLOURS) -> str:
    """Colour of the n-th strategy or state."""
    return colours[index % len(colours)]


def dash_of(index: int) -> str:
    """Dash of the n-th strategy's lines."""
    return STRATEGY_DASHES[index % len(STRATEGY_DASHES)]


def xy_chart(
    book: Book,
    title: str,
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    on_top: Sequence[Series] = (),
) -> Any:
    """Lines or points over a numeric axis.

    Excel draws later series over earlier ones and LibreOffice the other way round, so the series
    that must stay in sight, ``on_top``, stand at both ends and once in the legend.
    """
    chart = book.add_chart({"type": "scatter", "subtype": "straight"})
    for one in (*on_top, *series, *on_top):
        chart.add_series(_options(one))
    _dress(chart, title, x, y, hidden=range(len(on_top)))
    return chart


def area_chart(
    book: Book, title: str, series: Sequence[Series], x: Axis, y: Axis, every: int
) -> Any:
    """Stacked areas over evenly spaced times; ``every`` is the number of points between labels."""
    chart = book.add_chart({"type": "area", "subtype": "stacked"})
    for one in series:
        chart.add_series(
            {
                "name": one.name,
                "categories": one.x.as_list(),
                "values": one.y.as_list(),
                "fill": {"color": one.colour},
                "border": {"none": True},
            }
        )
    _dress(chart, title, x, y)
    options = x.options() | {"interval_unit": every, "interval_tick": every}
    chart.set_x_axis(options | {"position_axis": "on_tick"})
    return chart


def bar_chart(
    book: Book, title: str, series: Sequence[Series], x: Axis, y: Axis, *, overlap: bool
) -> Any:
    """Horizontal bars, the first row on top; ``x`` is the axis of values, ``y`` that of names."""
    chart = book.add_chart({"type": "bar"})
    for one in series:
        chart.add_series(
            {
                "name": one.name,
                "categories": one.x.as_list(),
                "values": one.y.as_list(),
                "fill": {"color": one.colour},
                "border": {"none": True},
                "gap": 40,
                "overlap": 100 if overlap else 0,
            }
        )
    _dress(chart, title, replace(x, labels_low=False), y)
    # Reversing the names puts the first on top; crossing at the last keeps the values below.
    chart.set_y_axis(
        y.options()
        | {
            "reverse": True,
            "crossing": "max",
            "major_gridlines": {"visible": False},
            "interval_unit": 1,
        }
    )
    return chart


def _options(one: Series) -> dict[str, Any]:
    line: dict[str, Any] = {"none": True}
    if one.line:
        line = {"color": one.colour, "width": one.width, "dash_type": one.dash}
    marker: dict[str, Any] = {"type": "none"}
    if one.marker is not None:
        fill: dict[str, Any] = {"color": one.colour}
        border: dict[str, Any] = {"none": True} if not one.hollow else {"color": one.colour}
        if one.hollow:
            fill = {"none": True}
        marker = {"type": one.marker, "size": one.marker_size, "fill": fill, "border": border}
    return {
        "name": one.name,
        "categories": one.x.as_list(),
        "values": one.y.as_list(),
        "line": line,
        "marker": marker,
    }


def _dress(chart: Any, title: str, x: Axis, y: Axis, hidden: Sequence[int] = ()) -> None:
    chart.set_title({"name": title, "name_font": {"size": 12, "color": "#1F3864"}})
    chart.set_x_axis(x.options())
    chart.set_y_axis(y.options())
    legend: dict[str, Any] = {"position": "bottom", "font": {"size": 9, "color": _TEXT}}
    if hidden:
        legend["delete_series"] = list(hidden)
    chart.set_legend(legend)
    chart.set_chartarea({"border": {"color": "#D9D9D9"}})
    chart.show_blanks_as("gap")
