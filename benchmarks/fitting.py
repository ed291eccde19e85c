"""Maximum likelihood on 10,000 subjects: heor next to SciPy's fits of censored data, in one run.

``python benchmarks/fitting.py``; see README.md. Both fit the same right-censored Weibull data, in
turn, on one thread; SciPy's location is fixed at 0. A ratio is the median over rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

from heor.fitting.data import SurvivalData, right_censored  # noqa: E402
from heor.fitting.fit import fit  # noqa: E402

SCIPY = {
    "exponential": stats.expon,
    "weibull": stats.weibull_min,
    "gompertz": stats.gompertz,
    "gamma": stats.gamma,
    "lognormal": stats.lognorm,
    "loglogistic": stats.fisk,
    "gengamma": stats.gengamma,
}


def simulated(subjects: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and marks; about a fifth are censored."""
    rng = np.random.default_rng(1)
    when = 20 * rng.weibull(1.3, subjects)
    censor = rng.uniform(5, 60, subjects)
    return np.minimum(when, censor), when <= censor


def by_scipy(name: str, time_: np.ndarray, event: np.ndarray) -> float:
    """Fit and give the log likelihood."""
    data = stats.CensoredData.right_censored(time_, ~event)
    family = SCIPY[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = family.fit(data, floc=0)
    fitted = family(*values)
    return float(fitted.logpdf(time_[event]).sum() + fitted.logsf(time_[~event]).sum())


def seconds(function) -> tuple[float, float]:
    """CPU seconds and the result."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def families(subjects: int, rounds: int) -> None:
    """Print a row per family."""
    time_, event = simulated(subjects)
    ours = right_censored(time_, event)
    print("| family | heor CPU s | SciPy CPU s | SciPy / heor | logLik heor − SciPy |")
    print("|---|---:|---:|---:|---:|")
    for name in SCIPY:
        pairs = []
        for _ in range(rounds):
            mine, found = seconds(lambda name=name: fit(name, ours).log_likelihood)
            other, value = seconds(lambda name=name: by_scipy(name, time_, event))
            pairs.append((mine, other))
        ratio = statistics.median(b / a for a, b in pairs)
        mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(
            f"| {name} | {mine:.3f} | {other:.3f} | {ratio:.1f} | {found - value:.2g} |", flush=True
        )


def bootstrap(subjects: int, refits: int) -> None:
    """Time refits to resampled subjects, which are weights on the same rows."""
    time_, event = simulated(subjects)
    data = right_censored(time_, event)
    rng = np.random.default_rng(2)
    for name in ("weibull", "gengamma"):
        start = time.process_time()
        for _ in range(refits):
            weight = rng.multinomial(subjects, np.full(subjects, 1 / subjects)).astype(float)
            kept = weight > 0
            fit(name, _resampled(data, weight, kept))
        took = time.process_time() - start
        print(f"{refits:,} bootstrap refits of {name}, {subjects} subjects: {took:.1f} CPU s")


def _resampled(data: SurvivalData, weight: np.ndarray, kept: np.ndarray) -> SurvivalData:
    return SurvivalData(
        lower=data.lower[kept],
        upper=data.upper[kept],
        entry=data.entry[kept],
        weight=weight[kept],
        group=data.group[kept],
        groups=data.groups,
        expected=data.expected[kept],
    )


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--refits", type=int, default=1000)
    chosen = parser.parse_args()
    families(chosen.subjects, chosen.rounds)
    bootstrap(500, chosen.refits)


if __name__ == "__main__":
    main()
