"""Closed forms of fitted curves in text and as formulas, and calls of flexsurv."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
import xlsxwriter
from libreoffice import recalculate, require_libreoffice
from openpyxl import load_workbook
from printed_fits import run
from scipy import special

from heor.engine.survival import CURVES
from heor.engine.survival_flexible import Spline
from heor.fitting.models import Model
from heor.report.equations import equation, excel

KNOTS = (-0.7, 0.4, 1.2, 2.3)
MODELS = {
    "exponential": (Model(family=CURVES["exponential"]), [-2.1]),
    "weibull": (Model(family=CURVES["weibull"]), [0.3, 1.9]),
    "gompertz, falling": (Model(family=CURVES["gompertz"]), [-0.21, -1.3]),
    "gompertz, flat": (Model(family=CURVES["gompertz"]), [0.0, -1.3]),
    "loglogistic": (Model(family=CURVES["loglogistic"]), [0.4, 1.4]),
    "lognormal": (Model(family=CURVES["lognormal"]), [-0.3, -0.2]),
    "gamma": (Model(family=CURVES["gamma"]), [0.5, -1.1]),
    "gengamma, Q > 0": (Model(family=CURVES["gengamma"]), [1.3, -0.2, 0.7]),
    "gengamma, Q < 0": (Model(family=CURVES["gengamma"]), [1.3, -0.2, -0.6]),
    "gengamma, Q = 0": (Model(family=CURVES["gengamma"]), [1.3, -0.2, 0.0]),
    "genf": (Model(family=CURVES["genf"]), [1.3, -0.2, 0.4, -0.9]),
    "genf, Q < 0": (Model(family=CURVES["genf"]), [1.3, -0.2, -0.4, -0.9]),
    "hazard": (Model(family=Spline("hazard", 4), knots=KNOTS), [-1.8, 1.2, 0.05, -0.04]),
    "odds": (Model(family=Spline("odds", 4), knots=KNOTS), [-1.8, 1.6, 0.05, -0.04]),
    "normal": (Model(family=Spline("normal", 4), knots=KNOTS), [-1.2, 0.9, 0.03, -0.03]),
    "straight": (Model(family=Spline("hazard", 2), knots=(-0.7, 2.3)), [-1.8, 1.2]),
    "mixture": (Model(family=CURVES["weibull"], cure="mixture"), [0.3, 1.9, -0.8]),
    "non-mixture": (Model(family=CURVES["gamma"], cure="non_mixture"), [0.5, -1.1, -0.8]),
}
TIMES = np.array([0.3, 1.0, 2.7, 8.0, 30.0])


def survival(name: str) -> np.ndarray:
    model, theta = MODELS[name]
    return np.exp(model.log_survival(np.array(theta), TIMES, np.zeros(len(TIMES), dtype=np.intp)))


def value_of(text: str, t: float, shapes: tuple[float, float]) -> float:
    """Evaluate an equation as it is read."""
    known = {
        "exp": math.exp,
        "ln": math.log,
        "max": max,
        "t": t,
        "Phi": special.ndtr,
        "P": special.gammainc,
        "I": lambda x: special.betainc(*shapes, x),
        "c": lambda u: max(0.0, u) ** 3,
    }

    def number(formula: str) -> float:
        formula = formula.replace("ln t", "ln(t)").replace("S0(t)", "S0").replace("^", "**")
        formula = re.sub(r"(?<=[\d)]) (?=[A-Za-z(])", "*", formula)
        return eval(formula, {"__builtins__": {}}, known)

    body, _, where = text.removeprefix("S(t) = ").partition(", with ")
    for clause in where.split(" and ")[0].split(", "):
        name, equals, formula = clause.partition(" = ")
        if equals and name not in ("eta", "c(u)"):
            known[name] = number(formula)
    if eta := re.search(r"eta = (.*?), x = ", where):
        known["eta"] = number(eta[1])
    if cured := re.fullmatch(r"(.*), S0\(t\) = (.*)", body):
        known["S0"] = number(cured[2])
        body = cured[1]
    return number(body)


@pytest.mark.parametrize("name", MODELS)
def test_the_equation_is_the_curve(name):
    model, theta = MODELS[name]
    text = equation(model, np.array(theta))
    found = re.search(r"parameters (\S+) and (\S+)$", text)
    shapes = (float(found[1]), float(found[2])) if found else (1.0, 1.0)
    got = [value_of(text, float(t), shapes) for t in TIMES]
    np.testing.assert_allclose(got, survival(name), rtol=2e-6, atol=1e-8)


@pytest.mark.libreoffice
def test_a_spreadsheet_gives_the_curve(tmp_path):
    require_libreoffice()
    path = tmp_path / "curves.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for model, theta in MODELS.values():
            sheet = book.add_worksheet()
            formula = excel(model, np.array(theta))
            assert len(formula) < 8192
            for row, time in enumerate(TIMES, start=2):
                sheet.write_number(f"A{row}", time)
                sheet.write_formula(f"B{row}", re.sub(r"\bA2\b", f"A{row}", formula), value=-1)
    book = load_workbook(recalculate(path, tmp_path / "out"), data_only=True)
    for sheet, name in zip(book.worksheets, MODELS, strict=True):
        got = [sheet[f"B{row}"].value for row in range(2, len(TIMES) + 2)]
        np.testing.assert_allclose(got, survival(name), rtol=0, atol=1e-12, err_msg=name)


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    rng = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("data") / "patients.csv"
    time = rng.weibull(1.3, 80) * 10
    rows = ["os,died,arm,w"]
    rows += [f"{t:.4f},{'dead' if i % 4 else 'alive'},{'AB'[i % 2]},1" for i, t in enumerate(time)]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def code_of(patients, *words):
    done = run("fit", patients, "--time", "os", "--event", "died", "--as", "R", *words)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_calls_of_flexsurv(patients):
    code = code_of(patients, "--family", "loglogistic")
    assert code.startswith("library(flexsurv)  # times are in months\n")
    assert 'flexsurvreg(Surv(time_, event_) ~ 1, data = d, dist = "llogis")' in code
    code = code_of(patients, "--family", "spline", "--knots", "2", "--scale", "odds", "--by", "arm")
    assert 'd1 <- d[trimws(d[["arm"]]) == "A", ]' in code
    assert 'flexsurvspline(Surv(time_, event_) ~ 1, data = d2, k = 2, scale = "odds")' in code
    code = code_of(patients, "--family", "weibull", "--by", "arm", "--together", "--weight", "w")
    assert 'd$group_ <- factor(trimws(d[["arm"]]), levels = c("A", "B"))' in code
    assert '~ group_, data = d, weights = weight_, dist = "weibull")' in code
    code = code_of(patients, "--family", "exponential", "--cure", "mixture")
    assert "library(flexsurvcure)" in code
    assert 'dist = "exp", link = "logistic", mixture = TRUE)' in code
    assert re.search(r"# fit\$res: theta = \S+, rate = ", code)


def test_estimates_stand_beside_the_calls(patients):
    code = code_of(patients, "--family", "gengamma")
    done = run(
        *("fit", patients, "--time", "os", "--event", "died", "--family", "gengamma", "--json")
    )
    (one,) = json.loads(done.stdout)
    written = re.search(r"# fit\$res\.t: mu = (\S+), sigma = (\S+), Q = (\S+)", code)
    assert [float(text) for text in written.groups()] == one["theta"]
    assert f"# logLik = {one['loglik']:.6f}" in code


def test_code_goes_to_a_file_that_says_so(patients, tmp_path):
    code = code_of(patients, "--family", "weibull")
    assert code_of(patients, "--family", "weibull", "-o", tmp_path / "a.R").startswith("Wrote")
    assert (tmp_path / "a.R").read_text(encoding="utf-8") == code
    words = ["fit", patients, "--time", "os", "--event", "died", "--as", "R"]
    for more, message in (
        (["-o", tmp_path / "a.csv"], "the file must end in .r"),
        (["--json"], "--as R and --json: give one of them"),
    ):
        done = run(*words, *more)
        assert done.exit_code == 2
        assert message in done.stderr
