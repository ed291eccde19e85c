"""Words, colours and choices that workbook, figures and Word tables share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heor.analyses.ceac import middle_threshold
from heor.analyses.study_results import StudyResults
from heor.engine.evaluate import traces
from heor.engine.outcomes import EVENTS
from heor.engine.trace import StrategyTrace
from heor.report.charts import DEAD_COLOUR, STATE_COLOURS, colour_of

#: Characters of an input hash that people are shown.
SHOWN_HASH = 16


class StudyView:
    """What a report calls the things of a study, and the colours they have everywhere."""

    __slots__ = ()

    results: StudyResults

    @property
    def currency(self) -> str:
        """Currency of all money."""
        return self.results.base.currency

    @property
    def strategies(self) -> tuple[str, ...]:
        """Strategy ids in table order."""
        return self.results.spec.strategy_ids()

    @property
    def reference(self) -> str:
        """The comparator of pairwise results."""
        return self.results.base.reference

    @property
    def others(self) -> tuple[str, ...]:
        """Strategies other than the reference."""
        return tuple(s for s in self.strategies if s != self.reference)

    def label(self, strategy: str) -> str:
        """Name of a strategy in reports."""
        return next(s.label for s in self.results.spec.strategies if s.id == strategy) or strategy

    def state_label(self, state: str) -> str:
        """Name of a state, or of what belongs to no state."""
        if state == EVENTS:
            return "Events (not in a state)"
        return next((s.label for s in self.results.spec.states if s.id == state), "") or state

    def colour(self, strategy: str) -> str:
        """Colour of a strategy in every chart."""
        return colour_of(self.strategies.index(strategy))

    def state_colour(self, state: str) -> str:
        """Colour of a state in every chart."""
        living = [s.id for s in self.results.spec.living_states]
        return colour_of(living.index(state), STATE_COLOURS) if state in living else DEAD_COLOUR

    def threshold_index(self) -> int:
        """Index of the threshold that headlines use, the middle one."""
        thresholds = self.results.base.thresholds
        return thresholds.index(middle_threshold(thresholds))

    def threshold(self) -> float:
        """Willingness to pay that headlines use, in currency per QALY."""
        return self.results.base.thresholds[self.threshold_index()]

    def per_qaly(self, threshold: float) -> str:
        """A threshold in words."""
        return f"{self.currency} {threshold:,.0f} per QALY"

    def made(self) -> str:
        """Version and input hash in words."""
        return f"heor {self.results.version} · inputs {self.results.spec.input_hash[:SHOWN_HASH]}"


@dataclass(frozen=True, slots=True)
class Facts(StudyView):
    """Finished results with the base-case traces, one row each, that curves are drawn from."""

    results: StudyResults
    traces: Mapping[str, StrategyTrace]

    @classmethod
    def of(cls, results: StudyResults) -> Facts:
        """Results with the traces of their base case."""
        return cls(results, traces(results.spec, results.base.draws))

    def origin(self) -> str:
        """Study, version, inputs and seed in one line, and what kind of model it is."""
        results = self.results
        parts = [results.spec.name, self.made()]
        if results.psa is not None:
            parts.append(f"seed {results.psa.seed}, {results.psa.n:,} draws")
        else:
            parts.append(f"seed {results.record.seed}")
        if results.spec.changes:
            parts.append("not the study's base case")
        if results.spec.settings.banner.strip():
            parts.append("research model")
        return " · ".join(parts)
