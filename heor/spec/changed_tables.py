"""Tables that follow a change, so that a report made with ``--set`` runs again as it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from heor.spec.changes import CURVE
from heor.spec.records import ALL, AVERAGE, Change, Spec, TableData
from heor.spec.tables import input_hash

Row = dict[str, str]

#: Columns of ``parameters`` that no longer hold once a value is fixed by hand.
_SPREAD = ("low", "high", "distribution", "se", "a", "b", "correlation_group")


def with_tables(spec: Spec, changes: Sequence[Change], name: str = "") -> Spec:
    """Give a changed study the tables that say so, and their hash.

    Parameters
    ----------
    spec : Spec
        The study after `heor.spec.reader.apply_changes`.
    changes : sequence of Change
        What was changed.
    name : str, optional
        The scenario they are; else each change is named by itself.

    Returns
    -------
    Spec
        Reading its tables gives the same study. A changed parameter keeps its source and grade;
        its note says what it was changed from.
    """
    tables = dict(spec.tables)
    for change in changes:
        if change.target.startswith(CURVE):
            tables["curves"] = _edited(tables["curves"], _choosing(change))
        elif change.target in spec.parameters:
            tables["parameters"] = _edited(
                tables["parameters"], _fixing(change), (*_SPREAD, "note")
            )
            if "correlations" in tables:
                tables["correlations"] = _without(tables["correlations"], change.target)
        else:
            tables["settings"] = _set(tables["settings"], change)
    words = (f"scenario '{name}'",) if name else tuple(f"{c.target} = {c.value}" for c in changes)
    return dataclasses.replace(
        spec,
        tables=tables,
        input_hash=input_hash(tables),
        changes=(*spec.changes, *words),
        scenario=name or spec.scenario,
    )


def _rows(table: TableData) -> list[Row]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _table(table: TableData, rows: Sequence[Row], columns: Sequence[str] = ()) -> TableData:
    names = tuple(dict.fromkeys((*table.columns, *columns)))
    cells = tuple(tuple(row.get(name, "") for name in names) for row in rows)
    return TableData(name=table.name, columns=names, rows=cells)


def _edited(
    table: TableData, edit: Callable[[Row], None], columns: Sequence[str] = ()
) -> TableData:
    rows = _rows(table)
    for row in rows:
        edit(row)
    return _table(table, rows, [name for name in columns if any(name in row for row in rows)])


def _fixing(change: Change) -> Callable[[Row], None]:
    def edit(row: Row) -> None:
        if row["id"] != change.target:
            return
        was = f"Changed from {row['value']}."
        row.update({name: "" for name in _SPREAD if name in row})
        row["note"] = f"{was} {row.get('note', '')}".strip()
        row["value"] = change.value

    return edit


def _choosing(change: Change) -> Callable[[Row], None]:
    strategy, endpoint, group = change.target[len(CURVE) :].split(".", 2)

    def edit(row: Row) -> None:
        slot = row["strategy"], row["endpoint"], row.get("group", "") or ALL
        if slot == (strategy, endpoint, group):
            row["use"] = "x" if row["id"] == change.value else ""
            if change.value == AVERAGE and row.get("average_weight", ""):
                row["use"] = AVERAGE

    return edit


def _set(table: TableData, change: Change) -> TableData:
    rows = _rows(table)
    for row in rows:
        if row["key"] == change.target:
            row.update(value=change.value, unit="")
            return _table(table, rows)
    return _table(table, [*rows, {"key": change.target, "value": change.value}])


def _without(table: TableData, parameter: str) -> TableData:
    rows = [row for row in _rows(table) if parameter not in (row["row"], row["column"])]
    return _table(table, rows)
