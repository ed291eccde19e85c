"""What varies by itself in a probabilistic analysis: single parameters and joint ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heor.spec.groups import find_groups
from heor.spec.records import Spec

#: What the parameters of the table ``draws`` are called, whose rows are drawn whole.
ROWS = "rows of the table draws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One parameter, or several that are drawn jointly and so count as one.

    Attributes
    ----------
    name, label : str
        Id and label of a single parameter; name of the group, and that with its members.
    parameters : tuple of str
        Its members, in table order.
    together : str
        How they are drawn: "" for a single one, "correlated", "shares" or "rows".
    """

    name: str
    label: str
    parameters: tuple[str, ...]
    together: str


def factors_of(spec: Spec) -> tuple[Factor, ...]:
    """Every uncertain parameter once, in table order of the first member.

    Members of a correlated group count as one factor, unless all of its correlations are 0; so do
    the shares of a Dirichlet, and all parameters of the table ``draws``.
    """
    drawn = [
        p.id
        for p in spec.parameters.values()
        if p.distribution is not None and p.expression is None and p.distribution.name != "fixed"
    ]
    groups = find_groups(spec.parameters, spec.correlations, spec.empirical)
    joint: dict[str, tuple[str, str]] = {}
    for group in groups.correlated:
        if np.any(group.matrix != np.eye(len(group.members))):
            joint |= dict.fromkeys(group.members, (group.name, "correlated"))
    for share in groups.shares:
        joint |= dict.fromkeys(share.members, (share.name, "shares"))
    for name in spec.empirical:
        joint[name] = (ROWS, "rows")
    members: dict[tuple[str, str], list[str]] = {}
    for name in drawn:
        members.setdefault(joint.get(name, (name, "")), []).append(name)
    return tuple(
        Factor(
            name=name if together else names[0],
            label=f"{name}: {', '.join(names)}"
            if together
            else spec.parameters[names[0]].label or names[0],
            parameters=tuple(names),
            together=together,
        )
        for (name, together), names in members.items()
    )
