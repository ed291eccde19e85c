"""Each mistake of tests/bad_inputs, laid over the sound study there, gives exactly its messages.

``messages.csv`` holds them: mistake, level (error or warning), message. A mistake without errors
is read, with the warnings listed.
"""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from heor.errors import InputErrors
from heor.spec.reader import read_study

FOLDER = Path(__file__).parents[1] / "bad_inputs"


def _expected() -> dict[str, list[tuple[str, str]]]:
    expected: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with (FOLDER / "messages.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            expected[row["mistake"]].append((row["level"], row["message"]))
    return expected


EXPECTED = _expected()


def _found() -> list[tuple[str, str]]:
    try:
        spec = read_study("study")
    except InputErrors as error:
        return [("error", str(problem)) for problem in error.problems]
    return [("warning", str(warning)) for warning in spec.warnings]


@pytest.mark.parametrize("mistake", sorted(EXPECTED))
def test_mistake_gives_its_messages(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FOLDER / "base", tmp_path / "study")
    shutil.copytree(FOLDER / mistake, tmp_path / "study", dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    found = [(level, message.replace("study\\", "study/")) for level, message in _found()]

    assert found == EXPECTED[mistake]


def test_every_mistake_has_messages_and_the_base_has_none() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}

    assert folders - {"base"} == set(EXPECTED)
    assert read_study(FOLDER / "base").warnings == ()
