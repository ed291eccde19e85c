"""How cost grows, and what follows the draws: sizes of a PSA, cycles, strategies, CEAC, EVPPI.

Run by itself, or through ``run.py --scale``. A row of a size is a process of its own, so that its
peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import floor
import numpy as np

HERE = Path(__file__).parent
STUDY = HERE / "study"

#: Draws of the rows of sizes.
SIZES = (1_000, 10_000, 100_000, 1_000_000)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter that has heormodel")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--totals", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.size:
        print(json.dumps(one_size(chosen.size, chosen.totals)))
        return
    print(f"Load before: {os.getloadavg()[0]:.1f}\n")
    tables(chosen.peers)
    print(f"Load after: {os.getloadavg()[0]:.1f}")


def tables(peers: str | None) -> None:
    """All that this file measures."""
    sizes()
    growth()
    acceptability()
    information(peers)


# --- sizes --------------------------------------------------------------------------------------


def one_size(draws: int, totals: bool) -> dict[str, float]:
    """Sample, evaluate and summarise one PSA on one thread.

    As ``heor psa`` does; or, with ``totals``, costs and QALYs alone and their acceptability curve.
    """
    from heor.analyses import ceac, psa, psa_parts
    from heor.analyses.mapper import here
    from heor.spec.reader import read_study

    spec = read_study(STUDY)
    wall, cpu = time.perf_counter(), time.process_time()
    if totals:
        parts = psa_parts.cut([draws], 1, "random", psa.PART, ("cost", "qaly"))
        found = psa_parts.do(spec, parts, here)
        thresholds = np.linspace(0, 200_000, 1_000)
        ceac.acceptability(found.strategies, found.get("cost"), found.get("qaly"), thresholds)
    else:
        psa.summarise(spec, psa.run(spec, draws, streamed=True))
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak_mb": _peak(),
    }


def _peak() -> float:
    """Peak resident memory of this program in MB; what began it does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def sizes() -> None:
    """Time and memory against the number of draws."""
    print("PSA of the reference task, sampling and summary included, one thread")
    print(f"{'draws':>10s}{'wall s':>9s}{'CPU s':>9s}{'us/draw':>9s}{'MB':>7s}")
    for draws, totals in product(SIZES, (False, True)):
        command = [sys.executable, __file__, "--size", str(draws)]
        if totals:
            command.append("--totals")
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE)
        found = json.loads(done.stdout)
        print(
            f"{draws:10,d}{found['wall']:9.2f}{found['cpu']:9.2f}"
            f"{found['cpu'] / draws * 1e6:9.1f}{found['peak_mb']:7.0f}"
            f"{'  costs and QALYs alone' if totals else ''}"
        )
    print()


# --- growth -------------------------------------------------------------------------------------


def growth() -> None:
    """Time of a draw against cycles and strategies."""
    from heor.analyses.psa import draw_set
    from heor.engine.evaluate import evaluate
    from heor.spec.reader import read_study

    spec = read_study(STUDY)
    draws, _ = draw_set(spec, 2_000)
    print("Time of a draw (CPU us), and of a cycle or strategy of it; 2,000 draws, median of 5")
    for years in (5, 10, 20, 40):
        longer = replace(spec, settings=replace(spec.settings, horizon=float(years)))
        spent = _median(lambda study=longer: evaluate(study, draws))
        cycles = round(years * floor.WEEKS_PER_YEAR)
        each = spent / 2_000 / cycles * 1e9
        print(f"{cycles:8,d} cycles    {spent / 2_000 * 1e6:9.1f}{each:9.1f} ns a cycle")
    for strategies in (2, 4, 8):
        more = _with_strategies(spec, strategies)
        spent = _median(lambda study=more: evaluate(study, draws))
        each = spent / strategies / 2_000 * 1e6
        print(f"{strategies:8d} strategies{spent / 2_000 * 1e6:9.1f}{each:9.1f} us a strategy")
    print()


