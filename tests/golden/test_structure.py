"""State-transition models (methods 9): closed forms, identities and the second engine."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import linalg
from small_studies import RandomStudy, curve, life_table, settings, study
from twin import twin

from heor.engine.curves import CurveBlock, CurveKeys, Workspace
from heor.engine.evaluate import evaluate, traces
from heor.engine.structure import arriving, implied_hazard, restructure
from heor.engine.timeline import Timeline
from heor.spec.draws import base, sample
from heor.spec.parameters import Draws
from heor.spec.reader import read_study, shipped_studies
from heor.spec.records import FORWARD, PARTITIONED, RESET, STRUCTURES, Spec

#: Yearly hazards of progression, of death before and of death after it.
PROGRESSION, BEFORE, AFTER = 0.8, 0.2, 0.5
LEAVING = PROGRESSION + BEFORE


def under(spec: Spec, structure: str, **options: object) -> Spec:
    """The study with another structure."""
    changed = dataclasses.replace(spec.settings, structure=structure, **options)
    return dataclasses.replace(spec, settings=changed)


def constant(cycle: float, structure: str = PARTITIONED, pps: str = "exponential") -> Spec:
    """Constant hazards of all three moves."""
    parameters = {"exponential": {"rate": AFTER}, "weibull": {"shape": 1.0, "scale": 1 / AFTER}}
    curves = [
        curve("a", "pfs", "exponential", {"rate": LEAVING}),
        curve(
            "a",
            "os",
            "post_progression",
            {},
            pps_family=pps,
            pps_parameters=parameters[pps],
            pfs_death_share=BEFORE / LEAVING,
        ),
    ]
    return study(
        curves,
        options=settings(cycle_length=cycle, horizon=40.0, structure=structure),
    )


def progressed(spec: Spec) -> np.ndarray:
    return traces(spec, base(spec))["a"].occupancy["progressed"][0]


# --- closed forms ----------------------------------------------------------------------------


@pytest.mark.parametrize("structure", [FORWARD, RESET])
@pytest.mark.parametrize("pps", ["exponential", "weibull"])
def test_occupancy_tends_to_the_matrix_exponential(structure: str, pps: str) -> None:
    """Three states with constant hazards; the error falls with the square of the cycle."""
    rates = np.array([[-LEAVING, PROGRESSION, BEFORE], [0, -AFTER, AFTER], [0, 0, 0]])
    exact = linalg.expm(rates * 2.0)[0]
    closed = PROGRESSION / (AFTER - LEAVING) * (math.exp(-2 * LEAVING) - math.exp(-2 * AFTER))
    assert exact[1] == pytest.approx(closed, rel=1e-13)
    found = []
    for n in (16, 32, 64):
        spec = constant(1 / n, structure, pps)
        occupancy = traces(spec, base(spec))["a"].occupancy
        assert occupancy["progression_free"][0, 2 * n] == pytest.approx(exact[0], rel=1e-13)
        found.append(occupancy["progressed"][0, 2 * n])
    errors = [x - exact[1] for x in found]
    assert errors[0] / errors[1] == pytest.approx(4, rel=5e-3)
    assert errors[1] / errors[2] == pytest.approx(4, rel=5e-3)
    assert (4 * found[2] - found[1]) / 3 == pytest.approx(exact[1], rel=3e-7)


@pytest.mark.parametrize("structure", [FORWARD, RESET])
def test_discounted_life_years_tend_to_the_closed_form(structure: str) -> None:
    """∫ e^-ρt PD dt = progression/((leaving + ρ)(after + ρ)) for a life-long horizon."""
    rho = math.log(1.03)
    exact = PROGRESSION / ((LEAVING + rho) * (AFTER + rho))

    def years(cycle: float) -> float:
        spec = constant(cycle, structure)
        return float(evaluate(spec, base(spec)).of("a", "ly:progressed")[0])

    coarse, middle, fine = (years(1 / n) for n in (16, 32, 64))
    assert (coarse - exact) / (middle - exact) == pytest.approx(4, rel=2e-3)
    first, second = (4 * middle - coarse) / 3, (4 * fine - middle) / 3
    assert (16 * second - first) / 15 == pytest.approx(exact, rel=2e-9)


@pytest.mark.parametrize("cycle", [1 / 52, 1 / 12, 0.25])
def test_implied_hazard_of_a_constant_one_is_that_hazard(cycle: float) -> None:
    """To rounding: until 1e-5 of the group are progressed, eps/1e-5 relative."""
    spec = constant(cycle, FORWARD)
    flow = traces(spec, base(spec))["a"].flows["all"]
    many = flow.partitioned[0, 1:] > 1e-5
    assert many.sum() * cycle > 15
    np.testing.assert_allclose(flow.implied[0, many] / cycle, AFTER, rtol=2e-10)


@pytest.mark.parametrize(
    ("start", "arrivals", "hazard"),
    [
        (0.3, 0.01, 0.02),
        (0.0, 0.2, 0.5),
        (0.4, 0.0, 3.0),
        (0.1, 0.1, -0.2),
        (1e-9, 0.3, 400.0),
        (0.002, 0.0, -5.9),
        (0.002, 4e-6, -4.9),
    ],
)
def test_implied_hazard_solves_its_equation(start: float, arrivals: float, hazard: float) -> None:
    x = np.array([[hazard]])
    end = start * np.exp(-x) + arrivals * arriving(x)
    found = implied_hazard(np.array([[start]]), end, np.array([[arrivals]]))
    assert found[0, 0] == pytest.approx(hazard, rel=1e-13)


def test_implied_hazard_at_its_ends() -> None:
    start = np.array([[0.2, 0.0, 0.0]])
    end = np.array([[0.0, 0.0, 0.1]])
    with np.errstate(all="ignore"):
        found = implied_hazard(start, end, np.zeros((1, 3)))
    assert found.tolist() == [[math.inf, -math.inf, -math.inf]]


# --- identities ------------------------------------------------------------------------------


@pytest.mark.parametrize("pps", ["exponential", "weibull"])
def test_reset_with_the_rows_own_survival_is_post_progression(pps: str) -> None:
    """An OS made by convolution is a clock-reset model already; early deaths included."""
    spec = constant(1 / 12, pps=pps)
    changes = {"early_mortality": 0.1, "early_period": 0.2}
    early = curve("a", "pfs", "exponential", {"rate": LEAVING}, **changes)
    os = dataclasses.replace(
        spec.curves[1], early_mortality=early.early_mortality, early_period=early.early_period
    )
    for curves in (spec.curves, (early, os)):
        before = dataclasses.replace(spec, curves=curves)
        np.testing.assert_allclose(
            progressed(under(before, RESET)), progressed(before), rtol=0, atol=3e-16 * 20
        )


def test_reset_is_forward_where_survival_after_progression_is_exponential() -> None:
    """Also when the rate is not given but derived, whatever the follow-up."""
    spec = constant(1 / 12)
    draws = base(spec)
    timeline = Timeline(spec.settings)
    curves = CurveBlock(timeline, draws, {}, Workspace(), CurveKeys())
    trace = traces(spec, draws)["a"]
    slots = {(c.endpoint, c.group): c for c in spec.curves}
    slots["os", "all"] = dataclasses.replace(slots["os", "all"], pps_family="", pps_parameters={})
    pair = trace.endpoints["pfs"], trace.endpoints["os"]
    for years in (None, 1.0, 0.01):
        options = under(spec, RESET, pps_follow_up=years).settings
        pfs, os, flow = restructure(options, slots, "all", pair, None, curves)
        assert flow.rate == pytest.approx(AFTER, rel=1e-12)
        np.testing.assert_allclose(os, pair[1], rtol=0, atol=1e-13)
        assert np.array_equal(pfs, pair[0])


def test_forward_is_partitioned_survival_where_that_is_consistent() -> None:
    """The shipped study without background mortality: every outcome, in every draw."""
    shipped = read_study(shipped_studies() / "lifileucel_nsclc")
    options = dataclasses.replace(shipped.settings, background_mortality="none")
    spec = dataclasses.replace(shipped, settings=options)
    draws = sample(spec, 4)
    before, after = (evaluate(under(spec, s), draws) for s in (PARTITIONED, FORWARD))
    scale = np.abs(before.values).max(axis=(0, 1))
    assert (np.abs(after.values - before.values) <= 1e-12 * scale).all()


def test_derived_reset_keeps_the_mean_time_after_progression() -> None:
    """With everybody dead within the horizon, the undiscounted years are those of the curves."""
    curves = [
        curve("a", "pfs", "weibull", {"shape": 1.3, "scale": 0.6}),
        curve("a", "os", "weibull", {"shape": 1.6, "scale": 1.8}),
    ]
    spec = study(curves, options=settings(cycle_length=1 / 52, horizon=60.0))
    years = [evaluate(under(spec, s), base(spec)).of("a", "ly_undiscounted") for s in STRUCTURES]
    assert years[1] == pytest.approx(years[0], rel=1e-12)
    assert years[2] == pytest.approx(years[0], rel=2e-5)
    assert years[2] != pytest.approx(years[0], rel=1e-8)


# --- background mortality --------------------------------------------------------------------


@pytest.mark.parametrize("structure", [FORWARD, RESET])
@pytest.mark.parametrize("pps", ["", "weibull"])
def test_no_hazard_falls_below_the_populations(structure: str, pps: str) -> None:
    """Those progressed and those progression free die at least as the population does."""
    more = {"pps_family": pps, "pps_parameters": {"shape": 0.4, "scale": 30.0}} if pps else {}
    curves = [
        curve("a", "pfs", "lognormal", {"meanlog": 0.0, "sdlog": 2.5}),
        curve("a", "os", "lognormal", {"meanlog": 1.0, "sdlog": 2.5}, **more),
    ]
    options = settings(
        background_mortality="floor", start_age=70.0, male_share=0.5, horizon=30.0, cycle_length=0.1
    )
    spec = under(study(curves, options=options, life_table=life_table()), structure)
    trace = traces(spec, base(spec))["a"]
    flow = trace.flows["all"]
    pfs, os, population = trace.endpoints["pfs"], trace.endpoints["os"], trace.background
    assert population is not None
    alive = population[:, 1:] / population[:, :-1]
    assert (pfs[:, 1:] <= pfs[:, :-1] * alive * (1 + 1e-13)).all()
    assert (os[:, 1:] <= os[:, :-1] * alive * (1 + 1e-6)).all()
    assert (flow.stay <= alive * (1 + 1e-13)).all()
    assert (flow.stay >= alive * (1 - 1e-13)).any()
    free = evaluate(under(spec, structure, background_mortality="none"), base(spec))
    assert evaluate(spec, base(spec)).of("a", "ly") < free.of("a", "ly")


def test_curves_that_contradict_each_other_are_seen() -> None:
    """OS flat while people progress and most PFS events are deaths: the hazard implied is < 0."""
    curves = [
        curve("a", "pfs", "exponential", {"rate": 1.0}),
        curve("a", "os", "exponential", {"rate": 0.05}, pfs_death_share=0.5),
    ]
    spec = study(curves, options=settings(horizon=2.0))
    trace = traces(under(spec, FORWARD), base(spec))["a"]
    flow = trace.flows["all"]
    assert (flow.implied < 0).sum() > 20
    before = traces(spec, base(spec))["a"].endpoints["os"]
    assert (trace.endpoints["os"][0, 5:] < before[0, 5:]).all()
    np.testing.assert_array_equal(flow.stay[flow.implied < 0], 1.0)


# --- the second engine, and bits -------------------------------------------------------------


def _same_groups(spec: Spec) -> bool:
    of = {
        (s, e): {c.group for c in spec.curves_in_use(s) if c.endpoint == e}
        for s in spec.strategy_ids()
        for e in ("pfs", "os")
    }
    return all(of[s, "pfs"] == of[s, "os"] for s in spec.strategy_ids())


SEEDS = [seed for seed in range(150) if _same_groups(RandomStudy(seed).spec)]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_study_against_plain_loops(seed: int) -> None:
    """Relative to the largest number of its kind, 3e-15 when this was written."""
    random = RandomStudy(seed)
    draws = random.draws(1)
    row = {name: float(value[0]) for name, value in draws.values.items()}
    horizon = 0.4 * random.horizon if seed % 2 else None
    for structure in (FORWARD, RESET):
        spec = under(random.spec, structure, pps_follow_up=horizon)
        outcomes = evaluate(spec, draws)
        for strategy, names in twin(spec, row).items():
            for name, value in names.items():
                kind = name.split(":")[0].split("_")[0]
                scale = max(abs(x) for other, x in names.items() if other.startswith(kind))
                assert abs(outcomes.of(strategy, name)[0] - value) <= 1e-13 * scale, name


@pytest.mark.parametrize("structure", [FORWARD, RESET])
def test_a_draw_has_the_same_bits_alone_and_in_any_block(structure: str) -> None:
    shipped = read_study(shipped_studies() / "lifileucel_nsclc")
    spec = under(shipped, structure, pps_follow_up=2.0)
    draws: Draws = sample(spec, 7)
    together = evaluate(spec, draws).values
    for chunk, workers in ((1, 1), (3, 2)):
        assert np.array_equal(evaluate(spec, draws, chunk=chunk, workers=workers).values, together)
    for i in (0, 6):
        assert np.array_equal(evaluate(spec, draws.rows(i, i + 1)).values[0], together[i])
