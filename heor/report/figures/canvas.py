"""The matplotlib side: look, title and foot line of every figure, and files with the same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from types import ModuleType
from typing import Any

from heor.errors import HeorError
from heor.report.figures.picture import INK, PAGE_WIDTH, Picture

#: Dots per inch of a PNG.
DPI = 300

#: Inches kept free for the title, its further lines, a row of the legend and the foot line.
_TITLE, _LINE, _LEGEND_ROW, _FOOT = 0.32, 0.19, 0.17, 0.2

_TITLE_CHARACTERS, _FOOT_SIZE = 78, 6.0

_LOOK: Mapping[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.edgecolor": "#7F7F7F",
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.8,
    "hatch.linewidth": 0.5,
    "hatch.color": "#FFFFFF",
    "svg.fonttype": "none",
    "svg.hashsalt": "heor",
}

#: Fonts that stand in for the one in which widths were measured.
_OTHER_FONTS = "'DejaVu Sans', Verdana, Arial"


class NotInstalled(HeorError):
    """An optional package is missing."""


def import_matplotlib() -> ModuleType:
    """Import matplotlib, or say how to install it."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise NotInstalled(
            'figures need matplotlib, which is not installed; run: pip install "heor[figures]" '
            '(in a checkout of heor: pip install ".[figures]").'
        ) from error
    return mpl


def render(picture: Picture, origin: str, version: str, formats: Sequence[str]) -> list[bytes]:
    """Draw a figure once and give its file in each format; the same inputs give the same bytes."""
    mpl = import_matplotlib()
    from matplotlib.figure import Figure

    with mpl.rc_context(_LOOK):
        lines = _wrapped(picture.title, _TITLE_CHARACTERS)
        figure = Figure(figsize=(PAGE_WIDTH, picture.height), dpi=DPI, layout="constrained")
        inch = 1 / picture.height
        picture.draw(figure)
        top = (_TITLE + _LINE * (len(lines) - 1)) * inch
        bottom = (_FOOT + _write_legend(figure, picture)) * inch
        engine = figure.get_layout_engine()
        assert engine is not None
        engine.set(rect=(0, bottom, 1, 1 - top - bottom))  # type: ignore[call-arg]
        figure.text(
            0.07 / PAGE_WIDTH,
            1 - 0.06 * inch,
            "\n".join(lines),
            fontsize=9.5,
            fontweight="bold",
            color="#1F3864",
            va="top",
        )
        figure.text(0.07 / PAGE_WIDTH, 0.05 * inch, origin, fontsize=_FOOT_SIZE, color="#6E6E6E")
        _settle(figure)
        return [WRITERS[name](figure, picture, version) for name in formats]


def _settle(figure: Any) -> None:
    """Lay the figure out once and round the places of its axes.

    The layout's last bits differ from run to run, and the ids in an SVG are made from them.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position([round(edge, 4) for edge in axes.get_position().bounds])


def _write_legend(figure: Any, picture: Picture) -> float:
    """Write the legend above the foot line; give its height in inches."""
    if not picture.legend:
        return 0.0
    place = (0.07 / PAGE_WIDTH, (_FOOT - 0.03) / picture.height)
    legend = figure.legend(loc="lower left", ncols=picture.legend, bbox_to_anchor=place)
    rows = -(-len(legend.get_texts()) // picture.legend)
    return _LEGEND_ROW * rows + 0.08


def _svg(figure: Any, picture: Picture, version: str) -> bytes:
    """Text stays text; title and description stand first, for readers of the page."""
    buffer = io.BytesIO()
    metadata = {
        "Title": picture.title,
        "Description": picture.caption,
        "Creator": f"heor {version}",
        "Date": None,
    }
    figure.savefig(buffer, format="svg", metadata=metadata)
    text = buffer.getvalue().decode("utf-8").replace("'DejaVu Sans'", _OTHER_FONTS)
    described = f"</title>\n <desc>{escape(picture.caption, quote=False)}</desc>"
    text = text.replace("</title>", described, 1)
    return re.sub(r"<svg ", '<svg role="img" ', text, count=1).encode("utf-8")


def _png(figure: Any, picture: Picture, version: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {
        "Title": picture.title,
        "Description": picture.caption,
        "Software": f"heor {version}",
    }
    figure.savefig(buffer, format="png", dpi=DPI, metadata=metadata)
    return buffer.getvalue()


#: Formats by the ending of their files.
WRITERS: Mapping[str, Callable[[Any, Picture, str], bytes]] = {"svg": _svg, "png": _png}


def _wrapped(text: str, characters: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, characters) or [text]
