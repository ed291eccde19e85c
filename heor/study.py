"""Run a whole study: every analysis of the plan, and a record of how it was done. No files."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from heor.analyses import (
    accrual,
    base_case,
    dsa,
    importance,
    psa,
    scenarios,
    structure,
    thresholds,
    two_way,
    voi,
)
from heor.analyses.importance import ImportanceResult
from heor.analyses.mapper import Mapper
from heor.analyses.psa_results import Crossing, PsaResult, PsaSummary
from heor.analyses.psa_summary import crossing_of
from heor.analyses.results import AccrualRow, BaseCase, DsaResult, ScenarioResult
from heor.analyses.structure_results import StructureResult
from heor.analyses.study_results import RunRecord, StudyResults
from heor.analyses.thresholds import ThresholdResult
from heor.analyses.two_way import TwoWayResult
from heor.analyses.voi_results import VoiResult
from heor.spec.records import Spec

#: Analyses that a plan may leave out; the base case always runs.
OPTIONAL = ("accrual", "scenarios", "dsa", "psa")

#: Evidence grades that the banner counts, with the words it uses.
WEAK_EVIDENCE = {
    "assumption": "assumption",
    "unverified": "not verified against the source",
    "transported": "transported from another population or setting",
}

#: What separates the lines of the setting ``banner``.
BANNER_SEPARATOR = "|"

#: Packages whose versions the record names.
PACKAGES = ("numpy", "scipy", "pandas", "xlsxwriter", "openpyxl")

#: Ids the banner lists before it only counts.
MOST_IDS = 12

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run.

    Parameters
    ----------
    draws, seed, sampler : optional
        Of the probabilistic analysis; the study's settings when None.
    until_mcse : float, optional
        See `heor.analyses.psa.run`.
    workers : int
        Threads.
    skip : sequence of str
        Of `OPTIONAL`.
    scenarios : sequence of str, optional
        Names of the scenarios wanted; all when None.
    sensitivity : bool
        Whether two-way grids and threshold values go with ``dsa``, and shares of variance with
        ``psa``.
    pairs : sequence of (str, str)
        Parameters of two-way grids; the two widest bars of each tornado when empty.
    streamed : bool
        Whether a probabilistic analysis too large to keep whole is of use.
    voi : bool
        Whether to rank the drawn inputs by what knowing them is worth, which takes seconds.
    structure : bool
        Whether to read the study as state-transition models too, if it can be: a large sheet.
    mapper : Mapper, optional
        Does scenarios and the probabilistic analysis elsewhere.
    """

    draws: int | None = None
    seed: int | None = None
    sampler: str | None = None
    until_mcse: float | None = None
    workers: int = 1
    skip: Sequence[str] = ()
    scenarios: Sequence[str] | None = None
    sensitivity: bool = True
    pairs: Sequence[tuple[str, str]] = ()
    streamed: bool = False
    voi: bool = False
    structure: bool = False
    mapper: Mapper | None = None


def package_version() -> str:
    """Version of the installed package, or "not installed" when run from bare source."""
    return _version("heor")


def run_study(
    spec: Spec, plan: Plan | None = None, progress: Progress | None = None
) -> StudyResults:
    """Run every analysis of the plan.

    Parameters
    ----------
    spec : Spec
        The study.
    plan : Plan, optional
        All analyses with the study's own settings when left out.
    progress : callable, optional
        Called with the name of the step, what is done and what is wanted: (step, 0, total) when
        it begins, (step, total, total) when it ends; the step ``psa`` reports draws in between.

    Raises
    ------
    ValueError
        When the plan leaves out an analysis that does not exist.
    HeorError
        When the inputs do not allow an analysis.
    """
    plan = Plan() if plan is None else plan
    unknown = sorted(set(plan.skip) - set(OPTIONAL))
    if unknown:
        raise ValueError(f"cannot skip {', '.join(unknown)}; allowed are {', '.join(OPTIONAL)}")
    report = progress or _silent
    clock = _Clock(report)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    wanted = [step for step in OPTIONAL if step not in plan.skip]

    with clock.step("base case"):
        base = base_case.run(spec)
    gains: tuple[AccrualRow, ...] = ()
    if "accrual" in wanted:
        with clock.step("accrual"):
            gains = accrual.run(spec)
    cases: tuple[ScenarioResult, ...] = ()
    if "scenarios" in wanted and (spec.scenarios or plan.scenarios):
        with clock.step("scenarios"):
            cases = scenarios.run(spec, plan.scenarios, base, plan.mapper)
    compared: StructureResult | None = None
    if plan.structure and structure.applies(spec):
        with clock.step("structure"):
            compared = structure.run(spec)
    tornado = None
    if "dsa" in wanted:
        with clock.step("dsa"):
            tornado = dsa.run(spec, plan.workers)
    grids: tuple[TwoWayResult, ...] = ()
    turning: ThresholdResult | None = None
    if tornado is not None and plan.sensitivity:
        with clock.step("two-way"):
            grids = _grids(spec, plan, tornado)
        with clock.step("threshold"):
            turning = thresholds.run(spec, workers=plan.workers)
    sample: PsaResult | None = None
    summary: PsaSummary | None = None
    if "psa" in wanted:
        with clock.step("psa"):
            sample = psa.run(
                spec,
                plan.draws,
                plan.seed,
                plan.sampler,
                workers=plan.workers,
                progress=lambda done, total: report("psa", done, total),
                until_mcse=plan.until_mcse,
                streamed=plan.streamed,
                mapper=plan.mapper,
            )
        with clock.step("psa summary"):
            summary = psa.summarise(spec, sample, base)
    worth: VoiResult | None = None
    if plan.voi and sample is not None:
        with clock.step("value of information"):
            worth = voi.run(spec, sample, {})
    shares: ImportanceResult | None = None
    if sample is not None and plan.sensitivity and importance.possible(spec, sample):
        with clock.step("importance"):
            shares = importance.run(spec, sample)
    return StudyResults(
        spec=spec,
        version=package_version(),
        banner=banner(spec),
        base=base,
        accrual=gains,
        scenarios=cases,
        dsa=tornado,
        two_way=grids,
        thresholds=turning,
        psa=sample,
        psa_summary=summary,
        voi=worth,
        structure=compared,
        importance=shares,
        record=_record(spec, plan, started, clock.seconds, base, cases, sample, summary),
    )


