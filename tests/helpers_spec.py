"""A minimal study for tests that need parameters and little else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from small_studies import HERE, curve, fixed, settings, study

from heor.spec.distributions import Distribution, make
from heor.spec.expressions import parse
from heor.spec.parameters import Correlation, Parameter
from heor.spec.records import Spec


def uncertain(
    name: str, distribution: str | Distribution, value: float, **changes: Any
) -> Parameter:
    """A parameter with a distribution made from ``value``, ``se``, ``a``, ``b``, ``low``, ``high``.

    ``low`` and ``high`` are those given, else the 2.5% and 97.5% quantiles.
    """
    cells = {key: changes.pop(key, None) for key in ("se", "a", "b")}
    ends = {key: changes.get(key) for key in ("low", "high")}
    if isinstance(distribution, str):
        distribution = make(distribution, value=value, **cells, **ends)
    if distribution.name != "empirical":
        for key, p in (("low", 0.025), ("high", 0.975)):
            changes.setdefault(key, distribution.quantile(p))
    return fixed(name, value, distribution=distribution, **changes)


def derived(name: str, formula: str) -> Parameter:
    """A parameter whose value is a formula; its base value is left to `heor.spec.draws`."""
    return fixed(name, float("nan"), expression=parse(formula))


def pair(group: str, row: str, column: str, value: float) -> Correlation:
    """One row of the ``correlations`` table."""
    return Correlation(group=group, row=row, column=column, value=value, note="", place=HERE)


def minimal_spec(
    parameters: Sequence[Parameter] = (),
    *,
    options: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Spec:
    """Two strategies with exponential curves; ``options`` change settings, the rest the spec."""
    curves = [
        curve(strategy, endpoint, "exponential", {"rate": rate})
        for strategy, pfs in (("a", 1.0), ("b", 0.5))
        for endpoint, rate in (("pfs", pfs), ("os", pfs / 2))
    ]
    spec = study(curves, options=settings(**(options or {})), parameters=parameters)
    return replace(spec, **overrides)
