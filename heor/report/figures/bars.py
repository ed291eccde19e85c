"""Costs and QALYs by part, the accrual of the gain, scenarios, tornado, value of information."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from heor.analyses import accrual
from heor.analyses.cea import QALY_TOLERANCE
from heor.analyses.results import DsaComparison, DsaPoint, StrategyTotals
from heor.report.charts import HIGH_COLOUR, LOW_COLOUR, nice_limits
from heor.report.curve_facts import shown_until
from heor.report.figures.picture import (
    FAINT,
    INK,
    TALLEST,
    Money,
    Picture,
    dash,
    file_stem,
    hatch,
    limits,
    signed,
)
from heor.report.numbers import count, money, plain, years
from heor.report.view import Facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Bars of a tornado, and scenarios in one figure; the rest follow in further figures.
TORNADO_BARS, SCENARIO_BARS = 20, 32

#: Characters of a line of a bar's name, and their size in points.
_NAME, _NAME_SIZE = 46, 7.5


def pictures(facts: Facts) -> list[Picture]:
    """Breakdowns, accrual, scenarios, tornados; what the results do not hold is left out."""
    found = [_costs(facts), _by_state(facts, "ly"), _by_state(facts, "qaly")]
    if facts.others:
        found.append(_accrual(facts))
    for strategy in facts.others:
        found += _scenarios(facts, strategy)
    if facts.results.dsa is not None:
        for comparison in facts.results.dsa.comparisons:
            found += _tornados(facts, comparison)
    return found + _voi(facts)


# --- breakdowns ----------------------------------------------------------------------------------


def _costs(facts: Facts) -> Picture:
    """Costs by category, a bar per strategy; a category without cost is left out."""
    totals = [facts.results.base.totals(s) for s in facts.strategies]
    parts = [
        category
        for category in dict.fromkeys(c for t in totals for c in t.cost_by_category)
        if any(t.cost_by_category.get(category, 0.0) for t in totals)
    ]
    rows = ["Total", *(part[:1].upper() + part[1:] for part in parts)]
    thick = 0.8 / len(totals)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        values = [[t.cost, *(t.cost_by_category.get(p, 0.0) for p in parts)] for t in totals]
        low, high, step = nice_limits(min(map(min, values)), max(map(max, values)))
        scale = Money.of(high, facts.currency)
        for index, (strategy, row) in enumerate(zip(facts.strategies, values, strict=True)):
            places = np.arange(len(rows)) + (index - (len(totals) - 1) / 2) * thick
            bars = axes.barh(
                places,
                row,
                height=thick,
                color=facts.colour(strategy),
                hatch=hatch(index),
                edgecolor="white",
                linewidth=0.4,
                label=facts.label(strategy),
            )
            labels = [money(value, facts.currency) for value in row]
            axes.bar_label(bars, labels, padding=2, fontsize=7, color=INK)
        _dress_names(axes, rows)
        axes.axhline(0.5, color=FAINT, linewidth=0.6)
        limits(axes, "x", low, high + step / 2, step)
        axes.xaxis.set_major_formatter(scale.text)
        axes.set_xlabel(f"Discounted cost per patient, {scale.words}")

    return Picture(
        name="costs",
        title="Costs by category",
        caption="Discounted costs per patient by category, base case.",
        draw=draw,
        height=_height(len(rows) * (0.12 + 0.16 * len(totals)) + 1.1),
    )


def _by_state(facts: Facts, outcome: str) -> Picture:
    """Life years or QALYs by state, one stacked bar per strategy."""
    totals = [facts.results.base.totals(s) for s in facts.strategies]
    words = {"ly": "Life years", "qaly": "QALYs"}[outcome]

    def by_state(row: StrategyTotals) -> Mapping[str, float]:
        return row.ly_by_state if outcome == "ly" else row.qaly_by_state

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        states = list(dict.fromkeys(s for t in totals for s in by_state(t)))
        states = [s for s in states if any(by_state(t).get(s, 0.0) for t in totals)]
        right, left = np.zeros(len(totals)), np.zeros(len(totals))
        for index, state in enumerate(states):
            values = np.array([by_state(t).get(state, 0.0) for t in totals])
            axes.barh(
                np.arange(len(totals)),
                values,
                left=np.where(values >= 0, right, left),
                height=0.55,
                color=facts.state_colour(state),
                hatch=hatch(index),
                edgecolor="white",
                linewidth=0.4,
                label=facts.state_label(state),
            )
            right += np.maximum(values, 0.0)
            left += np.minimum(values, 0.0)
        _, high, step = nice_limits(0.0, float(right.max()))
        lowest = float(left.min())
        for place, row in enumerate(totals):
            total = years(row.ly if outcome == "ly" else row.qaly)
            axes.annotate(
                signed(total),
                (float(right[place]), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontweight="bold",
            )
        _dress_names(axes, [facts.label(s) for s in facts.strategies])
        ticks = range(math.ceil(lowest / step), round(high / step) + 1)
        axes.set_xticks([tick * step for tick in ticks])
        axes.set_xlim(lowest - 0.02 * high * (lowest < 0), high + step / 2)
        if lowest < 0:
            axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(f"Discounted {'life years' if outcome == 'ly' else words} per patient")

    caption = f"Discounted {words if outcome == 'qaly' else 'life years'} per patient by health "
    return Picture(
        name={"ly": "life_years", "qaly": "qalys"}[outcome],
        title=f"{words} by health state",
        caption=f"{caption}state, base case; the total stands at the end of each bar.",
        draw=draw,
        height=_height(0.45 * len(totals) + 1.5),
    )


def _dress_names(axes: Axes, names: Sequence[str]) -> None:
    """Put names on the upright axis, the first on top, and quiet everything round the bars."""
    lines = [textwrap.wrap(name, _NAME, max_lines=2, placeholder=" …") for name in names]
    words = ["\n".join(some) for some in lines]
    axes.set_yticks(range(len(names)), words, fontsize=_NAME_SIZE, linespacing=1.05)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.spines["left"].set_visible(False)


def _height(wanted: float) -> float:
    return min(max(wanted, 2.0), TALLEST)


# --- accrual -------------------------------------------------------------------------------------


def _accrual(facts: Facts) -> Picture:
    """Discounted QALYs gained so far, by whole year."""
    last = int(shown_until(facts.traces))
    shown = range(1, last + 1)
    gains = {s: [0.0] for s in facts.others}
    for row in accrual.run(facts.results.spec, shown):
        gains[row.id].append(row.delta_qaly)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=True)
        for strategy, row in gains.items():
            index = facts.strategies.index(strategy)
            axes.plot(
                [0, *shown],
                row,
                color=facts.colour(strategy),
                linestyle=dash(index),
                marker="o",
                markersize=3,
                label=facts.label(strategy),
            )
        every = [value for row in gains.values() for value in row]
        limits(axes, "x", 0, last, 1.0 if last <= 12 else 5.0)
        limits(axes, "y", *nice_limits(min(every), max(every)))
        if min(every) < 0:
            axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xlabel("Years since start")
        axes.set_ylabel(f"QALYs gained so far over {facts.label(facts.reference)}")

    whole = {row.id: row.delta_qaly for row in facts.results.base.pairwise}
    words = [
        f"{facts.label(s)}: {_share(gains[s], year, whole[s])} of {years(whole[s])} by year {year}."
        for s in facts.others
        for year in (5, 10)
        if year <= last
    ]
    return Picture(
        name="accrual",
        title="When the QALYs are gained",
        caption="Discounted QALYs gained up to each year, base case. " + " ".join(words),
        draw=draw,
    )


def _share(gains: Sequence[float], year: int, whole: float) -> str:
    return f"{100 * gains[year] / whole:.0f}%" if abs(whole) >= QALY_TOLERANCE else "none"


# --- value of information ------------------------------------------------------------------------


def _voi(facts: Facts) -> list[Picture]:
    """Inputs ranked by what knowing them is worth, at the threshold of the largest EVPI."""
    found = facts.results.voi
    if found is None:
        return []
    at = int(found.evpi.argmax())
    shown = [one for one in found.sets if one.evppi[at] > 0][:TORNADO_BARS]
    if not shown:
        return []
    values = [float(one.evppi[at]) for one in shown]
    names = [found.names[one.parameters] for one in shown]
    low, high, step = nice_limits(*_ends(values))
    scale = Money.of(high, facts.currency)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        colour = facts.colour((facts.others or (facts.reference,))[0])
        axes.barh(range(len(values)), values, color=colour)
        _dress_names(axes, names)
        _label_ends(axes, values, scale)
        limits(axes, "x", low, high, step)
        axes.xaxis.set_major_formatter(scale.text)
        axes.set_xlabel(f"EVPPI per patient, {scale.words}")

    threshold = facts.per_qaly(float(found.thresholds[at]))
    return [
        Picture(
            name="evppi",
            title="Value of knowing each input perfectly, per patient",
            caption=f"EVPPI at {threshold}, where the EVPI is largest "
            f"({money(float(found.evpi[at]), facts.currency)} per patient), over "
            f"{count(found.draws, 'draw')}; near 0 it is too high by about its standard error.",
            draw=draw,
            legend=0,
            height=_height(0.235 * len(values) + 1.1),
        )
    ]


# --- scenarios and tornado -----------------------------------------------------------------------


def _scenarios(facts: Facts, strategy: str) -> list[Picture]:
    """Change of net benefit by scenario, in table order; several figures where they are many."""
    index = facts.threshold_index()
    base = next(row for row in facts.results.base.pairwise if row.id == strategy).inmb[index]
    bars = [
        (s.name, next(e for e in s.effects if e.id == strategy).inmb[index] - base)
        for s in facts.results.scenarios
    ]
    if not bars:
        return []
    low, high, step = nice_limits(*_ends([change for _, change in bars]))
    scale = Money.of(max(-low, high), facts.currency)
    at = facts.per_qaly(facts.threshold())
    pages = -(-len(bars) // SCENARIO_BARS)
    each = -(-len(bars) // pages)

    def draw(some: list[tuple[str, float]], figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.barh(range(len(some)), [change for _, change in some], color=facts.colour(strategy))
        _dress_names(axes, [name for name, _ in some])
        _label_ends(axes, [change for _, change in some], scale)
        axes.axvline(0, color=INK, linewidth=0.8)
        limits(axes, "x", low, high, step)
        axes.xaxis.set_major_formatter(scale.text)
        axes.set_xlabel(f"Change in INMB at {at}, {scale.words}")

    found = []
    for page in range(pages):
        some = bars[page * each : (page + 1) * each]
        part = f" ({page + 1} of {pages})" if pages > 1 else ""
        stem = ("scenarios", strategy, *([str(page + 1)] if pages > 1 else []))
        found.append(
            Picture(
                name=file_stem(*stem),
                title=f"Scenarios: {facts.label(strategy)} against "
                f"{facts.label(facts.reference)}{part}",
                caption=f"Change in incremental net monetary benefit at {at} in each scenario "
                f"against the base case ({money(base, facts.currency)}); to the right favours "
                f"{facts.label(strategy)}.",
                draw=partial(draw, some),
                legend=0,
                height=_height(0.235 * len(some) + 1.1),
            )
        )
    return found


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Smallest and largest, with room for the numbers that stand beside bars."""
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.08 * (high - low)
    return low - room * (low < 0), high + room * (high > 0)


