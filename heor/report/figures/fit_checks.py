"""Pictures that show whether a family, proportional hazards or a stretched time suit the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heor.fitting.cox import Proportionality
from heor.fitting.diagnostics import axis_step
from heor.fitting.nonparametric import QuantilePlot
from heor.report.diagnostic_forms import TRANSFORM_WORDS, p_value
from heor.report.figures.fit_style import FitPicture, FitView, Row, marks, rows_of
from heor.report.figures.picture import FAINT, INK, limits, signed
from heor.report.numbers import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Axis, and what a straight and what parallel lines mean, by scale.
_SCALES = {
    "log_cumulative_hazard": (
        "ln(−ln S)",
        "Straight: Weibull (with slope 1 exponential). Parallel: proportional hazards.",
    ),
    "log_odds": ("ln((1 − S)/S)", "Straight: log-logistic. Parallel: proportional odds."),
    "normal": ("−Φ⁻¹(S)", "Straight: log-normal. Parallel: time stretched by one factor."),
}


def pictures(view: FitView) -> list[FitPicture]:
    """Straight lines, quantiles of two groups, scaled Schoenfeld residuals."""
    found = []
    if any(one.lines for one in view.seen.groups):
        found += [_main_scale(view), _other_scales(view)]
    found += [_quantiles(view, plot) for plot in view.seen.quantiles]
    proportional = view.seen.proportional
    if proportional is not None:
        places = range(len(proportional.groups))
        found += [_residuals(view, proportional, place) for place in places]
    return found


# --- straight lines ------------------------------------------------------------------------------


def _main_scale(view: FitView) -> FitPicture:
    def draw(figure: Figure) -> None:
        _draw_scale(view, figure.add_subplot(), "log_cumulative_hazard", labels=True)

    return FitPicture(
        name=view.stem("log_cumulative_hazard"),
        title="Log cumulative hazard against log time",
        caption=f"Kaplan-Meier estimate after each event. {_SCALES['log_cumulative_hazard'][1]} "
        f"Thin: least-squares lines. {_line_words(view, 'log_cumulative_hazard')}",
        draw=draw,
        height=4.1,
        legend=3,
        headings=("series", "time", "log cumulative hazard", "low", "high"),
        rows=_scale_rows(view, ("log_cumulative_hazard",)),
    )


def _other_scales(view: FitView) -> FitPicture:
    scales = ("log_odds", "normal")

    def draw(figure: Figure) -> None:
        for place, (axes, scale) in enumerate(zip(figure.subplots(1, 2), scales, strict=True)):
            _draw_scale(view, axes, scale, labels=place == 0)

    words = " ".join(f"{_SCALES[s][1]} {_line_words(view, s)}" for s in scales)
    return FitPicture(
        name=view.stem("other_scales"),
        title="Log odds and normal quantiles against log time",
        caption=f"Kaplan-Meier estimate after each event. Thin: least-squares lines. {words}",
        draw=draw,
        height=3.5,
        legend=3,
        headings=("series", "time", "value", "low", "high"),
        rows=_scale_rows(view, scales),
    )


def _line_words(view: FitView, scale: str) -> str:
    parts = []
    for one in view.seen.groups:
        for line in one.lines:
            if line.scale == scale:
                name = f"{one.group}: " if one.group else ""
                parts.append(f"{name}slope {plain(line.slope)}, R² {line.explained:.3f}")
    return f"{'; '.join(parts)}."


def _scale_rows(view: FitView, scales: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    for one in view.seen.groups:
        for line in one.lines:
            if line.scale in scales:
                name = f"{view.label(one.group)}: {line.scale}"
                rows += rows_of(name, np.exp(line.log_time), line.value)
    return rows


def _draw_scale(view: FitView, axes: Axes, scale: str, *, labels: bool) -> None:
    axes.grid(visible=True)
    for place, one in enumerate(view.seen.groups):
        for line in one.lines:
            if line.scale != scale:
                continue
            colour = view.group_colour(one.group)
            axes.plot(
                np.exp(line.log_time),
                line.value,
                linestyle="none",
                marker="os^Dv"[place % 5],
                markersize=3,
                markeredgewidth=0.6,
                markerfacecolor="none",
                color=colour,
                label=(one.group or "Kaplan-Meier") if labels else None,
            )
            ends = line.log_time[[0, -1]]
            axes.plot(
                np.exp(ends),
                line.intercept + line.slope * ends,
                color=colour,
                linewidth=0.9,
                linestyle=view.group_dash(one.group),
            )
    axes.set_xscale("log")
    marked = marks(*axes.get_xlim())
    axes.set_xticks(marked, [f"{mark:g}" for mark in marked])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, place: signed(f"{value:g}"))
    axes.set_xlabel(f"{view.time_label} (logarithmic)")
    axes.set_ylabel(_SCALES[scale][0])


# --- two groups ----------------------------------------------------------------------------------


def _quantiles(view: FitView, plot: QuantilePlot) -> FitPicture:
    rows: list[Row] = [
        (share, first, second, second / first)
        for share, first, second in zip(
            plot.share.tolist(), plot.reference_time.tolist(), plot.time.tolist(), strict=True
        )
    ]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=True)
        last = float(plot.reference_time.max())
        step = axis_step(1.02 * last, view.per_year)
        reach = np.array([0.0, step * np.ceil(1.02 * last / step)])
        label = f"Factor {plain(plot.factor)}"
        axes.plot(reach, plot.factor * reach, color=INK, linewidth=1.1, label=label)
        label = "No difference"
        axes.plot(reach, reach, color=FAINT, linewidth=0.9, linestyle=(0, (4, 2)), label=label)
        axes.plot(
            plot.reference_time,
            plot.time,
            linestyle="none",
            marker="o",
            markersize=4,
            color=view.group_colour(plot.group),
            label="Quantiles, every 5%",
        )
        limits(axes, "x", 0, reach[1], step)
        last = 1.02 * float(plot.time.max())
        step_up = axis_step(last, view.per_year)
        limits(axes, "y", 0, step_up * np.ceil(last / step_up), step_up)
        axes.set_xlabel(f"{plot.reference}: time, {view.unit}s")
        axes.set_ylabel(f"{plot.group}: time, {view.unit}s")

    return FitPicture(
        name=view.stem("quantiles", plot.group),
        title=f"Quantile-quantile plot: {plot.group} against {plot.reference}",
        caption=f"Times by which 5%, 10% … {100 * plot.share[-1]:.0f}% of each group have had the "
        "event (Kaplan-Meier). On a line through the origin time is stretched by one factor (AFT); "
        f"the line has the geometric mean of the ratios, {plain(plot.factor)}; they lie between "
        f"{plain(plot.low)} and {plain(plot.high)}.",
        draw=draw,
        headings=("share with event", plot.reference, plot.group, "ratio"),
        rows=rows,
    )


def _residuals(view: FitView, found: Proportionality, place: int) -> FitPicture:
    group, fit, smooth = found.groups[place], found.fit, found.smooths[place]
    scaled = fit.scaled_residuals[:, place]
    ratio, low, high = found.hazard_ratio(place)
    rows: list[Row] = list(rows_of("scaled residual", fit.time, scaled))
    if smooth is not None:
        rows += rows_of("smooth", smooth.time, smooth.value, smooth.low, smooth.high)
    tests = ", ".join(
        f"{p_value(test.each[place].p)} ({TRANSFORM_WORDS[test.transform]})" for test in found.tests
    )

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=True)
        axes.plot(
            fit.time,
            scaled,
            linestyle="none",
            marker="o",
            markersize=3,
            markeredgewidth=0.6,
            markerfacecolor="none",
            color=FAINT,
            label="Scaled residuals",
        )
        if smooth is not None:
            colour = view.group_colour(group)
            axes.fill_between(
                smooth.time, smooth.low, smooth.high, color=colour, alpha=0.15, linewidth=0
            )
            axes.plot(smooth.time, smooth.value, color=colour, label="Smooth with 95% band")
        axes.axhline(
            float(fit.coefficients[place]),
            color=INK,
            linewidth=1.1,
            linestyle=(0, (6, 2)),
            label=f"Cox: hazard ratio {plain(ratio)}",
        )
        axes.axhline(0, color=INK, linewidth=0.7)
        axes.yaxis.set_major_formatter(lambda value, place: signed(f"{value:g}"))
        axes.set_xlim(0, None)
        axes.set_xlabel(view.time_label)
        axes.set_ylabel("Log hazard ratio")

    return FitPicture(
        name=view.stem("schoenfeld", group),
        title=f"Scaled Schoenfeld residuals: {group} against {found.reference}",
        caption="Each event's estimate of the log hazard ratio, a natural spline through them with "
        f"its 95% band, and the Cox estimate (hazard ratio {plain(ratio)}, {plain(low)} to "
        f"{plain(high)}). Level: proportional hazards. P of a trend in time (Grambsch and "
        f"Therneau): {tests}.",
        draw=draw,
        headings=("series", "time", "log hazard ratio", "low", "high"),
        rows=rows,
    )
