"""``heor voi`` and ``heor evppi`` from outside."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from click.testing import CliRunner

from heor.analyses import voi
from heor.cli import main
from heor.spec.reader import shipped_studies
from heor.spec.records import DiscountRate

SMALL = str(shipped_studies() / "three_strategies")


def run(*words: str):
    return CliRunner().invoke(main, list(words))


@pytest.fixture(scope="module")
def psa(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("psa")
    done = run("run", SMALL, "-o", str(folder), "--draws", "400", "--quiet")
    assert done.exit_code == 0, done.output
    return folder


def test_voi_ranks_the_drawn_inputs_of_a_study():
    done = run("voi", SMALL, "--draws", "400", "--json", "--group", "both=u_pf,u_pd")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    rows = [row for row in found["evppi"] if row["threshold"] == found["thresholds"][0]]
    assert any(row["name"] == "both" for row in rows)
    assert len({tuple(row["parameters"]) for row in rows}) == len(rows)
    for row in found["evppi"]:
        evpi = found["evpi"][found["thresholds"].index(row["threshold"])]
        assert 0 <= row["evppi"] <= evpi + 1e-9
        assert row["se"] >= 0
    at = int(np.argmax(found["evpi"]))
    ranked = [r["evppi"] for r in found["evppi"] if r["threshold"] == found["thresholds"][at]]
    assert ranked == sorted(ranked, reverse=True)


def test_evppi_of_files_is_that_of_the_study(psa):
    whole = run("voi", SMALL, "--draws", "400", "--json", "--thresholds", "50000")
    results, inputs = str(psa / "psa.csv"), str(psa / "psa_inputs.csv")
    files = run("evppi", results, inputs, "--json", "--thresholds", "50000")
    assert files.exit_code == 0, files.output
    study = {tuple(r["parameters"]): r["evppi"] for r in json.loads(whole.stdout)["evppi"]}
    for row in json.loads(files.stdout):
        if tuple(row["parameters"]) in study:  # the files hold derived inputs too
            assert row["evppi"] == pytest.approx(
                study[tuple(row["parameters"])], rel=1e-6, abs=1e-6
            )


def test_files_of_any_ending(psa, tmp_path):
    target = tmp_path / "evppi.csv"
    done = run("evppi", str(psa / "psa.csv"), str(psa / "psa_inputs.csv"), "-o", str(target))
    assert done.exit_code == 0, done.output
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"name", "parameters", "threshold", "evppi", "se", "explained"} <= set(rows[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("draw,a\n1,2\n1,3\n2,1\n", "draw 1 is there twice"),
        ("draw,a\n1,2\n9,3\n", "draw 9 is not in the PSA output"),
        ("draw,a\n1,2\n", "draw 2 of the PSA output has no row"),
        ("draw,a\n1,x\n2,3\n", "row 2, column a: expected a number, found 'x'"),
        ("draw\n1\n2\n", "there is no column of an input"),
    ],
)
def test_bad_inputs_are_named(tmp_path, text, message):
    output, inputs = tmp_path / "psa.csv", tmp_path / "inputs.csv"
    output.write_text("draw,cost:a,qaly:a,cost:b,qaly:b\n1,1,1,2,1\n2,1,1,3,2\n", encoding="utf-8")
    inputs.write_text(text, encoding="utf-8")
    done = run("evppi", str(output), str(inputs))
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_group_of_unknown_inputs_is_refused(psa):
    done = run("voi", SMALL, "--draws", "50", "--group", "x=nothing")
    assert done.exit_code == 2
    assert "group x: `nothing` is not a drawn parameter" in done.stderr
    done = run("evppi", str(psa / "psa.csv"), str(psa / "psa_inputs.csv"), "--group", "x=nothing")
    assert done.exit_code == 2
    assert "has no column 'nothing'" in done.stderr


def test_population_of_a_decision():
    rate = DiscountRate(first=0.03)
    assert voi.population(100.0, 3.0, rate) == pytest.approx(100 * (1 + 1 / 1.03 + 1 / 1.03**2))
    assert voi.population(100.0, 0.5, rate) == 50.0


def test_a_report_ranks_inputs_when_asked_to(tmp_path):
    done = run("run", SMALL, "-o", str(tmp_path), "--draws", "60", "--quiet", "--voi")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["voi"]
    book = openpyxl.load_workbook(tmp_path / "three_strategies.xlsx", data_only=True)
    rows = list(book["VOI"].iter_rows(values_only=True))
    heads = [i for i, row in enumerate(rows) if row[0] and str(row[0]).startswith("Threshold,")]
    at = next(i for i, name in enumerate(rows[heads[0]]) if name == "EVPI")
    table = rows[heads[0] + 1 : heads[0] + 1 + len(found["thresholds"])]
    assert [row[0] for row in table] == found["thresholds"]
    np.testing.assert_allclose([row[at] for row in table], found["evpi"], rtol=1e-9, atol=1e-6)
    best = int(np.argmax(found["evpi"]))
    ranked = [r for r in found["evppi"] if r["threshold"] == found["thresholds"][best]]
    (start,) = [i for i, row in enumerate(rows) if row[0] == "Inputs"]
    shown = rows[start + 1 : start + 1 + len(ranked)]
    assert [row[0] for row in shown] == [r["name"] for r in ranked]
    np.testing.assert_allclose([row[1] for row in shown], [r["evppi"] for r in ranked])
    share = [row[5] for row in shown]
    np.testing.assert_allclose(share, [r["evppi"] / found["evpi"][best] for r in ranked])


def test_matrices_stand_for_psa_output(psa, tmp_path):
    with (psa / "psa.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ids = list(dict.fromkeys(row["strategy"] for row in rows))
    for name, column in (("e", "qaly"), ("c", "cost")):
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(ids)
            values = [row[column] for row in rows]
            table.writerows(values[i : i + len(ids)] for i in range(0, len(values), len(ids)))
    matrices = "--effects", str(tmp_path / "e.csv"), "--costs", str(tmp_path / "c.csv")
    one = run("cea", str(psa / "psa.csv"), "--json").stdout
    assert run("cea", *matrices, "--json").stdout == one
    inputs = str(psa / "psa_inputs.csv")
    first = run("evppi", str(psa / "psa.csv"), inputs, "--json", "--thresholds", "50000").stdout
    again = run("evppi", *matrices, inputs, "--json", "--thresholds", "50000")
    assert again.exit_code == 0, again.output
    assert again.stdout == first


@pytest.mark.parametrize(
    "words",
    [
        ("cea",),
        ("cea", "psa.csv", "--effects", "e.csv"),
        ("cea", "psa.csv", "--effects", "e.csv", "--costs", "c.csv"),
        ("evppi", "inputs.csv"),
        ("evppi", "inputs.csv", "--costs", "c.csv"),
        ("evppi", "a.csv", "b.csv", "c.csv"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(words):
    done = run(*words)
    assert done.exit_code == 2
    assert "--effects" in done.output
