"""Two-way heat maps, and what the spread of the PSA comes from."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from heor.analyses.importance import Explained
from heor.analyses.two_way import Grid, TwoWayResult
from heor.report.charts import nice_limits
from heor.report.figures.picture import INK, TALLEST, Money, Picture, file_stem, limits, signed
from heor.report.numbers import plain
from heor.report.sheet_view import ABOVE_COLOUR, BELOW_COLOUR, WHITE
from heor.report.view import Facts
from heor.spec.parameters import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Bars of a chart, characters of a name beside them, and of a line of an axis' name.
BARS, NAME, LABEL = 20, 60, 42


def pictures(facts: Facts) -> list[Picture]:
    """Heat maps and shares of variance; what the results do not hold is left out."""
    found = [
        _heat_map(facts, result, grid)
        for result in facts.results.two_way
        for grid in result.grids
        if np.ptp(grid.inmb[result.place]) > 0
    ]
    if facts.results.importance is not None:
        found += [
            _importance(facts, facts.results.importance.of(strategy, "inmb"))
            for strategy in facts.others
        ]
    return found


def _heat_map(facts: Facts, result: TwoWayResult, grid: Grid) -> Picture:
    x, y = result.x, result.y
    values = grid.inmb[result.place]
    at = facts.per_qaly(result.threshold)

    def draw(figure: Figure) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.add_subplot()
        low, high = float(values.min()), float(values.max())
        colours, ends = [BELOW_COLOUR, WHITE, ABOVE_COLOUR], (-max(-low, high), max(-low, high))
        if low >= 0 or high <= 0:
            colours = colours[1:] if low >= 0 else colours[:2]
            ends = (low, high)
        shades = LinearSegmentedColormap.from_list("net benefit", colours)
        mesh = axes.pcolormesh(
            x.values, y.values, values, cmap=shades, vmin=ends[0], vmax=ends[1], shading="nearest"
        )
        if low < 0 < high:
            axes.contour(x.values, y.values, values, levels=[0.0], colors=[INK], linewidths=1.2)
        axes.plot(x.base_value, y.base_value, "o", color=INK, markersize=6, label="Base case")
        scale = Money.of(max(abs(low), abs(high)), facts.currency)
        bar = figure.colorbar(mesh, ax=axes, format=lambda value, place: scale.text(value))
        bar.set_label(f"INMB at {at}, {scale.words}")
        for axis, one in ((axes.xaxis, x), (axes.yaxis, y)):
            name = f"{one.label}, {one.unit}" if one.unit else one.label
            axis.set_label_text(textwrap.fill(name, LABEL))
            axis.set_major_formatter(lambda value, place: signed(plain(value)))
        axes.set_xlim(_edges(x.values))
        axes.set_ylim(_edges(y.values))

    line = " The line is where it is 0." if values.min() < 0 < values.max() else ""
    return Picture(
        name=file_stem("two_way", x.parameter, y.parameter, grid.id),
        title=f"{x.label} and {y.label}: {facts.label(grid.id)} against {facts.label(grid.versus)}",
        caption=f"Incremental net monetary benefit at {at} over a grid of two parameters, "
        f"everything else as in the base case; blue favours {facts.label(grid.id)}.{line}",
        draw=draw,
    )


def _edges(values: FloatArray) -> tuple[float, float]:
    """Outer edges of the cells around the first and last value."""
    half = float(values[1] - values[0]) / 2
    return float(values[0]) - half, float(values[-1]) + half


def _importance(facts: Facts, one: Explained) -> Picture:
    result = facts.results.importance
    assert result is not None
    rows = one.rows[:BARS]
    at = facts.per_qaly(result.threshold)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shares = [row.first for row in rows]
        axes.barh(
            range(len(rows)),
            shares,
            xerr=[
                [min(1.96 * row.first_se, row.first) for row in rows],
                [1.96 * row.first_se for row in rows],
            ],
            color=facts.colour(one.id),
            error_kw={"ecolor": INK, "elinewidth": 0.8, "capsize": 2},
        )
        names = [row.factor.label for row in rows]
        names = [name if len(name) <= NAME else name[: NAME - 1] + "…" for name in names]
        axes.set_yticks(range(len(rows)), names, fontsize=7.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=True, axis="x")
        low, high, step = nice_limits(0.0, max(r.first + 1.96 * r.first_se for r in rows))
        limits(axes, "x", low, high, step)
        axes.xaxis.set_major_formatter(lambda value, place: f"{100 * value:.0f}%")
        axes.set_xlabel(f"Share of the variance of INMB at {at}")

    return Picture(
        name=file_stem("importance", one.id),
        title=f"What the spread of the PSA comes from: {facts.label(one.id)} against "
        f"{facts.label(one.versus)}",
        caption=f"Share of the variance of incremental net monetary benefit at {at} over "
        f"{result.draws:,} draws that each input explains alone, with 95% intervals; the "
        f"{len(rows)} largest. Inputs drawn jointly count as one.",
        draw=draw,
        legend=0,
        height=min(0.24 * len(rows) + 1.3, TALLEST),
    )
