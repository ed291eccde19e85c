"""The floor: what bare blocked NumPy needs for the reference task, without guards or labels.

Reference task (PSA-10k): two strategies, three states, 1,044 weekly cycles; strategy A has
log-logistic PFS and log-normal OS, strategy B Weibull PFS and OS; costs and utilities are sampled;
discounted costs and QALYs at one rate, trapezoid. Run alone, it prints nanoseconds per value.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr

WEEKS_PER_YEAR = 365.25 / 7
CYCLES = 1044
RATE = 0.03
BLOCK = 64

Sample = Mapping[str, Any]


def sample(n: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Parameter values of the reference task, each ``(n,)``; survival times in months."""
    rng = np.random.default_rng(seed)

    def lognormal(median: float, sd: float) -> np.ndarray:
        return median * np.exp(sd * rng.standard_normal(n))

    return {
        "a_pfs_shape": lognormal(1.4, 0.05),
        "a_pfs_scale": lognormal(9.0, 0.08),
        "a_os_meanlog": 3.3 + 0.08 * rng.standard_normal(n),
        "a_os_sdlog": lognormal(1.1, 0.05),
        "b_pfs_shape": lognormal(1.1, 0.05),
        "b_pfs_scale": lognormal(5.0, 0.08),
        "b_os_shape": lognormal(1.05, 0.05),
        "b_os_scale": lognormal(15.0, 0.08),
        "u_pf": rng.beta(70, 30, n),
        "u_pd": rng.beta(55, 45, n),
        "c_pf": rng.gamma(100, 12, n),
        "c_pd": rng.gamma(100, 20, n),
        "c_a": rng.gamma(100, 900, n),
        "c_b": rng.gamma(100, 50, n),
    }


def weights() -> np.ndarray:
    """Trapezoid x mid-cycle discount factor over boundaries, in years ``(CYCLES + 1,)``."""
    delta = 1 / WEEKS_PER_YEAR
    factor = (1 + RATE) ** -(delta * (np.arange(CYCLES) + 0.5))
    out = np.zeros(CYCLES + 1)
    out[:-1] += factor * delta / 2
    out[1:] += factor * delta / 2
    return out


class Clock:
    """Adds up the time of each stage when asked to; costs nothing worth counting otherwise."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Book the time since the last lap on a stage."""
        now = time.perf_counter()
        self.spent[stage] = self.spent.get(stage, 0.0) + now - self.last
        self.last = now


def run(values: Sample, block: int = BLOCK, clock: Clock | None = None) -> np.ndarray:
    """Costs and QALYs of both strategies, ``(draw, strategy, 2)``."""
    n = len(values["u_pf"])
    log_time = np.empty(CYCLES + 1)
    log_time[0] = -np.inf
    log_time[1:] = np.log(np.arange(1, CYCLES + 1) * (12 / WEEKS_PER_YEAR))
    w = weights()
    out = np.empty((n, 2, 2))
    pfs_all = np.empty((block, CYCLES + 1))
    os_all = np.empty((block, CYCLES + 1))
    lap = clock.lap if clock else None
    for start in range(0, n, block):
        stop = min(n, start + block)
        v = {name: value[start:stop, None] for name, value in values.items()}
        pfs, os = pfs_all[: stop - start], os_all[: stop - start]
        for j, arm in enumerate("ab"):
            if lap:
                lap("other")
            if arm == "a":
                _affine(log_time, v["a_pfs_shape"], np.log(v["a_pfs_scale"]), pfs)
                np.exp(pfs, out=pfs)
                pfs += 1
                np.reciprocal(pfs, out=pfs)
                if lap:
                    lap("log-logistic")
                _affine(log_time, -1 / v["a_os_sdlog"], v["a_os_meanlog"], os)
                ndtr(os, out=os)
                if lap:
                    lap("log-normal")
            else:
                for curve, name in ((pfs, "b_pfs"), (os, "b_os")):
                    _affine(log_time, v[name + "_shape"], np.log(v[name + "_scale"]), curve)
                    np.exp(curve, out=curve)
                    np.negative(curve, out=curve)
                    np.exp(curve, out=curve)
                    if lap:
                        lap("weibull")
            np.minimum(pfs, os, out=pfs)
            if lap:
                lap("cap")
            years_pf = np.einsum("dc,c->d", pfs, w)
            years_pd = np.einsum("dc,c->d", os, w) - years_pf
            if lap:
                lap("weighted sums")
            out[start:stop, j, 0] = (
                values["c_" + arm][start:stop]
                + values["c_pf"][start:stop] * years_pf
                + values["c_pd"][start:stop] * years_pd
            )
            out[start:stop, j, 1] = (
                values["u_pf"][start:stop] * years_pf + values["u_pd"][start:stop] * years_pd
            )
    return out


def _affine(log_time: np.ndarray, slope: np.ndarray, origin: np.ndarray, out: np.ndarray) -> None:
    """``slope * (log_time - origin)`` into ``out``, in two passes and no temporary."""
    np.multiply(slope, log_time, out=out)
    out -= slope * origin


def main() -> None:
    """Print the breakdown for 10,000 draws, the fastest of five runs."""
    values = sample(10_000)
    per_curve = 10_000 * (CYCLES + 1)
    best = min(_timed(values) for _ in range(5))
    print(f"total {best:.3f} s, {best / (4 * per_curve) * 1e9:.2f} ns per curve value")
    clocks = [Clock() for _ in range(5)]
    for clock in clocks:
        clock.lap("start")
        run(values, clock=clock)
    uses = {"log-logistic": 1, "log-normal": 1, "weibull": 2, "cap": 2, "weighted sums": 4}
    for stage, count in uses.items():
        spent = min(clock.spent[stage] for clock in clocks)
        print(f"{stage:14s} {spent:.4f} s  {spent / (count * per_curve) * 1e9:6.2f} ns per value")
    for block in (16, 32, 64, 128, 256, 512):
        spent = min(_timed(values, block) for _ in range(3))
        print(f"block {block:4d}: {spent:.3f} s")


def _timed(values: Sample, block: int = BLOCK) -> float:
    start = time.perf_counter()
    run(values, block)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
