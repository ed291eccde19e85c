"""Maximum likelihood on 10,000 subjects: heor next to SciPy and lifelines, in one run.

``python benchmarks/fitting.py --lifelines PYTHON``, with an interpreter whose environment has
lifelines (`requirements-fitting.txt`); see README.md. All fit the same right-censored data, in
turn, on one thread; SciPy's location is fixed at 0. A ratio is the median over rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

from heor.engine.survival import CURVES  # noqa: E402
from heor.fitting.data import right_censored  # noqa: E402
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
LIFELINES = ("exponential", "weibull", "lognormal", "loglogistic", "gengamma")

#: Wall seconds, CPU seconds and log likelihood of one fit.
Timing = tuple[float, float, float]


def simulated(subjects: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and marks of a generalised gamma; about a fifth are censored."""
    rng = np.random.default_rng(1)
    when = CURVES["gengamma"].quantile(rng.random(subjects), [2.9, 0.75, 0.6])
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


def timed(function: Callable[[], float]) -> Timing:
    """Time one fit that gives its log likelihood."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    return time.perf_counter() - wall, time.process_time() - cpu, value


class Peer:
    """A process of another interpreter that fits what it is told."""

    def __init__(self, python: str, time_: np.ndarray, event: np.ndarray) -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "data.npz"
        np.savez(path, time=time_, event=event.astype(float))
        script = Path(__file__).with_name("peer_fits.py")
        words = [python, str(script), str(path)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.fit("exponential")  # imports and first calls are not counted

    def fit(self, name: str) -> Timing:
        """Fit a family there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(name, file=self._process.stdin, flush=True)
        wall, cpu, value = json.loads(self._process.stdout.readline())
        return wall, cpu, value


def families(subjects: int, rounds: int, python: str) -> None:
    """Print a row per family."""
    time_, event = simulated(subjects)
    ours = right_censored(time_, event)
    peer = Peer(python, time_, event) if python else None
    print(
        f"{subjects:,} subjects, {event.sum():,} events, median of {rounds} rounds in turn, "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    print(
        "| family | heor wall s | CPU s | SciPy wall s | CPU s | × heor | logLik heor − SciPy "
        "| lifelines wall s | CPU s | × heor | logLik heor − lifelines |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in SCIPY:
        runs: dict[str, list[Timing]] = {"heor": [], "scipy": [], "lifelines": []}
        for _ in range(rounds):
            runs["heor"].append(timed(lambda name=name: fit(name, ours).log_likelihood))
            runs["scipy"].append(timed(lambda name=name: by_scipy(name, time_, event)))
            if peer is not None and name in LIFELINES:
                runs["lifelines"].append(peer.fit(name))
        cells = [name, *(f"{_middle(runs['heor'], place):.3f}" for place in (0, 1))]
        for other in ("scipy", "lifelines"):
            cells += _beside(runs["heor"], runs[other])
        print(f"| {' | '.join(cells)} |", flush=True)


def _middle(runs: list[Timing], place: int) -> float:
    return statistics.median(run[place] for run in runs)


def _beside(mine: list[Timing], other: list[Timing]) -> list[str]:
    if not other:
        return ["–"] * 4
    ratio = statistics.median(b[1] / a[1] for a, b in zip(mine, other, strict=True))
    gap = mine[0][2] - other[0][2]
    return [*(f"{_middle(other, place):.3f}" for place in (0, 1)), f"{ratio:.1f}", f"{gap:.2g}"]


def bootstrap(subjects: int, refits: int) -> None:
    """Time refits to resampled subjects, which are weights on the same rows."""
    time_, event = simulated(subjects)
    data = right_censored(time_, event)
    print("\n| bootstrap | subjects | refits | wall s | CPU s | ms per refit (CPU) | sound |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in ("exponential", "weibull", "gengamma"):
        rng = np.random.default_rng(2)
        wall, cpu, sound = time.perf_counter(), time.process_time(), 0
        for _ in range(refits):
            weight = rng.multinomial(subjects, np.full(subjects, 1 / subjects)).astype(float)
            sound += fit(name, replace(data, weight=weight)).sound
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        each = 1e3 * cpu / refits
        print(
            f"| {name} | {subjects:,} | {refits:,} | {wall:.1f} | {cpu:.1f} | {each:.1f} "
            f"| {sound:,} |",
            flush=True,
        )


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--refits", type=int, default=1000)
    parser.add_argument("--lifelines", default="", metavar="PYTHON")
    chosen = parser.parse_args()
    families(chosen.subjects, chosen.rounds, chosen.lifelines)
    bootstrap(500, chosen.refits)


if __name__ == "__main__":
    main()
