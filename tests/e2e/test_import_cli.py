"""``heor import-fit`` from outside: what other programs print, and what cannot be told."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from printed_fits import run, study_with
from scipy import stats

from heor.engine.survival import family_of_curve
from heor.spec.draws import sample
from heor.spec.reader import read_study

WEIBULL = """Call:
flexsurvreg(formula = Surv(futime, fustat) ~ 1, data = ovarian,
    dist = "weibull")

Estimates:
       est       L95%      U95%      se
shape     1.108     0.674     1.822     0.281
scale  1225.419   690.421  2174.979   358.714

N = 26,  Events: 12,  Censored: 14
Total time at risk: 15588
Log-likelihood = -97.95390, df = 2
AIC = 199.9078
"""

SURVHE = """Model fit for the Exponential model, obtained using INLA (Bayesian inference via
Integrated Nested Laplace Approximation). Running time: 1.3771 seconds

                 mean         se      L95%      U95%
rate        0.0608361 0.00907955 0.0457714 0.0812089
groupMedium 0.8344570 0.17986907 0.4830539 1.1961423
groupPoor   1.5445269 0.15545916 1.2430897 1.8042481

Model fitting summaries
Akaike Information Criterion (AIC)....: 1668.198

Model fit for the log-Normal model, obtained using INLA (Bayesian inference via
Integrated Nested Laplace Approximation). Running time: 5.6316 seconds

                 mean       se      L95%      U95%
meanlog      2.159231 0.112255  1.974904  2.411633
sdlog        0.977559 0.042725  0.899674  1.064697
groupMedium -0.620447 0.150933 -0.919282 -0.346439
groupPoor   -1.319917 0.103472 -1.522263 -1.077766
"""

LIFELINES = """<lifelines.WeibullFitter:"Weibull_estimate", fitted with 163 total observations>
   number of observations = 163
number of events observed = 156
           log-likelihood = -672.062

---
         coef  se(coef)  coef lower 95%  coef upper 95%  cmp to     z      p  -log2(p)
lambda_ 55.73      1.33           53.13           58.33    1.00 41.26 <0.005       inf
rho_     3.45      0.24            2.97            3.93    1.00 10.07 <0.005     76.83
---
AIC = 1348.12
"""


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def imported(path: Path, *words: object) -> list[dict]:
    done = run("import-fit", path, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(path: Path, *words: object) -> str:
    done = run("import-fit", path, *words)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    return done.stderr


def test_what_is_said_of_a_printed_fit(tmp_path):
    path = write(tmp_path, "w.txt", "\n".join(f"## {line}" for line in WEIBULL.splitlines()))
    (one,) = imported(path, "--unit", "days")
    assert (one["program"], one["family"], one["group"]) == ("flexsurv", "weibull", "")
    assert one["parameters"] == pytest.approx({"shape": 1.108, "scale": 1225.419})
    error = math.log(1.822 / 0.674) / (2 * stats.norm.isf(0.025))
    assert one["covariance"][0] == pytest.approx([error**2, 0.0])
    done = run("import-fit", path, "--unit", "days", "--quiet")
    assert done.exit_code == 0
    assert "NO COVARIANCE" in done.stderr  # loud, even when quiet
    fixed = imported(path, "--unit", "days", "--without-covariance", "fixed")
    assert fixed[0]["covariance"] is None


def test_a_pasted_covariance_and_more_digits(tmp_path):
    more = """
> fit$res.t
            est       L95%     U95%      se
shape 0.1025654 -0.3948711 0.600002 0.253797
scale 7.1110381  6.5373007 7.684775 0.292728
> vcov(fit)
            shape
shape  0.06441612
scale -0.03522144
            scale
