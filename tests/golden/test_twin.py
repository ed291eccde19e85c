"""The engine against the second engine in plain loops (tests/twin.py), on random studies."""

from __future__ import annotations

import numpy as np
import pytest
from small_studies import (
    WEEK,
    RandomStudy,
    cost,
    curve,
    life_table,
    settings,
    study,
    with_averages,
)
from twin import Model, twin

from heor.engine.evaluate import evaluate
from heor.engine.timeline import Timeline
from heor.errors import Place
from heor.spec.draws import base, sample
from heor.spec.parameters import Draws
from heor.spec.reader import apply_changes, read_study, shipped_studies
from heor.spec.records import (
    BACKGROUND_METHODS,
    CYCLE_CORRECTIONS,
    DISCOUNTING,
    FAMILIES,
    UTILITY_CAPS,
    WANING,
    Change,
    KaplanMeier,
    Spec,
)

#: Relative to the largest number of the same kind (years, QALYs, money) in the draw.
TOLERANCE = 2e-13
DRAWS = 3


def compare(spec: Spec, draws: Draws, qaly_years: tuple[float, ...] = ()) -> None:
    """Every outcome of every strategy and draw, and the crossing measure."""
    outcomes = evaluate(spec, draws, qaly_years=qaly_years)
    for i in range(len(draws)):
        row = {name: float(value[i]) for name, value in draws.values.items()}
        expected = twin(spec, row, qaly_years)
        model = Model(spec, row)
        for strategy, names in expected.items():
            assert set(names) == set(outcomes.names)
            scales = {
                kind: max(abs(x) for name, x in names.items() if name.startswith(kind))
                for kind in ("ly", "qaly", "evly", "cost")
            }
            for name, value in names.items():
                kind = next(k for k in scales if name.startswith(k))
                found = outcomes.of(strategy, name)[i]
                assert abs(found - value) <= TOLERANCE * scales[kind], (strategy, name, i)
            trace = model.trace(strategy)
            share = outcomes.diagnostics["crossing_share"][i, outcomes.strategies.index(strategy)]
            assert share == pytest.approx(trace.crossing_share, rel=1e-11, abs=1e-14)


@pytest.mark.parametrize("seed", range(150))
def test_random_study(seed: int) -> None:
    random = RandomStudy(seed, mixed=True)
    compare(random.spec, random.draws(DRAWS), (random.horizon * 0.37, 1.0, 100.0))


@pytest.mark.parametrize("seed", range(25))
def test_random_averages(seed: int) -> None:
    """Second candidates with drawn weights, also of curves that others wane to."""
    spec, draws = with_averages(seed, DRAWS)
    assert any(c.average for c in spec.curves)
    compare(spec, draws)


def test_generator_reaches_every_feature() -> None:
    """The comparison above is worth what the studies contain."""
    specs = [RandomStudy(seed, mixed=True).spec for seed in range(150)]
    curves = [c for spec in specs for c in spec.curves]
    assert {c.family for c in curves} == set(FAMILIES)
    for name in (
        "delay",
        "acceleration",
        "hazard_ratio",
        "hr_until",
        "cure_fraction",
        "early_mortality",
        "km_until",
        "pfs_death_share",
        "wane_from",
        "wane_until",
    ):
        assert sum(getattr(c, name) is not None for c in curves) >= 20, name
    assert {c.wane for c in curves} == {"", *WANING}
    choices = {
        name: {getattr(spec.settings, name) for spec in specs}
        for name in ("discounting", "cycle_correction", "background_mortality", "utility_cap")
    }
    assert choices["discounting"] == set(DISCOUNTING)
    assert choices["cycle_correction"] == set(CYCLE_CORRECTIONS)
    assert choices["background_mortality"] == set(BACKGROUND_METHODS)
    assert choices["utility_cap"] == set(UTILITY_CAPS)
    assert sum(c.hazard == "excess" for c in curves) >= 20
    assert sum(spec.settings.smr_of == "cohort" for spec in specs) >= 20
    assert sum(len(spec.cohort) > 1 for spec in specs) >= 20
    assert sum(spec.settings.start_year is not None for spec in specs) >= 20
    shares = [
        Model(spec, {p.id: p.value for p in spec.parameters.values()})
        .trace(spec.strategy_ids()[0])
        .crossing_share
        for spec in specs
    ]
    assert sum(share > 0.01 for share in shares) >= 20


