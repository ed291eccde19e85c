"""``Calc Inputs``: which input cells are no longer those that the pasted results were made with.

What only heor can compute (uncertainty, one-way analyses, the table of scenarios) is pasted, and
belongs to the inputs of its run. Each input cell that has an effect on results stands here with
its value at the run and its value now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heor.report.live import Term, put
from heor.report.sheets.control import CHOICE_COLUMN, TITLE_CONTROL, control_keys, row_of
from heor.report.sheets.inputs import cell_value, column_of
from heor.report.sheets.layout import CHANGE_TOLERANCE, Context
from heor.report.xlsx import BOLD, HEADER, NOTE, TITLE, Sheet, Style, cell_name
from heor.spec.records import PARTITIONED, TableData
from heor.spec.settings import SETTINGS

TITLE_INPUTS = "Calc Inputs"

#: How the live cells follow an edit: any entry; any but a blank; a number or a blank, but not
#: another formula; a number alone; not at all, so that heor has to run again.
ANY, ENTRY, NUMBER, FILLED, RERUN = "any", "any entry", "number or blank", "number", "rerun"

#: Columns that have an effect on results, by table.
_WATCHED: Mapping[str, Mapping[str, str]] = {
    "parameters": {
        "id": RERUN,
        "category": RERUN,
        "value": FILLED,
        **dict.fromkeys(("low", "high", "distribution", "se", "a", "b"), RERUN),
        "correlation_group": RERUN,
    },
    "strategies": {"id": RERUN},
    "states": {"id": RERUN, "endpoint": RERUN},
    "curves": {
        **dict.fromkeys(("id", "strategy", "endpoint", "group", "family", "parameters"), RERUN),
        **dict.fromkeys(("weight", "delay", "acceleration", "hazard_ratio", "hr_from"), NUMBER),
        **dict.fromkeys(("hr_until", "cure_fraction", "early_mortality"), NUMBER),
        **dict.fromkeys(("early_period", "km_until", "pfs_death_share"), NUMBER),
        **dict.fromkeys(("pps_family", "pps_parameters", "wane_to", "wane"), RERUN),
        **dict.fromkeys(("wane_from", "wane_until", "average_weight"), FILLED),
        "time_unit": ENTRY,
        "hazard": ANY,
        "use": ANY,
    },
    "utilities": {
        **dict.fromkeys(("strategy", "state"), RERUN),
        "value": FILLED,
        **dict.fromkeys(("from", "until"), NUMBER),
        "time_unit": ENTRY,
    },
    "costs": {
        **dict.fromkeys(("category", "strategy", "trigger", "state", "group"), RERUN),
        "amount": FILLED,
        **dict.fromkeys(("every", "from", "until"), NUMBER),
        **dict.fromkeys(("per", "time_unit"), ENTRY),
        "perspective": RERUN,
    },
    "adverse_events": {
        **dict.fromkeys(("strategy", "group"), RERUN),
        "probability": FILLED,
        **dict.fromkeys(("cost", "disutility", "duration_days"), NUMBER),
    },
    "scenarios": {"scenario": RERUN, "target": RERUN, "value": ENTRY},
    "correlations": dict.fromkeys(("group", "row", "column", "value"), RERUN),
    "life_table": {
        **dict.fromkeys(("year", "age"), RERUN),
        **dict.fromkeys(("male", "female"), FILLED),
        **dict.fromkeys(("utility_male", "utility_female"), NUMBER),
    },
    "cohort": dict.fromkeys(("age", "male_share", "share"), FILLED),
    "km": {
        **dict.fromkeys(("strategy", "endpoint", "group"), RERUN),
        **dict.fromkeys(("time", "survival"), FILLED),
        "time_unit": ENTRY,
    },
    "validation_targets": dict.fromkeys(("time", "value", "low", "high"), RERUN),
    "agreements": dict.fromkeys(("type", "strategy", "endpoint", "amount", "time"), RERUN),
    "budget": {"year": RERUN, "value": FILLED},
}
#: Settings without an effect on a number.
_LABELS = ("title", "banner", "price_year")
_FORMULAS = ("smr", "start_age", "male_share")
#: Rows below a table in which a new row is noticed.
_BELOW = 500

_HEADINGS = ("Sheet", "Cell", "What", "At the run", "Now", "Changed", "Edit", "Live cells follow")
_SHEET, _CELL, _ITEM, _THEN, _NOW, _CHANGED, _KIND, _FOLLOWED = range(8)
_TOTAL, _STRUCTURE, _HEAD = 3, 4, 6
_FIRST = _HEAD + 1


@dataclass(frozen=True, slots=True)
class _Watched:
    """One cell: where it stands, what it is, its value at the run, the formula of its value now."""

    sheet: str
    place: str
    item: str
    then: float | str
    now: str
    kind: str


def write_calc_inputs(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; make ``inputs changed`` and ``structure changed`` known."""
    sheet.text(0, 0, "Inputs at the run of heor and now", TITLE)
    note = (
        "Pasted results belong to the inputs in grey. Choosing a scenario or a PSA draw is no "
        "change; other choices on Control are. Edit says which edits the live cells follow: any; "
        "any entry but a blank; a number in place of a number or formula; none until heor runs "
        "again (rerun)."
    )
    sheet.text(1, 0, note, NOTE)
    sheet.row(_HEAD, 0, _HEADINGS, HEADER)
    rows = [*_cells(ctx), *_choices(ctx)]
    last = _FIRST + len(rows) - 1
    grey, link = Style("value", align="right"), Style("link", align="right")
    for row, watched in enumerate(rows, start=_FIRST):
        sheet.text(row, _SHEET, watched.sheet)
        sheet.text(row, _CELL, watched.place)
        sheet.text(row, _ITEM, watched.item)
        if watched.then != "":
            sheet.cell(row, _THEN, watched.then, grey)
        sheet.formula(row, _NOW, watched.now, watched.then, link)
        sheet.text(row, _KIND, watched.kind)
    _write_tests(ctx, sheet, [watched.kind for watched in rows])
    changed = sheet.range(_FIRST, _CHANGED, last, _CHANGED)
    followed = sheet.range(_FIRST, _FOLLOWED, last, _FOLLOWED)
    sheet.text(_TOTAL, 0, "Input cells that differ from those at the run", BOLD)
    sheet.text(_STRUCTURE, 0, "of these, not followed by the live cells: run heor again", BOLD)
    count = put(sheet, _TOTAL, _CHANGED, Term(f"SUM({changed})", 0.0), Style("formula", bold=True))
    rerun = Term(f'COUNTIFS({changed},1,{followed},"no")', 0.0)
    if ctx.results.spec.settings.structure != PARTITIONED:
        rerun = rerun + 1  # the live cells are those of partitioned survival
    structure = put(sheet, _STRUCTURE, _CHANGED, rerun, Style("formula", bold=True))
    ctx.live["inputs changed"], ctx.live["structure changed"] = count, structure
    ctx.cells["inputs changed"] = count.text
    sheet.widths((18, 9, 44, 26, 26, 9, 9, 17))
    sheet.freeze(_FIRST)
    sheet.print_setup(repeat=(_HEAD, _HEAD))


