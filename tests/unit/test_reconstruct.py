"""Patient data from curves: repairs, curves made from known data, and the shipped tables."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from known_curves import GRID, SHAPES, cox, median_off, read_off, restricted_mean, trial

from heor.errors import HeorError
from heor.fitting.digitised import Digitised, put_in_order
from heor.fitting.fit import fit
from heor.fitting.reconstruct import Reconstruction, events_before, reconstruct
from heor.spec.reader import read_study, shipped_studies
from heor.spec.records import Spec

ROOT = Path(__file__).parents[2]


# --- putting points in order ------------------------------------------------------------------


def repaired(time, survival) -> tuple[Digitised, str]:
    curve = put_in_order(time, survival)
    assert (np.diff(curve.time) > 0).all()
    assert (np.diff(curve.survival) <= 0).all()
    assert curve.time[0] == 0
    assert curve.survival[0] == 1
    return curve, "; ".join(curve.repairs)


def test_a_clean_curve_is_left_alone():
    curve, words = repaired([0, 2, 5, 9], [1, 0.8, 0.5, 0.25])
    assert words == ""
    assert curve.survival.tolist() == [1, 0.8, 0.5, 0.25]
    assert not curve.sampled
    assert curve.noise == 0
    assert curve.median == 5
    assert curve.restricted_mean(9) == pytest.approx(2 + 3 * 0.8 + 4 * 0.5)


@pytest.mark.parametrize(
    ("time", "survival", "words", "wanted"),
    [
        ([0, 2, 5], [100, 80, 50], "survival was in percent", [1, 0.8, 0.5]),
        ([5, 0, 2], [0.5, 1, 0.8], "points were sorted by time", [1, 0.8, 0.5]),
        ([2, 5], [0.8, 0.5], "the start, survival 1 at time 0, was added", [1, 0.8, 0.5]),
        (
            [0, 2, 5],
            [0.98, 0.8, 0.5],
            "survival at time 0 was 0.98 and was set to 1",
            [1, 0.8, 0.5],
        ),
        ([-0.1, 2, 5], [1, 0.8, 0.5], "1 point before time 0 moved to it", [1, 0.8, 0.5]),
        ([0, 2, 5], [1.02, 0.8, -0.01], "2 points above 1 or below 0 moved onto it", [1, 0.8, 0]),
        (
            [0, 2, 2, 5],
            [1, 0.8, 0.8, 0.5],
            "1 point that stood there twice left out",
            [1, 0.8, 0.5],
        ),
        (
            [0, 2, 3, 5],
            [1, 0.795, 0.805, 0.5],
            "rises were levelled, the largest of 0.0100 at time 3",
            [1, 0.8, 0.8, 0.5],
        ),
        (
            [0, 2, 3, 4, 5],
            [1, 0.8, 0.3, 0.7, 0.5],
            "the point at time 3 with survival 0.3 lies beside the curve and was left out",
            [1, 0.8, 0.7, 0.5],
        ),
        (
            [0, 50, 49.9, 99],
            [1, 1, 0.8, 0.5],
            "1 point up to 0.1 before the click before moved beside it",
            [1, 0.8, 0.5],
        ),
    ],
)
def test_repairs(time, survival, words, wanted):
    curve, said = repaired(time, survival)
    assert said == words
    assert curve.survival == pytest.approx(wanted)


def test_a_wide_rise_is_pointed_out():
    _, said = repaired([0, 2, 3, 5], [1, 0.7, 0.74, 0.5])
    assert said.endswith("at time 3; look at the points there")


@pytest.mark.parametrize(
    ("time", "survival", "words"),
    [
        ([0], [1], "at least two points"),
        ([0, 1, np.nan], [1, 0.8, 0.5], "needs a time and a survival"),
        ([0, 1, 2], [1, 1.4, 0.5], "between 0 and 1"),
        ([0, 1, 2], [100, -40, 50], "between 0 and 1"),
        ([-3, 1, 2], [1, 0.8, 0.5], "times must be 0 or more, found -3"),
        ([0, 1, 2, 3, 4], [0, 0.2, 0.4, 0.5, 0.6], "not a cumulative incidence"),
        ([0, 0], [1, 0.5], "the same time"),
    ],
)
def test_what_makes_no_curve_is_refused(time, survival, words):
    with pytest.raises(HeorError, match=words):
        put_in_order(time, survival)


def test_an_even_grid_is_seen_and_corners_are_not():
    grid = np.arange(0, 10, 0.5)
    assert put_in_order(grid, np.exp(-grid / 8)).sampled
    corners = np.repeat(grid, 2)[1:]
    assert not put_in_order(corners, np.exp(-np.repeat(grid, 2)[:-1] / 8)).sampled
    odd = grid**1.4
    assert not put_in_order(odd, np.exp(-odd / 8)).sampled


# --- curves made from known data --------------------------------------------------------------


def rebuilt(rng, sample, style: str, noise: float) -> Reconstruction:
    time, event = sample
    curve = put_in_order(*read_off(rng, time, event, style, noise))
    whens = np.arange(0, time.max(), 3.0)
    left = [int((time >= when).sum()) for when in whens]
    made = reconstruct(curve, whens, left, int(event.sum()))
    assert [row.made for row in made.at_risk] == left, "numbers at risk are met exactly"
    assert len(made.time) == len(time)
    return made


@pytest.mark.parametrize("noise", [0.0, 0.002])
@pytest.mark.parametrize("style", ["corners", "grid"])
@pytest.mark.parametrize("shape", SHAPES)
def test_known_data_come_back(shape, style, noise):
    """Median within 1%, hazard ratio within 2%, restricted mean within 0.5% of the sample's own."""
    seed = [SHAPES.index(shape), style == "grid", noise > 0]
    rng = np.random.default_rng(seed)
    for n, censoring in ((100, "late"), (150, "heavy"), (300, "none")):
        arms = [trial(rng, shape, censoring, n, ratio) for ratio in (1.0, 0.65)]
        made = [rebuilt(rng, arm, style, noise) for arm in arms]
        for (time, event), found in zip(arms, made, strict=True):
            step = 0.0 if style == "corners" else time.max() / GRID
            level = max(2 * noise, 1e-9) + 0.5 / n * (style == "grid")
            assert median_off(time, event, found.median_made, level, step) < 0.01
            until = 0.9 * float(min(time.max(), found.until))
            mean = restricted_mean(time, event, until)
            assert restricted_mean(found.time, found.event, until) == pytest.approx(mean, rel=5e-3)
            assert found.events == int(event.sum())
        true = cox(*arms)
        back = cox(*[(found.time, found.event) for found in made])
        assert np.exp(back - true) == pytest.approx(1.0, abs=0.02)


