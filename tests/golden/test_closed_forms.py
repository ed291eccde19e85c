"""Results that have a closed form, or an integral that quadrature gives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import integrate, stats
from small_studies import Cell, cost, curve, life_table, settings, study, utility

from heor.engine.evaluate import evaluate, traces
from heor.engine.timeline import Timeline
from heor.spec.draws import base
from heor.spec.records import BACKGROUND_METHODS, Curve, LifeTable, Spec

RATE = 0.035


def os_only(
    family: str = "exponential", parameters: dict[str, Cell] | None = None, **modifiers: Cell
) -> list[Curve]:
    """Strategy ``a`` whose PFS is its OS, so that only one state is visited."""
    chosen = {"rate": 0.3} if parameters is None else parameters
    return [curve("a", endpoint, family, chosen, **modifiers) for endpoint in ("pfs", "os")]


def outcome(spec: Spec, name: str, strategy: str = "a") -> float:
    return float(evaluate(spec, base(spec)).of(strategy, name)[0])


def limit(of_cycle: Callable[[float], float], cycle: float) -> float:
    """The value as the cycle goes to 0, its error being of the order of the cycle squared."""
    coarse, fine = of_cycle(cycle), of_cycle(cycle / 2)
    return (4 * fine - coarse) / 3


# --- discounting of an exponential -----------------------------------------------------------


@pytest.mark.parametrize("discounting", ["mid_cycle", "continuous"])
def test_exponential_life_years_tend_to_the_integral(discounting: str) -> None:
    """LY -> 1 / (rate + ln(1 + r)); the error falls with the square of the cycle."""
    exact = 1 / (0.3 + math.log1p(RATE))

    def life_years(cycle: float) -> float:
        options = settings(
            cycle_length=cycle,
            horizon=120.0,
            discount_rate_outcomes=RATE,
            discounting=discounting,
        )
        return outcome(study(os_only(), options=options), "ly")

    errors = [abs(life_years(1 / n) - exact) for n in (8, 16, 32)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=1e-2)
    assert errors[1] / errors[2] == pytest.approx(4, rel=1e-2)
    assert limit(life_years, 1 / 32) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("discounting", ["mid_cycle", "start_of_cycle", "annual", "continuous"])
@pytest.mark.parametrize("correction", ["trapezoid", "start", "end"])
def test_exponential_geometric_sums(discounting: str, correction: str) -> None:
    """On the grid every convention is a geometric series, exact to rounding."""
    cycles, delta, rate = 160, 0.25, 0.3
    s, v = math.exp(-rate * delta), (1 + RATE) ** -delta
    share = {"trapezoid": (1 + s) / 2, "start": 1.0, "end": s}[correction]
    if discounting == "continuous":
        share = {"trapezoid": (1 + s * v) / 2, "start": 1.0, "end": s * v}[correction]
    first = {"mid_cycle": v**0.5}.get(discounting, 1.0)
    if discounting == "annual":
        quarters = (1 - s**4) / (1 - s)
        years = (1 - (s * v) ** cycles) / (1 - (s * v) ** 4)
        series = quarters * years
    else:
        series = (1 - (s * v) ** cycles) / (1 - s * v)
    options = settings(
        cycle_length=delta,
        horizon=cycles * delta,
        discount_rate_outcomes=RATE,
        discounting=discounting,
        cycle_correction=correction,
    )
    found = outcome(study(os_only(), options=options), "ly")
    assert found == pytest.approx(delta * share * first * series, rel=2e-14)


def test_stepped_rate() -> None:
    """Nobody dies: the integral of a rate that steps from 5% to 2% at year 10."""
    options = settings(
        cycle_length=0.125,
        horizon=30.0,
        discount_rate_outcomes=dataclasses.replace(
            settings().discount_rate_outcomes, first=0.05, step_year=10.0, later=0.02
        ),
    )
    spec = study(os_only(parameters={"rate": 0.0}), options=options)

    def level(rate: float, years: float) -> float:
        v = (1 + rate) ** -0.125
        return 0.125 * v**0.5 * (1 - v ** (8 * years)) / (1 - v)

    expected = level(0.05, 10) + 1.05**-10 * level(0.02, 20)
    assert outcome(spec, "ly") == pytest.approx(expected, rel=1e-14)
    assert outcome(spec, "ly_undiscounted") == pytest.approx(30, rel=1e-14)


# --- restricted means --------------------------------------------------------------------------

FAMILIES: dict[str, tuple[dict[str, Cell], Callable[[float], float]]] = {
    "exponential": ({"rate": 0.4}, lambda t: math.exp(-0.4 * t)),
    "weibull": ({"shape": 2.0, "scale": 3.0}, stats.weibull_min(2.0, scale=3.0).sf),
    "gompertz": ({"shape": 0.2, "rate": 0.1}, stats.gompertz(0.5, scale=5.0).sf),
    "loglogistic": ({"shape": 3.0, "scale": 2.5}, stats.fisk(3.0, scale=2.5).sf),
    "lognormal": ({"meanlog": 1.0, "sdlog": 0.7}, stats.lognorm(0.7, scale=math.e).sf),
    "gamma": ({"shape": 3.0, "rate": 0.8}, stats.gamma(3.0, scale=1.25).sf),
    "gengamma": (
        {"mu": 1.0, "sigma": 0.6, "Q": 0.5},
        stats.gengamma(4.0, 0.5 / 0.6, scale=math.exp(1.0) * 0.25 ** (0.6 / 0.5)).sf,
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_restricted_mean(family: str) -> None:
    parameters, survival = FAMILIES[family]
    expected = integrate.quad(survival, 0, 8, epsabs=1e-13, epsrel=1e-13)[0]

    def life_years(cycle: float) -> float:
        spec = study(os_only(family, parameters), options=settings(cycle_length=cycle, horizon=8.0))
        return outcome(spec, "ly_undiscounted")

    assert limit(life_years, 1 / 64) == pytest.approx(expected, rel=1e-9)


# --- modifiers, mixtures, background ------------------------------------------------------------


def undiscounted(curves: Sequence[Curve], cycle: float, **options: Cell) -> float:
    chosen = settings(cycle_length=cycle, horizon=100.0, **options)
    table = constant_hazard(0.05) if options else None
    return outcome(study(curves, options=chosen, life_table=table), "ly_undiscounted")


def constant_hazard(rate: float) -> LifeTable:
    """A population that dies at the same rate at every age."""
    age = np.arange(0.0, 101.0)
    q = np.full(101, -math.expm1(-rate))
    return LifeTable(age=age, male=q, female=q, utility_male=age * 0, utility_female=age * 0)


@pytest.mark.parametrize(
    ("modifiers", "expected"),
    [
        ({"delay": 2.0}, 2 + 1 / 0.3),
        ({"acceleration": 1.5}, 1.5 / 0.3),
        ({"hazard_ratio": 0.6}, 1 / (0.3 * 0.6)),
        ({"cure_fraction": 0.2}, 0.2 * 100 + 0.8 / 0.3),
        # linear to 1/10 dead at 2 years, the rest exponential
        (
            {"early_mortality": 0.1, "early_period": 2.0},
            1 / 0.3 - 0.1 * (1 - math.exp(-0.6)) / (2 * 0.3**2),
        ),
        # hazard 0.15 to year 1, 0.3 from year 1 on
        (
            {"hazard_ratio": 0.5, "hr_from": 1.0, "hr_until": 1.0},
            (1 - math.exp(-0.15)) / 0.15 + math.exp(-0.15) / 0.3,
        ),
    ],
)
def test_modifiers_of_an_exponential(modifiers: dict[str, Cell], expected: float) -> None:
    found = limit(lambda cycle: undiscounted(os_only(**modifiers), cycle), 1 / 16)
    assert found == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("unit", "per_year"), [("day", 365.25), ("week", 365.25 / 7), ("month", 12.0), ("year", 1.0)]
)
def test_time_units(unit: str, per_year: float) -> None:
    """Rate, delay and a cost's interval and window count in their row's own unit."""
    rate = 0.3 / per_year
    spec = study(
        os_only(parameters={"rate": rate}, time_unit=unit, delay=2 * per_year),
        options=settings(cycle_length=1 / 8, horizon=100.0),
        costs=[
            cost("a", "in_state", 1 / per_year, state="os", per=unit),
            cost(
                "a", "in_state", 1.0, state="os", until=per_year, time_unit=unit, category="window"
            ),
            cost(
                "a",
                "schedule",
                1.0,
                state="os",
                every=per_year,
                until=4.5 * per_year,
                time_unit=unit,
            ),
        ],
    )
    outcomes = evaluate(spec, base(spec))
    assert outcomes.of("a", "ly_undiscounted")[0] == pytest.approx(2 + 1 / 0.3, rel=1e-3)
    total = outcomes.of("a", "cost_undiscounted:in_state")[0]
    assert total == pytest.approx(outcomes.of("a", "ly_undiscounted")[0], rel=1e-12)
    assert outcomes.of("a", "cost_undiscounted:window")[0] == pytest.approx(1, rel=1e-12)
    expected = 3 + math.exp(-0.3) + math.exp(-0.6)
    assert outcomes.of("a", "cost_undiscounted:schedule")[0] == pytest.approx(expected, rel=1e-9)


def test_waning_hazard_ratio() -> None:
    """Ratio 0.5 to year 1, then linear to 1 at year 3; survival by integrating the hazard."""

    def survival(t: float) -> float:
        x = min(max(t - 1, 0), 2)
        ratio = 0.5 * min(t, 1) + 0.5 * x + 0.5 * x * x / 4 + max(t - 3, 0)
        return math.exp(-0.3 * ratio)

    expected = integrate.quad(survival, 0, 100, points=[1, 3], limit=200)[0]
    curves = os_only(hazard_ratio=0.5, hr_from=1.0, hr_until=3.0)
    assert limit(lambda c: undiscounted(curves, c), 1 / 16) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("wane", "until"), [("hazard", None), ("hazard", 3.0), ("hazard", 7.5), ("survival", 7.5)]
)
def test_an_effect_that_wanes_to_another_strategy(wane: str, until: float | None) -> None:
    """Hazards 0.1 and 0.4 from year 3 on: at once, gradually, and curves that meet."""
    end = until or 3.0

    def survival(t: float) -> float:
        x = min(max(t - 3, 0), end - 3)
        lost = x / (end - 3) if end > 3 else float(t > 3)
        if wane == "survival":
            return (1 - lost) * math.exp(-0.1 * t) + lost * math.exp(-0.4 * t)
        ramp = x * x / (2 * (end - 3)) if end > 3 else 0.0
        return math.exp(-0.1 * t - 0.3 * (ramp + max(t - end, 0)))

    expected = integrate.quad(survival, 0, 100, points=[3, end], limit=200)[0]
    curves = [
        *(
            curve("a", e, "exponential", {"rate": 0.1}, wane_to="b", wane=wane, wane_from=3.0,
                  wane_until=until)
            for e in ("pfs", "os")
        ),
        *(curve("b", e, "exponential", {"rate": 0.4}) for e in ("pfs", "os")),
    ]  # fmt: skip
    found = limit(lambda cycle: undiscounted(curves, cycle), 1 / 16)
    assert found == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("background", BACKGROUND_METHODS)
def test_lost_from_the_start_is_the_other_curve(background: str) -> None:
    """Cured shares and the population's mortality are those of the other strategy too."""
    own = curve("a", "os", "weibull", {"shape": 1.4, "scale": 9.0}, cure_fraction=0.3,
                wane_to="b", wane_from=0.0)  # fmt: skip
    other = curve("b", "os", "exponential", {"rate": 0.2}, cure_fraction=0.1, early_mortality=0.05,
                  early_period=1.0)  # fmt: skip
    pfs = [curve(s, "pfs", "exponential", {"rate": 2.0}) for s in ("a", "b")]
    options = settings(background_mortality=background, start_age=70.0, male_share=0.5)
    for row in (own, dataclasses.replace(own, wane="survival")):
        spec = study([row, other, *pfs], options=options, life_table=life_table())
        found = traces(spec, base(spec))
        gap = np.abs(found["a"].endpoints["os"] - found["b"].endpoints["os"])
        assert gap.max() < 1e-14


