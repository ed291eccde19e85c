"""Figures: what they draw, that two runs give the same bytes, and that text stays text."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from study_folder import write_study

from heor.report.charts import HIGH_COLOUR, LOW_COLOUR
from heor.report.figures import canvas, gallery
from heor.report.figures.candidates import Z95, greenwood
from heor.report.figures.gallery import CAPTIONS, captions, pictures, write_figures
from heor.report.figures.picture import HATCHES, PAGE_WIDTH, Money, Picture, dash, file_stem
from heor.report.figures.uncertainty import RADIUS, ellipse
from heor.report.files import CannotWrite
from heor.report.view import Facts
from heor.spec.reader import read_study
from heor.spec.records import KaplanMeier
from heor.study import Plan, run_study

SVG = "{http://www.w3.org/2000/svg}"
EXTRA = {
    "km": """strategy,endpoint,group,time,survival,time_unit,source
old,os,,0,1,year,assumption
old,os,,1,0.7,year,assumption
old,os,,2,0.4,year,assumption
""",
    "validation_targets": """label,strategy,endpoint,group,time,time_unit,value,low,high,source,\
used_in_fitting
OS at 2 years,old,os,,2,year,0.5,0.4,0.6,assumption,no
Median OS,new,os,,,month,40,30,50,assumption,no
""",
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("inputs") / "two", **EXTRA)
    return Facts.of(run_study(read_study(folder), Plan(draws=80)))


@pytest.fixture(scope="module")
def shown(facts):
    return {picture.name: picture for picture in pictures(facts)}


def drawn(picture):
    """Draw a figure without saving it; give its axes."""
    figure = Figure()
    picture.draw(figure)
    return figure.axes


def line(axes, label):
    (found,) = [one for one in axes.get_lines() if one.get_label() == label]
    return found


def test_every_chart_of_the_workbook_has_a_figure_with_a_stable_name(shown) -> None:
    assert list(shown) == [
        *("survival_os_data", "survival_os", "survival_pfs"),
        *(
            "trace_old",
            "trace_new",
            "candidates_new_os_all",
            "costs",
            "life_years",
            "qalys",
            "accrual",
        ),
        *("scenarios_new", "tornado_inmb_new", "tornado_icer_new"),
        *("ce_plane_new", "ceac", "evpi", "convergence_new"),
        *("two_way_hr_rate_new", "importance_new"),
    ]


def test_inputs_are_ranked_by_what_knowing_them_is_worth(facts) -> None:
    with_voi = run_study(facts.results.spec, Plan(draws=80, skip=("scenarios", "dsa"), voi=True))
    (picture,) = [one for one in pictures(Facts.of(with_voi)) if one.name == "evppi"]
    found = with_voi.voi
    at = int(found.evpi.argmax())
    (axes,) = drawn(picture)
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == [one.evppi[at] for one in found.sets if one.evppi[at] > 0][: len(widths)]
    assert widths == sorted(widths, reverse=True)
    assert len(widths) >= 1


def test_results_that_are_missing_have_no_figure(facts) -> None:
    bare = run_study(facts.results.spec, Plan(skip=("accrual", "scenarios", "dsa", "psa")))
    names = [picture.name for picture in pictures(Facts.of(bare))]
    assert names[-4:] == ["costs", "life_years", "qalys", "accrual"]


def test_candidates_are_the_curves_of_the_model(facts, shown) -> None:
    (axes,) = drawn(shown["candidates_new_os_all"])
    trace = facts.traces["new"]
    x, y = line(axes, "new_os: exponential (in use)").get_data()
    assert np.array_equal(y, trace.endpoints["os"][0][: len(x)])
    assert line(axes, "new_os_as_old: exponential").get_ydata()[-1] < y[-1]


def test_survival_is_the_trace_with_its_points(facts, shown) -> None:
    (axes,) = drawn(shown["survival_os"])
    until = axes.get_xlim()[1]
    trace = facts.traces["new"]
    x, y = line(axes, "New drug").get_data()
    assert np.array_equal(x, trace.time[trace.time <= until])
    assert np.array_equal(y, trace.endpoints["os"][0][: len(x)])
    x, y = line(axes, "Old care: Kaplan-Meier").get_data()
    assert np.array_equal([x, y], [[0, 1, 2], [1, 0.7, 0.4]])
    assert line(axes, "Old care: published numbers").get_xydata().tolist() == [[2, 0.5]]
    median = line(axes, "New drug: published numbers").get_xydata()
    assert np.allclose(median, [[40 / 12, 0.5]], rtol=1e-15)
    intervals = [one.get_xydata().tolist() for one in axes.get_lines() if len(one.get_xdata()) == 2]
    assert [[2, 0.4], [2, 0.6]] in intervals
    assert any(np.allclose(ends, [[2.5, 0.5], [50 / 12, 0.5]]) for ends in intervals)


def test_points_beyond_the_axis_are_not_drawn(facts, shown) -> None:
    (axes,) = drawn(shown["survival_os_data"])
    assert axes.get_xlim() == (0, 4)
    for one in axes.get_lines():
        assert max(one.get_xdata()) <= 50 / 12


def test_strategies_keep_colour_and_dash_everywhere(facts, shown) -> None:
    for name in ("survival_os", "survival_pfs", "ceac"):
        (axes,) = drawn(shown[name])
        for index, strategy in enumerate(facts.strategies):
            found = line(axes, facts.label(strategy))
            assert found.get_color() == facts.colour(strategy)
            assert (found.get_linestyle() == "-") == (dash(index) == "-")
    assert len(set(HATCHES)) == len(HATCHES)


def test_the_trace_stacks_to_one(facts, shown) -> None:
    (axes,) = drawn(shown["trace_new"])
    areas = {one.get_label(): one for one in axes.collections}
    assert list(areas) == ["Progression-free", "Progressed", "Dead"]
    tops = [one.get_ydata() for one in axes.get_lines()]
    assert np.allclose(tops[-1], 1.0, rtol=0, atol=1e-12)
    occupancy = facts.traces["new"].occupancy["pf"][0]
    assert tops[0][0] == occupancy[0]
    colours = {tuple(one.get_facecolor()[0]) for one in axes.collections}
    assert len(colours) == 3


def test_costs_and_qalys_are_those_of_the_base_case(facts, shown) -> None:
    (axes,) = drawn(shown["costs"])
    totals = [facts.results.base.totals(s) for s in facts.strategies]
    widths = [[bar.get_width() for bar in group] for group in axes.containers]
    assert widths == [
        [t.cost, t.cost_by_category["drug"], t.cost_by_category["care"]] for t in totals
    ]
    (axes,) = drawn(shown["qalys"])
    rights = [
        max(b.get_x() + b.get_width() for b in bars) for bars in zip(*axes.containers, strict=True)
    ]
    assert np.allclose(rights, [t.qaly for t in totals], rtol=1e-12)


def test_accrual_ends_below_the_whole_gain_and_rises_by_its_formula(facts, shown) -> None:
    (axes,) = drawn(shown["accrual"])
    x, y = line(axes, "New drug").get_data()
    at = {row.year: row.delta_qaly for row in facts.results.accrual}
    for year in (5.0, 10.0):
        assert y[list(x).index(year)] == pytest.approx(at[year], rel=1e-12)
    assert y[0] == 0
    assert y[-1] < facts.results.base.pairwise[0].delta_qaly


def test_scenario_bars_are_changes_of_net_benefit(facts, shown) -> None:
    (axes,) = drawn(shown["scenarios_new"])
    index = facts.threshold_index()
    wanted = [s.effects[0].delta_inmb[index] for s in facts.results.scenarios]
    found = [bar.get_width() for bar in axes.containers[0]]
    assert np.allclose(found, wanted, rtol=1e-12, atol=1e-6)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [s.name for s in facts.results.scenarios]


@pytest.mark.parametrize("measure", ["inmb", "icer"])
def test_tornado_bars_run_from_the_base_line_to_the_bounds(facts, shown, measure) -> None:
    (axes,) = drawn(shown[f"tornado_{measure}_new"])
    dsa = facts.results.dsa
    comparison = dsa.comparisons[0]
    index = dsa.thresholds.index(dsa.threshold)
    low, high = axes.containers
    assert low[0].get_facecolor() != high[0].get_facecolor()
    assert (low[0].get_hatch(), high[0].get_hatch()) == ("", "////")
    assert low[0].get_facecolor()[:3] == pytest.approx(rgb(LOW_COLOUR))
    assert high[0].get_facecolor()[:3] == pytest.approx(rgb(HIGH_COLOUR))
    bars = comparison.by_swing(index) if measure == "inmb" else comparison.by_icer()
    value = (lambda p: p.inmb[index]) if measure == "inmb" else (lambda p: p.icer)
    base = value(comparison.base)
    for place, bar in enumerate(bars[: len(low)]):
        assert low[place].get_x() == base
        assert base + low[place].get_width() == pytest.approx(value(bar.low), rel=1e-12)
        assert base + high[place].get_width() == pytest.approx(value(bar.high), rel=1e-12)
    assert [base, base] in [list(one.get_xdata()) for one in axes.get_lines()]


def rgb(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def test_the_plane_shows_draws_thresholds_shares_mean_and_base_case(facts, shown) -> None:
    (axes,) = drawn(shown["ce_plane_new"])
    made = facts.results.psa_summary.increments[0]
    outcomes = facts.results.psa.outcomes
    x, y = line(axes, "Draws (80)").get_data()
    assert np.array_equal(x, outcomes.of("new", "qaly") - outcomes.of("old", "qaly"))
    assert np.array_equal(y, outcomes.of("new", "cost") - outcomes.of("old", "cost"))
    mean = line(axes, "Mean of the draws").get_xydata()[0]
    assert mean.tolist() == pytest.approx([made.delta_qaly.mean, made.delta_cost.mean])
    base = facts.results.base.pairwise[0]
    point = line(axes, "Base case").get_xydata()[0].tolist()
    assert point == [base.delta_qaly, base.delta_cost]
    for threshold in facts.results.base.thresholds:
        x, y = line(axes, f"USD {threshold:,.0f} per QALY").get_data()
        assert np.array_equal(y, x * threshold)
    texts = {text.get_text() for text in axes.texts}
    assert f"NE: {100 * made.quadrants['NE']:.1f}%" in texts


def test_the_ellipse_holds_95_percent_of_a_normal_sample() -> None:
    """Every point of it is at the Mahalanobis distance of a chi-squared of two degrees at 95%."""
    from scipy.stats import chi2

    assert pytest.approx(chi2.ppf(0.95, 2), rel=1e-14) == RADIUS
    x, y = np.random.default_rng(1).multivariate_normal((1, 2), ((4, 3), (3, 9)), 4000).T
    ring = np.stack(ellipse(x, y))
    centred = ring - np.array([[x.mean()], [y.mean()]])
    distance = np.einsum("ij,ik,kj->j", centred, np.linalg.inv(np.cov(x, y)), centred)
    assert np.allclose(distance, RADIUS, rtol=1e-10)


def test_acceptability_and_evpi_are_those_of_the_summary(facts, shown) -> None:
    curve = facts.results.psa_summary.curve
    (axes,) = drawn(shown["ceac"])
    x, y = line(axes, "New drug").get_data()
    place = curve.strategies.index("new")
    assert np.array_equal(x, curve.thresholds[: len(x)])
    assert np.array_equal(y, curve.ceac[: len(x), place])
    assert np.array_equal(line(axes, "Frontier (CEAF)").get_ydata(), curve.ceaf[: len(x)])
    assert axes.get_xlim()[1] >= max(facts.results.base.thresholds)
    (axes,) = drawn(shown["evpi"])
    longest = max(axes.get_lines(), key=lambda one: len(one.get_xdata()))
    assert np.array_equal(longest.get_ydata(), curve.evpi[: len(longest.get_ydata())])


def test_convergence_shows_inmb_probability_and_icer(facts, shown) -> None:
    one = facts.results.psa_summary.convergence[0]
    above, middle, below = drawn(shown["convergence_new"])
    assert np.array_equal(middle.get_lines()[0].get_ydata(), one.probability)
    assert np.array_equal(line(above, "Running mean").get_ydata(), one.inmb)
    assert np.array_equal(below.get_lines()[0].get_ydata(), one.icer, equal_nan=True)


def test_a_single_point_is_no_convergence(facts) -> None:
    few = run_study(facts.results.spec, Plan(draws=5, skip=("accrual", "scenarios", "dsa")))
    names = [picture.name for picture in pictures(Facts.of(few))]
    assert names[-3:] == ["ce_plane_new", "ceac", "evpi"]


def test_axes_have_titles_with_units(facts, shown) -> None:
    for name, picture in shown.items():
        panels = [axes for axes in drawn(picture) if axes.get_label() != "<colorbar>"]
        assert panels[-1].get_xlabel(), name
        for axes in panels:
            named = [label.get_text() for label in axes.get_yticklabels()]
            assert axes.get_ylabel() or any(text.strip("−0123456789.,%") for text in named), name
    assert drawn(shown["costs"])[0].get_xlabel() == "Discounted cost per patient, thousand USD"
    assert drawn(shown["ce_plane_new"])[0].get_ylabel().startswith("Extra cost, ")


@pytest.fixture(scope="module")
def written(facts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    names = write_figures(facts.results, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    return folder


def test_two_runs_give_the_same_bytes(facts, written, tmp_path: Path) -> None:
    write_figures(facts.results, tmp_path)
    for path in sorted(written.iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_axes_stand_at_rounded_places() -> None:
    """The layout's last bits differ from run to run, and the ids of an SVG follow them."""
    figures = []

    def draw(figure: Figure) -> None:
        figure.subplots(2).flat[0].set_ylabel("Axis")
        figures.append(figure)

    picture = Picture(name="x", title="X", caption="", draw=draw, legend=0)
    canvas.render(picture, "origin", "1", ("svg",))
    for axes in figures[0].axes:
        bounds = np.array(axes.get_position().bounds)
        assert np.abs(bounds - bounds.round(4)).max() < 1e-12


