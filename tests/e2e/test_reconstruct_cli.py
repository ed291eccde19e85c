"""``heor reconstruct`` from outside: forms of input, what is printed and written, every refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from heor.cli import main
from heor.spec.reader import shipped_studies

CURVE = "time,survival\n0,1\n1.02,0.95\n2.5,0.9\n4.1,0.825\n6.2,0.7\n9.9,0.55\n12.2,0.4\n"
RISK = "time,at_risk\n0,40\n6,28\n12,10\n"

#: The same curve as digitising programs write it.
FORMS = {
    "headings": CURVE,
    "webplotdigitizer": "0, 1\n1.02, 0.95\n2.5, 0.9\n4.1, 0.825\n6.2, 0.7\n9.9, 0.55\n12.2, 0.4\n",
    "digitizeit": "x;y\n0;100\n1,02;95,0\n2,5;90\n4,1;82,5\n6,2;70\n9,9;55\n12,2;40\n",
    "tabs": "Months\tOS\n0\t1\n1.02\t.95\n2.5\t.9\n4.1\t.825\n6.2\t.7\n9.9\t.55\n12.2\t.4\n",
    "r": '"ID" "time" "survival"\n1 0 1\n2 1.02 0.95\n3 2.5 0.9\n4 4.1 0.825\n5 6.2 0.7\n'
    "6 9.9 0.55\n7 12.2 0.4\n",
    "datasets": "OS,\nX,Y\n0,1\n1.02,.95\n2.5,.9\n4.1,.825\n6.2,.7\n9.9,.55\n12.2,.4\n",
    "comments": "# read off figure 2\n" + CURVE.replace("0.95", "95%"),
    "upside down": "time,survival\n" + "\n".join(reversed(CURVE.splitlines()[1:])) + "\n",
}


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["reconstruct", *map(str, words)])


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def risk(tmp_path: Path) -> Path:
    return write(tmp_path, "risk.csv", RISK)


def data_of(result: Result) -> list[list[float]]:
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)["data"]
    return [data["time"], data["event"]]


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_digitisers_give_the_same_people(tmp_path, risk, form):
    wanted = data_of(run(write(tmp_path, "plain.csv", CURVE), "--at-risk", risk, "--json"))
    assert (
        data_of(run(write(tmp_path, "km.csv", FORMS[form]), "--at-risk", risk, "--json")) == wanted
    )


def test_forms_of_numbers_at_risk(tmp_path):
    km = write(tmp_path, "km.csv", CURVE)
    wanted = None
    for name, text in {
        "plain.csv": RISK,
        "bare.csv": "0,40\n6,28\n12,10\n",
        "survhe.txt": "Interval t.risk lower upper n.risk\n1 0 1 3 40\n2 6 4 5 28\n3 12 6 7 10\n",
        "decimal.csv": "time;n_risk\n0;40\n6,0;28\n12,0;10\n",
    }.items():
        found = data_of(run(km, "--at-risk", write(tmp_path, name, text), "--json"))
        wanted = wanted or found
        assert found == wanted, name


def test_what_is_printed(tmp_path, risk):
    km = write(tmp_path, "km.csv", FORMS["digitizeit"])
    result = run(km, "--at-risk", risk, "--events", "18", "--unit", "month")
    assert result.exit_code == 0, result.output
    for words in (
        "km.csv: 40 patients, 18 events, made from 7 points",
        "Repaired: columns were parted by semicolons.",
        "Repaired: decimals had commas.",
        "Repaired: survival was in percent.",
        "Median, months             12.2    12.2   +0.00%",
        "Mean up to 12.2, months",
        "3 of 3 numbers at risk are met exactly.",
    ):
        assert words in result.output, words
    assert max(map(len, result.output.splitlines())) <= 80


def test_the_csv_is_a_row_a_patient(tmp_path, risk):
    target = tmp_path / "ipd.csv"
    km = write(tmp_path, "km.csv", CURVE)
    result = run(km, "--at-risk", risk, "-o", target)
    assert result.exit_code == 0, result.output
    assert f"Wrote {target}" in result.output
    lines = target.read_text("utf-8").splitlines()
    assert lines[0] == "time,event"
    assert len(lines) == 41
    time, event = np.loadtxt(target, delimiter=",", skiprows=1).T
    assert (np.diff(time) >= 0).all()
    assert set(event) == {0, 1}
    for when, left in ((0, 40), (6, 28), (12, 10)):
        assert (time >= when).sum() == left
    quiet = run(km, "--at-risk", risk, "-o", tmp_path / "r.json", "--quiet")
    assert quiet.output == ""
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["subjects"] == 40


def test_a_curve_of_the_shipped_study():
    result = run("--curve", "docetaxel.os.responder", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["subjects"], report["events"], report["time_unit"]) == (51, 27, "month")
    assert report["read_as"] == "grid"
    assert report["median"]["made"] == pytest.approx(18.6, abs=0.1)
    assert all(row["made"] == row["published"] for row in report["at_risk"])


def test_one_file_with_several_curves(tmp_path):
    rows = (shipped_studies() / "lifileucel_nsclc/km.csv").read_text("utf-8")
    table = write(tmp_path, "km.csv", rows)
    several = run(table)
    assert several.exit_code == 2
    assert "column endpoint: several curves; choose one with --endpoint: os, pfs" in several.stderr
    assert "column group: several curves; choose one with --group: all, resp" in several.stderr
    one = data_of(run(table, "--endpoint", "os", "--group", "responder", "--json"))
    assert one == data_of(run("--curve", "docetaxel.os.responder", "--json"))
    wrong = run(table, "--endpoint", "osx", "--group", "responder")
    assert "--endpoint osx: there are os, pfs" in wrong.stderr


def test_cumulative_events_in_the_table(tmp_path):
    rows = "time_months,survival,n_at_risk,cumulative_events\n"
    rows += "".join(f"{t},{s},{n},{e}\n" for t, s, n, e in GRID)
    report = json.loads(run(write(tmp_path, "km.csv", rows), "--json").stdout)
    assert report["time_unit"] == "month"
    assert report["events"] == 11
    event, time = np.array(report["data"]["event"]), np.array(report["data"]["time"])
    for when, _, _, before in GRID:
        assert event[time <= when].sum() == before


GRID = [
    (0, 1.0, 20, 0),
    (1, 0.9, 18, 2),
    (2, 0.85, 17, 3),
    (3, 0.75, 15, 5),
    (4, 0.7, 12, 6),
    (5, 0.583, 10, 8),
    (6, 0.525, 8, 9),
    (7, 0.394, 5, 11),
]


@pytest.mark.parametrize(
    ("curve", "risk", "words"),
    [
        ("", RISK, "km.csv: the file is empty"),
        ("0,01,0,99\n1,02,0,95\n", RISK, "km.csv, row 1: 4 columns without headings; two are"),
        ("0,01,0,99\n1,02,0,95\n", RISK, "If decimals have commas, part the columns by semicolons"),
        ("time,survival\n0,1\n1,5,0,9\n", RISK, "km.csv, row 3: 4 cells under 2 headings"),
        (
            "X,Y,X,Y\n0,1,0,1\n1,.9,1,.8\n",
            RISK,
            "row 1, column Y: 'Y' and 'Y' both are the survival",
        ),
        ("when,survival\n0,1\n1,.9\n", RISK, "km.csv, row 1: there is no column 'time' among when"),
        ("time,survival\n", RISK, "km.csv: there are no rows of numbers"),
        ("time survival\n0\n", RISK, "a row needs a time and a number"),
        (CURVE.replace("4.1", "x"), RISK, "row 5, column time: expected a number, found 'x'"),
        (
            CURVE.replace("0.55", ""),
            RISK,
            "row 7, column survival: expected a number, found an empty",
        ),
        (
            CURVE.replace("0.55", "1.3"),
            RISK,
            "row 7, column survival: found 1.3; survival is from 0 to 1",
        ),
        (
            CURVE.replace("0,1\n", "-4,1\n"),
            RISK,
            "row 2, column time: found -4; times are 0 or more",
        ),
        (
            CURVE.replace("0,1\n", "0,0.1\n"),
            RISK,
            "km.csv: survival at time 0 is 0.1; it must be 1.",
        ),
        (CURVE, RISK.replace("28", "28.5"), "risk.csv, row 3, column at_risk: found 28.5"),
        (CURVE, RISK.replace("28", "50"), "risk.csv, row 3, column at_risk: found 50 after 40"),
        (CURVE, RISK.replace("0,40", "1,40"), "risk.csv, row 2, column time: found 1; the first"),
        (CURVE, RISK.replace("12,", "6,"), "risk.csv, row 4, column time: found 6 after 6"),
        (CURVE, RISK.replace("12,", "120,"), "numbers at risk reach time 120, the curve only 12.2"),
        (CURVE, "week,n_risk\n0,40\n", None),
        ("month,survival\n0,1\n3,.5\n", "week,n_risk\n0,40\n", "times are in weeks, those of"),
    ],
)
def test_refusals(tmp_path, curve, risk, words):
    result = run(write(tmp_path, "km.csv", curve), "--at-risk", write(tmp_path, "risk.csv", risk))
    if words is None:
        assert result.exit_code == 0, result.output
        return
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr, result.stderr


def test_all_problems_of_both_files_at_once(tmp_path):
    km = write(tmp_path, "km.csv", CURVE.replace("4.1", "x").replace("0.55", "1.3"))
    risk = write(tmp_path, "risk.csv", RISK.replace("28", "many"))
    result = run(km, "--at-risk", risk)
    assert result.exit_code == 2
    assert result.stderr.endswith("3 problems found; nothing was run.\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give the file KM.csv, or --curve"),
        (["--curve", "docetaxel.os.responders"], "did you mean 'docetaxel.os.responder'?"),
        (["--curve", "docetaxel.os", "--group", "all"], "--group: not with --curve"),
        (["no.csv", "--at-risk", "none.csv"], "no.csv: there is no such file"),
        (["KM"], "there is no column 'at_risk'; give the numbers at risk in a file of their own"),
        (["KM", "--at-risk", "RISK", "--events", "41"], "41 events among 40 people"),
        (["KM", "--at-risk", "RISK", "--group", "a"], "--group a: the file has no column group"),
        (["KM", "--at-risk", "RISK", "-o", "x.txt"], "the file must end in .csv or .json"),
        (["FOLDER"], "this is a folder; give a CSV file, or a study with --curve"),
        (["BOOK"], "this is a workbook; save the sheet as CSV"),
    ],
)
def test_wrong_use(tmp_path, risk, words, message):
    paths = {
        "KM": write(tmp_path, "km.csv", CURVE),
        "RISK": risk,
        "FOLDER": tmp_path,
        "BOOK": write(tmp_path, "km.xlsx", "x"),
    }
    result = run(*(paths.get(word, word) for word in words))
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_file_that_says_its_unit(tmp_path, risk):
    km = write(tmp_path, "km.csv", CURVE.replace("time", "time (months)"))
    assert json.loads(run(km, "--at-risk", risk, "--json").stdout)["time_unit"] == "month"
    result = run(km, "--at-risk", risk, "--unit", "year")
    assert "--unit year: the file says month." in result.stderr


def test_points_may_be_told(tmp_path):
    rows = "time,survival,at_risk\n" + "".join(f"{t},{s},{n}\n" for t, s, n, _ in GRID)
    km = write(tmp_path, "km.csv", rows)
    as_read = {
        form: json.loads(run(km, "--points", form, "--json").stdout)["read_as"]
        for form in ("auto", "grid", "corners")
    }
    assert as_read == {"auto": "grid", "grid": "grid", "corners": "corners"}
