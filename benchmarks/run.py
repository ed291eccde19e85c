"""Measure the reference task (PSA-10k): heor, a bare NumPy floor, and other packages; in one run.

``python benchmarks/run.py --peers PYTHON`` where PYTHON is the interpreter of an environment made
with ``requirements.txt``. Everything runs on one thread (neither heor nor the floor calls BLAS; the
other packages are told to use one). See README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import floor
import numpy as np
import scale

HERE = Path(__file__).parent
STUDY = HERE / "study"
SHIPPED = HERE.parent / "inputs" / "lifileucel_nsclc"


def main() -> None:
    """Run what is asked for and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved runs of heor and floor")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter that has the other packages")
    parser.add_argument("--peer-draws", type=int, default=100)
    parser.add_argument("--scale", action="store_true", help="also what `scale.py` measures")
    parser.add_argument("--no-shipped", action="store_true", help="leave out the shipped study")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.task:
        print(json.dumps(alone(chosen.task, chosen.draws)))
        return
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {_processor()}")
    print(f"Load {os.getloadavg()[0]:.1f}, one thread")
    print(f"{chosen.rounds} interleaved rounds of {chosen.draws:,} draws.\n")
    against_floor(chosen.draws, chosen.rounds, chosen.peers, chosen.peer_draws)
    memory()
    if not chosen.no_shipped:
        shipped()
    if chosen.scale:
        scale.tables(chosen.peers)


# --- the reference task ---------------------------------------------------------------------


#: What the floor gives.
TOTALS = ("cost", "qaly")

Task = Callable[[dict[str, np.ndarray]], np.ndarray]


def reference_task(keep: tuple[str, ...] | None = None) -> Task:
    """The study as heor reads and runs it; gives costs and QALYs ``(draw, strategy, 2)``.

    ``keep`` are the outcomes it is asked for; all when None.
    """
    from heor.engine.evaluate import evaluate
    from heor.spec.parameters import Draws
    from heor.spec.reader import read_study

    spec = read_study(STUDY)

    def run(values: dict[str, np.ndarray]) -> np.ndarray:
        outcomes = evaluate(spec, Draws(values), keep=keep)
        return np.stack([outcomes.get("cost"), outcomes.get("qaly")], axis=-1)

    return run


def against_floor(draws: int, rounds: int, peers: str | None, peer_draws: int) -> None:
    """Times of heor and of the floor, taken in turn, and of the peers at their own size."""
    values = floor.sample(draws)
    tasks: dict[str, Task] = {
        "heor evaluate": reference_task(),
        "heor, totals": reference_task(TOTALS),
        "NumPy floor": floor.run,
    }
    bare = floor.run(values)
    difference = max(float(np.max(np.abs(task(values) / bare - 1))) for task in tasks.values())
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            times[name].append(_timed(lambda task=task: task(values))[:2])
    per_draw = {
        name: [statistics.median(t[i] for t in taken) / draws for i in (0, 1)]
        for name, taken in times.items()
    }
    sizes = dict.fromkeys(per_draw, draws)
    peaks = {
        "heor evaluate": _alone("heor", draws)["peak_mb"],
        "heor, totals": _alone("heor-totals", draws)["peak_mb"],
        "NumPy floor": _alone("floor", draws)["peak_mb"],
    }
    if peers:
        for package in ("pyheor", "heormodel"):
            found = _peer(peers, package, peer_draws)
            per_draw[package] = [found["wall"] / peer_draws, found["cpu"] / peer_draws]
            sizes[package] = peer_draws
            peaks[package] = found["peak_mb"]
            if found["means"]:
                expected = floor.run(floor.sample(peer_draws)).mean(axis=0)
                means = np.array([found["means"][strategy] for strategy in ("a", "b")])
                apart = float(np.max(np.abs(means / expected - 1)))
                print(f"Mean costs and QALYs, largest difference of {package}: {apart:.1e}")
    print(f"Largest relative difference between heor and the floor: {difference:.1e}")
    print(
        f"{'':16s}{'draws':>9s}{'wall s':>9s}{'CPU s':>9s}{'us/draw':>11s}{'x heor':>9s}{'MB':>7s}"
    )
    base = per_draw["heor evaluate"][1]
    for name, (wall, cpu) in per_draw.items():
        print(
            f"{name:16s}{sizes[name]:9,d}{wall * sizes[name]:9.3f}{cpu * sizes[name]:9.3f}"
            f"{cpu * 1e6:11.1f}{cpu / base:9.2f}{peaks[name]:7.0f}"
        )
    for name in ("heor evaluate", "heor, totals"):
        wall, cpu = (
            statistics.median(
                a[i] / b[i] for a, b in zip(times[name], times["NumPy floor"], strict=True)
            )
            for i in (0, 1)
        )
        print(f"{name} / floor, median of ratios: {wall:.2f} (wall), {cpu:.2f} (CPU)")
    print()


def memory() -> None:
    """Peak memory of the whole process for 100,000 draws, sampling included."""
    found = _alone("heor-sampled", 100_000)
    print(
        f"heor, 100,000 draws, sampling included: {found['wall']:.1f} s, "
        f"peak {found['peak_mb']:.0f} MB\n"
    )


def alone(task: str, draws: int) -> dict[str, float]:
    """One task in this process, for its peak memory."""
    if task == "heor-sampled":
        from heor.engine.evaluate import evaluate
        from heor.spec.draws import sample
        from heor.spec.reader import read_study

        spec = read_study(STUDY)
        wall, cpu, _ = _timed(lambda: evaluate(spec, sample(spec, draws)))
    else:
        values = floor.sample(draws)
        tasks = {"heor": reference_task(), "heor-totals": reference_task(TOTALS)}
        run = tasks.get(task, floor.run)
        wall, cpu, _ = _timed(lambda: run(values))
    return {"wall": wall, "cpu": cpu, "peak_mb": _peak()}


# --- the shipped study ----------------------------------------------------------------------


def shipped() -> None:
    """Time of ``heor run`` on the shipped study, step by step."""
    import tempfile

    begun = time.perf_counter()
    from heor.report.workbook import write_report
    from heor.spec.reader import read_study
    from heor.study import run_study

    steps = {"import": time.perf_counter() - begun}
    wall, _, spec = _timed(lambda: read_study(SHIPPED))
    steps["read and check"] = wall
    results = run_study(spec)
    steps |= results.record.timings
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xlsx"
        steps["report workbook"] = _timed(lambda: write_report(results, path))[0]
    print(f"Shipped study, {results.record.draws:,} draws, by step (wall s):")
    for step, seconds in steps.items():
        print(f"  {step:16s}{seconds:8.2f}")
    print(f"  {'total':16s}{sum(steps.values()):8.2f}")


# --- measuring --------------------------------------------------------------------------------


def _timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall seconds, CPU seconds and the result of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def _peak() -> float:
    """Peak resident memory of this process in MB (kilobytes on Linux, bytes on macOS)."""
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _alone(task: str, draws: int) -> dict[str, Any]:
    return _json([sys.executable, __file__, "--task", task, "--draws", str(draws)])


def _peer(python: str, package: str, draws: int) -> dict[str, Any]:
    return _json([python, str(HERE / "peers.py"), package, str(draws)])


def _json(command: list[str]) -> dict[str, Any]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    one_thread = {**os.environ, **dict.fromkeys(names, "1")}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=HERE, env=one_thread
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _processor() -> str:
    found = Path("/proc/cpuinfo")
    if found.exists():
        for line in found.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