def test_curves_that_meet_never_rise() -> None:
    """Where the other curve lies above, the falling curve waits for it."""
    curves = [
        *(
            curve("a", e, "exponential", {"rate": 0.6}, wane_to="b", wane="survival",
                  wane_from=0.0, wane_until=2.0)
            for e in ("pfs", "os")
        ),
        *(curve("b", e, "exponential", {"rate": 0.1}) for e in ("pfs", "os")),
    ]  # fmt: skip
    spec = study(curves)
    alive = traces(spec, base(spec))["a"].endpoints["os"][0]
    assert (np.diff(alive) <= 0).all()
    time = Timeline(spec.settings).years
    part = np.minimum(time / 2, 1)
    line = (1 - part) * np.exp(-0.6 * time) + part * np.exp(-0.1 * time)
    assert np.abs(alive - np.minimum.accumulate(line)).max() < 1e-14
    assert (line - alive).max() > 0.01


def test_mixture_is_the_weighted_mean() -> None:
    curves = [
        curve("a", endpoint, "exponential", {"rate": rate}, group=group, weight=weight)
        for endpoint in ("pfs", "os")
        for group, rate, weight in (("r", 0.1, 0.3), ("n", 0.8, 0.7))
    ]
    found = limit(lambda cycle: undiscounted(curves, cycle), 1 / 16)
    assert found == pytest.approx(0.3 * (1 - math.exp(-10)) / 0.1 + 0.7 / 0.8, rel=1e-7)


