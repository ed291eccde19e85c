"""``Survival`` of the workbook: candidates, landmarks, medians and published numbers, live."""

from __future__ import annotations

import numpy as np
import openpyxl
import pytest
from libreoffice import recalculate
from study_tables import random_tables, write_tables

from heor.analyses import base_case
from heor.engine.curves import CurveBlock, CurveKeys, Workspace
from heor.engine.timeline import Timeline
from heor.report import curve_facts, workbook
from heor.report.live import Term
from heor.report.sheets.candidates import Candidate
from heor.report.sheets.comparison import DASH
from heor.report.sheets.families import form_of
from heor.report.sheets.layout import Context
from heor.report.sheets.survival_tables import LANDMARKS
from heor.spec.reader import read_study, shipped_studies
from heor.study import Plan, run_study

PLAIN = Plan(skip=("accrual", "scenarios", "dsa", "psa"))

#: Random studies that together have every family and modifier.
SEEDS = (1, 2, 3, 4, 5, 6, 7, 8)


def written(spec, path):
    """Write a report; give the context in which its sheets were filled."""
    kept = []

    def keep(**parts):
        kept.append(Context(**parts))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbook, "Context", keep)
        workbook.write_report(run_study(spec, PLAIN), path)
    return kept[0]


@pytest.fixture(scope="module")
def random_reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    found = {}
    for seed in SEEDS:
        spec = read_study(write_tables(folder / str(seed), random_tables(seed)))
        found[seed] = spec, written(spec, folder / f"{seed}.xlsx"), folder / f"{seed}.xlsx"
    return found


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    path = tmp_path_factory.mktemp("shipped") / "report.xlsx"
    spec = read_study(shipped_studies() / "lifileucel_nsclc")
    ctx = written(spec, path)
    return ctx, openpyxl.load_workbook(path, data_only=True)["Survival"]


def engine_curves(spec, curve):
    """Steps 1 to 4 of one curve at every boundary, as the engine has them."""
    draws = base_case.run(spec).draws
    timeline = Timeline(spec.settings)
    block = CurveBlock(timeline, draws, spec.km, Workspace(), CurveKeys())
    with np.errstate(all="ignore"):
        return timeline.years, block.with_cure(curve)[0]


def own_formulas(reports):
    """Every candidate of the random studies that has a formula, at its boundaries."""
    for spec, ctx, _ in reports.values():
        for row, curve in enumerate(spec.curves):
            one = Candidate(ctx, row)
            if one.formula and curve.hr_until is None and not curve.wane_to:
                yield spec, curve, one


def share_without_event(one, clock: float) -> float | str:
    """All steps of a candidate's formula at a time of its clock, as its columns take them."""
    at, numbers = Term("u", clock), one.numbers()
    share = one.family(at, numbers)
    if one.joins:
        share = one.observed(at, share, one.family(one.live("km_until"), numbers))
    return one.survival(share).value


def test_random_studies_have_every_family(random_reports):
    families = {curve.family for _, curve, _ in own_formulas(random_reports)}
    assert families >= {"exponential", "weibull", "gompertz", "loglogistic", "lognormal"}
    assert families >= {"gamma", "gengamma"}
    assert any(curve.km_until is not None for _, curve, _ in own_formulas(random_reports))


