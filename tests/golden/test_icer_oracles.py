"""Incremental tables of other programs and of published examples."""

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from heor.analyses import cea
from heor.analyses.results import EXTENDEDLY_DOMINATED, ON_FRONTIER, STRICTLY_DOMINATED

DATA = Path(__file__).parent / "data"
STATUS = {"ND": ON_FRONTIER, "ED": EXTENDEDLY_DOMINATED, "D": STRICTLY_DOMINATED}


def dampack_rows():
    with (DATA / "icer_dampack.csv").open() as file:
        lines = [line for line in file if not line.startswith("#")]
    return list(csv.DictReader(lines))


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_25_strategies_as_dampack(seed):
    rows = dampack_rows()
    given = sorted(rows, key=lambda row: int(row["input"]))
    if seed is not None:
        random.Random(seed).shuffle(given)
    table = cea.incremental_table(
        [row["strategy"] for row in given],
        [float(row["cost"]) for row in given],
        [float(row["qaly"]) for row in given],
    )
    assert [row.id for row in table] == [row["strategy"] for row in rows]
    assert [row.status for row in table] == [STATUS[row["status"]] for row in rows]
    for ours, theirs in zip(table, rows, strict=True):
        if theirs["icer"]:
            # dampack's 15 digits
            assert ours.icer == pytest.approx(float(theirs["icer"]), rel=5e-15, abs=0)
        else:
            assert ours.icer is None


def test_va_hypertension_example():
    """Frontier UC/B/D/E of the six-strategy teaching example of the US Veterans Affairs."""
    table = cea.incremental_table(
        ("UC", "B", "D", "E", "C", "A"),
        (5000, 10000, 35000, 55000, 25000, 12000),
        (1, 2, 4, 5, 3, 1.5),
    )
    rows = {row.id: row for row in table}
    assert [row.id for row in table] == ["UC", "B", "D", "E", "C", "A"]
    assert [rows[i].icer for i in ("UC", "B", "D", "E")] == [None, 5000, 12500, 20000]
    assert [rows[i].versus for i in ("UC", "B", "D", "E")] == [None, "UC", "B", "D"]
    assert (rows["C"].status, rows["C"].dominated_by) == (EXTENDEDLY_DOMINATED, ("B", "D"))
    assert (rows["A"].status, rows["A"].dominated_by) == (STRICTLY_DOMINATED, ("B",))


def hiv_totals(combination):
    """Cost and life years of a 20-year cohort; the second drug works and is paid for two years.

    Yearly transitions counted in the trial's patients, states by falling CD4 count, AIDS, dead;
    relative risk of moving on 0.509; costs discounted at 6%, life years not; year-end occupancy.
    """
    counts = np.array([[1251, 350, 116, 17], [0, 731, 512, 15], [0, 0, 1312, 437], [0, 0, 0, 1]])
    alone = counts / counts.sum(axis=1, keepdims=True)
    both = alone.copy()
    for state in range(3):
        both[state, state + 1 :] *= 0.509
        both[state, state] = 1 - both[state, state + 1 :].sum()
    care = np.array([2756, 3052, 9007, 0])
    share, cost, life_years = np.array([1.0, 0, 0, 0]), 0.0, 0.0
    for year in range(1, 21):
        treated = combination and year <= 2
        share = share @ (both if treated else alone)
        alive = share[:3].sum()
        drugs = 2278 + (2086.5 if treated else 0)
        cost += (share @ care + alive * drugs) / 1.06**year
        life_years += alive
    return cost, life_years


def test_hiv_combination_therapy():
    """6,276 per life year: the HIV example of Briggs, Claxton and Sculpher (2006), chapter 2."""
    cost, life_years = hiv_totals(combination=False)
    cost_both, life_years_both = hiv_totals(combination=True)
    row = cea.pairwise(
        "combination", "mono", delta_cost=cost_both - cost, delta_qaly=life_years_both - life_years
    )
    assert (round(cost), round(cost_both)) == (44_663, 50_602)
    assert round(row.icer) == 6_276
    assert row.status == "more costly, more effective"
