"""The time, background, curve and trace sheets hold the engine's numbers, and follow changes.

Stored values come from the same terms as the formulas, so they are compared with the engine here;
that the formulas come to them, in every state of the selectors, is for a spreadsheet to say.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formula_scanner import scan_package
from small_studies import HERE, RandomStudy, settings, with_averages
from spreadsheet import Spreadsheet
from trace_registry import add_traces, settings_in_use, write_traces
from workbook_model import stored_differences
from xlsx_package import read_package

from heor.engine.evaluate import evaluate, traces
from heor.engine.mortality import population
from heor.engine.timeline import Timeline
from heor.report.live import Column
from heor.report.sheets.calc_curves import slots_of
from heor.report.sheets.calc_time import rows_needed
from heor.report.sheets.layout import Context
from heor.report.xlsx import cell_name, writing
from heor.spec import draws as draw_sets
from heor.spec.changes import apply_changes
from heor.spec.parameters import Draws, FloatArray
from heor.spec.reader import read_study
from heor.spec.records import Change, Curve, DiscountRate, Scenario, Spec
from heor.spec.structure_rows import with_use

STUDIES = Path(__file__).parents[2] / "inputs"

#: Random studies that a spreadsheet computes.
SEEDS = (0, 2, 5, 11, 17, 23)

#: Share of people that a stored value may miss the engine's.
CLOSE = 1e-13

CHOICES: dict[str, tuple[Any, ...]] = {
    "discounting": ("mid_cycle", "start_of_cycle", "annual", "continuous"),
    "cycle_correction": ("trapezoid", "start", "end"),
    "crossing": ("cap", "keep_higher"),
    "background_mortality": ("floor", "add", "none"),
    "discount_rate_costs": (
        DiscountRate(first=0.05),
        DiscountRate(first=0.05, step_year=1.3, later=0.01),
    ),
}


def with_candidates(seed: int) -> tuple[Spec, Draws]:
    """A random study with a second candidate for every curve, of other family and modifiers."""
    made = RandomStudy(seed, mixed=True)
    more: list[Curve] = []
    for first in made.spec.curves:
        again = first.endpoint == "os" and first.group in _pfs_groups(made.spec, first.strategy)
        build = made.post_progression if again and made.chance(0.3) else None
        if build is not None:
            second = build(first.strategy, first.group, first.weight)
        else:
            second = made.curve(first.strategy, first.endpoint, first.group, first.weight)
            second = made.excess(second, made.spec.settings)
        more.append(dataclasses.replace(second, id=f"{second.id}_second", use=False))
    km = {(k.strategy, k.endpoint, k.group): k for k in made.km}
    spec = dataclasses.replace(made.spec, curves=(*made.spec.curves, *more), km=km)
    return spec, made.draws(1)


def _pfs_groups(spec: Spec, strategy: str) -> set[str]:
    return {c.group for c in spec.curves if (c.strategy, c.endpoint) == (strategy, "pfs")}


def flipped(spec: Spec, rng: random.Random) -> Spec:
    """The study with other choices, some other curves, and a shorter horizon or other cycle."""
    changes = {key: rng.choice(values) for key, values in CHOICES.items()}
    horizon = spec.settings.horizon * rng.uniform(0.3, 1.0)
    options = dataclasses.replace(spec.settings, horizon=horizon, **changes)
    second = {
        (c.strategy, c.endpoint, c.group)
        for c in spec.curves
        if c.id.endswith("_second") and rng.random() < 0.5
    }
    several = {(c.strategy, c.endpoint, c.group) for c in spec.curves if not c.use}
    curves = tuple(
        with_use(c, c.id.endswith("_second") == ((c.strategy, c.endpoint, c.group) in second))
        if (c.strategy, c.endpoint, c.group) in several
        else c
        for c in spec.curves
    )
    return dataclasses.replace(spec, settings=options, curves=curves)


def expected(spec: Spec, draws: Draws) -> dict[str, FloatArray]:
    """Columns as the engine has them, up to the horizon, by key of the live chain."""
    timeline, s = Timeline(spec.settings), spec.settings
    found: dict[str, FloatArray] = {"t": timeline.years}
    for name, trace in traces(spec, draws).items():
        for endpoint, curve in trace.endpoints.items():
            found[f"endpoint {name} {endpoint}"] = curve[0]
        for (endpoint, group), curve in trace.group_curves.items():
            found[f"group {name} {endpoint} {group}"] = curve[0]
        for state, share in trace.occupancy.items():
            found[f"state {name} {state}"] = share[0]
        if trace.background is not None:
            found["background"] = trace.background[0]
    for kind, rate in (
        ("costs", s.discount_rate_costs),
        ("outcomes", s.discount_rate_outcomes),
        ("plain", None),
    ):
        time = timeline.person_time(rate)
        found[f"left {kind}"], found[f"right {kind}"] = time.left, time.right
        found[f"weight {kind}"] = time.weights()
        if rate is not None:
            found[f"factor {kind}"] = timeline.cycle_factors(rate)
    if spec.has_population:
        people = population(spec, lambda e: e.evaluate(draws.values, 1)[:, None])
        found["norm"] = people.norms(timeline.mid_years)[0]
    return found


def furthest(ctx: Context, spec: Spec, draws: Draws) -> float:
    """Largest difference between stored values and the engine's."""
    worst = 0.0
    for key, curve in expected(spec, draws).items():
        values = ctx.columns[key].values
        worst = max(worst, float(np.abs(values[: len(curve)] - curve).max()))
        if key.split()[0] in ("left", "right", "factor", "weight"):
            assert not values[len(curve) :].any(), key
    outcomes = evaluate(spec, draws)
    shares = outcomes.diagnostics["crossing_share"][0]
    for strategy, share in zip(outcomes.strategies, shares, strict=True):
        worst = max(worst, abs(ctx.live[f"crossing share {strategy}"].value - share))
        for key in ("dead falls", "crossing error"):
            assert ctx.live[f"{key} {strategy}"].value == 0
        assert ctx.live[f"sum off {strategy}"].value < CLOSE
    assert ctx.live["rows missing"].value == ctx.live["steps missing"].value == 0
    return worst


