"""Partitioned-survival cost-effectiveness models from plain tables.

The names below are the public interface. They are imported on first use, so that
``import heor`` (and ``heor --help``) stays quick:

>>> import heor
>>> spec = heor.read_study(heor.shipped_studies() / "lifileucel_nsclc")  # doctest: +SKIP
>>> outcomes = heor.evaluate(spec, heor.base(spec))  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heor.analyses.study_results import StudyResults
    from heor.engine.evaluate import evaluate
    from heor.engine.outcomes import Outcomes
    from heor.errors import HeorError, InputErrors, ModelError, Place, Problem
    from heor.report.workbook import write_report
    from heor.spec.draws import base, one_way, sample
    from heor.spec.parameters import Draws, Parameter
    from heor.spec.reader import apply_changes, read_study, shipped_studies
    from heor.spec.records import Spec
    from heor.study import Plan, run_study

#: Public name -> the module that defines it.
_HOMES = {
    "Draws": "heor.spec.parameters",
    "HeorError": "heor.errors",
    "InputErrors": "heor.errors",
    "ModelError": "heor.errors",
    "Outcomes": "heor.engine.outcomes",
    "Parameter": "heor.spec.parameters",
    "Place": "heor.errors",
    "Plan": "heor.study",
    "Problem": "heor.errors",
    "Spec": "heor.spec.records",
    "StudyResults": "heor.analyses.study_results",
    "apply_changes": "heor.spec.reader",
    "base": "heor.spec.draws",
    "evaluate": "heor.engine.evaluate",
    "one_way": "heor.spec.draws",
    "read_study": "heor.spec.reader",
    "run_study": "heor.study",
    "sample": "heor.spec.draws",
    "shipped_studies": "heor.spec.reader",
    "write_report": "heor.report.workbook",
}

__all__ = [
    "Draws",
    "HeorError",
    "InputErrors",
    "ModelError",
    "Outcomes",
    "Parameter",
    "Place",
    "Plan",
    "Problem",
    "Spec",
    "StudyResults",
    "__version__",
    "apply_changes",
    "base",
    "evaluate",
    "one_way",
    "read_study",
    "run_study",
    "sample",
    "shipped_studies",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("heor")
    if name not in _HOMES:
        raise AttributeError(f"module 'heor' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    __version__: str
