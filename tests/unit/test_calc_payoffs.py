"""From traces to ICER in formulas: their values are the engine's, and LibreOffice agrees."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from libreoffice import recalculate, recalculates
from live_registry import Registry, with_fourth_strategy, write_payoffs
from small_studies import RandomStudy, cost, curve, event, fixed, settings, study, utility

from heor.analyses import accrual, base_case, cea
from heor.analyses.results import IncrementalRow
from heor.engine.evaluate import evaluate
from heor.errors import Place
from heor.report.live import cell
from heor.report.sheets import calc_schedules
from heor.report.sheets import price as price_words
from heor.report.sheets.calc_cea import Ranked, write_ranked
from heor.report.sheets.constants import CONSTANTS, Constants
from heor.report.sheets.layout import Context
from heor.report.xlsx import Style, writing
from heor.spec import draws as draw_sets
from heor.spec.changes import apply_changes
from heor.spec.reader import read_study, shipped_studies
from heor.spec.records import Change, Scenario, Spec

NUMBER = Style("value")
CONVENTIONS = [
    *(("discounting", v) for v in ("mid_cycle", "start_of_cycle", "annual", "continuous")),
    *(("cycle_correction", v) for v in ("trapezoid", "start", "end")),
    *(("crossing", v) for v in ("cap", "keep_higher")),
    *(("background_mortality", v) for v in ("floor", "add", "none")),
    *(("age_adjusted_utilities", v) for v in ("yes", "no")),
    *(("utility_cap", v) for v in ("population_norm", "none")),
]


@pytest.fixture(scope="module")
def shipped() -> Spec:
    """The shipped study in cycles of three months, for speed."""
    return changed(read_study(shipped_studies() / "lifileucel_nsclc"), cycle_length="3 months")


def changed(spec: Spec, **values: str) -> Spec:
    return apply_changes(
        spec, [Change(target=k, value=v, place=Place("test")) for k, v in values.items()]
    )


def written(spec: Spec, path: Path) -> Context:
    with writing(path / "book.xlsx") as book:
        return write_payoffs(spec, book)


def live_key(name: str, strategy: str) -> str:
    """Key of an outcome among the live cells."""
    name = name.replace("_undiscounted", " undiscounted")
    if ":" not in name:
        return f"total {name} {strategy}"
    total, part = name.split(":", 1)
    return f"{total.replace('cost_in', 'cost by state')}:{part} {strategy}"


def assert_engine_s(ctx: Context, tolerance: float = 1e-11) -> None:
    """Every outcome of the engine stands in a cell, to a share of its total."""
    spec = ctx.results.spec
    outcomes = evaluate(spec, draw_sets.base(spec))
    for strategy in spec.strategy_ids():
        for name in outcomes.names:
            wanted = float(outcomes.of(strategy, name)[0])
            total = name.split(":")[0].replace("cost_in", "cost")
            scale = max(abs(wanted), 1e-3 * abs(float(outcomes.of(strategy, total)[0])), 1e-9)
            found = ctx.live[live_key(name, strategy)].value
            assert abs(found - wanted) <= tolerance * scale, (strategy, name, found, wanted)


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_payoffs_of_random_studies_are_the_engine_s(seed: int, tmp_path: Path) -> None:
    spec = RandomStudy(seed).spec
    if seed % 4 == 0:
        spec = with_fourth_strategy(spec)
    ctx = written(spec, tmp_path)
    assert_engine_s(ctx)
    if "schedule rows missing" in ctx.live:
        assert ctx.live["schedule rows missing"].value == 0


@pytest.mark.parametrize(("setting", "value"), CONVENTIONS)
def test_payoffs_follow_every_convention(
    shipped: Spec, setting: str, value: str, tmp_path: Path
) -> None:
    assert_engine_s(written(changed(shipped, **{setting: value}), tmp_path))


@pytest.mark.parametrize("setting", ["discounting", "cycle_correction"])
def test_random_studies_follow_conventions(setting: str, tmp_path: Path) -> None:
    for seed, value in enumerate(v for s, v in CONVENTIONS if s == setting):
        spec = RandomStudy(100 + seed).spec
        options = dataclasses.replace(spec.settings, **{setting: value})
        assert_engine_s(written(dataclasses.replace(spec, settings=options), tmp_path))


@pytest.mark.slow
def test_payoffs_of_the_shipped_study_as_it_is(tmp_path: Path) -> None:
    spec = read_study(shipped_studies() / "lifileucel_nsclc")
    ctx = written(spec, tmp_path)
    assert_engine_s(ctx)
    sheet = openpyxl.load_workbook(tmp_path / "book.xlsx", data_only=True)["Results"]
    first = row_of(sheet, "When the gain accrues") + 3
    for offset, one in enumerate(accrual.run(spec)):
        row = [sheet.cell(first + offset, column).value for column in range(2, 8)]
        wanted = (one.year, one.delta_qaly, one.qaly_share, one.delta_ly, one.ly_share)
        assert row[:5] == pytest.approx(wanted, rel=1e-11)
        assert row[5] == "within the horizon"


def row_of(sheet, text: str) -> int:
    return next(r for r in range(1, sheet.max_row + 1) if sheet.cell(r, 1).value == text)


def test_rows_of_costs_outside_the_perspective_are_left_out(tmp_path: Path) -> None:
    spec = RandomStudy(3).spec
    options = dataclasses.replace(spec.settings, perspective="payer")
    marks = ["payer", "society", "", "payer; society"]
    costs = [dataclasses.replace(c, perspective=marks[i % 4]) for i, c in enumerate(spec.costs)]
    assert_engine_s(
        written(dataclasses.replace(spec, settings=options, costs=tuple(costs)), tmp_path)
    )


@pytest.mark.parametrize(("every", "missing"), [(0.5, 0), (0.499, 1), (0.25, 1), (0.7, 0)])
def test_a_schedule_that_outgrows_its_rows_is_counted(
    every: float, missing: int, tmp_path: Path
) -> None:
    spec = study(
        [curve(s, "os", "exponential", {"rate": 0.2}) for s in ("a", "b")],
        options=settings(cycle_length=0.1),
        endpoints=("os",),
        costs=[cost("all", "schedule", 10.0, state="os", every=0.5)],
    )
    with writing(tmp_path / "book.xlsx") as book:
        ctx = Registry(spec, book).ctx
        ctx.live["costs 0 every"] = dataclasses.replace(ctx.live["costs 0 every"], value=every)
        calc_schedules.write_schedules(ctx, book.sheet(calc_schedules.SCHEDULES))
        assert len(ctx.columns["schedule counts 0"].values) == 20, "twice a year for ten years"
        assert ctx.live["schedule rows missing"].value == missing


@pytest.mark.parametrize(
    ("start", "until", "gaps"), [(2.0, 2.0, 0), (2.0, 3.0, 10), (3.0, 2.0, 10), (2.0, 2.05, 1)]
)
def test_cycles_without_exactly_one_utility_are_counted(
    start: float, until: float, gaps: int, tmp_path: Path
) -> None:
    spec = study(
        [curve(s, "os", "exponential", {"rate": 0.2}) for s in ("a", "b")],
        options=settings(cycle_length=0.1),
        endpoints=("os",),
        utilities=[
            utility("all", "progressed", 0.7, 0.0, until),
            utility("all", "progressed", 0.6, start),
            utility("b", "progressed", 0.5),
        ],
    )
    assert written(spec, tmp_path).live["utility gaps"].value == gaps


# --- dominance -----------------------------------------------------------------------------------


def cost_sets(count: int, seed: int = 1) -> list[tuple[list[float], list[float]]]:
    """Random costs and QALYs of 2 to 10 strategies: free, on a grid, on lines, with copies."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        kind = rng.choice(["free", "grid", "grid", "line", "copies"])
        costs: list[float] = []
        qalys: list[float] = []
        for _ in range(rng.randint(2, 10)):
            if kind == "free":
                costs.append(rng.uniform(-1e5, 1e6))
                qalys.append(rng.uniform(0, 10))
            elif kind == "grid":
                costs.append(rng.randint(0, 4) * 1000.0)
                qalys.append(rng.randint(0, 4) * 0.5)
            elif kind == "line":
                step = rng.randint(0, 6)
                costs.append(step * 50_000.0 + (rng.random() < 0.2) * 7_000)
                qalys.append(1 + step * 0.7)
            elif costs and rng.random() < 0.5:
                copied = rng.randrange(len(costs))
                costs.append(costs[copied])
                qalys.append(qalys[copied] + rng.choice([0, 4e-10, -4e-10]))
            else:
                costs.append(rng.uniform(0, 1e5))
                qalys.append(rng.uniform(0, 5))
        out.append((costs, qalys))
    return out