def _write_tests(ctx: Context, sheet: Sheet, kinds: Sequence[str]) -> None:
    tolerance = ctx.constants.term(
        CHANGE_TOLERANCE, "Relative change of an input that counts as a change"
    ).text
    number, text = Style("formula", align="right"), Style("formula")
    for row, said in enumerate(kinds, start=_FIRST):
        then, now, changed, kind = (
            cell_name(row, column) for column in (_THEN, _NOW, _CHANGED, _KIND)
        )
        far = f"ABS({now}-{then})>{tolerance}*ABS({then})"
        both = f"AND(ISNUMBER({now}),ISNUMBER({then}))"
        test = f"=IF({both},IF({far},1,0),IF(EXACT({now},{then}),0,1))"
        sheet.formula(row, _CHANGED, test, 0.0, number)
        allowed = (
            (ANY, "TRUE"),
            (ENTRY, f'{now}<>""'),
            (NUMBER, f'OR(ISNUMBER({now}),{now}="")'),
            (FILLED, f"ISNUMBER({now})"),
        )
        good = ",".join(f'AND({kind}="{word}",{ok})' for word, ok in allowed)
        known = f'IF({changed}=0,"yes",IF(OR({good}),"yes","no"))'
        follows = f'=IF({kind}="{RERUN}","no",{known})'
        sheet.formula(row, _FOLLOWED, follows, "no" if said == RERUN else "yes", text)


