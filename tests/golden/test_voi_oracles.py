"""EVPPI against GAM regressions of the R package voi, and against closed forms.

The 24 values (voi 1.0.3 with mgcv, on the data of ``psa_bcea``) come with standard errors; nine of
them are 0, where a share of the EVPI is the measure.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from heor.analyses import ceac, voi

DATA = Path(__file__).parent / "data"
NAMES = ("response", "hazard_ratio", "utility", "drug_cost", "state_cost", "tail_share")
THRESHOLDS = (30_000.0, 75_000.0, 150_000.0)


@pytest.fixture(scope="module")
def oracle():
    return json.loads((DATA / "psa_bcea.json").read_text())


@pytest.fixture(scope="module")
def draws():
    with np.load(DATA / "psa_bcea.npz") as arrays:
        return (
            dict(zip(NAMES, arrays["inputs"].T, strict=True)),
            arrays["costs"],
            arrays["qalys"],
        )


@pytest.fixture(scope="module")
def ours(oracle, draws):
    sets = list(dict.fromkeys(tuple(row["pars"]) for row in oracle["evppi_gam"]))
    return {one.parameters: one for one in voi.evppi(draws[0], sets, *draws[1:], THRESHOLDS)}


def test_every_set_of_the_gam_regressions(oracle, ours):
    evpi = dict(zip(oracle["thresholds"], oracle["evpi"], strict=True))
    assert len(oracle["evppi_gam"]) == 24
    for row in oracle["evppi_gam"]:
        one, at = ours[tuple(row["pars"])], THRESHOLDS.index(row["k"])
        allowed = max(2 * row["se"], 0.002 * evpi[row["k"]])
        assert abs(one.evppi[at] - row["evppi"]) <= allowed, row


def test_knowing_everything_is_worth_the_evpi(draws):
    inputs, costs, qalys = draws
    (one,) = voi.evppi(inputs, [NAMES], costs, qalys, THRESHOLDS[1:])
    evpi = ceac.evpi(costs, qalys, THRESHOLDS[1:])
    np.testing.assert_allclose(one.evppi, evpi, rtol=0.003)
    assert (one.evppi <= evpi).all()


def normal_value(mean: float, sd: float) -> float:
    """E max(0, X) - max(0, E X) of a normal X: σφ(μ/σ) + μΦ(μ/σ) - max(0, μ)."""
    ratio = mean / sd
    density = math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    return sd * density + mean * 0.5 * math.erfc(-ratio / math.sqrt(2)) - max(0.0, mean)


def linear_model(seed: int, n: int, mean: float):
    """Net benefit mean + 300 a + 200 b + 500 noise with normal a, b."""
    a, b, noise = np.random.default_rng(seed).standard_normal((3, n))
    qalys = np.column_stack([np.zeros(n), mean + 300 * a + 200 * b + 500 * noise])
    return {"a": a, "b": b}, np.zeros((n, 2)), qalys


@pytest.mark.parametrize("mean", [0.0, 200.0, -400.0])
def test_linear_normal_model(mean):
    inputs, costs, qalys = linear_model(11, 20_000, mean)
    sets = [("a",), ("b",), ("a", "b")]
    for one, sd in zip(
        voi.evppi(inputs, sets, costs, qalys, [1.0]), (300, 200, math.hypot(300, 200)), strict=True
    ):
        # the draws themselves vary: their mean over max(0, x) has an error of its own
        allowed = 4 * math.hypot(one.se[0], sd / math.sqrt(20_000))
        assert one.evppi[0] == pytest.approx(normal_value(mean, sd), abs=allowed)
        whole = 300**2 + 200**2 + 500**2
        assert one.explained[0] == pytest.approx(sd**2 / whole, abs=0.02)


def test_standard_error_covers_the_closed_form():
    """95% intervals of 200 repetitions cover the closed form as often as they say."""
    exact, hits = normal_value(100.0, 300.0), 0
    for seed in range(200):
        inputs, costs, qalys = linear_model(seed, 1_000, 100.0)
        (one,) = voi.evppi(inputs, [("a",)], costs, qalys, [1.0])
        spread = math.hypot(
            one.se[0], np.maximum(100 + 300 * inputs["a"], 0).std() / math.sqrt(1_000)
        )
        hits += abs(one.evppi[0] - exact) <= 1.96 * spread
    assert 182 <= hits <= 200  # 95% less three binomial standard errors


def test_an_interaction_is_seen():
    """NB = x1·x2: either input alone is worth nothing, both together E max(0, x1·x2) = 1/π."""
    x1, x2 = np.random.default_rng(3).standard_normal((2, 8_000))
    qalys = np.column_stack([np.zeros(8_000), x1 * x2])
    sets = [("x1",), ("x2",), ("x1", "x2")]
    first, second, both = voi.evppi({"x1": x1, "x2": x2}, sets, np.zeros((8_000, 2)), qalys, [1.0])
    assert first.evppi[0] < 0.02
    assert second.evppi[0] < 0.02
    known = float(np.maximum(x1 * x2, 0).mean() - max(0.0, (x1 * x2).mean()))
    assert both.evppi[0] == pytest.approx(known, rel=0.002)
    assert known == pytest.approx(1 / math.pi, rel=0.05)


def test_a_missed_pattern_is_pointed_out():
    """Three inputs that act only together escape a regression on one, and residuals of two show."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((4_000, 2))
    residual = x[:, 0] * x[:, 1] + rng.standard_normal(4_000)
    assert voi.smoothing.lack_of_fit(x, residual) < 1e-6
    assert voi.smoothing.lack_of_fit(x, rng.standard_normal(4_000)) > 0.01
