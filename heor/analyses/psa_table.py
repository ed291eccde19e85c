"""Anybody's PSA output: costs and QALYs per draw and strategy from a CSV file.

Two forms are read. Long: columns ``draw, strategy, cost, qaly``, a row per draw and strategy.
Wide: an optional ``draw`` and a pair ``cost:<strategy>, qaly:<strategy>`` (or ``cost_``, ``qaly_``)
per strategy, a row per draw. Other columns are left alone, because PSA output carries many.

Two files are a third form, as BCEA has it: a matrix of effects and one of costs, each with a column
per strategy and a row per draw.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from heor.analyses import cea, ceac
from heor.analyses.psa_results import CeaResult
from heor.errors import InputErrors, Place, Problem
from heor.spec.parameters import FloatArray

#: Columns of the long form, with other names that are taken for the same.
COLUMNS = {
    "draw": ("draw", "sim", "simulation", "iteration", "sample"),
    "strategy": ("strategy", "treatment", "arm", "intervention"),
    "cost": ("cost", "costs"),
    "qaly": ("qaly", "qalys", "effect", "effects"),
}

#: Problems shown before the rest is summed up: a wrong column spoils every row.
MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PsaTable:
    """PSA output as read.

    Parameters
    ----------
    draws : tuple of str
        Labels of the draws, in order of first appearance.
    strategies : tuple of str
        In order of first appearance.
    costs, qalys : array ``(draw, strategy)``
        As in the file.
    """

    draws: tuple[str, ...]
    strategies: tuple[str, ...]
    costs: FloatArray
    qalys: FloatArray


def read_psa(path: str | Path) -> PsaTable:
    """Read PSA output in long or wide form.

    Raises
    ------
    InputErrors
        With every problem and its place: missing columns, no numbers, repeated or missing pairs
        of draw and strategy, fewer than two strategies.
    """
    path = Path(path)
    header, rows = _read_rows(path)
    names = [name.strip() for name in header]
    repeated = sorted({n for n in names if n and names.count(n) > 1})
    if repeated:
        raise InputErrors(
            Problem(Place(str(path), row=1, column=n), f"column '{n}' is there twice")
            for n in repeated
        )
    folded = [name.lower() for name in names]
    pairs = _wide_pairs(names)
    has_strategy = any(name in folded for name in COLUMNS["strategy"])
    if not has_strategy and any(min(pair) >= 0 for pair in pairs.values()):
        return _wide(path, names, rows, pairs)
    return _long(path, names, rows)


def read_inputs(path: str | Path, draws: Sequence[str]) -> dict[str, FloatArray]:
    """Read the drawn inputs that belong to PSA output: a column per input, a row per draw.

    Parameters
    ----------
    path : str or Path
        A CSV file; a column ``draw`` says which draw a row is, else rows stand in order.
    draws : sequence of str
        Labels of the draws of the output.

    Returns
    -------
    dict of str to array ``(draw,)``
        In the order of ``draws``.

    Raises
    ------
    InputErrors
        With every problem and its place.
    """
    path = Path(path)
    header, rows = _read_rows(path)
    names = [name.strip() for name in header]
    cells = _Cells(path, names)
    folded = [name.lower() for name in names]
    label_column = next((folded.index(n) for n in COLUMNS["draw"] if n in folded), None)
    columns = [i for i in range(len(names)) if i != label_column and names[i]]
    if not columns:
        cells.add("there is no column of an input", 1)
    for name in sorted({names[i] for i in columns if names.count(names[i]) > 1}):
        cells.add(f"column '{name}' is there twice", 1)
    place = {label: i for i, label in enumerate(draws)}
    values = np.full((len(draws), len(columns)), np.nan)
    seen: set[str] = set()
    for number, (line, row) in enumerate(rows):
        label = str(number + 1) if label_column is None else cells.text(row, label_column)
        if label_column is None and number < len(draws):
            label = draws[number]
        if label in seen:
            cells.add(f"draw {label} is there twice", line)
        elif label not in place:
            cells.add(f"draw {label or '(blank)'} is not in the PSA output", line)
        else:
            values[place[label]] = [cells.number(row, line, column) for column in columns]
        seen.add(label)
    for label in draws:
        if label not in seen:
            cells.add(f"draw {label} of the PSA output has no row")
    cells.stop_if_any()
    return {names[c]: np.ascontiguousarray(values[:, i]) for i, c in enumerate(columns)}


def read_matrices(effects: str | Path, costs: str | Path) -> PsaTable:
    """Read a matrix of effects and one of costs: a column per strategy, a row per draw.

    Parameters
    ----------
    effects, costs : str or Path
        CSV files with the same columns, in any order. A column ``draw`` says which draw a row
        is, else rows stand in order; a column without a heading (row names) is left alone.

    Raises
    ------
    InputErrors
        With every problem and its place.
    """
    draws = _row_labels(Path(effects))
    worth, cost = read_inputs(effects, draws), read_inputs(costs, draws)
    strategies = tuple(worth)
    both = ((costs, cost, effects, worth), (effects, worth, costs, cost))
    problems = [
        Problem(Place(str(path), row=1), f"there is no column of strategy '{name}' of {other}")
        for path, here, other, there in both
        for name in there
        if name not in here
    ]
    if len(strategies) < 2:
        words = f"at least two strategies are needed, found {len(strategies)}"
        problems.append(Problem(Place(str(effects), row=1), words))
    if problems:
        raise InputErrors(problems)
    return PsaTable(
        draws=draws,
        strategies=strategies,
        costs=np.column_stack([cost[name] for name in strategies]),
        qalys=np.column_stack([worth[name] for name in strategies]),
    )


def _row_labels(path: Path) -> tuple[str, ...]:
    """Labels of the rows of a matrix: its column ``draw``, else numbers from 1."""
    header, rows = _read_rows(path)
    names = [name.strip().lower() for name in header]
    column = next((names.index(name) for name in COLUMNS["draw"] if name in names), None)
    if column is None:
        return tuple(str(number + 1) for number in range(len(rows)))
    cells = _Cells(path, names)
    return tuple(dict.fromkeys(cells.text(row, column) for _, row in rows))


def analyse(
    table: PsaTable, thresholds: Sequence[float] | None = None, severity_weight: float = 1.0
) -> CeaResult:
    """Incremental table of the means and acceptability; the axis is chosen when not given."""
    axis = (
        ceac.threshold_grid(table.costs, table.qalys, (), severity_weight)
        if thresholds is None
        else np.asarray(thresholds, dtype=np.float64)
    )
    return CeaResult(
        strategies=table.strategies,
        n=len(table.draws),
        incremental=cea.incremental_table(
            table.strategies, table.costs.mean(axis=0), table.qalys.mean(axis=0)
        ),
        acceptability=ceac.acceptability(
            table.strategies, table.costs, table.qalys, axis, severity_weight
        ),
    )


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and the rows that hold anything, each with its line number from 1."""
    if not path.exists():
        raise InputErrors([Problem(Place(str(path)), "there is no such file")])
    if path.is_dir():
        raise InputErrors([Problem(Place(str(path)), "this is a folder; a CSV file is needed")])
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [
                (reader.line_num, row)
                for row in reader
                if any(cell.strip() for cell in row) and not row[0].startswith("# ")
            ]
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start}); save it as 'CSV UTF-8'"
        raise InputErrors([Problem(Place(str(path)), message)]) from error
    except (OSError, csv.Error) as error:
        raise InputErrors([Problem(Place(str(path)), f"cannot be read: {error}")]) from error
    if not lines:
        raise InputErrors([Problem(Place(str(path)), "the file is empty")])
    header = lines[0][1]
    if len(header) == 1 and ";" in header[0]:
        message = "columns are parted by ';'; save it with commas and decimal points"
        raise InputErrors([Problem(Place(str(path), row=lines[0][0]), message)])
    if len(lines) == 1:
        raise InputErrors([Problem(Place(str(path)), "there are no rows below the headings")])
    return header, lines[1:]