def words(row: IncrementalRow) -> str:
    text = row.status
    if row.dominated_by:
        text += " by " + " and ".join(row.dominated_by)
    return f"{text}; {row.note}" if row.note else text


def write_sets(book, sets) -> list[Ranked]:
    constants = Constants(book.sheet(CONSTANTS))
    tables = []
    for number, (costs, qalys) in enumerate(sets):
        sheet = book.sheet(f"Calc CEA {number}")
        terms = []
        for column, values in ((40, costs), (41, qalys)):
            for row, value in enumerate(values):
                sheet.number(row, column, value, NUMBER)
            terms.append([cell(sheet, row, column, v) for row, v in enumerate(values)])
        ids = [f"s{i}" for i in range(len(costs))]
        tables.append(write_ranked(sheet, 5, constants, ids, *terms))
    return tables


def test_dominance_is_that_of_the_incremental_table(tmp_path: Path) -> None:
    sets = cost_sets(200)
    statuses = set()
    with writing(tmp_path / "sets.xlsx") as book:
        for (costs, qalys), table in zip(sets, write_sets(book, sets), strict=True):
            wanted = cea.incremental_table([f"s{i}" for i in range(len(costs))], costs, qalys)
            order = np.argsort(table.all("row").value)
            found = {key: list(table.all(key).value[order]) for key in table.columns}
            labels = table.all("label").value
            assert found["label"] == [row.id for row in wanted], (costs, qalys)
            assert found["words"] == [words(row) for row in wanted], (costs, qalys)
            against = [None if rank == 0 else labels[int(rank) - 1] for rank in found["against"]]
            assert against == [row.versus for row in wanted]
            icers = [
                None if rank == 0 else icer
                for rank, icer in zip(found["against"], found["icer"], strict=True)
            ]
            assert icers == [row.icer for row in wanted]
            statuses |= {(row.status, bool(row.note)) for row in wanted}
    assert len(statuses) == 6, "every status, with and without a note, was met"


