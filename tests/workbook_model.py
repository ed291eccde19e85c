"""A report workbook as a model: where inputs and results stand, and what they should come to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from unittest import mock

import numpy as np
from spreadsheet import Cell, Input, Results, Spreadsheet
from xlsx_package import Package, column_index, read_package, split_address

from heor.analyses import cea
from heor.analyses.study_results import StudyResults
from heor.engine.evaluate import evaluate
from heor.engine.outcomes import Outcomes
from heor.errors import Place
from heor.report import workbook
from heor.report.sheets.layout import Context
from heor.report.xlsx import cell_name
from heor.spec import draws as draw_sets
from heor.spec.changes import apply_changes
from heor.spec.parameters import Draws
from heor.spec.records import Change, Spec

Value = float | str

_REFERENCE = re.compile(r"'((?:[^']|'')+)'!\$?([A-Z]+)\$?([0-9]+)")

#: Outcomes of a strategy by the name under which the workbook keeps them.
TOTALS = {
    "cost": "cost",
    "ly": "ly",
    "qaly": "qaly",
    "evly": "evly",
    "cost undiscounted": "cost_undiscounted",
    "ly undiscounted": "ly_undiscounted",
    "qaly undiscounted": "qaly_undiscounted",
}
#: Words that stand where a ratio has no meaning, by quadrant (methods 6.2).
WORDS = {
    "SE": "dominant",
    "NW": "dominated",
    "SW": "saves: see status",
    cea.ON_AXIS: "no ratio: see status",
}


#: Cells that count what the live cells do not follow; Checks fails where one is not 0.
WARNINGS = (
    "structure changed",
    "rows missing",
    "steps missing",
    "norms missing",
    "utility gaps",
    "schedule rows missing",
)

#: Sheets of differences, small where large sums cancel; those sums stand on `SUMS`.
DIFFERENCES, SUMS = ("EVPI", "Verification"), "Results"


#: A few roundings of numbers near 1.
ROUNDING = 1e-14


def cell_of(reference: str) -> Cell:
    """Sheet and address of a reference such as ``'Results'!$B$4``."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(f"{reference!r} is not the reference of one cell")
    return found[1].replace("''", "'"), found[2] + found[3]


@dataclass(slots=True)
class Model:
    """A workbook on disk with the context that it was made in."""

    path: Path
    ctx: Context
    package: Package
    _choices: dict[str, Cell] = field(default_factory=dict)

    @property
    def spec(self) -> Spec:
        """The study."""
        return self.ctx.results.spec

    def live(self, key: str) -> Cell:
        """Cell of the live chain."""
        return cell_of(self.ctx.live[key].text)

    def table(self, name: str, row: int, column: str) -> Cell:
        """Cell of an input table; rows count from 0."""
        place = self.spec.tables[name].columns.index(column)
        return name, cell_name(row + 1, place)

    def parameter(self, identifier: str) -> Cell:
        """The blue ``value`` cell of a parameter."""
        return self.table("parameters", list(self.spec.parameters).index(identifier), "value")

    @property
    def warnings(self) -> list[str]:
        """Keys of the cells that count what the live cells do not follow; 0 where they do."""
        return [key for key in WARNINGS if key in self.ctx.live]

    @property
    def nothing_missing(self) -> dict[str, Value]:
        """What those cells hold while the live cells follow everything."""
        return dict.fromkeys(self.warnings, 0.0)

    def choice(self, key: str) -> Cell:
        """The blue cell of a row of Control."""
        if not self._choices:
            cells = self.package.sheets["Control"].cells
            heads = {cell.value: place for place, cell in cells.items()}
            column = re.sub(r"\d", "", heads["your choice"])
            for place, cell in cells.items():
                if place.startswith("A") and isinstance(cell.value, str):
                    self._choices[cell.value] = ("Control", column + place[1:])
        return self._choices[key]


def write_model(results: StudyResults, path: Path, **options: Any) -> Model:
    """Write a report and keep the context that knows where everything stands."""
    made: list[Context] = []

    def keep(**values: Any) -> Context:
        made.append(Context(**values))
        return made[-1]

    with mock.patch.object(workbook, "Context", keep):
        workbook.write_report(results, path, **options)
    return Model(path, made[0], read_package(path))


# --- what the engine says ----------------------------------------------------------------------


def changed(spec: Spec, changes: Mapping[str, str]) -> Spec:
    """The study with parameters, settings or curves changed by target."""
    made = [Change(target=t, value=v, place=Place("test")) for t, v in changes.items()]
    return apply_changes(spec, made)


def expected(spec: Spec, outcomes: Outcomes, row: int = 0) -> dict[str, Value]:
    """Results of one row of outcomes by the key of their live cell."""
    found: dict[str, Value] = {}
    reference = spec.settings.reference
    for strategy in spec.strategy_ids():
        total = {key: float(outcomes.of(strategy, name)[row]) for key, name in TOTALS.items()}
        found.update({f"total {key} {strategy}": value for key, value in total.items()})
        if strategy == reference:
            continue
        delta = {
            key: total[key] - float(outcomes.of(reference, name)[row])
            for key, name in TOTALS.items()
        }
        found.update({f"delta {key} {strategy}": delta[key] for key in ("cost", "qaly", "ly")})
        found[f"evlyg {strategy}"] = delta["evly"]
        where = cea.quadrant(delta["cost"], delta["qaly"])
        ratio = WORDS.get(where)
        found[f"icer {strategy}"] = delta["cost"] / delta["qaly"] if ratio is None else ratio
    return found


