"""Patient data rebuilt from curves of known trials: how far median, hazard ratio and mean are off.

``python benchmarks/reconstruction.py`` draws trials of two arms, reads their Kaplan-Meier curves as
somebody clicking along a figure would, rebuilds the patients and compares with those drawn. One
thing is changed at a time. See README.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from known_curves import SHAPES, cox, curve_of, read_off, restricted_mean, trial  # noqa: E402

from heor.fitting.digitised import put_in_order  # noqa: E402
from heor.fitting.reconstruct import reconstruct  # noqa: E402

#: What is asked for: median, hazard ratio and restricted mean within these shares.
LIMITS = (0.01, 0.02, 0.005)

#: True hazard ratio, and the months between which restricted means are looked at.
RATIO = 0.65


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How trials are drawn and read.

    Attributes
    ----------
    subjects : int
        Per arm.
    censoring, style : str
        See `known_curves`.
    noise : float
        Standard deviation of survival as it is read.
    every : float
        Months between numbers at risk; 0 for the one at the start alone.
    events : bool
        The total of events is published.
    """

    subjects: int = 200
    censoring: str = "late"
    style: str = "corners"
    noise: float = 0.002
    every: float = 3.0
    events: bool = True


BASE = Setting()
SETTINGS = {
    "base": BASE,
    "50 per arm": replace(BASE, subjects=50),
    "100 per arm": replace(BASE, subjects=100),
    "500 per arm": replace(BASE, subjects=500),
    "heavy censoring": replace(BASE, censoring="heavy"),
    "none before the end": replace(BASE, censoring="none"),
    "read without error": replace(BASE, noise=0.0),
    "error 0.001": replace(BASE, noise=0.001),
    "error 0.005": replace(BASE, noise=0.005),
    "error 0.01": replace(BASE, noise=0.01),
    "even grid": replace(BASE, style="grid"),
    "even grid, no error": replace(BASE, style="grid", noise=0.0),
    "even grid, error 0.005": replace(BASE, style="grid", noise=0.005),
    "at risk every 6 months": replace(BASE, every=6.0),
    "at risk every 12 months": replace(BASE, every=12.0),
    "at risk at the start": replace(BASE, every=0.0),
    "heavy, at risk every 12": replace(BASE, censoring="heavy", every=12.0),
    "no total of events": replace(BASE, events=False),
    "heavy, no total of events": replace(BASE, censoring="heavy", events=False),
    "at risk at the start, no total": replace(BASE, every=0.0, events=False),
}


def compared(rng: np.random.Generator, shape: str, one: Setting) -> tuple[list, float, list, list]:
    """Errors of one trial: medians, hazard ratio, means, and medians read straight off."""
    arms = [trial(rng, shape, one.censoring, one.subjects, ratio) for ratio in (1.0, RATIO)]
    made, medians, means, read = [], [], [], []
    for at, event in arms:
        curve = put_in_order(*read_off(rng, at, event, one.style, one.noise))
        whens = np.arange(0, at.max(), one.every) if one.every else np.zeros(1)
        left = [int((at >= when).sum()) for when in whens]
        found = reconstruct(curve, whens, left, int(event.sum()) if one.events else None)
        made.append((found.time, found.event))
        true = curve_of(at, event).median
        if np.isfinite([true, found.median_made, curve.median]).all():
            medians.append(abs(found.median_made / true - 1))
            read.append(abs(curve.median / true - 1))
        until = 0.9 * float(min(at.max(), found.until))
        area = restricted_mean(at, event, until)
        means.append(abs(restricted_mean(found.time, found.event, until) / area - 1))
    return medians, abs(np.exp(cox(*made) - cox(*arms)) - 1), means, read


def cell(errors: list[float], limit: float) -> str:
    """Half of the errors, 19 of 20, the largest, and the share within the limit."""
    middle, high = np.quantile(errors, [0.5, 0.95])
    within = np.mean(np.array(errors) <= limit)
    return f"{100 * middle:.2f} / {100 * high:.2f} / {100 * max(errors):.1f} | {100 * within:.0f}"


def main() -> None:
    """Print a row per setting."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--trials", type=int, default=15, help="per shape of the hazard")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("settings", nargs="*", default=list(SETTINGS))
    chosen = parser.parse_args()
    print(
        "| setting | median off, % | within 1% | read off, % | within 1% | HR off, % | within 2% "
        "| mean off, % | within 0.5% | s per arm |"
    )
    print("|---|---|---:|---|---:|---|---:|---|---:|---:|")
    for name in chosen.settings:
        medians, ratios, means, read = [], [], [], []
        start = time.process_time()
        for shape in SHAPES:
            rng = np.random.default_rng([chosen.seed, *shape.encode(), *name.encode()])
            for _ in range(chosen.trials):
                found = compared(rng, shape, SETTINGS[name])
                medians += found[0]
                ratios.append(found[1])
                means += found[2]
                read += found[3]
        each = (time.process_time() - start) / (2 * chosen.trials * len(SHAPES))
        columns = zip((medians, read, ratios, means), (0.01, *LIMITS), strict=True)
        cells = " | ".join(cell(errors, limit) for errors, limit in columns)
        print(f"| {name} | {cells} | {each:.2f} |", flush=True)


if __name__ == "__main__":
    main()
