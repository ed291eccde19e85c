"""Value of information against closed forms: error and coverage over many repetitions.

``python benchmarks/voi.py --repeats 200``. Net benefit is 100 + 300 a + 400 b with a and b standard
normal, or 1,000 p − 256 + 100 b with p beta (10, 29). Coverage is that of the closed form by value
± 1.96 standard errors; the standard error holds the regression and the draws.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
from scipy import stats

from heor.analyses import designs, evsi, voi


def main() -> None:
    """Repeat and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--draws", type=int, default=2_000)
    chosen = parser.parse_args()
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(chosen.repeats):
        for name, found in {**normal(seed, chosen.draws), **beta(seed, chosen.draws)}.items():
            rows.setdefault(name, []).append(found)
    print(f"{chosen.repeats} repetitions of {chosen.draws:,} draws\n")
    print("| value | exact | mean | SD | mean SE | coverage |\n|---|---|---|---|---|---|")
    for name, found in rows.items():
        value, error, exact = np.array(found).T
        hit = (np.abs(value - exact) <= 1.96 * error).mean()
        print(
            f"| {name} | {exact[0]:.2f} | {value.mean():.2f} | {value.std(ddof=1):.2f} | "
            f"{error.mean():.2f} | {hit:.1%} |"
        )


def worth_of_normal(mean: float, sd: float) -> float:
    """E max(0, X) − max(0, E X) of a normal X."""
    ratio = mean / sd
    gain = sd * stats.norm.pdf(ratio) + mean * stats.norm.cdf(ratio)
    return float(gain - max(0.0, mean))


def worth_of_binomial(patients: int) -> float:
    """EVSI of binomial observations of p."""
    x = np.arange(patients + 1)
    after = 1_000 * (10 + x) / (39 + patients) - 256
    chance = stats.betabinom.pmf(x, patients, 10, 29)
    return float(chance @ np.maximum(after, 0) - max(0.0, 10_000 / 39 - 256))


Found = dict[str, tuple[float, float, float]]


def normal(seed: int, draws: int) -> Found:
    """EVPI, EVPPI and EVSI of the linear normal model."""
    a, b = np.random.default_rng(seed).standard_normal((2, draws))
    gain = 100 + 300 * a + 400 * b
    prior = _prior(gain)
    shown = designs.Chances(designs.Part(kind="normal", target="a", sd=3.0), mean=a)
    whole = worth_of_normal(100, 500)
    error = voi.draws_error(gain[None, None])
    return {
        "EVPI, normal": (float(prior.evpi[0]), float(error[0]), whole),
        "EVPPI of a, normal": (*_regression(prior, a[:, None]), worth_of_normal(100, 300)),
        "EVPPI of b, normal": (*_regression(prior, b[:, None]), worth_of_normal(100, 400)),
        **_studies(
            prior,
            shown,
            seed,
            "EVSI of a, normal",
            lambda n: worth_of_normal(100, 300 * math.sqrt(n / (n + 9))),
        ),
    }


def beta(seed: int, draws: int) -> Found:
    """EVPPI and EVSI of the beta-binomial model."""
    rng = np.random.default_rng(10_000 + seed)
    p, b = rng.beta(10, 29, draws), rng.standard_normal(draws)
    prior = _prior(1_000 * p - 256 + 100 * b)
    share = np.stack([p, 1 - p], axis=1)[:, None, :]
    shown = designs.Chances(designs.Part(kind="binomial", target="p"), share=share)
    grid = stats.beta.ppf((np.arange(200_000) + 0.5) / 200_000, 10, 29)
    exact = float(np.maximum(1_000 * grid - 256, 0).mean() - max(0.0, 10_000 / 39 - 256))
    return {
        "EVPPI of p, beta": (*_regression(prior, p[:, None]), exact),
        **_studies(prior, shown, seed, "EVSI of p, binomial", worth_of_binomial),
    }


def _prior(gain: np.ndarray) -> evsi.Prior:
    qalys = np.column_stack([np.zeros(len(gain)), gain])
    return evsi.Prior(np.zeros_like(qalys), qalys, np.array([1.0]))


def _regression(prior: evsi.Prior, x: np.ndarray) -> tuple[float, float]:
    found = voi.worth_of(x, prior.costs, prior.qalys, prior.thresholds, 1.0, prior.evpi)
    return float(found.value[0]), math.hypot(found.se[0], found.draws_se[0])


def _studies(
    prior: evsi.Prior,
    shown: designs.Chances,
    seed: int,
    name: str,
    exact: Callable[[int], float],
) -> Found:
    rows: Found = {}
    rng = np.random.default_rng(20_000 + seed)
    for n in (10, 100):
        data = [designs.simulate(shown, n, rng)]
        one = evsi.by_regression(prior, [shown], data)
        error = math.hypot(one.se[0], one.draws_se[0])
        rows[f"{name}, n = {n}"] = (float(one.value[0]), error, exact(n))
        value, spread, _ = evsi.by_weights(prior, [shown], n, data, most=200)
        rows[f"{name}, n = {n}, by weights"] = (
            float(value[0]),
            math.hypot(spread[0], one.draws_se[0]),
            exact(n),
        )
    return rows


if __name__ == "__main__":
    main()