@pytest.mark.parametrize("seed", range(40))
def test_random_studies_have_the_engine_s_numbers(tmp_path: Path, seed: int) -> None:
    spec, draws = with_candidates(seed)
    with writing(tmp_path / "a.xlsx") as book:
        assert furthest(add_traces(book, spec, draws), spec, draws) < CLOSE
    other = flipped(spec, random.Random(seed))
    with writing(tmp_path / "b.xlsx") as book:
        assert furthest(add_traces(book, other, draws), other, draws) < CLOSE


@pytest.mark.parametrize("seed", range(8))
def test_averages_have_the_engine_s_numbers(tmp_path: Path, seed: int) -> None:
    """With the average in use, and with one of its candidates."""
    spec, draws = with_averages(seed, 1)
    with writing(tmp_path / "a.xlsx") as book:
        assert furthest(add_traces(book, spec, draws), spec, draws) < CLOSE
    alone = tuple(with_use(c, c.use) for c in spec.curves)
    spec = dataclasses.replace(spec, curves=alone)
    assert not any(c.average for c in spec.curves)
    with writing(tmp_path / "b.xlsx") as book:
        assert furthest(add_traces(book, spec, draws), spec, draws) < CLOSE


SHIPPED_CHANGES = (
    {},
    {"crossing": "keep_higher", "discounting": "continuous", "cycle_correction": "end"},
    {"background_mortality": "add", "discounting": "annual", "horizon": "10 years"},
    {"background_mortality": "none", "cycle_length": "1 month", "discounting": "start_of_cycle"},
    {"discount_rate_costs": "3.5%; from 30: 3%", "cycle_correction": "start"},
    {
        "curve:lifileucel.response.responder": "lif_response_responder_cure",
        "curve:lifileucel.pfs.responder": "lif_pfs_responder_cure",
    },
    {
        "curve:lifileucel.os.responder": "lif_os_responder_weibull",
        "curve:lifileucel.pfs.responder": "lif_pfs_responder_no_plateau",
    },
)


