"""Estimates, covariances and posterior draws in CSV files, as R and Python write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heor.errors import InputErrors, Place, Problem
from heor.fitting.printed import Found, Matrix, Row, number

#: Headings of estimates: ours, as compared without capitals and marks.
_HEADINGS = {
    "estimate": ("est", "estimate", "mean", "coef", "value"),
    "se": ("se", "stderror", "secoef", "standarderror", "sd"),
    "low": ("l95", "conflow", "lower95", "coeflower95", "lcl"),
    "high": ("u95", "confhigh", "upper95", "coefupper95", "ucl"),
    "name": ("term", "parameter", "param", "covariate"),
}

#: Columns of draws that are no parameters, without capitals and marks.
_BOOKKEEPING = ("", "draw", "iteration", "chain", "sim", "lp", "x", "id", "unnamed0")

#: Fewest rows of draws.
FEWEST_DRAWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    file: str
    heading: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def read_csv(path: Path, drop: Sequence[str] = ()) -> Found:
    """Read estimates or posterior draws.

    Parameters
    ----------
    path : Path
    drop : sequence of str
        Columns of draws to leave out.

    Raises
    ------
    InputErrors
        When it is neither, or a cell is no number.
    """
    table = _read(path)
    if _is_matrix(table):
        message = "this is a covariance; give the estimates as the file, and this as --covariance"
        raise InputErrors([Problem(Place(table.file), message)])
    plain = [_plain(name) for name in table.heading]
    if any(name in _HEADINGS["estimate"] for name in plain):
        if drop:
            message = "--drop is of posterior draws; this file holds estimates"
            raise InputErrors([Problem(Place(table.file), message)])
        return _estimates(table, plain)
    return _draws(table, drop)


def read_matrix(path: Path) -> Matrix:
    """Read a covariance matrix whose first column names the rows, as ``write.csv(vcov(fit))``.

    Raises
    ------
    InputErrors
        When its rows are not named as its columns, or a cell is no number.
    """
    table = _read(path)
    if not _is_matrix(table):
        words = (
            "expected a covariance as write.csv(vcov(fit)) writes it: names of parameters in the "
            f"first row and in the first column; found the columns {_named(table.heading)}. Where "
            "R has lost the names: v <- vcov(fit); dimnames(v) <- rep(list(names(coef(fit))), 2)"
        )
        raise InputErrors([Problem(Place(table.file, row=1), words)])
    names = table.heading[1:]
    problems: list[Problem] = []
    values = np.full((len(names), len(names)), np.nan)
    for place, (line, cells) in enumerate(table.rows):
        for column, (name, text) in enumerate(zip(names, cells[1:], strict=True)):
            found = number(text)
            if found is None or not np.isfinite(found.value):
                message = f"found `{text}`; expected a number"
                problems.append(Problem(Place(table.file, row=line, column=name), message))
            else:
                values[place, column] = found.value
    if problems:
        raise InputErrors(problems)
    return Matrix(file=table.file, line=1, names=names, values=values)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:8])
    return f"{shown}, …" if len(names) > 8 else shown


def _read(path: Path) -> _Table:
    file = str(path)
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputErrors([Problem(Place(file), "the file is not UTF-8 text")]) from error
    except OSError as error:
        raise InputErrors([Problem(Place(file), error.strerror or "not readable")]) from error
    lines = [
        (place, cells)
        for place, cells in enumerate(csv.reader(text.splitlines()), start=1)
        if any(cell.strip() for cell in cells) and not cells[0].startswith("#")
    ]
    if not lines:
        raise InputErrors([Problem(Place(file), "the file is empty")])
    heading = [cell.strip() for cell in lines[0][1]]
    if len(heading) == 1 and (";" in heading[0] or "\t" in heading[0]):
        words = (
            "columns are parted by semicolons or tabs; write it with write.csv, commas and points"
        )
        raise InputErrors([Problem(Place(file, row=lines[0][0]), words)])
    if len(lines) > 1 and len(lines[1][1]) == len(heading) + 1:  # write.table has no corner
        heading = ["", *heading]
    rows, problems = [], []
    for line, cells in lines[1:]:
        if len(cells) != len(heading):
            words = f"{len(cells)} cells under {len(heading)} headings"
            problems.append(Problem(Place(file, row=line), words))
        rows.append((line, tuple(cell.strip() for cell in cells)))
    if not rows:
        problems.append(Problem(Place(file), "there is no row under the headings"))
    if problems:
        raise InputErrors(problems)
    return _Table(file=file, heading=tuple(heading), rows=tuple(rows))


def _is_matrix(table: _Table) -> bool:
    return len(table.heading) > 1 and table.heading[1:] == tuple(
        cells[0] for _, cells in table.rows
    )


def _estimates(table: _Table, plain: Sequence[str]) -> Found:
    places = {
        name: next((i for i, word in enumerate(plain) if word in words), None)
        for name, words in _HEADINGS.items()
    }
    names = places["name"] if places["name"] is not None else 0
    if names == places["estimate"]:
        words = "there is no column of names before the estimates; write it with row names"
        raise InputErrors([Problem(Place(table.file, row=1), words)])
    found = Found(file=table.file, line=1)
    problems = []
    for line, cells in table.rows:
        read = {
            key: None if place is None or key == "name" else number(cells[place])
            for key, place in places.items()
        }
        estimate, middle = places["estimate"], read["estimate"]
        if middle is None or not np.isfinite(middle.value):
            column = table.heading[estimate or 0]
            message = f"found `{cells[estimate or 0]}`; expected a number"
            problems.append(Problem(Place(table.file, row=line, column=column), message))
            continue
        found.rows.append(
            Row(
                name=cells[names],
                line=line,
                estimate=middle,
                se=read["se"],
                low=read["low"],
                high=read["high"],
            )
        )
    if problems:
        raise InputErrors(problems)
    return found


def _draws(table: _Table, drop: Sequence[str]) -> Found:
    problems = [
        Problem(Place("--drop"), f"`{name}` is no column; there are {_named(table.heading)}")
        for name in drop
        if name not in table.heading
    ]
    left = {name for name in table.heading if _plain(name) in _BOOKKEEPING} | set(drop)
    kept = [(i, name) for i, name in enumerate(table.heading) if name not in left]
    columns: dict[str, list[float]] = {}
    for place, name in kept:
        if name in columns:
            problems.append(
                Problem(Place(table.file, row=1, column=name), "the column stands twice")
            )
            continue
        values = columns[name] = []
        for line, cells in table.rows:
            found = number(cells[place])
            if found is None or not np.isfinite(found.value):
                message = f"found `{cells[place]}`; expected a number"
                problems.append(Problem(Place(table.file, row=line, column=name), message))
            else:
                values.append(found.value)
    if not kept:
        problems.append(Problem(Place(table.file, row=1), "there is no column of a parameter"))
    if len(table.rows) < FEWEST_DRAWS:
        problems.append(Problem(Place(table.file), "posterior draws need at least two rows"))
    if problems:
        raise InputErrors(problems[:20])
    draws = {name: np.array(values) for name, values in columns.items()}
    return Found(file=table.file, line=1, draws=draws)
