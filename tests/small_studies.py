"""Small studies built straight from records, and a generator of random ones, for the tests."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from heor.errors import Place
from heor.spec.expressions import Expression, constant, parse
from heor.spec.parameters import Draws, Parameter
from heor.spec.records import (
    ALL,
    UNITS_PER_YEAR,
    WANING,
    AdverseEvent,
    CohortPart,
    Cost,
    Curve,
    DiscountRate,
    KaplanMeier,
    LifeTable,
    Settings,
    Spec,
    State,
    Strategy,
    Utility,
)
from heor.spec.structure_rows import averaging

HERE = Place("test")
WEEK = 7 / 365.25
NAMES = {
    "response": "responding",
    "stable": "stable_disease",
    "pfs": "progression_free",
    "os": "progressed",
}
MODIFIERS = (
    "delay",
    "acceleration",
    "hazard_ratio",
    "hr_from",
    "hr_until",
    "cure_fraction",
    "early_mortality",
    "early_period",
    "km_until",
    "pfs_death_share",
    "wane_from",
    "wane_until",
)

Cell = float | str | Expression | None


def expression(cell: Cell) -> Expression | None:
    """A number or a formula as an expression; None stays None."""
    if cell is None or isinstance(cell, Expression):
        return cell
    return parse(cell) if isinstance(cell, str) else constant(float(cell))


def settings(**changes: Any) -> Settings:
    """Weekly cycles over ten years at 3%, reference ``a``; any field may be changed."""
    values: dict[str, Any] = {
        "title": "test",
        "currency": "USD",
        "price_year": 2024,
        "perspective": "",
        "agency": "",
        "cycle_length": WEEK,
        "horizon": 10.0,
        "discount_rate_costs": 0.03,
        "discount_rate_outcomes": 0.03,
        "discounting": "mid_cycle",
        "cycle_correction": "trapezoid",
        "crossing": "cap",
        "crossing_limit": 1.0,
        "background_mortality": "none",
        "smr": 1.0,
        "age_adjusted_utilities": False,
        "utility_cap": "none",
        "start_age": None,
        "male_share": None,
        "evlyg_utility": 0.851,
        "severity_weight": 1.0,
        "reference": "a",
        "price_parameter": "",
        "thresholds": (50_000.0,),
        "decision_horizon": None,
        "incidence": None,
        "psa_samples": 100,
        "psa_seed": 1,
        "psa_sampler": "random",
        "psa_replicates": 1,
    }
    values.update(changes)
    for name in ("discount_rate_costs", "discount_rate_outcomes"):
        if not isinstance(values[name], DiscountRate):
            values[name] = DiscountRate(first=values[name])
    for name in ("smr", "start_age", "male_share"):
        values[name] = expression(values[name])
    return Settings(**values)


def curve(
    strategy: str,
    endpoint: str,
    family: str,
    parameters: Mapping[str, Cell],
    *,
    group: str = "all",
    weight: Cell = 1.0,
    time_unit: str = "year",
    pps_family: str = "",
    pps_parameters: Mapping[str, Cell] | None = None,
    hazard: str = "all_cause",
    wane_to: str = "",
    wane: str = "hazard",
    **modifiers: Cell,
) -> Curve:
    """A curve in use; modifiers are the columns ``delay`` to ``pfs_death_share``.

    The scale of a spline follows its name: ``spline odds``.
    """
    assert set(modifiers) <= set(MODIFIERS)
    family, _, scale = family.partition(" ")
    pps_family, _, pps_scale = pps_family.partition(" ")
    return Curve(
        id=f"{strategy}_{endpoint}_{group}",
        strategy=strategy,
        endpoint=endpoint,
        group=group,
        weight=expression(weight),
        family=family,
        parameters={name: expression(cell) for name, cell in parameters.items()},
        time_unit=time_unit,
        pps_family=pps_family,
        pps_parameters={name: expression(cell) for name, cell in (pps_parameters or {}).items()},
        use=True,
        source="assumption",
        place=HERE,
        scale=scale,
        pps_scale=pps_scale,
        hazard=hazard,
        wane_to=wane_to,
        wane=wane if wane_to else "",
        **{name: expression(modifiers.get(name)) for name in MODIFIERS},
    )


def utility(
    strategy: str,
    state: str,
    value: Cell,
    start: float = 0.0,
    until: float | None = None,
    time_unit: str = "year",
) -> Utility:
    """One row of utilities."""
    return Utility(
        strategy=strategy,
        state=state,
        value=expression(value),
        start=start,
        until=until,
        time_unit=time_unit,
        place=HERE,
    )


def cost(strategy: str, trigger: str, amount: Cell, **changes: Any) -> Cost:
    """One row of costs, in a category named after its trigger."""
    values: dict[str, Any] = {
        "id": f"{strategy}_{trigger}_{changes.get('state', '')}",
        "label": trigger,
        "category": trigger,
        "state": "",
        "group": ALL,
        "per": "year" if trigger == "in_state" else "",
        "every": None,
        "start": None,
        "until": None,
        "time_unit": "year",
        "perspective": "",
    }
    values.update(changes)
    return Cost(strategy=strategy, trigger=trigger, amount=expression(amount), place=HERE, **values)


def event(strategy: str, *cells: Cell, group: str = ALL) -> AdverseEvent:
    """One adverse event: probability, cost, disutility, duration in days."""
    probability, paid, disutility, days = (expression(cell) for cell in cells)
    return AdverseEvent(
        strategy=strategy,
        event="event",
        probability=probability,
        cost=paid,
        disutility=disutility,
        duration_days=days,
        group=group,
        place=HERE,
    )


def fixed(name: str, value: float, **changes: Any) -> Parameter:
    """A parameter without a distribution unless one is given."""
    values: dict[str, Any] = {
        "label": name,
        "category": "",
        "expression": None,
        "unit": "",
        "low": None,
        "high": None,
        "distribution": None,
        "correlation_group": "",
        "price_year": "",
        "source": "assumption",
        "evidence": "assumption",
        "note": "",
        "place": HERE,
    }
    values.update(changes)
    return Parameter(id=name, value=value, **values)


def study(
    curves: Sequence[Curve],
    *,
    options: Settings | None = None,
    endpoints: Sequence[str] = ("pfs", "os"),
    utilities: Sequence[Utility] | None = None,
    costs: Sequence[Cost] = (),
    events: Sequence[AdverseEvent] = (),
    parameters: Sequence[Parameter] = (),
    life_table: LifeTable | None = None,
    cohort: Sequence[CohortPart] = (),
    km: Sequence[KaplanMeier] = (),
) -> Spec:
    """A study whose strategies are those of its curves; utilities are 1 unless given."""
    names = [NAMES[endpoint] for endpoint in endpoints]
    states = [
        State(id=name, label=name, endpoint=endpoint, place=HERE)
        for name, endpoint in zip(names, endpoints, strict=True)
    ]
    states.append(State(id="dead", label="dead", endpoint="", place=HERE))
    return Spec(
        name="test",
        settings=options or settings(),
        parameters={p.id: p for p in parameters},
        strategies=tuple(
            Strategy(id=name, label=name, note="", place=HERE)
            for name in dict.fromkeys(c.strategy for c in curves)
        ),
        states=tuple(states),
        curves=tuple(curves),
        utilities=tuple(utilities or [utility("all", name, 1.0) for name in names]),
        costs=tuple(costs),
        adverse_events=tuple(events),
        scenarios=(),
        correlations=(),
        empirical={},
        life_table=life_table,
        cohort=tuple(cohort),
        km={(k.strategy, k.endpoint, k.group): k for k in km},
        validation_targets=(),
        references={},
        tables={},
        warnings=(),
        input_hash="",
    )


def life_table() -> LifeTable:
    """Ages 30 to 110 with Gompertz-like mortality, certain death at the last age, and norms."""
    age = np.arange(30.0, 111.0)
    male = np.minimum(1.0, 0.0012 * np.exp(0.095 * (age - 30)))
    female = np.minimum(1.0, 0.0007 * np.exp(0.098 * (age - 30)))
    male[-1] = female[-1] = 1.0
    return LifeTable(
        age=age,
        male=male,
        female=female,
        utility_male=0.95 - 0.004 * (age - 30),
        utility_female=0.93 - 0.0035 * (age - 30),
    )


def part(age: Cell, male_share: Cell, share: Cell) -> CohortPart:
    """People of one age at the start."""
    values = [expression(cell) for cell in (age, male_share, share)]
    assert None not in values
    return CohortPart(age=values[0], male_share=values[1], share=values[2], place=HERE)


def with_years(table: LifeTable, first: int, count: int, fall: float = 0.03) -> LifeTable:
    """The table once per calendar year, mortality lower and norms higher from year to year."""
    year = np.arange(first, first + count, dtype=float)
    level = (1 - fall) ** np.arange(count)[:, None]
    return LifeTable(
        age=table.age,
        year=year,
        male=np.where(table.male < 1, table.male * level, 1.0),
        female=np.where(table.female < 1, table.female * level, 1.0),
        utility_male=1 - (1 - table.utility_male) * level,
        utility_female=1 - (1 - table.utility_female) * level,
    )


class RandomStudy:
    """A random study that may use any feature; its numbers are parameters with ranges."""

    def __init__(self, seed: int, mixed: bool = False) -> None:
        #: whether its population may have several ages, calendar years and excess hazards
        self.mixed = mixed
        self.rng = random.Random(seed)
        self.flexible = random.Random(f"flexible {seed}")
        self.people = random.Random(f"people {seed}")
        self.ranges: dict[str, tuple[float, float]] = {}
        self.km: list[KaplanMeier] = []
        self.cycle = self.rng.choice([WEEK, 1 / 12, 0.25, 0.1])
        self.horizon = self.cycle * (self.rng.randint(8, 60) - self.rng.choice([0.0, 0.4]))
        self.endpoints = self.rng.choice(
            [("pfs", "os"), ("response", "pfs", "os"), ("response", "stable", "pfs", "os")]
        )
        self.groups: dict[str, list[str]] = {}
        self.grouped: dict[str, list[str]] = {}
        self.spec = self.build()

    # --- numbers -----------------------------------------------------------------------

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def number(self, low: float, high: float) -> Expression:
        """A new parameter within a range."""
        name = f"p{len(self.ranges)}"
        self.ranges[name] = (low, high)
        return parse(name)

    def draws(self, n: int) -> Draws:
        """Rows of parameter values, each uniform in its range."""
        return Draws(
            {
                name: np.array([self.rng.uniform(low, high) for _ in range(n)])
                for name, (low, high) in self.ranges.items()
            }
        )

    # --- the study ---------------------------------------------------------------------

    def build(self) -> Spec:
        rng = self.rng
        strategies = ["a", "b", "c"][: rng.choice([2, 2, 3])]
        curves = self.waning([c for strategy in strategies for c in self.curves(strategy)])
        states = [NAMES[endpoint] for endpoint in self.endpoints]
        rates = [
            DiscountRate(first=0.0),
            DiscountRate(first=rng.uniform(0, 0.1)),
            DiscountRate(
                first=rng.uniform(0, 0.1),
                step_year=self.horizon * rng.uniform(0, 1),
                later=rng.uniform(0, 0.1),
            ),
        ]
        options = settings(
            cycle_length=self.cycle,
            horizon=self.horizon,
            discount_rate_costs=rng.choice(rates),
            discount_rate_outcomes=rng.choice(rates),
            discounting=rng.choice(["mid_cycle", "start_of_cycle", "annual", "continuous"]),
            cycle_correction=rng.choice(["trapezoid", "start", "end"]),
            crossing=rng.choice(["cap", "cap", "keep_higher"]),
            background_mortality=rng.choice(["floor", "floor", "add", "none"]),
            smr=self.number(0.8, 2.0),
            smr_of=self.people.choice(["cured", "cured", "cohort"]) if self.mixed else "cured",
            age_adjusted_utilities=self.chance(0.5),
            utility_cap=rng.choice(["none", "population_norm"]),
            start_age=self.number(*rng.choice([(40.0, 60.0), (85.0, 95.0), (100.0, 108.0)])),
            male_share=self.number(0.2, 0.8),
            reference=rng.choice(strategies),
        )
        table, cohort, options = self.population(options)
        return study(
            [self.excess(c, options) for c in curves],
            options=options,
            endpoints=self.endpoints,
            utilities=[row for state in states for row in self.utilities(state, strategies)],
            costs=[item for strategy in [*strategies, "all"] for item in self.costs(strategy)],
            events=[
                event(
                    strategy,
                    self.number(0, 0.5),
                    self.number(0, 9000),
                    self.number(0, 0.5),
                    self.number(1, 40),
                    group=rng.choice(["all", *self.groups[strategy]]),
                )
                for strategy in strategies
                if self.chance(0.7)
            ],
            parameters=[fixed(name, (low + high) / 2) for name, (low, high) in self.ranges.items()],
            life_table=table,
            cohort=cohort,
            km=self.km,
        )

    def population(self, options: Settings) -> tuple[LifeTable, list[CohortPart], Settings]:
        """Give the life table, with or without years, and one age at the start or several."""
        table, parts, people = life_table(), list[CohortPart](), self.people
        if not self.mixed:
            return table, parts, options
        if people.random() < 0.4:
            count = people.choice([1, 2, 4])
            start = 2000 + people.choice([0.0, 0.25, 1.0, 7.6])
            table = with_years(table, 2000, count)
            options = replace(options, start_year=start)
        if people.random() < 0.4:
            assert options.start_age is not None
            low, high = self.ranges[options.start_age.text]
            shares = people.choice([(0.3, 0.7), (0.2, 0.5, 0.3), (0.1, 0.2, 0.3, 0.4)])
            other = self.number(-0.09, 0.09).text
            texts = [f"{shares[0]} + {other}", f"{shares[1]} - {other}", *shares[2:]]
            parts = [
                part(
                    people.choice([self.number(low, high), float(round(low)), low + 0.3]),
                    people.choice([0.0, 1.0, self.number(0.2, 0.8)]),
                    share,
                )
                for share in texts
            ]
            options = replace(options, start_age=None, male_share=None)
        return table, parts, options

    def excess(self, curve: Curve, options: Settings) -> Curve:
        """The curve, or as one beyond the population's hazard where that may be."""
        observed = curve.family in ("kaplan_meier", "post_progression") or curve.km_until
        other = options.background_mortality == "add" or options.smr_of == "cohort"
        if (
            curve.endpoint != "os"
            or observed
            or other
            or not self.mixed
            or self.people.random() > 0.35
        ):
            return curve
        return replace(curve, hazard="excess")

    def curves(self, strategy: str) -> list[Curve]:
        """Curves of one strategy: grouped or not, response and time on treatment or not."""
        rng = self.rng
        shape = rng.choice(["plain", "both", "both", "os all", "pfs all"])
        share, other = self.number(0.2, 0.6), self.number(0.2, 0.8)
        weights: dict[str, Cell] = {
            "r": share,
            "n": f"(1 - {share.text}) * {other.text}",
            "x": f"(1 - {share.text}) * (1 - {other.text})",
        }
        single: dict[str, Cell] = {"all": 1.0}
        inner = single if shape in ("plain", "pfs all") else weights
        outer = single if shape in ("plain", "os all") else weights
        self.groups[strategy] = list(weights) if shape != "plain" else []
        if shape == "both":
            self.grouped[strategy] = ["pfs", "os", "progression_free", "progressed", "dead"]
        elif shape == "os all":
            self.grouped[strategy] = ["pfs", "progression_free"]
        out = []
        for endpoint in self.endpoints[::-1]:
            used = outer if endpoint == "os" else inner
            if endpoint == "response":
                if self.chance(0.3):
                    continue
                used = dict(list(used.items())[: rng.choice([1, 3])])
            for group, weight in used.items():
                if endpoint == "os" and shape in ("plain", "both") and self.chance(0.25):
                    out.append(self.post_progression(strategy, group, weight))
                else:
                    out.append(self.curve(strategy, endpoint, group, weight))
        if self.chance(0.5):
            for group, weight in inner.items():
                out.append(self.curve(strategy, "treatment", group, weight))
        return out

    def waning(self, curves: list[Curve]) -> list[Curve]:
        """Some curves wane to those of one strategy; the other choices stay as they are."""
        to = self.flexible.choice(sorted({c.strategy for c in curves}))
        there = {(c.endpoint, c.group) for c in curves if c.strategy == to}
        found = []
        for c in curves:
            mine = c.strategy != to and (c.endpoint, c.group) in there
            if mine and self.flexible.random() < 0.4:
                size = self.horizon * UNITS_PER_YEAR[c.time_unit]
                until = self.number(0.5 * size, 0.9 * size)
                wane = self.flexible.choice(WANING)
                if wane == "hazard" and self.flexible.random() < 0.3:
                    until = None
                start = self.number(0.1 * size, 0.4 * size)
                c = dataclasses.replace(c, wane_to=to, wane=wane, wane_from=start, wane_until=until)
            found.append(c)
        return found

    def parameters(self, family: str, unit: float, size: float) -> dict[str, Cell]:
        """Parameters that give a median of the order of ``size`` years."""
        scale = self.number(0.5 * size * unit, 1.5 * size * unit).text
        shape = self.number(0.7, 1.8)
        if family == "exponential":
            return {"rate": f"0.7 / {scale}"}
        if family in ("weibull", "loglogistic"):
            return {"shape": shape, "scale": scale}
        if family == "gompertz":
            slope = self.rng.choice(["", "-"]) + self.number(0.2, 0.9).text
            return {"shape": f"({slope}) / {scale}", "rate": f"0.6 / {scale}"}
        if family == "lognormal":
            return {"meanlog": f"ln({scale})", "sdlog": shape}
        if family == "gamma":
            return {"shape": shape, "rate": f"{shape.text} / {scale}"}
        if family.startswith("spline"):
            return self.spline(scale, shape)
        assert family in ("gengamma", "genf")
        q = self.rng.choice([self.number(-1.5, -0.3), self.number(0.3, 1.5), constant(1e-7)])
        found = {"mu": f"ln({scale})", "sigma": self.number(0.5, 1.2), "Q": q}
        return found | ({"P": self.number(0.05, 2.0)} if family == "genf" else {})

    def spline(self, scale: str, shape: Expression) -> dict[str, Cell]:
        """A spline that bends little enough never to rise; knots drawn too, or not."""
        low, high = self.ranges[scale]
        centre = self.flexible.choice([f"ln({scale})", repr(math.log((low + high) / 2))])
        inner = self.flexible.choice([0, 1, 1, 2, 5])
        bend = 0.1 / (inner + 1)
        knots = [-2.0 + 2.7 * place / (inner + 1) for place in range(inner + 2)]
        return {
            "gamma0": f"(-{shape.text})*ln({scale})",
            "gamma1": shape,
            **{f"gamma{j + 2}": self.number(-bend, bend) for j in range(inner)},
            **{f"knot{j + 1}": f"{centre}+({knot!r})" for j, knot in enumerate(knots)},
        }

    def bent(self, family: str) -> str:
        """The family, or a flexible one in its place; the other choices stay as they are."""
        if self.flexible.random() < 0.3:
            scale = self.flexible.choice(["hazard", "odds", "normal"])
            return self.flexible.choice(["genf", f"spline {scale}"])
        return family

    def curve(self, strategy: str, endpoint: str, group: str, weight: Cell) -> Curve:
        """One curve with any of the modifiers."""
        rng = self.rng
        time_unit, unit = rng.choice([("month", 12.0), ("week", 1 / WEEK), ("year", 1.0)])
        size = self.horizon * {"os": 0.5}.get(endpoint, 0.25)
        more: dict[str, Cell] = {}
        family = rng.choice(
            ["exponential", "weibull", "gompertz", "loglogistic", "lognormal", "gamma", "gengamma"]
        )
        family = self.bent(family)
        parameters = self.parameters(family, unit, size)
        if self.chance(0.15):
            self.add_km(strategy, endpoint, group)
            if self.chance(0.5):
                family, parameters = "kaplan_meier", {}
            else:
                more["km_until"] = self.number(0.1 * size * unit, 0.9 * size * unit)
        if self.chance(0.3):
            more["delay"] = self.number(0.05 * size * unit, 0.4 * size * unit)
        if self.chance(0.3):
            more["acceleration"] = self.number(0.6, 1.6)
        if self.chance(0.4):
            more["hazard_ratio"] = self.number(0.4, 1.5)
            if self.chance(0.5):
                more["hr_from"] = self.number(0.1 * size * unit, 0.5 * size * unit)
                more["hr_until"] = self.number(0.5 * size * unit, 1.5 * size * unit)
        if self.chance(0.3):
            more["cure_fraction"] = self.number(0.05, 0.3)
        if self.chance(0.3):
            more["early_mortality"] = self.number(0.01, 0.1)
            more["early_period"] = self.number(0.05 * size * unit, 0.3 * size * unit)
        return curve(
            strategy,
            endpoint,
            family,
            parameters,
            group=group,
            weight=weight,
            time_unit=time_unit,
            **more,
        )

    def post_progression(self, strategy: str, group: str, weight: Cell) -> Curve:
        """Overall survival from the group's own progression-free survival."""
        rng = self.rng
        time_unit, unit = rng.choice([("month", 12.0), ("year", 1.0)])
        family = self.bent(rng.choice(["exponential", "exponential", "weibull", "lognormal"]))
        more: dict[str, Cell] = {}
        if self.chance(0.5):
            more["pfs_death_share"] = self.number(0, 0.4)
        if self.chance(0.5):
            more["early_mortality"] = self.number(0.01, 0.1)
            more["early_period"] = self.number(0.05 * unit * self.horizon, unit * self.horizon)
        return curve(
            strategy,
            "os",
            "post_progression",
            {},
            group=group,
            weight=weight,
            time_unit=time_unit,
            pps_family=family,
            pps_parameters=self.parameters(family, unit, self.horizon / 4),
            **more,
        )

    def add_km(self, strategy: str, endpoint: str, group: str) -> None:
        """A Kaplan-Meier table that covers the horizon even when time runs 1/0.6 faster."""
        n = 20
        ends = sorted(self.rng.uniform(0, 2 * self.horizon * 12) for _ in range(n - 1))
        time = np.array([0.0, *ends, 2.5 * self.horizon * 12])
        self.km.append(
            KaplanMeier(
                strategy=strategy,
                endpoint=endpoint,
                group=group,
                time=time,
                survival=np.exp(-0.1 * np.arange(n + 1.0)),
                at_risk=np.full(n + 1, math.nan),
                events=np.full(n + 1, math.nan),
                time_unit="month",
                source="assumption",
            )
        )

    def utilities(self, state: str, strategies: Sequence[str]) -> list[Utility]:
        """Rows for one state: one or two windows for all, and some for one strategy."""
        rng = self.rng
        cut = rng.uniform(0.1, 0.9) * self.horizon * 12
        out = []
        if self.chance(0.5):
            out.append(utility("all", state, self.number(0.3, 0.99)))
        else:
            out.append(utility("all", state, self.number(0.3, 0.99), 0.0, cut, "month"))
            out.append(utility("all", state, self.number(0.3, 0.99), cut, None, "month"))
        if self.chance(0.4):
            until = rng.choice([None, cut * 0.7])
            name = rng.choice(list(strategies))
            out.append(utility(name, state, self.number(0.3, 0.99), 0.0, until, "month"))
        return out

    def costs(self, strategy: str) -> list[Cost]:
        """Items of every trigger on states, endpoints and groups."""
        rng = self.rng
        groups = self.groups.get(strategy, [])
        states = [NAMES[endpoint] for endpoint in self.endpoints]
        endpoints = [*self.endpoints, "treatment"]
        out = [
            cost(strategy, "start", self.number(100, 9000), group=rng.choice(["all", *groups])),
            cost(strategy, "entry", self.number(100, 9000), state="dead"),
            cost(strategy, "exit", self.number(100, 9000), state=rng.choice(endpoints)),
        ]
        for state in [rng.choice(states), rng.choice(endpoints), "dead"]:
            window = {"start": rng.uniform(0, 6), "until": rng.uniform(6, 18)}
            out.append(
                cost(
                    strategy,
                    "in_state",
                    self.number(100, 9000),
                    state=state,
                    per=rng.choice(["day", "week", "month", "year"]),
                    time_unit="month",
                    **(window if self.chance(0.5) else {}),
                )
            )
        for state in [rng.choice(states), rng.choice(endpoints)]:
            out.append(
                cost(
                    strategy,
                    "schedule",
                    self.number(100, 9000),
                    state=state,
                    every=rng.uniform(2, 9),
                    start=rng.choice([None, rng.uniform(0, 6)]),
                    until=rng.choice([None, rng.uniform(6, 90)]),
                    time_unit="week",
                )
            )
        if groups and strategy in self.grouped:
            places = self.grouped[strategy]
            for trigger, state in [
                ("in_state", rng.choice(places)),
                ("exit", rng.choice([p for p in places if p in self.endpoints])),
            ]:
                group = rng.choice(groups)
                out.append(
                    cost(strategy, trigger, self.number(100, 9000), state=state, group=group)
                )
            if "dead" in places:
                out.append(cost(strategy, "entry", 500.0, state="dead", group=rng.choice(groups)))
        return out


def with_averages(seed: int, n: int) -> tuple[Spec, Draws]:
    """A random study with averages of two candidates in some slots, and draws of it."""
    made = RandomStudy(seed)
    built = {(c.strategy, c.group) for c in made.spec.curves if c.family == "post_progression"}
    curves: list[Curve] = []
    slots = []
    for first in made.spec.curves:
        curves.append(first)
        fixed_pfs = first.endpoint == "pfs" and (first.strategy, first.group) in built
        if fixed_pfs or (slots and made.flexible.random() < 0.5):
            continue
        second = made.curve(first.strategy, first.endpoint, first.group, first.weight)
        curves[-1] = dataclasses.replace(first, average_weight=made.number(0.0, 1.0))
        weight = made.number(0.2, 3.0)
        name = f"{second.id}_second"
        curves.append(dataclasses.replace(second, id=name, use=False, average_weight=weight))
        slots.append((first.strategy, first.endpoint, first.group))
    found = tuple(curves)
    for slot in slots:
        found = averaging(found, slot)
    km = {(k.strategy, k.endpoint, k.group): k for k in made.km}
    return dataclasses.replace(made.spec, curves=found, km=km), made.draws(n)
