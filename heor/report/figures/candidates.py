"""Candidate curves of each strategy, endpoint and group beside what was observed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from heor.engine.evaluate import traces
from heor.errors import HeorError
from heor.report.charts import REFERENCE_COLOUR, colour_of
from heor.report.curve_facts import Key, endpoint_name, parted, shown_until, years_of
from heor.report.figures.picture import Picture, dash, file_stem, limits, percents
from heor.report.view import Facts
from heor.spec.changes import CURVE, apply_changes
from heor.spec.draws import base
from heor.spec.parameters import FloatArray
from heor.spec.records import ALL, Change, Curve, KaplanMeier, Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Height of a figure in inches: two charts and the numbers at risk.
HEIGHT = 4.6

#: Half width of a 95% interval in standard errors.
Z95 = 1.959963984540054

#: Numbers at risk under a chart.
_AT_RISK = 7


def pictures(facts: Facts) -> list[Picture]:
    """A figure for every slot that has several candidates."""
    spec = facts.results.spec
    slots: dict[Key, list[Curve]] = {}
    for curve in spec.curves:
        slots.setdefault((curve.strategy, curve.endpoint, curve.group), []).append(curve)
    return [_picture(facts, key, found) for key, found in slots.items() if len(found) > 1]


def greenwood(km: KaplanMeier) -> tuple[FloatArray, FloatArray] | None:
    """95% band of a Kaplan-Meier curve ``(point,)``, symmetric in ln(-ln S).

    None where the table does not give numbers at risk and events.
    """
    if not (np.isfinite(km.at_risk).all() and np.isfinite(km.events).all()):
        return None
    n, d, s = km.at_risk, km.events, km.survival
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.cumsum(np.where(d > 0, d / (n * (n - d)), 0.0)))
        width = np.exp(Z95 * spread / np.abs(np.log(s)))
        low, high = s**width, s ** (1 / width)
    inside = (s > 0) & (s < 1)
    return np.where(inside, low, s), np.where(inside, high, s)


def _curves(spec: Spec, key: Key, candidates: Sequence[Curve]) -> dict[str, FloatArray]:
    """Each candidate as the group's curve in the base case, but those that the model refuses."""
    strategy, endpoint, group = key
    found = {}
    for curve in candidates:
        change = Change(target=CURVE + ".".join(key), value=curve.id, place=curve.place)
        try:
            changed = apply_changes(spec, [change])
            trace = traces(changed, base(changed))[strategy]
        except HeorError:
            continue
        found[curve.id] = trace.group_curves[endpoint, group][0]
    return found


def _picture(facts: Facts, key: Key, candidates: Sequence[Curve]) -> Picture:
    spec = facts.results.spec
    strategy, endpoint, group = key
    km = next((k for (s, e, g), k in spec.km.items() if (s, e, g or ALL) == key), None)
    whole = shown_until(facts.traces)
    known = whole if km is None else min(whole, math.ceil(float(years_of(km)[-1]) * (1 - 1e-9)))
    words = "" if group == ALL else f", {group.replace('_', ' ')}"
    title = f"Candidates: {facts.label(strategy)}, {endpoint_name(endpoint).lower()}{words}"

    def draw(figure: Figure) -> None:
        curves = _curves(spec, key, candidates)
        time = facts.traces[strategy].time
        if known < whole:
            left, right = figure.subplots(1, 2, sharey=True)
            _chart(left, time, curves, candidates, known)
            right.tick_params(labelleft=False)
            right.set_ylabel("")
        else:
            left = right = figure.add_subplot()
        if km is not None:
            _observed(left, km, known)
        _chart(right, time, curves, candidates, whole, legend=left is right)
        left.set_ylabel("Share of people")

    caption = (
        "Each candidate as the group's curve in the base case, with every step of the model, caps "
        "and background mortality too."
    )
    if km is not None:
        caption += f" Grey: Kaplan-Meier ({', '.join(parted(km.source))})"
        caption += ", its 95% band and the numbers at risk." if greenwood(km) else "."
        caption += " A curve may be calibrated to another source."
    stem = file_stem("candidates", *key)
    return Picture(name=stem, title=title, caption=caption, draw=draw, height=HEIGHT, legend=2)


def _chart(
    axes: Axes,
    time: FloatArray,
    curves: dict[str, FloatArray],
    candidates: Sequence[Curve],
    until: float,
    *,
    legend: bool = True,
) -> None:
    axes.grid(visible=True)
    shown = time <= until + 1e-9
    for place, one in enumerate(candidates):
        if one.id not in curves:
            continue
        family = one.family.replace("_", " ")
        mark = " (in use)" if one.use and not one.average else ""
        axes.plot(
            time[shown],
            curves[one.id][shown],
            color=colour_of(place),
            linestyle=dash(place),
            linewidth=2.0 if one.use else 1.3,
            label=f"{one.id}: {family}{mark}" if legend else "_",
        )
    limits(axes, "x", 0, until, 0.5 if until <= 3 else 1.0 if until <= 12 else 5.0)
    axes.set_ylim(0, 1)
    percents(axes.yaxis)
    axes.set_xlabel("Years since start")


def _observed(axes: Axes, km: KaplanMeier, until: float) -> None:
    time = years_of(km)
    shown = time <= until + 1e-9
    axes.step(
        time[shown],
        km.survival[shown],
        where="post",
        color=REFERENCE_COLOUR,
        linewidth=1.0,
        label="Kaplan-Meier",
    )
    band = greenwood(km)
    if band is None:
        return
    low, high = band
    axes.fill_between(
        time[shown], low[shown], high[shown], step="post", color=REFERENCE_COLOUR, alpha=0.15,
        linewidth=0,
    )  # fmt: skip
    ticks = np.linspace(0, until, _AT_RISK)[:-1]
    for at in ticks:
        later = np.flatnonzero(time >= at - 1e-9)
        count = f"{km.at_risk[later[0]]:,.0f}" if len(later) else "0"
        axes.text(
            at, -0.245, count, transform=axes.get_xaxis_transform(), ha="center", fontsize=7
        )  # fmt: skip
    axes.text(
        0, -0.19, "Number at risk", transform=axes.get_xaxis_transform(), ha="left", fontsize=7
    )  # fmt: skip
