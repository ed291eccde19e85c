"""What pictures of fits share: names, colours, dashes, axes and rows of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from heor.fitting.compare import Candidate, Comparison
from heor.fitting.diagnostics import Diagnostics, GroupDiagnostics
from heor.fitting.targets import Target
from heor.report.charts import STRATEGY_COLOURS, colour_of
from heor.report.figures.picture import DASHES, Dash, Picture, dash, file_stem
from heor.spec.parameters import FloatArray
from heor.spec.records import UNITS_PER_YEAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = tuple[object, ...]

#: Points of a fitted curve.
POINTS = 241

#: Round numbers marked on a logarithmic axis.
_MARKS = [part * 10.0**power for power in range(-6, 7) for part in (1, 2, 5)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitPicture(Picture):
    """A picture with the numbers it shows."""

    headings: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FitView:
    """Fits and diagnostics with the names, colours and dashes that all pictures share."""

    comparisons: tuple[Comparison, ...]
    seen: Diagnostics
    unit: str
    horizon: float

    @property
    def per_year(self) -> float:
        """Time units in a year."""
        return UNITS_PER_YEAR[self.unit]

    @property
    def grouped(self) -> bool:
        """Whether there are several groups."""
        return len(self.comparisons) > 1

    @property
    def time_label(self) -> str:
        """Words of a time axis."""
        return f"Time, {self.unit}s"

    def of(self, one: Comparison) -> GroupDiagnostics:
        """Diagnostics of a group."""
        return self.seen.of(one.group)

    def label(self, group: str) -> str:
        """A group in a legend."""
        return group or "all"

    def title(self, words: str, group: str) -> str:
        """A title, with its group where there is one."""
        return f"{words}: {group}" if group else words

    def stem(self, words: str, group: str = "") -> str:
        """Name of a picture's files."""
        return file_stem(*filter(None, (words, group)))

    def group_colour(self, group: str) -> str:
        """Colour of a group in every picture."""
        return colour_of(self._place(group))

    def group_dash(self, group: str) -> Dash:
        """Line style of a group in every picture."""
        return dash(self._place(group))

    def _place(self, group: str) -> int:
        return next(i for i, one in enumerate(self.comparisons) if one.group == group)

    def candidates(self, one: Comparison) -> list[tuple[Candidate, str, Dash]]:
        """Curves to draw, best AIC first, each with the colour and dash it has everywhere."""
        found = []
        for place, candidate in enumerate(one.candidates):
            turn = place // len(STRATEGY_COLOURS)
            style = DASHES[(place + turn) % len(DASHES)]
            if candidate.usable:
                found.append((candidate, colour_of(place), style))
        return sorted(found, key=lambda line: _aic(line[0]))

    def warnings(self) -> list[str]:
        """Notes of data and fits, for the list of captions."""
        notes = [(one.group, note) for one in self.seen.groups for note in one.notes]
        notes += [("", note) for note in self.seen.notes]
        notes += [(one.group, note) for one in self.comparisons for note in one.notes]
        lines = [f"> {group}: {note}  " if group else f"> {note}  " for group, note in notes]
        return ["\n".join(lines)] if lines else []


def _aic(one: Candidate) -> float:
    assert one.fit is not None
    return one.fit.aic


def with_aic(one: Candidate) -> str:
    """A candidate in a legend."""
    return f"{one.label}: AIC {_aic(one):.1f}"


def marks(low: float, high: float) -> list[float]:
    """Round numbers to mark on a logarithmic axis."""
    return [mark for mark in _MARKS if low <= mark <= high]


def rows_of(
    series: str,
    x: FloatArray,
    y: FloatArray,
    low: FloatArray | None = None,
    high: FloatArray | None = None,
) -> Iterable[Row]:
    """Rows of numbers of one line; blank where there is none."""
    bands = [[None] * len(x) if band is None else band.tolist() for band in (low, high)]
    for at, value, below, above in zip(x.tolist(), y.tolist(), *bands, strict=True):
        yield (series, at, *(_cell(number) for number in (value, below, above)))


def _cell(number: float | None) -> float | str:
    return "" if number is None or not np.isfinite(number) else number


def draw_kaplan_meier(
    axes: Axes,
    one: GroupDiagnostics,
    colour: str,
    label: str,
    *,
    unit: float = 1.0,
    style: Dash = "-",
    band: bool = True,
    ticks: bool = True,
) -> None:
    """Draw steps with their band, and ticks where subjects were censored; times over ``unit``."""
    curve = one.observed
    time = np.concatenate([[0.0], curve.time, [curve.last]]) / unit
    level = np.concatenate([[1.0], curve.survival, curve.survival[-1:]])
    if band:
        # the step before the curve reaches 0 has a band too: its end takes the level of its start
        low, high = (
            np.concatenate([[1.0], np.where(np.isnan(edge), before, edge), edge[-1:]])
            for edge in (curve.low, curve.high)
            for before in [np.append(1.0, edge[:-1])]
        )
        axes.fill_between(time, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
    axes.step(
        time,
        level,
        where="post",
        color=colour,
        linestyle=style,
        linewidth=1.5,
        zorder=3,
        label=label,
    )
    if ticks:
        axes.plot(
            curve.censored / unit,
            curve.at(curve.censored),
            linestyle="none",
            marker="|",
            markersize=4,
            markeredgewidth=0.6,
            color=colour,
        )


def draw_targets(axes: Axes, one: Comparison, per_unit: float, until: float) -> None:
    """Diamonds with their intervals; times are divided by ``per_unit``."""
    shown = [target for target in one.targets if target.time / per_unit <= until + 1e-9]
    for target in shown:
        if target.low is not None and target.high is not None:
            at = target.time / per_unit
            axes.plot((at, at), (target.low, target.high), color="black", linewidth=1.0, zorder=5)
    if shown:
        axes.plot(
            [target.time / per_unit for target in shown],
            [target.survival for target in shown],
            linestyle="none",
            marker="D",
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            color="black",
            zorder=6,
            clip_on=False,
            label="Targets",
        )


def target_words(one: Comparison, until: float) -> str:
    """A sentence on the diamonds of a picture; blank for none."""
    shown = [target for target in one.targets if target.time <= until + 1e-9]
    if not shown:
        return ""
    sources = dict.fromkeys(target.source for target in shown if target.source)
    named = f" ({'; '.join(sources)})" if sources else ""
    return f" Diamonds: numbers from elsewhere with their intervals{named}."


def target_rows(targets: Sequence[Target]) -> Iterable[Row]:
    """Rows of numbers of targets."""
    for one in targets:
        ends = (_cell(one.low), _cell(one.high))
        yield (f"target: {one.source}" if one.source else "target", one.time, one.survival, *ends)
