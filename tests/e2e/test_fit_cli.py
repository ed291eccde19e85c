"""``heor fit`` and ``heor calibrate`` from outside."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from heor.cli import main
from heor.fitting.models import FITTED

KEYS = {"family", "group", "estimates", "covariance", "scale", "loglik", "aic", "bic"}


def run(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def patients(tmp_path_factory) -> Path:
    rng = np.random.default_rng(12)
    n = 160
    arm = np.where(np.arange(n) % 2, "Drug A", "Control")
    time = np.where(arm == "Control", 9.0, 15.0) * rng.weibull(1.3, n)
    censor = rng.uniform(6, 40, n)
    path = tmp_path_factory.mktemp("data") / "patients.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "event", "arm", "age", "sex"])
        for t, c, a in zip(time, censor, arm, strict=True):
            rows.writerow([round(min(t, c), 4), int(t <= c), a, 60, "F"])
    return path


def test_the_default_families_by_group(patients):
    done = run("fit", patients, "--by", "arm", "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [(row["group"], row["family"]) for row in rows] == [
        (group, family) for group in ("Control", "Drug A") for family in FITTED
    ]
    for row in rows:
        assert set(row) >= {*KEYS, "survival", "rmst"}
        assert list(row["estimates"]) == list(row["scale"])
        assert np.shape(row["covariance"]) == (len(row["theta"]),) * 2
        assert [one["years"] for one in row["survival"]] == [1, 2, 5, 10, 15, 20]
    exponential = rows[0]
    assert exponential["estimates"]["rate"] == pytest.approx(
        exponential["events"] / _exposure(patients, "Control"), rel=1e-10
    )
    assert exponential["hazard"] == "constant"


def _exposure(path: Path, arm: str) -> float:
    with path.open(encoding="utf-8") as file:
        return sum(float(row["time"]) for row in csv.DictReader(file) if row["arm"] == arm)


def test_what_is_printed(patients):
    done = run("fit", patients, "--by", "arm", "--family", "weibull", "--family", "spline")
    assert done.exit_code == 0, done.output
    for words in (
        "Control: 80 subjects",
        "Drug A: Fit",
        "spline, hazard, 1 knot",
        "(events) counts events (Volinsky & Raftery 2000)",
        "RMST 20y",
        "observed",
        "gamma0",
        "95% low",
        "from the first event to 20 years",
    ):
        assert words in done.output
    lines = [line.split() for line in done.output.splitlines() if line.startswith("weibull ")]
    assert {line[-1] for line in lines} >= {"yes", "rises"}
    together = run("fit", patients, "--by", "arm", "--family", "weibull", "--together")
    assert "group:Drug A" in together.output
    assert together.output.count("logLik") == 1


def test_splines_by_scale_and_knots(patients):
    words = ("--family", "spline", "--knots", "1", "--knots", "3", "--scale", "odds")
    done = run("fit", patients, *words, "--scale", "normal", "--json")
    rows = json.loads(done.stdout)
    assert [row["form"] for row in rows] == [
        "odds, 1 knot",
        "odds, 3 knots",
        "normal, 1 knot",
        "normal, 3 knots",
    ]
    assert [len(row["knots"]) for row in rows] == [3, 5, 3, 5]
    refused = run("fit", patients, "--knots", "2")
    assert refused.exit_code == 2
    assert "add --family spline" in refused.output


def test_a_cure_and_an_excess_hazard(patients, tmp_path):
    done = run("fit", patients, "--family", "weibull", "--cure", "mixture", "--json")
    (row,) = json.loads(done.stdout)
    assert row["form"] == "mixture cure"
    assert row["scale"]["cure"] == "logit"
    life = tmp_path / "life.csv"
    life.write_text("age,male,female\n" + "".join(f"{a},0.02,0.01\n" for a in range(50, 90)))
    done = run("fit", patients, "--family", "exponential", "--expected", life, "--json")
    (row,) = json.loads(done.stdout)
    crude = json.loads(run("fit", patients, "--family", "exponential", "--json").stdout)[0]
    assert row["survival_is"] == "relative"
    expected = -math.log(0.99) / 12
    gap = crude["estimates"]["rate"] - row["estimates"]["rate"]
    assert gap == pytest.approx(expected, rel=1e-8)
    printed = run("fit", patients, "--family", "exponential", "--expected", life)
    assert "relative survival" in printed.output


def test_an_excess_hazard_from_patients_to_a_study(tmp_path):
    """Known excess, known background: the rows run as they are, and OS is R·N."""
    rng = np.random.default_rng(5)
    size, excess, population = 400, 0.03, 0.012  # per month
    died = np.minimum(rng.exponential(1 / excess, size), rng.exponential(1 / population, size))
    time = np.minimum(died, 60.0)
    data, life = tmp_path / "p.csv", tmp_path / "life.csv"
    rows = (f"{t!r},{int(t < 60)},61,male" for t in time.tolist())
    data.write_text("time,event,age,sex\n" + "\n".join(rows))
    q = -math.expm1(-12 * population)
    life.write_text("age,male,female\n" + "".join(f"{a},{q!r},{q!r}\n" for a in range(60, 75)))
    options = ("--family", "exponential", "--expected", life)
    out = tmp_path / "rows"
    named = ("--strategy", "new", "--endpoint", "os", "--source", "assumption")
    done = run("fit", data, *options, "--rows", out, *named, "--json")
    assert done.exit_code == 0, done.output
    rate = json.loads(done.stdout)[0]["estimates"]["rate"]
    # hazards add: the maximum is events over time, less the population's
    events = float((time < 60).sum())
    assert rate == pytest.approx(events / time.sum() - population, rel=1e-8)
    assert abs(rate - excess) < 4 * math.sqrt(events) / time.sum()
    (row,) = csv.DictReader((out / "curves.csv").read_text("utf-8").splitlines())
    assert row["hazard"] == "excess"
    tables = {name: (out / f"{name}.csv").read_text("utf-8") for name in ("parameters", "curves")}
    pfs = {"id": "new_pfs", "strategy": "new", "endpoint": "pfs", "family": "exponential"}
    pfs |= {"parameters": "rate=1", "time_unit": "month", "use": "x", "source": "assumption"}
    tables["curves"] += ",".join(pfs.get(name, "") for name in row) + "\n"
    tables["settings"] = (
        "key,value\ncurrency,USD\ncycle_length,1 month\nhorizon,10 years\n"
        "discount_rate_costs,0%\ndiscount_rate_outcomes,0%\nreference,new\nthresholds,50000\n"
        "start_age,61\nmale_share,0.5\n"
    )
    tables["strategies"] = "id,label\nnew,New\n"
    tables["states"] = "id,label,endpoint\npf,Free,pfs\nprog,Progressed,os\ndead,Dead,\n"
    tables["utilities"] = "strategy,state,value\nall,pf,1\nall,prog,1\n"
    tables["life_table"] = life.read_text("utf-8")
    study = tmp_path / "study"
    study.mkdir()
    for name, text in tables.items():
        (study / f"{name}.csv").write_text(text, "utf-8")
    done = run("base-case", study, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    step = math.exp(-(rate + population))
    expected = (1 - step**120) / (1 - step) * (1 + step) / 2 / 12
    assert found["strategies"][0]["ly"] == pytest.approx(expected, rel=1e-12)
    assert found["background"][0]["mechanism"] == "excess"
    refused = run("fit", data, *options, "--rows", tmp_path / "b", "--endpoint", "pfs")
    assert refused.exit_code == 2
    assert "only `os` can be an excess hazard" in refused.output


def test_the_unit_of_time(patients, tmp_path):
    with patients.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    years = tmp_path / "years.csv"
    with years.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "event"])
        writer.writerows([repr(float(row["time"]) / 12), row["event"]] for row in rows)
    a = json.loads(run("fit", patients, "--family", "gengamma", "--json").stdout)[0]
    words = ("--family", "gengamma", "--unit", "years", "--json")
    b = json.loads(run("fit", years, *words).stdout)[0]
    for one, other in zip(a["survival"], b["survival"], strict=True):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-12)
    assert b["rmst"] * 12 == pytest.approx(a["rmst"], rel=1e-8)
    refused = run("fit", patients, "--unit", "fortnights")
    assert refused.exit_code == 2
    assert "days, weeks, months or years" in refused.output


def test_files(patients, tmp_path):
    target = tmp_path / "fits.csv"
    done = run("fit", patients, "--family", "all", "-o", target)
    assert done.exit_code == 0, done.output
    assert done.output.strip() == f"Wrote {target}"
    with target.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["family"] for row in rows] == [*FITTED, "spline"]
    assert all(None not in row and len(row) == 26 for row in rows)
    assert float(rows[1]["survival_1"]) > float(rows[1]["survival_5"])
    assert run("fit", patients, "-o", tmp_path / "x.xlsx").exit_code == 2
    as_json = tmp_path / "fits.json"
    assert run("fit", patients, "--family", "weibull", "-o", as_json, "-q").output == ""
    assert json.loads(as_json.read_text("utf-8"))[0]["family"] == "weibull"


def test_a_family_that_cannot_be_fitted_leaves_the_others(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("time,event\n1,1\n3,1\n4,0\n")
    done = run("fit", path)
    assert done.exit_code == 0, done.output
    assert "no fit" in done.output
    assert "3 numbers to fit need as many events; found 2" in done.output
    table = run("fit", path, "-o", tmp_path / "few.out.csv")
    assert table.exit_code == 0, table.output
    with (tmp_path / "few.out.csv").open(encoding="utf-8") as file:
        rows = {row["family"]: row for row in csv.DictReader(file)}
    assert "3 numbers to fit" in rows["gengamma"]["problem"]
    assert rows["gengamma"]["aic"] == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,event\n1,0\n2,0\n", "no events: every subject is censored"),
        ("time,event\n1,x\n", "row 2, column event: found `x`"),
        ("a,event\n1,1\n", "row 1: there is no column `time`"),
        ("time,event\n0,1\n", "row 2, column time: an event at time 0"),
    ],
)
def test_bad_data_end_with_2_and_a_sentence(tmp_path, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    done = run("fit", path)
    assert done.exit_code == 2
    assert words in done.output
    assert "Traceback" not in done.output


def test_rows_of_fits(patients, tmp_path):
    folder = tmp_path / "rows"
    words = ("--by", "arm", "--family", "weibull", "--family", "lognormal", "--rows", folder)
    done = run("fit", patients, *words, "--endpoint", "pfs", "--prefix", "own", "-q")
    assert done.exit_code == 0, done.output
    with (folder / "curves.csv").open(encoding="utf-8") as file:
        curves = list(csv.DictReader(file))
    assert [(row["strategy"], row["family"], row["endpoint"]) for row in curves] == [
        (arm, family, "pfs") for arm in ("control", "drug_a") for family in ("weibull", "lognormal")
    ]
    assert [row["use"] for row in curves].count("x") == 2
    assert all(row["id"].startswith("own_") for row in curves)
    again = run("fit", patients, *words, "-q")
    assert again.exit_code == 0, again.output
    (folder / "settings.csv").write_text("key,value\n")
    refused = run("fit", patients, *words)
    assert refused.exit_code == 2
    assert "holds other tables" in refused.output
    assert run("fit", patients, "--prefix", "1 2").exit_code == 2


def test_targets_are_met_or_missed(patients, tmp_path):
    path = tmp_path / "targets.csv"
    path.write_text("time,survival,low,high,group,source\n24,0.1,0.05,0.3,Drug A,Registry\n")
    words = ("--by", "arm", "--family", "exponential", "--family", "weibull")
    given = ("--target", "Control@12=0.9:0.8:0.95", "--target", "18=0.3", "--targets", path)
    rows = json.loads(run("fit", patients, *words, *given, "--json").stdout)
    for row in rows:
        reached = {one["time"]: one for one in row["targets"]}
        assert set(reached) == ({12, 18} if row["group"] == "Control" else {18, 24})
        assert reached[18]["met"] is None
        rate = row["estimates"].get("rate")
        for time, one in reached.items():
            if rate:
                assert one["reached"] == pytest.approx(math.exp(-rate * time), rel=1e-12)
    assert [r["targets"][0]["met"] for r in rows if r["group"] == "Control"] == [False, False]
    assert [r["targets"][1]["met"] for r in rows if r["group"] == "Drug A"] == [True, True]
    printed = run("fit", patients, *words, *given).output
    for text in ("0.900 (0.800 to 0.950)", "missed", "met", "Targets from: Registry."):
        assert text in printed
    table = tmp_path / "fits.csv"
    run("fit", patients, *words, *given, "-o", table)
    with table.open(encoding="utf-8") as file:
        found = [(row["targets_met"], row["targets_missed"]) for row in csv.DictReader(file)]
    assert found == [("0", "1"), ("0", "1"), ("1", "0"), ("1", "0")]


def test_targets_that_make_no_sense(patients, tmp_path):
    done = run("fit", patients, "--target", "12", "--target", "6=2")
    assert done.exit_code == 2
    assert "--target 12: write TIME=S or TIME=S:LOW:HIGH" in done.output
    assert "--target 6=2: survival must be between 0 and 1, found 2" in done.output
    done = run("fit", patients, "--by", "arm", "--target", "Drug B@12=0.3")
    assert done.exit_code == 2
    assert "no group is `Drug B`; there are `Control`, `Drug A`" in done.output
    path = tmp_path / "targets.csv"
    path.write_text("time,survival\n12,60%\n")
    done = run("fit", patients, "--targets", path)
    assert done.exit_code == 2
    assert "row 2, column survival: found `60%`" in done.output


def test_diagnostics(patients, tmp_path):
    target = tmp_path / "d.json"
    words = ("--by", "arm", "--family", "exponential")
    done = run("fit", patients, *words, "--diagnostics", target, "--bandwidth", "5")
    assert done.exit_code == 0, done.output
    for text in (
        "Kaplan-Meier as straight lines in ln t",
        "Quantiles against Control",
        "Hazard ratio against Control (Cox",
        "speak against proportional",
    ):
        assert text in done.output
    found = json.loads(target.read_text("utf-8"))
    assert [one["group"] for one in found["groups"]] == ["Control", "Drug A"]
    assert found["groups"][0]["smoothed_hazard"]["bandwidth"] == 5
    (ratio,) = found["proportional_hazards"]["groups"]
    assert ratio["low"] < ratio["hazard_ratio"] < ratio["high"] < 1
    tests = found["proportional_hazards"]["tests"]
    assert [one["transform"] for one in tests] == ["identity", "log", "km", "rank"]
    assert tests[0]["global"] == {k: v for k, v in tests[0]["groups"][0].items() if k != "group"}
    wide = run("fit", patients, *words, "--bandwidth", "500")
    assert wide.exit_code == 2
    assert "Control: a bandwidth of 500: it must be above 0" in wide.output
    assert run("fit", patients, "--diagnostics", tmp_path / "d.csv").exit_code == 2


def test_figures(tmp_path):
    path, folder = tmp_path / "few.csv", tmp_path / "figures"
    path.write_text("time,event\n" + "".join(f"{t},{t % 3 > 0:d}\n" for t in range(1, 10)))
    done = run("fit", path, "--family", "exponential", "--figures", folder, "-q")
    assert done.exit_code == 0, done.output
    assert done.output == ""
    stems = ("fitted", "extrapolated", "extrapolated_hazard", "log_cumulative_hazard")
    wanted = {f"{s}.{e}" for s in (*stems, "other_scales") for e in ("svg", "png", "csv")}
    assert {one.name for one in folder.iterdir()} == {*wanted, "captions.md"}
    assert "no hazard is smoothed" in (folder / "captions.md").read_text("utf-8")
    refused = run("fit", path, "--figures", tmp_path / "one.png")
    assert refused.exit_code == 2
    assert "several files are written, so give a folder" in refused.output
    refused = run("fit", path, "--figures", folder, "--expected", "life.csv")
    assert refused.exit_code == 2
    assert "what is observed is survival of all causes" in refused.output


def test_usage_that_makes_no_sense(patients):
    assert "--together needs --by" in run("fit", patients, "--together").output
    assert run("fit", patients, "--family", "wibull").exit_code == 2
    assert "no such file" in run("fit", "nowhere.csv").output


# --- calibrate -------------------------------------------------------------------------------


def test_calibrate_exactly():
    words = ("--family", "weibull", "--median", "12.3", "--at", "24=0.2")
    done = run("calibrate", *words, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    shape = math.log(-math.log(0.2) / math.log(2)) / math.log(24 / 12.3)
    assert found["exact"]
    assert found["estimates"]["shape"] == pytest.approx(shape, rel=1e-10)
    assert found["covariance"] is None
    assert [one["kind"] for one in found["numbers"]] == ["median", "survival"]
    assert all(abs(one["difference"]) < 1e-9 for one in found["numbers"])
    assert found["survival"][1]["value"] == pytest.approx(0.2, rel=1e-9)
    assert "Every number is met" in run("calibrate", *words).output


def test_calibrate_by_least_squares_with_intervals(tmp_path):
    words = ("--family", "exponential", "--median", "12.3", "--median-ci", "10.1:14.2")
    more = ("--at", "6=0.6:0.5:0.7", "--rows", tmp_path / "rows", "-o", tmp_path / "c.json")
    done = run("calibrate", *words, *more)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert not found["exact"]
    assert np.shape(found["covariance"]) == (1, 1)
    text = (tmp_path / "rows" / "parameters.csv").read_text("utf-8")
    assert "normal" in text
    assert "least squares" in text
    printed = run("calibrate", *words, "--at", "6=0.6:0.5:0.7")
    assert "weighted by the intervals" in printed.output
    assert "inside" in printed.output


def test_every_problem_of_the_numbers_at_once():
    done = run(
        *("calibrate", "--family", "weibull", "--median", "x", "--median-ci", "3"),
        *("--at", "6", "--at", "8=0.5:1", "--at", "9=1.5", "--at", "12=0.2:0.3:0.4"),
    )
    assert done.exit_code == 2
    for words in (
        "--median x: found `x`; expected a number",
        "--median-ci 3: found `3`; write both ends",
        "--at 6: write TIME=S, TIME=S:LOW:HIGH or TIME=S:nPEOPLE",
        "--at 8=0.5:1: found `1`; write both ends",
        "--at 9=1.5: survival must be between 0 and 1, found 1.5",
        "--at 12=0.2:0.3:0.4: 0.2 is not inside its interval",
    ):
        assert words in done.output, words
    assert (
        "there is no --median"
        in run("calibrate", "--family", "weibull", "--median-ci", "1:2", "--at", "6=0.5").output
    )
    assert "at least one number" in run("calibrate", "--family", "weibull").output
    few = run("calibrate", "--family", "gengamma", "--median", "12")
    assert few.exit_code == 2
    assert "gengamma has 3 parameters" in few.output
    assert run("calibrate", "--family", "weibull", "-o", "x.csv", "--median", "3").exit_code == 2
