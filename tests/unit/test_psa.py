import math
import re
from dataclasses import replace

import numpy as np
import pytest
from helpers_spec import uncertain
from linear_study import GAIN, PRICE, linear_study
from small_studies import cost, curve, settings, study

from heor.analyses import base_case, monte_carlo, psa
from heor.analyses.monte_carlo import Replicates
from heor.errors import HeorError
from heor.spec.distributions import make_empirical
from heor.spec.parameters import Draws


@pytest.fixture(scope="module")
def spec():
    return linear_study()


@pytest.fixture(scope="module")
def base(spec):
    return base_case.run(spec)


@pytest.fixture(scope="module")
def result(spec):
    return psa.run(spec, 4000, seed=7)


@pytest.fixture(scope="module")
def summary(spec, result, base):
    return psa.summarise(spec, result, base)


def life_years(base):
    return base.totals("b").ly


class TestRun:
    def test_settings_are_the_default(self, spec):
        result = psa.run(spec)
        assert (result.n, result.seed, result.sampler) == (100, 1, "random")
        assert len(result.outcomes) == len(result.draws) == len(result.replicate) == 100

    def test_same_seed_same_bits_and_a_larger_n_keeps_the_first_rows(self, spec, result):
        fewer = psa.run(spec, 130, seed=7, workers=2)
        np.testing.assert_array_equal(fewer.outcomes.values, result.outcomes.values[:130])
        other = psa.run(spec, 130, seed=8)
        assert not (other.outcomes.values == fewer.outcomes.values).all()

    @pytest.mark.parametrize("sampler", ["latin_hypercube", "sobol"])
    def test_stratified_samples_are_split_into_randomisations(self, spec, sampler):
        result = psa.run(spec, 103, sampler=sampler)
        assert result.replicates == 10
        assert np.bincount(result.replicate).tolist() == [11] * 3 + [10] * 7
        gain = result.draws.values["gain"]
        assert len(np.unique(gain)) == 103
        if sampler == "latin_hypercube":  # one draw in each tenth of the distribution
            ranks = np.sort(gain[result.replicate == 5])
            edges = spec.parameters["gain"].distribution.ppf(np.arange(1, 10) / 10)
            assert np.searchsorted(edges, ranks).tolist() == list(range(10))

    def test_no_more_randomisations_than_draws(self, spec):
        assert psa.run(spec, 4, sampler="latin_hypercube").replicates == 4

    def test_empirical_rows_go_on_across_randomisations(self, spec):
        rows = np.arange(40.0)
        joint = replace(
            spec,
            parameters={
                **spec.parameters,
                "boot": uncertain("boot", make_empirical(rows), 19.5),
            },
            empirical={"boot": rows},
        )
        result = psa.run(joint, 40, sampler="latin_hypercube")
        np.testing.assert_array_equal(result.draws.values["boot"], rows)

    def test_progress_counts_to_the_end(self, spec):
        seen = []
        psa.run(spec, 150, progress=lambda done, total: seen.append((done, total)))
        assert seen[0] == (0, 150)
        assert seen[-1] == (150, 150)
        assert seen == sorted(seen)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n": 0}, "must be 1 or more, found 0"),
            ({"sampler": "lhs"}, "unknown sampler 'lhs'; allowed are random"),
            ({"until_mcse": 5.0, "sampler": "sobol"}, "needs the sampler 'random'"),
            ({"until_mcse": 0.0}, "must be above 0"),
        ],
    )
    def test_refuses(self, spec, options, message):
        with pytest.raises(HeorError, match=message):
            psa.run(spec, **options)


