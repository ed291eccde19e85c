"""Two-way grids and threshold values: closed forms, and equality with repeated base cases."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers_spec import derived, uncertain
from linear_study import GAIN, PRICE, linear_study
from small_studies import cost, fixed

from heor.analyses import base_case, dsa, thresholds, two_way
from heor.analyses.roots import close_in
from heor.analyses.two_way import Asked
from heor.errors import HeorError, InputErrors, Place
from heor.spec.changes import apply_changes
from heor.spec.reader import read_study, shipped_studies
from heor.spec.records import Change


@pytest.fixture(scope="module")
def linear():
    return linear_study()


@pytest.fixture(scope="module")
def years(linear):
    return base_case.run(linear).totals("b").ly


@pytest.fixture(scope="module")
def three():
    return read_study(shipped_studies() / "three_strategies")


# --- two-way -------------------------------------------------------------------------------------


def test_a_grid_by_hand(linear, years):
    result = two_way.run(
        linear, Asked(parameter="gain", points=3), Asked(parameter="price", low=1, high=3, points=2)
    )
    gain, price = result.x.values, result.y.values
    assert price.tolist() == [1, 3]
    assert gain[1] == pytest.approx(GAIN[0])
    grid = result.grids[0]
    assert (grid.id, grid.versus, result.threshold, result.place) == ("b", "a", 25_000.0, 1)
    assert grid.delta_cost == pytest.approx(np.repeat(price[:, None], 3, axis=1), rel=1e-12)
    assert grid.delta_qaly == pytest.approx(np.tile(gain * years, (2, 1)), rel=1e-12)
    assert grid.icer == pytest.approx(price[:, None] / (gain * years), rel=1e-12)
    for place, k in enumerate(result.thresholds):
        assert grid.inmb[place] == pytest.approx(k * gain * years - price[:, None], rel=1e-9)
    assert (result.best == 1).all()


@pytest.mark.parametrize("pair", [("price_high", "hr_os_high"), ("os_shape", "age")])
def test_cells_are_base_cases_with_both_values_set_bit_for_bit(three, pair):
    pair = tuple(name if name in three.parameters else "price_low" for name in pair)
    ranges = [
        Asked(parameter=name, low=0.9 * value, high=1.1 * value, points=3)
        for name in pair
        for value in [three.parameters[name].value]
    ]
    result = two_way.run(three, *ranges, threshold=60_000.0)
    assert 60_000.0 in result.thresholds
    for j, y in enumerate(result.y.values):
        for i, x in enumerate(result.x.values):
            changes = [
                Change(target=name, value=repr(float(value)), place=Place("--set"))
                for name, value in zip(pair, (x, y), strict=True)
            ]
            alone = base_case.run(apply_changes(three, changes))
            for grid in result.grids:
                row = next(one for one in alone.pairwise if one.id == grid.id)
                assert grid.delta_cost[j, i] == row.delta_cost
                assert grid.delta_qaly[j, i] == row.delta_qaly
                assert (row.icer is None) == np.isnan(grid.icer[j, i])
                for place, k in enumerate(alone.thresholds):
                    assert grid.inmb[result.thresholds.index(k), j, i] == row.inmb[place]
            place = result.thresholds.index(alone.thresholds[0])
            assert result.strategies[result.best[place, j, i]] == alone.best[0]


def test_a_derived_parameter_takes_the_values_of_the_grid(linear, years):
    result = two_way.run(
        linear,
        Asked(parameter="utility_b", low=0.5, high=0.9, points=3),
        Asked(parameter="price", points=2),
    )
    expected = np.array([0.0, 0.2, 0.4]) * years
    assert result.grids[0].delta_qaly[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_what_a_grid_refuses(linear, three):
    with pytest.raises(HeorError, match="found 'gain' twice"):
        two_way.run(linear, Asked(parameter="gain"), Asked(parameter="gain"))
    with pytest.raises(HeorError, match="'gan' is not a parameter of the study; did you mean"):
        two_way.run(linear, Asked(parameter="gan"), Asked(parameter="price"))
    with pytest.raises(HeorError, match=r"'utility_b' has no range"):
        two_way.run(linear, Asked(parameter="utility_b"), Asked(parameter="price"))
    utility = next(p.id for p in three.parameters.values() if p.unit == "utility")
    with pytest.raises(InputErrors, match="must be at most 1"):
        two_way.run(
            three, Asked(parameter=utility, low=0.5, high=1.5), Asked(parameter="price_high")
        )


def test_the_widest_pair_is_that_of_the_tornado(linear):
    result = dsa.run(linear)
    assert two_way.widest_pairs(result) == (tuple(b.parameter for b in result.comparisons[0].bars),)


# --- thresholds ----------------------------------------------------------------------------------


def turning(result, parameter, threshold):
    row = next(row for row in result.rows if row.parameter == parameter)
    return next(one for one in row.turnings if one.threshold == threshold)


def test_threshold_values_by_hand(linear, years):
    marks = (24_000.0, 1e9)
    result = thresholds.run(linear, thresholds=marks)
    assert [row.parameter for row in result.rows] == ["gain", "price"]
    at = marks[0]
    root = turning(result, "gain", at).roots
    assert len(root) == 1
    assert root[0].value == pytest.approx(PRICE[0] / (at * years), rel=1e-11)
    assert (root[0].rising, root[0].jump, root[0].decision) == (True, False, True)
    root = turning(result, "price", at).roots
    assert root[0].value == pytest.approx(at * GAIN[0] * years, rel=1e-11)
    assert not root[0].rising
    one = turning(result, "price", at)
    assert one.base == pytest.approx(at * GAIN[0] * years - PRICE[0], rel=1e-9)
    assert one.at_low == pytest.approx(one.base + 1.959963984540054 * PRICE[1], rel=1e-9)
    assert not turning(result, "gain", 1e9).roots
    assert all(row.changes_decision for row in result.rows)


def wavy(formula: str, low: float = 0.0, high: float = 4.0):
    """Net benefit of b over a is minus ``formula``, a function of q."""
    spec = linear_study(
        fixed("q", 1.7, low=low, high=high, unit="number"), derived("wave", formula), certain=True
    )
    changes = [Change(target="gain", value="0", place=Place("--set"))]
    spec = dataclasses.replace(spec, costs=(cost("b", "start", "wave"),))
    return apply_changes(spec, changes)


def test_every_root_of_several_is_found_and_its_direction():
    result = thresholds.run(wavy("1000*(q-1)*(q-2.2)*(q-3.1)"), ["q"])
    for one in result.rows[0].turnings:
        assert [root.value for root in one.roots] == pytest.approx([1, 2.2, 3.1], abs=1e-11)
        assert [root.rising for root in one.roots] == [False, True, False]
        assert not any(root.jump for root in one.roots)


def test_a_root_on_a_grid_value_is_found_once():
    result = thresholds.run(wavy("1000*(q-2)"), ["q"])
    assert [root.value for root in result.rows[0].turnings[0].roots] == [2.0]
    assert not result.rows[0].turnings[0].roots[0].rising


def test_a_jump_is_said_to_be_one():
    result = thresholds.run(wavy("1000*if(q>=3, 1, 0) - 500"), ["q"])
    root = result.rows[0].turnings[0].roots[0]
    assert root.value == pytest.approx(3, abs=1e-11)
    assert root.jump


def test_net_benefit_of_zero_everywhere_is_said():
    one = thresholds.run(wavy("0*q"), ["q"]).rows[0].turnings[0]
    assert one.always
    assert one.roots == ()


def test_a_named_parameter_is_searched_beyond_its_range(linear, years):
    at = 100_000.0
    assert not turning(thresholds.run(linear, thresholds=[at]), "price", at).roots
    result = thresholds.run(linear, ["price"], thresholds=[at])
    assert turning(result, "price", at).roots[0].value == pytest.approx(
        at * GAIN[0] * years, rel=1e-11
    )
    assert result.rows[0].high == pytest.approx(10 * linear.parameters["price"].high)
    given = thresholds.run(linear, ["price"], search=(1.0, 2.0), thresholds=[at])
    assert (given.rows[0].low, given.rows[0].high) == (1.0, 2.0)
    assert not turning(given, "price", at).roots


def test_a_root_is_the_base_case_at_which_net_benefit_is_zero(three):
    result = thresholds.run(three)
    roots = [(row, one, r) for row in result.rows for one in row.turnings for r in one.roots]
    assert roots
    for row, one, root in roots[:4]:
        change = Change(target=row.parameter, value=repr(root.value), place=Place("--set"))
        alone = base_case.run(apply_changes(three, [change]))
        if one.versus != three.settings.reference:
            continue
        pair = next(p for p in alone.pairwise if p.id == one.id)
        assert pair.inmb[alone.thresholds.index(one.threshold)] == pytest.approx(0, abs=1e-4)
        best = max(s.nmb[alone.thresholds.index(one.threshold)] for s in alone.strategies)
        mine = alone.totals(one.id).nmb[alone.thresholds.index(one.threshold)]
        assert root.decision == (mine == pytest.approx(best, abs=1e-3))


def test_what_threshold_analysis_leaves_out_and_refuses(linear, three):
    spec = linear_study(uncertain("choice", "normal", 1.0, se=0.1, category="settings"))
    result = thresholds.run(spec)
    assert [name for name, _ in result.left_out] == ["choice"]
    with pytest.raises(HeorError, match="'prise' is not a parameter of the study; did you mean"):
        thresholds.run(linear, ["prise"])
    name = next(p.id for p in three.parameters.values() if p.unit == "utility")
    with pytest.raises(InputErrors, match="must be at most 1"):
        thresholds.run(three, [name], search=(0.2, 2.0))


def test_roots_of_many_functions_at_once():
    shifts = np.array([0.1, 1.0, 3.7, 9.99])

    def gain(rows, x):
        return np.sign(x - shifts[rows]) * np.abs(x - shifts[rows]) ** (1 + rows)

    zero, ten = np.zeros(4), np.full(4, 10.0)
    every = np.arange(4)
    found = close_in(gain, zero, ten, gain(every, zero), gain(every, ten), np.full(4, 1e-12))
    assert found == pytest.approx(shifts, abs=1e-11)
