"""Who does independent pieces of an analysis: this process, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from heor.spec.records import Spec


class Mapper(Protocol):
    """Does pieces of work anywhere and hands back what is done."""

    def __call__(
        self, function: Callable[[Spec, Any], Any], spec: Spec, items: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Do ``function(spec, item)`` for every item.

        Yields the place of an item in ``items`` with its result, in any order.
        """


def here(
    function: Callable[[Spec, Any], Any], spec: Spec, items: Sequence[Any]
) -> Iterator[tuple[int, Any]]:
    """Do one item after another in this process: the plain `Mapper`."""
    for place, item in enumerate(items):
        yield place, function(spec, item)
