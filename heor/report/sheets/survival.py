"""``Survival``: curves with their Kaplan-Meier points and published numbers, and landmarks."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from heor.report.charts import (
    REFERENCE_COLOUR,
    Axis,
    Cells,
    Series,
    area_chart,
    colour_of,
    dash_of,
    xy_chart,
)
from heor.report.curve_facts import (
    Key,
    endpoint_name,
    endpoints_of,
    groups_of,
    known_until,
    named,
    parted,
    shown_until,
)
from heor.report.live import GRID_HEADING, GRID_ROW, Column, Term, put
from heor.report.lookup import joined, whole_number
from heor.report.sheets.layout import Context, head
from heor.report.sheets.survival_fits import write_fits
from heor.report.sheets.survival_tables import (
    LAST_PRINTED,
    WIDTHS,
    YEARS_COLUMN,
    Points,
    Tables,
)
from heor.report.xlsx import NOTE, Sheet, Style
from heor.spec.records import ALL

#: Size of a chart in pixels, and the rows of 20 pixels it covers with a gap.
WIDTH, HEIGHT, CHART_ROWS = 660, 470, 24

#: What the points in the charts are, and what they are not.
POINTS_NOTE = (
    "Kaplan-Meier and published points are from the sources in the tables below, some of them of "
    "other populations or treatments; curves may be calibrated to other sources."
)

#: Years up to which a time axis has a label every year.
YEARLY = 12

#: Column of the second chart of a row.
SECOND_COLUMN = 5


@dataclass(frozen=True, slots=True)
class _Chart:
    """One chart: an endpoint over all strategies, or over the groups of one."""

    endpoint: str
    strategy: str | None
    until: float
    part: bool = False


def write_survival(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet: charts on top, then the tables they read."""
    spec = ctx.results.spec
    row = head(ctx, sheet, "Survival curves", live=True)
    if spec.km or spec.validation_targets:
        sheet.text(row, 0, POINTS_NOTE, NOTE)
        row += 2
    charts = _charts(ctx)
    count = len(charts) + len(ctx.strategies)
    spots = iter([(row + CHART_ROWS * (i // 2), SECOND_COLUMN * (i % 2)) for i in range(count)])
    tables = Tables(ctx, sheet)
    row = tables.landmarks(row + CHART_ROWS * (-(-count // 2)) + 1)
    row = tables.final(row + 1)
    row = tables.candidates(row + 1)
    row = write_fits(ctx, sheet, row + 1, WIDTHS[LAST_PRINTED])
    targets: dict[Key, Points] = {}
    if spec.validation_targets:
        row = tables.targets(row + 1, targets)
    observed = _observed(ctx)
    for one in charts:
        _place_chart(ctx, sheet, next(spots), one, observed, targets)
    _write_years(ctx, sheet)
    for strategy in ctx.strategies:
        _place_states(ctx, sheet, next(spots), strategy)
    sheet.widths(WIDTHS)
    sheet.freeze(4, 0)
    sheet.print_setup(area=(0, 0, row, LAST_PRINTED), large=True)


def _charts(ctx: Context) -> list[_Chart]:
    """Each endpoint over the time that data cover and over the long run, then by group."""
    spec, whole = ctx.results.spec, shown_until(ctx.traces)
    charts = []
    for endpoint in endpoints_of(ctx.traces):
        known = known_until(spec, [(s, endpoint, ALL) for s in ctx.strategies])
        if known is not None and known < whole:
            charts.append(_Chart(endpoint, None, known, part=True))
        charts.append(_Chart(endpoint, None, whole))
    for strategy, trace in ctx.traces.items():
        for endpoint in reversed(list(trace.endpoints)):
            groups = groups_of(trace, endpoint)
            if len(groups) < 2:
                continue
            known = known_until(spec, [(strategy, endpoint, g) for g in (ALL, *groups)])
            if known is None or known >= whole:
                charts.append(_Chart(endpoint, strategy, whole))
            else:
                charts.append(_Chart(endpoint, strategy, known, part=True))
    return charts


def _observed(ctx: Context) -> dict[Key, Points]:
    """Kaplan-Meier points of each curve, in years, where the calculation sheets have them."""
    found = {}
    for (strategy, endpoint, group), km in ctx.results.spec.km.items():
        x, y = (
            _cells(ctx, ctx.live[f"km {strategy}.{endpoint}.{group or ALL} {key}"])
            for key in ("time", "survival")
        )
        found[strategy, endpoint, group or ALL] = Points(x, y, parted(km.source))
    return found


def _cells(ctx: Context, area: Term) -> Cells:
    """Give a range of one column as a chart wants it."""
    match = re.fullmatch(r"'(.+)'!\$([A-Z]+)\$(\d+):\$\2\$(\d+)", area.text)
    assert match is not None
    column = 0
    for letter in match[2]:
        column = 26 * column + ord(letter) - ord("A") + 1
    sheet = ctx.book.sheets[match[1].replace("''", "'")]
    return Cells(sheet, column - 1, int(match[3]) - 1, int(match[4]) - 1)


def _place_chart(
    ctx: Context,
    sheet: Sheet,
    spot: tuple[int, int],
    one: _Chart,
    observed: dict[Key, Points],
    targets: dict[Key, Points],
) -> None:
    endpoint, strategy, until = one.endpoint, one.strategy, one.until
    if strategy is None:
        with_curve = [s for s, t in ctx.traces.items() if endpoint in t.endpoints]
        keys = [
            ((s, endpoint, ALL), ctx.label(s), ctx.colour(s), dash_of(ctx.strategies.index(s)))
            for s in with_curve
        ]
        title = endpoint_name(endpoint)
    else:
        groups = groups_of(ctx.traces[strategy], endpoint)
        keys = [
            ((strategy, endpoint, g), g.replace("_", " "), colour_of(i + 2), dash_of(i + 1))
            for i, g in enumerate(groups)
        ]
        keys.insert(0, ((strategy, endpoint, ALL), "all", REFERENCE_COLOUR, "solid"))
        title = f"{endpoint_name(endpoint)} by group: {ctx.label(strategy)}"
    title += f", first {until:g} years" if one.part else f", {until:g} years"
    series = []
    for key, label, colour, dash in keys:
        series += _series(ctx, key, label, (colour, dash), until, observed, targets)
    if endpoint == "os":
        series += _population(ctx, until)
    chart = xy_chart(
        ctx.book,
        title,
        series,
        Axis(
            title="Years since start",
            low=0,
            high=until,
            step=1.0 if until <= YEARLY else 5.0,
            number_format="0",
        ),
        Axis(title="Share of people", low=0, high=1, step=0.2, number_format="0%"),
    )
    alt = f"{title}: modelled curves with Kaplan-Meier and published points where there are any."
    sheet.place(*spot, chart, width=WIDTH, height=HEIGHT, alt=alt)


def _series(
    ctx: Context,
    key: Key,
    label: str,
    look: tuple[str, str],
    until: float,
    observed: dict[Key, Points],
    targets: dict[Key, Points],
) -> list[Series]:
    strategy, endpoint, group = key
    name = f"endpoint {strategy} {endpoint}"
    if group != ALL:
        name = f"group {strategy} {endpoint} {group}"
    time, curve = (_until(ctx, ctx.columns[of], until) for of in ("t", name))
    colour, dash = look
    series = [Series(name=label, x=time, y=curve, colour=colour, dash=dash)]
    if key in observed:
        points = observed[key]
        series.append(
            Series(
                name=f"Kaplan-Meier, {label}: {named(points.sources)}",
                x=points.x,
                y=points.y,
                colour=colour,
                line=False,
                marker="circle",
                marker_size=4,
                hollow=True,
            )
        )
    if key in targets:
        points = targets[key]
        series.append(
            Series(
                name=f"Published, set beside {label}: {named(points.sources)}",
                x=points.x,
                y=points.y,
                colour=colour,
                line=False,
                marker="diamond",
                marker_size=8,
            )
        )
    return series


def _population(ctx: Context, until: float) -> list[Series]:
    """Survival of the general population, where the study has a life table."""
    column = ctx.columns.get("background")
    if column is None:
        return []
    time = _until(ctx, ctx.columns["t"], until)
    name = "General population of the same age and sex"
    y = _until(ctx, column, until)
    return [Series(name=name, x=time, y=y, colour="#7F7F7F", dash="square_dot", width=1.25)]


def _label_every(ctx: Context) -> int:
    """Cycles between the labels of the time axis of stacked areas."""
    years = 1 if shown_until(ctx.traces) <= YEARLY else 5
    return max(1, round(years / float(ctx.columns["t"].values[1])))


def _write_years(ctx: Context, sheet: Sheet) -> None:
    """Write that axis' labels: whole years as texts, and nothing between them.

    A spreadsheet that does not skip labels shows them in full all the same.
    """
    time = ctx.columns["t"]
    sheet.text(GRID_HEADING, YEARS_COLUMN, "Chart: years", Style("header", align="right"))
    for row in range(0, len(time.values), _label_every(ctx)):
        # a text that reads as a number would make an axis of numbers
        label = joined(whole_number(time.at(row)), " y")
        put(sheet, GRID_ROW + row, YEARS_COLUMN, label, Style("formula", align="right"))


def _place_states(ctx: Context, sheet: Sheet, spot: tuple[int, int], strategy: str) -> None:
    """Stacked areas of the states over time."""
    until = shown_until(ctx.traces)
    labels = Column(sheet, YEARS_COLUMN, GRID_ROW, ctx.columns["t"].values)
    states = [state.id for state in ctx.results.spec.states]
    series = [
        Series(
            name=ctx.state_label(state),
            x=_until(ctx, labels, until),
            y=_until(ctx, ctx.columns[f"state {strategy} {state}"], until),
            colour=ctx.state_colour(state),
        )
        for state in states
        if f"state {strategy} {state}" in ctx.columns
    ]
    title = f"Where people are over time: {ctx.label(strategy)}"
    chart = area_chart(
        ctx.book,
        title,
        series,
        Axis(title="Years since start", grid=False),
        Axis(title="Share of people", low=0, high=1, step=0.2, number_format="0%"),
        _label_every(ctx),
    )
    alt = f"{title}. Stacked shares of people in each state over {until:g} years."
    sheet.place(*spot, chart, width=WIDTH, height=HEIGHT, alt=alt)


def _until(ctx: Context, column: Column, until: float) -> Cells:
    """Rows of a column up to a time."""
    count = int(np.searchsorted(ctx.columns["t"].values, until + 1e-9))
    return Cells(column.sheet, column.place, column.first, column.first + count - 1)