shape -0.03522144
scale  0.08569007
"""
    (one,) = imported(write(tmp_path, "w.txt", WEIBULL + more), "--unit", "days")
    assert one["theta"] == [0.1025654, 7.1110381]
    assert one["covariance"] == [[0.06441612, -0.03522144], [-0.03522144, 0.08569007]]
    assert one["warnings"] == []


def test_survhe_by_group(tmp_path):
    rows = imported(write(tmp_path, "s.txt", SURVHE), "--unit", "years", "--by", "group")
    assert [(row["family"], row["group"]) for row in rows] == [
        (family, group)
        for family in ("exponential", "lognormal")
        for group in ("reference", "Medium", "Poor")
    ]
    rates = [row["parameters"]["rate"] for row in rows[:3]]
    assert rates == pytest.approx([0.0608361 * math.exp(e) for e in (0, 0.834457, 1.5445269)])
    means = [row["parameters"]["meanlog"] for row in rows[3:]]
    assert means == pytest.approx([2.159231, 2.159231 - 0.620447, 2.159231 - 1.319917])
    assert "means and intervals of a posterior (INLA)" in rows[0]["warnings"][0]


def test_lifelines(tmp_path):
    path = write(tmp_path, "l.txt", LIFELINES)
    natural = [[1.33**2, 0.05], [0.05, 0.24**2]]
    header = ",lambda_,rho_"
    lines = [
        header,
        *(f"{n},{a},{b}" for n, (a, b) in zip(("lambda_", "rho_"), natural, strict=True)),
    ]
    covariance = write(tmp_path, "v.csv", "\n".join(lines))
    (one,) = imported(path, "--unit", "months", "--covariance", covariance)
    assert one["parameters"] == pytest.approx({"shape": 3.45, "scale": 55.73})
    assert one["covariance"][0] == pytest.approx([(1.33 / 55.73) ** 2, 0.05 / 55.73 / 3.45])
    assert "delta method" in one["warnings"][0]


def test_generalised_f_of_s1_and_s2(tmp_path):
    """y ~ F(2 s1, 2 s2) and t = exp(mu + sigma ln y)."""
    text = '"","est"\n"mu",1.2\n"sigma",-0.3\n"s1",0.4\n"s2",0.9\n'
    (one,) = imported(
        write(tmp_path, "f.csv", text),
        *("--family", "genf.orig", "--estimates", "transformed", "--unit", "years"),
        *("--without-covariance", "fixed"),
    )
    sigma, s1, s2 = np.exp([-0.3, 0.4, 0.9])
    for landmark in one["survival"]:
        y = np.exp((np.log(landmark["years"]) - 1.2) / sigma)
        assert landmark["value"] == pytest.approx(stats.f.sf(y, 2 * s1, 2 * s2), abs=1e-13)


def test_a_mixture_of_flexsurvcure(tmp_path):
    text = """Call:
flexsurvcure(formula = Surv(t, d) ~ 1, data = x, dist = "weibullPH", link = "logistic",
    mixture = T)

Estimates:
       est     L95%    U95%    se