def engine(spec: Spec, draws: Draws | None = None) -> list[dict[str, Value]]:
    """Results of every row of draws, of the base values when left out."""
    draws = draw_sets.base(spec) if draws is None else draws
    outcomes = evaluate(spec, draws)
    return [expected(spec, outcomes, row) for row in range(len(draws))]


def table_of(spec: Spec, rows: Sequence[Mapping[str, float]]) -> Draws:
    """Draws of the base values with some replaced in each row, derived ones computed."""
    given = {p.id: p.value for p in spec.parameters.values() if p.expression is None}
    values = {
        name: np.array([row.get(name, value) for row in rows], dtype=float)
        for name, value in given.items()
    }
    return Draws(draw_sets.derive(spec, values))


# --- what the workbook says --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """One change: its kind and name, the cells that are set, and what the engine gives then."""

    kind: str
    name: str
    cells: Mapping[Cell, Input]
    wanted: Mapping[str, Value]


@dataclass(slots=True)
class Outcome:
    """What came of some trials: differences by trial, and what is wrong in words."""

    kinds: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    results: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """Changes tried."""
        return sum(map(len, self.kinds.values()))

    def table(self) -> str:
        """Changes tried and the largest relative difference, by kind of change."""
        lines = [f"{'change':<42} {'tried':>6}  largest relative difference"]
        for kind, found in self.kinds.items():
            gap, name = max(found)
            lines.append(f"{kind:<42} {len(found):>6}  {gap:.1e}  ({name})")
        lines.append(f"{'all':<42} {self.changes:>6}  {self.results:,} results compared")
        return "\n".join(lines)


def difference(found: Value | None, wanted: Value) -> float:
    """Relative difference of two numbers, of words 0 or infinity."""
    if isinstance(found, str) or isinstance(wanted, str):
        return 0.0 if found == wanted else math.inf
    if found is None or not math.isfinite(found):  # LibreOffice gives nothing for an error value
        return math.inf
    return abs(found - wanted) / max(abs(wanted), 1e-6)


def replicate(
    calcs: Sequence[Spreadsheet], model: Model, trials: Iterable[Trial], tolerance: float
) -> Outcome:
    """Make each change in the loaded workbook and compare its results with those wanted.

    ``calcs`` all have the workbook loaded; each takes the next trial when it is free.
    """
    result, queue, lock = Outcome(), iter(trials), Lock()

    def work(calc: Spreadsheet) -> None:
        while True:
            with lock:
                trial = next(queue, None)
            if trial is None:
                return
            keys = list(trial.wanted)
            reply = calc.results(trial.cells, [model.live(key) for key in keys])
            with lock:
                worst = compare(trial, keys, reply, tolerance, result.faults)
                result.kinds.setdefault(trial.kind, []).append((worst, trial.name))
                result.results += len(keys)

    with ThreadPoolExecutor(len(calcs)) as pool:
        list(pool.map(work, calcs))
    return result


def compare(
    trial: Trial, keys: Sequence[str], reply: Results, tolerance: float, faults: list[str]
) -> float:
    """Largest difference of a trial; adds what is wrong to the faults."""
    worst, name = 0.0, f"{trial.kind}, {trial.name}"
    if reply.error_count:
        faults.append(f"{name}: {reply.error_count} cells with errors: {reply.error_cells[:5]}")
    for key, found in zip(keys, reply.values, strict=True):
        wanted = trial.wanted[key]
        gap = difference(found, wanted)
        worst = max(worst, gap)
        if gap > tolerance:
            faults.append(f"{name}: {key} is {found!r}, the engine says {wanted!r}")
    return worst


def stored_differences(calc: Spreadsheet, package: Package) -> list[str]:
    """Formula cells of the loaded workbook whose value is not the stored one.

    Numbers may differ by 1e-9 of their own size plus 1e-12 of the largest in their column, or of
    the sums that they are differences of; texts not at all. Shares are 1 minus a number, so one
    that is nearly 0 is right to the rounding of 1.
    """
    reply = calc.change({}, calc.used())
    found = [f"cell with an error: {cell}" for cell in reply.error_cells]
    for (title, _), rows in zip(calc.used(), reply.values, strict=True):
        cells = [(place, cell.value) for place, cell in package.sheets[title].formulas]
        scales = column_scales(package, SUMS if title in DIFFERENCES else title)
        whole = max(scales.values(), default=0.0) if title in DIFFERENCES else None
        for place, value in cells:
            column, row = split_address(place)
            now = rows[row - 1][column_index(column)]
            if isinstance(now, float) and isinstance(value, float):
                scale = scales[column] if whole is None else whole
                allowed = 1e-9 * max(abs(now), abs(value)) + 1e-12 * scale + ROUNDING
                if abs(now - value) <= allowed:
                    continue
            elif now == value:
                continue
            found.append(f"{title}!{place}: stored {value!r}, calculated {now!r}")
    return found


def column_scales(package: Package, title: str) -> dict[str, float]:
    """Largest stored result of each column of a sheet, by column letter."""
    scales: dict[str, float] = {}
    for place, cell in package.sheets[title].formulas:
        if isinstance(cell.value, float):
            column = split_address(place)[0]
            scales[column] = max(scales.get(column, 0.0), abs(cell.value))
    return scales
