"""The workbook gives what the engine gives, whatever is changed in it.

The shipped study's workbook is loaded once in LibreOffice; each change is made in its cells alone,
calculated, and compared with the engine run on the same change. No change may leave an error value
in any cell.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

from spreadsheet import Spreadsheet
from trials import (
    curve_trials,
    derived_trials,
    draw_trials,
    mixed_trial,
    parameter_trials,
    scenario_trials,
    setting_trials,
    table_edit,
    table_trials,
)
from workbook_model import Model, Trial, difference, replicate, stored_differences

#: Relative difference allowed between the workbook and the engine.
TOLERANCE = 1e-8

SETTINGS = {
    "discounting": ("mid_cycle", "start_of_cycle", "annual", "continuous"),
    "cycle_correction": ("trapezoid", "start", "end"),
    "background_mortality": ("floor", "none", "add"),
    "crossing": ("cap", "keep_higher"),
    "horizon": ("8 years", "25.5 years", "18 months", "400 weeks"),
    "cycle_length": ("1 month", "2 weeks", "0.5 years"),
    "discount_rate_costs": ("0%", "5%", "0.015", "3.5%; from 20: 3%"),
    "discount_rate_outcomes": ("0%", "6.5%", "0.035", "3.5%; from 7.5: 1%"),
    "age_adjusted_utilities": ("yes",),
    "utility_cap": ("none", "population_norm"),
    "severity_weight": ("1.7",),
    "evlyg_utility": ("0.9",),
    "smr": ("1.5",),
    "start_age": ("50.5", "78"),
    "male_share": ("0", "0.9"),
}

#: What one of the settings needs to matter: crossing curves, and a cured share.
MIXED: dict[str, tuple[dict[str, str], dict[str, float]]] = {
    "price, scenario and horizon": (
        {"scenario": "No half-cycle correction", "horizon": "12 years"},
        {"c_lif": 400_000.0},
    ),
    "crossing curves kept higher": (
        {"curve:lifileucel.os.responder": "lif_os_responder_weibull", "crossing": "keep_higher"},
        {},
    ),
    "cure and its mortality ratio": (
        {
            "curve:lifileucel.response.responder": "lif_response_responder_cure",
            "curve:lifileucel.pfs.responder": "lif_pfs_responder_cure",
            "smr": "2",
            "discounting": "continuous",
        },
        {"lif_dor24": 0.6},
    ),
    "own choice over a scenario": (
        {"scenario": "Horizon 5 years", "horizon": "15 years", "cycle_correction": "end"},
        {"u_pd": 0.5},
    ),
    "old patients with age-adjusted utilities": (
        {"age_adjusted_utilities": "yes", "utility_cap": "none", "cycle_length": "1 month"},
        {"pop_age": 79.3, "pop_male": 0.1},
    ),
}

#: Cells of input tables: table, first cell of the row (or its number), column, new text.
CELLS = (
    ("settings", "horizon", "value", "22 years"),
    ("settings", "cycle_length", "value", "1 month"),
    ("settings", "discount_rate_costs", "value", "4%"),
    ("settings", "background_mortality", "value", "add"),
    ("curves", "doc_pfs_non_responder", "delay", "0.7"),
    ("curves", "doc_os_non_responder", "acceleration", "1.3"),
    ("curves", "doc_os_non_responder", "acceleration", ""),
    ("curves", "lif_os_not_infused", "hazard_ratio", "0.8"),
    ("curves", "lif_os_non_responder", "hazard_ratio", ""),
    ("curves", "lif_pfs_non_responder", "early_mortality", "0.02"),
    ("curves", "lif_os_non_responder", "early_period", "3"),
    ("curves", "lif_os_responder", "pfs_death_share", "0.25"),
    ("curves", "doc_pfs_responder", "time_unit", "week"),
    ("utilities", "#1", "value", "0.7"),
    ("utilities", "#3", "value", "0.45"),
    ("costs", "lif_product", "amount", "100000"),
    ("costs", "pf_care", "per", "week"),
    ("costs", "pf_care", "until", "30.5"),
    ("costs", "pf_care_late", "from", "20.2"),
    ("costs", "pf_care_late", "until", "100"),
    ("costs", "pd_care", "amount", "5000"),
    ("costs", "end_of_life", "amount", "0"),
    ("costs", "lif_later_responder", "amount", "20000"),
    ("adverse_events", "#1", "probability", "0.5"),
    ("adverse_events", "#2", "cost", "9000"),
    ("adverse_events", "#8", "disutility", "0.6"),
    ("adverse_events", "#8", "duration_days", "90"),
    ("adverse_events", "#8", "cost", ""),
    ("life_table", "70", "male", "0.2"),
    ("life_table", "64", "utility_female", "0.5"),
)


#: Cells that say what the model is made of. Live cells need not follow them, but must say so.
STRUCTURE = (
    ("settings", "horizon", "value", "60 years"),
    ("settings", "reference", "value", "lifileucel"),
    ("settings", "thresholds", "value", "60000; 90000; 120000; 150000"),
    ("curves", "doc_os_non_responder", "hazard_ratio", "0.8"),
    ("curves", "lif_os_not_infused", "cure_fraction", "0.1"),
    ("curves", "doc_os_responder", "early_mortality", "0.1"),
    ("curves", "doc_pfs_non_responder", "parameters", "meanlog=1; sdlog=0.8"),
    ("curves", "doc_os_non_responder", "family", "loglogistic"),
    ("curves", "doc_os_non_responder", "family", "gamma"),
    ("curves", "lif_os_responder", "pps_parameters", "rate=1/20"),
    ("curves", "doc_pfs_non_responder", "group", ""),
    ("curves", "lif_pfs_responder", "use", ""),
    ("costs", "pd_care", "state", "progression_free"),
    ("costs", "pf_care", "state", "os"),
    ("costs", "pf_care", "strategy", "docetaxel"),
    ("costs", "pf_care", "until", ""),
    ("costs", "doc_drug", "strategy", "all"),
    ("costs", "doc_later", "state", "os"),
    ("costs", "lif_later_responder", "group", "non_responder"),
    ("costs", "lif_later_responder", "group", ""),
    ("costs", "lif_product", "amount", "itt_pinf*c_lif*0.9"),
    ("costs", "pd_care", "category", "other"),
    ("utilities", "#3", "value", "u_pd*0.9"),
    ("utilities", "#2", "strategy", "docetaxel"),
    ("adverse_events", "#1", "strategy", "lifileucel"),
    ("adverse_events", "#1", "group", "responder"),
    ("parameters", "c_pd", "value", "8000+1000"),
    ("parameters", "c_doc_drug", "value", "2*c_inj"),
    ("states", "progressed", "endpoint", "pfs"),
    ("parameters", "c_pd", "value", ""),
    ("settings", "discount_rate_costs", "value", ""),
    ("settings", "male_share", "value", ""),
    ("utilities", "#1", "value", ""),
    ("costs", "pd_care", "amount", ""),
    ("costs", "pf_care", "per", ""),
    ("adverse_events", "#1", "probability", ""),
    ("life_table", "70", "male", ""),
)


Calcs = tuple[Spreadsheet, ...]


def check(calcs: Calcs, model: Model, trials: Iterator[Trial], capsys: Any) -> None:
    begun = time.monotonic()
    result = replicate(calcs, model, trials, TOLERANCE)
    with capsys.disabled():
        print(f"\n{result.table()}, {time.monotonic() - begun:.0f} s")
    assert result.changes
    assert not result.faults, "\n".join([f"{len(result.faults)} faults", *result.faults[:40]])


def test_every_parameter(shipped_calcs: Calcs, shipped: Model, capsys: Any) -> None:
    check(shipped_calcs, shipped, parameter_trials(shipped), capsys)


def test_typed_over_formulas(shipped_calcs: Calcs, shipped: Model, capsys: Any) -> None:
    check(shipped_calcs, shipped, derived_trials(shipped), capsys)


def test_every_scenario(shipped_calcs: Calcs, shipped: Model, capsys: Any) -> None:
    check(shipped_calcs, shipped, scenario_trials(shipped), capsys)


def test_twenty_draws(shipped_calcs: Calcs, shipped: Model, capsys: Any) -> None:
    rows = [17, *range(1, 20)]
    check(shipped_calcs, shipped, draw_trials(shipped, rows), capsys)


def test_every_candidate_curve(shipped_calcs: Calcs, shipped: Model, capsys: Any) -> None:
    check(shipped_calcs, shipped, curve_trials(shipped), capsys)


def test_settings(shipped_calcs: Calcs, shipped: Model, capsys: Any) -> None:
    check(shipped_calcs, shipped, setting_trials(shipped, SETTINGS), capsys)


def test_several_at_once(shipped_calcs: Calcs, shipped: Model, capsys: Any) -> None:
    trials = (mixed_trial(shipped, name, *changes) for name, changes in MIXED.items())
    check(shipped_calcs, shipped, trials, capsys)


def test_cells_of_input_tables(shipped_calcs: Calcs, shipped: Model, capsys: Any) -> None:
    check(shipped_calcs, shipped, table_trials(shipped, CELLS), capsys)


def test_what_live_cells_do_not_follow_is_said(shipped_calc: Spreadsheet, shipped: Model) -> None:
    """An edit either gives what the engine gives for it, or a check is not 0 any more.

    What is no input at all, such as words in place of a number, shows as errors in the checks too.
    """
    silent = []
    for edit in STRUCTURE:
        ((cell, value), wanted) = table_edit(shipped, edit)
        keys = [key for key in wanted if key in shipped.ctx.live]
        places = [shipped.live(key) for key in (*keys, *shipped.warnings)]
        values = shipped_calc.results({cell: value}, places).values
        found = dict(zip((*keys, *shipped.warnings), values, strict=True))
        gap = max((difference(found[key], wanted[key]) for key in keys), default=math.inf)
        said = [key for key in shipped.warnings if found[key] != 0]
        if not said and not gap <= TOLERANCE:
            silent.append((edit, gap))
    assert silent == []


def test_everything_is_as_it_was(shipped_calcs: Calcs, shipped: Model) -> None:
    """After all changes the workbook shows its stored values again."""
    for calc in shipped_calcs:
        assert stored_differences(calc, shipped.package)[:20] == []