def test_post_progression() -> None:
    """Exponential PFS, a quarter of its events deaths, exponential survival after progression."""
    curves = [
        curve("a", "pfs", "exponential", {"rate": 0.8}),
        curve(
            "a",
            "os",
            "post_progression",
            {},
            pps_family="exponential",
            pps_parameters={"rate": 0.5},
            pfs_death_share=0.25,
        ),
    ]
    found = limit(lambda cycle: undiscounted(curves, cycle), 1 / 16)
    assert found == pytest.approx(1 / 0.8 + 0.75 / 0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("method", "rate", "expected"),
    [
        ("floor", 0.02, (1 - math.exp(-5)) / 0.05),  # the population's hazard binds always
        ("floor", 0.30, 1 / 0.3),  # never
        ("add", 0.30, 1 / 0.35),
        ("none", 0.30, 1 / 0.3),
    ],
)
def test_background(method: str, rate: float, expected: float) -> None:
    def life_years(cycle: float) -> float:
        return undiscounted(
            os_only(parameters={"rate": rate}),
            cycle,
            background_mortality=method,
            start_age=60.0,
            male_share=0.4,
        )

    assert limit(life_years, 1 / 16) == pytest.approx(expected, rel=1e-7)


def test_floor_binds_where_a_gompertz_falls_below() -> None:
    """Hazard 0.3·exp(-0.5 t) until it meets the population's 0.05, then 0.05."""
    meet = math.log(6) / 0.5

    def survival(t: float) -> float:
        early = min(t, meet)
        return math.exp(-0.6 * -math.expm1(-0.5 * early) - 0.05 * (t - early))

    expected = integrate.quad(survival, 0, 100, points=[meet], limit=200)[0]
    found = undiscounted(
        os_only("gompertz", {"shape": -0.5, "rate": 0.3}),
        1 / 128,
        background_mortality="floor",
        start_age=60.0,
        male_share=0.4,
    )
    assert found == pytest.approx(expected, rel=1e-5)


