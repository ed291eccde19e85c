"""Background mortality of a block of draws, and where it binds (methods 1.7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heor.engine.curves import CurveBlock
from heor.engine.mortality import Population, population
from heor.engine.timeline import Timeline
from heor.spec.parameters import FloatArray
from heor.spec.records import EXCESS, Spec


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the population's mortality decides for one group; arrays ``(draw,)``.

    Attributes
    ----------
    share : array
        Share of cycles in which it does.
    first : array
        The first such cycle, counted from 1; NaN where there is none.
    for_good : array
        The cycle from which it does to the end, counted from 1; NaN where it does not at the end.
    """

    share: FloatArray
    first: FloatArray
    for_good: FloatArray


def binding(ratio: FloatArray, steps: FloatArray) -> Binding:
    """Say where the population's survival over a cycle is below the group's own.

    Parameters
    ----------
    ratio, steps : array ``(draw, cycle)``
        Shares that survive each cycle, of the population and of the group.
    """
    bound = ratio < steps
    cycles = bound.shape[1]
    free = np.where(bound, 0, np.arange(1, cycles + 1)).max(axis=1)
    return Binding(
        share=bound.mean(axis=1),
        first=np.where(bound.any(axis=1), bound.argmax(axis=1) + 1.0, np.nan),
        for_good=np.where(free < cycles, free + 1.0, np.nan),
    )


class Background:
    """General-population survival of a block of draws, computed when first needed."""

    def __init__(self, spec: Spec, timeline: Timeline, curves: CurveBlock) -> None:
        self._spec = spec
        self._timeline = timeline
        self._curves = curves
        self._population: Population | None = None
        self._alive: FloatArray | None = None
        self._used: FloatArray | None = None
        self._ratio: FloatArray | None = None

    @property
    def needed(self) -> bool:
        """Whether the study has a mechanism that needs it."""
        spec = self._spec
        excess = any(curve.hazard == EXCESS for curve in spec.candidates_in_use())
        return spec.settings.background_mortality != "none" or excess

    def population(self) -> Population:
        """The cohort's general population."""
        if self._population is None:
            self._population = population(self._spec, self._curves.values, self._curves.first_draw)
        return self._population

    def alive(self) -> FloatArray:
        """N at each boundary, ``(draw, cycle + 1)``."""
        if self._alive is None:
            self._alive = self.population().alive(self._timeline.years)
        return self._alive

    def used(self) -> FloatArray:
        """N, or N^SMR where the ratio is of the whole cohort, ``(draw, cycle + 1)``."""
        if self._used is None:
            self._used = self._raised() if self._spec.settings.smr_of == "cohort" else self.alive()
        return self._used

    def of_cured(self) -> FloatArray:
        """N^SMR, whomever the ratio is of, ``(draw, cycle + 1)``; may be shared."""
        return self.used() if self._spec.settings.smr_of == "cohort" else self._raised()

    def ratio(self) -> FloatArray:
        """Share of those alive by `used` that survives each cycle, ``(draw, cycle)``."""
        if self._ratio is None:
            alive = self.used()
            self._ratio = np.divide(
                alive[:, 1:],
                alive[:, :-1],
                out=np.zeros_like(alive[:, 1:]),
                where=alive[:, :-1] > 0,
            )
        return self._ratio

    def _raised(self) -> FloatArray:
        power = self._curves.values(self._spec.settings.smr)
        raised: FloatArray = np.power(self.alive(), power)
        return raised