def falling_to_zero(**changes: object) -> KaplanMeier:
    """A Kaplan-Meier OS of strategy ``a`` whose last step is to 0."""
    values = {"time": [0.0, 0.5, 1.0, 2.0], "survival": [1.0, 0.6, 0.2, 0.0], "time_unit": "year"}
    values.update(changes)
    time = np.array(values["time"])
    return KaplanMeier(
        strategy="a",
        endpoint="os",
        group="all",
        time=time,
        survival=np.array(values["survival"]),
        at_risk=time * np.nan,
        events=time * np.nan,
        time_unit=str(values["time_unit"]),
        source="assumption",
    )


PFS = curve("a", "pfs", "exponential", {"rate": 0.9})
OS = curve("a", "os", "exponential", {"rate": 0.3})


@pytest.mark.parametrize("background", ["none", "floor", "add"])
@pytest.mark.parametrize(
    "modifiers",
    [
        {},
        {"hazard_ratio": 0.5},
        {"hazard_ratio": 0.0},
        {"hazard_ratio": 0.5, "hr_from": 0.2, "hr_until": 1.5},
        {"hazard_ratio": 0.0, "hr_from": 0.2, "hr_until": 1.5},
        {"hazard_ratio": 0.5, "hr_from": 1.0, "hr_until": 1.0},
        {"cure_fraction": 0.2},
    ],
    ids=str,
)
def test_survival_that_reaches_zero(modifiers: dict[str, float], background: str) -> None:
    """The last survivor dies: logarithms and ratios of 0 must not spread."""
    spec = study(
        [PFS, curve("a", "os", "kaplan_meier", {}, **modifiers)],
        options=settings(background_mortality=background, start_age=60.0, male_share=0.5),
        life_table=life_table(),
        km=[falling_to_zero()],
    )
    compare(spec, base(spec))


def test_kaplan_meier_steps_on_boundaries() -> None:
    """Steps every week on a weekly grid: each boundary has the value from its step on."""
    weeks = np.arange(600.0)
    table = falling_to_zero(time=weeks, survival=np.exp(-0.01 * weeks), time_unit="week")
    spec = study([PFS, curve("a", "os", "kaplan_meier", {}, time_unit="year")], km=[table])
    compare(spec, base(spec))
    at_boundaries = evaluate(spec, base(spec)).of("a", "ly_undiscounted")[0]
    s = np.exp(-0.01 * np.arange(Timeline(spec.settings).cycles + 1))
    assert at_boundaries == pytest.approx(WEEK * (s.sum() - (s[0] + s[-1]) / 2), rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "every", "until", "moments"),
    [
        ("week", 3.0, 12.0, 4),
        ("week", 3.0, None, 348),
        ("week", 3.0, 1044.0, 348),
        ("month", 1.0, 12.0, 12),
        ("day", 36.525, 365.25, 10),
        ("year", 0.1, 1.0, 10),
    ],
)
def test_schedules_that_end_on_a_moment(
    unit: str, every: float, until: float | None, moments: int
) -> None:
    """``until`` and the horizon are not included, whatever rounding makes of them."""
    spec = study(
        [curve("a", "pfs", "exponential", {"rate": 0.0}), OS],
        options=settings(horizon=1044 * WEEK, discounting="annual", crossing="keep_higher"),
        costs=[
            cost("a", "schedule", 1.0, state="os", every=every, until=until, time_unit=unit),
        ],
    )
    compare(spec, base(spec))
    paid = evaluate(spec, base(spec)).of("a", "cost_undiscounted")[0]
    assert paid == pytest.approx(moments, rel=1e-12)


@pytest.mark.slow
def test_shipped_study() -> None:
    """The base case and three draws of the study that comes with the package."""
    spec = read_study(shipped_studies() / "lifileucel_nsclc")
    compare(spec, base(spec), (2.0, 5.0))
    compare(spec, sample(spec, 3, seed=11), (2.0, 5.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"background_mortality": "add", "discounting": "annual", "cycle_correction": "start"},
        {
            "discounting": "continuous",
            "cycle_correction": "end",
            "crossing": "keep_higher",
            "age_adjusted_utilities": "yes",
        },
    ],
    ids=["add, annual, start", "continuous, end, keep_higher, age-adjusted"],
)
@pytest.mark.slow
def test_shipped_study_under_other_settings(changes: dict[str, str]) -> None:
    spec = read_study(shipped_studies() / "lifileucel_nsclc")
    rows = [Change(target=key, value=value, place=Place("test")) for key, value in changes.items()]
    other = apply_changes(spec, rows)
    for key, value in changes.items():
        assert getattr(other.settings, key) == (True if value == "yes" else value)
    compare(other, base(other))