def test_cure_with_floor_and_smr() -> None:
    """The cured die at twice the population's rate, the others at their own."""
    found = limit(
        lambda cycle: undiscounted(
            os_only(cure_fraction=0.4),
            cycle,
            background_mortality="floor",
            start_age=60.0,
            male_share=0.4,
            smr=2.0,
        ),
        1 / 16,
    )
    assert found == pytest.approx(0.4 * (1 - math.exp(-10)) / 0.1 + 0.6 / 0.3, rel=1e-7)


# --- a published example, and events -------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "decimals", "expected"),
    [
        # as published by the heormodel project, which discounts at exp(-0.03 t)
        (
            math.expm1(0.03),
            4,
            {"old": (2.6315, 2.2956, 3.4826, 7222.7), "new": (3.3526, 2.8146, 4.3709, 8981.9)},
        ),
        # the same study at 1.03^-t, by quadrature
        (
            0.03,
            4,
            {"old": (2.6341, 2.3023, 3.4887, 7238.7), "new": (3.3569, 2.8250, 4.3806, 9007.0)},
        ),
    ],
)
def test_published_partitioned_survival_example(
    rate: float, decimals: int, expected: dict[str, tuple[float, ...]]
) -> None:
    """Weibulls of shape 1.2, scales 3 and 6 years (x 1.3), utilities 0.8 and 0.6."""
    curves = [
        curve(strategy, endpoint, "weibull", {"shape": 1.2, "scale": scale * longer})
        for strategy, longer in (("old", 1.0), ("new", 1.3))
        for endpoint, scale in (("pfs", 3.0), ("os", 6.0))
    ]
    spec = study(
        curves,
        options=settings(
            horizon=100.0,
            reference="old",
            discounting="continuous",
            discount_rate_costs=rate,
            discount_rate_outcomes=rate,
        ),
        utilities=[utility("all", "progression_free", 0.8), utility("all", "progressed", 0.6)],
        costs=[
            cost("all", "in_state", 1000.0, state="progression_free"),
            cost("all", "in_state", 2000.0, state="progressed"),
        ],
    )
    outcomes = evaluate(spec, base(spec))
    for strategy, (pf, pd, qaly, paid) in expected.items():
        for name, value in (("ly:progression_free", pf), ("ly:progressed", pd), ("qaly", qaly)):
            assert abs(outcomes.of(strategy, name)[0] - value) < 0.6 * 10**-decimals
        assert abs(outcomes.of(strategy, "cost")[0] - paid) < 0.06
    if rate > 0.03:
        difference = outcomes.get("cost")[0] @ [-1, 1], outcomes.get("qaly")[0] @ [-1, 1]
        assert difference[0] / difference[1] == pytest.approx(1980, abs=0.6)


