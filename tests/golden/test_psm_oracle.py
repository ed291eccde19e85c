"""A partitioned-survival study computed by hesim 0.5.6; the numbers are in data/psm_*."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_studies import WEEK, cost, curve, settings, study, utility

from heor.engine.evaluate import evaluate, traces
from heor.spec.draws import base
from heor.spec.records import Spec

DATA = Path(__file__).parent / "data"
ORACLE: dict[str, Any] = json.loads((DATA / "psm_totals.json").read_text(encoding="utf-8"))
STATES = ("progression_free", "progressed")


def psm_study(correction: str) -> Spec:
    """The oracle's study; exp(-0.03 t) is an annual rate of e^0.03 - 1."""
    rate = math.expm1(0.03)
    return study(
        [
            curve("a", "pfs", "loglogistic", {"shape": 1.6, "scale": 0.9}),
            curve("a", "os", "lognormal", {"meanlog": "ln(1.9)", "sdlog": 0.95}),
            curve("b", "pfs", "weibull", {"shape": 1.1, "scale": 1.6}),
            curve("b", "os", "weibull", {"shape": 1.15, "scale": 3.4}),
        ],
        options=settings(
            horizon=1044 * WEEK,
            discount_rate_costs=rate,
            discount_rate_outcomes=rate,
            discounting="continuous",
            cycle_correction=correction,
            crossing="keep_higher",
        ),
        utilities=[utility("all", "progression_free", 0.8), utility("all", "progressed", 0.6)],
        costs=[
            cost("a", "start", 3000.0),
            cost("b", "start", 15000.0),
            cost("a", "in_state", 12000.0, state="progression_free"),
            cost("b", "in_state", 30000.0, state="progression_free"),
            cost("all", "in_state", 18000.0, state="progressed"),
        ],
    )


@pytest.mark.parametrize("correction", ["trapezoid", "start", "end"])
def test_totals_by_state(correction: str) -> None:
    spec = psm_study(correction)
    outcomes = evaluate(spec, base(spec))
    rows = ORACLE["results"][correction]
    assert len(rows["by_state"]) == 8
    for row in rows["by_state"]:
        suffix = "" if row["rate"] else "_undiscounted"
        for ours, theirs in (("ly", "lys"), ("qaly", "qalys"), ("cost_in", "costs")):
            found = outcomes.of(row["strategy"], f"{ours}{suffix}:{row['state']}")[0]
            assert found == pytest.approx(row[theirs], rel=1e-12, abs=0), (row, ours)
    assert len(rows["totals"]) == 4
    for row in rows["totals"]:
        suffix = "" if row["rate"] else "_undiscounted"
        for name in ("cost", "qaly"):
            found = outcomes.of(row["strategy"], name + suffix)[0]
            assert found == pytest.approx(row[name], rel=1e-12, abs=0), (row, name)


def test_state_probabilities() -> None:
    spec = psm_study("trapezoid")
    found = traces(spec, base(spec))
    with (DATA / "psm_occupancy.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert len(rows) == 262
    weeks = [int(row["week"]) for row in rows]
    for strategy in ("a", "b"):
        for state in (*STATES, "dead"):
            expected = [float(row[f"{strategy}_{state}"]) for row in rows]
            ours = found[strategy].occupancy[state][0, weeks]
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


def test_restricted_means_by_quadrature() -> None:
    """Exact integrals to 20 years (1,043.57 weeks); what is left is the trapezoid's own error."""
    spec = psm_study("trapezoid")
    outcomes = evaluate(spec, base(spec))
    for suffix, key in (("_undiscounted", "undiscounted"), ("", "discounted_3")):
        expected = dict(zip(ORACLE["rmst20"]["curves"], ORACLE["rmst20"][key], strict=True))
        pfs = outcomes.of("b", f"ly{suffix}:progression_free")[0]
        assert pfs == pytest.approx(expected["b_pfs"], rel=1e-5)
        assert outcomes.of("b", f"ly{suffix}")[0] == pytest.approx(expected["b_os"], rel=1e-5)
