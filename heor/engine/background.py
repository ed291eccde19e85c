"""Survival of the general population for a block of draws, computed when first needed."""

from __future__ import annotations

import numpy as np

from heor.engine.curves import CurveBlock
from heor.engine.mortality import alive
from heor.engine.timeline import Timeline
from heor.errors import ModelError
from heor.spec.parameters import FloatArray
from heor.spec.records import Spec


class Background:
    """General-population survival of a block of draws, computed when first needed."""

    def __init__(self, spec: Spec, timeline: Timeline, curves: CurveBlock) -> None:
        self._spec = spec
        self._timeline = timeline
        self._curves = curves
        self._alive: FloatArray | None = None
        self._ratio: FloatArray | None = None

    def alive(self) -> FloatArray:
        """N at each boundary, ``(draw, cycle + 1)`` (methods 1.7)."""
        if self._alive is None:
            spec = self._spec
            if spec.life_table is None or spec.settings.start_age is None:
                raise ModelError("background mortality needs a life table and start_age")
            assert spec.settings.male_share is not None
            age = self._curves.values(spec.settings.start_age)[:, 0]
            male = self._curves.values(spec.settings.male_share)[:, 0]
            self._alive = alive(spec.life_table, age, male, self._timeline.years)
        return self._alive

    def ratio(self) -> FloatArray:
        """N_{k+1}/N_k, ``(draw, cycle)``."""
        if self._ratio is None:
            alive = self.alive()
            self._ratio = np.divide(
                alive[:, 1:],
                alive[:, :-1],
                out=np.zeros_like(alive[:, 1:]),
                where=alive[:, :-1] > 0,
            )
        return self._ratio
