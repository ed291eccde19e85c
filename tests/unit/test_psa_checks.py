"""Checks of draws: known errors of means and SDs, correlations, coverage of intervals."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from helpers_spec import minimal_spec, pair, uncertain
from linear_study import GAIN, PRICE, linear_study
from scipy import special

from heor.analyses import base_case, psa, psa_checks
from heor.analyses.monte_carlo import Replicates
from heor.engine.evaluate import evaluate
from heor.spec import draws as draw_sets
from heor.spec.distributions import make
from heor.spec.parameters import Draws

#: Analyses whose intervals are counted.
REPETITIONS = 150


@pytest.fixture(scope="module")
def years():
    return base_case.run(linear_study()).totals("b").ly


def test_errors_of_mean_and_sd_are_standard_normal_over_repetitions():
    spec = minimal_spec([uncertain("x", "gamma", 2.0, se=1.0)])
    means, spreads = [], []
    for seed in range(400):
        (check,) = psa_checks.parameter_checks(spec, draw_sets.sample(spec, 400, seed=seed))
        means.append(check.error_in_se)
        spreads.append(check.sd_error_in_se)
    for found in (means, spreads):
        assert np.std(found) == pytest.approx(1.0, abs=0.15)
        assert np.mean(found) == pytest.approx(0.0, abs=0.25)


def test_a_check_by_hand():
    spec = minimal_spec([uncertain("x", "normal", 3.0, se=2.0)])
    values = np.array([1.0, 2.0, 4.0, 9.0])
    (check,) = psa_checks.parameter_checks(spec, Draws({"x": values}))
    sd = values.std(ddof=1)
    assert (check.sample_mean, check.sample_sd) == (4.0, pytest.approx(sd))
    assert check.error_in_se == pytest.approx((4.0 - 3.0) / (2.0 / 2.0))
    influence = ((values - 4.0) ** 2 - sd**2) / (2 * sd)
    assert check.sd_error_in_se == pytest.approx((sd - 2.0) / (influence.std(ddof=1) / 2.0))


def test_a_stratified_sample_is_judged_by_its_randomisations():
    """The wrong mean is 0.6 standard errors of independent draws off, many of stratified ones."""
    spec = linear_study(psa_sampler="latin_hypercube")
    result = psa.run(spec, 400)
    how = Replicates(result.replicate, result.replicates, independent=False)
    good = psa_checks.parameter_checks(spec, result.draws, how)
    assert not any(check.warning for check in good)
    wrong = {**result.draws.values, "price": result.draws.values["price"] + 0.6 * PRICE[1] / 20}
    found = psa_checks.parameter_checks(spec, Draws(wrong), how)
    assert "price" in [check.parameter for check in found if check.warning]
    assert not any(c.warning for c in psa_checks.parameter_checks(spec, Draws(wrong)))
    assert psa_checks.beyond_chance(how) == pytest.approx(
        -special.stdtrit(9, special.ndtr(-4.0)), rel=1e-12
    )
    assert psa_checks.beyond_chance(how) > 6.9


def test_rank_correlations_stand_beside_what_was_asked():
    spec = minimal_spec(
        [uncertain(name, "lognormal", 1.0, se=0.5) for name in "abc"],
        correlations=(pair("g", "a", "b", 0.7), pair("g", "b", "c", -0.3)),
    )
    errors = []
    for seed in range(100):
        rows = psa_checks.correlation_checks(spec, draw_sets.sample(spec, 500, seed=seed))
        assert [(r.row, r.column, r.kind) for r in rows] == [
            ("a", "b", "Spearman"),
            ("a", "c", "Spearman"),
            ("b", "c", "Spearman"),
        ]
        assert [r.asked for r in rows] == pytest.approx([0.7, 0.0, -0.3], abs=1e-12)
        errors.append([r.error_in_se for r in rows])
    assert np.std(errors, axis=0) == pytest.approx([1.0] * 3, abs=0.25)
    assert np.mean(errors, axis=0) == pytest.approx([0.0] * 3, abs=0.3)
    loose = draw_sets.sample(minimal_spec(tuple(spec.parameters.values())), 500)
    rows = psa_checks.correlation_checks(spec, loose)
    assert rows[0].error_in_se < -10


def test_correlations_of_a_multivariate_normal_are_pearsons():
    parameters = [
        uncertain(n, make("multivariate_normal", value=0.0), 0.0, low=-1, high=1) for n in "ab"
    ]
    parameters = [dataclasses.replace(p, correlation_group="g") for p in parameters]
    spec = minimal_spec(
        parameters,
        correlations=(
            pair("g", "a", "a", 4.0),
            pair("g", "b", "b", 9.0),
            pair("g", "a", "b", 3.0),
        ),
    )
    (row,) = psa_checks.correlation_checks(spec, draw_sets.sample(spec, 4000, seed=2))
    assert (row.kind, row.asked) == ("Pearson", pytest.approx(0.5))
    assert row.se == pytest.approx(0.75 / math.sqrt(3997))
    assert abs(row.error_in_se) < 4


@pytest.mark.parametrize("sampler", ["random", "latin_hypercube", "sobol"])
def test_intervals_of_every_sampler_hold_the_truth_as_often_as_they_say(sampler, years):
    """The mean INMB is known; 95% intervals must hold it in 95% of repetitions (±3 SE)."""
    spec = linear_study(psa_replicates=5)
    truth = 25_000.0 * GAIN[0] * years - PRICE[0]
    inside, gains = 0, []
    for seed in range(REPETITIONS):
        result = psa.run(spec, 40, seed=seed, sampler=sampler)
        inmb = 25_000.0 * (result.outcomes.of("b", "qaly") - result.outcomes.of("a", "qaly"))
        inmb -= result.outcomes.of("b", "cost") - result.outcomes.of("a", "cost")
        how = Replicates(result.replicate, result.replicates, sampler == "random")
        (row,) = psa_checks.precision_of(["b"], 25_000.0, [inmb], how)
        inside += abs(row.mean - truth) <= row.half_width
        gains.append(row.gain)
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / REPETITIONS) <= inside / REPETITIONS
    assert inside / REPETITIONS <= 0.95 + 3 * math.sqrt(0.95 * 0.05 / REPETITIONS)
    if sampler == "random":
        assert gains == pytest.approx([1.0] * REPETITIONS)
    else:
        assert np.median(gains) > 5


def test_precision_is_part_of_the_summary_and_the_way_to_it_is_kept():
    spec = linear_study()
    result = psa.run(spec, 100, until_mcse=60.0)
    summary = psa.summarise(spec, result)
    assert [n for n, _ in summary.steps][-1] == result.n
    assert summary.steps[0][0] == 100
    assert summary.steps[-1][1] <= 60.0 < summary.steps[0][1]
    (row,) = summary.precision
    assert row.mcse == pytest.approx(summary.steps[-1][1])
    assert row.degrees == result.n - 1
    assert row.half_width == pytest.approx(1.96 * row.mcse, rel=0.01)


def test_every_draw_can_be_replayed_alone_bit_for_bit():
    spec = linear_study()
    result = psa.run(spec, 40, sampler="sobol")
    for place in (0, 16, 39):
        alone = evaluate(spec, result.draws.rows(place, place + 1))
        assert (alone.values[0] == result.outcomes.values[place]).all()