class TestUntil:
    def test_draws_what_the_first_draws_forecast(self, spec, base):
        sd = math.hypot(25_000 * life_years(base) * GAIN[1], PRICE[1])
        wanted = sd / math.sqrt(700)
        totals = []
        result = psa.run(
            spec, 100, seed=7, until_mcse=wanted, progress=lambda _, n: totals.append(n)
        )
        assert 600 <= result.n <= 900
        assert len(set(totals)) <= 3
        assert len(result.outcomes) == len(result.draws) == result.n
        assert result.stopping.endswith("was asked for: reached")
        straight = psa.run(spec, result.n, seed=7)
        np.testing.assert_array_equal(result.outcomes.values, straight.outcomes.values)
        np.testing.assert_array_equal(
            result.outcomes.diagnostics["crossing_share"],
            straight.outcomes.diagnostics["crossing_share"],
        )

    def test_refuses_at_once_what_is_out_of_reach(self, spec):
        seen = []
        words = r"would take about [\d,]+00 draws; at most 250 are made, enough for about [\d,.]+\."
        with pytest.raises(HeorError, match=words):
            psa.run(
                spec,
                100,
                until_mcse=1e-3,
                most_draws=250,
                progress=lambda done, total: seen.append((done, total)),
            )
        assert seen[0] == (0, 100)
        assert seen[-1] == (100, 100)

    def test_stops_at_the_cap_when_the_forecast_was_too_low(self, spec, monkeypatch):
        monkeypatch.setattr(psa, "MARGIN", 0.2)
        wanted = psa.run(spec, 1000, seed=7, until_mcse=1e9).stopping
        mcse = float(re.search(r"is ([\d,.]+) after", wanted)[1].replace(",", ""))
        result = psa.run(spec, 1000, seed=7, until_mcse=mcse / 2, most_draws=1500)
        assert result.n == 1500
        assert result.stopping.endswith("not reached at the largest number allowed")

    def test_a_forecast_rests_on_enough_draws(self, spec):
        assert psa.run(spec, 2, until_mcse=1e9).n == psa.FIRST_DRAWS

    def test_threshold_matters(self, spec):
        low = psa.run(spec, 100, until_mcse=600.0, threshold=0.0)
        assert low.n == 100
        assert psa.run(spec, 100, until_mcse=600.0, threshold=1e5).n > 100


class TestStandardErrors:
    def test_random(self, result, summary):
        delta = summary.increments[0].delta_cost
        price = result.draws.values["price"]
        assert delta.mean == pytest.approx(price.mean(), rel=1e-12)
        assert delta.sd == pytest.approx(price.std(ddof=1), rel=1e-12)
        assert delta.mcse == pytest.approx(price.std(ddof=1) / math.sqrt(4000), rel=1e-12)
        assert (delta.low, delta.high) == pytest.approx(np.quantile(price, [0.025, 0.975]))
        p = summary.increments[0].probability[1]
        assert p.mcse == pytest.approx(math.sqrt(p.value * (1 - p.value) / 4000), rel=1e-12)

    def test_between_randomisations(self, spec):
        result = psa.run(spec, 200, sampler="latin_hypercube")
        summary = psa.summarise(spec, result)
        price = result.draws.values["price"].reshape(10, 20).mean(axis=1)
        delta = summary.increments[0].delta_cost
        assert delta.mcse == pytest.approx(price.std(ddof=1) / math.sqrt(10), rel=1e-12)
        assert delta.mcse < PRICE[1] / math.sqrt(200) / 5  # what stratifying gains
        wins = (result.outcomes.of("b", "qaly") - result.outcomes.of("a", "qaly")) * 25_000
        wins = (wins - result.draws.values["price"] > 0).reshape(10, 20).mean(axis=1)
        p = summary.increments[0].probability[1]
        assert p.mcse == pytest.approx(wins.std(ddof=1) / math.sqrt(10), rel=1e-12)

    def test_one_randomisation_has_none(self):
        spec = linear_study(psa_replicates=1)
        summary = psa.summarise(spec, psa.run(spec, 50, sampler="latin_hypercube"))
        assert math.isnan(summary.increments[0].delta_cost.mcse)
        assert any("set psa_replicates to 2 or more" in text for text in summary.warnings)

    def test_icer_error_is_what_repeating_shows(self):
        """The SD of ICERs over independent analyses, against the mean reported error."""
        rng = np.random.default_rng(99)
        ratios, errors = [], []
        for _ in range(2000):
            gain, price = rng.normal(1, 0.25, 200), rng.normal(20_000, 4_000, 200)
            price += 3_000 * (gain - 1)
            ratios.append(price.mean() / gain.mean())
            errors.append(monte_carlo.icer_standard_error(price, gain, Replicates.random(200)))
        # The SD of 2,000 values is known to 1.6%.
        assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.05)

    def test_no_icer_no_error(self):
        gain = np.array([1.0, 2.0])
        assert monte_carlo.icer_standard_error(-gain, gain, Replicates.random(2)) is None


