"""Rows of ``Calc Costs``: which items each strategy pays and what part of the trace counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from heor.engine.outcomes import EVENTS
from heor.report.live import Column, Term, literal
from heor.report.lookup import index
from heor.report.sheets.layout import Context
from heor.spec.records import ADVERSE_EVENT_CATEGORY, ALL, Cost, State


@dataclass(frozen=True, slots=True)
class Occupancy:
    """People in a state or under a curve: everyone or nobody, plus and minus some curves."""

    everyone: bool
    curves: tuple[tuple[int, Column], ...]

    @property
    def empty(self) -> bool:
        """Whether it is nobody at any time."""
        return not self.everyone and not self.curves

    def _sum(self, of: Callable[[Column], Term]) -> Term:
        total = literal(1) if self.everyone else None
        for sign, column in self.curves:
            term = of(column)
            if total is None:
                total = term if sign > 0 else -term
            else:
                total = total + term if sign > 0 else total - term
        return literal(0) if total is None else total

    @property
    def starts(self) -> Term:
        """At the start of each cycle, as a range."""
        return self._sum(lambda column: column.starts)

    @property
    def ends(self) -> Term:
        """At the end of each cycle, as a range."""
        return self._sum(lambda column: column.ends)

    def starts_of(self, cycle: Term) -> Term:
        """At the start of cycles, counted from 1."""
        return self._sum(lambda column: index(column.starts, cycle))

    def ends_of(self, cycle: Term) -> Term:
        """At the end of cycles, counted from 1."""
        return self._sum(lambda column: index(column.ends, cycle))


@dataclass(frozen=True, slots=True)
class CostRow:
    """A cost item of one strategy and the part of the trace it is charged on.

    ``bucket`` is a state or ``events``; ``item`` the place of the row in its table. Without
    ``occupancy`` the amount is charged once.
    """

    strategy: str
    trigger: str
    item: int
    name: str
    category: str
    bucket: str
    group: str
    occupancy: Occupancy | None


def cost_rows(ctx: Context) -> Iterator[CostRow]:
    """Give the rows of every strategy, in table order, adverse events last."""
    spec = ctx.results.spec
    places = {id(cost): i for i, cost in enumerate(spec.costs)}
    for strategy in ctx.strategies:
        for cost in spec.costs_of(strategy):
            for bucket, occupancy in _parts(ctx, strategy, cost):
                yield CostRow(
                    strategy,
                    cost.trigger,
                    places[id(cost)],
                    cost.label or cost.id,
                    cost.category,
                    bucket,
                    cost.group,
                    occupancy,
                )
        for i, event in enumerate(spec.adverse_events):
            if event.strategy in (ALL, strategy):
                yield CostRow(
                    strategy,
                    "adverse event",
                    i,
                    event.event,
                    ADVERSE_EVENT_CATEGORY,
                    EVENTS,
                    event.group,
                    None,
                )


def _parts(ctx: Context, strategy: str, cost: Cost) -> list[tuple[str, Occupancy | None]]:
    """Where an item is charged: a state, the states under an endpoint, a curve, or once."""
    spec = ctx.results.spec
    if cost.trigger == "start":
        return [(EVENTS, None)]
    if cost.trigger in ("entry", "exit"):
        endpoint = "os" if cost.trigger == "entry" else cost.state
        return [(EVENTS, _curve(ctx, strategy, endpoint, cost.group))]
    for state in spec.states:
        if state.id == cost.state:
            return [(state.id, _state(ctx, strategy, state, cost.group))]
    nested = spec.nested_endpoints
    if cost.state not in nested:
        return [(EVENTS, _curve(ctx, strategy, cost.state, cost.group))]
    under = spec.living_states[: nested.index(cost.state) + 1]
    return [(state.id, _state(ctx, strategy, state, cost.group)) for state in under]


def _column(ctx: Context, strategy: str, endpoint: str, group: str) -> Column | None:
    if group == ALL:
        return ctx.columns.get(f"endpoint {strategy} {endpoint}")
    return ctx.columns.get(f"group {strategy} {endpoint} {group}")


def _curve(ctx: Context, strategy: str, endpoint: str, group: str) -> Occupancy:
    column = _column(ctx, strategy, endpoint, group)
    return Occupancy(False, () if column is None else ((1, column),))


def _state(ctx: Context, strategy: str, state: State, group: str) -> Occupancy:
    own = ctx.columns.get(f"state {strategy} {state.id}") if group == ALL else None
    if own is not None:
        return Occupancy(False, ((1, own),))
    if not state.endpoint:
        alive = _column(ctx, strategy, "os", group)
        return Occupancy(True, () if alive is None else ((-1, alive),))
    nested = ctx.results.spec.nested_endpoints
    present = [e for e in nested if f"endpoint {strategy} {e}" in ctx.columns]
    inner = {outer: inner for inner, outer in pairwise(present)}.get(state.endpoint)
    curves = []
    for sign, endpoint in ((1, state.endpoint), (-1, inner)):
        column = _column(ctx, strategy, endpoint, group) if endpoint else None
        if column is not None:
            curves.append((sign, column))
    return Occupancy(False, tuple(curves))