def _label_ends(axes: Axes, values: Sequence[float], scale: Money) -> None:
    """Write each bar's value beside its end."""
    for place, value in enumerate(values):
        axes.annotate(
            scale.text(value) if abs(value) >= scale.unit / 2 or value == 0 else "≈ 0",
            (value, place),
            xytext=(3 if value >= 0 else -3, 0),
            textcoords="offset points",
            ha="left" if value >= 0 else "right",
            va="center",
            fontsize=6.5,
        )


def _tornados(facts: Facts, comparison: DsaComparison) -> list[Picture]:
    """Tornado of net benefit, and of the ICER where it has a meaning."""
    dsa = facts.results.dsa
    assert dsa is not None
    index = dsa.thresholds.index(dsa.threshold)
    at = facts.per_qaly(dsa.threshold)
    bars = [b for b in comparison.by_swing(index) if b.swing[index] > 0][:TORNADO_BARS]
    rows = [(b.label or b.parameter, b.low, b.high) for b in bars]
    found = []
    if rows:
        base = comparison.base.inmb[index]
        ends = [(name, low.inmb[index], high.inmb[index], low, high) for name, low, high in rows]
        found.append(_tornado(facts, comparison, "inmb", f"INMB at {at}", base, ends))
    by_icer = [b for b in comparison.by_icer() if b.icer_swing][:TORNADO_BARS]
    icers = [
        (b.label or b.parameter, b.low.icer, b.high.icer, b.low, b.high)
        for b in by_icer
        if b.low.icer is not None and b.high.icer is not None
    ]
    if icers and comparison.base.icer is not None:
        found.append(_tornado(facts, comparison, "icer", "ICER", comparison.base.icer, icers))
    return found


