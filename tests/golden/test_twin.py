"""The engine against the second engine in plain loops (tests/twin.py), on random studies."""

from __future__ import annotations

import pytest
from small_studies import RandomStudy
from twin import Model, twin

from heor.engine.evaluate import evaluate
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
    Change,
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
    random = RandomStudy(seed)
    compare(random.spec, random.draws(DRAWS), (random.horizon * 0.37, 1.0, 100.0))


def test_generator_reaches_every_feature() -> None:
    """The comparison above is worth what the studies contain."""
    specs = [RandomStudy(seed).spec for seed in range(150)]
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
    ):
        assert sum(getattr(c, name) is not None for c in curves) >= 20, name
    choices = {
        name: {getattr(spec.settings, name) for spec in specs}
        for name in ("discounting", "cycle_correction", "background_mortality", "utility_cap")
    }
    assert choices["discounting"] == set(DISCOUNTING)
    assert choices["cycle_correction"] == set(CYCLE_CORRECTIONS)
    assert choices["background_mortality"] == set(BACKGROUND_METHODS)
    assert choices["utility_cap"] == set(UTILITY_CAPS)
    shares = [
        Model(spec, {p.id: p.value for p in spec.parameters.values()})
        .trace(spec.strategy_ids()[0])
        .crossing_share
        for spec in specs
    ]
    assert sum(share > 0.01 for share in shares) >= 20


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