# --- price ---------------------------------------------------------------------------------------


def priced(amount: str = "dose * price", **changes) -> Spec:
    """Two strategies; the drug of b costs ``amount`` a month, its side effects follow the price."""
    spec = study(
        [
            curve(s, e, "exponential", {"rate": rate})
            for s, e, rate in (
                ("a", "pfs", 0.8),
                ("a", "os", 0.4),
                ("b", "pfs", 0.5),
                ("b", "os", 0.3),
            )
        ],
        options=settings(
            price_parameter="price", thresholds=(0.0, 20_000.0, 50_000.0), severity_weight=1.2
        ),
        utilities=[
            utility("all", "progression_free", 0.8),
            utility("all", "progressed", "u"),
        ],
        costs=[
            cost("b", "in_state", amount, state="pfs", per="month"),
            cost("b", "exit", "derived / 4", state="pfs"),
            cost("all", "entry", 4000.0, state="dead"),
            cost("b", "start", 8000.0),
        ],
        events=[event("b", 0.1, "derived", 0.1, 20.0)],
        parameters=[
            fixed("price", 900.0),
            fixed("dose", 2.0),
            fixed("u", 0.6),
            dataclasses.replace(fixed("derived", 0.0), **derived("price * 2")),
        ],
    )
    return dataclasses.replace(spec, **changes)


def derived(text: str) -> dict:
    from small_studies import expression

    return {"expression": expression(text), "value": 1800.0}


