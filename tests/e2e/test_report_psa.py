"""The probabilistic sheets: formulas over stored draws say what the analyses say."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import openpyxl
import pytest
from libreoffice import recalculate, recalculates

from heor.analyses.ceac import acceptability
from heor.analyses.psa import summarise
from heor.engine.outcomes import Outcomes
from heor.report.live import put
from heor.report.sheets import acceptability as curves
from heor.report.sheets import ce_plane, convergence, psa, psa_summary, sensitivity
from heor.report.sheets.comparison import ratio_value
from heor.report.sheets.layout import Context
from heor.report.xlsx import Style, writing
from heor.spec.reader import read_study, shipped_studies
from heor.study import Plan, run_study

DRAWS = 60
SHEETS = {
    "PSA draws": psa.write_draws,
    "PSA results": psa.write_psa_results,
    "PSA summary": psa_summary.write_summary,
    "CE plane": ce_plane.write_plane,
    "CEAC & CEAF": curves.write_ceac,
    "EVPI": curves.write_evpi,
    "Convergence": convergence.write_convergence,
}


def with_strategies(results, count, seed=3):
    """The study with ``count`` made-up strategies, the last two of them equal in every draw.

    The second is so skewed that the likeliest to be best is not always the best on average, and
    is in one draw no different from the first as far as methods 6.2 sees.
    """
    rng = np.random.default_rng(seed)
    names = results.psa.outcomes.names
    values = rng.normal(2.0, 0.6, (DRAWS, count, len(names)))
    values[:, :, names.index("cost")] = rng.normal(90_000.0, 40_000.0, (DRAWS, count)).round(-3)
    qaly = names.index("qaly")
    values[:, 1, qaly] = rng.lognormal(0.0, 1.2, DRAWS)
    values[-1, 1, qaly] = values[-1, 0, qaly] + 5e-10
    values[:, -1] = values[:, -2]
    values[: DRAWS // 3, :, names.index("cost")] = 50_000.0
    first = results.spec.strategies[0]
    ids = tuple(f"s{place}" for place in range(count))
    spec = replace(results.spec, strategies=tuple(replace(first, id=i, label=i) for i in ids))
    outcomes = Outcomes(values, ids, names, ids[0], {})
    sample = replace(results.psa, outcomes=outcomes)
    base = replace(results.base, reference=ids[0])
    return replace(results, spec=spec, psa=sample, psa_summary=summarise(spec, sample), base=base)


@pytest.fixture(scope="module")
def studied():
    spec = read_study(shipped_studies() / "three_strategies")
    weight = replace(spec.settings, severity_weight=1.3)
    return run_study(replace(spec, settings=weight), Plan(draws=DRAWS))


@pytest.fixture(scope="module")
def stratified(studied):
    plan = Plan(draws=DRAWS + 1, sampler="latin_hypercube", skip=("scenarios", "dsa"))
    return run_study(studied.spec, plan)


def write(results, path):
    """Write the probabilistic sheets alone, over a sheet of the cells they need from others."""
    with writing(path) as book:
        ctx = Context(results=results, book=book, traces={}, names={})
        sheet = book.sheet("Others")
        cells = {"severity_weight": results.spec.settings.severity_weight}
        cells["inputs changed"] = 0.0
        cells |= {f"threshold {i}": k for i, k in enumerate(results.base.thresholds)}
        for one in results.psa_summary.increments:
            cells[f"delta cost {one.id}"], cells[f"delta qaly {one.id}"] = 1000.0, 0.5
            cells[f"icer {one.id}"] = 2000.0
        for row, (key, value) in enumerate(cells.items()):
            sheet.number(row, 0, value, Style("input"))
            ctx.live[key] = psa.cells(sheet, row, 0, row, 0, value)
        psa.register_draws(ctx)
        for title, fill in SHEETS.items():
            fill(ctx, book.sheet(title))
    return path


@pytest.fixture(scope="module")
def books(studied, stratified, tmp_path_factory):
    """Results and workbook by kind of study."""
    folder = tmp_path_factory.mktemp("psa")
    cases = {
        "random": studied,
        "stratified": stratified,
        "ten": with_strategies(studied, 10),
        "two": with_strategies(studied, 2),
    }
    return {name: (one, write(one, folder / f"{name}.xlsx")) for name, one in cases.items()}


@pytest.fixture(scope="module", params=["random", "stratified", "ten", "two"])
def case(request, books):
    results, path = books[request.param]
    return results, openpyxl.load_workbook(path, data_only=True)


def find(sheet, text, column=1):
    """Row of the first cell of a column that starts with a text."""
    rows = range(1, sheet.max_row + 1)
    found = [r for r in rows if str(sheet.cell(r, column).value).startswith(text)]
    return found[0]


def label(results, strategy):
    return next(s.label or s.id for s in results.spec.strategies if s.id == strategy)


def near(value, scale=0.0):
    """A number as stored, or the dash that stands for none."""
    if value is None or math.isnan(value):
        return "–"
    return pytest.approx(value, rel=1e-10, abs=1e-10 * scale + 1e-13)


def test_means_and_their_precision(case):
    results, book = case
    sheet, made = book["PSA summary"], results.psa_summary
    row = find(sheet, "Share of draws below") + 1
    items = [getattr(s, n) for s in made.strategies for n in ("cost", "qaly", "ly", "evly")]
    items += [getattr(i, f"delta_{n}") for i in made.increments for n in ("cost", "qaly", "ly")]
    for one in items:
        found = [sheet.cell(row, column).value for column in range(2, 7)]
        scale = max(abs(one.mean), one.sd)
        wanted = (one.mean, one.mcse, one.sd, one.low, one.high)
        assert found == [near(value, scale) for value in wanted], sheet.cell(row, 1).value
        row += 1


def test_ratio_of_means_and_quadrants(case):
    results, book = case
    sheet = book["PSA summary"]
    row = find(sheet, "Means against") + 3
    shares = find(sheet, "Quadrants of") + 3
    for offset, one in enumerate(results.psa_summary.increments):
        icer = ratio_value(one.delta_cost.mean, one.delta_qaly.mean)
        found = [sheet.cell(row + offset, column).value for column in (2, 3, 6)]
        assert found[0] == (icer if isinstance(icer, str) else near(icer))
        assert found[1] == near(one.icer_mcse)
        assert found[2] == one.status
        values = [sheet.cell(shares + offset, column).value for column in range(2, 7)]
        wanted = [one.quadrants[key] for key in ("NE", "SE", "SW", "NW", "on axis")]
        assert values == pytest.approx(wanted, abs=1e-12)


def test_probabilities_and_losses_at_the_thresholds(case):
    results, book = case
    sheet, made = book["PSA summary"], results.psa_summary
    at = made.at_thresholds
    row = find(sheet, "Cost-effectiveness at") + 3
    for index, threshold in enumerate(made.thresholds):
        for place, one in enumerate(made.strategies):
            found = [sheet.cell(row, column).value for column in range(1, 10)]
            assert found[:2] == [label(results, one.id), threshold]
            assert found[2] == near(one.nmb[index].mean, 1e5)
            assert found[3] == near(at.ceac[index, place])
            assert found[4] == near(one.probability[index].mcse, 1.0)
            if one.id != made.reference:
                pair = next(i for i in made.increments if i.id == one.id)
                assert found[5] == near(pair.inmb[index].mean, 1e5)
                assert found[6] == near(pair.inmb[index].mcse, 1e5)
            assert found[8] == near(at.expected_loss[index, place], 1e5)
            row += 1
    row = find(sheet, "Threshold, in the order") + 1
    for index in range(len(made.thresholds)):
        found = [sheet.cell(row + index, column).value for column in range(3, 6)]
        best = at.strategies[int(at.best[index])]
        assert found == [near(at.evpi[index], 1e5), near(at.ceaf[index]), label(results, best)]


def test_curves_at_the_live_thresholds(case):
    results, book = case
    sheet, weight = book["CEAC & CEAF"], results.spec.settings.severity_weight
    strategies = results.spec.strategy_ids()
    count = len(strategies)
    rows = list(sheet.iter_rows(min_row=35, values_only=True))
    rows = [row for row in rows if row[0] is not None]
    grid = [row[0] for row in rows]
    assert grid == sorted(set(grid))
    assert set(results.base.thresholds) <= set(grid)
    assert curves.steps_of(count) <= len(grid) - 1 <= curves.steps_of(count) + 3
    outcomes = results.psa.outcomes
    wanted = acceptability(strategies, outcomes.get("cost"), outcomes.get("qaly"), grid, weight)
    shares = np.array([row[2 : 2 + count] for row in rows])
    assert shares == pytest.approx(wanted.ceac, abs=1e-12)
    assert shares.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    ceaf = np.array([row[2 + 2 * count] for row in rows])
    assert ceaf == pytest.approx(wanted.ceaf, abs=1e-12)
    names = [label(results, strategies[int(best)]) for best in wanted.best]
    assert [row[3 + 2 * count] for row in rows] == names
    losses = [
        row for row in book["EVPI"].iter_rows(min_row=35, values_only=True) if row[0] is not None
    ]
    table = np.array([row[count : 2 * count + 1] for row in losses], dtype=float)
    assert [row[0] for row in losses] == grid
    assert table[:, :-1] == pytest.approx(wanted.expected_loss, rel=1e-10, abs=1e-6)
    assert table[:, -1] == pytest.approx(wanted.evpi, rel=1e-10, abs=1e-6)
    assert (table[:, -1] >= 0).all()


def test_running_results(case):
    results, book = case
    sheet = book["Convergence"]
    top = 1
    for one in results.psa_summary.convergence:
        name = f"{label(results, one.id)} against {label(results, one.versus)}"
        top = next(r for r in range(top + 1, sheet.max_row) if sheet.cell(r, 1).value == name)
        half = one.inmb_half_width
        columns = (
            one.draws,
            one.delta_cost,
            one.delta_qaly,
            one.inmb,
            one.probability,
            half,
            one.inmb - half,
            one.inmb + half,
        )
        for offset, wanted in enumerate(zip(*columns, one.icer, strict=True)):
            found = [sheet.cell(top + 4 + offset, column).value for column in range(1, 10)]
            assert found[:8] == [near(float(value), 1e4) for value in wanted[:8]]
            assert found[8] == (None if np.isnan(wanted[8]) else near(float(wanted[8])))


def test_ellipse_holds_its_share_of_a_normal_cloud(studied, tmp_path):
    rng = np.random.default_rng(5)
    one = with_strategies(studied, 2)
    names, n = one.psa.outcomes.names, 4000
    values = np.zeros((n, 2, len(names)))
    cloud = rng.multivariate_normal([0.6, 3e4], [[0.09, 1200.0], [1200.0, 6e7]], n)
    values[:, 1, names.index("qaly")], values[:, 1, names.index("cost")] = cloud.T
    sample = replace(one.psa, outcomes=replace_values(one.psa.outcomes, values), n=n)
    draws = {key: np.zeros(n) for key in sample.draws.values}
    sample = replace(sample, draws=type(sample.draws)(draws), replicate=np.zeros(n, dtype=int))
    one = replace(one, psa=sample, psa_summary=summarise(one.spec, sample))
    book = openpyxl.load_workbook(write(one, tmp_path / "cloud.xlsx"), data_only=True)
    sheet = book["CE plane"]
    row = find(sheet, "Share of the draws inside")
    assert sheet.cell(row, 2).value == pytest.approx(0.95, abs=0.01)
    first = ce_plane.OUTLINE + 2
    top = find(sheet, "QALYs gained", first) + 1
    outline = np.array(
        [
            [sheet.cell(top + k, column).value for column in (first, first + 1)]
            for k in range(ce_plane.ANGLES + 1)
        ]
    )
    delta = outline - cloud.mean(axis=0)
    distance = np.einsum("ki,ij,kj->k", delta, np.linalg.inv(np.cov(cloud.T)), delta)
    assert distance == pytest.approx(-2 * math.log(0.05), rel=1e-9)


def replace_values(outcomes, values):
    return Outcomes(values, outcomes.strategies, outcomes.names, outcomes.reference, {})


def test_formulas_are_short_and_hold_no_numbers(books):
    count = 0
    for _, path in books.values():
        for sheet in openpyxl.load_workbook(path):
            for row in sheet.iter_rows():
                for one in row:
                    if one.data_type != "f":
                        continue
                    count += 1
                    assert len(one.value) < 2000, (sheet.title, one.coordinate)
                    plain = re.sub(r"'[^']*'!|\"[^\"]*\"", "", one.value)
                    plain = re.sub(r"\$?[A-Z]{1,3}\$?\d+", "", plain)
                    numbers = set(re.findall(r"\d+(?:\.\d+)?", plain))
                    assert numbers <= {"0", "1"}, (sheet.title, one.coordinate, one.value)
    assert count > 5000


def test_libreoffice_agrees(books, tmp_path):
    assert recalculates(tmp_path)
    for name, (_, path) in books.items():
        stored = openpyxl.load_workbook(path, data_only=True)
        formulas = openpyxl.load_workbook(path)
        mended = openpyxl.load_workbook(
            recalculate(path, tmp_path / "recalculated"), data_only=True
        )
        for sheet in formulas:
            for row in sheet.iter_rows():
                for one in row:
                    if one.data_type != "f":
                        continue
                    place = (name, sheet.title, one.coordinate, one.value)
                    before = stored[sheet.title][one.coordinate].value
                    after = mended[sheet.title][one.coordinate].value
                    if isinstance(before, str):
                        assert after == before, place
                    else:
                        assert after == pytest.approx(before, rel=1e-9, abs=1e-6), place


class TestStoredDraws:
    def context(self, results, path, wanted):
        with writing(path) as book:
            ctx = Context(results=results, book=book, traces={}, names={}, input_draws=wanted)
            ctx.live["inputs changed"] = psa.cells(book.sheet("Others"), 0, 0, 0, 0, 0.0)
            psa.register_draws(ctx)
            ranges = {i: psa.draws_range(ctx, i) for i in results.spec.parameters}
            psa.write_draws(ctx, book.sheet("PSA draws"))
        return ctx, ranges, openpyxl.load_workbook(path, data_only=True)["PSA draws"]

    @pytest.mark.parametrize(("wanted", "count"), [(7, 7), (None, DRAWS), (1000, DRAWS)])
    def test_ranges_hold_the_draws(self, studied, tmp_path, wanted, count):
        ctx, ranges, sheet = self.context(studied, tmp_path / "draws.xlsx", wanted)
        assert ctx.live["stored draws"].value == count
        assert sheet[ctx.live["stored draws"].text.split("!")[1].replace("$", "")].value == count
        for identifier, parameter in studied.spec.parameters.items():
            found = ranges[identifier]
            assert (found is None) == (parameter.distribution is None)
            if found is None:
                continue
            cells = sheet[found.text.split("!")[1].replace("$", "")]
            stored = [cell.value for (cell,) in cells]
            drawn = studied.psa.draws.values[identifier][:count]
            assert stored == pytest.approx(drawn, rel=1e-15)
            assert found.value == pytest.approx(drawn, rel=0, abs=0)

    def test_without_a_psa_nothing_is_stored(self, studied, tmp_path):
        with writing(tmp_path / "none.xlsx") as book:
            plain = replace(studied, psa=None, psa_summary=None)
            ctx = Context(results=plain, book=book, traces={}, names={})
            psa.register_draws(ctx)
            assert not ctx.live
            assert psa.draws_range(ctx, next(iter(studied.spec.parameters))) is None
            put(book.sheet("x"), 0, 0, psa.cells(book.sheet("y"), 0, 0, 0, 0, 1.0), Style())


@pytest.fixture(scope="module")
def pasted(studied, tmp_path_factory):
    path = tmp_path_factory.mktemp("pasted") / "pasted.xlsx"
    with writing(path) as book:
        ctx = Context(results=studied, book=book, traces={}, names={})
        ctx.live["inputs changed"] = psa.cells(book.sheet("Others"), 0, 0, 0, 0, 0.0)
        sensitivity.write_scenarios(ctx, book.sheet("Scenario results"))
        sensitivity.write_dsa(ctx, book.sheet("DSA"))
    return openpyxl.load_workbook(path, data_only=True)


class TestPastedAnalyses:
    def test_scenarios_with_their_ratios_and_crossing_shares(self, studied, pasted):
        sheet, top, reference = pasted["Scenario results"], 0, studied.base.reference
        for pair in studied.base.pairwise:
            words = f"{label(studied, pair.id)} against {label(studied, reference)}"
            top = next(r for r in range(top + 1, sheet.max_row) if sheet.cell(r, 1).value == words)
            row = next(
                r for r in range(top, sheet.max_row) if sheet.cell(r, 1).value == "Base case"
            )
            for offset, one in enumerate([None, *studied.scenarios]):
                result = studied.base if one is None else one.result
                found = [sheet.cell(row + offset, column).value for column in range(1, 9)]
                mine, theirs = result.totals(pair.id), result.totals(reference)
                cost, qaly = mine.cost - theirs.cost, mine.qaly - theirs.qaly
                assert found[1:3] == [near(cost), near(qaly)]
                ratio = ratio_value(cost, qaly)
                assert found[3] == (ratio if isinstance(ratio, str) else near(ratio))
                outcomes = result.outcomes
                for place, strategy in ((6, pair.id), (7, reference)):
                    which = outcomes.strategies.index(strategy)
                    share = outcomes.diagnostics["crossing_share"][0, which]
                    assert found[place] == near(float(share))

    def test_both_say_where_they_come_from_and_whether_they_are_stale(self, studied, pasted):
        for sheet in (pasted["Scenario results"], pasted["DSA"]):
            head = " ".join(str(sheet.cell(row, 1).value) for row in range(1, 6))
            assert studied.spec.input_hash[:16] in head
            assert str(studied.record.seed) in head
            assert "These results were made with the inputs as they are." in head
