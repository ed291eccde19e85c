"""Rows of ``references``, ``strategies``, ``states`` and ``curves`` as records."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from heor.spec.context import Reading, RowReader, in_column
from heor.spec.expressions import FUNCTIONS, Expression, constant
from heor.spec.family_cells import family_parameters
from heor.spec.records import (
    ALL,
    ALL_CAUSE,
    AVERAGE,
    EXCESS,
    FAMILIES,
    HAZARDS,
    WANING,
    Curve,
    Reference,
    State,
    Strategy,
)
from heor.spec.tables import Row, did_you_mean
from heor.spec.values import time_unit

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Optional expression columns of a curve that change a family's curve (methods 1.2).
MODIFIERS = (
    "delay",
    "acceleration",
    "hazard_ratio",
    "hr_from",
    "hr_until",
    "cure_fraction",
    "km_until",
)
#: Modifiers that may also follow `post_progression`.
EARLY = ("early_mortality", "early_period")
#: Columns of OS rows: `post_progression` needs them, state-transition models read them (methods 9).
POST_PROGRESSION = ("pps_family", "pps_parameters", "pfs_death_share")
#: Columns that need a ``wane_to`` (methods 1.8).
WANE = ("wane_from", "wane_until", "wane")
#: Families of post-progression survival.
PPS_FAMILIES = tuple(name for name, parameters in FAMILIES.items() if parameters)


def check_ids(reading: Reading, table: str, column: str = "id", *, words: bool = True) -> None:
    """Check that ids are there, are words and stand once."""
    first: dict[str, Row] = {}
    for row in reading.rows(table):
        cell = row[column]
        if cell.broken:
            reading.broken.add(table)
        elif not cell.text:
            reading.problem(row.place, f"`{column}` is blank", table)
        elif words and not _ID.fullmatch(cell.text):
            message = f"{cell.text!r} is not an id; use letters, digits and _, not a digit first"
            reading.problem(cell.place, message, table)
        elif cell.text.lower() == AVERAGE and table == "curves":
            message = f"`{AVERAGE}` is not an id; it stands for the average of candidates"
            reading.problem(cell.place, message, table)
        elif cell.text.lower() in FUNCTIONS and table == "parameters":
            message = f"`{cell.text}` is the name of a function; choose another id"
            reading.problem(cell.place, message, table)
        elif cell.text in first:
            number = first[cell.text].place.row
            message = f"`{cell.text}` stands here twice; the first is in row {number}"
            reading.problem(cell.place, message, table)
        else:
            first[cell.text] = row


def read_references(reading: Reading) -> dict[str, Reference]:
    """Make the citations by key."""
    check_ids(reading, "references", "key", words=False)
    references = {}
    for row in reading.rows("references"):
        cells = RowReader(reading, "references", row, row["key"].text)
        key = row["key"].text
        if ";" in key or key == "assumption":
            cells.problem("key", "a key holds no `;` and is not the word assumption")
        citation = cells.text("citation", required=True)
        references[key] = Reference(key=key, citation=citation, url=cells.text("url"))
    return references


def read_strategies(reading: Reading) -> tuple[Strategy, ...]:
    """Make the strategies, in table order."""
    check_ids(reading, "strategies")
    strategies = {}
    for row in reading.rows("strategies"):
        cells = RowReader(reading, "strategies", row, row["id"].text)
        if row["id"].text == ALL:
            cells.problem("id", f"`{ALL}` stands for every strategy; choose another id")
        strategies[row["id"].text] = Strategy(
            id=row["id"].text,
            label=cells.text("label", required=True),
            note=cells.text("note"),
            place=row.place,
        )
    return tuple(strategies.values())


def read_states(reading: Reading) -> tuple[State, ...]:
    """Make the health states, and check that one is dead and that ``os`` bounds the last other."""
    check_ids(reading, "states")
    states: dict[str, State] = {}
    bounds: dict[str, int] = {}
    for row in reading.rows("states"):
        cells = RowReader(reading, "states", row, row["id"].text)
        endpoint = cells.text("endpoint")
        if endpoint and endpoint in bounds:
            cells.problem(
                "endpoint", f"`{endpoint}` also bounds the state in row {bounds[endpoint]}"
            )
        bounds[endpoint] = row.place.row
        states[row["id"].text] = State(
            id=row["id"].text,
            label=cells.text("label", required=True),
            endpoint=endpoint,
            place=row.place,
        )
    if "states" in reading.tables:
        _check_states(reading, tuple(states.values()))
    return tuple(states.values())


def _check_states(reading: Reading, states: tuple[State, ...]) -> None:
    place = reading.tables["states"].place
    endpoints = {state.endpoint for state in states}
    for state in states:
        if state.id in endpoints:
            message = f"`{state.id}` is also an endpoint; a cost on it would be ambiguous"
            reading.problem(in_column(state.place, "id"), message, "states")
    dead = [state.id for state in states if not state.endpoint]
    if len(dead) != 1:
        found = ", ".join(dead) or "none"
        message = f"exactly one state, the dead one, has no endpoint; found {found}"
        reading.problem(place, message, "states")
    living = [state for state in states if state.endpoint]
    if living and living[-1].endpoint != "os":
        message = (
            f"the endpoint of the last living state is `{living[-1].endpoint}`; it must be `os`"
        )
        reading.problem(living[-1].place, message, "states")
    if dead and states[-1].endpoint:
        message = f"states stand from best to worst, so `{dead[0]}` comes last"
        reading.problem(states[-1].place, message, "states")


def read_curves(
    reading: Reading, strategies: tuple[Strategy, ...], endpoints: Mapping[str, object]
) -> tuple[Curve, ...]:
    """Make the candidate curves.

    Parameters
    ----------
    endpoints : mapping
        Endpoints that bound a state or that a cost names.
    """
    check_ids(reading, "curves")
    curves = {}
    for row in reading.rows("curves"):
        curve = _curve(reading, row, strategies, endpoints)
        if curve is not None:
            curves[curve.id] = curve
    return _choose(reading, tuple(curves.values()))


def _curve(
    reading: Reading,
    row: Row,
    strategies: tuple[Strategy, ...],
    endpoints: Mapping[str, object],
) -> Curve | None:
    cells = RowReader(reading, "curves", row, row["id"].text)
    strategy = cells.one_of(
        "strategy", [s.id for s in strategies], "a strategy", required=True, of=("strategies",)
    )
    endpoint = cells.text("endpoint", required=True)
    if endpoint and endpoint not in endpoints and not reading.broken & {"states", "costs"}:
        hint = did_you_mean(endpoint, endpoints)
        cells.problem("endpoint", f"`{endpoint}` bounds no state and no cost names it{hint}")
    group = cells.text("group") or ALL
    weight = cells.expression("weight")
    if not cells.text("weight") and group == ALL:
        weight = constant(1.0)
    elif not cells.text("weight") and not row["weight"].broken:
        cells.problem("weight", f"the group `{group}` needs a weight")
    family = cells.one_of("family", FAMILIES, "a survival family", required=True)
    scale, parameters = family_parameters(cells, family, "parameters")
    unit = cells.parsed("time_unit", time_unit, required=True)
    optional: dict[str, Any] = {n: cells.expression(n) for n in (*MODIFIERS, *EARLY)}
    pps_family, pps_scale, pps_parameters = "", "", dict[str, Expression]()
    after = family == "post_progression"
    if after or (endpoint == "os" and (cells.text("pps_family") or cells.text("pps_parameters"))):
        pps_family = cells.one_of("pps_family", PPS_FAMILIES, "a survival family", required=True)
        pps_scale, pps_parameters = family_parameters(cells, pps_family, "pps_parameters")
    share = cells.expression("pfs_death_share")
    hazard = cells.one_of("hazard", HAZARDS, "a kind of hazard") or ALL_CAUSE
    wane_to, wane = _waning(cells, strategy, [s.id for s in strategies])
    optional |= {name: cells.expression(name) for name in ("wane_from", "wane_until")}
    if family:
        _check_columns(cells, family, endpoint)
    if hazard == EXCESS:
        _check_excess(cells, family, endpoint)
    source = cells.source()
    optional["average_weight"] = cells.expression("average_weight")
    use = cells.text("use").lower() == AVERAGE or cells.yes_no("use")
    if weight is None or not family or not strategy or unit is None:
        return None
    return Curve(
        id=row["id"].text,
        strategy=strategy,
        endpoint=endpoint,
        group=group,
        weight=weight,
        family=family,
        parameters=parameters,
        time_unit=unit,
        pps_family=pps_family,
        pps_parameters=pps_parameters,
        pfs_death_share=share,
        use=use,
        source=source,
        place=row.place,
        scale=scale,
        pps_scale=pps_scale,
        hazard=hazard,
        wane_to=wane_to,
        wane=wane,
        average=(),
        **_fit(cells),
        **optional,
    )


def _fit(cells: RowReader) -> dict[str, Any]:
    """Read how well the family fits, and what."""
    found: dict[str, Any] = {name: cells.number(name) for name in ("aic", "bic", "bic_events")}
    found["fit_data"] = cells.text("fit_data")
    for name in ("aic", "bic", "bic_events"):
        if cells.text(name) and not found["fit_data"]:
            cells.problem("fit_data", f"`{name}` needs `fit_data`: what the curve was fitted to")
    return found


def _waning(cells: RowReader, strategy: str, strategies: Sequence[str]) -> tuple[str, str]:
    """Read to which strategy's curve an effect wanes, and what of it does."""
    filled = cells.text("wane_to")
    found = cells.one_of("wane_to", strategies, "a strategy", of=("strategies",))
    if found and found == strategy:
        cells.problem("wane_to", f"`{found}` is the curve's own strategy; name another")
    kind = cells.one_of("wane", WANING, "a way to wane") or WANING[0]
    for column in WANE:
        if cells.text(column) and not filled:
            cells.problem("wane_to", f"`{column}` needs a `wane_to`, the strategy to wane to")
    if filled and not cells.text("wane_from"):
        cells.problem("wane_from", "`wane_to` needs a `wane_from`")
    if filled and kind == "survival" and not cells.text("wane_until"):
        cells.problem("wane_until", "`wane` = survival needs a `wane_until`, where the curves meet")
    return found, kind if found else ""