def changed_by(spec: Spec, changes: dict[str, str]) -> Spec:
    found = [Change(target=k, value=v, place=HERE) for k, v in changes.items()]
    return apply_changes(spec, found)


@pytest.fixture(scope="module")
def shipped() -> Spec:
    return read_study(STUDIES / "lifileucel_nsclc")


@pytest.mark.parametrize("changes", SHIPPED_CHANGES)
def test_the_shipped_study_has_the_engine_s_numbers(
    tmp_path: Path, shipped: Spec, changes: dict[str, str]
) -> None:
    spec = apply_changes(
        shipped, [Change(target=k, value=v, place=HERE) for k, v in changes.items()]
    )
    with writing(tmp_path / "a.xlsx") as book:
        ctx = add_traces(book, spec, draw_sets.base(spec))
    assert furthest(ctx, spec, draw_sets.base(spec)) < CLOSE
    places = [c.place for c in ctx.columns.values() if c.sheet.title == "Calc Trace lifileucel"]
    assert max(places) < 75


def test_a_moment_just_short_of_a_whole_year_counts_as_that_year(tmp_path: Path) -> None:
    cycle = 1 / 49
    assert 49 * cycle < 1
    made = RandomStudy(0)
    options = settings(cycle_length=cycle, horizon=3.0, discounting="annual")
    spec = dataclasses.replace(made.spec, settings=options, life_table=None)
    draws = made.draws(1)
    with writing(tmp_path / "a.xlsx") as book:
        assert furthest(add_traces(book, spec, draws), spec, draws) < CLOSE


def test_every_scenario_fits_into_the_rows() -> None:
    spec = RandomStudy(0).spec
    spec = dataclasses.replace(spec, settings=settings(horizon=10.0, cycle_length=1.0))
    assert rows_needed(spec) == 11
    changes = [("long", "horizon", "12.5 years"), ("fine", "cycle_length", "0.5 years")]
    scenarios = tuple(
        Scenario(name=name, purpose="", changes=(Change(target=key, value=value, place=HERE),))
        for name, key, value in changes
    )
    assert rows_needed(dataclasses.replace(spec, scenarios=scenarios[:1])) == 14
    assert rows_needed(dataclasses.replace(spec, scenarios=scenarios)) == 21


def test_slots_stand_from_inside_out_whichever_candidate_is_chosen() -> None:
    spec, _ = with_candidates(3)
    again = flipped(spec, random.Random(1))
    for strategy in spec.strategy_ids():
        slots = slots_of(spec, strategy)
        assert list(slots) == list(slots_of(again, strategy))
        endpoints = list(dict.fromkeys(endpoint for endpoint, _ in slots))
        assert endpoints[-1] == "os"
        assert all(len(slot.candidates) == 2 for slot in slots.values())


# --- in a spreadsheet -------------------------------------------------------------------


@pytest.fixture(scope="module")
def calc() -> Iterator[Spreadsheet]:
    with Spreadsheet() as running:
        yield running


def cells_of(column: Column, count: int) -> tuple[str, str]:
    """Sheet and address of the first rows of a column."""
    first = cell_name(column.first, column.place)
    return column.sheet.title, f"{first}:{cell_name(column.first + count - 1, column.place)}"


def place_of(ctx: Context, key: str) -> tuple[str, str]:
    title, _, address = ctx.live[key].text.rpartition("!")
    return title.strip("'"), address.replace("$", "")


