"""Properties that hold whatever the study's numbers are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small_studies import RandomStudy, curve, fixed, study
from small_studies import settings as study_settings

from heor.engine.evaluate import evaluate, traces
from heor.spec.distributions import make
from heor.spec.draws import sample
from heor.spec.expressions import constant
from heor.spec.parameters import Draws
from heor.spec.records import DiscountRate, Spec

SEEDS = st.integers(min_value=1_000, max_value=100_000)
FEW = settings(max_examples=25, deadline=None)


def cut(draws: Draws, rows: list[int]) -> Draws:
    return Draws({name: value[rows] for name, value in draws.values.items()})


def changed(spec: Spec, **settings_: object) -> Spec:
    return dataclasses.replace(spec, settings=dataclasses.replace(spec.settings, **settings_))


@FEW
@given(seed=SEEDS)
def test_occupancy_and_survival(seed: int) -> None:
    """Shares lie in [0, 1] and sum to 1; curves start at 1 and never rise."""
    random = RandomStudy(seed, mixed=True)
    for strategy, trace in traces(random.spec, random.draws(4)).items():
        shares = np.stack(list(trace.occupancy.values()))
        assert shares.min() >= -1e-15
        assert shares.max() <= 1 + 1e-12
        np.testing.assert_allclose(shares.sum(axis=0), 1, rtol=0, atol=1e-12)
        for endpoint, s in trace.endpoints.items():
            assert np.diff(s, axis=1).max() <= 1e-15, (strategy, endpoint)
        np.testing.assert_allclose(trace.endpoints["os"][:, 0], 1, rtol=0, atol=1e-15)


@FEW
@given(
    seed=SEEDS,
    chunk=st.sampled_from([1, 2, 7, 64, 1000]),
    workers=st.sampled_from([1, 1, 2]),
    order=st.permutations(range(9)),
)
def test_bits_do_not_depend_on_neighbours(
    seed: int, chunk: int, workers: int, order: list[int]
) -> None:
    """Any chunk size, worker count, order of rows, or one row alone: the same bits."""
    random = RandomStudy(seed, mixed=True)
    draws = random.draws(9)
    whole = evaluate(random.spec, draws, chunk=9)
    other = evaluate(random.spec, cut(draws, order), chunk=chunk, workers=workers)
    assert other.names == whole.names
    np.testing.assert_array_equal(other.values, whole.values[order])
    alone = evaluate(random.spec, cut(draws, [order[0]]))
    np.testing.assert_array_equal(alone.values[0], whole.values[order[0]])
    for name, value in whole.diagnostics.items():
        np.testing.assert_array_equal(other.diagnostics[name], value[order])


@FEW
@given(seed=SEEDS)
def test_another_strategy_leaves_the_rest_alone(seed: int) -> None:
    random = RandomStudy(seed, mixed=True)
    spec, draws = random.spec, random.draws(3)
    last = spec.strategies[-1].id
    assume(all(c.wane_to != last for c in spec.curves if c.strategy != last))
    fewer = dataclasses.replace(
        changed(spec, reference="a"),
        strategies=spec.strategies[:-1],
        curves=tuple(c for c in spec.curves if c.strategy != last),
    )
    more = evaluate(changed(spec, reference="a"), draws)
    less = evaluate(fewer, draws)
    for strategy in less.strategies:
        for name in less.names:
            np.testing.assert_array_equal(less.of(strategy, name), more.of(strategy, name))


@FEW
@given(seed=SEEDS)
def test_discounting_only_takes_away(seed: int) -> None:
    random = RandomStudy(seed, mixed=True)
    draws = random.draws(3)
    none = DiscountRate(first=0.0)
    free = changed(random.spec, discount_rate_costs=none, discount_rate_outcomes=none)
    undiscounted, discounted = evaluate(free, draws), evaluate(random.spec, draws)
    for name in ("ly", "cost"):
        before, after = undiscounted.get(name), discounted.get(name)
        assert (before >= after * (1 - 1e-14)).all()
        np.testing.assert_allclose(before, discounted.get(f"{name}_undiscounted"), rtol=1e-13)
    for state in random.spec.living_states:
        name = f"qaly:{state.id}"
        assert (undiscounted.get(name) >= discounted.get(name) - 1e-14).all()


@FEW
@given(seed=SEEDS)
def test_utilities_of_one_make_qalys_life_years(seed: int) -> None:
    random = RandomStudy(seed, mixed=True)
    spec = changed(random.spec, age_adjusted_utilities=False, utility_cap="none")
    spec = dataclasses.replace(
        spec,
        utilities=tuple(dataclasses.replace(u, value=constant(1.0)) for u in spec.utilities),
        adverse_events=(),
    )
    outcomes = evaluate(spec, random.draws(3))
    for suffix in ("", "_undiscounted"):
        np.testing.assert_allclose(
            outcomes.get(f"qaly{suffix}"), outcomes.get(f"ly{suffix}"), rtol=1e-13
        )


@FEW
@given(
    ratio=st.floats(0.01, 1.0),
    waning=st.booleans(),
    family=st.sampled_from(["weibull", "loglogistic"]),
    shape=st.floats(0.3, 4.0),
    scale=st.floats(0.05, 20.0),
)
def test_hazard_ratio_below_one_never_lowers_survival(
    ratio: float, waning: bool, family: str, shape: float, scale: float
) -> None:
    more = {"hr_from": 1.0, "hr_until": 4.0} if waning else {}
    parameters = {"shape": shape, "scale": scale}
    spec = study(
        [
            curve("a", "pfs", family, parameters),
            curve("a", "os", family, parameters),
            curve("b", "pfs", family, parameters, hazard_ratio=ratio, **more),
            curve("b", "os", family, parameters, hazard_ratio=ratio, **more),
        ],
        options=study_settings(cycle_length=0.25),
    )
    found = traces(spec, Draws({}))
    lower, higher = found["a"].endpoints["os"], found["b"].endpoints["os"]
    assert (higher >= lower * (1 - 1e-13)).all()


@pytest.mark.parametrize("sampler", ["random", "latin_hypercube", "sobol"])
def test_a_psa_row_rerun_alone_is_identical(sampler: str) -> None:
    """Rows of a sample, evaluated in it and by themselves, agree to the last bit."""
    names = {"scale": make("gamma", value=4.0, se=1.0), "shape": make("normal", value=1.2, se=0.1)}
    spec = study(
        [curve("a", e, "weibull", {"shape": "shape", "scale": "scale"}) for e in ("pfs", "os")],
        parameters=[fixed(n, d.mean, distribution=d) for n, d in names.items()],
    )
    draws = sample(spec, 128, seed=5, sampler=sampler)
    whole = evaluate(spec, draws)
    assert len(np.unique(whole.get("ly"))) == 128
    for row in (0, 63, 64, 127):
        alone = evaluate(spec, draws.rows(row, row + 1))
        np.testing.assert_array_equal(alone.values[0], whole.values[row])
