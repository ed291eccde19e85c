"""The built wheel holds the shipped studies and presets, and nothing that belongs to a checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_wheel_contents(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", str(tmp_path)]
    built = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("heor-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for path in sorted((ROOT / "inputs").glob("*/*.csv")):
        assert f"heor/studies/{path.parent.name}/{path.name}" in names
    for path in sorted((ROOT / "heor").rglob("*.py")):
        assert path.relative_to(ROOT).as_posix() in names
    for path in sorted((ROOT / "heor/presets").glob("*.csv")):
        assert f"heor/presets/{path.name}" in names
    assert "heor/py.typed" in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "docs/", "outputs/")) for name in names)