_Bar = tuple[str, float, float, DsaPoint, DsaPoint]


def _tornado(
    facts: Facts,
    comparison: DsaComparison,
    measure: str,
    what: str,
    base: float,
    bars: Sequence[_Bar],
) -> Picture:
    """Bars from the base line to the result at each bound, the bound's value at its end."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        sides = (
            ([low for _, low, *_ in bars], LOW_COLOUR, "", "Parameter at its low value"),
            ([high for _, _, high, *_ in bars], HIGH_COLOUR, "////", "Parameter at its high value"),
        )
        values = [end for _, low, high, _, _ in bars for end in (low, high)]
        least, most = min(*values, base), max(*values, base)
        room = 0.12 * (most - least)
        scale = Money.of(max(abs(least), abs(most)), facts.currency)
        for ends, colour, marks, label in sides:
            axes.barh(
                range(len(bars)),
                [end - base for end in ends],
                left=base,
                height=0.72,
                color=colour,
                hatch=marks,
                edgecolor="white",
                linewidth=0.4,
                label=label,
            )
        for place, (_, low, high, at_low, at_high) in enumerate(bars):
            same = (low < base) == (high < base)
            for end, point in ((low, at_low), (high, at_high)):
                if same and abs(end - base) < max(abs(low - base), abs(high - base)):
                    continue
                _write_bound(axes, end, base, place, point)
        _dress_names(axes, [name for name, *_ in bars])
        axes.axvline(base, color=INK, linewidth=1.0)
        axes.set_xlim(least - room, most + room)
        axes.xaxis.set_major_formatter(scale.text)
        unit = " per QALY" if measure == "icer" else ""
        axes.set_xlabel(f"{what}, {scale.words}{unit}")
        axes.annotate(
            f"base case: {scale.text(base)}",
            (base, -0.5),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )

    title = f"Tornado of the {measure.upper()}: {facts.label(comparison.id)} against "
    return Picture(
        name=file_stem("tornado", measure, comparison.id),
        title=title + facts.label(comparison.versus),
        caption=f"{what} when each parameter takes the low or the high end of its own interval; "
        f"the {len(bars)} widest bars. Numbers at the bars are the parameters' values.",
        draw=draw,
        legend=2,
        height=_height(0.27 * len(bars) + 1.5),
    )


def _write_bound(axes: Axes, end: float, base: float, place: int, point: DsaPoint) -> None:
    assert point.value is not None
    right = end >= base
    axes.annotate(
        signed(plain(point.value)),
        (end, place),
        xytext=(3 if right else -3, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
        fontsize=6.5,
    )
