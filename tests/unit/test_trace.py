"""Guards name strategy, group, draw and cycle; crossing is measured by methods 1.3."""

import numpy as np
import pytest
from small_studies import curve, fixed, settings, study

from heor.engine.evaluate import evaluate, traces
from heor.errors import ModelError
from heor.spec.parameters import Draws

YEAR = {"cycle_length": 0.25, "horizon": 10.0, "background_mortality": "none"}


def exponential(endpoint, rate, **changes):
    return curve("a", endpoint, "exponential", {"rate": rate}, **changes)


def one_strategy(curves, **changes):
    return study(curves, options=settings(**{**YEAR, "reference": "a", **changes}))


def draws(**values):
    return Draws({name: np.array(value, dtype=float) for name, value in values.items()})


def test_a_parameter_that_makes_no_number_is_refused_with_its_draw():
    spec = one_strategy([exponential("pfs", 1.0), exponential("os", "rate")])
    with pytest.raises(
        ModelError, match=r"strategy a, state dead, group all, draw 3, cycle 0: .*not a number .*os"
    ):
        evaluate(spec, draws(rate=[0.3, 0.4, np.nan]))


def test_a_rising_curve_is_refused_with_its_cycle():
    spec = one_strategy([exponential("pfs", 1.0), exponential("os", "rate")])
    with pytest.raises(
        ModelError, match=r"state dead, group all, draw 2, cycle 1: dead falls by 0.05"
    ):
        evaluate(spec, draws(rate=[0.3, -0.2]))


def test_the_first_bad_draw_is_named_across_blocks():
    spec = one_strategy([exponential("pfs", 1.0), exponential("os", "rate")])
    rates = np.full(200, 0.3)
    rates[150] = -0.1
    with pytest.raises(ModelError, match=r"draw 151, cycle 1"):
        evaluate(spec, draws(rate=rates), chunk=16)


def test_weights_that_do_not_sum_to_one_are_refused():
    curves = [
        exponential(endpoint, rate, group=group, weight=weight)
        for endpoint, rate in (("pfs", 1.0), ("os", 0.5))
        for group, weight in (("r", "share"), ("n", 0.6))
    ]
    spec = one_strategy(curves)
    evaluate(spec, draws(share=[0.4]))
    with pytest.raises(
        ModelError, match=r"strategy a, endpoint pfs, draw 2: group weights sum to 1.1"
    ):
        evaluate(spec, draws(share=[0.4, 0.5]))


def test_a_negative_weight_is_refused():
    curves = [
        exponential(endpoint, rate, group=group, weight=weight)
        for endpoint, rate in (("pfs", 1.0), ("os", 0.5))
        for group, weight in (("r", "share"), ("n", "1-share"))
    ]
    with pytest.raises(ModelError, match=r"strategy a, group r, draw 1: weight -0.1; it must be 0"):
        evaluate(one_strategy(curves), draws(share=[-0.1]))


def test_crossing_is_the_person_time_the_cap_moves():
    """PFS above OS from the start: the cap moves the whole area between them."""
    spec = one_strategy([exponential("pfs", 0.2), exponential("os", 0.5)])
    outcomes = evaluate(spec, draws(x=[0.0]))
    times = np.arange(0, 10.25, 0.25)
    moved = np.trapezoid(np.exp(-0.2 * times) - np.exp(-0.5 * times), dx=0.25)
    lived = np.trapezoid(np.exp(-0.5 * times), dx=0.25)
    assert outcomes.diagnostics["crossing_years"][0, 0] == pytest.approx(moved, rel=1e-13)
    assert outcomes.diagnostics["crossing_share"][0, 0] == pytest.approx(moved / lived, rel=1e-13)
    assert outcomes.diagnostics["crossing_cycles"][0, 0] == 40
    assert outcomes.of("a", "ly:progressed")[0] == 0


def test_keep_higher_raises_overall_survival():
    spec = one_strategy([exponential("pfs", 0.2), exponential("os", 0.5)], crossing="keep_higher")
    times = np.arange(0, 10.25, 0.25)
    np.testing.assert_allclose(
        traces(spec, draws(x=[0.0]))["a"].endpoints["os"][0], np.exp(-0.2 * times), rtol=1e-15
    )


def test_crossing_error_names_where():
    spec = one_strategy([exponential("pfs", 0.2), exponential("os", 0.5)], crossing="error")
    with pytest.raises(ModelError, match=r"group all, draw 1, cycle 1: pfs .* is above os"):
        evaluate(spec, draws(x=[0.0]))


def test_without_crossing_nothing_is_counted():
    spec = one_strategy([exponential("pfs", 0.5), exponential("os", 0.2)], crossing="error")
    outcomes = evaluate(spec, draws(x=[0.0]))
    assert outcomes.diagnostics["crossing_years"][0, 0] == 0


def test_a_strategy_needs_overall_survival():
    with pytest.raises(ModelError, match="strategy a: no curve for endpoint os"):
        evaluate(one_strategy([exponential("pfs", 0.2)]), draws(x=[0.0]))


def test_an_error_on_a_worker_thread_reaches_the_caller():
    spec = one_strategy([exponential("pfs", 1.0), exponential("os", "rate")])
    rates = np.full(400, 0.3)
    rates[10] = np.nan
    with pytest.raises(ModelError, match="draw 11"):
        evaluate(spec, draws(rate=rates), chunk=16, workers=2)


def test_progress_ends_at_the_number_of_draws():
    spec = one_strategy([exponential("pfs", 1.0), exponential("os", 0.3)])
    for workers in (1, 2):
        seen = []
        evaluate(spec, draws(x=np.zeros(100)), chunk=16, workers=workers, progress=seen.append)
        assert seen[-1] == 100
        assert seen == sorted(seen)


def test_parameters_are_not_needed_when_nothing_is_drawn():
    spec = study(
        [exponential("pfs", 1.0), exponential("os", "k")],
        options=settings(**{**YEAR, "reference": "a"}),
        parameters=[fixed("k", 0.5)],
    )
    assert len(evaluate(spec, draws(k=[0.5]))) == 1