class TestSummary:
    def test_means_and_ratio_of_means(self, summary, base):
        increment = summary.increments[0]
        assert increment.icer == increment.delta_cost.mean / increment.delta_qaly.mean
        expected = PRICE[0] / (GAIN[0] * life_years(base))
        assert abs(increment.icer - expected) < 4 * increment.icer_mcse
        assert increment.icer_mcse < 0.01 * expected
        assert increment.delta_ly.mean == 0
        assert summary.incremental[1].icer == pytest.approx(increment.icer, rel=1e-12)

    def test_evpi_and_probability_of_a_linear_normal_model(self, spec, base):
        n = 40_000
        summary = psa.summarise(spec, psa.run(spec, n, seed=3))
        for i, k in enumerate(spec.settings.thresholds):
            mean = k * GAIN[0] * life_years(base) - PRICE[0]
            sd = math.hypot(k * GAIN[1] * life_years(base), PRICE[1])
            ratio = mean / sd
            below = 0.5 * math.erfc(-ratio / math.sqrt(2))
            density = math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
            evpi = sd * density + mean * below - max(0.0, mean)
            assert summary.at_thresholds.evpi[i] == pytest.approx(evpi, abs=4 * sd / math.sqrt(n))
            p = summary.increments[0].probability[i]
            assert abs(p.value - below) < 4 * p.mcse + 1e-3
            assert summary.strategies[1].probability[i].value == pytest.approx(p.value)
            assert summary.at_thresholds.ceac[i, 1] == pytest.approx(p.value)

    def test_curve_reaches_its_limit(self, summary):
        assert summary.curve.ceac[-1, 1] >= 0.95
        assert set(summary.thresholds) <= set(summary.curve.thresholds)

    def test_certain_inputs_give_the_base_case_exactly(self):
        spec = linear_study(certain=True)
        base = base_case.run(spec)
        summary = psa.summarise(spec, psa.run(spec, 16), base)
        assert summary.increments[0].delta_cost.mean == base.pairwise[0].delta_cost
        assert all(check.words == "equal" for check in summary.base_checks)
        assert (summary.curve.evpi == 0).all()

    def test_linear_model_agrees_with_its_base_case(self, summary):
        assert {check.words for check in summary.base_checks} <= {
            "equal",
            "within Monte Carlo error",
        }
        check = next(c for c in summary.base_checks if c.outcome == "delta_cost")
        assert (check.strategy, check.base) == ("b", PRICE[0])
        assert check.difference == pytest.approx(check.psa - PRICE[0])
        assert abs(check.in_mcse) < 3

    def test_a_model_that_is_not_linear_is_said_to_be(self):
        linear = linear_study()
        spec = replace(linear, costs=(cost("b", "start", "exp(gain * 20)"),))
        summary = psa.summarise(spec, psa.run(spec, 2000), base_case.run(spec))
        check = next(c for c in summary.base_checks if c.outcome == "delta_cost")
        assert check.words.startswith("beyond Monte Carlo error")

    def test_sampled_inputs_are_checked(self, spec, result, summary):
        checks = {check.parameter: check for check in summary.parameter_checks}
        assert set(checks) == {"gain", "price"}
        price = result.draws.values["price"]
        expected = (price.mean() - PRICE[0]) / (PRICE[1] / math.sqrt(4000))
        assert checks["price"].error_in_se == pytest.approx(expected, rel=1e-9)
        assert checks["price"].sd_ratio == pytest.approx(1, abs=0.05)
        assert not checks["price"].warning
        wrong = dict(result.draws.values, price=price + 400.0)
        spoiled = psa.summarise(spec, replace(result, draws=Draws(wrong)))
        assert any("price: the mean of the draws" in text for text in spoiled.warnings)

    def test_crossing_is_counted_and_warned_about(self):
        spec = study(
            [
                curve("a", "pfs", "exponential", {"rate": 0.2}),
                curve("a", "os", "exponential", {"rate": 0.1}),
                curve("b", "pfs", "exponential", {"rate": 0.15}),
                curve("b", "os", "exponential", {"rate": "rate"}),
            ],
            parameters=[uncertain("rate", "gamma", 0.15, se=0.03)],
            options=settings(cycle_length=0.5, crossing_limit=0.01),
        )
        result = psa.run(spec, 500)
        a, b = psa.summarise(spec, result).crossing
        share = result.outcomes.diagnostics["crossing_share"][:, 1]
        crossed = result.draws.values["rate"] > 0.15
        assert (a.draws, a.over_limit, a.max_share) == (0, False, 0)
        assert b.draws == crossed.sum()
        assert 0 < b.draws_over_limit == (share > 0.01).sum() < b.draws
        assert (b.mean_share, b.max_share) == (share.mean(), share.max())
        assert b.over_limit
        warnings = psa.summarise(spec, result).warnings
        assert sum(text.startswith("b: PFS and OS cross") for text in warnings) == 1


