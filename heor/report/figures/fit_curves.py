"""Kaplan-Meier curves with numbers at risk, fitted curves and hazards, and their extrapolation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heor.fitting.compare import Candidate, Comparison
from heor.fitting.diagnostics import axis_step
from heor.fitting.nonparametric import LEAST_AT_RISK
from heor.report.charts import nice_limits
from heor.report.figures.fit_style import (
    POINTS,
    FitPicture,
    FitView,
    Row,
    draw_kaplan_meier,
    draw_targets,
    marks,
    rows_of,
    target_rows,
    target_words,
    with_aic,
)
from heor.report.figures.picture import INK, Dash, limits, percents
from heor.report.numbers import plain
from heor.spec.parameters import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SURVIVAL = ("series", "time", "survival", "low", "high")
_HAZARD = ("series", "time", "hazard", "low", "high")

#: Inches of a usual plot, of a row of numbers at risk, and of a row of the legend.
_PLOT, _RISK_ROW, _LEGEND_ROW = 3.3, 0.17, 0.17

#: Columns of a legend, of long names, and the number of letters from which a name is long.
_COLUMNS, _WIDE, _LONG = 3, 2, 30

#: Share of the largest smoothed hazard that an axis of hazards reaches beyond it, and the share of
#: its points that are looked at, for the end of a smoothed hazard may shoot up.
_ROOM, _MOST = 1.6, 0.9


def pictures(view: FitView) -> list[FitPicture]:
    """All groups at once, then each group's fit, hazards and extrapolation."""
    found = [_all_groups(view)] if view.grouped else []
    for one in view.comparisons:
        found += [_fitted(view, one)]
        found += [_hazards(view, one)] if view.of(one).hazard is not None else []
        found += [_extrapolated(view, one), _extrapolated_hazards(view, one)]
    return found


def _columns(lines: list[tuple[Candidate, str, Dash]]) -> int:
    """Columns of the legend of some candidates."""
    return _WIDE if any(len(with_aic(one)) > _LONG for one, *_ in lines) else _COLUMNS


def _height(plot: float, lines: int, columns: int, risk_rows: int = 0) -> float:
    legend = -(-lines // columns)
    return plot + 0.55 + _LEGEND_ROW * legend + _RISK_ROW * risk_rows + 0.35 * bool(risk_rows)


# --- survival ------------------------------------------------------------------------------------


def _all_groups(view: FitView) -> FitPicture:
    rows: list[Row] = []
    for one in view.seen.groups:
        rows += _observed_rows(view.label(one.group), view, one.group)

    def draw(figure: Figure) -> None:
        axes, below = _with_risk(figure, len(view.comparisons), _PLOT)
        for one in view.seen.groups:
            colour, style = view.group_colour(one.group), view.group_dash(one.group)
            draw_kaplan_meier(axes, one, colour, view.label(one.group), style=style)
        groups = [one.group for one in view.seen.groups]
        _dress(view, axes, groups)
        _write_risk(view, below, groups)

    return FitPicture(
        name=view.stem("kaplan_meier"),
        title="Kaplan-Meier curves",
        caption="Steps: Kaplan-Meier with 95% bands (Greenwood, on the scale ln(-ln S)). Upright "
        "ticks: subjects censored. Below: numbers at risk.",
        draw=draw,
        height=_height(_PLOT, len(view.comparisons), _COLUMNS, len(view.comparisons)),
        legend=_COLUMNS,
        headings=_SURVIVAL,
        rows=rows,
    )


def _observed_rows(name: str, view: FitView, group: str) -> list[Row]:
    """Kaplan-Meier and numbers at risk as rows."""
    one = view.seen.of(group)
    curve = one.observed
    rows = [
        *rows_of(f"{name}: Kaplan-Meier", curve.time, curve.survival, curve.low, curve.high),
    ]
    numbers = zip(view.seen.risk_time.tolist(), one.at_risk.tolist(), strict=True)
    return [*rows, *((f"{name}: number at risk", time, number, "", "") for time, number in numbers)]


def _fitted(view: FitView, one: Comparison) -> FitPicture:
    seen = view.of(one)
    lines = view.candidates(one)
    time = np.linspace(0.0, seen.observed.last, POINTS)
    assert all(candidate.fit is not None for candidate, *_ in lines)
    curves = [c.fit.survival(time, one.group) for c, *_ in lines if c.fit is not None]
    early = [target for target in one.targets if target.time <= seen.observed.last]
    rows = _observed_rows(view.label(one.group), view, one.group)
    for (candidate, *_), curve in zip(lines, curves, strict=True):
        rows += rows_of(candidate.label, time, curve)
    rows += target_rows(early)

    def draw(figure: Figure) -> None:
        axes, below = _with_risk(figure, 1, _PLOT)
        draw_kaplan_meier(axes, seen, INK, "Kaplan-Meier")
        for (candidate, colour, style), curve in zip(lines, curves, strict=True):
            label = with_aic(candidate)
            axes.plot(time, curve, color=colour, linestyle=style, linewidth=1.2, label=label)
        draw_targets(axes, one, 1.0, seen.observed.last)
        _dress(view, axes, [one.group])
        _write_risk(view, below, [one.group])

    return FitPicture(
        name=view.stem("fitted", one.group),
        title=view.title("Kaplan-Meier and fitted curves", one.group),
        caption="Steps: Kaplan-Meier with its 95% band (Greenwood, on the scale ln(-ln S)); "
        "upright ticks: subjects censored; below: numbers at risk. Lines: fitted curves, "
        "lowest AIC first." + target_words(one, seen.observed.last),
        draw=draw,
        height=_height(_PLOT, len(lines) + 1 + bool(early), _columns(lines), 1),
        legend=_columns(lines),
        headings=_SURVIVAL,
        rows=rows,
    )


def _with_risk(figure: Figure, rows: int, plot: float) -> tuple[Axes, Axes]:
    """Axes of a plot, and those below it for numbers at risk, with the same times."""
    axes, below = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [plot, _RISK_ROW * (rows + 1)]}
    )
    return axes, below


