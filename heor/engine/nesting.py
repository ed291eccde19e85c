"""Which endpoints of a strategy lie inside each other, and where caps act (methods 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from heor.spec.records import Curve


def pairs_of(
    nested: tuple[str, ...], slots: Mapping[tuple[str, str], Curve]
) -> list[tuple[str, str, tuple[str, ...] | None]]:
    """Adjacent nested endpoints and the groups in which to cap; None: after mixing."""
    groups: dict[str, tuple[str, ...]] = {}
    for endpoint in nested:
        of_endpoint = tuple(group for other, group in slots if other == endpoint)
        if of_endpoint:
            groups[endpoint] = of_endpoint
    return [
        (inner, outer, groups[inner] if set(groups[inner]) <= set(groups[outer]) else None)
        for inner, outer in pairwise(groups)
    ]
