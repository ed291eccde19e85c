"""Background mortality by hand: constant hazards by age and year give exponential pieces."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_studies import curve, life_table, part, settings, study, with_years

from heor.analyses import base_case
from heor.engine.background import binding
from heor.engine.evaluate import traces
from heor.engine.mortality import Part, Population, alive, norms
from heor.engine.timeline import Timeline
from heor.errors import ModelError
from heor.spec.draws import base
from heor.spec.records import Curve, LifeTable, Spec

#: Hazards of men by year 2020, 2021, 2022 and age 60, 61, 62; women have half of them.
HAZARD = np.array([[0.1, 0.2, 0.4], [0.08, 0.16, 0.32], [0.05, 0.1, 0.2]])
AGES, YEARS = np.array([60.0, 61.0, 62.0]), np.array([2020.0, 2021.0, 2022.0])


def by_year(**changes: Any) -> LifeTable:
    """A table of three years and three ages; norms say year and age."""
    norm = 0.9 - 0.1 * np.arange(3) + 0.01 * np.arange(3)[:, None]
    values: dict[str, Any] = {
        "age": AGES,
        "year": YEARS,
        "male": -np.expm1(-HAZARD),
        "female": -np.expm1(-HAZARD / 2),
        "utility_male": norm,
        "utility_female": norm - 0.05,
    }
    return LifeTable(**(values | changes))


def men(age: float, year: float, time: float) -> float:
    """Cumulative hazard of men in `by_year`."""
    found = alive(by_year(), np.array([age]), np.array([1.0]), np.array([time]), year)
    return float(-np.log(found[0, 0]))


@pytest.mark.parametrize(
    ("age", "year", "time", "expected"),
    [
        (60.0, 2020.0, 0.0, 0.0),
        (60.0, 2020.0, 0.5, 0.05),
        (60.0, 2020.0, 1.5, 0.1 + 0.5 * 0.16),
        (60.0, 2020.0, 2.5, 0.1 + 0.16 + 0.5 * 0.2),
        # past the last year and the last age both hold
        (60.0, 2020.0, 10.0, 0.1 + 0.16 + 8 * 0.2),
        (60.0, 2030.0, 2.0, 0.05 + 0.1),
        # new year a quarter in, birthday half a year in
        (60.5, 2020.75, 2.0, 0.25 * 0.1 + 0.25 * 0.08 + 0.75 * 0.16 + 0.25 * 0.1 + 0.5 * 0.2),
        # birthday first
        (60.75, 2020.5, 1.0, 0.25 * 0.1 + 0.25 * 0.2 + 0.5 * 0.16),
        # the start is within age and year
        (61.5, 2021.5, 1.0, 0.5 * 0.16 + 0.5 * 0.2),
        (60.3, 2020.3, 1.0, 0.7 * 0.1 + 0.3 * 0.16),
    ],
)
def test_years_and_ages_in_pieces(age: float, year: float, time: float, expected: float) -> None:
    assert men(age, year, time) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_both_sexes_and_norms_by_year() -> None:
    ages, share = np.array([60.5, 60.0]), np.array([0.3, 1.0])
    found = norms(by_year(), ages, share, np.array([0.0, 0.75]), 2020.75)
    h = 0.25 * 0.1 + 0.25 * 0.08 + 0.25 * 0.16
    m, f = 0.3 * math.exp(-h), 0.7 * math.exp(-h / 2)
    assert found[0, 0] == pytest.approx(0.3 * 0.9 + 0.7 * 0.85, rel=1e-14)
    assert found[0, 1] == pytest.approx((m * 0.81 + f * 0.76) / (m + f), rel=1e-14)
    assert found[1] == pytest.approx([0.9, 0.91], rel=1e-14)


def test_years_alike_are_no_years() -> None:
    """Also where everybody dies at the last age, and for draws of several ages."""
    table, ages = life_table(), np.array([31.4, 62.0, 99.99])
    share, times = np.array([0.2, 0.5, 0.9]), np.linspace(0, 60, 200)
    same = with_years(table, 2000, 5, fall=0.0)
    for start in (2000.0, 2003.6, 2050.0):
        found = alive(same, ages, share, times, start)
        assert found == pytest.approx(alive(table, ages, share, times), rel=1e-12)
        assert norms(same, ages, share, times, start) == pytest.approx(
            norms(table, ages, share, times), rel=1e-13
        )


@pytest.mark.parametrize("start", [None, 2019.9])
def test_a_start_before_the_years(start: float | None) -> None:
    with pytest.raises(ModelError, match="its years begin in 2020, and start_year is"):
        alive(by_year(), np.array([60.0]), np.array([1.0]), np.ones(1), start)


# --- cohorts of several ages ---------------------------------------------------------------------


def one(age: float, male: float, share: float) -> Part:
    """A part of a cohort in one draw."""
    return Part(np.array([age]), np.array([male]), np.array([share]))


def test_a_cohort_is_the_sum_of_its_parts() -> None:
    table, times = life_table(), np.array([0.0, 3.7, 20.0])
    ages, male, share = (50.0, 64.5, 80.0), (0.0, 0.4, 1.0), (0.2, 0.5, 0.3)
    found = Population(table, [one(*row) for row in zip(ages, male, share, strict=True)])
    people = [(np.array([a]), np.array([m])) for a, m in zip(ages, male, strict=True)]
    each = [alive(table, *person, times)[0] for person in people]
    norm = [norms(table, *person, times)[0] for person in people]
    left = np.array(share)[:, None] * each
    assert found.alive(times)[0] == pytest.approx(left.sum(axis=0), rel=1e-15)
    expected = (left * norm).sum(axis=0) / left.sum(axis=0)
    assert found.norms(times)[0] == pytest.approx(expected, rel=1e-14)


def test_norms_of_a_cohort_that_has_died() -> None:
    """Where nobody is left the norm is that at the start."""
    age = np.array([60.0, 61.0])
    flat = np.full(2, 0.8)
    table = LifeTable(
        age=age,
        male=-np.expm1(np.full(2, -800.0)) * (1 - 2**-53),
        female=np.full(2, 1 - 1e-16),
        utility_male=flat,
        utility_female=flat - 0.2,
    )
    found = Population(table, [one(60.0, 1.0, 0.25), one(60.0, 0.0, 0.75)])
    assert found.alive(np.array([100.0]))[0, 0] == 0.0
    assert found.norms(np.array([100.0]))[0, 0] == pytest.approx(0.25 * 0.8 + 0.75 * 0.6)


OPTIONS: dict[str, Any] = {
    "background_mortality": "floor",
    "age_adjusted_utilities": True,
    "utility_cap": "population_norm",
}
CURVES = [
    curve("a", "pfs", "exponential", {"rate": 0.9}),
    curve("a", "os", "gompertz", {"shape": -0.4, "rate": 0.3}),
]


def outcomes(spec: Spec) -> np.ndarray:
    return np.array(base_case.run(spec).outcomes.values)


def test_a_cohort_of_one_row_is_the_mean_age() -> None:
    """To the last bit."""
    plain = study(
        CURVES,
        options=settings(start_age=63.4, male_share=0.57, **OPTIONS),
        life_table=life_table(),
    )
    row = study(
        CURVES, options=settings(**OPTIONS), life_table=life_table(), cohort=[part(63.4, 0.57, 1.0)]
    )
    np.testing.assert_array_equal(outcomes(row), outcomes(plain))


def test_a_cohort_of_equal_rows_is_one_row() -> None:
    single, three = (
        study(CURVES, options=settings(**OPTIONS), life_table=life_table(), cohort=cohort)
        for cohort in (
            [part(63.4, 0.5, 1.0)],
            [part(63.4, m, s) for m, s in ((0, 0.2), (1, 0.2), (0.5, 0.6))],
        )
    )
    assert outcomes(three) == pytest.approx(outcomes(single), rel=1e-13)


def test_shares_that_are_no_shares_in_a_draw() -> None:
    spec = study(
        CURVES,
        options=settings(**OPTIONS),
        life_table=life_table(),
        cohort=[part(60.0, 0.5, 0.5), part(70.0, 0.5, 0.6)],
    )
    with pytest.raises(ModelError, match=r"cohort, draw 1: shares sum to 1\.1"):
        outcomes(spec)


# --- mechanisms ----------------------------------------------------------------------------------


def constant(rate: float) -> LifeTable:
    age = np.arange(0.0, 101.0)
    q, norm = np.full(101, -math.expm1(-rate)), np.full(101, 0.9)
    return LifeTable(age=age, male=q, female=q, utility_male=norm, utility_female=norm)


def survival(os: Curve, rate: float = 0.05, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times and OS of one group against a population with a constant hazard."""
    chosen = settings(start_age=60.0, male_share=0.4, **options)
    pfs = curve("a", "pfs", "exponential", {"rate": 3.0})
    spec = study([pfs, os], options=chosen, life_table=constant(rate))
    trace = traces(spec, base(spec))["a"]
    return trace.time, trace.endpoints["os"][0]


