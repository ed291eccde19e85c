"""``Calc Time``: cycle boundaries, discount factors and the weights of person-time (methods 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from heor.engine.timeline import Timeline
from heor.spec.records import Spec
from heor.spec.settings import parse_setting

#: Settings on which the number of cycles depends.
_LENGTHS = ("cycle_length", "horizon")


def rows_needed(spec: Spec) -> int:
    """Give the boundaries that every grid of the workbook has: those of the longest horizon.

    The base case and every scenario fit into them.
    """
    settings = [spec.settings]
    for scenario in spec.scenarios:
        lengths: dict[str, Any] = {
            change.target: parse_setting(change.target, change.value)
            for change in scenario.changes
            if change.target in _LENGTHS
        }
        if lengths:
            settings.append(replace(spec.settings, **lengths))
    return 1 + max(Timeline(s).cycles for s in settings)
