"""``heor structure`` from outside, and structures through the other commands."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from heor.analyses import structure
from heor.cli import main
from heor.errors import HeorError
from heor.spec.reader import read_study, shipped_studies
from heor.spec.records import STRUCTURES

SMALL = str(shipped_studies() / "three_strategies")


def run(*words: str):
    return CliRunner().invoke(main, list(words))


def answer(*words: str) -> dict:
    done = run(*words)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def found() -> dict:
    return answer("structure", SMALL, "--draws", "200", "--weights", "0.5,0.2,0.3", "--json")


def test_every_structure_is_that_of_the_setting(found: dict) -> None:
    """The base case and the PSA under ``--set structure=…`` are those of the comparison."""
    assert [case["structure"] for case in found["structures"]] == list(STRUCTURES)
    for case in found["structures"]:
        change = f"structure={case['structure']}"
        alone = answer("base-case", SMALL, "--set", change, "--json")
        assert [row["cost"] for row in alone["strategies"]] == [
            row["cost"] for row in case["strategies"]
        ]
        assert [row["icer"] for row in alone["incremental"]] == [
            row["icer"] for row in case["incremental"]
        ]
    draws = answer("psa", SMALL, "--draws", "200", "--set", f"structure={STRUCTURES[2]}", "--json")
    for mine, row in zip(
        found["structures"][2]["psa"]["strategies"], draws["strategies"], strict=True
    ):
        assert mine["qaly"] == row["qaly"]["mean"]


def test_the_average_is_weighted_at_base_and_mixed_over_draws(found: dict) -> None:
    average, cases = found["average"], found["structures"]
    assert average["weights"] == [0.5, 0.2, 0.3]
    for i, row in enumerate(average["strategies"]):
        wanted = np.dot([0.5, 0.2, 0.3], [case["strategies"][i]["cost"] for case in cases])
        assert row["cost"] == pytest.approx(wanted, rel=1e-13)
    pair = average["incremental"][0]
    assert pair["icer"] == pytest.approx(pair["delta_cost"] / pair["delta_qaly"], rel=1e-12)


def test_draws_belong_to_structures_by_a_stream_of_their_own() -> None:
    """Shares are those of the weights, more draws keep the first ones, weight 0 is never drawn."""
    weights = (0.5, 0.0, 0.5)
    many = structure.structures_of_draws(3, 40_000, weights)
    assert np.array_equal(many[:100], structure.structures_of_draws(3, 100, weights))
    shares = np.bincount(many, minlength=3) / len(many)
    assert shares[1] == 0
    assert shares[0] == pytest.approx(0.5, abs=4 * 0.5 / 200)
    assert not np.array_equal(many, structure.structures_of_draws(4, 40_000, weights))


def test_mixed_draws_are_rows_of_their_structures() -> None:
    spec = read_study(Path(SMALL))
    weights = (0.2, 0.3, 0.5)
    result = structure.run(spec, 60, weights=weights)
    place = structure.structures_of_draws(spec.settings.psa_seed, 60, weights)
    one_by_one = [structure.run(spec, 60, weights=np.eye(3)[s]) for s in range(3)]
    means = np.array([[row.cost.mean for row in one.average.psa.strategies] for one in one_by_one])
    direct = np.array([[row.cost.mean for row in case.psa.strategies] for case in result.cases])
    np.testing.assert_allclose(means, direct, rtol=1e-13)
    assert len(set(place)) == 3
    low = direct.min(axis=0) * 0.8
    assert all(
        row.cost.mean > least for row, least in zip(result.average.psa.strategies, low, strict=True)
    )


def test_groups_say_where_a_difference_comes_from(found: dict) -> None:
    """Time after progression: kept by forward, and by reset but for the horizon's end."""
    assert {row["strategy"] for row in found["groups"]} == {"standard", "low_dose", "high_dose"}
    for row in found["groups"]:
        years = list(row["years_per_progression"].values())
        assert years[1] == pytest.approx(years[0], rel=1e-9)
        assert years[2] == pytest.approx(years[0], rel=0.05)
        assert row["after_progression"] == "derived: exponential"
        assert row["deaths_before_progression"] + row["progressions"] == pytest.approx(1, abs=1e-2)
        reset = [h for h in row["hazard"][STRUCTURES[2]] if h is not None]
        np.testing.assert_allclose(reset, row["rate"], rtol=5e-3)
        assert row["share_negative"] <= row["share_below_population"]


def test_table_and_csv(tmp_path: Path) -> None:
    done = run("structure", SMALL, "--weights", "1,0,0")
    assert done.exit_code == 0, done.output
    for words in ("Clock forward", "Clock reset", "Average", "derived: ", "Deaths per year"):
        assert words in done.stdout
    path = tmp_path / "structure.csv"
    assert run("structure", SMALL, "-o", str(path)).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    assert len(rows) == 9
    assert {row["structure"] for row in rows} == set(STRUCTURES)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("0.5,0.5", "three numbers of at least 0 that sum to 1; found 0.5, 0.5"),
        ("0.5,0.5,0.5", "which sum to 1.5"),
        ("1,1,-1", "found 1, 1, -1"),
        ("a,b,c", "write three numbers: 0.5,0.25,0.25"),
    ],
)
def test_weights_that_are_none(weights: str, words: str) -> None:
    done = run("structure", SMALL, "--weights", weights)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


def test_a_study_without_a_state_transition_reading_is_refused() -> None:
    """Groups of PFS and OS that differ: the message names strategy and groups."""
    folder = Path(__file__).parents[1] / "bad_inputs"
    spec = read_study(folder / "base")
    merged = next(c for c in spec.curves if c.id == "old_os")
    curves = [c for c in spec.curves if (c.strategy, c.endpoint) != ("new", "os")]
    curves.append(dataclasses.replace(merged, strategy="new"))
    spec = dataclasses.replace(spec, curves=tuple(curves))
    with pytest.raises(HeorError, match="strategy new: a state-transition model needs PFS and OS"):
        structure.run(spec)


def test_the_page_on_the_shipped_study_holds_its_numbers() -> None:
    page = (Path(__file__).parents[2] / "docs" / "structure.md").read_text("utf-8")
    shipped = str(shipped_studies() / "lifileucel_nsclc")
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("|")}

    def holds(name: str, case: dict) -> None:
        pair = case["incremental"][0]
        for number in (f"${pair['delta_cost']:,.0f}", f"{pair['delta_ly']:.3f}"):
            assert number in rows[name]
        assert f"{pair['delta_qaly']:.3f} | ${pair['icer']:,.0f} |" in rows[name]

    found = answer("structure", shipped, "--weights", "0.5,0.25,0.25", "--json")
    names = ("partitioned survival", "clock forward", "clock reset")
    for name, case in zip(names, found["structures"], strict=True):
        holds(name, case)
    holds("average, weights ½, ¼, ¼", found["average"])
    for months in (27, 12):
        change = f"pps_follow_up={months} months"
        case = answer("structure", shipped, "--set", change, "--json")["structures"][2]
        holds(f"clock reset, rates from the first {months} months", case)
