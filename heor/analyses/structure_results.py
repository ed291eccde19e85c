"""Result types of the comparison of structures (methods 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from heor.analyses.psa_results import PsaSummary
from heor.analyses.results import BaseCase

#: Ends (years) of the periods in which deaths per year progressed are compared.
PERIODS = (1.0, 2.0, 5.0, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureCase:
    """Results under one structure, or of several averaged (``structure`` "")."""

    structure: str
    base: BaseCase
    psa: PsaSummary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStructure:
    """One response group of a strategy at base values; shares are of the group.

    Parameters
    ----------
    strategy, group : str
    weight : float
        Share of the strategy's patients.
    deaths, progressions : float
        How progression-free survival ends within the horizon.
    after : str
        What clock reset takes after progression: "given: <family>" or "derived: exponential".
    rate : float or None
        Yearly hazard of the derived exponential.
    years : mapping of str to float
        Mean time progressed within the horizon per progression, by structure (years,
        undiscounted).
    hazards : mapping of str to tuple of (float or None)
        Deaths per year progressed in each of `PERIODS`, clock forward and clock reset; None where
        nobody is progressed.
    below, negative : float
        Shares of the time progressed of the partitioned curves in which the hazard they imply is
        below the population's (without a floor: below 0), and below 0.
    """

    strategy: str
    group: str
    weight: float
    deaths: float
    progressions: float
    after: str
    rate: float | None
    years: Mapping[str, float]
    hazards: Mapping[str, tuple[float | None, ...]]
    below: float
    negative: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureResult:
    """The comparison; ``average`` and ``weights`` are None without weights."""

    cases: tuple[StructureCase, ...]
    groups: tuple[GroupStructure, ...]
    weights: tuple[float, ...] | None
    average: StructureCase | None
    follow_up: float | None

    def case(self, structure: str) -> StructureCase:
        """Results under one structure."""
        return next(case for case in self.cases if case.structure == structure)