def _with_strategies(spec: Any, count: int) -> Any:
    """The study with its two strategies again under other names, each a little different."""
    from heor.spec.expressions import parse

    strategies, curves, costs = list(spec.strategies), list(spec.curves), list(spec.costs)
    for number in range(1, count // 2):
        for old in spec.strategies:
            name = f"{old.id}{number}"
            strategies.append(replace(old, id=name))
            for curve in spec.curves:
                if curve.strategy == old.id:
                    moved = {
                        key: parse(f"({value.text}) * {1 + number / 100}")
                        for key, value in curve.parameters.items()
                    }
                    curves.append(
                        replace(curve, id=f"{curve.id}{number}", strategy=name, parameters=moved)
                    )
            costs += [
                replace(cost, strategy=name) for cost in spec.costs if cost.strategy == old.id
            ]
    return replace(spec, strategies=tuple(strategies), curves=tuple(curves), costs=tuple(costs))


# --- acceptability ------------------------------------------------------------------------------


def acceptability() -> None:
    """CEAC and EVPI: heor against the array of draws × thresholds."""
    print("CEAC and EVPI (CPU s)")
    for draws, count, strategies in (
        (10_000, 501, 2),
        (10_000, 501, 4),
        (1_000_000, 1_000, 2),
        (100_000, 1_000, 4),
    ):
        print(_one_curve(draws, count, strategies))
    print()


def _one_curve(draws: int, count: int, strategies: int) -> str:
    from heor.analyses import ceac

    rng = np.random.default_rng(1)
    cost = rng.gamma(20, 2_000, (draws, strategies))
    qaly = rng.normal(1.0, 0.2, (draws, strategies))
    thresholds = np.linspace(0, 200_000, count)
    names = [str(i) for i in range(strategies)]
    spent, ours = _once(lambda: ceac.acceptability(names, cost, qaly, thresholds))
    line = f"{draws:10,d} x {count:5,d} x {strategies}{spent:9.3f}"
    if draws * count * strategies <= 50_000_000:
        bare, theirs = _once(lambda: _naive(cost, qaly, thresholds))
        apart = max(
            float(np.abs(ours.ceac - theirs[0]).max()),
            float(np.abs(ours.evpi / theirs[1] - 1).max()),
        )
        line += f"   array of all {bare:8.3f}   ratio {bare / spent:6.1f}   apart {apart:.0e}"
    else:
        size = draws * count * strategies * 8 / 2**30
        line += f"   an array of all would take {size:.0f} GB"
    return line


def _naive(
    cost: np.ndarray, qaly: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    benefit = thresholds[:, None, None] * qaly - cost
    best = benefit.argmax(axis=2)
    share = np.stack([(best == s).mean(axis=1) for s in range(cost.shape[1])], axis=1)
    return share, benefit.max(axis=2).mean(axis=1) - benefit.mean(axis=1).max(axis=1)


# --- value of information -----------------------------------------------------------------------


def information(peers: str | None) -> None:
    """EVPPI of every input of the reference task, 10,000 draws, one threshold."""
    from heor.analyses import voi

    values = floor.sample(10_000)
    results = floor.run(values)
    cost, qaly = results[:, :, 0], results[:, :, 1]
    threshold = voi.most_uncertain(cost, qaly)
    spent, found = _once(
        lambda: voi.evppi(values, [(name,) for name in values], cost, qaly, (threshold,))
    )
    print(f"EVPPI of {len(values)} inputs at {threshold:,.0f}, 10,000 draws (CPU s)")
    print(f"heor, with standard errors and checks of the fit   {spent:8.2f}")
    if peers:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "psa.npz"
            np.savez(path, cost=cost, qaly=qaly, threshold=threshold, **values)
            command = [peers, str(HERE / "peers.py"), "evppi", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE)
        theirs = json.loads(done.stdout.splitlines()[-1])
        ours = {one.parameters[0]: float(one.evppi[0]) for one in found}
        apart = max(abs(ours[name] - value) for name, value in theirs["evppi"].items())
        print(f"heormodel, splines with 5 knots                    {theirs['cpu']:8.2f}")
        print(f"largest difference {apart:.1f}; largest EVPPI {max(ours.values()):.1f}")
    print()


# --- measuring ----------------------------------------------------------------------------------


def _once(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    result = call()
    return time.process_time() - begun, result


def _median(call: Callable[[], Any]) -> float:
    return statistics.median(_once(call)[0] for _ in range(5))


if __name__ == "__main__":
    main()
