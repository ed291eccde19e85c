"""Pictures of fits: what they draw is what was estimated, and the numbers beside them."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from matplotlib.figure import Figure

from heor.fitting.compare import Request, compare
from heor.fitting.data import right_censored
from heor.fitting.diagnostics import diagnose
from heor.fitting.targets import Target
from heor.report.figures.fit_style import FitView, marks
from heor.report.figures.fits import fit_pictures, write_fit_figures
from heor.report.figures.gallery import CAPTIONS


def view_of(n=120, groups=("Old", "New drug"), targets=()):
    rng = np.random.default_rng(3)
    place = np.arange(n) % len(groups)
    time = np.where(place == 0, 9.0, 15.0) * rng.weibull(1.3, n)
    censor = rng.uniform(6, 40, n)
    data = right_censored(
        np.minimum(time, censor), time <= censor, group=[groups[i] for i in place]
    )
    requests = [Request(family="weibull"), Request(family="lognormal")]
    found = compare(data, requests, together=False, per_year=12, horizon=10, targets=targets)
    return FitView(found, diagnose(data, per_year=12), "month", 10.0)


TARGETS = (
    Target(time=60, survival=0.05, low=0.02, high=0.08, group="Old", source="A registry"),
    Target(time=12, survival=0.6),
)


@pytest.fixture(scope="module")
def view():
    return view_of(targets=TARGETS)


@pytest.fixture(scope="module")
def shown(view):
    return {one.name: one for one in fit_pictures(view)}


def drawn(picture):
    figure = Figure()
    picture.draw(figure)
    return figure.axes


def line(axes, label):
    (found,) = [one for one in axes.get_lines() if one.get_label() == label]
    return found


def test_the_list_of_pictures(shown) -> None:
    own = ("fitted", "hazard", "extrapolated", "extrapolated_hazard")
    assert list(shown) == [
        "kaplan_meier",
        *(f"{name}_Old" for name in own),
        *(f"{name}_New_drug" for name in own),
        *("log_cumulative_hazard", "other_scales", "quantiles_New_drug", "schoenfeld_New_drug"),
    ]
    alone = [one.name for one in fit_pictures(view_of(60, ("",)))]
    assert alone == [*own, "log_cumulative_hazard", "other_scales"]


def test_groups_whose_names_make_one_file_name() -> None:
    names = [one.name for one in fit_pictures(view_of(60, ("A b", "A/b", "a+b")))]
    assert len({name.lower() for name in names}) == len(names)
    assert {"fitted_A_b", "fitted_A_b_2", "fitted_a_b_3"} <= set(names)


def test_kaplan_meier_with_numbers_at_risk_below(view, shown) -> None:
    axes, below = drawn(shown["kaplan_meier"])
    for one in view.seen.groups:
        x, y = line(axes, one.group).get_data()
        assert np.array_equal(x[1:-1], one.observed.time)
        assert np.array_equal(y[1:-1], one.observed.survival)
        assert (x[0], y[0], x[-1]) == (0, 1, one.observed.last)
    texts = [(t.get_position(), t.get_text()) for t in below.texts]
    for place, one in enumerate(view.seen.groups):
        numbers = [text for (_, row), text in texts if row == place]
        assert numbers == [f"{number:g}" for number in one.at_risk]
    assert [t.get_text() for t in below.get_yticklabels()] == ["Old", "New drug"]


def test_fitted_curves_are_those_of_the_fits_and_their_colours_stay(view, shown) -> None:
    one = view.comparisons[0]
    fits = {f"{c.family}: AIC {c.fit.aic:.1f}": c.fit for c in one.candidates}
    colours = {}
    for name, per_unit in (("fitted_Old", 1), ("extrapolated_Old", 12)):
        axes = drawn(shown[name])[0]
        for label, fit in fits.items():
            found = line(axes, label)
            x, y = found.get_data()
            assert np.allclose(y, fit.survival(np.asarray(x) * per_unit), rtol=1e-12)
            assert colours.setdefault(label, found.get_color()) == found.get_color()
    assert len(set(colours.values())) == 2
    order = [x.get_label() for x in drawn(shown["hazard_Old"])[0].get_lines()][1:]
    assert order == sorted(fits, key=lambda label: fits[label].aic)


def test_hazards(view, shown) -> None:
    smooth = view.seen.of("Old").hazard
    axes = drawn(shown["hazard_Old"])[0]
    assert np.array_equal(line(axes, "Smoothed, observed").get_ydata(), smooth.hazard)
    fit = view.comparisons[0].candidates[0].fit
    x, y = line(axes, f"weibull: AIC {fit.aic:.1f}").get_data()
    shape, scale = fit.estimates["shape"], fit.estimates["scale"]
    assert np.allclose(y, shape / scale * (np.asarray(x) / scale) ** (shape - 1), rtol=1e-10)
    assert f"bandwidth {smooth.bandwidth:.4g} months" in shown["hazard_Old"].caption
    axes = drawn(shown["extrapolated_hazard_Old"])[0]
    x, y = line(axes, f"weibull: AIC {fit.aic:.1f}").get_data()
    yearly = 12 * shape / scale * (12 * np.asarray(x) / scale) ** (shape - 1)
    assert np.allclose(y, yearly, rtol=1e-10)
    assert axes.get_yscale() == "log"


def test_targets_stand_at_their_times_with_their_intervals(shown) -> None:
    axes = drawn(shown["extrapolated_Old"])[0]
    assert np.allclose(line(axes, "Targets").get_xydata(), [[1, 0.6], [5, 0.05]])
    ends = [one.get_xydata().tolist() for one in axes.get_lines() if len(one.get_xdata()) == 2]
    assert [[5, 0.02], [5, 0.08]] in ends
    assert "A registry" in shown["extrapolated_Old"].caption
    early = drawn(shown["fitted_New_drug"])[0]
    assert line(early, "Targets").get_xydata().tolist() == [[12, 0.6]]


def test_straight_lines_quantiles_and_residuals(view, shown) -> None:
    axes = drawn(shown["log_cumulative_hazard"])[0]
    curve = view.seen.of("New drug").observed
    inside = (curve.survival > 0) & (curve.survival < 1)
    x, y = line(axes, "New drug").get_data()
    assert np.allclose(x, curve.time[inside])
    assert np.allclose(y, np.log(-np.log(curve.survival[inside])))
    assert len(drawn(shown["other_scales"])) == 2
    (plot,) = view.seen.quantiles
    axes = drawn(shown["quantiles_New_drug"])[0]
    points = line(axes, "Quantiles, every 5%").get_xydata()
    assert np.array_equal(points.T, [plot.reference_time, plot.time])
    axes = drawn(shown["schoenfeld_New_drug"])[0]
    fit = view.seen.proportional.fit
    assert np.array_equal(
        line(axes, "Scaled residuals").get_xydata().T, [fit.time, fit.scaled_residuals[:, 0]]
    )


def test_marks_of_logarithmic_axes() -> None:
    assert marks(0.03, 3) == [0.05, 0.1, 0.2, 0.5, 1, 2]


def test_files_and_numbers(view, tmp_path) -> None:
    names = write_fit_figures(
        view.comparisons, view.seen, "patients.csv", "month", 10.0, tmp_path, ()
    )
    assert set(names) == {path.name for path in tmp_path.iterdir()}
    assert len(names) == 13 + 1
    text = (tmp_path / CAPTIONS).read_text("utf-8")
    assert text.startswith("# Figures: survival in patients.csv\n\npatients.csv · heor ")
    assert "Files: `fitted_Old.csv`." in text
    with (tmp_path / "fitted_Old.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["series", "time", "survival", "low", "high"]
    curve = view.seen.of("Old").observed
    steps = [row for row in rows if row["series"] == "Old: Kaplan-Meier"]
    assert [float(row["survival"]) for row in steps] == curve.survival.tolist()
    at_risk = [row for row in rows if row["series"] == "Old: number at risk"]
    assert [float(r["survival"]) for r in at_risk] == view.seen.of("Old").at_risk.tolist()
    weibull = [row for row in rows if row["series"] == "weibull"]
    fit = view.comparisons[0].candidates[0].fit
    times = np.array([float(row["time"]) for row in weibull])
    assert np.allclose([float(row["survival"]) for row in weibull], fit.survival(times))
