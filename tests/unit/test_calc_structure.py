"""``Calc Structure`` holds the engine's state-transition models, for shipped and random studies."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from formula_scanner import scan_package
from small_studies import RandomStudy, curve, settings, study
from trace_registry import add_traces
from xlsx_package import read_package

from heor.analyses.structure import applies, with_structure
from heor.engine.evaluate import traces
from heor.report.sheets import calc_structure
from heor.report.sheets.layout import Context
from heor.report.xlsx import writing
from heor.spec.draws import base
from heor.spec.parameters import Draws
from heor.spec.records import FORWARD, RESET, Spec

#: Share of people that a stored value may miss the engine's: three steps of Newton in cycles of
#: a quarter year, where random curves imply hazards of dozens. In the shipped studies it is 1e-14.
CLOSE = 1e-8

SEEDS = [seed for seed in range(30) if applies(RandomStudy(seed).spec)]


def differences(spec: Spec, draws: Draws, path: Path) -> float:
    """The largest difference of any endpoint under either structure from the engine's."""
    with writing(path) as book:
        ctx: Context = add_traces(book, spec, draws)
        object.__setattr__(ctx.results, "base", type("Base", (), {"draws": draws}))
        calc_structure.write_calc_structure(ctx, book.sheet(calc_structure.TITLE))
    worst = 0.0
    for structure in (FORWARD, RESET):
        for strategy, trace in traces(with_structure(spec, structure), draws).items():
            for endpoint in spec.nested_endpoints:
                if endpoint in trace.endpoints:
                    found = ctx.columns[f"{structure} {strategy} {endpoint}"].values
                    wanted = trace.endpoints[endpoint][0]
                    worst = max(worst, float(np.abs(found[: len(wanted)] - wanted).max()))
    return worst


@pytest.mark.parametrize("seed", SEEDS)
def test_random_study(seed: int, tmp_path: Path) -> None:
    random = RandomStudy(seed)
    follow_up = random.horizon * 0.4 if seed % 2 else None
    options = dataclasses.replace(random.spec.settings, pps_follow_up=follow_up)
    spec = dataclasses.replace(random.spec, settings=options)
    assert differences(spec, random.draws(1), tmp_path / "book.xlsx") < CLOSE


def test_constant_hazards_with_a_given_rate_and_early_deaths(tmp_path: Path) -> None:
    """Formulas pass the scanner, and come to the engine's numbers to rounding."""
    early = {"early_mortality": 0.1, "early_period": 0.2}
    after = {"pps_family": "exponential", "pps_parameters": {"rate": 0.5}, "pfs_death_share": 0.2}
    curves = [
        curve("a", "pfs", "exponential", {"rate": 1.0}, **early),
        curve("a", "os", "post_progression", {}, **after, **early),
        curve("b", "pfs", "exponential", {"rate": 1.0}, **early),
        curve("b", "os", "weibull", {"shape": 1.4, "scale": 3.0}, **after),
        curve("c", "pfs", "weibull", {"shape": 1.2, "scale": 1.0}),
        curve("c", "os", "weibull", {"shape": 1.4, "scale": 3.0}),
    ]
    spec = study(curves, options=settings(cycle_length=1 / 12, pps_follow_up=2.0))
    path = tmp_path / "book.xlsx"
    assert differences(spec, base(spec), path) < 1e-14
    assert not scan_package(read_package(path))
