"""Coverage of 95% intervals by simulation: how often they hold the truth.

``python benchmarks/coverage.py`` simulates trials from each family, an eighth to a third of their
subjects censored, fits the same family and counts. What is done is kept in a file, so that a
run can be stopped and taken up again; ``--table`` prints what is there. See README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

from heor.errors import HeorError  # noqa: E402
from heor.fitting.compare import Z95  # noqa: E402
from heor.fitting.data import SurvivalData, right_censored  # noqa: E402
from heor.fitting.fit import Fit, fit  # noqa: E402
from heor.fitting.maximise import slope  # noqa: E402
from heor.fitting.models import Model, make_model  # noqa: E402

#: Censoring is uniform between these times, in months; survival is also looked at here.
CENSORING, LANDMARK = (10.0, 60.0), 24.0

#: Trials of a block, which has a seed of its own and one line in the file.
BLOCK = 50


@dataclass(frozen=True, kw_only=True)
class Case:
    """A family with its true numbers, in months.

    Attributes
    ----------
    family : str
    truth : tuple of float
        Natural scale, knots not among them.
    cure, share : str, float
        Kind of cure and share cured.
    scale, knots : str, tuple of float
        Of a spline. The fits have the same knots.
    excess : bool
        The hazard is in excess of that of men and women aged 50 to 80.
    """

    family: str
    truth: tuple[float, ...]
    cure: str = ""
    share: float = 0.0
    scale: str = "hazard"
    knots: tuple[float, ...] = ()
    excess: bool = False


KNOTS = (0.0, 2.3, 3.8)
CASES = {
    "exponential": Case(family="exponential", truth=(0.05,)),
    "weibull": Case(family="weibull", truth=(1.3, 15.0)),
    "gompertz": Case(family="gompertz", truth=(0.03, 0.04)),
    "gamma": Case(family="gamma", truth=(1.5, 0.1)),
    "lognormal": Case(family="lognormal", truth=(2.5, 0.9)),
    "loglogistic": Case(family="loglogistic", truth=(1.6, 12.0)),
    "excess": Case(family="weibull", truth=(1.3, 15.0), excess=True),
    "mixture": Case(family="weibull", truth=(1.4, 10.0), cure="mixture", share=0.3),
    "non_mixture": Case(family="weibull", truth=(1.4, 10.0), cure="non_mixture", share=0.3),
    "spline_hazard": Case(family="spline", truth=(-4.5, 1.9, 0.12), knots=KNOTS),
    "spline_odds": Case(family="spline", truth=(-5.0, 2.3, 0.12), scale="odds", knots=KNOTS),
    "spline_normal": Case(family="spline", truth=(-2.8, 1.2, 0.03), scale="normal", knots=KNOTS),
    "gengamma": Case(family="gengamma", truth=(2.6, 0.8, 0.5)),
    "genf": Case(family="genf", truth=(2.5, 0.5, 0.2, 1.0)),
}


def model_of(case: Case) -> tuple[Model, np.ndarray]:
    """Give the model and the truth on its estimation scale."""
    nobody = right_censored([1.0], [1.0])
    model = make_model(case.family, data=nobody, cure=case.cure, scale=case.scale, knots=case.knots)
    values = [*case.truth, *([case.share] if case.cure else [])]
    theta = [
        np.log(value) if log else np.log(value / (1 - value)) if name == "cure" else value
        for name, value, log in zip(model.names, values, model.on_log_scale, strict=True)
    ]
    return model, np.array(theta)


def trial(rng: np.random.Generator, case: Case, subjects: int) -> SurvivalData:
    """Simulate one trial by inversion of S."""
    model, _ = model_of(case)
    failed = rng.random(subjects)
    if case.cure == "mixture":
        failed = failed / (1.0 - case.share)
    elif case.cure:
        failed = np.log1p(-failed) / np.log(case.share)
    inner = np.minimum(failed, 0.999999)
    when = model.family.quantile(inner, [*case.truth, *case.knots])
    when = np.where(failed >= 1.0, np.inf, when)
    censor = rng.uniform(*CENSORING, subjects)
    if not case.excess:
        return right_censored(np.minimum(when, censor), when <= censor)
    # the population's hazard is 0.0004 e^(0.1 (age - 50)) a month, half of it for women
    level = 0.0004 * np.exp(0.1 * rng.uniform(0, 30, subjects)) * rng.choice([0.5, 1.0], subjects)
    other = np.log1p(rng.exponential(size=subjects) * 0.1 / 12 / level) / (0.1 / 12)
    died = np.minimum(when, other)
    at = np.minimum(died, censor)
    return right_censored(at, died <= censor, expected=level * np.exp(0.1 / 12 * at))


def block(name: str, subjects: int, seed: int) -> dict[str, object]:
    """Counts of intervals that hold the truth (numbers fitted, then survival) of a block."""
    os.nice(max(0, 10 - os.nice(0)))
    case = CASES[name]
    rng = np.random.default_rng([seed, subjects, *name.encode()])
    _, truth = model_of(case)
    inside, sound, events, start = np.zeros(len(truth) + 1), 0, 0.0, time.process_time()
    for _ in range(BLOCK):
        data = trial(rng, case, subjects)
        events += data.events
        try:
            found = fit(case.family, data, cure=case.cure, scale=case.scale, knots=case.knots)
        except HeorError:
            continue
        if found.sound:
            sound += 1
            inside += _holds(found, truth)
    return {
        "case": name,
        "subjects": subjects,
        "seed": seed,
        "inside": inside.tolist(),
        "sound": sound,
        "events": events / BLOCK,
        "seconds": time.process_time() - start,
    }


def _holds(found: Fit, truth: np.ndarray) -> np.ndarray:
    """Whether each interval of a fit holds the truth; that of S is made on ln(-ln S)."""
    own = np.abs(found.theta - truth) < Z95 * np.sqrt(np.diag(found.covariance))

    def level(theta: np.ndarray) -> float:
        place = np.zeros(1, dtype=np.intp)
        return float(np.log(-found.model.log_survival(theta, np.array([LANDMARK]), place)[0]))

    values, turn = np.linalg.eigh(found.covariance)
    error = np.linalg.norm(slope(level, found.theta, turn * np.sqrt(values)))
    return np.append(own, abs(level(found.theta) - level(truth)) < Z95 * error)


def read_store(path: Path) -> dict[tuple[str, int, int], dict]:
    """Blocks that are done, by case, subjects and seed."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    blocks = [json.loads(line) for line in lines]
    return {(b["case"], b["subjects"], b["seed"]): b for b in blocks}


