"""A stand-in for the sheets of inputs and settings: the cells that calculation sheets read.

It writes the numbers of a study's base case on one sheet and makes them known under the keys of the
live chain, so that the time, background, curve and trace sheets can be made for a study that has
no tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from family_numbers import family_numbers, most_knots

from heor.engine.evaluate import traces
from heor.engine.timeline import Timeline
from heor.report.live import cell, cells
from heor.report.sheets import calc_background, calc_curves, calc_time, calc_trace
from heor.report.sheets.constants import CONSTANTS, Constants
from heor.report.sheets.layout import Context
from heor.report.xlsx import Book, Sheet, Style, writing
from heor.spec.parameters import Draws
from heor.spec.records import UNITS_PER_YEAR, Curve, LifeTable, Spec

INPUT = Style("input")
NEUTRAL = {
    "delay": 0.0,
    "acceleration": 1.0,
    "hazard_ratio": 1.0,
    "hr_from": 0.0,
    "hr_until": 0.0,
    "cure_fraction": 0.0,
    "early_mortality": 0.0,
    "early_period": 1.0,
    "km_until": 0.0,
    "pfs_death_share": 0.0,
}
TEXTS = (
    "smr_of",
    "cycle_correction",
    "discounting",
    "crossing",
    "background_mortality",
    "utility_cap",
)


def number(expression: Any, draws: Draws, neutral: float = 0.0) -> float:
    """Value of an expression in the first draw; ``neutral`` where there is none."""
    return neutral if expression is None else float(expression.evaluate(draws.values, 1)[0])


def settings_in_use(spec: Spec, draws: Draws, most: int | None = None) -> dict[str, float | str]:
    """Cells that hold the settings, by key; ``most`` is how many cycles there are rows for."""
    s, cycles = spec.settings, Timeline(spec.settings).cycles
    left = {"trapezoid": 0.5, "start": 1.0, "end": 0.0}[s.cycle_correction]
    found: dict[str, float | str] = {
        "cycle": s.cycle_length,
        "horizon": s.horizon,
        "cycles asked": float(cycles),
        "cycles": float(cycles if most is None else min(cycles, most)),
        "age_adjusted_utilities": "yes" if s.age_adjusted_utilities else "no",
        "left share": left,
        "right share": 1 - left,
        "smr": number(s.smr, draws, 1.0),
    }
    found |= {key: getattr(s, key) for key in TEXTS}
    for kind in ("costs", "outcomes"):
        rate = getattr(s, f"discount_rate_{kind}")
        found[f"rate {kind} first"] = rate.first
        found[f"rate {kind} step"] = rate.step_year or 0.0
        found[f"rate {kind} later"] = rate.first if rate.later is None else rate.later
    if s.start_age is not None and s.male_share is not None:
        found["start_age"] = number(s.start_age, draws)
        found["male_share"] = number(s.male_share, draws)
    if s.start_year is not None:
        found["start_year"] = s.start_year
    for row, c in enumerate(spec.curves, start=1):
        if c.use:
            found[f"row {c.strategy}.{c.endpoint}.{c.group}"] = float(row)
            found[f"averaged {c.strategy}.{c.endpoint}.{c.group}"] = float(bool(c.average))
    return found


def life_table_columns(table: LifeTable) -> dict[str, list[float]]:
    """The columns of a life table, a row for each age, or for each year and age."""
    found = {}
    age = table.age
    if table.year is not None:
        found["year"] = np.repeat(table.year, len(table.age)).tolist()
        age = np.tile(table.age, len(table.year))
    found["age"] = age.tolist()
    for name in ("male", "female", "utility_male", "utility_female"):
        found[name] = getattr(table, name).ravel().tolist()
    return found


class Registry:
    """Writes one value below the other and columns side by side."""

    def __init__(self, ctx: Context, sheet: Sheet, draws: Draws) -> None:
        self.ctx, self.sheet, self.draws = ctx, sheet, draws
        self.row, self.column = 0, 3
        self.knots = most_knots(ctx.results.spec)

    def put(self, key: str, value: float | str) -> None:
        self.sheet.text(self.row, 0, key)
        self.sheet.cell(self.row, 1, value, INPUT)
        self.ctx.live[key] = cell(self.sheet, self.row, 1, value)
        self.row += 1

    def put_range(self, key: str, values: list[Any]) -> None:
        self.sheet.text(0, self.column, key)
        for row, value in enumerate(values, start=1):
            blank = isinstance(value, float) and np.isnan(value)
            self.sheet.cell(row, self.column, None if blank else value, INPUT)
        last = len(values)
        self.ctx.live[key] = cells(self.sheet, 1, self.column, last, self.column, np.array(values))
        self.column += 1

    def write(self, spec: Spec) -> None:
        for key, value in settings_in_use(spec, self.draws).items():
            self.put(key, value)
        if spec.life_table is not None:
            for name, values in life_table_columns(spec.life_table).items():
                self.put_range(f"life_table {name}", values)
        for place, part in enumerate(spec.cohort):
            for name in ("age", "male_share", "share"):
                self.put(f"cohort {place} {name}", number(getattr(part, name), self.draws))
        if spec.cohort:
            self.put_range("cohort age", [number(part.age, self.draws) for part in spec.cohort])
        for (strategy, endpoint, group), km in spec.km.items():
            name = f"km {strategy}.{endpoint}.{group}"
            self.put_range(f"{name} time", (km.time / UNITS_PER_YEAR[km.time_unit]).tolist())
            self.put_range(f"{name} survival", km.survival.tolist())
        rows = [self.curve(c) for c in spec.curves]
        for key in rows[0]:
            self.put_range(f"curves {key}", [row[key] for row in rows])

    def curve(self, c: Curve) -> dict[str, float | str]:
        row: dict[str, float | str] = {
            "id": c.id,
            "family": f"{c.family} {c.scale}".strip(),
            "pps_family": f"{c.pps_family} {c.pps_scale}".strip(),
            "hazard": c.hazard,
            "per year": UNITS_PER_YEAR[c.time_unit],
            "weight": number(c.weight, self.draws),
            "has_hr_until": float(c.hr_until is not None),
            "has_km_until": float(c.km_until is not None),
            "average_weight": number(c.average_weight, self.draws),
            "wane_to": c.wane_to,
            "wane": c.wane or "hazard",
            "wane_from": number(c.wane_from, self.draws),
            "wane_until": number(c.wane_until or c.wane_from, self.draws),
        }
        row |= {
            name: number(getattr(c, name), self.draws, value) for name, value in NEUTRAL.items()
        }
        for mark, family, given in (
            ("p", c.family, c.parameters),
            ("q", c.pps_family, c.pps_parameters),
        ):
            values = {name: number(e, self.draws) for name, e in given.items()}
            numbers = family_numbers(family, values, self.knots[mark])
            row |= {
                f"{mark}{place + 1}": value
                for place, value in enumerate(numbers + [1.0] * (16 - len(numbers)))
            }
        return row


def add_traces(
    book: Book, spec: Spec, draws: Draws, prefix: str = "", constants: Constants | None = None
) -> Context:
    """Add a registry and the time, background, curve and trace sheets of a study to a book."""
    results: Any = SimpleNamespace(spec=spec)
    ctx = Context(results=results, book=book, traces=traces(spec, draws), names={})
    ctx._constants = constants
    Registry(ctx, book.sheet(f"{prefix}Inputs"), draws).write(spec)
    calc_time.write_time(ctx, book.sheet(f"{prefix}Calc Time"))
    if calc_background.has_background(ctx):
        calc_background.write_background(ctx, book.sheet(f"{prefix}Calc Background"))
    calc_curves.write_curves(ctx, book.sheet(f"{prefix}Calc Curves"))
    for strategy in calc_curves.filling_order(spec):
        calc_trace.write_trace(ctx, book.sheet(f"{prefix}Calc Trace {strategy}"), strategy)
    return ctx


def write_traces(path: Path, studies: Mapping[str, tuple[Spec, Draws]]) -> dict[str, Context]:
    """Write the sheets of studies into one workbook, each under its own prefix."""
    with writing(path) as book:
        constants = Constants(book.sheet(CONSTANTS))
        return {
            name: add_traces(book, *study, prefix=name, constants=constants)
            for name, study in studies.items()
        }