def _dress(view: FitView, axes: Axes, groups: list[str]) -> None:
    last = max(view.seen.of(group).observed.last for group in groups)
    step = axis_step(max(one.observed.last for one in view.seen.groups), view.per_year)
    limits(axes, "x", 0, step * np.ceil(last / step - 1e-9), step)
    axes.grid(visible=True)
    axes.set_ylim(0, 1)
    percents(axes.yaxis)
    axes.set_ylabel("Survival")
    axes.set_xlabel(view.time_label)
    axes.tick_params(axis="x", labelbottom=True)


def _write_risk(view: FitView, axes: Axes, groups: list[str]) -> None:
    """Write numbers at risk under their times, a row a group."""
    shown = view.seen.risk_time <= axes.get_xlim()[1] + 1e-9
    for place, group in enumerate(groups):
        colour = view.group_colour(group) if len(groups) > 1 else INK
        numbers = view.seen.of(group).at_risk
        for time, number in zip(view.seen.risk_time[shown], numbers[shown], strict=True):
            axes.text(
                time, place, plain(number), ha="center", va="center", fontsize=7, color=colour
            )
    names = [group if len(groups) > 1 else "At risk" for group in groups]
    axes.set_yticks(range(len(groups)), names, fontsize=7)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.tick_params(axis="both", length=0, labelbottom=False)
    axes.tick_params(axis="y", pad=12)
    for side in axes.spines.values():
        side.set_visible(False)
    if len(groups) > 1:
        axes.set_title("Numbers at risk", fontsize=7, loc="left", pad=2)


def _extrapolated(view: FitView, one: Comparison) -> FitPicture:
    seen, lines = view.of(one), view.candidates(one)
    years = np.linspace(0.0, view.horizon, 2 * POINTS - 1)
    time = years * view.per_year
    curves = [c.fit.survival(time, one.group) for c, *_ in lines if c.fit is not None]
    until = view.horizon * view.per_year
    shown = [target for target in one.targets if target.time <= until + 1e-9]
    rows = _observed_rows(view.label(one.group), view, one.group)
    for (candidate, *_), curve in zip(lines, curves, strict=True):
        rows += rows_of(candidate.label, time, curve)
    rows += target_rows(shown)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _years_axis(axes, view.horizon)
        axes.axvspan(0, seen.observed.last / view.per_year, color="#F3F3F3", linewidth=0)
        draw_kaplan_meier(axes, seen, INK, "Kaplan-Meier", unit=view.per_year, ticks=False)
        for (candidate, colour, style), curve in zip(lines, curves, strict=True):
            label = with_aic(candidate)
            axes.plot(years, curve, color=colour, linestyle=style, linewidth=1.2, label=label)
        draw_targets(axes, one, view.per_year, view.horizon)
        axes.set_ylim(0, 1)
        percents(axes.yaxis)
        axes.set_ylabel("Survival")

    return FitPicture(
        name=view.stem("extrapolated", one.group),
        title=view.title(f"Fitted curves over {view.horizon:g} years", one.group),
        caption=f"Lines: every candidate over {view.horizon:g} years, lowest AIC first. Steps: "
        "Kaplan-Meier with its 95% band. Grey: the time that the data cover."
        + target_words(one, until),
        draw=draw,
        height=_height(_PLOT + 0.3, len(lines) + 1 + bool(shown), _columns(lines)),
        legend=_columns(lines),
        headings=_SURVIVAL,
        rows=rows,
    )


