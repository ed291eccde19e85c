"""The probabilistic analysis: plane, acceptability, value of perfect information, convergence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from heor.analyses.psa_results import Acceptability, Convergence, PsaIncrement, PsaSummary
from heor.report.charts import REFERENCE_COLOUR, lighter, nice_limits, nice_step
from heor.report.figures.picture import (
    FAINT,
    INK,
    Money,
    Picture,
    dash,
    file_stem,
    limits,
    percents,
    signed,
)
from heor.report.numbers import count, percent
from heor.report.view import Facts
from heor.spec.parameters import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Draws shown as points; shares, mean and ellipse are of every draw.
POINTS = 2_000

#: Distance from their last values within which acceptability curves count as settled.
SETTLED = 0.1

#: Squared radius that holds 95% of a bivariate normal: the chi-squared quantile of two degrees.
RADIUS = -2.0 * math.log(0.05)

#: Share of the running results, from the left, that the axes may cut off.
UNSETTLED = 10


def pictures(facts: Facts) -> list[Picture]:
    """Figures of the probabilistic analysis; none without one."""
    made = facts.results.psa_summary
    if made is None:
        return []
    found = [_plane(facts, made, one) for one in made.increments]
    found += [_ceac(facts, made), _evpi(facts, made)]
    return found + [_convergence(facts, one) for one in made.convergence if len(one.draws) > 1]


# --- plane ---------------------------------------------------------------------------------------


def _increments(facts: Facts, one: PsaIncrement) -> tuple[FloatArray, FloatArray]:
    """QALYs gained and extra cost of every draw."""
    assert facts.results.psa is not None
    outcomes = facts.results.psa.outcomes
    qaly = outcomes.of(one.id, "qaly") - outcomes.of(one.versus, "qaly")
    return qaly, outcomes.of(one.id, "cost") - outcomes.of(one.versus, "cost")


def ellipse(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ellipse that holds 95% of a normal distribution with the mean and covariance of points."""
    values, axes = np.linalg.eigh(np.cov(x, y))
    angle = np.linspace(0.0, 2.0 * math.pi, 181)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    points = axes @ (np.sqrt(RADIUS * np.maximum(values, 0.0))[:, None] * circle)
    return points[0] + x.mean(), points[1] + y.mean()


def _plane(facts: Facts, made: PsaSummary, one: PsaIncrement) -> Picture:
    qaly, cost = _increments(facts, one)
    shown = min(POINTS, made.n)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        x_low, x_high, x_step = nice_limits(float(qaly[:shown].min()), float(qaly[:shown].max()))
        ends = (float(cost[:shown].min()), float(cost[:shown].max()))
        y_low, y_high, y_step = nice_limits(*ends)
        scale = Money.of(max(-y_low, y_high), facts.currency)
        axes.grid(visible=True)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.plot(
            qaly[:shown],
            cost[:shown],
            linestyle="none",
            marker="o",
            markersize=2.2,
            markeredgewidth=0,
            color=lighter(facts.colour(one.id)),
            label=f"Draws ({'first ' if shown < made.n else ''}{shown:,})",
        )
        if made.n > 2:
            axes.plot(
                *ellipse(qaly, cost), color=facts.colour(one.id), linewidth=1.4, label="95% ellipse"
            )
        for index, threshold in enumerate(made.thresholds):
            reach = np.array([x_low, x_high])
            axes.plot(
                reach,
                reach * threshold,
                color=REFERENCE_COLOUR,
                linewidth=0.9,
                linestyle=dash(index + 1),
                label=f"{facts.currency} {threshold:,.0f} per QALY",
            )
        _mark(axes, one.delta_qaly.mean, one.delta_cost.mean, "D", "Mean of the draws")
        base = next(row for row in facts.results.base.pairwise if row.id == one.id)
        _mark(axes, base.delta_qaly, base.delta_cost, "X", "Base case")
        limits(axes, "x", x_low, x_high, x_step)
        limits(axes, "y", y_low, y_high, y_step)
        _write_shares(axes, one, (x_low < 0, y_low < 0))
        axes.yaxis.set_major_formatter(scale.text)
        axes.set_xlabel(f"QALYs gained over {facts.label(one.versus)}")
        axes.set_ylabel(f"Extra cost, {scale.words}")

    shares = ", ".join(f"{percent(one.quadrants[q])} {q}" for q in ("NE", "SE", "SW", "NW"))
    return Picture(
        name=file_stem("ce_plane", one.id),
        title=f"Cost-effectiveness plane: {facts.label(one.id)} against {facts.label(one.versus)}",
        caption=f"Extra cost against QALYs gained; {count(shown, 'draw')} shown. Of all "
        f"{count(made.n, 'draw')}: {shares} (quadrants by compass point); mean; ellipse that would "
        "hold 95% of a normal distribution with the same mean and covariance.",
        draw=draw,
        height=5.0,
    )


