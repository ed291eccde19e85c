"""The reference task in other packages; run by the Python of the environment that has them.

``python peers.py heormodel|pyheor DRAWS`` prints one line of JSON: wall and CPU seconds, peak
memory, and the mean cost and QALYs by strategy; ``python peers.py evppi FILE.npz`` CPU seconds and
the EVPPI of each input.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections.abc import Callable

import floor
import numpy as np

WEEKS = floor.WEEKS_PER_YEAR
Result = dict[str, list[float]]


def heormodel(draws: int) -> Callable[[], Result]:
    """A cohort state-transition model of the same size.

    Release 0.7.4 has no partitioned-survival engine. This is its quickest case, one transition
    matrix for all cycles, so its time is a lower bound and its results are not comparable.
    """
    import pandas as pd
    from heormodel.models.markov import CohortSpec, MarkovModel
    from heormodel.run import run_psa

    def matrices(values: pd.Series, strategy: str) -> CohortSpec:
        leave_pf = 1 - math.exp(-12 / WEEKS / values["b_pfs_scale"])
        leave_pd = 1 - math.exp(-12 / WEEKS / values["b_os_scale"])
        transition = np.array(
            [[1 - leave_pf, leave_pf, 0.0], [0.0, 1 - leave_pd, leave_pd], [0.0, 0.0, 1.0]]
        )
        paid = np.array([values["c_pf"], values["c_pd"], 0.0]) / WEEKS
        return CohortSpec(transition, paid, np.array([values["u_pf"], values["u_pd"], 0.0]) / WEEKS)

    model = MarkovModel(
        states=("pf", "pd", "dead"),
        interventions=("a", "b"),
        transitions_and_rewards=matrices,
        n_cycles=floor.CYCLES,
        cycle_length=1 / WEEKS,
        discount_rate=floor.RATE,
        cycle_correction="half_cycle",
    )
    table = pd.DataFrame(floor.sample(draws))
    table.index.name = "iteration"

    def run() -> Result:
        run_psa(model, table, sequential=True, progress=False)
        return {}

    return run


def pyheor(draws: int) -> Callable[[], Result]:
    """The reference task itself, through the package's partitioned-survival model."""
    import pyheor as ph

    class Row(ph.Distribution):
        """Gives the prepared draws one after another."""

        def __init__(self, values: np.ndarray) -> None:
            self.left = iter(np.tile(values, 10))

        def sample(self, n: int, rng: object = None) -> np.ndarray:
            return np.array([next(self.left) for _ in range(n)])

        def mean(self) -> float:
            return math.nan

        def quantile(self, p: float) -> float:
            return math.nan

        def __repr__(self) -> str:
            return "Row()"

    weekly = (1 + floor.RATE) ** (1 / WEEKS) - 1
    model = ph.PartitionedSurvivalModel(
        states=["pf", "pd", "dead"],
        survival_endpoints=["pfs", "os"],
        strategies=["a", "b"],
        n_cycles=floor.CYCLES,
        cycle=ph.Cycle(1, "week"),
        dr_cost=weekly,
        dr_qaly=weekly,
    )
    for name, values in floor.sample(draws).items():
        model.add_param(name, base=float(values.mean()), dist=Row(values))
    month = WEEKS / 12
    model.set_survival(
        "a", "pfs", lambda p: ph.LogLogistic(p["a_pfs_shape"], p["a_pfs_scale"] * month)
    )
    model.set_survival(
        "a", "os", lambda p: ph.SurvLogNormal(p["a_os_meanlog"] + math.log(month), p["a_os_sdlog"])
    )
    model.set_survival("b", "pfs", lambda p: ph.Weibull(p["b_pfs_shape"], p["b_pfs_scale"] * month))
    model.set_survival("b", "os", lambda p: ph.Weibull(p["b_os_shape"], p["b_os_scale"] * month))
    model.set_starting_cost("treatment", {"a": lambda p: p["c_a"], "b": lambda p: p["c_b"]})
    model.set_state_cost("care", lambda p: {"pf": p["c_pf"] / WEEKS, "pd": p["c_pd"] / WEEKS})
    model.set_state_qaly("life", lambda p: {"pf": p["u_pf"] / WEEKS, "pd": p["u_pd"] / WEEKS})

    def run() -> Result:
        table = model.run_psa(n_sim=draws, seed=1, progress=False).ce_table
        means = table.groupby("strategy")[["total_cost", "qalys"]].mean()
        return {str(name): [float(x) for x in row] for name, row in means.T.items()}

    return run


def evppi(path: str) -> None:
    """EVPPI of every input by heormodel, from results that heor's floor has made."""
    import pandas as pd
    from heormodel.models import Outcomes
    from heormodel.voi.evppi import evppi_ranking

    with np.load(path) as stored:
        held = {name: stored[name] for name in stored}
    wide = [pd.DataFrame(held.pop(name), columns=["a", "b"]) for name in ("cost", "qaly")]
    for table in wide:
        table.index.name = "iteration"
    threshold = float(held.pop("threshold"))
    inputs = pd.DataFrame(held, index=wide[0].index)
    outcomes = Outcomes.from_wide(*wide)
    begun = time.process_time()
    found = evppi_ranking(outcomes, inputs, threshold)
    cpu = time.process_time() - begun
    print(json.dumps({"cpu": cpu, "evppi": {str(k): float(v) for k, v in found.items()}}))


def main(name: str, draws: int) -> None:
    """Build, run once small to warm up, run and print."""
    build = {"heormodel": heormodel, "pyheor": pyheor}[name]
    build(2)()
    run = build(draws)
    wall, cpu = time.perf_counter(), time.process_time()
    means = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak_mb": peak, "means": means}))


if __name__ == "__main__":
    if sys.argv[1] == "evppi":
        evppi(sys.argv[2])
    else:
        main(sys.argv[1], int(sys.argv[2]))