def test_corners_without_noise_come_back_event_by_event():
    rng = np.random.default_rng(7)
    time, event = trial(rng, "weibull", "late", 120, 1.0)
    made = rebuilt(rng, (time, event), "corners", 0.0)
    assert made.largest_gap < 2e-3
    np.testing.assert_allclose(made.time[made.event > 0], np.sort(time[event > 0]))


def test_a_draw_of_the_same_points_gives_the_same_people():
    rng = np.random.default_rng(8)
    time, event = trial(rng, "weibull", "heavy", 80, 1.0)
    curve = put_in_order(*read_off(rng, time, event, "grid", 0.002))
    one, two = (
        reconstruct(curve, [0, 6, 12], [80, *((time >= t).sum() for t in (6, 12))]) for _ in "ab"
    )
    assert one.time.tolist() == two.time.tolist()


def test_time_units_do_not_matter():
    rng = np.random.default_rng(9)
    time, event = trial(rng, "weibull", "heavy", 80, 1.0)
    at, alive = read_off(rng, time, event, "corners", 0.002)
    risk = np.arange(0, 20, 4.0)
    left = [int((time >= t).sum()) for t in risk]
    months = reconstruct(put_in_order(at, alive), risk, left)
    years = reconstruct(put_in_order(at / 12, 100 * alive), risk / 12, left)
    np.testing.assert_allclose(years.time * 12, months.time, rtol=1e-9)
    assert (years.event == months.event).all()


# --- numbers at risk and events ---------------------------------------------------------------


def falling(points: int = 40) -> Digitised:
    at = np.linspace(0, 20, points + 1) ** 1.1
    return Digitised(time=at, survival=np.exp(-at / 12))


def test_numbers_at_risk_are_met_even_where_the_curve_denies_them():
    made = reconstruct(falling(), [0, 5, 10], [100, 99, 98])
    assert [row.made for row in made.at_risk] == [100, 99, 98]
    assert made.largest_gap > 0.2
    assert any("do not agree there" in words for words in made.warnings)


def test_published_events_decide_the_end():
    def events(total: int | None) -> int:
        return reconstruct(falling(), [0, 5, 10], [100, 60, 30], total).events

    free = events(None)
    assert events(free - 2) == free - 2
    assert events(free + 2) == free + 2


