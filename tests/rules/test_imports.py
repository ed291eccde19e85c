"""Imports run one way only: each layer imports from the layers above it (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "heor"

#: From the top down: a module imports only from the lines above its own. A line that ends in
#: ``*`` is a room whose files may also import each other.
LAYERS = (
    "heor.errors",
    "heor.spec.grammar",
    "heor.spec.quantiles",
    "heor.spec.expressions",
    "heor.spec.distributions",
    "heor.spec.parameters",
    "heor.spec.records",
    "heor.spec.sampling",
    "heor.spec.groups",
    "heor.spec.draws",
    "heor.spec.schema",
    "heor.spec.units",
    "heor.spec.*",
    "heor.engine.timeline",
    "heor.engine.survival_math",
    "heor.engine.survival_family",
    "heor.engine.survival_flexible",
    "heor.engine.survival",
    "heor.engine.mortality",
    "heor.engine.curves",
    "heor.engine.waning",
    "heor.engine.averaging",
    "heor.engine.nesting",
    "heor.engine.identities",
    "heor.engine.background",
    "heor.engine.structure",
    "heor.engine.trace",
    "heor.engine.outcomes",
    "heor.engine.quality",
    "heor.engine.payoffs",
    "heor.engine.compressed",
    "heor.engine.evaluate",
    "heor.fitting.*",
    "heor.analyses.mapper",
    "heor.analyses.results",
    "heor.analyses.psa_results",
    "heor.analyses.voi_results",
    "heor.analyses.structure_results",
    "heor.analyses.cea",
    "heor.analyses.ceac",
    "heor.analyses.smoothing",
    "heor.analyses.voi",
    "heor.analyses.designs",
    "heor.analyses.evsi",
    "heor.analyses.nested",
    "heor.analyses.monte_carlo",
    "heor.analyses.psa_table",
    "heor.analyses.psa_checks",
    "heor.analyses.factors",
    "heor.analyses.importance",
    "heor.analyses.sobol",
    "heor.analyses.psa_summary",
    "heor.analyses.base_case",
    "heor.analyses.accrual",
    "heor.analyses.dsa",
    "heor.analyses.roots",
    "heor.analyses.two_way",
    "heor.analyses.thresholds",
    "heor.analyses.psa_parts",
    "heor.analyses.psa",
    "heor.analyses.scenarios",
    "heor.analyses.structure",
    "heor.analyses.study_results",
    "heor.study",
    "heor.cluster",
    "heor.report.*",
    "heor.cli.*",
    "heor.__main__",
)

#: Analyses that read the same results but never each other.
SIBLINGS = {f"heor.analyses.{name}" for name in ("accrual", "dsa", "psa", "scenarios")}


def layer_of(module: str) -> int:
    """Index of a module's line: its own, or else its room's; -1 for none."""
    if module in LAYERS:
        return LAYERS.index(module)
    rooms = [i for i, line in enumerate(LAYERS) if line.endswith(".*")]
    inside = (i for i in rooms if f"{module}.".startswith(LAYERS[i].removesuffix("*")))
    return next(inside, -1)


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree: ast.AST) -> set[str]:
    """Modules of heor that a file imports, anywhere in it; type-checking imports count too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                f"{node.module}.{name.name}"
                if is_module(f"{node.module}.{name.name}")
                else node.module
                for name in node.names
            }
    return {name for name in found if name == "heor" or name.startswith("heor.")}


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def violations(module: str, tree: ast.AST) -> list[str]:
    here = layer_of(module)
    wrong = []
    for target in sorted(imports_of(tree) - {module}):
        there = layer_of(target)
        same_room = there == here and LAYERS[here].endswith(".*")
        siblings = {module, target} <= SIBLINGS
        if there == -1 or siblings or not (there < here or same_room):
            wrong.append(f"{module} imports {target}")
    return wrong


#: Every module; the ``__init__`` of a room holds its description, the package's the public names.
FILES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py" or path.parent.name in ("cli", "report")
)


@pytest.mark.parametrize("path", FILES, ids=[module_name(p) for p in FILES])
def test_imports_point_up(path: Path) -> None:
    module = module_name(path)
    assert layer_of(module) >= 0, f"{module} has no layer: add it to LAYERS and the architecture"
    assert not violations(module, ast.parse(path.read_text("utf-8")))


def test_the_rule_can_fail() -> None:
    wrong = ast.parse("from heor.engine import survival\nfrom heor.cli import main")
    assert len(violations("heor.spec.records", wrong)) == 2
    assert len(violations("heor.analyses.dsa", ast.parse("import heor.analyses.psa"))) == 1
    assert not violations("heor.analyses.dsa", ast.parse("from heor.analyses import cea"))


def test_no_relative_imports() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path
