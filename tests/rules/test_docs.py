"""The documents say what the program does."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from heor.analyses.psa import MOST_DRAWS
from heor.cli import COMMANDS, main
from heor.spec.changes import NOT_CHANGEABLE
from heor.spec.reader import shipped_studies
from heor.spec.settings import CONFIDENCE, SETTINGS, preset, preset_names

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SMALL = str(shipped_studies() / "three_strategies")


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"^\| `heor {name}\b", README, flags=re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_a_sentence_and_examples_that_parse(name: str) -> None:
    found = command(name)
    assert found.help is not None
    assert found.help.split("\n")[0].endswith(".")
    text = CliRunner().invoke(main, [name, "--help"], terminal_width=80).output
    assert "Example:" in text
    assert max(map(len, text.splitlines())) <= 80
    examples = re.findall(rf"^ *heor {name}\b(.*)$", text, flags=re.MULTILINE)
    assert examples
    for example in examples:
        found.make_context(name, shlex.split(example), resilient_parsing=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_group_help_lists_every_command() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for name, (_, _, line) in COMMANDS.items():
        assert name in text
        assert line in text


def test_commands_in_documents_exist() -> None:
    for path in (ROOT / "README.md", ROOT / "docs/json.md", ROOT / "CONTRIBUTING.md"):
        for name in re.findall(r"\bheor ([a-z][a-z-]+)\b(?= |`|\n|$)", path.read_text("utf-8")):
            allowed = {*COMMANDS, "computes", "computed", "itself"}
            assert name in allowed, f"{path.name}: heor {name}"


def test_the_output_shown_in_the_readme_is_what_is_printed() -> None:
    shown = re.search(r"<!-- output of heor base-case.*?```text\n(.*?)```", README, flags=re.DOTALL)
    assert shown is not None
    printed = CliRunner().invoke(main, ["base-case"], env={"COLUMNS": "80"}).stdout
    assert shown[1] in printed, "renew the block in README.md from `heor base-case`"


def test_generated_tables_are_current() -> None:
    source = ROOT / "docs" / "make_tables.py"
    spec = importlib.util.spec_from_file_location("make_tables", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "tables.md").read_text("utf-8")
    assert page == module.render(), "run: python docs/make_tables.py"


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_value_has_a_source(name: str) -> None:
    values = preset(name)
    assert values
    for key, value in values.items():
        assert key in SETTINGS
        assert value.value.strip()
        assert value.source.strip(), f"{name}: {key} has no source"
        assert value.confidence in CONFIDENCE


def test_methods_has_every_section_that_code_names() -> None:
    page = (ROOT / "docs" / "methods.md").read_text("utf-8")
    known = set(re.findall(r"^## (\d+)\.", page, flags=re.MULTILINE))
    known |= set(re.findall(r"^\*\*(\d+\.\d+)", page, flags=re.MULTILINE))
    for path in (*(ROOT / "heor").rglob("*.py"), *(ROOT / "tests").rglob("*.py")):
        for text in re.findall(r"\b[Mm]ethods (\d+(?:\.\d+)?)", path.read_text("utf-8")):
            assert text in known, f"{path.name} names methods {text}"


def keys_of(value: object) -> set[str]:
    """Keys of all dictionaries, except those whose keys are data (ids, thresholds, names)."""
    data = {
        *("cost_by_category", "ly_by_state", "qaly_by_state", "nmb", "change_in_nmb", "swing"),
        *("probability", "ceac", "expected_loss", "packages", "timings"),
    }
    if isinstance(value, list):
        return set().union(*map(keys_of, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = set(value)
    for key, inner in value.items():
        if key == "quadrants":
            continue
        if key in data and isinstance(inner, dict):
            found |= set().union(set(), *map(keys_of, inner.values()))
        else:
            found |= keys_of(inner)
    return found


#: Details of diagnostics that docs/json.md leaves to their names.
DETAILS = {"recommended_draws", "parameter_checks", "base_checks", "crossing"}


def without_details(value: object) -> object:
    if isinstance(value, dict):
        return {k: None if k in DETAILS else without_details(v) for k, v in value.items()}
    return [without_details(item) for item in value] if isinstance(value, list) else value


def test_every_json_key_is_documented(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "json.md").read_text("utf-8")
    documented = set(re.findall(r"`([a-z_]+)`", page))
    result = CliRunner().invoke(main, ["run", SMALL, "--draws", "8", "--json", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    for text in (result.stdout, (tmp_path / "run.json").read_text("utf-8")):
        missing = keys_of(without_details(json.loads(text))) - documented
        assert not missing


def test_the_options_table_of_the_readme_is_what_the_commands_take() -> None:
    """Each row names options and, in the second column, the commands that have them."""
    table = README.split("| option | of |\n|---|---|\n")[1].split("\n\n")[0]
    inputs = {name for name in COMMANDS if any(p.name == "inputs" for p in command(name).params)}
    for row in table.splitlines():
        options, words = row.strip("| ").split(" | ")
        if words.startswith(("every command with `INPUTS`", "the same")):
            wanted = inputs
        elif words.startswith("all"):
            wanted = set(COMMANDS) - set(re.findall(r"`([a-z-]+)`", words))
        else:
            wanted = set(re.findall(r"`([a-z][a-z-]*)`", words))
        for option in re.findall(r"`(--?[a-z-]+)", options):
            having = {
                name
                for name in COMMANDS
                if any(option in parameter.opts for parameter in command(name).params)
            }
            if option == "-o":
                assert wanted <= having
            else:
                assert having == wanted, option


def test_settings_that_set_refuses_are_named_in_the_readme() -> None:
    for key in NOT_CHANGEABLE:
        assert f"`{key}`" in README.split("settings key")[1].split("To keep a change")[0]


def test_the_cap_of_draws_is_in_the_readme() -> None:
    assert f"{MOST_DRAWS:,} at most" in README


def test_links_between_documents_hold() -> None:
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "outputs/README.md"):
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text("utf-8")):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_citation_has_no_version() -> None:
    assert "\nversion:" not in (ROOT / "CITATION.cff").read_text("utf-8")
