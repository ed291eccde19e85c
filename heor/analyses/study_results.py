"""Everything one run of a study gives, and the record of how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heor.analyses.importance import ImportanceResult
from heor.analyses.psa_results import Crossing, PsaResult, PsaSummary
from heor.analyses.results import AccrualRow, BaseCase, DsaResult, ScenarioResult
from heor.analyses.structure_results import StructureResult
from heor.analyses.thresholds import ThresholdResult
from heor.analyses.two_way import TwoWayResult
from heor.analyses.voi_results import VoiResult
from heor.spec.records import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What was run, so that it can be run again.

    ``timings`` are seconds by step; ``packages`` and ``python`` are versions; ``started`` is
    UTC in ISO 8601. ``draws``, ``seed``, ``sampler``, ``replicates`` are of the PSA (0 draws when
    it was left out). ``warnings`` are sentences from reading, from the PSA and from crossing.
    """

    study: str
    version: str
    input_hash: str
    changes: tuple[str, ...]
    started: str
    seed: int
    draws: int
    sampler: str
    replicates: int
    workers: int
    python: str
    packages: Mapping[str, str]
    timings: Mapping[str, float]
    crossing: tuple[Crossing, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResults:
    """All results of one study. Analyses that the plan left out are None or empty.

    ``banner`` holds the lines to show first: what the study says of itself, and how many of its
    numbers rest on assumption, unverified or transported evidence.
    """

    spec: Spec
    version: str
    banner: tuple[str, ...]
    base: BaseCase
    accrual: tuple[AccrualRow, ...] = ()
    scenarios: tuple[ScenarioResult, ...] = ()
    dsa: DsaResult | None = None
    two_way: tuple[TwoWayResult, ...] = ()
    thresholds: ThresholdResult | None = None
    psa: PsaResult | None = None
    psa_summary: PsaSummary | None = None
    voi: VoiResult | None = None
    structure: StructureResult | None = None
    importance: ImportanceResult | None = None
    record: RunRecord
