"""The narrow waist: outcomes as one labelled array, read by every analysis.

Outcome names (``<state>`` is a state id, ``<category>`` a cost category):

=============================  ======================================================
``ly`` ``qaly`` ``evly``       discounted life years, QALYs, equal-value life years
``cost``                       discounted cost, in the study's currency
``…_undiscounted``             the same undiscounted (not for ``evly``)
``ly:<state>``                 and ``ly_undiscounted:<state>``, living states
``qaly:<state>``               and undiscounted; ``qaly:events`` holds one-off losses (<= 0)
``cost:<category>``            and ``cost_undiscounted:<category>``
``cost_in:<state>``            and undiscounted; by state, dead included; ``cost_in:events``
                               holds start, entry, exit and adverse-event costs
``qaly_to:<year>``             discounted QALYs accrued to a year, when asked for
=============================  ======================================================

Totals are the sums of their parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from heor.spec.parameters import FloatArray

if TYPE_CHECKING:
    import pandas as pd

DRAW, STRATEGY, OUTCOME = 0, 1, 2

#: Key of the parts that belong to no state: events at t = 0, deaths and exits.
EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Results of one call of ``evaluate``.

    Parameters
    ----------
    values : array ``(draw, strategy, outcome)``
    strategies : tuple of str
        Strategy ids, in table order.
    names : tuple of str
        Outcome names, as in the module's table.
    reference : str
        The comparator of pairwise results and of ``evly``.
    diagnostics : mapping of str to array ``(draw, strategy)``
        ``crossing_share`` (person-time moved by the cap as a share of undiscounted life years),
        ``crossing_years``, ``crossing_cycles`` (boundaries), ``floor_capped_years``.
    """

    values: FloatArray
    strategies: tuple[str, ...]
    names: tuple[str, ...]
    reference: str
    diagnostics: Mapping[str, FloatArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.values.shape[DRAW])

    def get(self, name: str) -> FloatArray:
        """One outcome of all strategies, ``(draw, strategy)``."""
        return self.values[:, :, self.names.index(name)]

    def of(self, strategy: str, name: str) -> FloatArray:
        """One outcome of one strategy, ``(draw,)``."""
        return self.values[:, self.strategies.index(strategy), self.names.index(name)]

    def parts(self, prefix: str) -> tuple[str, ...]:
        """The keys after ``prefix:``, e.g. the categories of ``cost``."""
        start = prefix + ":"
        return tuple(name[len(start) :] for name in self.names if name.startswith(start))

    def to_frame(self) -> pd.DataFrame:
        """Tidy table ``draw, strategy, outcome, value`` (draw counts from 1)."""
        import pandas as pd

        n, s, o = self.values.shape
        return pd.DataFrame(
            {
                "draw": np.repeat(np.arange(1, n + 1), s * o),
                "strategy": np.tile(np.repeat(self.strategies, o), n),
                "outcome": np.tile(self.names, n * s),
                "value": self.values.reshape(-1),
            }
        )