class TestConvergence:
    def test_ends_at_the_result(self, summary):
        path, increment = summary.convergence[0], summary.increments[0]
        assert path.threshold == 25_000
        assert (path.draws[0], path.draws[-1]) == (10, 4000)
        assert (np.diff(path.draws) > 0).all()
        assert 40 <= len(path.draws) <= 50
        assert path.delta_cost[-1] == pytest.approx(increment.delta_cost.mean, rel=1e-12)
        assert path.delta_qaly[-1] == pytest.approx(increment.delta_qaly.mean, rel=1e-12)
        assert path.inmb[-1] == pytest.approx(increment.inmb[1].mean, rel=1e-10)
        assert path.icer[-1] == pytest.approx(increment.icer, rel=1e-12)
        assert path.probability[-1] == pytest.approx(increment.probability[1].value)
        half_width = 1.96 * increment.inmb[1].mcse
        assert path.inmb_half_width[-1] == pytest.approx(half_width, rel=1e-6)

    def test_point_in_the_middle(self, result, summary):
        path = summary.convergence[0]
        at = path.draws[20]
        assert path.delta_cost[20] == pytest.approx(result.draws.values["price"][:at].mean())

    def test_icer_is_nan_without_meaning(self):
        path = monte_carlo.convergence("b", "a", 1.0, 1.0, -np.ones(20), np.ones(20))
        assert np.isnan(path.icer).all()

    def test_single_draw(self):
        path = monte_carlo.convergence("b", "a", 1.0, 1.0, np.ones(1), np.ones(1))
        assert path.draws.tolist() == [1]


class TestRecommendedDraws:
    def test_is_the_smallest_that_is_precise_enough(self, summary):
        advice, increment = summary.recommended_draws[0], summary.increments[0]
        inmb = increment.inmb[1]

        def half_width(n):
            return 1.96 * inmb.sd / math.sqrt(n)

        def icer_error(n):
            return increment.icer_mcse * math.sqrt(4000 / n)

        allowed = 0.05 * abs(inmb.mean)
        assert half_width(advice.for_inmb) <= allowed < half_width(advice.for_inmb - 1)
        share = 0.01 * increment.icer
        assert icer_error(advice.for_icer) <= share < icer_error(advice.for_icer - 1)
        assert advice.draws == max(advice.for_inmb, advice.for_icer)
        assert advice.reached == (advice.draws <= 4000)
        assert f"{advice.draws:,}" in advice.words

    def test_unsettled_sign(self):
        rng = np.random.default_rng(1)
        cost = rng.normal(0, 100, 400)
        cost -= cost.mean() - 1
        advice = monte_carlo.recommended_draws("b", "a", 0.0, 1.0, cost, np.ones(400))
        assert not advice.reached
        assert advice.for_inmb == pytest.approx((1.96 * cost.std(ddof=1) / 0.05) ** 2, abs=1)
        assert advice.words.endswith("not even its sign is settled")

    def test_no_spread_needs_no_draws(self):
        advice = monte_carlo.recommended_draws("b", "a", 10.0, 1.0, np.ones(9), np.ones(9))
        assert (advice.draws, advice.reached) == (2, True)

    def test_single_draw_gives_no_advice(self):
        advice = monte_carlo.recommended_draws("b", "a", 10.0, 1.0, np.ones(1), np.ones(1))
        assert (advice.draws, advice.reached) == (None, False)
        assert "no scale" in advice.words