def test_events_on_an_exponential() -> None:
    """Exits and deaths sum to 1; a schedule is a geometric series at its own moments."""
    spec = study(
        os_only(),
        options=settings(cycle_length=0.25, horizon=100.0, discount_rate_costs=RATE),
        costs=[
            cost("a", "exit", 10.0, state="pfs"),
            cost("a", "entry", 100.0, state="dead"),
            cost("a", "schedule", 7.0, state="os", every=2.0, start=1.0, until=11.0),
        ],
    )
    outcomes = evaluate(spec, base(spec))
    assert outcomes.of("a", "cost_undiscounted:exit")[0] == pytest.approx(10, rel=1e-12)
    assert outcomes.of("a", "cost_undiscounted:entry")[0] == pytest.approx(100, rel=1e-12)
    step = math.exp(-0.3) / (1 + RATE)
    expected = 7 * sum(step**year for year in (1, 3, 5, 7, 9))
    assert outcomes.of("a", "cost:schedule")[0] == pytest.approx(expected, rel=1e-13)
    s, v = math.exp(-0.3 * 0.25), (1 + RATE) ** -0.25
    deaths = 100 * (1 - s) * v**0.5 / (1 - s * v)
    assert outcomes.of("a", "cost:entry")[0] == pytest.approx(deaths, rel=1e-12)


def test_equal_value_life_years() -> None:
    """With one utility and survival longer throughout: (0.851 - u) x the life years gained."""
    curves = [
        curve(strategy, endpoint, "exponential", {"rate": rate})
        for strategy, rate in (("a", 0.5), ("b", 0.3))
        for endpoint in ("pfs", "os")
    ]
    spec = study(
        curves,
        utilities=[utility("all", "progression_free", 0.7), utility("all", "progressed", 0.7)],
    )
    outcomes = evaluate(spec, base(spec))
    gained = outcomes.of("b", "ly")[0] - outcomes.of("a", "ly")[0]
    extra = outcomes.of("b", "evly")[0] - outcomes.of("b", "qaly")[0]
    assert extra == pytest.approx(0.151 * gained, rel=1e-12)
    assert outcomes.of("a", "evly")[0] == outcomes.of("a", "qaly")[0]
