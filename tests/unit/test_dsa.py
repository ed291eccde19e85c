from dataclasses import replace

import numpy as np
import pytest
from helpers_spec import uncertain
from linear_study import GAIN, PRICE, linear_study
from small_studies import cost

from heor.analyses import base_case, dsa
from heor.spec.distributions import make_empirical
from heor.spec.draws import METHODS_CATEGORY

Z = 1.959963984540054


@pytest.fixture(scope="module")
def spec():
    return linear_study(
        uncertain("weak", "normal", 1.0, se=0.1),
        uncertain("choice", "normal", 1.0, se=0.1, category=METHODS_CATEGORY),
        uncertain("boot", make_empirical([1.0, 2.0]), 1.5),
    )


@pytest.fixture(scope="module")
def result(spec):
    return dsa.run(spec)


@pytest.fixture(scope="module")
def years(spec):
    return base_case.run(spec).totals("b").ly


def bar(result, name):
    return next(b for b in result.comparisons[0].bars if b.parameter == name)


def test_bars_by_hand(result, years):
    gain, price = bar(result, "gain"), bar(result, "price")
    half = Z * GAIN[1]
    assert (gain.low.value, gain.high.value) == pytest.approx((GAIN[0] - half, GAIN[0] + half))
    assert gain.base_value == GAIN[0]
    for point, value in ((gain.low, GAIN[0] - half), (gain.high, GAIN[0] + half)):
        assert point.delta_qaly == pytest.approx(value * years, rel=1e-12)
        assert point.delta_cost == PRICE[0]
        assert point.icer == pytest.approx(PRICE[0] / (value * years), rel=1e-12)
        expected = [k * value * years - PRICE[0] for k in result.thresholds]
        assert point.inmb == pytest.approx(expected, rel=1e-9)
    assert gain.swing == pytest.approx([2 * half * years * k for k in result.thresholds])
    assert price.swing == pytest.approx([2 * Z * PRICE[1]] * 3)
    low, high = PRICE[0] - Z * PRICE[1], PRICE[0] + Z * PRICE[1]
    assert price.icer_swing == pytest.approx((high - low) / (GAIN[0] * years))


def test_base_point_is_the_base_case(spec, result):
    base, comparison = base_case.run(spec).pairwise[0], result.comparisons[0]
    assert (comparison.id, comparison.versus) == ("b", "a")
    assert comparison.base.delta_cost == base.delta_cost
    assert comparison.base.delta_qaly == base.delta_qaly
    assert comparison.base.icer == base.icer
    assert comparison.base.value is None


def test_sorted_by_swing_at_the_middle_threshold(result, years):
    assert result.threshold == 25_000
    comparison = result.comparisons[0]
    order = [b.parameter for b in comparison.bars]
    assert order[2] == "weak"
    assert (order[0] == "gain") == (25_000 * GAIN[1] * years > PRICE[1])
    assert [b.parameter for b in comparison.by_swing(2)] == ["gain", "price", "weak"]
    assert [b.parameter for b in comparison.by_swing(0)] == ["price", "gain", "weak"]
    assert [b.parameter for b in comparison.by_icer()] == ["gain", "price", "weak"]


def test_left_out_with_reasons(result):
    reasons = dict(result.left_out)
    assert set(reasons) == {"choice", "boot"}
    assert reasons["boot"].startswith("drawn jointly")
    assert reasons["choice"] == "a choice of method, not an estimate"


def test_icer_without_meaning_is_words():
    spec = linear_study(certain=True)
    parameters = dict(spec.parameters)
    parameters["gain"] = uncertain("gain", "normal", 0.01, se=0.05)

    comparison = dsa.run(replace(spec, parameters=parameters)).comparisons[0]
    (only,) = comparison.bars
    assert (only.low.icer, only.low.status) == (None, "dominated")
    assert only.high.icer > 0
    assert only.icer_swing is None
    assert comparison.by_icer() == ()


def test_swing_covers_a_bend(years):

    linear = linear_study()
    spec = replace(linear, costs=(cost("b", "start", "abs(gain - 0.2) * 1000000"),))
    gain = bar(dsa.run(spec), "gain")
    assert gain.low.delta_cost == pytest.approx(gain.high.delta_cost)
    rise = 1e6 * Z * GAIN[1]
    # At a threshold of 10,000 both bounds lie below the base.
    slope = 10_000 * Z * GAIN[1] * years
    assert gain.swing[0] == pytest.approx(rise + slope)


def test_workers_do_not_matter(spec):
    rows = dsa.run(spec, workers=2)
    np.testing.assert_array_equal(rows.outcomes.values, dsa.run(spec).outcomes.values)
