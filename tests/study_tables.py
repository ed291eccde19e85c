"""Studies written as a folder of tables, so that they take the reader's way into a workbook."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from small_studies import MODIFIERS, WEEK, RandomStudy
from trace_registry import life_table_columns

from heor.spec.expressions import Expression
from heor.spec.records import Curve, DiscountRate, LifeTable, Spec, TableData

Row = dict[str, Any]

#: Lengths of a cycle as a user writes them.
CYCLES = {WEEK: "1 week", 1 / 12: "1 month", 0.25: "3 months", 0.1: "0.1 years"}


def write_tables(folder: Path, tables: Mapping[str, TableData]) -> Path:
    """Write tables as a folder of CSV files."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables.values():
        with (folder / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([table.columns, *table.rows])
    return folder


def with_cell(
    tables: Mapping[str, TableData], name: str, row: int, column: str, text: str
) -> dict[str, TableData]:
    """The tables with one cell changed; rows count from 0."""
    table = tables[name]
    place = table.columns.index(column)
    cells = list(table.rows[row])
    cells[place] = text
    rows = (*table.rows[:row], tuple(cells), *table.rows[row + 1 :])
    return {**tables, name: TableData(name=name, columns=table.columns, rows=rows)}


def random_tables(seed: int) -> dict[str, TableData]:
    """A random study of `RandomStudy` with distributions, second candidates and scenarios."""
    made = RandomStudy(seed, mixed=True)
    return _Tables(made.spec, made.ranges, random.Random(seed)).all()


class _Tables:
    """The tables of a study that was built from records."""

    def __init__(
        self, spec: Spec, ranges: Mapping[str, tuple[float, float]], rng: random.Random
    ) -> None:
        described = {curve.endpoint for curve in spec.curves}
        self.spec = spec
        self.states = [s for s in spec.states if not s.endpoint or s.endpoint in described]
        self.unknown = {s.id for s in spec.states} - {s.id for s in self.states}
        self.unknown |= {"response", "treatment"} - described
        self.ranges = ranges
        self.rng = rng

    def all(self) -> dict[str, TableData]:
        named = {cost.state for cost in self.spec.costs}
        bounds = {state.endpoint for state in self.spec.states}
        used = [c for c in self.spec.curves if c.endpoint in named | bounds]
        rows: dict[str, Sequence[Row]] = {
            "settings": self.settings(),
            "parameters": self.parameters(),
            "strategies": [{"id": s.id, "label": f"Care {s.id}"} for s in self.spec.strategies],
            "states": [{"id": s.id, "label": s.id, "endpoint": s.endpoint} for s in self.states],
            "curves": self.curves(used),
            "utilities": self.utilities(),
            "costs": self.costs(),
            "adverse_events": self.events(),
            "scenarios": self.scenarios(used),
            "life_table": _life_table(self.spec.life_table),
            "cohort": [
                {"age": p.age.text, "male_share": p.male_share.text, "share": p.share.text}
                for p in self.spec.cohort
            ],
            "km": self.km({(c.strategy, c.endpoint, c.group) for c in used}),
        }
        return {name: _table(name, found) for name, found in rows.items() if found}

    def settings(self) -> list[Row]:
        s = self.spec.settings
        texts = {
            "title": "Random study",
            "currency": "USD",
            "cycle_length": CYCLES[s.cycle_length],
            "horizon": f"{s.horizon!r} years",
            "discount_rate_costs": _rate(s.discount_rate_costs),
            "discount_rate_outcomes": _rate(s.discount_rate_outcomes),
            "discounting": s.discounting,
            "cycle_correction": s.cycle_correction,
            "crossing": s.crossing,
            "crossing_limit": "100%",
            "background_mortality": s.background_mortality,
            "smr": _text(s.smr),
            "smr_of": s.smr_of,
            "age_adjusted_utilities": "yes" if s.age_adjusted_utilities else "no",
            "utility_cap": s.utility_cap,
            "start_age": _text(s.start_age),
            "male_share": _text(s.male_share),
            "start_year": _number(s.start_year),
            "evlyg_utility": "0.851",
            "severity_weight": self.rng.choice(["1", "1.2"]),
            "reference": s.reference,
            "thresholds": "20000; 50000",
            "psa_samples": "5",
            "psa_seed": "3",
        }
        return [{"key": key, "value": value} for key, value in texts.items()]

    def parameters(self) -> list[Row]:
        derived = self.rng.sample(list(self.ranges), 3)
        rows: list[Row] = []
        for name, (low, high) in self.ranges.items():
            row = {"id": name, "label": f"Number {name}", "unit": "number"}
            row |= {"source": "assumption", "evidence": "assumption"}
            if name in derived:
                row |= {"value": f"{low!r} + 0.5 * ({high!r} - {low!r})"}
            else:
                row |= {"value": repr((low + high) / 2), "distribution": "uniform"}
                row |= {"a": repr(low), "b": repr(high)}
            rows.append(row)
        columns = ("id", "label", "value", "unit", "distribution", "a", "b", "source", "evidence")
        return [{column: row.get(column, "") for column in columns} for row in rows]

    def curves(self, used: Sequence[Curve]) -> list[Row]:
        rows = [_curve(c, mark="x") for c in used]
        for curve in used:
            if self.second(curve):
                rows.append(
                    {
                        "id": f"{curve.id}_second",
                        "strategy": curve.strategy,
                        "endpoint": curve.endpoint,
                        "group": curve.group,
                        "weight": _text(curve.weight),
                        "family": "exponential",
                        "parameters": "rate=0.7",
                        "time_unit": "year",
                        "source": "assumption",
                    }
                )
        return rows

    def second(self, curve: Curve) -> bool:
        """Whether a curve gets a second candidate: the last of each strategy and endpoint."""
        same = [
            c
            for c in self.spec.curves
            if (c.strategy, c.endpoint) == (curve.strategy, curve.endpoint)
        ]
        return curve is same[-1]

    def utilities(self) -> list[Row]:
        return [
            {
                "strategy": u.strategy,
                "state": u.state,
                "value": _text(u.value),
                "from": _number(u.start or None),
                "until": _number(u.until),
                "time_unit": u.time_unit,
            }
            for u in self.spec.utilities
            if u.state not in self.unknown
        ]

    def costs(self) -> list[Row]:
        rows = []
        for place, cost in enumerate(self.spec.costs):
            if cost.state in self.unknown:
                continue
            timed = cost.trigger in ("in_state", "schedule")
            start = 0.0 if cost.trigger == "schedule" and cost.start is None else cost.start
            rows.append(
                {
                    "id": f"item{place}",
                    "label": f"Item {place}",
                    "category": cost.category,
                    "strategy": cost.strategy,
                    "trigger": cost.trigger,
                    "state": cost.state,
                    "group": "" if cost.group == "all" else cost.group,
                    "per": cost.per,
                    "every": _number(cost.every),
                    "from": _number(start) if timed else "",
                    "until": _number(cost.until) if timed else "",
                    "time_unit": cost.time_unit if timed else "",
                    "amount": _text(cost.amount),
                }
            )
        return rows

    def events(self) -> list[Row]:
        return [
            {
                "strategy": event.strategy,
                "event": f"event {place}",
                "probability": _text(event.probability),
                "cost": _text(event.cost),
                "disutility": _text(event.disutility),
                "duration_days": _text(event.duration_days),
                "group": "" if event.group == "all" else event.group,
                "source": "assumption",
            }
            for place, event in enumerate(self.spec.adverse_events)
        ]

    def scenarios(self, used: Sequence[Curve]) -> list[Row]:
        """Numbers, formulas, curves and settings, one scenario of each kind and a mixed one."""
        names = list(self.ranges)
        number, other, third = self.rng.sample(names, 3)
        low, high = self.ranges[other]
        share = f"{third} ^ 2 / (1 + {third} ^ 2)"
        curve = self.rng.choice([c for c in used if self.second(c)])
        slot = f"curve:{curve.strategy}.{curve.endpoint}.{curve.group}"
        s = self.spec.settings
        shorter = f"{0.6 * s.horizon!r} years"
        excess = any(c.hazard == "excess" for c in used)
        backgrounds = ("none", "floor", "floor") if excess else ("none", "add", "floor")
        rules = [r for r in ("trapezoid", "start", "end") if r != s.cycle_correction]
        changes = [
            ("A number", number, repr(self.within(number))),
            ("A formula", other, f"{low!r} + {high - low!r} * {share}"),
            ("A curve", slot, f"{curve.id}_second"),
            ("A shorter horizon", "horizon", shorter),
            ("Rules", "cycle_correction", self.rng.choice(rules)),
            ("Rules", "discount_rate_costs", "5%; from 1: 2%"),
            ("Rules", "discount_rate_outcomes", "1.5%"),
            ("Rules", "background_mortality", self.rng.choice(backgrounds)),
            ("Rules", other, repr(self.within(other))),
        ]
        return [
            {"scenario": name, "purpose": "A change.", "target": target, "value": value}
            for name, target, value in changes
        ]

    def within(self, name: str) -> float:
        low, high = self.ranges[name]
        return self.rng.uniform(low, high)

    def km(self, slots: set[tuple[str, str, str]]) -> list[Row]:
        return [
            {
                "strategy": strategy,
                "endpoint": endpoint,
                "group": "" if group == "all" else group,
                "time": repr(round(float(time), 6)),
                "survival": repr(round(float(survival), 12)),
                "time_unit": table.time_unit,
                "source": "assumption",
            }
            for (strategy, endpoint, group), table in self.spec.km.items()
            if (strategy, endpoint, group) in slots
            for time, survival in zip(table.time, table.survival, strict=True)
        ]


def _table(name: str, rows: Sequence[Row]) -> TableData:
    columns = tuple(rows[0])
    return TableData(
        name=name,
        columns=columns,
        rows=tuple(tuple(str(row.get(column, "")) for column in columns) for row in rows),
    )


def _curve(curve: Curve, mark: str) -> Row:
    return {
        "id": curve.id,
        "strategy": curve.strategy,
        "endpoint": curve.endpoint,
        "group": "" if curve.group == "all" else curve.group,
        "weight": _text(curve.weight),
        "family": curve.family,
        "parameters": _named(curve.parameters, curve.scale),
        "time_unit": curve.time_unit,
        **{name: _text(getattr(curve, name)) for name in MODIFIERS},
        "wane_to": curve.wane_to,
        "wane": curve.wane,
        "average_weight": _text(curve.average_weight),
        "pps_family": curve.pps_family,
        "pps_parameters": _named(curve.pps_parameters, curve.pps_scale),
        "hazard": "" if curve.hazard == "all_cause" else curve.hazard,
        "use": mark,
        "source": "assumption",
    }


def _named(parameters: Mapping[str, Expression], scale: str) -> str:
    # times 1, for two parameters of a curve that are drawn apart must not stand alone
    found = [
        f"{name}=({_text(e)}) * 1" for name, e in parameters.items() if not name.startswith("knot")
    ]
    if scale:
        knots = " ".join(_text(e) for name, e in parameters.items() if name.startswith("knot"))
        found = [f"scale={scale}", f"knots={knots}", *found]
    return "; ".join(found)


def _text(expression: Expression | None) -> str:
    return "" if expression is None else expression.text


def _number(value: float | None) -> str:
    return "" if value is None or math.isinf(value) else repr(value)


def _rate(rate: DiscountRate) -> str:
    first = f"{100 * rate.first!r}%"
    if rate.step_year is None:
        return first
    return f"{first}; from {rate.step_year!r}: {100 * (rate.later or 0.0)!r}%"


def _life_table(table: LifeTable | None) -> list[Row]:
    assert table is not None
    columns = life_table_columns(table)
    return [
        {name: repr(float(values[row])) for name, values in columns.items()}
        for row in range(len(columns["age"]))
    ]
