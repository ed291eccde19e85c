"""Acceptability and value of information against BCEA and against closed forms."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from heor.analyses import cea, ceac

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def bcea():
    return json.loads((DATA / "psa_bcea.json").read_text())


@pytest.fixture(scope="module")
def draws():
    with np.load(DATA / "psa_bcea.npz") as arrays:
        return arrays["costs"], arrays["qalys"]


@pytest.fixture(scope="module")
def ours(bcea, draws):
    return ceac.acceptability(bcea["strategies"], *draws, bcea["thresholds"])


def test_means(bcea, draws):
    costs, qalys = draws
    np.testing.assert_allclose(costs.mean(axis=0), bcea["mean_cost"], rtol=1e-14)
    np.testing.assert_allclose(qalys.mean(axis=0), bcea["mean_qaly"], rtol=1e-14)


def test_simultaneous_ceac(bcea, ours):
    np.testing.assert_allclose(ours.ceac, bcea["ceac_simultaneous"], rtol=0, atol=1e-15)


def test_evpi(bcea, ours):
    np.testing.assert_allclose(ours.evpi, bcea["evpi"], rtol=1e-12, atol=1e-9)


def test_ceaf_is_the_ceac_of_the_highest_mean_nmb(bcea, ours):
    for i, k in enumerate(bcea["thresholds"]):
        mean = k * np.array(bcea["mean_qaly"]) - np.array(bcea["mean_cost"])
        assert ours.best[i] == mean.argmax()
        assert ours.ceaf[i] == pytest.approx(bcea["ceac_simultaneous"][i][mean.argmax()], abs=1e-15)


def test_pairwise_icers(bcea, draws):
    costs, qalys = (values.mean(axis=0) for values in draws)
    for place, expected in enumerate(bcea["icer_vs_standard"], start=1):
        row = cea.pairwise(
            bcea["strategies"][place],
            "standard",
            delta_cost=costs[place] - costs[0],
            delta_qaly=qalys[place] - qalys[0],
        )
        assert row.icer == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("mean", [-800.0, 0.0, 1500.0])
def test_evpi_of_a_normal_inmb(mean):
    """EVPI = σφ(μ/σ) + μΦ(μ/σ) − max(0, μ), within four Monte Carlo standard errors."""
    sd, n = 2000.0, 200_000
    inmb = np.random.default_rng(20240501).normal(mean, sd, n)
    costs = np.column_stack([np.zeros(n), -inmb])
    ratio = mean / sd
    density = math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    below = 0.5 * math.erfc(-ratio / math.sqrt(2))
    expected = sd * density + mean * below - max(0.0, mean)
    loss = np.maximum(inmb, 0) - (inmb if inmb.mean() > 0 else 0)
    error = 4 * loss.std() / math.sqrt(n)
    assert ceac.evpi(costs, np.zeros((n, 2)), [50_000])[0] == pytest.approx(expected, abs=error)
    assert error < 0.02 * sd
