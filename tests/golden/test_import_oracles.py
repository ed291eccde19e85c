"""Fits of flexsurv, printed or written as R does it, come in with their curves and covariances."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from printed_fits import (
    matrix,
    matrix_csv,
    natural,
    printed,
    run,
    study_with,
    table_csv,
    transformed,
)

from heor.engine.survival import family_of_curve
from heor.spec.draws import base, sample
from heor.spec.reader import read_study

DATA = Path(__file__).parent / "data"
FITS = [
    fit
    for name in ("fits_flexsurv.json", "fits_flexsurv_forms.json")
    for fit in json.loads((DATA / name).read_text())["fits"]
]
IDS = [f"{f['dataset']}-{f['model']}-{f['spec']['covariate']}" for f in FITS]


def curves_of(spec, draws):
    """S(t) of the imported curves: a function of times for each, from the rows alone."""
    found = []
    for curve in spec.curves:
        if curve.id.startswith("fit_"):
            values = [
                formula.evaluate(draws.values, len(next(iter(draws.values.values()))))
                for formula in curve.parameters.values()
            ]
            found.append((family_of_curve(curve), values))
    return found


def at_times(one, group):
    chosen = [
        place
        for place in range(len(one["pred_time"]))
        if one["newdata_group"] is None or one["newdata_group"][place] == group
    ]
    times = np.array(one["pred_time"], dtype=float)[chosen]
    return times, np.array(one["S"])[chosen]


@pytest.mark.parametrize("one", FITS, ids=IDS)
def test_a_printed_fit_gives_the_curve_of_flexsurv(one, tmp_path):
    text = printed(one) + matrix(one["parnames"], one["cov_transformed"])
    (tmp_path / "fit.txt").write_text(text)
    done = run("import-fit", tmp_path / "fit.txt", "--unit", "days", "--rows", tmp_path / "rows")
    assert done.exit_code == 0, done.output
    assert "NO COVARIANCE" not in done.output
    spec = read_study(study_with(tmp_path / "study", tmp_path / "rows"))
    curves = curves_of(spec, base(spec))
    assert len(curves) == (1 if one["newdata_group"] is None else 2)
    close = 1e-11 if one["model"] == "genf" and one["est_natural"][3] < 1e-6 else 1e-12
    for group, (family, values) in zip(("1", "2"), curves, strict=False):
        times, expected = at_times(one, group)
        got = np.exp(family.log_survival(times, [value[0] for value in values]))
        np.testing.assert_allclose(got, expected, rtol=0, atol=close)


@pytest.mark.parametrize("model", ["weibullPH", "gengamma", "gompertz", "spline_odds_k2"])
def test_draws_have_the_covariance_of_flexsurv(model, tmp_path):
    one = next(f for f in FITS if f["model"] == model)
    names = one["parnames"]
    (tmp_path / "fit.csv").write_text(table_csv(names, transformed(one)))
    (tmp_path / "vcov.csv").write_text(matrix_csv(names, one["cov_transformed"]))
    words = [tmp_path / "fit.csv", "--covariance", tmp_path / "vcov.csv", "--unit", "days"]
    words += ["--rows", tmp_path / "rows"]
    if one["knots"]:
        knots = " ".join(map(repr, one["knots"]))
        words += ["--knots", knots, "--scale", one["spec"]["scale"]]
    else:
        words += ["--family", model]
    done = run("import-fit", *words)
    assert done.exit_code == 0, done.output
    spec = read_study(study_with(tmp_path / "study", tmp_path / "rows"))
    ids = [name for name in spec.parameters if name.startswith("fit_")]
    n = 20_000
    drawn = sample(spec, n)
    table = np.array([drawn.values[name] for name in ids])
    expected = np.array(one["cov_transformed"])
    spread = np.sqrt(np.diag(expected))
    off = (np.cov(table) - expected) / np.outer(spread, spread)
    assert np.abs(off).max() < 5 * np.sqrt(2 / n)
    assert (np.abs(table.mean(axis=1) - one["est_transformed"]) < 5 * spread / np.sqrt(n)).all()


@pytest.mark.parametrize("model", ["weibull", "lnorm", "genf", "gengamma.orig"])
def test_natural_and_transformed_estimates_are_the_same_fit(model, tmp_path):
    one = next(f for f in FITS if f["model"] == model)
    (tmp_path / "vcov.csv").write_text(matrix_csv(one["parnames"], one["cov_transformed"]))
    found = []
    for name, columns in (("res", natural(one)), ("res_t", transformed(one))):
        (tmp_path / f"{name}.csv").write_text(table_csv(one["parnames"], columns))
        words = ["--covariance", tmp_path / "vcov.csv", "--family", model, "--unit", "days"]
        done = run("import-fit", tmp_path / f"{name}.csv", *words, "--json")
        assert done.exit_code == 0, done.output
        found.append(json.loads(done.stdout)[0])
    np.testing.assert_allclose(found[0]["theta"], found[1]["theta"], rtol=1e-12, atol=1e-14)
    assert found[0]["covariance"] == found[1]["covariance"]
    np.testing.assert_allclose(found[0]["theta"], one["est_transformed"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("digits", [4, 6])
def test_standard_errors_of_a_print_are_as_good_as_its_digits(digits, tmp_path):
    one = next(f for f in FITS if f["model"] == "weibull")
    (tmp_path / "fit.txt").write_text(printed(one, digits))
    done = run("import-fit", tmp_path / "fit.txt", "--unit", "days", "--json")
    assert done.exit_code == 0, done.output
    assert "NO COVARIANCE: shape, scale will be drawn as if INDEPENDENT" in done.stderr
    (found,) = json.loads(done.stdout)
    covariance = np.array(found["covariance"])
    assert covariance[0, 1] == 0
    expected = np.diag(np.array(one["cov_transformed"]))
    np.testing.assert_allclose(np.diag(covariance), expected, rtol=4 * 10.0 ** (2 - digits))


def test_the_rows_are_those_of_heor_fit(tmp_path):
    """A fit of ours, told in flexsurv's words, gives the rows that `heor fit` writes itself."""
    raw = json.loads((DATA / "fits_flexsurv.json").read_text())["lung"]
    with (tmp_path / "lung.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "event"])
        rows.writerows(zip(raw["time"], raw["status"], strict=True))
    words = ["--unit", "days", "--prefix", "lung", "--rows"]
    done = run(
        "fit", tmp_path / "lung.csv", "--family", "gengamma", "--json", *words, tmp_path / "a"
    )
    assert done.exit_code == 0, done.output
    (ours,) = json.loads(done.stdout)
    names = list(ours["estimates"])
    logs = [ours["scale"][name] == "log" for name in names]
    covariance = ours["covariance"]
    errors = [covariance[i][i] ** 0.5 for i in range(len(names))]
    (tmp_path / "est.csv").write_text(table_csv(names, {"est": ours["theta"], "se": errors}))
    (tmp_path / "vcov.csv").write_text(matrix_csv(names, covariance))
    more = ["--covariance", tmp_path / "vcov.csv", "--estimates", "transformed"]
    done = run("import-fit", tmp_path / "est.csv", *more, *words, tmp_path / "b")
    assert done.exit_code == 0, done.output
    assert any(logs)
    # a print says nothing of how well a curve fits which data, and nothing chooses it
    other = dict.fromkeys(("note", "use", "aic", "bic", "bic_events", "fit_data"), "")
    for name in ("parameters", "curves", "correlations"):
        tables = []
        for folder in ("a", "b"):
            with (tmp_path / folder / f"{name}.csv").open(encoding="utf-8") as file:
                tables.append([row | other for row in csv.DictReader(file)])
        assert tables[0] == tables[1]