theta  0.3000  0.2000  0.4235  0.0574
shape  1.2000  0.9000  1.6000  0.1761
scale  0.0500  0.0300  0.0833  0.0130
"""
    path = write(tmp_path, "c.txt", text)
    (one,) = imported(path, "--unit", "years")
    share, shape, scale = 0.3, 1.2, 0.05
    expected = [share + (1 - share) * math.exp(-scale * t**shape) for t in (1, 2, 5, 10, 15, 20)]
    assert [s["value"] for s in one["survival"]] == pytest.approx(expected, abs=1e-12)
    assert one["scale"] == {"shape": "log", "scale": "log", "cure": "logit"}
    done = run("import-fit", path, "--unit", "years", "--rows", tmp_path / "rows")
    assert done.exit_code == 0, done.output
    spec = read_study(study_with(tmp_path / "study", tmp_path / "rows"))
    curve = next(c for c in spec.curves if c.id.startswith("fit_"))
    values = {name: np.array([p.value]) for name, p in spec.parameters.items()}
    assert curve.cure_fraction.evaluate(values, 1)[0] == pytest.approx(0.3, rel=1e-14)
    assert "not non-mixtures" in refused(
        write(tmp_path, "n.txt", text.replace("mixture = T", "mixture = F")), "--unit", "years"
    )


def test_posterior_draws_stay_joint_and_as_they_are(tmp_path):
    rng = np.random.default_rng(3)
    table = np.column_stack(
        [rng.normal(2, 0.1, 40), np.exp(rng.normal(0, 0.1, 40)), rng.normal(0.3, 0.1, 40)]
    )
    lines = ['"","meanlog","sdlog","armB","lp__"']
    lines += [f'"{i}",{",".join(map(repr, row.tolist()))},-9.5' for i, row in enumerate(table, 1)]
    path = write(tmp_path, "posterior.csv", "\n".join(lines))
    words = ["--unit", "months", "--by", "arm", "--by-is", "group", "--rows", tmp_path / "rows"]
    done = run("import-fit", path, *words)
    assert done.exit_code == 0, done.output
    assert "The family is taken from the names meanlog, sdlog: lnorm." in done.stderr
    assert "40 joint draws" in done.stderr
    spec = read_study(study_with(tmp_path / "study", tmp_path / "rows"))
    ids = [name for name in spec.parameters if name.startswith("fit_")]
    drawn = sample(spec, 40)
    np.testing.assert_array_equal(np.array([drawn.values[name] for name in ids]).T, table)
    assert [spec.parameters[name].value for name in ids] == pytest.approx(table.mean(axis=0))
    reference, b = [c for c in spec.curves if c.id.startswith("fit_")]
    for curve, effect in ((reference, 0.0), (b, table[:, 2])):
        values = [f.evaluate(drawn.values, 40) for f in curve.parameters.values()]
        got = family_of_curve(curve).log_survival(9.0, values)
        expected = stats.norm.logsf((np.log(9.0) - table[:, 0] - effect) / table[:, 1])
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    # rows of another fit take the place of these, draws too
    more = write(tmp_path, "w.txt", WEIBULL)
    done = run("import-fit", more, "--unit", "days", "--rows", tmp_path / "rows")
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "rows" / "draws.csv").exists()


def test_draws_of_proportional_hazards_with_an_effect(tmp_path):
    text = "shape,scale,drug\n1.2,0.05,-0.4\n1.3,0.06,-0.5\n1.1,0.07,-0.6\n"
    path = write(tmp_path, "d.csv", text)
    words = ["--family", "weibullPH", "--unit", "years", "--rows", tmp_path / "rows"]
    done = run("import-fit", path, *words)
    assert done.exit_code == 0, done.output
    spec = read_study(study_with(tmp_path / "study", tmp_path / "rows"))
    values = sample(spec, 3).values
    curve = [c for c in spec.curves if c.id.startswith("fit_")][1]
    shape, scale = (f.evaluate(values, 3) for f in curve.parameters.values())
    hazard = np.array([0.05, 0.06, 0.07]) * np.exp([-0.4, -0.5, -0.6])
    np.testing.assert_allclose((2.0 / scale) ** shape, hazard * 2.0 ** np.array([1.2, 1.3, 1.1]))


def test_names_of_stan_are_renamed_never_guessed(tmp_path):
    text = '"alpha","scale","beta[1]"\n1.2,9.0,2.2\n1.4,8.0,2.1\n'
    path = write(tmp_path, "stan.csv", text)
    words = ["--unit", "months", "--family", "weibull", "--drop", "beta[1]"]
    assert "shape missing: weibull has shape, scale" in refused(path, *words)
    (one,) = imported(path, *words, "--rename", "alpha=shape")
    assert one["parameters"] == pytest.approx({"shape": 1.3, "scale": 8.5})
    assert "--rename: `rho` is no name" in refused(path, *words, "--rename", "rho=shape")
    assert "'alpha': write OLD=NEW" in refused(path, *words, "--rename", "alpha")


RES_T = '"","est","L95%","U95%","se"\n"shape",0.1,-0.4,0.6,0.25\n"scale",7.1,6.5,7.7,0.3\n'
VCOV = '"","shape","scale"\n"shape",0.0625,-0.03\n"scale",-0.03,0.09\n'
SPLINE = """Call:
flexsurvspline(formula = Surv(t, d) ~ 1, data = x, k = 1)

Estimates:
        est   L95%   U95%  se