def exponential(rate: float, **more: Any) -> Curve:
    return curve("a", "os", "exponential", {"rate": rate}, **more)


@pytest.mark.parametrize("method", ["floor", "none"])
def test_an_excess_hazard_adds_to_the_population_s(method: str) -> None:
    """And knows no floor: 0.02 in excess of 0.05 is 0.07."""
    time, found = survival(exponential(0.02, hazard="excess"), background_mortality=method)
    assert found == pytest.approx(np.exp(-0.07 * time), rel=1e-13)


def test_the_cured_of_an_excess_hazard_die_as_the_population() -> None:
    os = exponential(0.3, hazard="excess", cure_fraction=0.4)
    time, found = survival(os, background_mortality="floor", smr=2.0)
    expected = np.exp(-0.05 * time) * (0.4 + 0.6 * np.exp(-0.3 * time))
    assert found == pytest.approx(expected, rel=1e-13)


def test_early_deaths_and_hazard_ratio_are_of_the_excess() -> None:
    os = exponential(0.3, hazard="excess", hazard_ratio=0.5, early_mortality=0.1, early_period=1.0)
    time, found = survival(os, background_mortality="none")
    early = 1 - 0.1 * np.minimum(time, 1)
    assert found == pytest.approx(np.exp(-0.2 * time) * early, rel=1e-13)