def _check_columns(cells: RowReader, family: str, endpoint: str) -> None:
    """Check which columns the family lets a row fill."""
    filled = {c for c in (*MODIFIERS, *EARLY, *POST_PROGRESSION) if cells.text(c)}
    if family == "post_progression":
        if endpoint and endpoint != "os":
            cells.problem("family", "post_progression is for the endpoint `os` only")
        for column in MODIFIERS:
            if column in filled:
                message = f"`{column}` cannot follow post_progression; only early mortality can"
                cells.problem(column, message)
    elif endpoint and endpoint != "os":
        for column in POST_PROGRESSION:
            if column in filled:
                cells.problem(column, f"`{column}` is for rows of the endpoint `os` only")
    for column in ("hr_from", "hr_until"):
        if column in filled and "hazard_ratio" not in filled:
            cells.problem(column, f"`{column}` needs a hazard_ratio")
    for column, other in (EARLY, EARLY[::-1], ("hr_from", "hr_until")):
        if column in filled and other not in filled:
            cells.problem(other, f"`{column}` needs an `{other}`")
    if family == "kaplan_meier" and "km_until" in filled:
        message = "`km_until` names where a parametric tail starts; write the tail's family"
        cells.problem("km_until", message)


def _check_excess(cells: RowReader, family: str, endpoint: str) -> None:
    """Check that a hazard beyond the population's can be one: of OS, and not observed (1.7)."""
    if endpoint and endpoint != "os":
        cells.problem("hazard", "an excess hazard is for the endpoint `os` only")
    if family == "post_progression":
        cells.problem("hazard", "post_progression counts deaths of all causes; leave it blank")
    if family == "kaplan_meier" or cells.text("km_until"):
        cells.problem("hazard", "a Kaplan-Meier curve counts deaths of all causes; leave it blank")