gamma0  -6.0  -7.0   -5.0  0.5
gamma1   1.1   0.9    1.3  0.1
gamma2   0.1   0.0    0.2  0.05
"""


@pytest.mark.parametrize(
    ("name", "text", "words", "message"),
    [
        ("a.csv", RES_T, [], "say --family: weibull: exp(-(t/scale)^shape); weibullPH"),
        ("a.csv", RES_T, ["--family", "cox"], "`cox` is not a family that can be read; allowed"),
        ("a.csv", RES_T, ["--family", "gamma"], "rate missing: gamma has shape, rate; found shape"),
        (
            "a.csv",
            RES_T,
            ["--family", "weibull", "--estimates", "natural"],
            "symmetric on the transformed scale; --estimates says natural",
        ),
        (
            "a.csv",
            '"","est","se"\n"shape",0.1,0.25\n"scale",7.1,0.3\n',
            ["--family", "weibull"],
            "may be natural (fit$res) or logarithms (fit$res.t): say --estimates natural",
        ),
        ("a.csv", VCOV, [], "this is a covariance; give the estimates as the file"),
        ("a.csv", "x;y\n1,5;2\n", [], "parted by semicolons or tabs"),
        ("a.csv", "", [], "the file is empty"),
        ("a.csv", "shape,scale\n1.2,oops\n1.1,3\n", [], "row 2, column scale: found `oops`"),
        (
            "a.csv",
            "shape,scale\n1.2,3\n-0.1,3\n",
            ["--family", "weibull"],
            "draw 2 is -0.1, but it must be above 0",
        ),
        ("a.csv", "rate,junk,more\n1,2,3\n2,3,4\n", [], "left out with --drop"),
        ("a.csv", "rate\n1\n2\n", ["--drop", "junk"], "--drop: `junk` is no column"),
        ("a.csv", RES_T, ["--family", "weibull", "--by", "arm"], "--by arm: the fit has no cov"),
        ("a.txt", "nothing here\n", [], "no fit found; expected the printed output of flexsurv"),
        ("a.txt", SPLINE, [], "the printed fit has no knots: give fit$knots, 3 numbers"),
        ("a.txt", SPLINE, ["--knots", "1 2"], "2 knots for 3 gammas"),
        ("a.txt", SPLINE, ["--knots", "1 3 2"], "the knots 1 3 2 do not rise"),
        ("a.txt", SPLINE, ["--knots", "1 2 x"], "'1 2 x': give numbers"),
        (
            "a.txt",
            SPLINE.replace("k = 1", 'k = 1, timescale = "identity"'),
            ["--knots", "1 2 3"],
            "timescale = `identity`: only `log`",
        ),
        ("a.txt", WEIBULL, ["--family", "llogis"], "the file says weibull, --family llogis"),
        (
            "a.txt",
            WEIBULL.replace("0.674", "0.9"),
            [],
            "column shape: the standard error 0.281 does not belong to the interval 0.9 to 1.822",
        ),
        (
            "a.txt",
            WEIBULL.replace("0.674", "1.674"),
            [],
            "1.108 is outside its interval, 1.674 to 1.822",
        ),
        ("a.txt", WEIBULL.replace("1.108", "NA   "), [], "row 7, column shape: found `NA`"),
        ("a.txt", WEIBULL.replace('"weibull"', "which"), [], "say --family: weibull"),
        (
            "a.txt",
            SURVHE,
            [],
            "names beside the parameters of exp (rate): `groupMedium`, `groupPoor`; levels",
        ),
        ("a.txt", SURVHE, ["--by", "arm"], "`groupMedium` is no level of `arm`"),
        ("a.txt", SURVHE.replace("Exponential", "Weibull"), [], "`Weibull` may be of accelerated"),
        (
            "a.txt",
            SURVHE.replace("log-Normal", "log-Logistic")
            .replace("meanlog", "shape  ")
            .replace("sdlog", "scale"),
            ["--by", "group"],
            "INLA's effects for llogis is not documented",
        ),
        ("a.txt", LIFELINES.replace("coef lower", "lower"), [], "versions before 0.19"),
    ],
)
def test_what_cannot_be_told_is_asked_for(name, text, words, message, tmp_path):
    assert message in refused(write(tmp_path, name, text), "--unit", "months", *words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VCOV.replace("shape", "rate"), "is of rate, scale, the estimates are of shape, scale"),
        (VCOV.replace("0.0625", "0.5"), "standard error of 0.7071, "),
        (VCOV.replace("0.09", "-0.09"), "its variance in the covariance"),
        (VCOV.replace('"scale",-0.03', '"scale",0.03'), "is not symmetric"),
        (VCOV.replace("-0.03", "-0.08"), "is not positive definite"),
        (VCOV.replace("0.09", "x"), "row 3, column scale: found `x`"),
        ("a,b\n1,2\n", "expected a covariance as write.csv(vcov(fit)) writes it"),
    ],
)
def test_a_covariance_of_something_else(text, message, tmp_path):
    path = write(tmp_path, "a.csv", RES_T)
    covariance = write(tmp_path, "v.csv", text)
    words = ["--family", "weibull", "--unit", "days", "--covariance", covariance]
    assert message in refused(path, *words)


def test_the_unit_of_time_is_never_guessed(tmp_path):
    assert "Missing option '--unit'" in refused(write(tmp_path, "w.txt", WEIBULL))


def test_a_continuous_covariate_is_no_group(tmp_path):
    text = """Call:
flexsurvreg(formula = Surv(t, d) ~ age, data = x, dist = "exp")

Estimates:
      data mean  est     L95%    U95%    se      exp(est)  L95%    U95%
rate       NA    0.0500  0.0300  0.0833  0.0130       NA       NA      NA
age   62.4000    0.0100  0.0020  0.0180  0.0041  1.0101   1.0020  1.0182
"""
    message = refused(write(tmp_path, "a.txt", text), "--unit", "years")
    assert "column age: its mean in the data is 62.4, so it is not a group but a number" in message


def test_rows_written_from_several_fits(tmp_path):
    path = write(tmp_path, "two.txt", WEIBULL + WEIBULL.replace("weibull", "llogis"))
    done = run("import-fit", path, "--unit", "days", "--rows", tmp_path / "rows", "--prefix", "p")
    assert done.exit_code == 0, done.output
    with (tmp_path / "rows" / "curves.csv").open(encoding="utf-8") as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["p_weibull", "p_loglogistic"]