def _mark(axes: Axes, x: float, y: float, marker: str, label: str) -> None:
    axes.plot(
        x,
        y,
        linestyle="none",
        marker=marker,
        markersize=7,
        color="black",
        markeredgecolor="white",
        markeredgewidth=0.8,
        zorder=5,
        label=label,
    )


def _write_shares(axes: Axes, one: PsaIncrement, seen: tuple[bool, bool]) -> None:
    """Share of each quadrant in its corner; those the axes do not reach are left to the caption."""
    west, south = seen
    corners = {"NE": (1, 1), "SE": (1, 0), "SW": (0, 0), "NW": (0, 1)}
    for name, (right, top) in corners.items():
        if (not right and not west) or (not top and not south):
            continue
        axes.text(
            0.985 if right else 0.015,
            0.98 if top else 0.02,
            f"{name}: {percent(one.quadrants[name])}",
            transform=axes.transAxes,
            ha="right" if right else "left",
            va="top" if top else "bottom",
            fontweight="bold",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5},
        )


# --- thresholds ----------------------------------------------------------------------------------


def _threshold_axis(facts: Facts, made: PsaSummary, axes: Axes) -> int:
    """Axis of thresholds up to where the curves hardly move; give the number of points within.

    It always holds the study's thresholds, which stand as thin upright lines.
    """
    curve = made.curve
    far = np.abs(curve.ceac - curve.ceac[-1]).max(axis=1) > SETTLED
    moving = float(curve.thresholds[far].max(initial=0.0))
    wanted = max(moving, 1.5 * max(made.thresholds))
    low, high, step = nice_limits(0.0, min(wanted, float(curve.thresholds[-1])), 8)
    limits(axes, "x", low, high, step)
    scale = Money.of(high, facts.currency)
    axes.xaxis.set_major_formatter(scale.text)
    axes.set_xlabel(f"Willingness to pay, {scale.words} per QALY")
    axes.grid(visible=True)
    for threshold in made.thresholds:
        axes.axvline(threshold, color=FAINT, linewidth=0.7, linestyle=(0, (2, 2)))
    return int(np.searchsorted(curve.thresholds, high * (1 + 1e-9)))


def _ceac(facts: Facts, made: PsaSummary) -> Picture:
    curve: Acceptability = made.curve

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shown = _threshold_axis(facts, made, axes)
        thresholds = curve.thresholds[:shown]
        axes.plot(
            thresholds,
            curve.ceaf[:shown],
            color="#C8C8C8",
            linewidth=5,
            solid_capstyle="butt",
            label="Frontier (CEAF)",
        )
        for index, strategy in enumerate(curve.strategies):
            axes.plot(
                thresholds,
                curve.ceac[:shown, index],
                color=facts.colour(strategy),
                linestyle=dash(index),
                label=facts.label(strategy),
            )
        axes.set_ylim(0, 1)
        percents(axes.yaxis)
        axes.set_ylabel("Probability of being cost-effective")

    return Picture(
        name="ceac",
        title="Cost-effectiveness acceptability curves and frontier",
        caption=f"Probability that each strategy has the highest net monetary benefit of all, over "
        f"{count(made.n, 'draw')}. The frontier is the probability of the strategy with the "
        "highest mean net benefit. Thin upright lines: the study's thresholds.",
        draw=draw,
    )


