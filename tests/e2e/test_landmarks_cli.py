"""``heor calibrate --inputs landmarks``: what is drawn is what was published."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from printed_fits import run, study_with
from scipy import special, stats

from heor.fitting.landmarks import beta_of_interval, beta_of_log_variance
from heor.spec.draws import base, sample
from heor.spec.reader import read_study, shipped_studies

MONTHS = ["--inputs", "landmarks", "--prefix", "x"]


def study_of(tmp_path, *words):
    done = run("calibrate", *words, *MONTHS, "--rows", tmp_path / "rows")
    assert done.exit_code == 0, done.output
    (tmp_path / "rows" / "correlations.csv").write_text("group,row,column,value\n")
    return read_study(study_with(tmp_path / "study", tmp_path / "rows"))


def test_the_shipped_study_is_parametrised_so(tmp_path):
    """Duration of response of lifileucel: beta inputs, and its Weibull by the same formulas."""
    words = ["--family", "weibull", "--at", "24=0.517:n10", "--given", "60=0.6054:n10"]
    spec = study_of(tmp_path, *words)
    shipped = read_study(shipped_studies() / "lifileucel_nsclc")
    ours, theirs = base(spec).values, base(shipped).values
    for mine, its in (("x_s24", "lif_dor24"), ("x_s60_given_24", "lif_dor60c")):
        distribution = spec.parameters[mine].distribution
        assert distribution.name == "beta"
        assert distribution.parameters == pytest.approx(
            shipped.parameters[its].distribution.parameters, rel=1e-12
        )
    assert ours["x_shape"][0] == pytest.approx(theirs["lif_dor_k"][0], rel=1e-14)
    assert ours["x_scale"][0] == pytest.approx(theirs["lif_dor_lam"][0], rel=1e-14)


@pytest.mark.parametrize("family", ["weibull", "loglogistic"])
def test_draws_are_curves_through_their_own_numbers(family, tmp_path):
    words = ["--at", "24=0.4:0.3:0.5", "--at", "60=20%:12%:29%"]
    spec = study_of(tmp_path, "--family", family, *words)
    values = sample(spec, 20_000).values
    shape, scale = values["x_shape"], values["x_scale"]
    alive = {}
    for time in (24, 60):
        power = (time / scale) ** shape
        alive[time] = np.exp(-power) if family == "weibull" else 1 / (1 + power)
    np.testing.assert_allclose(alive[24], values["x_s24"], rtol=1e-9)
    np.testing.assert_allclose(alive[60], values["x_s24"] * values["x_s60_given_24"], rtol=1e-9)
    assert (alive[60] < alive[24]).all()
    low, high = np.quantile(alive[24], [0.025, 0.975])
    assert high - low == pytest.approx(0.2, abs=0.004)  # the published width
    a, b = beta_of_interval(0.2, 0.12, 0.29)
    spread = np.sqrt(special.polygamma(1, a) - special.polygamma(1, a + b))
    assert np.log(alive[60]).std() == pytest.approx(spread, rel=0.03)
    assert alive[60].mean() == pytest.approx(0.2, abs=0.002)


def test_a_median_is_lognormal(tmp_path):
    words = ["--family", "exponential", "--median", "12.3", "--median-ci", "10.1:14.2"]
    spec = study_of(tmp_path, *words)
    distribution = spec.parameters["x_median"].distribution
    assert distribution.name == "lognormal"
    sd = np.log(14.2 / 10.1) / (2 * stats.norm.isf(0.025))
    assert distribution.parameters == pytest.approx((np.log(12.3), sd), rel=1e-12)
    values = sample(spec, 50).values
    np.testing.assert_allclose(values["x_rate"], np.log(2) / values["x_median"], rtol=1e-14)


@pytest.mark.parametrize(
    ("mean", "low", "high"), [(0.517, 0.3, 0.75), (0.05, 0.02, 0.1), (0.95, 0.9, 0.98)]
)
def test_a_beta_has_the_mean_and_the_width(mean, low, high):
    a, b = beta_of_interval(mean, low, high)
    assert a / (a + b) == pytest.approx(mean, rel=1e-12)
    assert np.diff(stats.beta.ppf([0.025, 0.975], a, b))[0] == pytest.approx(high - low, rel=1e-9)
    a, b = beta_of_log_variance(mean, 0.01)
    assert a / (a + b) == pytest.approx(mean, rel=1e-12)
    assert special.polygamma(1, a) - special.polygamma(1, a + b) == pytest.approx(0.01, rel=1e-9)


def test_a_number_without_an_interval_is_fixed(tmp_path):
    spec = study_of(tmp_path, "--family", "weibull", "--at", "24=0.4:0.3:0.5", "--at", "60=0.2")
    assert spec.parameters["x_s60_given_24"].distribution is None
    done = run(
        "calibrate", "--family", "weibull", "--at", "24=0.4", "--at", "60=0.2", *MONTHS, "--json"
    )
    assert [one["distribution"] for one in json.loads(done.stdout)["inputs"]] == ["", ""]


def test_rows_of_another_kind_take_the_place_of_these(tmp_path):
    folder = tmp_path / "rows"
    words = ["calibrate", "--family", "weibull", "--at", "24=0.4:0.3:0.5", "--at", "60=0.2:0.1:0.3"]
    assert run(*words, "--rows", folder).exit_code == 0
    assert (folder / "correlations.csv").is_file()
    assert run(*words, *MONTHS, "--rows", folder).exit_code == 0
    assert not (folder / "correlations.csv").exists()
    with (folder / "parameters.csv").open(encoding="utf-8") as file:
        assert [row["id"] for row in csv.DictReader(file)][:2] == ["x_s24", "x_s60_given_24"]


def test_fixed_rows_are_said_loudly(tmp_path):
    words = ["calibrate", "--family", "weibull", "--at", "24=0.4", "--at", "60=0.2", "-q"]
    done = run(*words, "--rows", tmp_path / "rows")
    assert done.exit_code == 0
    assert "The numbers of these rows are FIXED" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--family gompertz --at 24=0.2 --at 60=0.1", "gompertz is no formula of its landmarks"),
        ("--family weibull --at 24=0.2", "weibull takes 2 numbers, exactly"),
        ("--family weibull --at 24=0.2 --given 12=0.4", "alive at an earlier --at, which is miss"),
        ("--family weibull --median 8 --at 24=0.2", "a median is for the exponential"),
        ("--family weibull --at 24=0.4:n9 --at 60=0.2:n9", "those alive at the one before: say"),
        ("--family weibull --at 24=0.4:nx --at 60=0.2", "--at 24=0.4:nx: found `x`; expected a nu"),
        ("--family weibull --at 24=0.4:n0 --at 60=0.2", "inside 0 to 1, of more than 0 people"),
        ("--family weibull --at 24=40 --at 60=0.2", "survival must be between 0 and 1, found 40"),
        ("--family weibull --at 24=0.4:0.3 --at 60=0.2", "LOW:HIGH, or n and a number of people"),
        ("--family weibull --at 24=.2:.01:.99 --at 60=.1", "0.01 to 0.99 is too wide for a share"),
        (
            "--family weibull --at 24=.4:.2:.6 --at 60=.3:.28:.32",
            "its interval is narrower, relative to its share, than the one at 24 allows",
        ),
    ],
)
def test_what_cannot_be_drawn(words, message):
    done = run("calibrate", *words.split(), "--inputs", "landmarks")
    assert done.exit_code == 2, done.output
    assert message in done.stderr


def test_given_is_of_landmarks():
    done = run("calibrate", "--family", "weibull", "--at", "24=0.4", "--given", "60=0.5")
    assert done.exit_code == 2
    assert "--given 60=0.5: is for --inputs landmarks" in done.stderr