def test_svg_keeps_text_and_says_what_it_is(facts, shown, written) -> None:
    for name, picture in shown.items():
        text = (written / f"{name}.svg").read_text("utf-8")
        root = ET.fromstring(text)
        assert root.find(f"{SVG}title").text == picture.title
        assert root.find(f"{SVG}desc").text == picture.caption
        words = [one.text for one in root.iter(f"{SVG}text")]
        assert facts.origin() in words
        assert "dc:date" not in text
        assert not re.search(r"\b20\d\d-\d\d-\d\d", text)


def test_png_is_300_dpi_and_as_wide_as_a_page(shown, written) -> None:
    for name, picture in shown.items():
        with Image.open(written / f"{name}.png") as image:
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
            assert image.width == round(PAGE_WIDTH * 300)
            assert image.info["Title"] == picture.title
            assert not {"Creation Time", "date"} & set(image.info)


def test_nothing_is_cut_off_at_the_edge(shown, written) -> None:
    """The outermost pixels of every picture are white, so no label runs over the edge."""
    for name in shown:
        with Image.open(written / f"{name}.png") as image:
            pixels = np.asarray(image.convert("L"))
        for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]):
            assert edge.min() == 255, name


def test_origin_names_study_version_inputs_seed_and_research(facts) -> None:
    spec = facts.results.spec
    text = facts.origin()
    for part in (
        spec.name,
        f"heor {facts.results.version}",
        spec.input_hash[:16],
        "seed 11, 80 draws",
    ):
        assert part in text
    assert text.endswith("research model")