def stale_banner(ctx: Context, sheet: Sheet, row: int, column: int) -> None:
    """Write a cell that says whether pasted results belong to the inputs as they are now."""
    count = ctx.live["inputs changed"].text
    fresh = "These results were made with the inputs as they are."
    differ = f'IF({count}=1," input differs"," inputs differ")'
    words = " from those these results were made with; run heor again."
    formula = f'=IF({count}=0,"{fresh}","STALE: "&{count}&{differ}&"{words}")'
    sheet.formula(row, column, formula, fresh, Style("formula", bold=True))
    sheet.red_when(row, column, "STALE")


def _cells(ctx: Context) -> Iterator[_Watched]:
    for name, table in ctx.results.spec.tables.items():
        if not table.rows:
            continue
        if name == "settings":
            yield from _settings(ctx, table)
        elif name == "draws":
            yield from _columns(ctx, table)
        elif name in _WATCHED:
            for row in range(len(table.rows)):
                for column, kind in _WATCHED[name].items():
                    if column in table.columns:
                        yield _watched(ctx, table, row, column, kind, _label(table, row))
        if name in _WATCHED or name in ("settings", "draws"):
            yield _row_count(ctx, table)


def _label(table: TableData, row: int) -> str:
    """Name of a row: its id, or what else tells it from others."""
    for column in ("id", "key", "scenario", "event", "age", "label", "item"):
        if column in table.columns:
            return table.rows[row][column_of(table, column)]
    known = ("strategy", "state", "endpoint", "group", "row", "column")
    return " ".join(table.rows[row][column_of(table, c)] for c in known if c in table.columns)


def _watched(
    ctx: Context, table: TableData, row: int, column: str, kind: str, label: str
) -> _Watched:
    place = column_of(table, column)
    address = ctx.book.sheets[table.name].ref(row + 1, place)
    return _Watched(
        table.name,
        cell_name(row + 1, place),
        f"{label}: {column}",
        cell_value(table, column, table.rows[row][place]),
        f'=IF({address}="","",{address})',
        kind,
    )


def _settings(ctx: Context, table: TableData) -> Iterator[_Watched]:
    live = {*control_keys(ctx.results.spec), "thresholds"}
    for row in range(len(table.rows)):
        key = table.rows[row][column_of(table, "key")]
        if key in _LABELS or key not in SETTINGS:
            continue
        kind = (FILLED if key in _FORMULAS else ENTRY) if key in live else RERUN
        for column in ("value", "unit"):
            if column in table.columns:
                yield _watched(ctx, table, row, column, kind, key)


def _row_count(ctx: Context, table: TableData) -> _Watched:
    """Count rows, for a new one below the table has no cell of its own here."""
    sheet, rows = ctx.book.sheets[table.name], len(table.rows)
    filled = [sum(bool(row[c]) for row in table.rows) for c in range(len(table.columns))]
    column = int(np.argmax(filled))
    area = sheet.range(1, column, rows + _BELOW, column)
    return _Watched(table.name, "", "filled rows", float(filled[column]), f"=COUNTA({area})", RERUN)


def _columns(ctx: Context, table: TableData) -> Iterator[_Watched]:
    """Watch whole columns of numbers by their sum with the row as weight."""
    sheet, rows = ctx.book.sheets[table.name], len(table.rows)
    weights = np.arange(2.0, rows + 2.0)
    for place, column in enumerate(table.columns):
        area = sheet.range(1, place, rows, place)
        values = np.array([float(row[place] or 0) for row in table.rows])
        yield _Watched(
            table.name,
            "",
            f"{column}: sum of value times row",
            float(values @ weights),
            f"=SUMPRODUCT({area},ROW({area}))",
            RERUN,
        )


def _choices(ctx: Context) -> Iterator[_Watched]:
    sheet = ctx.book.sheets[TITLE_CONTROL]
    for key in control_keys(ctx.results.spec)[2:]:
        row = row_of(ctx, key)
        address = sheet.ref(row, CHOICE_COLUMN)
        yield _Watched(
            TITLE_CONTROL,
            cell_name(row, CHOICE_COLUMN),
            f"{key}: your choice",
            "",
            f'=IF({address}="","",{address})',
            ANY,
        )