def inmb_at(spec: Spec, price: float, threshold: float, strategy: str) -> tuple[float, float]:
    """Net benefit of the engine at a price, and the size of what it is a difference of."""
    values = dict(draw_sets.base(spec).values)
    values[spec.settings.price_parameter] = np.array([price])
    given = {i: v for i, v in values.items() if spec.parameters[i].expression is None}
    outcomes = evaluate(spec, draw_sets.Draws(draw_sets.derive(spec, given)))
    weight, reference = spec.settings.severity_weight, spec.settings.reference
    money = {s: float(outcomes.of(s, "cost")[0]) for s in (strategy, reference)}
    worth = {s: threshold * weight * float(outcomes.of(s, "qaly")[0]) for s in money}
    net = {s: worth[s] - money[s] for s in money}
    return net[strategy] - net[reference], sum(map(abs, money.values()))


def assert_prices_meet(ctx: Context) -> int:
    """Check each price by evaluating the engine at it; give how many were numbers."""
    spec, count = ctx.results.spec, 0
    for place, threshold in enumerate(spec.settings.thresholds):
        for strategy in ctx.others:
            found = ctx.live[f"price {place} {strategy}"].value
            if isinstance(found, str):
                continue
            inmb, size = inmb_at(spec, found, threshold, strategy)
            assert abs(inmb) <= 1e-9 * size, (place, strategy, found)
            count += 1
    return count


def test_price_meets_the_threshold(tmp_path: Path) -> None:
    ctx = written(priced(), tmp_path)
    assert_engine_s(ctx)
    assert ctx.live["price 0 b"].value == price_words.NO_PRICE
    assert assert_prices_meet(ctx) == 2


def test_price_of_the_shipped_studies(shipped: Spec, tmp_path: Path) -> None:
    high = changed(shipped, thresholds="300000; 600000; 900000; 1200000")
    for spec in (high, read_study(shipped_studies() / "three_strategies")):
        ctx = written(spec, tmp_path)
        assert assert_prices_meet(ctx) >= 2
        text = {ctx.live[f"price {p} {s}"].value for p in range(4) for s in ctx.others}
        if spec is not high:
            assert price_words.NO_EFFECT in text, "the price of one drug does not move the other"


@pytest.mark.parametrize(
    ("amount", "wanted"),
    [
        ("max(price, 1000)", price_words.NOT_LINEAR),
        ("if(price > 1000, 2, 1) * price", price_words.NOT_LINEAR),
        ("100000 / price", price_words.NOT_LINEAR),
        ("price ^ 1", float),
    ],
)
def test_price_that_costs_do_not_follow_in_a_line(amount, wanted, tmp_path: Path) -> None:
    found = written(priced(amount), tmp_path).live["price 2 b"].value
    assert found == wanted if isinstance(wanted, str) else isinstance(found, float)


def test_price_of_the_comparator_is_met_from_below(tmp_path: Path) -> None:
    spec = priced()
    spec = dataclasses.replace(spec, settings=dataclasses.replace(spec.settings, reference="b"))
    ctx = written(spec, tmp_path)
    assert assert_prices_meet(ctx) == 2
    assert ctx.live["price 0 a"].value == price_words.EVERY_PRICE


@pytest.mark.parametrize("where", ["curve", "utility", "probability"])
def test_price_that_drives_more_than_costs_is_refused(where: str, tmp_path: Path) -> None:
    spec = priced()
    changes = {
        "curve": {
            "curves": (
                *spec.curves[:-1],
                curve("b", "os", "exponential", {"rate": "0.3 + 0 * derived"}),
            )
        },
        "utility": {
            "utilities": (spec.utilities[0], utility("all", "progressed", "0.6 + 0 * price"))
        },
        "probability": {"adverse_events": (event("b", "0.1 + 0 * price", 1.0, 0.1, 20.0),)},
    }
    ctx = written(dataclasses.replace(spec, **changes[where]), tmp_path)
    assert not [key for key in ctx.live if key.startswith("price ")]
    sheet = openpyxl.load_workbook(tmp_path / "book.xlsx", data_only=True)["Results"]
    texts = [str(sheet.cell(r, 1).value) for r in range(1, sheet.max_row + 1)]
    assert any(text.startswith("The price also drives") for text in texts)


