"""Survival curves with their published points, and the Markov trace of each strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heor.report.charts import REFERENCE_COLOUR, colour_of
from heor.report.curve_facts import (
    Key,
    curve_of,
    endpoint_name,
    endpoints_of,
    groups_of,
    known_until,
    parted,
    shown_until,
    target_key,
    target_point,
    years_of,
)
from heor.report.figures.picture import Dash, Picture, dash, file_stem, hatch, limits, percents
from heor.report.view import Facts
from heor.spec.records import ALL, UNITS_PER_YEAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: About how many cycle boundaries of a trace are drawn.
MOST_POINTS = 250


@dataclass(frozen=True, slots=True)
class _Line:
    """One curve of a chart and how it is drawn."""

    key: Key
    label: str
    colour: str
    dash: Dash


def pictures(facts: Facts) -> list[Picture]:
    """Survival by endpoint, over the time that data cover and over the long run, then traces."""
    found = []
    for endpoint in endpoints_of(facts.traces):
        lines = [
            _Line((s, endpoint, ALL), facts.label(s), facts.colour(s), dash(i))
            for i, s in enumerate(facts.strategies)
            if endpoint in facts.traces[s].endpoints
        ]
        found += _over_time(facts, lines, endpoint_name(endpoint), ("survival", endpoint))
    for strategy, trace in facts.traces.items():
        for endpoint in reversed(list(trace.endpoints)):
            groups = groups_of(trace, endpoint)
            if len(groups) < 2:
                continue
            lines = [_Line((strategy, endpoint, ALL), "All", REFERENCE_COLOUR, "-")]
            lines += [
                _Line((strategy, endpoint, g), _words(g), colour_of(i + 2), dash(i + 1))
                for i, g in enumerate(groups)
            ]
            title = f"{endpoint_name(endpoint)} by group: {facts.label(strategy)}"
            stem = ("survival", endpoint, strategy, "groups")
            found += _over_time(facts, lines, title, stem)
    return found + [_trace(facts, strategy) for strategy in facts.strategies]


def _words(group: str) -> str:
    return group.replace("_", " ").capitalize()


def _over_time(
    facts: Facts, lines: list[_Line], title: str, stem: tuple[str, ...]
) -> list[Picture]:
    """Chart of the time that data cover, where that is short, and of the whole time."""
    whole = shown_until(facts.traces)
    known = known_until(facts.results.spec, [line.key for line in lines])
    found = [_survival(facts, lines, f"{title}, {whole:g} years", whole, file_stem(*stem))]
    if known is not None and known < whole:
        first = f"{title}, first {known:g} years"
        found.insert(0, _survival(facts, lines, first, known, file_stem(*stem, "data")))
    return found


def _survival(facts: Facts, lines: list[_Line], title: str, until: float, stem: str) -> Picture:
    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=True)
        for line in lines:
            _draw_curve(facts, axes, line, until)
        _dress(axes, until)

    return Picture(name=stem, title=title, caption=_caption(facts, lines), draw=draw, legend=2)


def _dress(axes: Axes, until: float) -> None:
    limits(axes, "x", 0, until, 1.0 if until <= 12 else 5.0)
    axes.set_ylim(0, 1)
    percents(axes.yaxis)
    axes.set_xlabel("Years since start")
    axes.set_ylabel("Share of people")


def _draw_curve(facts: Facts, axes: Axes, line: _Line, until: float) -> None:
    curve = curve_of(facts.traces, line.key)
    assert curve is not None
    time = facts.traces[line.key[0]].time
    shown = time <= until + 1e-9
    axes.plot(time[shown], curve[shown], color=line.colour, linestyle=line.dash, label=line.label)
    _draw_observed(facts, axes, line, until)
    _draw_published(facts, axes, line, until)


def _draw_observed(facts: Facts, axes: Axes, line: _Line, until: float) -> None:
    for (s, e, g), km in facts.results.spec.km.items():
        if (s, e, g or ALL) != line.key:
            continue
        time = years_of(km)
        axes.plot(
            time[time <= until],
            km.survival[time <= until],
            linestyle="none",
            marker="o",
            markersize=2.4,
            markeredgewidth=0.6,
            markerfacecolor="none",
            color=line.colour,
            clip_on=False,
            label=f"{line.label}: Kaplan-Meier",
        )


def _draw_published(facts: Facts, axes: Axes, line: _Line, until: float) -> None:
    """Diamonds; an interval is upright for a share at a time and level for a median."""
    targets = [t for t in facts.results.spec.validation_targets if target_key(t) == line.key]
    points = [target_point(t) for t in targets]
    points = [(x, y) for x, y in points if x <= until + 1e-9]
    for target in targets:
        x, y = target_point(target)
        if target.low is None or target.high is None or x > until + 1e-9:
            continue
        low, high = target.low, target.high
        if target.time is None:
            per_year = UNITS_PER_YEAR[target.time_unit]
            axes.plot((low / per_year, high / per_year), (y, y), color=line.colour, linewidth=0.8)
        else:
            axes.plot((x, x), (low, high), color=line.colour, linewidth=0.8, clip_on=False)
    if points:
        axes.plot(
            *zip(*points, strict=True),
            linestyle="none",
            marker="D",
            markersize=4,
            markeredgecolor="white",
            markeredgewidth=0.4,
            color=line.colour,
            zorder=4,
            clip_on=False,
            label=f"{line.label}: published numbers",
        )


def _caption(facts: Facts, lines: list[_Line]) -> str:
    spec = facts.results.spec
    keys = [line.key for line in lines]
    observed = parted(*(k.source for (s, e, g), k in spec.km.items() if (s, e, g or ALL) in keys))
    published = parted(*(t.source for t in spec.validation_targets if target_key(t) in keys))
    words = ["Lines: modelled, base case."]
    if observed:
        words.append(f"Circles: Kaplan-Meier ({', '.join(observed)}).")
    if published:
        words.append(
            f"Diamonds: published numbers with their intervals ({', '.join(published)}), "
            "some perhaps of other populations or treatments."
        )
    return " ".join(words)


def _trace(facts: Facts, strategy: str) -> Picture:
    trace = facts.traces[strategy]
    until = shown_until(facts.traces)
    living = {state.id for state in facts.results.spec.living_states}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shown = np.flatnonzero(trace.time <= until + 1e-9)
        shown = shown[:: max(1, len(shown) // MOST_POINTS)]
        time = trace.time[shown]
        floor = np.zeros(len(time))
        for index, (state, occupancy) in enumerate(trace.occupancy.items()):
            top = floor + occupancy[0][shown]
            axes.fill_between(
                time,
                floor,
                top,
                facecolor=facts.state_colour(state),
                hatch=hatch(index) if state in living else "",
                linewidth=0,
                label=facts.state_label(state),
            )
            axes.plot(time, top, color="white", linewidth=0.6)
            floor = top
        _dress(axes, until)

    return Picture(
        name=file_stem("trace", strategy),
        title=f"Where people are over time: {facts.label(strategy)}",
        caption=f"Share of people in each health state over {until:g} years, base case.",
        draw=draw,
        legend=4,
    )