def test_candidates_are_the_engine_s_curves(random_reports):
    for spec, curve, one in own_formulas(random_reports):
        years, wanted = engine_curves(spec, curve)
        for k in (0, 1, len(years) // 3, len(years) // 2, len(years) - 1):
            at = Term("t", float(years[k]))
            found = share_without_event(one, one.clock(at).value)
            assert found == pytest.approx(wanted[k], rel=1e-12, abs=1e-14), (curve, k)


def test_medians_of_candidates_lie_at_one_half(random_reports):
    seen = 0
    for _, curve, one in own_formulas(random_reports):
        median = one.median().value
        if median == DASH:
            continue
        at = one.clock(Term("t", median / 12)).value
        assert share_without_event(one, at) == pytest.approx(0.5, rel=1e-9), curve
        seen += 1
    assert seen > 20


def test_candidates_without_a_formula_show_a_dash(random_reports):
    for spec, ctx, _ in random_reports.values():
        for row, curve in enumerate(spec.curves):
            one = Candidate(ctx, row)
            if one.formula and (curve.hr_until is not None or curve.wane_to):
                assert one.survival(Term("u", 1.0)).value == DASH
                assert one.median().value == DASH


def rows_under(sheet, text):
    """Rows of the table under a heading, without its head."""
    start = next(r for r in range(1, sheet.max_row + 1) if sheet.cell(r, 1).value == text)
    row = start + 3
    while sheet.cell(row, 1).value is not None:
        yield [sheet.cell(row, column).value for column in range(1, 17)]
        row += 1


def test_final_curves_at_landmarks(shipped):
    ctx, sheet = shipped
    rows = list(rows_under(sheet, "Modelled curves, all steps in"))
    keys = curve_facts.shown_curves(ctx.traces)
    assert len(rows) == len(keys)
    weights = Timeline(ctx.results.spec.settings)
    for key, row in zip(keys, rows, strict=True):
        time, curve = ctx.traces[key[0]].time, curve_facts.curve_of(ctx.traces, key)
        assert row[0:3] == [curve_facts.endpoint_name(key[1]), key[0], key[2]]
        assert row[4:10] == pytest.approx(np.interp(LANDMARKS, time, curve), rel=1e-11, abs=1e-15)
        median = curve_facts.crossing_time(time, curve, 0.5)
        wanted = DASH if not median else pytest.approx(median * 12, rel=1e-11)
        assert row[3] == wanted
        area = float(np.sum((curve[1:] + curve[:-1]) / 2) * weights.length)
        assert row[10] == pytest.approx(area, rel=1e-11)


def test_candidates_in_use_are_marked(shipped):
    ctx, sheet = shipped
    rows = list(rows_under(sheet, "Candidate curves before background mortality and caps"))
    curves = ctx.results.spec.curves
    assert [row[0] for row in rows] == [curve.id for curve in curves]
    assert [row[10] for row in rows] == ["yes" if curve.use else "no" for curve in curves]
    assert [row[11] for row in rows] == [form_of(curve) for curve in curves]


def test_criteria_of_fits_with_weights_among_the_same_data(shipped):
    ctx, sheet = shipped
    fitted = [curve for curve in ctx.results.spec.curves if curve.aic is not None]
    rows = list(rows_under(sheet, "How well candidates fit"))
    assert [row[0] for row in rows] == [curve.id for curve in fitted]
    assert len(fitted) == 10
    for curve, row in zip(fitted, rows, strict=True):
        assert row[3:6] == [curve.aic, curve.bic, curve.bic_events]
        same = [one.aic for one in fitted if one.fit_data == curve.fit_data]
        assert row[6] == pytest.approx(curve.aic - min(same), abs=1e-12)
        shares = np.exp(-(np.array(same) - min(same)) / 2)
        wanted = np.exp(-(curve.aic - min(same)) / 2) / shares.sum()
        assert row[7] == pytest.approx(wanted, rel=1e-12)
        assert row[13] == curve.fit_data


def test_published_numbers_beside_the_model(shipped):
    ctx, sheet = shipped
    targets = curve_facts.ordered_targets(ctx.traces, ctx.results.spec.validation_targets)
    rows = list(rows_under(sheet, "Published numbers and the model"))
    assert len(rows) == len(targets) > 20
    for target, row in zip(targets, rows, strict=True):
        model = curve_facts.modelled(ctx.traces, target)
        assert row[0] == target.label
        assert row[9] == pytest.approx(model, rel=1e-11)
        assert row[10] == pytest.approx(model - target.value, rel=1e-9, abs=1e-12)
        known = target.low is not None and target.high is not None
        inside = known and target.low <= model <= target.high
        assert row[11] == (("yes" if inside else "no") if known else DASH)
        assert [row[14], row[15]] == pytest.approx(curve_facts.target_point(target), rel=1e-12)


@pytest.mark.libreoffice
@pytest.mark.slow
def test_survival_recalculates_for_every_family(random_reports, tmp_path):
    """Quantiles and families by the spreadsheet's own functions, in one file after another."""
    for seed in SEEDS[:2]:
        _, _, path = random_reports[seed]
        stored = openpyxl.load_workbook(path, data_only=True)["Survival"]
        again = openpyxl.load_workbook(recalculate(path, tmp_path / str(seed)), data_only=True)
        for row in stored.iter_rows():
            for cell in row:
                new = again["Survival"][cell.coordinate].value
                if isinstance(cell.value, (int, float)):
                    assert new == pytest.approx(cell.value, rel=1e-9, abs=1e-12), cell.coordinate
                elif cell.value is not None:
                    assert new == cell.value, cell.coordinate