def table(store: Path) -> Iterator[str]:
    """Lines of the table of all blocks that are done; beyond three standard errors in bold."""
    yield "| case | subjects | events | sound fits of trials | numbers fitted, % | S(24), % |"
    yield "|---|---:|---:|---:|---|---:|"
    by_case: dict[tuple[str, int], list[dict]] = {}
    for (name, subjects, _), one in read_store(store).items():
        by_case.setdefault((name, subjects), []).append(one)
    order = list(CASES)
    for name, subjects in sorted(by_case, key=lambda key: (order.index(key[0]), key[1])):
        blocks = by_case[name, subjects]
        sound = sum(b["sound"] for b in blocks)
        shares = np.sum([b["inside"] for b in blocks], axis=0) / max(sound, 1)
        limit = 3 * np.sqrt(0.95 * 0.05 / max(sound, 1))
        marked = [
            f"**{100 * share:.1f}**" if abs(share - 0.95) > limit else f"{100 * share:.1f}"
            for share in shares
        ]
        names = model_of(CASES[name])[0].names
        own = ", ".join(f"{key} {share}" for key, share in zip(names, marked, strict=False))
        events = np.mean([b["events"] for b in blocks])
        total = len(blocks) * BLOCK
        yield (
            f"| {name} | {subjects:,} | {events:.0f} | {sound:,} of {total:,} "
            f"| {own} | {marked[-1]} |"
        )


def main() -> None:
    """Simulate what is asked for and not yet done, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--store", type=Path, default=Path("coverage.jsonl"))
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case")
    chosen = parser.parse_args()
    if not chosen.table:
        done = read_store(chosen.store)
        jobs = [
            (name, chosen.subjects, seed)
            for name in chosen.cases
            for seed in range(chosen.trials // BLOCK)
            if (name, chosen.subjects, seed) not in done
        ]
        with ProcessPoolExecutor(chosen.processes) as pool, chosen.store.open("a") as file:
            for found in pool.map(block, *zip(*jobs, strict=True)) if jobs else ():
                file.write(json.dumps(found) + "\n")
                file.flush()
    print("\n".join(table(chosen.store)))


if __name__ == "__main__":
    main()
