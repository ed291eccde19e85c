"""Background mortality and utility norms (methods 1.7 and 4)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from heor.engine.mortality import alive, cumulative_hazards, hazards, norms, survivors
from heor.errors import ModelError
from heor.spec.records import LifeTable


def table(**changes: Any) -> LifeTable:
    """Ages 60 to 64; men die twice as readily, the last age closes the table."""
    values: dict[str, Any] = {
        "age": np.arange(60.0, 65.0),
        "male": np.array([0.1, 0.2, 0.3, 0.4, 1.0]),
        "female": np.array([0.05, 0.1, 0.15, 0.2, 1.0]),
        "utility_male": np.array([0.9, 0.88, 0.86, 0.84, 0.82]),
        "utility_female": np.array([0.8, 0.78, 0.76, 0.74, 0.72]),
    }
    return LifeTable(**(values | changes))


def alive_of(
    start: float, share: float, years: list[float], life_table: LifeTable | None = None
) -> np.ndarray:
    alive, _ = survivors(
        life_table or table(), np.array([start]), np.array([share]), np.array(years)
    )
    return alive[0]


def test_whole_years_multiply_one_minus_q() -> None:
    np.testing.assert_allclose(
        alive_of(60.0, 1.0, [0.0, 1.0, 2.0, 3.0]), [1.0, 0.9, 0.72, 0.504], rtol=1e-15
    )
    np.testing.assert_allclose(alive_of(61.0, 0.0, [0.0, 1.0, 2.0]), [1.0, 0.9, 0.765], rtol=1e-15)


def test_exact_age_crosses_birthdays_where_they_fall() -> None:
    # from 62.4: 0.6 years at age 62, then a year at 63, then 64 with the hazard of 63
    men = [1.0, 0.7**0.35, 0.7**0.6, 0.7**0.6 * 0.6**0.5, 0.7**0.6 * 0.6, 0.7**0.6 * 0.6**2.4]
    np.testing.assert_allclose(
        alive_of(62.4, 1.0, [0.0, 0.35, 0.6, 1.1, 1.6, 3.0]), men, rtol=2e-15
    )


def test_closing_age_and_ages_past_the_table_keep_the_last_open_hazard() -> None:
    np.testing.assert_allclose(hazards(table())[0][-2:], [-math.log(0.6)] * 2, rtol=1e-15)
    # ten years past the end
    np.testing.assert_allclose(
        alive_of(63.0, 0.0, [1.0, 2.0, 11.5]), [0.8, 0.64, 0.8**11.5], rtol=2e-15
    )
    # a table that does not close is carried on in the same way
    open_ended = table(male=np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    np.testing.assert_allclose(
        alive_of(64.0, 1.0, [1.0, 4.25], open_ended), [0.5, 0.5**4.25], rtol=2e-15
    )
    # and a start beyond the last age is allowed
    np.testing.assert_allclose(alive_of(90.0, 0.0, [2.5]), [0.8**2.5], rtol=2e-14)


def test_sexes_are_mixed_and_men_thin_out() -> None:
    alive, men = survivors(table(), np.array([60.0]), np.array([0.6]), np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(
        alive[0], [1.0, 0.6 * 0.9 + 0.4 * 0.95, 0.6 * 0.72 + 0.4 * 0.855], rtol=1e-15
    )
    np.testing.assert_allclose(men[0], [0.6, 0.54 / 0.92, 0.432 / (0.432 + 0.342)], rtol=1e-15)


def test_share_of_men_where_nobody_is_left() -> None:
    harsh = table(male=np.array([0.1, 0.2, 0.3, 1 - 1e-9, 1.0]))
    years = np.array([0.0, 60.0, 400.0])
    for share in (0.0, 0.5, 1.0):
        alive, men = survivors(harsh, np.array([63.0]), np.array([share]), years)
        assert np.isfinite(alive).all()
        assert men[0, 0] == share
        assert ((men >= 0) & (men <= 1)).all()
    assert men[0, 2] == 1.0  # only men to begin with, only men at the end


def test_smr_is_a_power_of_survival() -> None:
    years = np.array([0.0, 1.0, 2.5])
    start, share = np.array([60.0, 61.5]), np.array([0.6, 0.2])
    alive, men = survivors(table(), start, share, years)
    raised, same_men = survivors(table(), start, share, years, smr=np.array([2.0, 0.5]))
    np.testing.assert_allclose(raised, [alive[0] ** 2, alive[1] ** 0.5], rtol=1e-15)
    assert np.array_equal(men, same_men)


def test_cumulative_hazards() -> None:
    male, female = cumulative_hazards(table())
    np.testing.assert_allclose(np.exp(-male), [1.0, 0.9, 0.72, 0.504, 0.3024, 0.18144], rtol=1e-15)
    assert len(female) == 6


def constant(q: float) -> LifeTable:
    ages = np.arange(0.0, 111.0)
    return table(
        age=ages,
        male=np.full(111, q),
        female=np.full(111, q),
        utility_male=np.full(111, 0.9),
        utility_female=np.full(111, 0.9),
    )


def test_constant_hazard_is_exponential_at_any_age() -> None:
    years = np.arange(0, 1567) * 7 / 365.25
    for start in (0.0, 33.3, 63.4, 109.99, 130.0):
        np.testing.assert_allclose(
            alive_of(start, 0.37, years.tolist(), constant(0.03)), 0.97**years, rtol=1e-14
        )


def loop_survivors(life_table: LifeTable, start: float, share: float, year: float) -> float:
    """The definition, year of age by year of age."""

    def sex_alive(q: np.ndarray) -> float:
        total, age, end = 0.0, start, start + year
        while age < end:
            row = min(math.floor(age) - int(life_table.age[0]), len(q) - 1)
            while q[row] >= 1.0:
                row -= 1
            stop = min(math.floor(age) + 1.0, end)
            total -= math.log(1.0 - q[row]) * (stop - age)
            age = stop
        return math.exp(-total)

    return share * sex_alive(life_table.male) + (1 - share) * sex_alive(life_table.female)


def test_blocks_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(5)
    ages = np.arange(18.0, 101.0)
    q = np.minimum(1.0, 2e-5 * np.exp(0.1 * ages))
    life_table = table(
        age=ages,
        male=np.where(ages == 100, 1.0, q),
        female=0.7 * q,
        utility_male=1 - ages / 200,
        utility_female=0.95 - ages / 200,
    )
    start, share = rng.uniform(18, 105, 40), rng.uniform(0, 1, 40)
    years = np.concatenate(([0.0], rng.uniform(0, 60, 30)))
    alive, _ = survivors(life_table, start, share, years)
    expected = [
        [loop_survivors(life_table, *pair, year) for year in years.tolist()]
        for pair in zip(start.tolist(), share.tolist(), strict=True)
    ]
    np.testing.assert_allclose(alive, expected, rtol=1e-12)


def test_rows_alike_are_computed_once_with_the_same_bits() -> None:
    years = np.arange(0, 200) * 7 / 365.25
    start, share = np.array([60.3, 60.3, 60.3]), np.array([0.4, 0.4, 0.4])
    alike = survivors(table(), start, share, years)
    differing = survivors(table(), np.append(start, 61.0), np.append(share, 0.4), years)
    single = survivors(table(), start[:1], share[:1], years)
    for once, each, one in zip(alike, differing, single, strict=True):
        assert once.shape == (3, 200)
        assert np.array_equal(once, each[:3])
        assert np.array_equal(once[:1], one)
    alike_norms = norms(table(), start, share, years)
    assert np.array_equal(
        alike_norms, norms(table(), np.append(start, 61.0), np.append(share, 0.4), years)[:3]
    )


def test_norms_follow_the_survivors() -> None:
    value = norms(table(), np.array([60.0]), np.array([0.6]), np.array([0.0, 1.0, 2.0]))
    expected = [
        0.6 * 0.9 + 0.4 * 0.8,
        (0.54 * 0.88 + 0.38 * 0.78) / 0.92,
        (0.432 * 0.86 + 0.342 * 0.76) / 0.774,
    ]
    np.testing.assert_allclose(value[0], expected, rtol=1e-15)


def test_norms_step_at_birthdays_and_end_with_the_last_row() -> None:
    years = np.array([0.0, 0.5, 0.625, 1.625, 50.0])
    value = norms(table(), np.array([62.375]), np.array([1.0]), years)
    np.testing.assert_allclose(value[0], [0.86, 0.86, 0.84, 0.82, 0.82], rtol=1e-15)
    value = norms(table(), np.array([62.375]), np.array([0.0]), years)
    np.testing.assert_allclose(value[0], [0.76, 0.76, 0.74, 0.72, 0.72], rtol=1e-15)


def test_the_last_digits_of_a_time_do_not_move_a_birthday() -> None:
    years = np.array([0.6, 0.2 + 0.4, 0.6 - 1e-13, 0.6 - 1e-6])
    value = norms(table(), np.array([60.4]), np.array([1.0]), years)
    np.testing.assert_allclose(value[0], [0.88, 0.88, 0.88, 0.9], rtol=1e-15)


def test_a_blank_norm_that_is_needed_is_named() -> None:
    blank = table(utility_female=np.array([0.8, 0.78, np.nan, 0.74, np.nan]))
    start, half = np.array([60.0, 60.9]), np.array([0.5, 0.5])
    with pytest.raises(ModelError, match=r"female utility norm at age 62, which is blank"):
        norms(blank, start, half, np.array([0.0, 1.0, 1.5, 4.0]))
    # not reached, or no women: not needed
    assert np.isfinite(norms(blank, start, half, np.array([0.0, 1.0]))).all()
    assert np.isfinite(norms(blank, start, np.array([1.0, 1.0]), np.array([0.0, 4.0]))).all()


def test_a_start_before_the_table_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"starts at age 59\.5, but the table begins at age 60"):
        survivors(table(), np.array([61.0, 59.5]), np.array([0.5, 0.5]), np.array([0.0]))
    with pytest.raises(ModelError, match="begins at age 60"):
        norms(table(), np.array([59.5]), np.array([0.5]), np.array([0.0]))


def test_a_table_without_an_open_first_age_is_an_error() -> None:
    closed = table(female=np.array([1.0, 0.1, 0.1, 0.1, 1.0]))
    with pytest.raises(ModelError, match="female q is 1 at the first age, 60"):
        survivors(closed, np.array([61.0]), np.array([0.5]), np.array([0.0]))


def test_alive_is_what_survivors_give() -> None:
    ages, shares = np.array([60.3, 63.0, 71.9]), np.array([0.2, 0.57, 1.0])
    years = np.arange(0.0, 45.0, 0.1)
    expected, _ = survivors(table(), ages, shares, years)
    assert np.array_equal(alive(table(), ages, shares, years), expected)