def _choose(reading: Reading, curves: tuple[Curve, ...]) -> tuple[Curve, ...]:
    """Mark the base-case candidate of each strategy x endpoint x group."""
    slots: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in curves:
        if not curve.strategy or not curve.endpoint:  # reported already
            continue
        slots.setdefault((curve.strategy, curve.endpoint, curve.group), []).append(curve)
    chosen: dict[str, bool] = {}
    words = {r["id"].text: r["use"].text.lower() for r in reading.rows("curves")}
    for slot, candidates in slots.items():
        marked = [c for c in candidates if c.use] if len(candidates) > 1 else candidates
        average = any(words[c.id] == AVERAGE for c in candidates)
        if average:
            message = _wrong_average(candidates, words)
        elif len(marked) == 1:
            message = ""
        else:
            names = ", ".join(c.id for c in marked or candidates)
            message = f"mark one with `x`, found {len(marked) or 'none'} ({names})"
        if message:
            row = next(r for r in reading.rows("curves") if r.place == candidates[0].place)
            message = f"{'.'.join(slot)} has {len(candidates)} candidates; {message}"
            RowReader(reading, "curves", row, "").problem("use", message)
        chosen |= {c.id: average for c in marked}
    curves = tuple(with_use(curve, curve.id in chosen) for curve in curves)
    for slot, candidates in slots.items():
        if any(chosen.get(c.id) for c in candidates):
            curves = averaging(curves, slot)
    return curves


def _wrong_average(candidates: Sequence[Curve], words: Mapping[str, str]) -> str:
    """Say why candidates cannot be averaged as marked; blank where they can."""
    marked = [c.id for c in candidates if words[c.id] == AVERAGE]
    weighted = [c.id for c in candidates if c.average_weight is not None]
    if any(c.use and c.id not in marked for c in candidates):
        return f"mark one with `x`, or with `{AVERAGE}` those to be averaged, not both"
    if marked != weighted or len(marked) < 2:
        return (
            f"`{AVERAGE}` marks two or more, and exactly those that have an average_weight;"
            f" marked {', '.join(marked)}; with a weight {', '.join(weighted) or 'none'}"
        )
    return ""


def averaging(curves: tuple[Curve, ...], slot: tuple[str, str, str]) -> tuple[Curve, ...]:
    """Give the candidates with the average of a slot's in use, of those that have a weight."""
    own = [c for c in curves if (c.strategy, c.endpoint, c.group) == slot]
    members = tuple(with_use(c, False) for c in own if c.average_weight is not None)
    found = []
    for curve in curves:
        if curve in own:
            first = bool(members) and curve.id == members[0].id
            curve = dataclasses.replace(curve, use=first, average=members if first else ())
        found.append(curve)
    return tuple(found)


def with_use(curve: Curve, use: bool) -> Curve:
    """Give the same candidate, chosen by itself or not."""
    if curve.use == use and not curve.average:
        return curve
    return dataclasses.replace(curve, use=use, average=())
