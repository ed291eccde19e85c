"""A study as frozen data: settings, strategies, states, curves, utilities, costs and evidence.

Nothing here computes. ``heor.spec.reader`` builds a `Spec` from tables; ``heor.engine`` runs it.
Times that a row carries stay in that row's ``time_unit`` (methods, opening paragraph).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from heor.errors import Place, Problem
from heor.spec.expressions import Expression, constant
from heor.spec.parameters import Correlation, FloatArray, Parameter

#: Time units and how many of each make one year of 365.25 days (exact fractions).
UNITS_PER_YEAR: Mapping[str, float] = {
    "day": 365.25,
    "week": 365.25 / 7,
    "month": 12.0,
    "year": 1.0,
}

#: The family whose parameters depend on its scale and its knots.
SPLINE = "spline"

#: What of S a spline describes (methods 2); the first is the default.
SPLINE_SCALES = ("hazard", "odds", "normal")

#: Fewest and most knots of a spline, the two at its ends included.
SPLINE_KNOTS = (2, 7)

#: Survival families and the names of their parameters (methods 2). ``post_progression`` and
#: ``kaplan_meier`` take none here: the first reads ``pps_*`` columns, the second the km table. A
#: spline has as many ``gamma`` as knots.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "exponential": ("rate",),
    "weibull": ("shape", "scale"),
    "gompertz": ("shape", "rate"),
    "loglogistic": ("shape", "scale"),
    "lognormal": ("meanlog", "sdlog"),
    "gamma": ("shape", "rate"),
    "gengamma": ("mu", "sigma", "Q"),
    "genf": ("mu", "sigma", "Q", "P"),
    SPLINE: ("scale", "knots", "gamma0", "gamma1"),
    "kaplan_meier": (),
    "post_progression": (),
}

#: Closed lists of the settings that choose a convention; the first is the default.
DISCOUNTING = ("mid_cycle", "start_of_cycle", "annual", "continuous")
CYCLE_CORRECTIONS = ("trapezoid", "start", "end")
CROSSING_RULES = ("cap", "keep_higher", "error")
BACKGROUND_METHODS = ("floor", "add", "none")
SMR_OF = ("cured", "cohort")
UTILITY_CAPS = ("none", "population_norm")
SAMPLERS = ("random", "latin_hypercube", "sobol")
PARTITIONED, FORWARD, RESET = (
    "partitioned_survival",
    "state_transition_forward",
    "state_transition_reset",
)
STRUCTURES = (PARTITIONED, FORWARD, RESET)
#: What of a curve moves to another strategy's; the first is the default (methods 1.8).
WANING = ("hazard", "survival")
TRIGGERS = ("start", "in_state", "schedule", "entry", "exit")
EVIDENCE_GRADES = ("published", "derived", "transported", "expert", "assumption", "unverified")

#: What a curve's hazard counts: deaths of every cause, or those beyond the population's. The first
#: is the default.
ALL_CAUSE, EXCESS = HAZARDS = ("all_cause", "excess")

#: What stands for the average of a slot's candidates in place of the id of one.
AVERAGE = "average"

#: The word that stands for every strategy, and the group of an endpoint that has only one.
ALL = "all"

#: Category under which costs of the ``adverse_events`` table are reported.
ADVERSE_EVENT_CATEGORY = "adverse events"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountRate:
    """An annual rate, optionally stepping to another at a year (methods 3.2)."""

    first: float
    step_year: float | None = None
    later: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The study's choices. Lengths are in years, rates per year, money in ``currency``."""

    title: str
    currency: str
    price_year: int | None
    perspective: str
    agency: str
    cycle_length: float
    horizon: float
    discount_rate_costs: DiscountRate
    discount_rate_outcomes: DiscountRate
    discounting: str
    cycle_correction: str
    crossing: str
    crossing_limit: float
    background_mortality: str
    smr: Expression
    age_adjusted_utilities: bool
    utility_cap: str
    start_age: Expression | None
    male_share: Expression | None
    evlyg_utility: float
    severity_weight: float
    reference: str
    price_parameter: str
    thresholds: tuple[float, ...]
    decision_horizon: float | None
    incidence: float | None
    psa_samples: int
    psa_seed: int
    psa_sampler: str
    psa_replicates: int
    #: how curves become states (methods 9)
    structure: str = PARTITIONED
    #: years of the curves from which survival after progression is derived; None: all of them
    pps_follow_up: float | None = None
    #: whose hazard `smr` multiplies: a key of `SMR_OF`
    smr_of: str = SMR_OF[0]
    #: calendar time at the start, for a life table with years
    start_year: float | None = None
    #: what to say before any result; lines parted by ``|``
    banner: str = ""
    #: settings key -> (its text, where that came from: "settings", "preset us" or "default")
    origin: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    #: settings key -> where it stands, for messages
    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One treatment that is compared."""

    id: str
    label: str
    note: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One health state; ``endpoint`` is the curve that bounds it above, ``""`` for dead."""

    id: str
    label: str
    endpoint: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One candidate curve of a strategy x endpoint x group (tables: ``curves``).

    ``delay``, ``hr_from``, ``hr_until``, ``early_period``, ``km_until``, ``wane_from`` and
    ``wane_until`` are in ``time_unit``. ``wane`` is one of `WANING`, "" where nothing wanes.
    Where the average of a slot's candidates is in use, the first of them is marked by ``use`` and
    holds them all in ``average``. How well the family fits stands in ``aic`` to ``fit_data``; no
    result depends on it.
    Parameters stand in the family's order; those of a spline are ``gamma0``, ``gamma1``, … and
    ``knot1``, ``knot2``, …, and its scale is ``scale``, or ``pps_scale`` after progression.
    """

    id: str
    strategy: str
    endpoint: str
    group: str
    weight: Expression
    family: str
    parameters: Mapping[str, Expression]
    time_unit: str
    delay: Expression | None
    acceleration: Expression | None
    hazard_ratio: Expression | None
    hr_from: Expression | None
    hr_until: Expression | None
    cure_fraction: Expression | None
    early_mortality: Expression | None
    early_period: Expression | None
    km_until: Expression | None
    pps_family: str
    pps_parameters: Mapping[str, Expression]
    pfs_death_share: Expression | None
    use: bool
    source: str
    place: Place
    scale: str = ""
    pps_scale: str = ""
    hazard: str = ALL_CAUSE
    wane_to: str = ""
    wane: str = ""
    wane_from: Expression | None = None
    wane_until: Expression | None = None
    average_weight: Expression | None = None
    average: tuple[Curve, ...] = ()
    aic: float | None = None
    bic: float | None = None
    bic_events: float | None = None
    fit_data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    """The value of time in a state; ``start`` and ``until`` in ``time_unit`` (None: no bound)."""

    strategy: str
    state: str
    value: Expression
    start: float
    until: float | None
    time_unit: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One cost item (methods 5). ``state`` names a state, an endpoint, or ``dead``."""

    id: str
    label: str
    category: str
    strategy: str
    trigger: str
    state: str
    group: str
    per: str
    every: float | None
    start: float | None
    until: float | None
    time_unit: str
    amount: Expression
    perspective: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEvent:
    """One event in one strategy: a cost and a loss of QALYs at t = 0 (methods 4, 5)."""

    strategy: str
    event: str
    probability: Expression
    cost: Expression
    disutility: Expression
    duration_days: Expression
    group: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a study.

    ``target`` is a parameter id, a settings key, or ``curve:strategy.endpoint.group``; ``value``
    is the text to put there.
    """

    target: str
    value: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named set of changes with its purpose."""

    name: str
    purpose: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeTable:
    """Annual death probabilities and utility norms by single year of age.

    ``age``, ``(age,)``, rises by 1 from ``age[0]``. The other arrays are ``(age,)`` too, or
    ``(year, age)`` where the table has calendar years; ``year``, ``(year,)``, rises by 1. A norm
    that the table leaves blank is NaN.
    """

    age: FloatArray
    male: FloatArray
    female: FloatArray
    utility_male: FloatArray
    utility_female: FloatArray
    year: FloatArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortPart:
    """People of one age at the start, with their share of men and of the whole cohort."""

    age: Expression
    male_share: Expression
    share: Expression
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class KaplanMeier:
    """A published Kaplan-Meier curve; arrays ``(point,)``, times in ``time_unit`` rise from 0."""

    strategy: str
    endpoint: str
    group: str
    time: FloatArray
    survival: FloatArray
    at_risk: FloatArray
    events: FloatArray
    time_unit: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationTarget:
    """One published number the model should be near. ``time`` None marks a median."""

    label: str
    strategy: str
    endpoint: str
    group: str
    time: float | None
    time_unit: str
    value: float
    low: float | None
    high: float | None
    source: str
    used_in_fitting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One citation; ``key`` is what ``source`` columns name."""

    key: str
    citation: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableData:
    """One input table as read: its columns and its rows of text, in file order.

    Kept so that the report shows every table as the user wrote it.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A whole study, checked. Made by `heor.spec.reader.read_study`."""

    name: str
    settings: Settings
    parameters: Mapping[str, Parameter]
    strategies: tuple[Strategy, ...]
    states: tuple[State, ...]
    curves: tuple[Curve, ...]
    utilities: tuple[Utility, ...]
    costs: tuple[Cost, ...]
    adverse_events: tuple[AdverseEvent, ...]
    scenarios: tuple[Scenario, ...]
    correlations: tuple[Correlation, ...]
    empirical: Mapping[str, FloatArray]
    life_table: LifeTable | None
    km: Mapping[tuple[str, str, str], KaplanMeier]
    validation_targets: tuple[ValidationTarget, ...]
    references: Mapping[str, Reference]
    tables: Mapping[str, TableData]
    warnings: tuple[Problem, ...]
    input_hash: str
    #: rows of the table ``cohort``; empty where the settings give one age
    cohort: tuple[CohortPart, ...] = ()
    #: what was changed since the tables were written, in words; empty for the study itself
    changes: tuple[str, ...] = ()
    #: the scenario that was applied to it; empty for none
    scenario: str = ""

    @property
    def living_states(self) -> tuple[State, ...]:
        """States with an endpoint, best to worst."""
        return tuple(state for state in self.states if state.endpoint)

    @property
    def dead_state(self) -> State:
        """The state without an endpoint."""
        return next(state for state in self.states if not state.endpoint)

    @property
    def nested_endpoints(self) -> tuple[str, ...]:
        """Endpoints that bound a state, innermost first; the last is ``os``."""
        return tuple(state.endpoint for state in self.living_states)

    @property
    def cohort_parts(self) -> tuple[CohortPart, ...]:
        """The ages at the start: rows of ``cohort``, else what the settings say; may be none."""
        age, male = self.settings.start_age, self.settings.male_share
        if self.cohort or age is None or male is None:
            return self.cohort
        place = self.settings.places.get("start_age", Place("settings"))
        return (CohortPart(age=age, male_share=male, share=constant(1.0), place=place),)

    @property
    def has_population(self) -> bool:
        """Whether the study has a general population to compare with."""
        return self.life_table is not None and bool(self.cohort_parts)

    def strategy_ids(self) -> tuple[str, ...]:
        """Ids in table order."""
        return tuple(strategy.id for strategy in self.strategies)

    def curves_in_use(self, strategy: str) -> tuple[Curve, ...]:
        """The chosen candidate of each endpoint x group of a strategy, in table order."""
        return tuple(c for c in self.curves if c.strategy == strategy and c.use)

    def standing(self, curve: Curve) -> str:
        """``yes`` for a candidate in use by itself, ``average`` for one of several, else ``no``."""
        for used in self.curves_in_use(curve.strategy):
            if any(one.id == curve.id for one in used.average):
                return AVERAGE
        return "yes" if curve.use else "no"

    def candidates_in_use(self) -> tuple[Curve, ...]:
        """Every chosen candidate, those that an average is made of one by one."""
        chosen = (c for c in self.curves if c.use)
        return tuple(one for c in chosen for one in c.average or (c,))

    def costs_of(self, strategy: str) -> tuple[Cost, ...]:
        """Cost items of a strategy that count in the study's perspective, in table order."""
        wanted = self.settings.perspective
        return tuple(
            c
            for c in self.costs
            if c.strategy in (ALL, strategy)
            and (not wanted or not c.perspective or wanted in words(c.perspective))
        )

    def categories(self) -> tuple[str, ...]:
        """Cost categories in order of appearance; adverse events last, where there are any."""
        names = list(dict.fromkeys(cost.category for cost in self.costs))
        if self.adverse_events and ADVERSE_EVENT_CATEGORY not in names:
            names.append(ADVERSE_EVENT_CATEGORY)
        return tuple(names)


def words(text: str) -> tuple[str, ...]:
    """Split a cell that holds several words, separated by ``;``."""
    return tuple(word.strip() for word in text.split(";") if word.strip())
