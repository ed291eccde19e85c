"""Live values of the parameters: what the tables say, the scenario's override, the PSA draw."""

from __future__ import annotations

from heor.report.live import Term, cell, put, where, words
from heor.report.sheets import psa
from heor.report.sheets.calc_inputs import TITLE_INPUTS, write_calc_inputs
from heor.report.sheets.calc_settings import (
    TITLE_SETTINGS,
    write_candidates,
    write_settings,
    write_thresholds,
    write_units,
)
from heor.report.sheets.control import TITLE_CONTROL, register_selectors, write_control, written
from heor.report.sheets.inputs import calc_place, column_of, number_unit, write_table
from heor.report.sheets.layout import Context
from heor.report.sheets.live_inputs import live_number, write_km, write_live_inputs
from heor.report.sheets.scenarios_live import (
    FORMULA_SETTINGS,
    TITLE_SCENARIOS,
    write_calc_scenarios,
    write_scenario_values,
)
from heor.report.xlsx import AFTER, HEADER, Sheet, Style, cell_name

_BASE, _SCENARIO, _DRAW, _LIVE, _NAME = range(5)


def write_live(ctx: Context) -> None:
    """Fill the input tables, ``Control`` and the sheets that make their cells live numbers."""
    spec = ctx.results.spec
    for table in spec.tables.values():
        write_table(ctx.book, table)
    register_selectors(ctx)
    settings = ctx.book.sheet(TITLE_SETTINGS)
    row = write_units(ctx, settings)
    values = write_scenario_values(ctx)
    if values:
        write_calc_scenarios(ctx, ctx.book.sheet(TITLE_SCENARIOS), values)
    _write_parameters(ctx)
    write_live_inputs(ctx)
    write_km(ctx)
    _write_formula_settings(ctx)
    write_candidates(ctx, settings)
    row = write_thresholds(ctx, settings, row)
    write_control(ctx, ctx.book.sheet(TITLE_CONTROL))
    write_settings(ctx, settings, row)
    write_calc_inputs(ctx, ctx.book.sheet(TITLE_INPUTS))


def _write_parameters(ctx: Context) -> None:
    """Add the ``calc:`` columns of ``parameters``; the defined names are the live values."""
    spec = ctx.results.spec
    table = spec.tables.get("parameters")
    if table is None or not table.rows:
        return
    sheet, first = ctx.book.sheets["parameters"], calc_place(table)
    headings = ("base value", "scenario", "draw", "live value", "name")
    sheet.row(0, first, [f"calc: {name}" for name in headings], HEADER)
    sheet.widths((16, 16, 16, 16, 20), first)
    source = column_of(table, "value")
    for row, identifier in enumerate(spec.parameters, start=1):
        parameter = spec.parameters[identifier]
        text = table.rows[row - 1][source]
        style = Style("formula", unit=number_unit(parameter.value, parameter.unit), align="right")
        base = live_number(ctx, cell_name(row, source), text, None)
        if base.value != parameter.value:
            raise ValueError(
                f"{identifier} is {parameter.value} in the study but {base.value} in its tables; "
                "write a changed study with its changed tables"
            )
        put(sheet, row, first + _BASE, base, style)
        if f"scenario {identifier}" in ctx.live:
            put(sheet, row, first + _SCENARIO, ctx.live[f"scenario {identifier}"], style)
        drawn = psa.draws_range(ctx, identifier)
        if drawn is not None:
            draw = ctx.live["draw"]
            hit = Term(f"INDEX({drawn.text},{draw.text})", 0.0)
            put(sheet, row, first + _DRAW, where(draw > 0, hit, words("")), style)
        ctx.live[f"param {identifier}"] = _write_live_value(
            sheet, row, first, parameter.value, style
        )
        name = ctx.names[identifier]
        sheet.text(row, first + _NAME, name, AFTER)
        ctx.book.define_name(name, sheet, row, first + _LIVE)


def _write_live_value(sheet: Sheet, row: int, first: int, value: float, style: Style) -> Term:
    base, scenario, draw = (cell_name(row, first + c) for c in (_BASE, _SCENARIO, _DRAW))
    text = f"IF(ISNUMBER({draw}),{draw},IF(ISNUMBER({scenario}),{scenario},{base}))"
    put(sheet, row, first + _LIVE, Term(text, value), style)
    return cell(sheet, row, first + _LIVE, value)


def _write_formula_settings(ctx: Context) -> None:
    """Add ``calc: value`` to ``settings`` where the value may be a formula over parameters."""
    table = ctx.results.spec.tables["settings"]
    sheet, place = ctx.book.sheets["settings"], calc_place(table)
    for key in FORMULA_SETTINGS:
        row, text, _ = written(ctx, key)
        if row is not None and text:
            term = live_number(ctx, cell_name(row + 1, column_of(table, "value")), text, None)
            live = put(sheet, row + 1, place, term, Style("formula", align="right"))
            ctx.live[f"settings {key}"] = live
    sheet.text(0, place, "calc: value", HEADER)
    sheet.widths((14,), place)