def test_events_that_cannot_be_are_said():
    made = reconstruct(falling(), [0, 5, 10, 20], [100, 60, 30, 10], 20)
    assert made.events > 20
    assert any(words.startswith("20 events are published") for words in made.warnings)


def test_only_the_number_at_the_start_is_enough_but_is_said():
    made = reconstruct(falling(), [0], [200], 150)
    assert len(made.time) == 200
    assert made.events == 150
    assert any("is a guess" in words for words in made.warnings)


def test_events_by_row_are_kept():
    """Four rows of a table as R prints it: at risk just before, events at that time."""
    curve = put_in_order([0, 2, 3, 7], [1, 0.9, 0.8, 0.6])
    before, total = events_before([0, 2, 1, 2], curve)
    assert (before, total) == ((0, 0, 2, 3), 5)
    made = reconstruct(curve, [0, 2, 3, 7], [20, 20, 12, 9], total, before)
    assert made.time[made.event > 0].tolist() == [2, 2, 3, 7, 7]
    grid = put_in_order(np.arange(0, 8), [1, 0.9, 0.8, 0.75, 0.6, 0.5, 0.45, 0.4])
    before, total = events_before([0, 2, 2, 1, 3, 2, 1, 1], grid)
    assert before == (0, 2, 4, 5, 8, 10, 11, 12)
    made = reconstruct(grid, range(8), [20, 18, 15, 14, 10, 8, 7, 6], total, before)
    found = [
        int(made.event[(made.time > a) & (made.time <= b)].sum()) for a, b in pairwise(range(8))
    ]
    assert found == [2, 2, 1, 3, 2, 1, 1]


def test_nobody_left_and_a_curve_to_zero():
    curve = put_in_order([0, 1, 2, 3], [1, 0.75, 0.5, 0])
    made = reconstruct(curve, [0, 1.5, 2.5, 4], [4, 3, 2, 0])
    assert made.events == 4
    assert made.median_made == 2


def test_a_curve_that_ends_before_the_last_number_is_drawn_on():
    made = reconstruct(falling(), [0, 10, 30], [100, 40, 5])
    assert made.repairs[-1].startswith("the curve was drawn on, level, from time 26.99 to 30")
    assert made.at_risk[-1].made == 5


@pytest.mark.parametrize(
    ("times", "numbers", "events", "words"),
    [
        ([1, 5], [100, 60], None, "must start with that at time 0"),
        ([0, 5, 5], [100, 60, 50], None, "must rise"),
        ([0, 5, 9], [100, 60, 70], None, "the numbers must not"),
        ([0, 5], [100, 60.5], None, "whole people"),
        ([0, 5], [100, 60], 101, "101 events among 100 people"),
        ([0, 5, 400], [100, 60, 20], None, "the same time unit"),
    ],
)
def test_numbers_at_risk_that_contradict_themselves(times, numbers, events, words):
    with pytest.raises(HeorError, match=words):
        reconstruct(falling(), times, numbers, events)


# --- the shipped tables: what was computed from the patients themselves -------------------------


@pytest.fixture(scope="module")
def study() -> Spec:
    return read_study(shipped_studies() / "lifileucel_nsclc")


@pytest.fixture(scope="module")
def patients(study) -> dict[str, Reconstruction]:
    found = {}
    for (_, endpoint, group), km in study.km.items():
        curve = put_in_order(km.time, km.survival)
        before, total = events_before(km.events, curve)
        made = reconstruct(curve, km.time, km.at_risk, total, before)
        found[f"{endpoint}.{group}"] = made
    return found


def test_shipped_tables_come_back(study, patients):
    for (_, endpoint, group), km in study.km.items():
        made = patients[f"{endpoint}.{group}"]
        assert [row.made for row in made.at_risk] == km.at_risk.astype(int).tolist()
        assert made.events == int(km.events.sum())
        assert made.largest_gap < 2.5e-3, (endpoint, group)
        assert made.mean_made == pytest.approx(made.mean_read, rel=2e-3)


@pytest.mark.parametrize(
    ("curve", "median"),
    [("os.responder", 18.6), ("os.non_responder", 8.8), ("pfs.responder", 10.6)],
)
def test_medians_of_the_patient_data(patients, curve, median):
    """Medians computed from OAK and POPLAR patient by patient (Gandara 2018), to their digits."""
    assert patients[curve].median_made == pytest.approx(median, abs=0.05)


