"""Named scenarios: each changes the study and is evaluated at its base values."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from heor.analyses import base_case
from heor.analyses.ceac import middle_threshold
from heor.analyses.mapper import Mapper, here
from heor.analyses.results import (
    FAVOURABLE,
    NEUTRAL,
    UNFAVOURABLE,
    BaseCase,
    ScenarioChange,
    ScenarioResult,
)
from heor.errors import HeorError
from heor.spec.reader import apply_changes
from heor.spec.records import Scenario, Spec

#: A change of INMB below this (currency) is no change.
NO_CHANGE = 1e-6


def run(
    spec: Spec,
    names: Sequence[str] | None = None,
    base: BaseCase | None = None,
    mapper: Mapper | None = None,
) -> tuple[ScenarioResult, ...]:
    """Evaluate scenarios and compare each with the base case.

    Parameters
    ----------
    spec : Spec
        The study.
    names : sequence of str, optional
        Scenarios wanted, in this order; all of the study's when left out.
    base : BaseCase, optional
        The base case, when it is at hand.
    mapper : Mapper, optional
        Does the scenarios elsewhere.

    Raises
    ------
    HeorError
        When the study has no scenario of that name.
    InputErrors
        When a change cannot be made.
    """
    base = base_case.run(spec) if base is None else base
    chosen = spec.scenarios if names is None else [_find(spec, name) for name in names]
    tasks = [(scenario, base) for scenario in chosen]
    found = dict((mapper or here)(_run_one, spec, tasks))
    return tuple(found[place] for place in range(len(chosen)))


def _find(spec: Spec, name: str) -> Scenario:
    by_name = {scenario.name: scenario for scenario in spec.scenarios}
    if name in by_name:
        return by_name[name]
    if not by_name:
        raise HeorError(f"there is no scenario '{name}': the study has no scenarios")
    close = get_close_matches(name, by_name, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(by_name)}"
    raise HeorError(f"there is no scenario '{name}'{hint}")


def _run_one(spec: Spec, task: tuple[Scenario, BaseCase]) -> ScenarioResult:
    scenario, base = task
    changed = apply_changes(spec, scenario.changes)
    result = base_case.run(changed)
    threshold = middle_threshold(base.thresholds)
    effects = []
    for strategy in spec.strategy_ids():
        if strategy == base.reference:
            continue
        before = _inmb(base, strategy, base)
        after = _inmb(result, strategy, base)
        delta = tuple(new - old for new, old in zip(after, before, strict=True))
        effects.append(
            ScenarioChange(
                id=strategy,
                inmb=after,
                delta_inmb=delta,
                direction=_direction(delta[base.thresholds.index(threshold)]),
            )
        )
    return ScenarioResult(
        name=scenario.name,
        purpose=scenario.purpose,
        changes=tuple((change.target, change.value) for change in scenario.changes),
        thresholds=base.thresholds,
        threshold=threshold,
        result=result,
        effects=tuple(effects),
    )


def _inmb(result: BaseCase, strategy: str, base: BaseCase) -> tuple[float, ...]:
    """INMB against the base study's reference at its thresholds, whatever the scenario set."""
    own, reference = result.totals(strategy), result.totals(base.reference)
    weight = result.severity_weight
    return tuple(
        k * weight * (own.qaly - reference.qaly) - (own.cost - reference.cost)
        for k in base.thresholds
    )


def _direction(change: float) -> str:
    if abs(change) < NO_CHANGE:
        return NEUTRAL
    return FAVOURABLE if change > 0 else UNFAVOURABLE