def columns_read(calc: Spreadsheet, ctx: Context, spec: Spec, changed: Spec, draws: Draws) -> None:
    """Set a spreadsheet's cells to the changed study and compare its columns with the engine."""
    before = settings_in_use(spec, draws)
    after = settings_in_use(changed, draws, rows_needed(spec) - 1)
    wanted = expected(changed, draws)
    reply = calc.change(
        {place_of(ctx, key): after[key] for key in after if after[key] != before[key]},
        [cells_of(ctx.columns[key], len(curve)) for key, curve in wanted.items()]
        + [place_of(ctx, f"crossing share {name}") for name in spec.strategy_ids()],
    )
    assert reply.error_cells == []
    tables = iter(reply.values)
    for (key, curve), table in zip(wanted.items(), tables, strict=False):
        found = np.array([row[0] for row in table])
        np.testing.assert_allclose(found, curve, rtol=1e-9, atol=1e-12, err_msg=key)
    shares = evaluate(changed, draws).diagnostics["crossing_share"][0]
    for share, table in zip(shares, reply.values[len(wanted) :], strict=True):
        assert abs(table[0][0] - share) < 1e-10


@pytest.mark.libreoffice
@pytest.mark.slow
def test_a_spreadsheet_computes_the_same_and_follows_changes(
    calc: Spreadsheet, tmp_path: Path
) -> None:
    studies = {f"{seed} ": with_candidates(seed) for seed in SEEDS}
    path = tmp_path / "random.xlsx"
    contexts = write_traces(path, studies)
    package = read_package(path)
    assert [str(fault) for fault in scan_package(package)][:10] == []
    calc.open(path)
    assert stored_differences(calc, package)[:10] == []
    for seed, (spec, draws) in zip(SEEDS, studies.values(), strict=True):
        rng = random.Random(seed)
        for _ in range(3):
            columns_read(calc, contexts[f"{seed} "], spec, flipped(spec, rng), draws)


@pytest.mark.libreoffice
@pytest.mark.slow
def test_a_spreadsheet_computes_the_shipped_study(
    calc: Spreadsheet, tmp_path: Path, shipped: Spec
) -> None:
    draws = draw_sets.base(shipped)
    path = tmp_path / "shipped.xlsx"
    contexts = write_traces(path, {"": (shipped, draws)})
    package = read_package(path)
    assert [str(fault) for fault in scan_package(package)][:10] == []
    calc.open(path)
    assert stored_differences(calc, package)[:10] == []
    for changes in SHIPPED_CHANGES[1::2]:
        columns_read(calc, contexts[""], shipped, changed_by(shipped, changes), draws)


@pytest.mark.libreoffice
def test_what_the_sheets_cannot_do_is_said(calc: Spreadsheet, tmp_path: Path) -> None:
    spec, draws = with_candidates(1)
    ctx = write_traces(tmp_path / "a.xlsx", {"": (spec, draws)})[""]
    calc.open(tmp_path / "a.xlsx")
    longer = {place_of(ctx, "cycles asked"): float(rows_needed(spec))}
    crossing = {place_of(ctx, "crossing"): "error"}
    names = spec.strategy_ids()
    read = [place_of(ctx, f"crossing error {name}") for name in names]
    shares = [ctx.live[f"crossing share {name}"].value for name in names]
    assert any(shares)
    assert calc.change(longer, [place_of(ctx, "rows missing")]).values == [[[1.0]]]
    found = [table[0][0] for table in calc.change(crossing, read).values]
    assert found == [float(share > 0) for share in shares]
    slot = next(iter(slots_of(spec, names[0]).values()))
    title, address = place_of(ctx, "curves family")
    row = int(ctx.live[f"row {slot.name}"].value)
    first = address.partition(":")[0]
    family = (title, f"{first.rstrip('0123456789')}{row + 1}")
    other = calc.change({family: "unheard_of"}, [place_of(ctx, "steps missing")])
    assert other.values == [[[1.0]]]
