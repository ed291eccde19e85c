"""Cycle grid, person-time, windows and discounting against hand calculation (methods 3)."""

from dataclasses import dataclass

import numpy as np
import pytest

from heor.engine.timeline import Timeline, discount_factor
from heor.spec.records import DiscountRate

RATE = DiscountRate(first=0.03)
STEPPED = DiscountRate(first=0.035, step_year=2.0, later=0.01)


@dataclass
class Grid:
    cycle_length: float = 1.0
    horizon: float = 4.0
    cycle_correction: str = "trapezoid"
    discounting: str = "mid_cycle"


def timeline(**changes):
    return Timeline(Grid(**changes))


def test_thirty_years_of_weeks_round_up_to_1566_cycles():
    grid = timeline(cycle_length=7 / 365.25, horizon=30.0)
    assert grid.cycles == 1566
    assert grid.horizon == pytest.approx(30.0123, abs=5e-5)
    assert len(grid.years) == 1567


def test_a_horizon_of_whole_cycles_is_not_rounded_up():
    assert timeline(cycle_length=1 / 12, horizon=20.0).cycles == 240
    assert timeline(cycle_length=0.1, horizon=0.3).cycles == 3


def test_step_of_the_discount_rate():
    years = np.array([0.0, 1.0, 2.0, 5.0])
    expected = [1.0, 1 / 1.035, 1.035**-2, 1.035**-2 * 1.01**-3]
    np.testing.assert_allclose(discount_factor(years, STEPPED), expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("discounting", "expected"),
    [
        ("mid_cycle", [1.03**-0.5, 1.03**-1.5, 1.03**-2.5, 1.03**-3.5]),
        ("start_of_cycle", [1, 1.03**-1, 1.03**-2, 1.03**-3]),
        ("annual", [1, 1.03**-1, 1.03**-2, 1.03**-3]),
    ],
)
def test_cycle_factors(discounting, expected):
    factors = timeline(discounting=discounting).cycle_factors(RATE)
    np.testing.assert_allclose(factors, expected, rtol=1e-15)


def test_annual_factor_is_constant_within_a_year():
    factors = timeline(cycle_length=0.25, horizon=2.0, discounting="annual").cycle_factors(RATE)
    np.testing.assert_allclose(factors, [1.0] * 4 + [1 / 1.03] * 4, rtol=1e-15)


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        ("trapezoid", [0.5, 1, 1, 1, 0.5]),
        ("start", [1, 1, 1, 1, 0]),
        ("end", [0, 1, 1, 1, 1]),
    ],
)
def test_person_time_weights(correction, expected):
    weights = timeline(cycle_correction=correction).person_time(None).weights()
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        ("trapezoid", [0.5, 1.03**-1, 1.03**-2, 1.03**-3, 0.5 * 1.03**-4]),
        ("start", [1, 1.03**-1, 1.03**-2, 1.03**-3, 0]),
        ("end", [0, 1.03**-1, 1.03**-2, 1.03**-3, 1.03**-4]),
    ],
)
def test_continuous_discounting_weights_the_boundaries(correction, expected):
    grid = timeline(cycle_correction=correction, discounting="continuous")
    np.testing.assert_allclose(grid.person_time(RATE).weights(), expected, rtol=1e-15)


def test_window_takes_the_part_of_the_cycle_inside_it():
    grid = timeline(cycle_length=0.5, horizon=2.0)
    np.testing.assert_allclose(grid.window(3, 15, "month"), [0.5, 1, 0.5, 0], rtol=1e-12)
    assert grid.window(None, None, "month") is None
    assert grid.window(0.0, None, "month") is None


def test_departures_sum_what_leaves_at_each_cycles_factor():
    grid = timeline()
    curve = np.array([1.0, 0.7, 0.4, 0.4, 0.1])
    expected = sum(1.03 ** -(k + 0.5) * (curve[k] - curve[k + 1]) for k in range(4))
    assert curve @ grid.departures(RATE) == pytest.approx(expected, rel=1e-14)
    assert curve @ grid.departures(None) == pytest.approx(0.9, rel=1e-14)


def test_schedule_interpolates_occupancy_and_discounts_at_the_moment():
    grid = timeline()
    curve = np.array([1.0, 0.8, 0.6, 0.4, 0.2])
    weights = grid.schedule(0.5, 1.25, 4.0, "year", RATE)
    moments = [0.5, 1.75, 3.0]
    expected = sum(1.03**-t * np.interp(t, grid.years, curve) for t in moments)
    assert curve @ weights == pytest.approx(expected, rel=1e-14)


def test_schedule_stops_before_its_end_and_before_the_horizon():
    grid = timeline()
    assert grid.schedule(0.0, 1.0, 3.0, "year", None).sum() == pytest.approx(3)
    assert grid.schedule(0.0, 1.0, None, "year", None).sum() == pytest.approx(4)
    assert grid.schedule(0.0, 3.0, 100.0, "month", None).sum() == pytest.approx(16)


def test_annual_schedule_uses_the_whole_year():
    grid = timeline(discounting="annual")
    weights = grid.schedule(1.5, 9.0, None, "year", RATE)
    assert weights.sum() == pytest.approx(1 / 1.03, rel=1e-15)