def test_price_under_scenarios_that_set_what_it_drives(tmp_path: Path) -> None:
    change = Change(target="derived", value="price * 3", place=Place("test"))
    other = Change(target="derived", value="5000", place=Place("test"))
    scenarios = (
        Scenario(name="thrice", purpose="", changes=(change,)),
        Scenario(name="set", purpose="", changes=(other,)),
    )
    ctx = written(priced(scenarios=scenarios), tmp_path)
    assert assert_prices_meet(ctx) == 2
    formulas = openpyxl.load_workbook(tmp_path / "book.xlsx")["Calc Price"]
    texts = [str(c.value) for row in formulas.iter_rows() for c in row if c.data_type == "f"]
    assert any(',"thrice")' in text and ',"set")' in text for text in texts)


# --- recalculation -------------------------------------------------------------------------------


@pytest.mark.libreoffice
@pytest.mark.slow
def test_every_formula_recalculates_to_its_stored_value(tmp_path: Path) -> None:
    assert recalculates(tmp_path)
    path = tmp_path / "payoffs.xlsx"
    with writing(path) as book:
        for seed in (1, 4, 7):
            # no copy of a strategy here: whether their costs tie hangs on the last bit of a sum
            write_payoffs(RandomStudy(seed).spec, book)
        for amount in ("dose * price", "100000 / price"):
            write_payoffs(priced(amount), book)
        write_payoffs(
            changed(
                read_study(shipped_studies() / "lifileucel_nsclc"),
                cycle_length="3 months",
                age_adjusted_utilities="yes",
            ),
            book,
        )
        write_sets(book, cost_sets(60, seed=2))
    again = openpyxl.load_workbook(recalculate(path, tmp_path / "again"), data_only=True)
    stored = openpyxl.load_workbook(path, data_only=True)
    wrong = []
    count = 0
    for sheet in openpyxl.load_workbook(path):
        for row in sheet.iter_rows():
            for one in row:
                if one.data_type != "f":
                    continue
                count += 1
                old, new = (b[sheet.title][one.coordinate].value for b in (stored, again))
                if isinstance(old, int | float) and isinstance(new, int | float):
                    # differences of totals keep the error of the totals
                    money = sheet.title.startswith(("Costs", "Results", "Calc Costs", "Calc CEA"))
                    right = abs(old - new) <= 1e-9 * abs(old) + (1e-8 if money else 1e-13)
                else:
                    right = old is not None and old == new
                if not right:
                    wrong.append((sheet.title, one.coordinate, one.value, old, new))
    assert count > 20_000
    assert not wrong, wrong[:5]


def test_base_case_of_random_studies_stands_in_results(tmp_path: Path) -> None:
    for seed in (2, 5, 8):
        spec = RandomStudy(seed).spec
        ctx = written(spec, tmp_path)
        base = base_case.run(spec)
        sheet = openpyxl.load_workbook(tmp_path / "book.xlsx", data_only=True)["Results"]
        first = row_of(sheet, "Fully incremental analysis") + 3
        for offset, one in enumerate(base.incremental):
            row = [sheet.cell(first + offset, column).value for column in range(1, 9)]
            assert row[0] == ctx.label(one.id)
            assert row[1:3] == pytest.approx((one.cost, one.qaly), rel=1e-11)
            assert row[6] == ("–" if one.icer is None else pytest.approx(one.icer, rel=1e-9))
            assert row[7] == words(one)
        first = row_of(sheet, f"Each strategy against {spec.settings.reference}") + 3
        for offset, pair in enumerate(base.pairwise):
            row = [sheet.cell(first + offset, column).value for column in range(1, 13)]
            assert row[1:5] == pytest.approx(
                (pair.delta_cost, pair.delta_ly, pair.delta_qaly, pair.evlyg), rel=1e-9
            )
            assert row[11] == pair.status
        first = row_of(sheet, "Severity weight on QALYs") + 2
        for offset, best in enumerate(base.best):
            last = max(c for c in range(1, 20) if sheet.cell(first + offset, c).value is not None)
            assert sheet.cell(first + offset, last).value == best
