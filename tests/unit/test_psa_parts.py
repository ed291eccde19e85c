"""Draws made in parts: the same bits, wherever and in whatever order."""

import re
from dataclasses import replace

import numpy as np
import pytest
from helpers_spec import uncertain
from linear_study import linear_study
from small_studies import expression

from heor.analyses import psa, psa_parts, scenarios
from heor.errors import HeorError, ModelError
from heor.spec import draws
from heor.spec.distributions import make_empirical
from heor.spec.reader import read_study, shipped_studies


@pytest.fixture(scope="module")
def shipped():
    return read_study(shipped_studies() / "lifileucel_nsclc")


def backwards(function, spec, items):
    """A mapper that hands back the last item first."""
    for place in reversed(range(len(items))):
        yield place, function(spec, items[place])


def equal(first, second):
    assert first.names == second.names
    np.testing.assert_array_equal(first.values, second.values)
    for name, value in first.diagnostics.items():
        np.testing.assert_array_equal(value, second.diagnostics[name])


def test_skipped_draws_are_those_of_the_whole_sample(shipped):
    whole = draws.sample(shipped, 60)
    part = draws.sample(shipped, 13, skip=41)
    for name, values in whole.values.items():
        np.testing.assert_array_equal(part.values[name], values[41:54])


def test_only_independent_draws_can_be_skipped(shipped):
    with pytest.raises(HeorError, match="sampler random only, not with sobol"):
        draws.sample(shipped, 8, sampler="sobol", skip=4)
    with pytest.raises(HeorError, match="skip must be 0 or more"):
        draws.sample(shipped, 8, skip=-1)


def test_rows_of_the_table_of_draws_are_skipped_too():
    rows = np.arange(40.0)
    spec = linear_study()
    spec = replace(
        spec,
        parameters={**spec.parameters, "boot": uncertain("boot", make_empirical(rows), 19.5)},
        empirical={"boot": rows},
    )
    np.testing.assert_array_equal(draws.sample(spec, 5, skip=30).values["boot"], rows[30:35])


@pytest.mark.parametrize("sampler", ["random", "latin_hypercube", "sobol"])
def test_parts_in_any_order_give_the_bits_of_the_whole(shipped, sampler, monkeypatch):
    monkeypatch.setattr(psa, "SENT", 17)
    whole = psa.run(shipped, 60, sampler=sampler)
    parts = psa.run(shipped, 60, sampler=sampler, mapper=backwards)
    equal(whole.outcomes, parts.outcomes)
    np.testing.assert_array_equal(whole.replicate, parts.replicate)


@pytest.mark.parametrize("sampler", ["random", "latin_hypercube"])
def test_totals_of_many_draws_are_those_of_few(shipped, sampler, monkeypatch):
    whole = psa.run(shipped, 60, sampler=sampler)
    monkeypatch.setattr(psa, "KEEP_ALL", 50)
    monkeypatch.setattr(psa, "PART", 25)
    seen = []
    many = psa.run(
        shipped,
        60,
        sampler=sampler,
        streamed=True,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert many.outcomes.names == psa_parts.TOTALS
    for name in psa_parts.TOTALS:
        np.testing.assert_array_equal(many.outcomes.get(name), whole.outcomes.get(name))
    first = len(many.draws)
    assert first == (25 if sampler == "random" else 6)
    for name, values in many.draws.values.items():
        np.testing.assert_array_equal(values, whole.draws.values[name][:first])
    assert seen[0] == (0, 60)
    assert seen[-1] == (60, 60)
    summary, complete = psa.summarise(shipped, many), psa.summarise(shipped, whole)
    assert summary.increments == complete.increments
    assert summary.n == 60


def test_more_draws_than_are_kept_need_to_be_asked_for(shipped, monkeypatch):
    monkeypatch.setattr(psa, "KEEP_ALL", 50)
    with pytest.raises(HeorError, match=re.escape("60 draws are more than the 50 whose inputs")):
        psa.run(shipped, 60)


def test_a_part_left_out_is_not_passed_over(shipped):
    def lazy(function, spec, items):
        yield 0, function(spec, items[0])

    parts = psa_parts.cut([20], 1, "random", 10, None)
    with pytest.raises(RuntimeError, match=re.escape("parts [1] of the analysis were never done")):
        psa_parts.do(shipped, parts, lazy)


def test_until_a_standard_error_stays_here(shipped):
    with pytest.raises(HeorError, match="on this machine only"):
        psa.run(shipped, 60, until_mcse=1e9, mapper=backwards)


def test_a_guard_names_the_draw_of_the_whole_analysis():
    """Draw 31 of 40 breaks a guard; it is draw 11 of its part."""
    rows = np.full(40, 1.0)
    rows[30] = -1.0
    spec = linear_study()
    curves = tuple(
        replace(c, weight=expression("boot")) if c.endpoint == "os" else c for c in spec.curves
    )
    spec = replace(
        spec,
        curves=curves,
        parameters={**spec.parameters, "boot": uncertain("boot", make_empirical(rows), 0.95)},
        empirical={"boot": rows},
    )
    part = psa_parts.cut([40], 1, "random", 20, None)[1]
    with pytest.raises(ModelError, match="draw 31"):
        psa_parts.run(spec, part)


def test_scenarios_elsewhere_are_the_same(shipped):
    names = [scenario.name for scenario in shipped.scenarios[:3]]
    for here, there in zip(
        scenarios.run(shipped, names), scenarios.run(shipped, names, mapper=backwards), strict=True
    ):
        assert (here.name, here.effects) == (there.name, there.effects)