def test_median_between_two_rows_of_the_table(patients):
    """3.06 months in the patients; the half-monthly table only says between 3.0 and 3.5."""
    assert patients["pfs.non_responder"].median_made == pytest.approx(3.06, abs=0.05)


@pytest.mark.parametrize(
    ("curve", "family", "estimates", "tolerance"),
    [  # fitted to the patients themselves (flexsurv); tolerance 0.25 standard errors
        ("os.responder", "lognormal", {"meanlog": 2.998, "sdlog": 0.6478}, (0.02, 0.024)),
        ("os.non_responder", "weibull", {"shape": 1.1236, "scale": 13.086}, (0.0156, 0.19)),
        ("pfs.non_responder", "lognormal", {"meanlog": 1.1822, "sdlog": 0.9372}, (0.014, 0.0102)),
    ],
)
def test_fits_to_the_patient_data(patients, curve, family, estimates, tolerance):
    found = fit(family, patients[curve].data).estimates
    for (name, value), most in zip(estimates.items(), tolerance, strict=True):
        assert found[name] == pytest.approx(value, abs=most), name


def test_criteria_of_the_patient_data(patients):
    """AIC from the patients themselves: 1583.9 and 1580.0."""
    data = patients["os.non_responder"].data
    assert fit("weibull", data).aic == pytest.approx(1583.9, abs=0.1)
    assert fit("loglogistic", data).aic == pytest.approx(1580.0, abs=0.7)


WORDS = {
    "exponential": "exponential",
    "Weibull": "weibull",
    "Gompertz": "gompertz",
    "gamma": "gamma",
    "log-normal": "lognormal",
    "log-logistic": "loglogistic",
    "generalised gamma": "gengamma",
}
HEADINGS = {
    "OS, non-responders (": "os.non_responder",
    "OS, responders (": "os.responder",
    "PFS, non-responders (": "pfs.non_responder",
    "PFS, responders (": "pfs.responder",
}


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_page_shows_what_the_fits_give(patients, heading):
    page = (ROOT / "docs/docetaxel_survival.md").read_text("utf-8")
    section = page.split(f"### {heading}")[1].split("\n## ")[0].split("\n### ")[0]
    rows = {
        cells[0]: [float(cell) for cell in cells[1:12]]
        for line in section.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 13
        and re.fullmatch(r"[\d.]+", cells[1])
    }
    data = patients[HEADINGS[heading]].data
    assert set(WORDS) <= set(rows)
    for words, family in WORDS.items():
        found = fit(family, data)
        at = np.array([6.0, 12, 24, 36, 60, 120])
        shown = [*(100 * found.survival(at)).tolist()]
        criteria = [found.aic, found.bic, found.bic_events]
        assert rows[words][:3] == pytest.approx(criteria, abs=0.051), words
        assert rows[words][5:] == pytest.approx(shown, abs=0.051), words


def test_candidates_of_the_study_are_the_fits(study, patients):
    value = {name: parameter.value for name, parameter in study.parameters.items()}
    for curve, family, ids in (
        ("os.non_responder", "loglogistic", ("doc_osnr_ll_shape", "doc_osnr_ll_scale")),
        ("os.non_responder", "gengamma", ("doc_osnr_gg_mu", "doc_osnr_gg_sigma", "doc_osnr_gg_q")),
        ("os.responder", "loglogistic", ("doc_osr_ll_shape", "doc_osr_ll_scale")),
        ("os.responder", "gamma", ("doc_osr_ga_shape", "doc_osr_ga_rate")),
        ("pfs.non_responder", "loglogistic", ("doc_pfsnr_ll_shape", "doc_pfsnr_ll_scale")),
        ("pfs.responder", "lognormal", ("doc_pfsr_mu_ipd", "doc_pfsr_sigma_ipd")),
    ):
        found = fit(family, patients[curve].data).estimates
        assert [value[name] for name in ids] == pytest.approx(list(found.values()), rel=5e-4)
    spline = fit("spline", patients["pfs.non_responder"].data, scale="hazard", inner=1)
    ids = ("doc_pfsnr_sp_g0", "doc_pfsnr_sp_g1", "doc_pfsnr_sp_g2")
    assert [value[name] for name in ids] == pytest.approx(list(spline.estimates.values()), rel=1e-3)
    assert spline.model.knots == pytest.approx([np.log(0.05), 1.0760008, np.log(26.75)], abs=1e-6)
