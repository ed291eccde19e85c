"""``Control`` of a whole report: the live result beside what heor stored, and stale results."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from spreadsheet import Spreadsheet
from study_folder import TABLES, write_study
from workbook_model import Model, write_model

from heor.report.sheets.control import RESULTS_ROW, TITLE_CONTROL
from heor.spec.reader import read_study
from heor.study import Plan, run_study

HEAD = f"A{RESULTS_ROW + 2}:L{RESULTS_ROW + 5}"
DRAWS = 30
#: One more scenario, of what only a run of heor follows.
SCENARIOS = TABLES["scenarios"] + "Payer,Fewer costs.,perspective,payer\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    folder = tmp_path_factory.mktemp("control")
    spec = read_study(write_study(folder / "study", scenarios=SCENARIOS))
    return write_model(run_study(spec, Plan(draws=DRAWS)), folder / "report.xlsx")


@pytest.fixture(scope="module")
def office(model) -> Iterator[Spreadsheet]:
    with Spreadsheet() as running:
        running.open(model.path)
        yield running


def head(office: Spreadsheet, cells) -> list[list[float | str]]:
    reply = office.change(cells, [(TITLE_CONTROL, HEAD)])
    assert reply.error_count == 0, reply.error_cells
    return reply.values[0]


def test_every_scenario_gives_its_stored_result(model, office):
    results = {r.name: r.result for r in model.ctx.results.scenarios}
    for name, result in results.items():
        rows = head(office, {model.choice("scenario"): name})
        for row, strategy in zip(rows, model.spec.strategy_ids(), strict=False):
            totals = result.totals(strategy)
            assert row[1] == name
            assert row[8:10] == pytest.approx([totals.cost, totals.qaly], rel=1e-12)
            assert row[2:4] == pytest.approx([totals.cost, totals.qaly], rel=1e-9)
            assert row[10:] == [0, 0], (name, row)


def test_a_draw_gives_its_stored_result(model, office):
    psa = model.ctx.results.psa
    for draw in (1, DRAWS):
        rows = head(office, {model.choice("draw"): draw, model.choice("scenario"): "Free drug"})
        for row, strategy in zip(rows, model.spec.strategy_ids(), strict=False):
            costs = psa.outcomes.of(strategy, "cost")
            assert row[1] == f"PSA draw {draw}"
            assert row[8] == pytest.approx(costs[draw - 1], rel=1e-12)
            assert row[10:] == [0, 0]


def test_a_choice_of_ones_own_differs_from_what_is_stored(model, office):
    rows = head(office, {model.choice("horizon"): "5 years"})
    assert rows[0][1] == "base case"
    assert rows[0][10] < -1
    assert rows[0][10] == pytest.approx(rows[0][2] - rows[0][5], abs=1e-6)


def test_what_the_live_cells_do_not_follow_is_said(model, office):
    assert [row[0] for row in head(office, {})[2:]] == ["", ""]
    too_long = head(office, {model.choice("horizon"): 200})
    assert too_long[2][0].startswith("STOP: the horizon is longer than the rows")
    beyond = head(office, {model.choice("scenario"): "Payer"})
    assert beyond[3][0].startswith("STOP: this scenario also changes")


def test_pasted_results_turn_stale_with_an_input_not_with_a_choice_of_scenario(model, office):
    def banner(cells) -> str:
        return office.change(cells, [("PSA draws", "A5:A5")]).values[0][0][0]

    fresh = "These results were made with the inputs as they are."
    assert banner({}) == fresh
    assert banner({model.choice("scenario"): "Free drug"}) == fresh
    assert banner({model.choice("draw"): 3}) == fresh
    assert banner({model.parameter("price"): 1}).startswith("STALE: 1 input differs")
    two = {model.parameter("price"): 1, model.parameter("u"): 0.7}
    assert banner(two).startswith("STALE: 2 inputs differ")