def _years_axis(axes: Axes, horizon: float) -> None:
    step = axis_step(horizon, 1.0)
    limits(axes, "x", 0, step * np.ceil(horizon / step - 1e-9), step)
    axes.set_xlim(0, horizon)
    axes.grid(visible=True)
    axes.set_xlabel("Years")


# --- hazards -------------------------------------------------------------------------------------


def _hazards(view: FitView, one: Comparison) -> FitPicture:
    smooth = view.of(one).hazard
    assert smooth is not None
    lines = view.candidates(one)
    end = float(smooth.time[-1])
    time = np.linspace(end / POINTS, end, POINTS)
    curves = [c.fit.hazard(time, one.group) for c, *_ in lines if c.fit is not None]
    rows: list[Row] = list(rows_of("smoothed", smooth.time, smooth.hazard, smooth.low, smooth.high))
    for (candidate, *_), curve in zip(lines, curves, strict=True):
        rows += rows_of(candidate.label, time, curve)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=True)
        axes.fill_between(smooth.time, smooth.low, smooth.high, color=INK, alpha=0.12, linewidth=0)
        axes.plot(smooth.time, smooth.hazard, color=INK, linewidth=2.2, label="Smoothed, observed")
        for (candidate, colour, style), curve in zip(lines, curves, strict=True):
            label = with_aic(candidate)
            axes.plot(time, curve, color=colour, linestyle=style, linewidth=1.2, label=label)
        step = axis_step(end, view.per_year)
        limits(axes, "x", 0, step * np.ceil(end / step - 1e-9), step)
        axes.set_xlim(0, end)
        limits(axes, "y", *nice_limits(0.0, _ROOM * float(np.quantile(smooth.hazard, _MOST))))
        axes.set_xlabel(view.time_label)
        axes.set_ylabel(f"Hazard per {view.unit}")

    return FitPicture(
        name=view.stem("hazard", one.group),
        title=view.title("Smoothed observed and fitted hazards", one.group),
        caption=f"Thick: hazard smoothed from the data (Epanechnikov kernel with boundary kernels "
        f"of Müller and Wang, bandwidth {plain(smooth.bandwidth)} {view.unit}s) with its 95% band, "
        f"while {LEAST_AT_RISK} or more are at risk. Lines: fitted hazards, lowest AIC first; "
        "what lies beyond the axis is cut off.",
        draw=draw,
        height=_height(_PLOT, len(lines) + 1, _columns(lines)),
        legend=_columns(lines),
        headings=_HAZARD,
        rows=rows,
    )


def _extrapolated_hazards(view: FitView, one: Comparison) -> FitPicture:
    seen, lines = view.of(one), view.candidates(one)
    years = np.linspace(view.horizon / (2 * POINTS), view.horizon, 2 * POINTS)
    time = years * view.per_year
    curves = [c.fit.hazard(time, one.group) * view.per_year for c, *_ in lines if c.fit is not None]
    rows: list[Row] = []
    for (candidate, *_), curve in zip(lines, curves, strict=True):
        rows += rows_of(candidate.label, years, curve)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _years_axis(axes, view.horizon)
        axes.axvspan(0, seen.observed.last / view.per_year, color="#F3F3F3", linewidth=0)
        for (candidate, colour, style), curve in zip(lines, curves, strict=True):
            label = with_aic(candidate)
            axes.plot(years, curve, color=colour, linestyle=style, linewidth=1.2, label=label)
        axes.set_yscale("log")
        low, high = _hazard_range(curves)
        axes.set_ylim(low, high)
        marked = marks(low, high)
        axes.set_yticks(marked, [plain(mark) for mark in marked])
        axes.minorticks_off()
        axes.set_ylabel("Hazard per year (logarithmic)")

    return FitPicture(
        name=view.stem("extrapolated_hazard", one.group),
        title=view.title(f"Fitted hazards over {view.horizon:g} years", one.group),
        caption=f"Hazard of every candidate over {view.horizon:g} years, lowest AIC first. Grey: "
        "the time that the data cover. Compare the ends with general-population mortality; what "
        "lies beyond the axis is cut off.",
        draw=draw,
        height=_height(_PLOT, len(lines), _columns(lines)),
        legend=_columns(lines),
        headings=("series", "years", "hazard per year", "low", "high"),
        rows=rows,
    )


#: Decades of hazards that an axis shows at most on either side of their middle.
_DECADES = 1.5


def _hazard_range(curves: list[FloatArray]) -> tuple[float, float]:
    every = np.concatenate(curves)
    every = np.log10(every[np.isfinite(every) & (every > 0)])
    middle = float(np.median(every))
    low = max(float(every.min()), middle - _DECADES)
    high = min(float(every.max()), middle + _DECADES)
    return float(10 ** (low - 0.1)), float(10 ** (high + 0.1))
