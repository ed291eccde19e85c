"""What always holds of a strategy's curves, whatever the inputs (methods 10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from heor.engine.curves import CurveBlock
from heor.errors import ModelError
from heor.spec.parameters import FloatArray
from heor.spec.records import Spec

#: How far occupancy may stray from its identities.
TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Identities:
    """The final curves of one strategy over a block of draws, to be checked.

    Attributes
    ----------
    spec : Spec
    strategy : str
    endpoints : mapping
        Final curve of each endpoint ``(draw, cycle + 1)``.
    groups : mapping
        Final curve by (endpoint, group).
    first_draw : int
        The block's first number, for messages.
    """

    spec: Spec
    strategy: str
    endpoints: Mapping[str, FloatArray]
    groups: Mapping[tuple[str, str], FloatArray]
    first_draw: int

    def check(self, curves: CurveBlock, *, ordered: bool) -> None:
        """Check that occupancy is finite, at least 0 and sums to 1, and that the dead stay dead.

        Parameters
        ----------
        curves : CurveBlock
            The block of draws.
        ordered : bool
            Every endpoint is known to be no larger than the next.

        Raises
        ------
        ModelError
            Naming strategy, state, group, draw and cycle.
        """
        alive = self.endpoints["os"]
        if not (np.abs(alive[:, 0] - 1) <= TOLERANCE).all():
            missed = np.abs(alive[:, :1] - 1)
            self._refuse(self.spec.dead_state.id, missed, "occupancy misses 1 by")
        if (alive[:, 1:] > alive[:, :-1]).any() or np.isnan(alive.min()):
            rising = alive[:, 1:] - alive[:, :-1]
            if not rising.max() <= TOLERANCE:
                self._refuse(self.spec.dead_state.id, rising, "dead falls by", 1)
        inner = None
        for state in self.spec.living_states:
            outer = self.endpoints.get(state.endpoint)
            if outer is None:
                continue
            missing = None
            if inner is None:
                missing = -outer if not outer.min() >= -TOLERANCE else None
            elif not ordered:
                below = np.subtract(inner, outer, out=curves.array())
                missing = None if below.max() <= TOLERANCE else below
                curves.release(below)
            if missing is not None:
                self._refuse(state.id, missing, "occupancy is below 0 by")
            inner = outer
        for endpoint, curve in self.endpoints.items():
            if endpoint not in self.spec.nested_endpoints and not (
                curve.min() >= -TOLERANCE and curve.max() <= 1 + TOLERANCE
            ):
                raise ModelError(
                    f"strategy {self.strategy}, endpoint {endpoint}: "
                    "a curve leaves the range 0 to 1"
                )

    def _refuse(self, state: str, excess: FloatArray, words: str, shift: int = 0) -> None:
        """Raise, naming the first draw and cycle where ``excess`` is too large or not a number."""
        bad = ~(excess <= TOLERANCE)
        row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
        cycle = column + shift
        value = excess[row, column]
        endpoint = next((s.endpoint for s in self.spec.states if s.id == state), "") or "os"
        of_endpoint = [group for e, group in self.groups if e == endpoint]
        broken = [
            group
            for group in of_endpoint
            if not np.isfinite(self.groups[endpoint, group][row, cycle])
        ]
        named = ", ".join(broken or of_endpoint)
        found = "occupancy is not a number" if np.isnan(value) else f"{words} {value:.6g}"
        raise ModelError(
            f"strategy {self.strategy}, state {state}, group {named}, "
            f"draw {self.first_draw + row}, cycle {cycle}: {found} (curves of endpoint {endpoint})"
        )