@pytest.mark.parametrize(
    ("rate", "cure", "method", "smr_of", "expected"),
    [
        (0.02, None, "floor", "cohort", lambda t: np.exp(-0.15 * t)),
        (0.30, None, "floor", "cohort", lambda t: np.exp(-0.30 * t)),
        (0.30, None, "add", "cohort", lambda t: np.exp(-0.45 * t)),
        (0.02, None, "floor", "cured", lambda t: np.exp(-0.05 * t)),
        (0.30, 0.4, "floor", "cohort", lambda t: 0.4 * np.exp(-0.15 * t) + 0.6 * np.exp(-0.3 * t)),
        (0.10, 0.4, "floor", "cohort", lambda t: np.exp(-0.15 * t)),
        (0.10, 0.4, "floor", "cured", lambda t: 0.4 * np.exp(-0.15 * t) + 0.6 * np.exp(-0.1 * t)),
    ],
)
def test_smr_of_the_cured_or_of_the_cohort(
    rate: float, cure: float | None, method: str, smr_of: str, expected: Any
) -> None:
    """Three times the population's 0.05."""
    time, found = survival(
        exponential(rate, cure_fraction=cure), background_mortality=method, smr=3.0, smr_of=smr_of
    )
    assert found == pytest.approx(expected(time), rel=1e-12)


def test_crossing_is_measured_on_survival_of_all_causes() -> None:
    """An excess hazard of 0 under PFS of 0.04: OS is the population's 0.05."""
    pfs = curve("a", "pfs", "exponential", {"rate": 0.04})
    options = settings(start_age=60.0, male_share=0.4, background_mortality="floor")
    spec = study(
        [pfs, exponential(1e-12, hazard="excess")], options=options, life_table=constant(0.05)
    )
    trace = traces(spec, base(spec))["a"]
    above = np.exp(-0.04 * trace.time) - np.exp(-0.05 * trace.time)
    weights = Timeline(spec.settings).person_time(None).weights()
    assert trace.crossing_years[0] == pytest.approx(float(above @ weights), rel=1e-9)


# --- where it binds ------------------------------------------------------------------------------


def test_where_the_floor_binds() -> None:
    """A Gompertz falls below the population's 0.05 at ln 6 / 0.5 years, for good."""
    os = curve("a", "os", "gompertz", {"shape": -0.5, "rate": 0.3})
    options = settings(
        start_age=60.0, male_share=0.4, background_mortality="floor", cycle_length=0.1
    )
    spec = study([CURVES[0], os], options=options, life_table=constant(0.05))
    meet = math.log(6) / 0.5
    (row,) = base_case.run(spec).background
    # the mean hazard of a cycle falls below before its start or after its middle
    cycle = next(
        k + 1
        for k in range(100)
        if 0.6 * (math.exp(-0.05 * k) - math.exp(-0.05 * (k + 1))) < 0.05 * 0.1
    )
    assert abs((cycle - 0.5) * 0.1 - meet) <= 0.1
    assert (row.strategy, row.group, row.mechanism) == ("a", "all", "floor")
    assert (row.first_cycle, row.for_good_cycle) == (cycle, cycle)
    assert row.first_year == row.for_good_year == pytest.approx((cycle - 1) * 0.1)
    assert row.share == pytest.approx((100 - cycle + 1) / 100)


def test_binding_first_but_not_for_good() -> None:
    """A hazard that rises from 0 binds in the first cycles alone."""
    os = curve("a", "os", "weibull", {"shape": 2.0, "scale": 4.0})
    options = settings(
        start_age=60.0, male_share=0.4, background_mortality="floor", cycle_length=0.1
    )
    spec = study([CURVES[0], os], options=options, life_table=constant(0.05))
    (row,) = base_case.run(spec).background
    assert (row.first_cycle, row.first_year) == (1, 0.0)
    assert (row.for_good_cycle, row.for_good_year) == (None, None)
    # hazard 2t/16, mean over a cycle at its middle: below 0.05 while (k + ½)·0.1/8 < 0.05
    assert row.share == pytest.approx(4 / 100)


def test_never_binding() -> None:
    found = binding(np.array([[0.9, 0.9, 0.9], [0.5, 0.9, 0.5]]), np.full((2, 3), 0.8))
    assert found.share.tolist() == [0.0, 2 / 3]
    np.testing.assert_array_equal(found.first, [np.nan, 1.0])
    np.testing.assert_array_equal(found.for_good, [np.nan, 3.0])


def test_an_excess_hazard_has_no_floor_to_bind() -> None:
    options = settings(start_age=60.0, male_share=0.4, background_mortality="floor")
    spec = study(
        [CURVES[0], replace(CURVES[1], hazard="excess")], options=options, life_table=constant(0.05)
    )
    (row,) = base_case.run(spec).background
    assert (row.mechanism, row.share, row.first_cycle) == ("excess", None, None)
