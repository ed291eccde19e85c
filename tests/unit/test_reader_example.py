"""The example of docs/tables.md is a study that runs as it stands there."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from heor.engine.evaluate import evaluate
from heor.spec.draws import base, sample
from heor.spec.reader import read_study

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"
BLOCK = re.compile(r"^`(\w+)\.csv`\n\n```text\n(.*?)```$", re.MULTILINE | re.DOTALL)


def test_the_example_of_the_documents_runs(tmp_path: Path) -> None:
    blocks = BLOCK.findall(PAGE.read_text("utf-8"))
    for name, text in blocks:
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")

    spec = read_study(tmp_path)
    found = evaluate(spec, base(spec))

    assert spec.warnings == ()
    assert len(blocks) == 8
    life_years = 1.5 * math.gamma(1 + 1 / 1.2)  # mean of the Weibull, within the horizon
    assert found.of("usual", "ly_undiscounted")[0] == pytest.approx(life_years, rel=1e-3)
    assert len(evaluate(spec, sample(spec, 5))) == 5
