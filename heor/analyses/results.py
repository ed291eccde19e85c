"""What the analyses return: frozen tables of plain numbers, read by reports and the command line.

Money is in the study's currency, QALYs and life years per patient, both discounted unless a name
says ``undiscounted``. Tuples that go with ``thresholds`` are aligned with it. A ratio that has no
meaning is None, and ``status`` says why in words (methods 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heor.engine.outcomes import Outcomes
from heor.spec.parameters import Draws

#: Statuses of `IncrementalRow`.
ON_FRONTIER = "on the frontier"
STRICTLY_DOMINATED = "dominated"
EXTENDEDLY_DOMINATED = "extendedly dominated"

#: Quadrants of the cost-effectiveness plane, clockwise, and the word for points on an axis.
QUADRANTS = ("NE", "SE", "SW", "NW")
ON_AXIS = "on axis"

#: Directions of a scenario for the intervention.
FAVOURABLE, UNFAVOURABLE, NEUTRAL = "favourable", "unfavourable", "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementalRow:
    """One strategy of the fully incremental table (methods 6.1).

    Parameters
    ----------
    id : str
        Strategy.
    cost, qaly : float
        Its totals.
    versus : str or None
        The frontier strategy before it; None for the first on the frontier and off the frontier.
    delta_cost, delta_qaly, icer : float or None
        Against ``versus``; None where ``versus`` is None. ``icer`` is currency per QALY.
    status : str
        "on the frontier", "dominated" or "extendedly dominated".
    dominated_by : tuple of str
        Strictly: every strategy that costs no more and gives at least as much, one of the two
        strictly. Extendedly: the two frontier neighbours. Else empty.
    note : str
        What else to say: equal ICERs, duplicates; "" when nothing.
    """

    id: str
    cost: float
    qaly: float
    versus: str | None
    delta_cost: float | None
    delta_qaly: float | None
    icer: float | None
    status: str
    dominated_by: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseRow:
    """One strategy against the reference (methods 6.2).

    Parameters
    ----------
    id, versus : str
        Strategy and reference.
    delta_cost, delta_qaly, delta_ly : float
        Discounted increments.
    delta_cost_undiscounted, delta_qaly_undiscounted, delta_ly_undiscounted : float or None
        The same undiscounted, where known.
    evlyg : float or None
        Equal-value life years gained (methods 4).
    icer : float or None
        Currency per QALY gained, only where costs and QALYs both rise; without severity weight.
    cost_per_ly, cost_per_evlyg : float or None
        Currency per life year and per evLY gained, only where costs and the gain are positive.
    saving_per_qaly_forgone : float or None
        In the south-west quadrant only.
    quadrant : str
        "NE", "SE", "SW", "NW" or "on axis".
    status : str
        The comparison in words, e.g. "dominant", "dominated", "more costly, more effective",
        "less costly, less effective: saves USD 12,345 per QALY forgone".
    thresholds, inmb : tuple of float
        Incremental net monetary benefit, k·w·ΔQALY − ΔC, per threshold.
    inhb : tuple of (float or None)
        Incremental net health benefit in QALYs, w·ΔQALY − ΔC/k; None at k = 0.
    severity_weight : float
        w.
    """

    id: str
    versus: str
    delta_cost: float
    delta_qaly: float
    delta_ly: float | None
    delta_cost_undiscounted: float | None
    delta_qaly_undiscounted: float | None
    delta_ly_undiscounted: float | None
    evlyg: float | None
    icer: float | None
    cost_per_ly: float | None
    cost_per_evlyg: float | None
    saving_per_qaly_forgone: float | None
    quadrant: str
    status: str
    thresholds: tuple[float, ...]
    inmb: tuple[float, ...]
    inhb: tuple[float | None, ...]
    severity_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyTotals:
    """Totals of one strategy, discounted and not, and their parts.

    The mappings go from cost category or state id (plus ``events`` for what belongs to no state)
    to a number; each sums to its total. ``nmb`` (currency) and ``nhb`` (QALYs, None at k = 0) are
    per threshold.
    """

    id: str
    label: str
    cost: float
    qaly: float
    ly: float
    evly: float
    cost_undiscounted: float
    qaly_undiscounted: float
    ly_undiscounted: float
    cost_by_category: Mapping[str, float]
    cost_by_category_undiscounted: Mapping[str, float]
    cost_by_state: Mapping[str, float]
    cost_by_state_undiscounted: Mapping[str, float]
    ly_by_state: Mapping[str, float]
    ly_by_state_undiscounted: Mapping[str, float]
    qaly_by_state: Mapping[str, float]
    qaly_by_state_undiscounted: Mapping[str, float]
    nmb: tuple[float, ...]
    nhb: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundRow:
    """Where the general population's mortality decides for one group (methods 1.7).

    Parameters
    ----------
    strategy, group : str
    mechanism : str
        ``floor``, ``add``, ``excess`` or ``none``.
    share : float or None
        Share of cycles in which the population's hazard binds; None without a floor.
    first_cycle, for_good_cycle : int or None
        The first cycle in which it binds, and that from which it does to the end, counted from 1;
        None where there is none.
    first_year, for_good_year : float or None
        Their starts, in years.
    """

    strategy: str
    group: str
    mechanism: str
    share: float | None
    first_cycle: int | None
    first_year: float | None
    for_good_cycle: int | None
    for_good_year: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseCase:
    """The deterministic result of a spec.

    Parameters
    ----------
    currency, reference : str
        As in the settings.
    thresholds : tuple of float
        Currency per QALY, as in the settings.
    severity_weight : float
        w of methods 6.2.
    strategies : tuple of StrategyTotals
        In table order.
    incremental : tuple of IncrementalRow
        The frontier in order of QALYs, then the extendedly dominated, then the dominated.
    pairwise : tuple of PairwiseRow
        Every other strategy against the reference, in table order.
    best : tuple of str
        The strategy with the highest NMB at each threshold (the first in table order in a tie).
    draws, outcomes : Draws, Outcomes
        The one row that was evaluated and its full outcomes.
    background : tuple of BackgroundRow
        Groups of each strategy's OS, in table order.
    """

    currency: str
    reference: str
    thresholds: tuple[float, ...]
    severity_weight: float
    strategies: tuple[StrategyTotals, ...]
    incremental: tuple[IncrementalRow, ...]
    pairwise: tuple[PairwiseRow, ...]
    best: tuple[str, ...]
    draws: Draws
    outcomes: Outcomes
    background: tuple[BackgroundRow, ...] = ()

    def totals(self, strategy: str) -> StrategyTotals:
        """Totals of one strategy."""
        return next(row for row in self.strategies if row.id == strategy)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccrualRow:
    """How much of a strategy's discounted gain over the reference has accrued by ``year``.

    ``qaly_share`` and ``ly_share`` are shares of the whole increment; None where the whole
    increment is within 1e-9 of zero. A share may pass 1 or be negative when the increment
    changes sign over time. ``within_horizon`` is False where ``year`` passes the horizon.
    """

    id: str
    versus: str
    year: float
    delta_qaly: float
    qaly_share: float | None
    delta_ly: float
    ly_share: float | None
    within_horizon: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioChange:
    """What a scenario does to one strategy against the base study's reference.

    ``inmb`` and ``delta_inmb`` (scenario − base) are per threshold of the base study;
    ``direction`` is "favourable", "unfavourable" or "neutral" to the strategy at
    `ScenarioResult.threshold`.
    """

    id: str
    inmb: tuple[float, ...]
    delta_inmb: tuple[float, ...]
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """One named scenario, evaluated at its base values.

    Parameters
    ----------
    name, purpose : str
        As in the table.
    changes : tuple of (str, str)
        Target and value of each change.
    thresholds : tuple of float
        The base study's thresholds, for ``effects``.
    threshold : float
        The one that decides ``direction`` (the middle one).
    result : BaseCase
        Totals, incremental table and pairwise rows under the scenario.
    effects : tuple of ScenarioChange
        One per strategy other than the base study's reference.
    """

    name: str
    purpose: str
    changes: tuple[tuple[str, str], ...]
    thresholds: tuple[float, ...]
    threshold: float
    result: BaseCase
    effects: tuple[ScenarioChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DsaPoint:
    """A comparison at one value of one parameter. ``inmb`` is per threshold.

    ``value`` is None for the base case, where every parameter has its own base value.
    """

    value: float | None
    delta_cost: float
    delta_qaly: float
    inmb: tuple[float, ...]
    icer: float | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DsaBar:
    """One bar of a tornado.

    ``base_value`` is the parameter's; ``swing`` is the range of INMB over low, base and high, per
    threshold (currency).
    ``icer_swing`` is the range of the ICER over low, base and high; None where one of them has
    no meaning.
    """

    parameter: str
    label: str
    unit: str
    base_value: float
    low: DsaPoint
    high: DsaPoint
    swing: tuple[float, ...]
    icer_swing: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DsaComparison:
    """The tornado of one strategy against the reference; ``bars`` by falling swing of INMB."""

    id: str
    versus: str
    base: DsaPoint
    bars: tuple[DsaBar, ...]

    def by_swing(self, threshold_index: int) -> tuple[DsaBar, ...]:
        """Bars by falling swing of INMB at another threshold."""
        return tuple(sorted(self.bars, key=lambda bar: -bar.swing[threshold_index]))

    def by_icer(self) -> tuple[DsaBar, ...]:
        """Bars whose ICERs all have a meaning, by falling swing of the ICER."""
        kept = [bar for bar in self.bars if bar.icer_swing is not None]
        return tuple(sorted(kept, key=lambda bar: -(bar.icer_swing or 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DsaResult:
    """One-way sensitivity analysis (methods 7.3).

    Parameters
    ----------
    thresholds : tuple of float
        Currency per QALY.
    threshold : float
        The one whose swing orders the bars (the middle one).
    comparisons : tuple of DsaComparison
        One per strategy other than the reference, in table order.
    left_out : tuple of (str, str)
        Parameter id and the reason, for parameters that are uncertain but have no bar.
    draws, outcomes : Draws, Outcomes
        Row 0 is the base case; labels ``parameter`` and ``bound``.
    """

    thresholds: tuple[float, ...]
    threshold: float
    comparisons: tuple[DsaComparison, ...]
    left_out: tuple[tuple[str, str], ...]
    draws: Draws
    outcomes: Outcomes
