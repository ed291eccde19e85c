"""Sums from a few times are those over all cycles, draw by draw, on every smooth family."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
from small_studies import cost, curve, expression, fixed, life_table, settings, study, utility

from heor.engine import compressed
from heor.engine.compressed import Nodes, nodes_for
from heor.engine.evaluate import evaluate
from heor.engine.timeline import Timeline
from heor.errors import ModelError
from heor.spec.parameters import Draws

evaluation = importlib.import_module("heor.engine.evaluate")

KEEP = ("cost", "qaly", "ly", "ly_undiscounted", "cost_undiscounted")
ROWS = 300

#: Parameters of each family as functions of three normal scores; times in years.
FAMILIES = {
    "exponential": {"rate": "exp(-0.5 + 0.5*za)"},
    "weibull": {"shape": "exp(0.1 + 0.25*za)", "scale": "exp(0.6 + 0.5*zb)"},
    "gompertz": {"shape": "0.05 + 0.1*za", "rate": "exp(-1 + 0.4*zb)"},
    "loglogistic": {"shape": "exp(0.4 + 0.25*za)", "scale": "exp(0.5 + 0.5*zb)"},
    "lognormal": {"meanlog": "0.5 + 0.5*za", "sdlog": "exp(0.1 + 0.25*zb)"},
    "gamma": {"shape": "exp(0.3 + 0.3*za)", "rate": "exp(-0.5 + 0.5*zb)"},
    "gengamma": {"mu": "0.5 + 0.4*za", "sigma": "exp(0.2*zb)", "Q": "0.4*zc"},
    "genf": {"mu": "0.5 + 0.4*za", "sigma": "exp(0.2*zb)", "Q": "0.4*zc", "P": "0.5"},
}


def draws(rows=ROWS, seed=3):
    numbers = np.random.default_rng(seed)
    return Draws({name: numbers.standard_normal(rows) for name in ("za", "zb", "zc")})


def pair(family, **changes):
    """Two strategies: a family for OS, PFS by a hazard ratio, so that nothing crosses."""
    parameters = FAMILIES[family]
    curves = [
        curve("a", "pfs", family, parameters, hazard_ratio=1.7),
        curve("a", "os", family, parameters),
        curve("b", "pfs", family, parameters, hazard_ratio=1.4, acceleration=1.2),
        curve("b", "os", family, parameters, hazard_ratio=0.8, acceleration=1.2),
    ]
    return study(
        curves,
        options=settings(**({"horizon": 20.0} | changes)),
        parameters=[fixed(name, 0.0) for name in ("za", "zb", "zc")],
        utilities=[
            utility("all", "progression_free", 0.8),
            utility("all", "progressed", 0.6, start=1.0, until=6.0),
        ],
        costs=[
            cost("a", "in_state", 900.0, state="progression_free", per="month", until=24.0),
            cost("b", "schedule", 500.0, state="progressed", every=3.0),
            cost("a", "entry", 4000.0, state="dead"),
            cost("b", "exit", 700.0, state="pfs"),
            cost("b", "start", 10_000.0),
        ],
    )


def every_boundary(monkeypatch, *arguments, **options):
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "nodes_for", lambda *_: None)
        return evaluate(*arguments, **options)


def watch_rest(monkeypatch):
    """Which draws of a single block go over all boundaries, by strategy."""
    rest = []
    unresolved = Nodes.unresolved

    def watch(self, trace, tracer):
        found = unresolved(self, trace, tracer)
        rest.append(found.copy())
        return found

    monkeypatch.setattr(Nodes, "unresolved", watch)
    return rest


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("correction", ["trapezoid", "start"])
def test_a_family_gives_the_sums_over_all_cycles(family, correction, monkeypatch):
    spec, table = pair(family, cycle_correction=correction), draws()
    assert nodes_for(spec, KEEP, ()) is not None
    rest = watch_rest(monkeypatch)
    few = evaluate(spec, table, keep=KEEP)
    whole = every_boundary(monkeypatch, spec, table, keep=KEEP)
    assert np.mean(rest[0] | rest[1]) < (0.4 if family == "gompertz" else 0.1)
    np.testing.assert_allclose(few.values, whole.values, rtol=1e-10, atol=0)


def test_mixtures_of_groups_and_the_cured_too(monkeypatch):
    spec = pair("weibull")
    curves = [
        replace(c, group=group, id=c.id + group, weight=expression(weight), cure_fraction=share)
        for c in spec.curves
        for group, weight, share in (
            ("good", "1/(1 + exp(-za))", expression(0.2)),
            ("poor", "1 - 1/(1 + exp(-za))", None),
        )
    ]
    spec = replace(spec, curves=tuple(curves))
    few = evaluate(spec, draws(), keep=KEEP)
    whole = every_boundary(monkeypatch, spec, draws(), keep=KEEP)
    np.testing.assert_allclose(few.values, whole.values, rtol=1e-10, atol=0)


def test_crossing_draws_go_over_all_boundaries(monkeypatch):
    spec = pair("weibull")
    other = curve("a", "pfs", "lognormal", FAMILIES["lognormal"])
    spec = replace(spec, curves=(other, *spec.curves[1:]))
    rest = watch_rest(monkeypatch)
    few = evaluate(spec, draws(), keep=KEEP)
    whole = every_boundary(monkeypatch, spec, draws(), keep=KEEP)
    rows = (whole.diagnostics["crossing_cycles"] > 0).any(axis=1)
    assert rows.any()
    assert (rest[0] | rest[1])[rows].all()
    np.testing.assert_allclose(few.values, whole.values, rtol=1e-10, atol=0)
    np.testing.assert_array_equal(few.values[rows], whole.values[rows])
    for name, value in whole.diagnostics.items():
        np.testing.assert_allclose(few.diagnostics[name], value, rtol=1e-10, atol=1e-15)


def test_a_draw_has_the_same_bits_alone_and_in_any_block():
    spec, table = pair("gengamma"), draws()
    whole = evaluate(spec, table, keep=KEEP)
    for options in ({"chunk": 7}, {"chunk": 64, "workers": 2}):
        np.testing.assert_array_equal(
            evaluate(spec, table, keep=KEEP, **options).values, whole.values
        )
    alone = evaluate(spec, table.rows(41, 42), keep=KEEP)
    np.testing.assert_array_equal(alone.values[0], whole.values[41])


def test_what_is_not_smooth_or_not_a_sum_is_left_alone():
    spec = pair("weibull")
    assert nodes_for(spec, None, ()) is None
    assert nodes_for(spec, ("cost", "evly"), ()) is None
    assert nodes_for(spec, KEEP, (5.0,)) is None
    assert nodes_for(pair("weibull", horizon=3.0), KEEP, ()) is None
    capped = replace(spec, settings=replace(spec.settings, utility_cap="population_norm"))
    assert nodes_for(capped, KEEP, ()) is None
    floored = replace(
        spec,
        settings=replace(spec.settings, background_mortality="floor"),
        life_table=life_table(),
    )
    assert nodes_for(floored, KEEP, ()) is None
    for name in ("delay", "hr_until", "early_mortality", "km_until"):
        first = replace(spec.curves[0], **{name: expression(0.5)})
        assert nodes_for(replace(spec, curves=(first, *spec.curves[1:])), KEEP, ()) is None
    spline = replace(spec.curves[0], family="spline")
    assert nodes_for(replace(spec, curves=(spline, *spec.curves[1:])), KEEP, ()) is None


def test_weights_carried_over_keep_their_sum_and_their_polynomials():
    """A polynomial in ln t of a degree below the nodes' is summed exactly."""
    spec = pair("weibull", horizon=30.0)
    nodes, every = Nodes(spec), Timeline(spec.settings)
    weights = np.random.default_rng(1).random(every.cycles + 1)
    carried = nodes.project(weights)
    assert carried.sum() == pytest.approx(weights.sum(), rel=1e-13)
    assert len(carried) == len(nodes.years) == nodes.cycles + 1
    assert (np.diff(nodes.years) > 0).all()
    for degree in (1, 5, compressed.NODES - 1):
        here, there = every.years[1:], nodes.years[1:]
        scale = np.log(here / every.horizon).min()
        value = lambda t, d=degree, s=scale: (np.log(t / every.horizon) / s) ** d  # noqa: E731
        found = np.dot(carried[1:], value(there))
        assert found == pytest.approx(np.dot(weights[1:], value(here)), rel=1e-11)


def test_a_valley_between_nodes_is_not_passed_over():
    high = np.array(
        [[4.0, 2.0, 0.9, 2.0, 4.0], [4.0, 3.0, 2.0, 1.0, 0.5], [1.0, 0.9, 0.8, 0.9, 1.0]]
    )
    assert compressed._may_cross(high).tolist() == [True, False, False]


def test_a_guard_names_the_draw_among_all():
    """A weight below 0 in draw 31 is refused by its number, whichever way it came."""
    spec = pair("weibull")
    bad = np.full(60, 1.0)
    bad[30] = -1.0
    spec = replace(
        spec,
        curves=tuple(
            replace(c, weight=expression("w")) if c.endpoint == "os" else c for c in spec.curves
        ),
        parameters={**spec.parameters, "w": fixed("w", 1.0)},
    )
    table = Draws({**draws(60).values, "w": bad})
    with pytest.raises(ModelError, match="draw 31: weight -1"):
        evaluate(spec, table, keep=KEEP)