def _grids(spec: Spec, plan: Plan, tornado: DsaResult) -> tuple[TwoWayResult, ...]:
    """Two-way grids of the pairs asked for, or of the widest bars."""
    pairs = plan.pairs or two_way.widest_pairs(tornado)
    return tuple(
        two_way.run(
            spec, two_way.Asked(parameter=x), two_way.Asked(parameter=y), workers=plan.workers
        )
        for x, y in pairs
    )


def banner(spec: Spec) -> tuple[str, ...]:
    """Lines to show before any result.

    First what was changed since the tables were written, then the study's own lines (setting
    ``banner``, parted by ``|``), then, per weak grade of evidence, how many parameters rest on it
    and which.
    """
    lines = [line.strip() for line in spec.settings.banner.split(BANNER_SEPARATOR)]
    lines = [line for line in lines if line]
    if spec.changes:
        lines.insert(0, f"Not the study's base case: {'; '.join(spec.changes)}")
    return (*lines, *evidence_lines(spec))


def weak_evidence(spec: Spec) -> dict[str, tuple[str, ...]]:
    """Ids of the parameters that rest on each weak grade of evidence, without empty grades."""
    found = {
        grade: tuple(p.id for p in spec.parameters.values() if p.evidence == grade)
        for grade in WEAK_EVIDENCE
    }
    return {grade: ids for grade, ids in found.items() if ids}


def evidence_lines(spec: Spec) -> tuple[str, ...]:
    """The last lines of the banner: per weak grade of evidence, how many parameters and which."""
    lines = []
    for grade, ids in weak_evidence(spec).items():
        shown = ", ".join(ids[:MOST_IDS])
        rest = f" and {len(ids) - MOST_IDS} more" if len(ids) > MOST_IDS else ""
        count = f"{len(ids)} of {len(spec.parameters)} parameters"
        lines.append(f"{count}: {WEAK_EVIDENCE[grade]} ({shown}{rest})")
    return tuple(lines)


def evidence_summary(spec: Spec) -> str:
    """`evidence_lines` in one line of counts; empty when no parameter rests on weak evidence."""
    counts: list[str] = []
    for grade, ids in weak_evidence(spec).items():
        noun = {"assumption": "an assumption" if len(ids) == 1 else "assumptions"}
        of = "" if counts else f"of {len(spec.parameters)} parameters {_is_or_are(len(ids))} "
        counts.append(f"{len(ids)} {of}{noun.get(grade, grade)}")
    return ", ".join(counts)


def _is_or_are(count: int) -> str:
    return "is" if count == 1 else "are"


class _Clock:
    """Seconds by step, in order."""

    def __init__(self, report: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._report = report

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        draws = name == "psa"
        if not draws:
            self._report(name, 0, 1)
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun
        if not draws:
            self._report(name, 1, 1)


def _silent(step: str, done: int, total: int) -> None:
    """Report nothing."""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _crossing_warnings(name: str, rows: Sequence[Crossing]) -> list[str]:
    return [
        f"{name}: {row.strategy}: PFS and OS cross; the cap moved {row.max_share:.2%} of life "
        f"years, above the limit of {row.limit:.2%}"
        for row in rows
        if row.over_limit
    ]


def _record(
    spec: Spec,
    plan: Plan,
    started: str,
    timings: dict[str, float],
    base: BaseCase,
    cases: Sequence[ScenarioResult],
    sample: PsaResult | None,
    summary: PsaSummary | None,
) -> RunRecord:
    settings = spec.settings
    at_base = crossing_of(base.outcomes, settings.crossing_limit)
    crossing: tuple[Crossing, ...] = at_base if summary is None else summary.crossing
    warnings = [str(problem) for problem in spec.warnings]
    warnings += _crossing_warnings("base case", at_base)
    for case in cases:
        found = crossing_of(case.result.outcomes, settings.crossing_limit)
        warnings += _crossing_warnings(f"scenario '{case.name}'", found)
    warnings += [] if summary is None else summary.warnings
    return RunRecord(
        study=spec.name,
        version=package_version(),
        input_hash=spec.input_hash,
        changes=spec.changes,
        started=started,
        seed=settings.psa_seed if sample is None else sample.seed,
        draws=0 if sample is None else sample.n,
        sampler=settings.psa_sampler if sample is None else sample.sampler,
        replicates=0 if sample is None else sample.replicates,
        workers=plan.workers,
        python=platform.python_version(),
        packages={name: _version(name) for name in PACKAGES},
        timings=timings,
        crossing=crossing,
        warnings=tuple(warnings),
    )
