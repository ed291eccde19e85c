"""``heor two-way`` and ``heor threshold`` from outside."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heor.cli import main
from heor.spec.reader import shipped_studies

SMALL = str(shipped_studies() / "three_strategies")


def heor(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def ran(*words: str) -> str:
    result = heor(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_grid_in_every_form(tmp_path: Path) -> None:
    words = ["two-way", SMALL, "price_high", "hr_os_high", "--x", "2600:4200:3", "--y", "0.6:0.8:2"]
    shape = json.loads(ran(*words, "--json"))
    assert shape["study"] == "three_strategies"
    assert shape["x"]["values"] == [2600, 3400, 4200]
    rows = list(csv.DictReader(io.StringIO((_to(tmp_path / "grid.csv", words)).read_text())))
    assert len(rows) == 12
    high = next(one for one in shape["comparisons"] if one["id"] == "high_dose")
    found = [r for r in rows if (r["strategy"], r["price_high"], r["hr_os_high"]) == (
        "high_dose", "3400.0", "0.8")]  # fmt: skip
    assert float(found[0]["inmb_100000"]) == high["nmb"]["100000"][1][1]
    assert json.loads(_to(tmp_path / "grid.json", words).read_text()) == shape
    printed = ran(*words, "--outcome", "delta_qaly")
    assert f"{high['delta_qaly'][0][0]:.3f}" in printed
    assert "QALYs gained: New drug at high dose against Standard care" in printed


def _to(path: Path, words: list[str]) -> Path:
    ran(*words, "-o", str(path))
    return path


def test_what_was_changed_stands_first(tmp_path: Path) -> None:
    shape = json.loads(ran("threshold", SMALL, "--set", "price_high=3000", "--json"))
    assert "price_high = 3000" in shape["banner"][0]
    assert "price_high" not in [row["parameter"] for row in shape["parameters"]]


def test_threshold_values_in_every_form(tmp_path: Path) -> None:
    shape = json.loads(ran("threshold", SMALL, "price_high", "--json"))
    [row] = shape["parameters"]
    at = next(one for one in row["turnings"] if one["threshold"] == 100_000 and one["roots"])
    value = at["roots"][0]["value"]
    assert f"{value:,.0f} ↓" in ran("threshold", SMALL, "price_high")
    table = _to(tmp_path / "values.csv", ["threshold", SMALL, "price_high"]).read_text("utf-8")
    assert repr(value) in table
    assert "↓" in ran("threshold", SMALL)
    wide = json.loads(ran("threshold", SMALL, "price_high", "--range", "0:9000", "--json"))
    assert (wide["parameters"][0]["low"], wide["parameters"][0]["high"]) == (0, 9000)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["two-way", "price_high"], "give two parameters, X and Y"),
        (["two-way", SMALL, "price_high", "hr_os_high", "--x", "3:1"], "low below high"),
        (["two-way", SMALL, "price_high", "hr_os_high", "--x", "1:2:1"], "must be 2 to 201"),
        (["two-way", SMALL, "price_high", "hr_os_hig"], "did you mean"),
        (["two-way", SMALL, "price_high", "hr_os_high", "-o", "a.xlsx"], ".csv or .json"),
        (["threshold", SMALL, "--range", "1:2"], "--range goes with named parameters"),
        (["threshold", SMALL, "price_high", "--range", "1:2:3"], "without a number of values"),
        (["threshold", "no/such/folder"], "no/such/folder"),
    ],
)
def test_bad_usage_is_a_sentence(words: list[str], message: str) -> None:
    result = heor(*words)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