def _evpi(facts: Facts, made: PsaSummary) -> Picture:
    curve = made.curve

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shown = _threshold_axis(facts, made, axes)
        evpi = curve.evpi[:shown]
        low, high, step = nice_limits(0.0, float(evpi.max()))
        scale = Money.of(high, facts.currency)
        axes.plot(curve.thresholds[:shown], evpi, color=REFERENCE_COLOUR)
        limits(axes, "y", low, high, step)
        axes.yaxis.set_major_formatter(scale.text)
        axes.set_ylabel(f"EVPI per patient, {scale.words}")

    return Picture(
        name="evpi",
        title="Expected value of perfect information per patient",
        caption=f"What settling all uncertainty would be worth per patient, over "
        f"{count(made.n, 'draw')}. Thin upright lines: the study's thresholds.",
        draw=draw,
        legend=0,
    )


# --- convergence ---------------------------------------------------------------------------------


def _convergence(facts: Facts, one: Convergence) -> Picture:
    colour = facts.colour(one.id)
    at = facts.per_qaly(one.threshold)

    def draw(figure: Figure) -> None:
        with_icer = bool(np.isfinite(one.icer[len(one.draws) // UNSETTLED :]).any())
        panels = figure.subplots(3 if with_icer else 2, 1, sharex=True, squeeze=False)[:, 0]
        lower, upper = one.inmb - one.inmb_half_width, one.inmb + one.inmb_half_width
        panels[0].fill_between(
            one.draws, lower, upper, color=lighter(colour, 0.8), linewidth=0, label="95% interval"
        )
        panels[0].plot(one.draws, one.inmb, color=colour, label="Running mean")
        _settle(facts, panels[0], (lower, upper), f"INMB at {at}", "")
        panels[1].plot(one.draws, one.probability, color=colour)
        _settle_share(panels[1], one.probability, f"P(INMB > 0)\nat {at}")
        if with_icer:
            panels[2].plot(one.draws, one.icer, color=colour)
            _settle(facts, panels[2], (one.icer,), "ICER", " per QALY")
        last = float(one.draws[-1])
        for axes in panels:
            axes.grid(visible=True)
            axes.set_xlim(0, last)
        panels[-1].xaxis.set_major_formatter(lambda value, place: f"{value:,.0f}")
        panels[-1].set_xlabel("Draws")

    return Picture(
        name=file_stem("convergence", one.id),
        title=f"Convergence: {facts.label(one.id)} against {facts.label(one.versus)}",
        caption=f"Running mean of incremental net monetary benefit at {at} with its 95% interval, "
        "running share of draws with it above 0, and running ratio of mean extra cost to mean "
        "QALYs gained, by number of draws.",
        draw=draw,
        height=6.4,
    )


def _settle_share(axes: Axes, values: FloatArray, name: str) -> None:
    """Scale to the shares after the first tenth of the draws, at least five per cent wide."""
    settled = values[len(values) // UNSETTLED :]
    low, high = float(settled.min()), float(settled.max())
    step = nice_step(max(high - low, 0.05), 5)
    top = min(math.ceil(high / step) * step, 1.0)
    bottom = max(min(math.floor(low / step) * step, top - step), 0.0)
    limits(axes, "y", bottom, max(top, bottom + step), step)
    axes.yaxis.set_major_formatter(lambda value, place: f"{100 * value:.3g}%")
    axes.set_ylabel(name)


def _settle(facts: Facts, axes: Axes, lines: tuple[FloatArray, ...], name: str, per: str) -> None:
    """Scale to the results after the first tenth of the draws, and name the axis."""
    settled = np.concatenate([line[len(line) // UNSETTLED :] for line in lines])
    settled = settled[np.isfinite(settled)]
    if not len(settled):
        return
    low, high = float(settled.min()), float(settled.max())
    step = nice_step(max(high - low, abs(high) * 0.02, 1.0), 5)
    limits(axes, "y", math.floor(low / step) * step, math.ceil(high / step) * step, step)
    scale = Money.of(max(abs(low), abs(high)), facts.currency)
    digits = max(scale.digits, math.ceil(-math.log10(step / scale.unit) - 1e-9))
    axes.yaxis.set_major_formatter(lambda value, place: signed(f"{value / scale.unit:,.{digits}f}"))
    axes.set_ylabel(f"{name},\n{scale.words}{per}")
