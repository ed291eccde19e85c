"""Rows of ``utilities``, ``costs`` and ``adverse_events`` as records (methods 4 and 5)."""

from __future__ import annotations

from heor.spec.context import Reading, RowReader
from heor.spec.expressions import constant
from heor.spec.records import (
    ALL,
    TRIGGERS,
    AdverseEvent,
    Cost,
    Curve,
    State,
    Strategy,
    Utility,
)
from heor.spec.structure_rows import check_ids
from heor.spec.values import time_unit

#: Columns that each trigger needs and those it may fill besides.
TRIGGER_COLUMNS = {
    "start": ((), ()),
    "in_state": (("state", "per"), ("from", "until", "time_unit")),
    "schedule": (("state", "from", "every", "time_unit"), ("until",)),
    "entry": (("state",), ()),
    "exit": (("state",), ()),
}
_TRIGGER_COLUMNS = ("state", "per", "every", "from", "until", "time_unit")


def _strategy(cells: RowReader, strategies: tuple[Strategy, ...]) -> str:
    names = dict.fromkeys((ALL, *(strategy.id for strategy in strategies)))
    return cells.one_of(
        "strategy", names, "a strategy, nor `all`", required=True, of=("strategies",)
    )


def _group(cells: RowReader, strategy: str, curves: tuple[Curve, ...]) -> str:
    """Read a group of the strategy's curves; blank means the whole strategy."""
    groups = dict.fromkeys(c.group for c in curves if strategy in (ALL, c.strategy))
    of = "any strategy" if strategy == ALL else f"`{strategy}`"
    return cells.one_of("group", groups, f"a group of {of}", of=("curves", "parameters")) or ALL


def _window(cells: RowReader) -> tuple[float | None, float | None, str]:
    """Read ``from``, ``until`` and their unit."""
    start, until = cells.number("from"), cells.number("until")
    unit = cells.parsed("time_unit", time_unit) or ""
    timed = [c for c in ("from", "until", "every") if cells.text(c)]
    if timed and not cells.text("time_unit"):
        cells.problem("time_unit", f"`{timed[0]}` needs a time_unit")
    for column, value in (("from", start), ("until", until)):
        if value is not None and value < 0:
            cells.problem(column, f"found {value:g}; a time is at least 0")
    if until is not None and until <= (start or 0.0):
        cells.problem("until", f"until {until:g} is not after from {start or 0:g}")
    return start, until, unit


def read_utilities(
    reading: Reading, strategies: tuple[Strategy, ...], states: tuple[State, ...]
) -> tuple[Utility, ...]:
    """Make the utilities."""
    utilities = []
    for row in reading.rows("utilities"):
        cells = RowReader(reading, "utilities", row, row["state"].text)
        strategy = _strategy(cells, strategies)
        living = [state.id for state in states if state.endpoint]
        state = cells.one_of("state", living, "a living state", required=True, of=("states",))
        value = cells.expression("value", required=True)
        start, until, unit = _window(cells)
        if strategy and state and value is not None:
            utilities.append(
                Utility(
                    strategy=strategy,
                    state=state,
                    value=value,
                    start=start or 0.0,
                    until=until,
                    time_unit=unit or "year",
                    place=row.place,
                )
            )
    return tuple(utilities)


def read_costs(
    reading: Reading,
    strategies: tuple[Strategy, ...],
    states: tuple[State, ...],
    curves: tuple[Curve, ...],
) -> tuple[Cost, ...]:
    """Make the cost items, each with the columns that its trigger takes."""
    check_ids(reading, "costs")
    endpoints = dict.fromkeys((*(s.endpoint for s in states), *(c.endpoint for c in curves)))
    endpoints.pop("", None)
    dead = [state.id for state in states if not state.endpoint]
    living = [state.id for state in states if state.endpoint]
    places = {
        "start": (),
        "in_state": (*living, *endpoints, *dead),
        "schedule": (*living, *endpoints, *dead),
        "entry": dead,
        "exit": endpoints,
    }
    what = {
        "in_state": "a state or an endpoint",
        "schedule": "a state or an endpoint",
        "entry": "the dead state (`entry` is for it only)",
        "exit": "an endpoint (`exit` is for endpoints only)",
    }
    costs = []
    for row in reading.rows("costs"):
        cells = RowReader(reading, "costs", row, row["id"].text)
        strategy = _strategy(cells, strategies)
        trigger = cells.one_of("trigger", TRIGGERS, "a trigger", required=True)
        amount = cells.expression("amount", required=True)
        label = cells.text("label", required=True)
        category = cells.text("category", required=True)
        group = _group(cells, strategy, curves) if strategy else ALL
        if not trigger:
            continue
        _check_trigger(cells, trigger)
        state = ""
        if trigger != "start":
            state = cells.one_of(
                "state", places[trigger], what[trigger], of=("states", "curves", "parameters")
            )
        per = cells.parsed("per", time_unit) or ""
        every = cells.number("every")
        if every is not None and every <= 0:
            cells.problem("every", f"found {every:g}; the interval must be above 0")
        start, until, unit = _window(cells)
        if strategy and amount is not None:
            costs.append(
                Cost(
                    id=row["id"].text,
                    label=label,
                    category=category,
                    strategy=strategy,
                    trigger=trigger,
                    state=state,
                    group=group,
                    per=per,
                    every=every,
                    start=start,
                    until=until,
                    time_unit=unit,
                    amount=amount,
                    perspective=cells.text("perspective"),
                    place=row.place,
                )
            )
    return tuple(costs)


def _check_trigger(cells: RowReader, trigger: str) -> None:
    needed, allowed = TRIGGER_COLUMNS[trigger]
    for column in _TRIGGER_COLUMNS:
        filled = bool(cells.text(column))
        if filled and column not in needed and column not in allowed:
            cells.problem(column, f"`{column}` does not go with the trigger `{trigger}`")
        elif not filled and column in needed and not cells.row[column].broken:
            cells.problem(column, f"the trigger `{trigger}` needs `{column}`")


def read_adverse_events(
    reading: Reading, strategies: tuple[Strategy, ...], curves: tuple[Curve, ...]
) -> tuple[AdverseEvent, ...]:
    """Make the adverse events; a blank cost, disutility or duration is 0."""
    events = []
    for row in reading.rows("adverse_events"):
        cells = RowReader(reading, "adverse_events", row, row["event"].text)
        strategy = _strategy(cells, strategies)
        event = cells.text("event", required=True)
        probability = cells.expression("probability", required=True)
        cost, disutility, duration = (
            constant(0.0) if not cells.text(column) else cells.expression(column)
            for column in ("cost", "disutility", "duration_days")
        )
        cells.source()
        group = _group(cells, strategy, curves) if strategy else ALL
        if strategy and probability and cost and disutility and duration:
            events.append(
                AdverseEvent(
                    strategy=strategy,
                    event=event,
                    probability=probability,
                    cost=cost,
                    disutility=disutility,
                    duration_days=duration,
                    group=group,
                    place=row.place,
                )
            )
    return tuple(events)