def _wide_pairs(names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Columns of cost and QALY by strategy; -1 where one of the two is missing."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        for which, prefix in enumerate(("cost", "qaly")):
            if name.lower().startswith((prefix + ":", prefix + "_")) and len(name) > 5:
                found.setdefault(name[5:].strip(), [-1, -1])[which] = place
    return {strategy: (pair[0], pair[1]) for strategy, pair in found.items()}


class _Cells:
    """Numbers of rows, with the problems found on the way."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        self.names = names
        self.problems: list[Problem] = []

    def add(self, message: str, line: int = 0, column: int | None = None) -> None:
        name = "" if column is None else self.names[column]
        self.problems.append(Problem(Place(str(self.path), row=line, column=name), message))

    def text(self, row: Sequence[str], column: int) -> str:
        return row[column].strip() if column < len(row) else ""

    def number(self, row: Sequence[str], line: int, column: int) -> float:
        text = self.text(row, column)
        try:
            value = float(text) if "_" not in text else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            shown = f"'{text}'" if text else "an empty cell"
            self.add(f"expected a number, found {shown}", line, column)
        return value

    def stop_if_any(self) -> None:
        if not self.problems:
            return
        shown = self.problems[:MOST_PROBLEMS]
        if len(self.problems) > MOST_PROBLEMS:
            more = len(self.problems) - MOST_PROBLEMS
            shown.append(Problem(Place(str(self.path)), f"… and {more:,} problems more"))
        raise InputErrors(shown)


def _long(path: Path, names: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> PsaTable:
    cells = _Cells(path, names)
    column = _find_columns(cells)
    cells.stop_if_any()
    draws: dict[str, int] = {}
    strategies: dict[str, int] = {}
    seen: dict[tuple[int, int], int] = {}
    numbers: list[tuple[float, float]] = []
    for line, row in rows:
        labels = {which: cells.text(row, column[which]) for which in ("draw", "strategy")}
        for which, text in labels.items():
            if not text:
                cells.add(f"there is no {which}", line, column[which])
        pair = tuple(cells.number(row, line, column[which]) for which in ("cost", "qaly"))
        if not all(labels.values()):
            continue
        key = (
            draws.setdefault(labels["draw"], len(draws)),
            strategies.setdefault(labels["strategy"], len(strategies)),
        )
        if key in seen:
            cells.add(
                f"draw {labels['draw']} of strategy {labels['strategy']} is there twice", line
            )
            continue
        seen[key] = len(numbers)
        numbers.append((pair[0], pair[1]))
    _check_complete(cells, list(draws), list(strategies), set(seen))
    values = np.empty((len(draws), len(strategies), 2))
    for (i, j), place in seen.items():
        values[i, j] = numbers[place]
    return PsaTable(
        draws=tuple(draws),
        strategies=tuple(strategies),
        costs=np.ascontiguousarray(values[:, :, 0]),
        qalys=np.ascontiguousarray(values[:, :, 1]),
    )


def _find_columns(cells: _Cells) -> dict[str, int]:
    folded = [name.lower() for name in cells.names]
    found: dict[str, int] = {}
    for which, accepted in COLUMNS.items():
        place = next((folded.index(name) for name in accepted if name in folded), None)
        if place is not None:
            found[which] = place
            continue
        close = get_close_matches(which, folded, n=1)
        hint = f"; is '{cells.names[folded.index(close[0])]}' meant?" if close else ""
        cells.add(
            f"there is no column '{which}'{hint} (long form: draw, strategy, cost, qaly; wide "
            "form: cost:<strategy> and qaly:<strategy>)",
            1,
        )
    return found


def _check_complete(
    cells: _Cells,
    draws: Sequence[str],
    strategies: Sequence[str],
    seen: set[tuple[int, int]],
) -> None:
    if len(seen) < len(draws) * len(strategies):
        for i, draw in enumerate(draws):
            missing = [s for j, s in enumerate(strategies) if (i, j) not in seen]
            if missing:
                cells.add(f"draw {draw} has no row for {', '.join(missing)}")
    if len(strategies) < 2:
        cells.add(f"at least two strategies are needed, found {len(strategies)}")
    cells.stop_if_any()


def _wide(
    path: Path,
    names: Sequence[str],
    rows: Sequence[tuple[int, list[str]]],
    pairs: dict[str, tuple[int, int]],
) -> PsaTable:
    cells = _Cells(path, names)
    for strategy, pair in pairs.items():
        for which, place in zip(("cost", "qaly"), pair, strict=True):
            if place < 0:
                cells.add(f"strategy {strategy} has no column '{which}:{strategy}'", 1)
    if len(pairs) < 2:
        cells.add(f"at least two strategies are needed, found {len(pairs)}", 1)
    cells.stop_if_any()
    folded = [name.lower() for name in names]
    draw_column = next((folded.index(n) for n in COLUMNS["draw"] if n in folded), None)
    draws: dict[str, int] = {}
    values = np.empty((len(rows), len(pairs), 2))
    for i, (line, row) in enumerate(rows):
        label = str(i + 1) if draw_column is None else cells.text(row, draw_column)
        if not label:
            cells.add("there is no draw", line, draw_column)
        elif label in draws:
            cells.add(f"draw {label} is there twice", line, draw_column)
        draws.setdefault(label, i)
        for j, pair in enumerate(pairs.values()):
            values[i, j] = [cells.number(row, line, place) for place in pair]
    cells.stop_if_any()
    return PsaTable(
        draws=tuple(draws),
        strategies=tuple(pairs),
        costs=np.ascontiguousarray(values[:, :, 0]),
        qalys=np.ascontiguousarray(values[:, :, 1]),
    )
