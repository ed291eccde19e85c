"""``heor figures`` and ``heor tables`` from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from docx import Document
from study_folder import write_study

from heor.cli import main
from heor.report.figures.gallery import CAPTIONS


def heor(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> str:
    return str(write_study(tmp_path_factory.mktemp("inputs") / "two"))


def test_figures_writes_the_formats_asked_for(study: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "figures"
    result = heor("figures", study, "--draws", "40", "--format", "SVG", "-o", str(folder))
    assert result.exit_code == 0, result.output
    names = {path.name for path in folder.iterdir()}
    assert {"survival_os.svg", "ceac.svg", "ce_plane_new.svg", CAPTIONS} <= names
    assert not [name for name in names if name.endswith(".png")]
    for name in names:
        assert name in result.stdout
    assert "seed 11, 40 draws" in (folder / "ceac.svg").read_text("utf-8")


def test_a_change_stands_in_every_foot_line(study: str, tmp_path: Path) -> None:
    args = ("--draws", "20", "--set", "price=1000", "--format", "svg", "-o", str(tmp_path))
    assert heor("figures", study, *args).exit_code == 0
    for path in tmp_path.glob("*.svg"):
        assert "not the study's base case" in path.read_text("utf-8"), path.name
    assert "price = 1000" in (tmp_path / CAPTIONS).read_text("utf-8")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("figures", "--format", "svg,gif"), "'gif' is not a format; there are svg and png"),
        (("figures", "-o", "chart.png"), "so give a folder, such as -o chart"),
        (("tables", "-o", "dossier.pdf"), "the file must end in .docx"),
        (("tables", "--paper", "a3"), "'a3' is not one of 'a4', 'letter'"),
    ],
)
def test_wrong_usage_is_told(args: tuple[str, ...], words: str) -> None:
    result = heor(*args)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_tables_writes_a_document(study: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "dossier.docx"
    result = heor("tables", study, "--draws", "40", "--paper", "letter", "-o", str(path))
    assert result.exit_code == 0, result.output
    assert str(path) in result.stdout
    found = Document(str(path))
    assert round(found.sections[0].page_width.mm, 1) == 215.9
    assert len(found.tables) > 15
    assert "Not for decisions." in [p.text for p in found.paragraphs]
    assert [one.name for one in path.parent.iterdir()] == ["dossier.docx"]


def test_tables_never_writes_over_its_input(tmp_path: Path) -> None:
    path = tmp_path / "inputs.docx"
    path.write_bytes(b"what is read")
    result = heor("tables", str(path), "-o", str(path))
    assert result.exit_code == 2
    assert "would be written over" in result.output
    assert path.read_bytes() == b"what is read"


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [("figures", "matplotlib", "figures"), ("tables", "docx", "docx")],
)
def test_a_missing_extra_is_one_sentence(
    command: str, module: str, extra: str, tmp_path: Path
) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        f"from heor.cli import main; main([{command!r}])"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 2
    assert f'pip install "heor[{extra}]"' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_the_commands_load_neither_library_for_others() -> None:
    code = (
        "import sys; sys.argv = ['heor', 'base-case', '--json']\n"
        "from heor.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([n for n in ('matplotlib', 'docx') if n in sys.modules], file=sys.stderr)"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert done.stderr.strip().endswith("[]")
