"""The command line from outside: exit codes, messages, files, and the same numbers everywhere."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heor.cli import COMMANDS, main
from heor.spec.reader import read_study, shipped_studies

SMALL = str(shipped_studies() / "three_strategies")


def heor(*args: str, width: int = 80) -> Result:
    return CliRunner().invoke(main, list(args), env={"COLUMNS": str(width), "NO_COLOR": None})


def ran(*args: str, width: int = 80) -> str:
    result = heor(*args, width=width)
    assert result.exit_code == 0, result.output
    return result.stdout


def read_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def read_records(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shell(*args: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "heor", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def test_base_case_prints_banner_headline_and_tables() -> None:
    text = ran("base-case")
    assert text.index("investigational") < text.index("per QALY gained") < text.index("Increments")
    data = json.loads(ran("base-case", "--json"))
    pair = data["incremental"][0]
    for shown in (
        f"${pair['delta_cost']:,.0f}",
        f"{pair['delta_qaly']:.3f}",
        f"${pair['icer']:,.0f}",
    ):
        assert shown in text


@pytest.mark.parametrize(
    "args",
    [["base-case"], ["base-case", SMALL], ["scenarios"], ["dsa"], ["psa", SMALL, "--draws", "50"]],
    ids=["base-case", "three", "scenarios", "dsa", "psa"],
)
def test_a_pipe_of_80_columns_gets_aligned_plain_text(args: list[str]) -> None:
    lines = ran(*args).splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "…" not in text
    assert not set(text) & set("│┃─━╭╮"), "box characters in a pipe"
    rules = [i for i, line in enumerate(lines) if line and set(line) == {"-"}]
    assert rules
    for rule in rules:
        assert len(lines[rule - 1]) == len(lines[rule]), "headings and rule end together"


def numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"-?\$?\d[\d,.]*\d%?|\d%?", re.sub(r"\x1b\[[\d;]*m", "", text)))


@pytest.mark.parametrize(
    "args",
    [
        *(["base-case"], ["base-case", SMALL], ["scenarios"], ["scenarios", SMALL], ["dsa"]),
        *(["dsa", SMALL], ["psa", "--draws", "100"], ["psa", SMALL, "--draws", "100"]),
    ],
    ids=" ".join,
)
def test_a_narrow_screen_cuts_no_number(args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    piped = ran(*args, width=80)
    monkeypatch.setenv("FORCE_COLOR", "1")
    wide = numbers(ran(*args, width=250))
    assert sum(wide.values()) > 30
    for width in (40, 60, 80):
        assert numbers(ran(*args, width=width)) == wide
    monkeypatch.delenv("FORCE_COLOR")
    assert numbers(piped) == wide
    assert ran(*args, width=40) == piped


def test_a_status_in_place_of_a_number_wraps() -> None:
    lines = ran("scenarios", SMALL, "--set", "reference=high_dose").splitlines()
    assert max(map(len, lines)) <= 80


def test_a_narrow_screen_cuts_no_number_of_run_and_cea(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    folder = ["-o", str(tmp_path)]
    for args in (["run", SMALL, "--draws", "30", *folder], ["cea", str(tmp_path / "psa.csv")]):
        wide, *narrow = (ran(*args, width=width) for width in (250, 40, 60, 80))
        assert [numbers(text) for text in narrow] == [numbers(wide)] * 3


def test_json_shapes_have_the_documented_keys() -> None:
    base = json.loads(ran("base-case", SMALL, "--json"))
    assert {"study", "version", "input_hash", "currency", "banner"} <= base.keys()
    assert {
        *("id", "cost", "qaly", "ly", "evly", "cost_undiscounted", "qaly_undiscounted"),
        *("ly_undiscounted", "cost_by_category", "ly_by_state", "qaly_by_state"),
    } <= base["strategies"][0].keys()
    pair = base["incremental"][0]
    assert {
        *("id", "versus", "delta_cost", "delta_qaly", "delta_ly", "evlyg", "icer", "status", "nmb")
    } <= pair.keys()
    wanted = 100_000 * pair["delta_qaly"] - pair["delta_cost"]
    assert pair["nmb"]["100000"] == pytest.approx(wanted, rel=1e-12)
    for row in base["strategies"]:
        assert sum(row["cost_by_category"].values()) == pytest.approx(row["cost"], rel=1e-12)
        assert sum(row["qaly_by_state"].values()) == pytest.approx(row["qaly"], rel=1e-12)
        assert sum(row["ly_by_state"].values()) == pytest.approx(row["ly"], rel=1e-12)

    psa = json.loads(ran("psa", SMALL, "--draws", "64", "--json"))
    count = len(psa["thresholds"])
    assert {row["id"] for row in psa["strategies"]} == psa["ceac"].keys()
    assert all(len(row) == count for row in (*psa["ceac"].values(), psa["ceaf"], psa["evpi"]))
    for place in range(count):
        assert sum(row[place] for row in psa["ceac"].values()) == pytest.approx(1, abs=1e-12)
    assert set(psa["strategies"][0]["cost"]) == {"mean", "mcse", "sd", "low", "high"}
    assert {"quadrants", "crossing"} <= psa.keys()


def test_run_writes_every_file_and_they_agree(tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = ran("run", SMALL, "--draws", "40", "--seed", "7", "-o", str(out))
    names = {"three_strategies.xlsx", "results.json", "psa.csv", "psa_inputs.csv", "run.json"}
    assert {path.name for path in out.iterdir()} == names
    assert all(str(out / name) in text.replace("\n", "") for name in names)

    results = json.loads((out / "results.json").read_text("utf-8"))
    assert results["psa"]["draws"] == 40
    record = json.loads((out / "run.json").read_text("utf-8"))
    assert (record["seed"], record["draws"]) == (7, 40)
    assert record["input_hash"] == results["input_hash"]

    rows = read_records(out / "psa.csv")
    assert list(rows[0])[:6] == ["draw", "strategy", "cost", "qaly", "ly", "evly"]
    assert len(rows) == 40 * 3
    for row in rows:
        parts = [float(value) for name, value in row.items() if name.startswith("cost:")]
        assert sum(parts) == pytest.approx(float(row["cost"]), rel=1e-12)
    for strategy in results["psa"]["strategies"]:
        costs = [float(row["cost"]) for row in rows if row["strategy"] == strategy["id"]]
        assert sum(costs) / 40 == pytest.approx(strategy["cost"]["mean"], rel=1e-12)
    inputs = read_rows(out / "psa_inputs.csv")
    assert inputs[0][0] == "draw"
    assert len(inputs) == 41

    again = tmp_path / "again"
    ran("run", SMALL, "--draws", "40", "--seed", "7", "-o", str(again), "--quiet")
    for name in ("psa.csv", "psa_inputs.csv", "results.json"):
        assert (again / name).read_bytes() == (out / name).read_bytes()
    ran("run", SMALL, "--draws", "40", "--seed", "8", "-o", str(again), "--quiet")
    assert (again / "psa.csv").read_bytes() != (out / "psa.csv").read_bytes()

    cea = json.loads(ran("cea", str(out / "psa.csv"), "--thresholds", "0,100000", "--json"))
    place = results["psa"]["thresholds"].index(100_000)
    assert cea["thresholds"] == [0, 100_000]
    assert cea["evpi"][1] == pytest.approx(results["psa"]["evpi"][place], rel=1e-9, abs=1e-6)
    assert {name: row[1] for name, row in cea["ceac"].items()} == {
        name: row[place] for name, row in results["psa"]["ceac"].items()
    }


@pytest.mark.parametrize("sampler", ["random", "latin_hypercube", "sobol"])
def test_a_draw_replayed_alone_is_the_row_of_the_psa(tmp_path: Path, sampler: str) -> None:
    options = ["--draws", "32", "--seed", "3", "--sampler", sampler]
    ran("psa", SMALL, *options, "-o", str(tmp_path / "psa.csv"))
    rows = [row for row in read_records(tmp_path / "psa.csv") if row["draw"] == "17"]
    replayed = json.loads(ran("base-case", SMALL, "--draw", "17", *options, "--json"))
    assert "Draw 17" in replayed["banner"][0]
    for row, strategy in zip(rows, replayed["strategies"], strict=True):
        assert float(row["cost"]) == strategy["cost"]
        assert float(row["qaly"]) == strategy["qaly"]
    result = heor("base-case", SMALL, "--draw", "33", *options)
    assert result.exit_code == 2
    assert "the PSA has 32 draws" in result.output


def test_results_do_not_depend_on_workers() -> None:
    one, two = (ran("psa", SMALL, "--draws", "200", "--json", "--workers", n) for n in "12")
    assert one == two


def test_set_and_scenario_change_the_study() -> None:
    base = json.loads(ran("base-case", "--json"))["strategies"][1]["cost"]
    dear = json.loads(ran("base-case", "--json", "--set", "c_lif=615000"))["strategies"][1]
    infused = json.loads(ran("base-case", "--json", "--set", "c_lif=0"))["strategies"][1]
    share = (base - infused["cost"]) / 515_000
    assert dear["cost"] - base == pytest.approx(100_000 * share, rel=1e-9)

    horizon = ["--set", "horizon=5 years"]
    assert json.loads(ran("base-case", *horizon, "--json"))["strategies"][1]["cost"] < base
    named = json.loads(ran("base-case", "--json", "--scenario", "Horizon 5 years"))
    listed = json.loads(ran("scenarios", "--json", "--scenario", "Horizon 5 years"))["scenarios"]
    assert len(listed) == 1
    assert listed[0]["strategies"] == named["strategies"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["base-case", "--set", "lif_or=0.3"], "did you mean `lif_orr`"),
        (["base-case", "--set", "lif_orr"], "write ID=VALUE"),
        (["base-case", "--scenario", "Weak plato"], "did you mean 'Weak plateau'"),
        (["base-case", "--scenario", "A", "--scenario", "B"], "once here, found 'A' and 'B'"),
        (["run", "--scenario", "A", "--scenario", "B"], "once here, found 'A' and 'B'"),
        (["base-case", "--set", "c_lif=1", "--set", "c_lif=2"], "`c_lif` is set more than once"),
        (["run", "-o", "out/x.XLSX"], "give a folder, such as -o out/x."),
        (["scenarios", "--scenario", "Weak plato"], "did you mean 'Weak plateau'"),
        (["base-cse"], "did you mean 'base-case'"),
        (["base-case", "no_such_folder"], "no_such_folder: there is no such"),
        (["base-case", "-o", "x.doc"], "must end in .xlsx, .csv, .json"),
        (["base-case", "--seed", "1"], "go with --draw"),
        (["psa", "--draws", "0"], "--draws"),
        (["run", "--store-draws", "0"], "'0' is neither a number of 1 or more nor `all`"),
        (["run", "--store-draws", "some"], "'some' is neither a number"),
        (["psa", "--until-mcse", "-1"], "above 0"),
        (["cea", "no_such.csv"], "there is no such file"),
        (["cea", "x.csv", "--thresholds", "0:5:x"], "neither a list"),
        (["cea", "x.csv", "--thresholds", "-5"], "must be 0 or more"),
        (
            ["new", "somewhere", "--study", "nope"],
            "there is no example 'nope'; there are lifileucel_nsclc, three_strategies.",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_a_sentence_and_exit_2(args: list[str], words: str) -> None:
    result = heor(*args)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_all_input_problems_come_at_once(tmp_path: Path) -> None:
    study = tmp_path / "mine"
    ran("new", str(study), "--study", "three_strategies")
    costs, parameters = study / "costs.csv", study / "parameters.csv"
    costs.write_text(costs.read_text("utf-8").replace("in_state", "in_stat"), encoding="utf-8")
    text = parameters.read_text("utf-8").replace(",assumption,", ",no_such_key,", 1)
    parameters.write_text(text, encoding="utf-8")
    for command in ("check", "run"):
        result = heor(command, str(study))
        assert result.exit_code == 2
        lines = result.stderr.splitlines()
        assert lines[:-1] == sorted(lines[:-1]) or len(lines) > 2
        assert any("costs.csv, row" in line and "column trigger" in line for line in lines)
        assert any("parameters.csv, row" in line for line in lines)
        assert lines[-1] == f"{len(lines) - 1} problems found; nothing was run."


def test_check_names_what_rests_on_weak_evidence_and_other_outputs_count_it() -> None:
    spec = read_study(shipped_studies() / "lifileucel_nsclc")
    text = " ".join(ran("check").split())
    counts = []
    for grade in ("assumption", "unverified", "transported"):
        ids = [row.id for row in spec.parameters.values() if row.evidence == grade]
        total = len(spec.parameters)
        assert f"{grade.capitalize()}, {len(ids)} of {total} parameters: {', '.join(ids)}" in text
        counts.append(len(ids))
    shown = " ".join(ran("base-case").split())
    assert (
        f"{counts[0]} of {total} parameters are assumptions, {counts[1]} unverified, "
        f"{counts[2]} transported: `heor check` lists them."
    ) in shown
    assert "lif_dor24" not in shown
    banner = json.loads(ran("base-case", "--json"))["banner"]
    assert any("lif_dor24" in line for line in banner)


def test_check_of_a_changed_study() -> None:
    text = ran("check", "--set", "horizon=40 years", "--scenario", "Weak plateau")
    assert "Changed: scenario 'Weak plateau'\nChanged: horizon = 40 years\nOK: " in text
    result = heor("check", "--set", "lif_orr=2+")
    assert result.exit_code == 2
    assert "--set lif_orr=2+" in result.stderr


def test_changes_are_said_first_and_recorded(tmp_path: Path) -> None:
    args = ["run", SMALL, "--draws", "5", "--set", "horizon=5 years", "-o", str(tmp_path)]
    lines = ran(*args).splitlines()
    assert lines[1] == "! Not the study's base case: horizon = 5 years"
    assert json.loads((tmp_path / "run.json").read_text("utf-8"))["changes"] == [
        "horizon = 5 years"
    ]
    listed = json.loads((tmp_path / "run.json").read_text("utf-8"))["warnings"]
    assert listed
    words = " ".join(" ".join(lines).split())
    assert all(f"Warning: {' '.join(line.split())}" in words for line in listed)
    assert "Note: " not in words


def test_one_of_a_thing_is_not_many(tmp_path: Path) -> None:
    table = tmp_path / "one.csv"
    table.write_text("draw,strategy,cost,qaly\n1,a,1,1\n1,b,5,2\n", "utf-8")
    assert ran("cea", str(table)).startswith("1 draw of 2 strategies\n")
    assert "1 draw, sampler" in ran("psa", SMALL, "--draws", "1")


def test_money_is_written_in_one_way() -> None:
    for command in (["base-case"], ["scenarios"], ["psa", "--draws", "20"]):
        text = " ".join(ran(*command, SMALL, "--set", "reference=high_dose").split())
        assert "USD" not in text
        assert "saves" in text


def test_check_counts() -> None:
    text = ran("check", SMALL)
    assert "OK: three_strategies: 3 strategies" in text
    assert ran("check", SMALL, "--quiet") == ""


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_new_study_runs_as_it_is_and_is_not_overwritten(tmp_path: Path, form: str) -> None:
    study = tmp_path / "mine"
    ran("new", str(study), "--as", form, "--study", "three_strategies")
    target = study if form == "csv" else study / "mine.xlsx"
    assert str(target.as_posix()) in (study / "README.md").read_text("utf-8")
    copied = json.loads(ran("base-case", str(target), "--json"))
    original = json.loads(ran("base-case", SMALL, "--json"))
    assert copied["strategies"] == original["strategies"]
    before = {path: path.read_bytes() for path in study.iterdir()}
    result = heor("new", str(study))
    assert result.exit_code == 2
    assert "not empty" in result.stderr
    assert before == {path: path.read_bytes() for path in study.iterdir()}


@pytest.mark.parametrize("command", ["base-case", "scenarios", "dsa", "psa"])
def test_one_analysis_to_a_file(tmp_path: Path, command: str) -> None:
    more = ["--draws", "20"] if command == "psa" else []
    for ending in ("csv", "json", "xlsx"):
        path = tmp_path / f"out.{ending}"
        assert f"Wrote {path}" in ran(command, SMALL, *more, "-o", str(path)).replace("\n", "")
        assert path.stat().st_size > 100
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "out.json", "out.xlsx"]
    shown = json.loads(ran(command, SMALL, *more, "--json"))
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == shown
    rows = read_rows(tmp_path / "out.csv")
    assert len({len(row) for row in rows}) == 1
    assert len(rows) > 2


def test_an_unwritable_target_is_a_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    result = heor("base-case", SMALL, "-o", str(blocked / "out.csv"))
    assert result.exit_code == 2
    assert "cannot write" in result.stderr
    assert blocked.read_text() == "x"


def test_the_workbook_that_is_read_is_not_written_over(tmp_path: Path) -> None:
    ran("run", SMALL, "--draws", "10", "-o", str(tmp_path), "--quiet")
    book = tmp_path / "three_strategies.xlsx"
    before = book.read_bytes()
    for args in (["run", str(book), "-o", str(tmp_path)], ["dsa", str(book), "-o", str(book)]):
        result = heor(*args)
        assert result.exit_code == 2
        assert "choose another place with -o" in " ".join(result.stderr.split())
        assert book.read_bytes() == before
    ran("run", str(book), "--draws", "10", "-o", str(tmp_path / "edited"), "--quiet")
    assert (tmp_path / "edited" / "three_strategies.xlsx").exists()


def test_a_failing_report_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran("run", SMALL, "--draws", "10", "-o", str(tmp_path), "--quiet")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def interrupted(*args: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("heor.report.csv_files.psa_csv", interrupted)
    result = heor("run", SMALL, "--draws", "11", "-o", str(tmp_path))
    assert result.exit_code == 130
    assert "Interrupted" in result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "heor", "run", "--draws", "200000", "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not out.exists()


def test_an_internal_error_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("heor.cli.options.read_study", broken)
    result = heor("check")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "--debug" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in heor("check", "--debug").stderr


def test_quiet_prints_nothing(tmp_path: Path) -> None:
    result = heor("psa", SMALL, "--draws", "10", "--quiet", "-o", str(tmp_path / "a.csv"))
    assert result.output == ""


def test_a_narrow_code_page_does_not_crash(tmp_path: Path) -> None:
    study = tmp_path / "mine"
    ran("new", str(study), "--study", "three_strategies")
    table = study / "strategies.csv"
    table.write_text(table.read_text("utf-8").replace("Standard care", "Стандарт ≥ 1"), "utf-8")
    for encoding in ("cp1252", "ascii"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
        result = subprocess.run(
            [sys.executable, "-m", "heor", "base-case", str(study)],
            capture_output=True,
            timeout=120,
            env=environment,
        )
        assert result.returncode == 0, result.stderr
        assert b"Increments against ???" in result.stdout


def test_a_closed_pipe_is_not_a_traceback() -> None:
    command = f"{sys.executable} -m heor scenarios | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert result.stdout.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr


IMPORTED = (
    "import sys\n"
    "from heor.cli import main\n"
    "try:\n"
    "    main(sys.argv[1:])\n"
    "except SystemExit:\n"
    "    pass\n"
    "print('loaded:', *sys.modules)\n"
)


def loaded(*args: str) -> set[str]:
    command = [sys.executable, "-c", IMPORTED, *args]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return set(result.stdout.rsplit("loaded:", 1)[1].split())


def test_help_is_quick_and_imports_no_numpy() -> None:
    assert not loaded("--help") & {"numpy", "rich", "scipy", "pandas", "openpyxl", "xlsxwriter"}
    begun = time.perf_counter()
    assert shell("--help").returncode == 0
    assert time.perf_counter() - begun < 2.0


def test_base_case_imports_nothing_heavy() -> None:
    heavy = {"pandas", "scipy.stats", "xlsxwriter", "openpyxl", "scipy.optimize"}
    assert not loaded("base-case", SMALL) & heavy
    assert "rich" not in loaded("base-case", SMALL, "--json")


def test_version_and_module_entry() -> None:
    assert shell("--version").stdout.startswith("heor 0.")
    assert set(COMMANDS) <= set(shell("--help").stdout.split())


def test_dsa_shows_both_tornados() -> None:
    shown = ran("dsa", SMALL)
    assert "net monetary benefit at" in shown
    assert re.search(r"ICER \(base\s+\$", shown)
    assert "ICER at high" in shown
