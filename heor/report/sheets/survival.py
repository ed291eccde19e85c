"""``Survival``: curves with their Kaplan-Meier points and published numbers, and landmarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from heor.report.charts import REFERENCE_COLOUR, Axis, Cells, Series, colour_of, xy_chart
from heor.report.live import GRID_ROW, Column, put
from heor.report.sheets.calc_trace import shown_until, state_chart
from heor.report.sheets.comparison import DASH
from heor.report.sheets.layout import Context, fit_height, head, heading, table_head
from heor.report.xlsx import AFTER, HEADER, NOTE, WRAP, Sheet, Style, cell_name
from heor.spec.parameters import FloatArray
from heor.spec.records import ALL, UNITS_PER_YEAR, KaplanMeier, ValidationTarget

#: Years of the landmark table.
LANDMARKS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)

#: Size of a chart in pixels, and the rows of 20 pixels it covers with a gap.
WIDTH, HEIGHT, CHART_ROWS = 660, 420, 22

_LABEL_WIDTH = 46

#: What the points in the charts are, and what they are not.
POINTS_NOTE = (
    "Kaplan-Meier and published points are from the sources in the tables below, some of them of "
    "other populations or treatments; curves may be calibrated to other sources."
)

#: Sources that a legend names.
MOST_SOURCES = 3

#: Shortest time axis in years.
SHORTEST = 2.0

#: Column of the second chart of a row, and more charts than any sheet needs.
SECOND_COLUMN, MOST_CHARTS = 5, 200

_SHARE = Style("value", unit="share", align="right")
_YEARS = Style("value", unit="year")
_LANDMARK = Style("link", unit="share")
_ENDPOINT_NAMES = {
    "os": "Overall survival",
    "pfs": "Progression-free survival",
    "response": "In response",
}


@dataclass(frozen=True, slots=True)
class _Points:
    """Where published points of one curve stand on the sheet, and the keys of their sources."""

    x: Cells
    y: Cells
    sources: tuple[str, ...]


_Key = tuple[str, str, str]


def endpoint_name(endpoint: str) -> str:
    """Words for an endpoint."""
    return _ENDPOINT_NAMES.get(endpoint, endpoint)


@dataclass(frozen=True, slots=True)
class _Chart:
    """One chart: an endpoint over all strategies, or over the groups of one."""

    endpoint: str
    strategy: str | None
    until: float
    part: bool = False


def write_survival(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet: charts on top, then the tables they read."""
    row = head(ctx, sheet, "Survival curves", live=True)
    if ctx.results.spec.km or ctx.results.spec.validation_targets:
        sheet.text(row, 0, POINTS_NOTE, NOTE)
        row += 2
    charts = _charts(ctx)
    places = [(row + CHART_ROWS * (i // 2), SECOND_COLUMN * (i % 2)) for i in range(MOST_CHARTS)]
    count = len(charts) + len(ctx.strategies)
    table_row = row + CHART_ROWS * (-(-count // 2)) + 1
    table_row = _write_landmarks(ctx, sheet, table_row) + 1
    targets: dict[_Key, _Points] = {}
    if ctx.results.spec.validation_targets:
        table_row = _write_targets(ctx, sheet, table_row, targets) + 1
    printed = table_row
    observed: dict[_Key, _Points] = {}
    if ctx.results.spec.km:
        _write_observed(ctx, sheet, table_row, observed)
    spots = iter(places)
    for one in charts:
        _place_chart(ctx, sheet, next(spots), one, observed, targets)
    for strategy in ctx.strategies:
        chart, alt = state_chart(ctx, strategy)
        sheet.place(*next(spots), chart, width=WIDTH, height=HEIGHT, alt=alt)
    sheet.widths((_LABEL_WIDTH, 16, 12, 15, 10, 10, 10, 10, 10, 10, 12, 12, 13, 34, 9, 9))
    sheet.freeze(4, 0)
    sheet.print_setup(area=(0, 0, printed - 1, 13))


def _charts(ctx: Context) -> list[_Chart]:
    """Each endpoint over the time that data cover and over the long run, then by group."""
    whole = shown_until(ctx)
    endpoints = list(dict.fromkeys(e for t in ctx.traces.values() for e in t.endpoints))
    charts = []
    for endpoint in reversed(endpoints):
        keys = [(s, endpoint, ALL) for s in ctx.strategies]
        known = _known_until(ctx, keys)
        if known is not None and known < whole:
            charts.append(_Chart(endpoint, None, known, part=True))
        charts.append(_Chart(endpoint, None, whole))
    for strategy, trace in ctx.traces.items():
        for endpoint in reversed(list(trace.endpoints)):
            groups = [g for e, g in trace.group_curves if e == endpoint]
            if len(groups) < 2:
                continue
            known = _known_until(ctx, [(strategy, endpoint, g) for g in (ALL, *groups)])
            if known is None or known >= whole:
                charts.append(_Chart(endpoint, strategy, whole))
            else:
                charts.append(_Chart(endpoint, strategy, known, part=True))
    return charts


def _known_until(ctx: Context, keys: list[_Key]) -> float | None:
    """Whole years that published points of some curves cover; None when there are none."""
    spec = ctx.results.spec
    ends = [float(_years(km)[-1]) for (s, e, g), km in spec.km.items() if (s, e, g or ALL) in keys]
    for target in spec.validation_targets:
        if _target_key(target) in keys:
            time = target.value if target.time is None else target.time
            ends.append(time / UNITS_PER_YEAR[target.time_unit])
    return max(float(np.ceil(max(ends) * (1 - 1e-9))), SHORTEST) if ends else None


def _curve(ctx: Context, key: _Key) -> FloatArray | None:
    """Base-case curve of (strategy, endpoint, group); None where the model has none."""
    strategy, endpoint, group = key
    trace = ctx.traces.get(strategy)
    if trace is None:
        return None
    if group in ("", ALL):
        curve = trace.endpoints.get(endpoint)
    else:
        curve = trace.group_curves.get((endpoint, group))
    return None if curve is None else curve[0]


def _column_of(ctx: Context, key: _Key) -> Column:
    strategy, endpoint, group = key
    if group == ALL:
        return ctx.columns[f"endpoint {strategy} {endpoint}"]
    return ctx.columns[f"group {strategy} {endpoint} {group}"]


def _shown_curves(ctx: Context) -> list[_Key]:
    """Every endpoint of every strategy, followed by its groups."""
    keys = []
    for strategy, trace in ctx.traces.items():
        for endpoint in reversed(list(trace.endpoints)):
            keys.append((strategy, endpoint, ALL))
            groups = [g for e, g in trace.group_curves if e == endpoint and g != ALL]
            keys += [(strategy, endpoint, group) for group in groups]
    return keys


def _write_landmarks(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(
        sheet,
        row,
        "Modelled curves at landmarks",
        "Share at the cycle boundary nearest to each landmark (cells of the Calc Trace sheets); "
        "medians lie on a straight line between boundaries.",
    )
    time = next(iter(ctx.traces.values())).time
    years = [year for year in LANDMARKS if year <= time[-1]]
    heads = ("Endpoint", "Strategy", "Group", "Median, months", *(f"{y:g} y" for y in years))
    row = table_head(sheet, row, heads, 18)
    for key in _shown_curves(ctx):
        strategy, endpoint, group = key
        curve = _curve(ctx, key)
        assert curve is not None
        sheet.text(row, 0, endpoint_name(endpoint))
        sheet.text(row, 1, strategy, Style(align="right"))
        sheet.text(row, 2, group, Style(align="right"))
        median = crossing_time(time, curve, 0.5)
        shown = DASH if not median else median * UNITS_PER_YEAR["month"]
        sheet.cell(row, 3, shown, Style("value", unit="month", align="right"))
        for offset, year in enumerate(years):
            nearest = int(np.abs(time - year).argmin())
            put(sheet, row, 4 + offset, _column_of(ctx, key).at(nearest), _LANDMARK)
        row += 1
    return row


def crossing_time(time: FloatArray, curve: FloatArray, level: float) -> float | None:
    """Time at which a falling curve ``(cycle,)`` passes a level; None when it does not.

    Straight between boundaries, in the unit of ``time``.
    """
    below = np.flatnonzero(curve <= level)
    if not len(below):
        return None
    k = int(below[0])
    if k == 0:
        return float(time[0])
    step = (curve[k - 1] - level) / (curve[k - 1] - curve[k])
    return float(time[k - 1] + step * (time[k] - time[k - 1]))


def _in_order(ctx: Context, targets: Iterable[ValidationTarget]) -> list[ValidationTarget]:
    """Rows of one curve side by side, curves in the order of the landmarks."""
    order = {key: place for place, key in enumerate(_shown_curves(ctx))}
    return sorted(targets, key=lambda t: order.get(_target_key(t), len(order)))


def _target_key(target: ValidationTarget) -> _Key:
    return target.strategy, target.endpoint, target.group or ALL


def _modelled(ctx: Context, target: ValidationTarget) -> float | None:
    """Model's value of a published number, in that number's unit."""
    curve = _curve(ctx, _target_key(target))
    if curve is None:
        return None
    time = ctx.traces[target.strategy].time
    per_year = UNITS_PER_YEAR[target.time_unit]
    if target.time is None:
        median = crossing_time(time, curve, 0.5)
        return None if median is None else median * per_year
    at = target.time / per_year
    return float(np.interp(at, time, curve)) if at <= time[-1] else None


def _write_targets(ctx: Context, sheet: Sheet, row: int, found: dict[_Key, _Points]) -> int:
    row = heading(
        sheet,
        row,
        "Published numbers and the model",
        "Shares at a time, or medians (time blank). Numbers the curves were fitted to are no test.",
    )
    heads = (
        "What",
        "Strategy",
        "Endpoint",
        "Group",
        "Time",
        "Unit",
        "Published",
        "Low",
        "High",
        "Model",
        "Model − published",
        "Inside interval",
        "Used in fitting",
        "Source",
        "Chart: years",
        "Chart: share",
    )
    row = table_head(sheet, row, heads, 30, texts=("Source",))
    rows: dict[_Key, list[int]] = {}
    for target in _in_order(ctx, ctx.results.spec.validation_targets):
        median = target.time is None
        style = Style("value", unit="month" if median else "share", align="right")
        sheet.text(row, 0, target.label, WRAP)
        fit_height(sheet, row, ((target.label, _LABEL_WIDTH),))
        for column, text in ((1, target.strategy), (2, target.endpoint), (3, target.group or ALL)):
            sheet.text(row, column, text, Style(align="right"))
        sheet.cell(row, 4, target.time, Style("value", align="right"))
        sheet.text(row, 5, target.time_unit, Style(align="right"))
        for column, value in ((6, target.value), (7, target.low), (8, target.high)):
            sheet.cell(row, column, value, style)
        _write_model(ctx, sheet, row, target, style)
        sheet.text(row, 12, "yes" if target.used_in_fitting else "no", Style(align="right"))
        sheet.text(row, 13, target.source, AFTER)
        years = (target.value if median else target.time or 0.0) / UNITS_PER_YEAR[target.time_unit]
        sheet.number(row, 14, years, _YEARS)
        sheet.number(row, 15, 0.5 if median else target.value, _SHARE)
        rows.setdefault(_target_key(target), []).append(row)
        row += 1
    for key, places in rows.items():
        x, y = (Cells(sheet, column, places[0], places[-1]) for column in (14, 15))
        found[key] = _Points(x, y, _sources(ctx, key))
    return row


def _sources(ctx: Context, key: _Key) -> tuple[str, ...]:
    """Sources of the published numbers of a curve, each once."""
    targets = [t for t in ctx.results.spec.validation_targets if _target_key(t) == key]
    return _parted(*(t.source for t in _in_order(ctx, targets)))


def _parted(*texts: str) -> tuple[str, ...]:
    """Keys of sources in cells that hold one or several, each once."""
    parts = (part.strip() for text in texts for part in text.split(";"))
    return tuple(dict.fromkeys(part for part in parts if part))


def _named(sources: Sequence[str]) -> str:
    """Sources as a legend names them: the first ones, and how many more there are."""
    rest = len(sources) - MOST_SOURCES
    return ", ".join(sources[:MOST_SOURCES]) + (f" and {rest} more" if rest > 0 else "")


def _write_model(
    ctx: Context, sheet: Sheet, row: int, target: ValidationTarget, style: Style
) -> None:
    model = _modelled(ctx, target)
    live = Style("formula", unit=style.unit, align="right")
    if model is None:
        for column in (9, 10, 11):
            sheet.text(row, column, DASH, Style(align="right"))
        return
    sheet.number(row, 9, model, style)
    mine, published = cell_name(row, 9), cell_name(row, 6)
    sheet.formula(row, 10, f"={mine}-{published}", model - target.value, live)
    if target.low is None or target.high is None:
        sheet.text(row, 11, DASH, Style(align="right"))
        return
    low, high = cell_name(row, 7), cell_name(row, 8)
    inside = "yes" if target.low <= model <= target.high else "no"
    formula = f'=IF(AND({mine}>={low},{mine}<={high}),"yes","no")'
    sheet.formula(row, 11, formula, inside, Style("formula", align="right"))


def _write_observed(ctx: Context, sheet: Sheet, row: int, found: dict[_Key, _Points]) -> None:
    """Kaplan-Meier points in years, two columns a curve."""
    row = heading(sheet, row, "Kaplan-Meier points drawn in the charts", "From the km table.")
    column = 0
    for key, km in ctx.results.spec.km.items():
        strategy, endpoint, group = key
        words = f"{strategy}, {endpoint}, {group or ALL} ({km.source}): years"
        sheet.text(row, column, words, HEADER)
        sheet.text(row, column + 1, "Survival", Style("header", align="right"))
        table = np.column_stack([_years(km), km.survival])
        sheet.block(row + 1, column, table, [_YEARS, _SHARE])
        last = row + len(km.time)
        x, y = (Cells(sheet, column + place, row + 1, last) for place in (0, 1))
        found[strategy, endpoint, group or ALL] = _Points(x, y, _parted(km.source))
        column += 2
    sheet.height(row, 58)


def _years(km: KaplanMeier) -> FloatArray:
    return np.asarray(km.time / UNITS_PER_YEAR[km.time_unit], dtype=np.float64)


def _place_chart(
    ctx: Context,
    sheet: Sheet,
    spot: tuple[int, int],
    one: _Chart,
    observed: dict[_Key, _Points],
    targets: dict[_Key, _Points],
) -> None:
    endpoint, strategy, until = one.endpoint, one.strategy, one.until
    if strategy is None:
        with_curve = [s for s, t in ctx.traces.items() if endpoint in t.endpoints]
        keys = [((s, endpoint, ALL), ctx.label(s), ctx.colour(s)) for s in with_curve]
        title = endpoint_name(endpoint)
    else:
        groups = [g for e, g in ctx.traces[strategy].group_curves if e == endpoint]
        keys = [
            ((strategy, endpoint, g), g.replace("_", " "), colour_of(i + 2))
            for i, g in enumerate(groups)
        ]
        keys.insert(0, ((strategy, endpoint, ALL), "all", REFERENCE_COLOUR))
        title = f"{endpoint_name(endpoint)} by group: {ctx.label(strategy)}"
    title += f", first {until:g} years" if one.part else f", {until:g} years"
    series = []
    for key, label, colour in keys:
        series += _series(ctx, key, label, colour, until, observed, targets)
    chart = xy_chart(
        ctx.book,
        title,
        series,
        Axis(
            title="Years since start",
            low=0,
            high=until,
            step=1.0 if until <= 12 else 5.0,
            number_format="0",
        ),
        Axis(title="Share of people", low=0, high=1, step=0.2, number_format="0%"),
    )
    alt = f"{title}: modelled curves with Kaplan-Meier and published points where there are any."
    sheet.place(*spot, chart, width=WIDTH, height=HEIGHT, alt=alt)


def _series(
    ctx: Context,
    key: _Key,
    label: str,
    colour: str,
    until: float,
    observed: dict[_Key, _Points],
    targets: dict[_Key, _Points],
) -> list[Series]:
    strategy, _, _ = key
    trace = ctx.traces[strategy]
    column = _column_of(ctx, key)
    last = GRID_ROW + int(np.searchsorted(trace.time, until + 1e-9)) - 1
    time = Cells(column.sheet, 1, GRID_ROW, last)
    curve = Cells(column.sheet, column.place, GRID_ROW, last)
    series = [Series(name=label, x=time, y=curve, colour=colour)]
    if key in observed:
        points = observed[key]
        series.append(
            Series(
                name=f"Kaplan-Meier, {label}: {_named(points.sources)}",
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
                name=f"Published, set beside {label}: {_named(points.sources)}",
                x=points.x,
                y=points.y,
                colour=colour,
                line=False,
                marker="diamond",
                marker_size=8,
            )
        )
    return series