def test_captions_list_every_file_and_the_banner(facts, shown, written) -> None:
    text = (written / CAPTIONS).read_text("utf-8")
    assert text == captions(facts, list(shown.values()), ("svg", "png"))
    for line_ in facts.results.banner:
        assert line_ in text
    for number, picture in enumerate(shown.values(), start=1):
        assert f"**Figure {number}. {picture.title}.** {picture.caption}" in text
        assert f"`{picture.name}.png`" in text


def test_one_format_alone(facts, shown, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(gallery, "pictures", lambda facts: (shown["costs"],))
    write_figures(facts.results, tmp_path, ("svg",))
    assert {path.suffix for path in tmp_path.iterdir()} == {".svg", ".md"}


def test_a_failure_leaves_nothing(facts, tmp_path: Path, monkeypatch) -> None:
    def fail(*args: object) -> bytes:
        raise OSError("no space")

    monkeypatch.setitem(canvas.WRITERS, "png", fail)
    with pytest.raises(OSError, match="no space"):
        write_figures(facts.results, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_a_sentence(facts, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot write to"):
        write_figures(facts.results, tmp_path / "file" / "figures")


def test_without_matplotlib_the_message_has_the_command(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(canvas.NotInstalled, match=r'pip install "heor\[figures\]"'):
        canvas.import_matplotlib()


def test_money_of_an_axis() -> None:
    assert Money.of(3_000, "USD").text(-1_200) == "−1,200"
    assert Money.of(650_000, "USD").text(350_000) == "350"
    assert Money.of(7e6, "GBP").text(2.5e6) == "2.5"
    assert Money.of(7e6, "GBP").words == "million GBP"


def test_file_stems_are_safe() -> None:
    assert file_stem("trace", "a/b:c é") == "trace_a_b_c__"


def test_band_of_a_kaplan_meier_curve() -> None:
    """Ten people, deaths at 1 and 2: Greenwood's variance on ln(-ln S)."""
    km = KaplanMeier(
        strategy="a",
        endpoint="os",
        group="all",
        time=np.array([0.0, 1.0, 2.0]),
        survival=np.array([1.0, 0.9, 0.8]),
        at_risk=np.array([10.0, 10.0, 9.0]),
        events=np.array([0.0, 1.0, 1.0]),
        time_unit="year",
        source="",
    )
    band = greenwood(km)
    assert band is not None
    width = np.exp(Z95 * np.sqrt(1 / 90 + 1 / 72) / -np.log(0.8))
    np.testing.assert_allclose(band[0], [1, band[0][1], 0.8**width], rtol=1e-14)
    np.testing.assert_allclose(band[1], [1, band[1][1], 0.8 ** (1 / width)], rtol=1e-14)
    assert greenwood(dataclasses.replace(km, events=km.events * np.nan)) is None
