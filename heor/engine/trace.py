"""From curves to occupancy: background mortality, caps, mixing and the guards (methods 1, 10).

Steps 5 to 9 of the order of work, for one strategy and one block of draws. Crossing is measured
before background mortality; the guards always run and name strategy, group, draw and cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from heor.engine.averaging import averaged
from heor.engine.background import Background, Binding, binding
from heor.engine.curves import CurveBlock
from heor.engine.identities import TOLERANCE, Identities
from heor.engine.nesting import pairs_of
from heor.engine.structure import Flow, state_transition
from heor.engine.timeline import Timeline
from heor.engine.waning import waned
from heor.errors import ModelError
from heor.spec.parameters import FloatArray
from heor.spec.records import ALL, EXCESS, PARTITIONED, Curve, Spec


@dataclass(slots=True)
class StrategyTrace:
    """One strategy over a block of draws; curves are ``(draw, cycle + 1)``.

    Attributes
    ----------
    endpoints : mapping
        Final curve of each endpoint the strategy has, after caps and mixing.
    group_curves : mapping
        Final curve by (endpoint, group), before weighting.
    weights : mapping
        Weight of each group, ``(draw,)``.
    crossing_years : array ``(draw,)``
        Person-years moved by the cap before background mortality (methods 1.3).
    crossing_cycles : array ``(draw,)``
        Boundaries at which it moved any.
    floor_capped_years : array ``(draw,)``
        Person-years of PFS capped because background mortality lowered OS.
    bindings : mapping
        Where the population's mortality binds, by group with a floor. Only in detail.
    flows : mapping
        Movements by group (methods 9); empty for partitioned survival. Only in detail.
    ordered : bool
        Every endpoint was just made no larger than the next (or seen not to be), and a value that
        is not a number has reached the innermost one.
    """

    strategy: str
    time: FloatArray
    endpoints: dict[str, FloatArray]
    group_curves: dict[tuple[str, str], FloatArray]
    weights: dict[str, FloatArray]
    occupancy: dict[str, FloatArray] = field(default_factory=dict)
    background: FloatArray | None = None
    crossing_years: FloatArray = field(default_factory=lambda: np.zeros(0))
    crossing_cycles: FloatArray = field(default_factory=lambda: np.zeros(0))
    floor_capped_years: FloatArray = field(default_factory=lambda: np.zeros(0))
    bindings: dict[str, Binding] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    ordered: bool = False


class Tracer:
    """Builds the trace of each strategy of a study.

    Parameters
    ----------
    spec : Spec
        The study.
    timeline : Timeline
        Its cycle grid.

    Raises
    ------
    ModelError
        When a strategy has no OS curve, or a guard fails.
    """

    def __init__(self, spec: Spec, timeline: Timeline) -> None:
        self.spec = spec
        self.timeline = timeline
        self._undiscounted = timeline.person_years()
        self._slots = {
            strategy: {(c.endpoint, c.group): c for c in spec.curves_in_use(strategy)}
            for strategy in spec.strategy_ids()
        }
        self._pairs = {
            s: pairs_of(spec.nested_endpoints, slots) for s, slots in self._slots.items()
        }
        for strategy, slots in self._slots.items():
            if not any(endpoint == "os" for endpoint, _ in slots):
                raise ModelError(f"strategy {strategy}: no curve for endpoint os is in use")

    def run(
        self,
        strategy: str,
        curves: CurveBlock,
        background: Background,
        first_draw: int,
        detail: bool = False,
    ) -> StrategyTrace:
        """Trace one strategy over a block of draws; ``first_draw`` is the block's first number."""
        slots = self._slots[strategy]
        trace = StrategyTrace(
            strategy=strategy,
            time=self.timeline.years,
            endpoints={},
            group_curves={},
            weights=self._weights(strategy, slots, curves, first_draw),
            crossing_years=np.zeros(curves.rows),
            crossing_cycles=np.zeros(curves.rows),
            floor_capped_years=np.zeros(curves.rows),
        )
        before: dict[tuple[str, str], FloatArray] = {}
        after: dict[tuple[str, str], FloatArray] = {}
        for slot in slots:
            before[slot], after[slot] = self._group(slots, slot, curves, background, trace, detail)
        crossing = self._measure_crossing(strategy, slots, before, trace, curves, first_draw)
        self._cap(slots, before, after, crossing, trace, curves)
        if self.spec.settings.structure != PARTITIONED:
            self._restructure(slots, curves, background, trace, detail)
        identities = Identities(
            self.spec, strategy, trace.endpoints, trace.group_curves, first_draw
        )
        identities.check(curves, ordered=trace.ordered)
        if detail:
            self._add_detail(trace, background)
        return trace

    def neighbours(self, trace: StrategyTrace) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Curves of a trace of which the first is to be below the second (methods 1.3)."""
        for inner, outer, groups in self._pairs[trace.strategy]:
            if groups is None:
                yield trace.endpoints[inner], trace.endpoints[outer]
            for group in groups or ():
                yield trace.group_curves[inner, group], trace.group_curves[outer, group]

    def _weights(
        self,
        strategy: str,
        slots: Mapping[tuple[str, str], Curve],
        curves: CurveBlock,
        first_draw: int,
    ) -> dict[str, FloatArray]:
        weights = {c.group: curves.values(c.weight)[:, 0] for c in slots.values()}
        for group, weight in weights.items():
            if not (weight >= -TOLERANCE).all():
                row = int(np.argmin(np.where(weight >= -TOLERANCE, 0.0, -1.0)))
                raise ModelError(
                    f"strategy {strategy}, group {group}, draw {first_draw + row}: "
                    f"weight {weight[row]:.6g}; it must be 0 or more"
                )
        for endpoint in ("pfs", "os"):
            if all(other != endpoint for other, _ in slots):
                continue
            total = np.zeros(curves.rows)
            for other, group in slots:
                if other == endpoint:
                    total += weights[group]
            off = np.abs(total - 1)
            if not (off <= TOLERANCE).all():
                row = int(np.argmax(np.where(off <= TOLERANCE, 0.0, 1.0)))
                raise ModelError(
                    f"strategy {strategy}, endpoint {endpoint}, draw {first_draw + row}: "
                    f"group weights sum to {total[row]:.12g}; they must sum to 1"
                )
        return weights

    def _group(
        self,
        slots: Mapping[tuple[str, str], Curve],
        slot: tuple[str, str],
        curves: CurveBlock,
        background: Background,
        trace: StrategyTrace,
        detail: bool,
    ) -> tuple[FloatArray, FloatArray]:
        """A group's curve before and after step 7: of one candidate, or of several averaged."""
        curve = slots[slot]
        if not curve.average:
            return self._finished(slots, slot, curves, background, trace, detail)
        found = [
            self._finished({**slots, slot: one}, slot, curves, background, trace, False)
            for one in curve.average
        ]
        return averaged(curve, found, curves)

    def _finished(
        self,
        slots: Mapping[tuple[str, str], Curve],
        slot: tuple[str, str],
        curves: CurveBlock,
        background: Background,
        trace: StrategyTrace,
        detail: bool,
    ) -> tuple[FloatArray, FloatArray]:
        """One candidate before and after step 7, its effect waning where it does (methods 1.8)."""
        curve = slots[slot]
        before = after = self._before_background(slots, curve, curves, background)
        if slot[0] == "os":
            after = self._background(slots, slot, before, curves, background, trace, detail)
        if not curve.wane_to:
            return before, after
        others = self._slots[curve.wane_to]
        if slot not in others:
            raise ModelError(f"curve {curve.id}: {curve.wane_to} has no curve to wane to")
        other = self._group(others, slot, curves, background, trace, False)
        same = before is after and other[0] is other[1]
        before = waned(curve, before, other[0], curves)
        return before, before if same else waned(curve, after, other[1], curves)

    def _before_background(
        self,
        slots: Mapping[tuple[str, str], Curve],
        curve: Curve,
        curves: CurveBlock,
        background: Background,
    ) -> FloatArray:
        """Steps 1 to 6 of a curve, as survival of all causes."""
        if curve.family == "post_progression":
            pfs = slots.get(("pfs", curve.group))
            if pfs is None:
                raise ModelError(
                    f"curve {curve.id}: post_progression needs a pfs curve in group {curve.group}"
                )
            survival = curves.post_progression(curve, curves.with_cure(pfs))
        else:
            survival = curves.with_cure(curve)
        survival = curves.with_early_mortality(curve, survival)
        if curve.hazard == EXCESS:
            survival = np.multiply(survival, background.used(), out=curves.array())
        return survival

    def _mix(
        self,
        curves_by_slot: Mapping[tuple[str, str], FloatArray],
        endpoint: str,
        weights: Mapping[str, FloatArray],
        curves: CurveBlock,
    ) -> FloatArray:
        """Step 9: weighted sum over the groups of an endpoint."""
        groups = [group for other, group in curves_by_slot if other == endpoint]
        if groups == [ALL]:
            return curves_by_slot[endpoint, ALL]
        total = curves.array()
        part = curves.array()
        total[:] = 0.0
        for group in weights:
            if group in groups:
                np.multiply(curves_by_slot[endpoint, group], weights[group][:, None], out=part)
                total += part
        curves.release(part)
        return total

    def _measure_crossing(
        self,
        strategy: str,
        slots: Mapping[tuple[str, str], Curve],
        before: Mapping[tuple[str, str], FloatArray],
        trace: StrategyTrace,
        curves: CurveBlock,
        first_draw: int,
    ) -> set[tuple[str, str | None]]:
        """Person-time moved by the cap, before background mortality (methods 1.3).

        Returns the (inner endpoint, group) pairs in which any draw of the block crosses.
        """
        crossing: set[tuple[str, str | None]] = set()
        moved_at: NDArray[np.bool_] | None = None
        for inner, outer, groups in self._pairs[strategy]:
            for group in groups or (None,):
                if group is None:
                    low = self._mix(before, inner, trace.weights, curves)
                    high = self._mix(before, outer, trace.weights, curves)
                    weight: FloatArray | float = 1.0
                else:
                    low, high = before[inner, group], before[outer, group]
                    weight = trace.weights[group]
                if low is high:
                    continue
                above = low > high
                if not above.any():
                    continue
                crossing.add((inner, group))
                capped = np.minimum(low, high, out=curves.array())
                excess = np.subtract(low, capped, out=capped)
                if self.spec.settings.crossing == "error" and excess.max() > TOLERANCE:
                    row, cycle = np.unravel_index(int(np.argmax(excess > TOLERANCE)), excess.shape)
                    raise ModelError(
                        f"strategy {strategy}, group {group or ALL}, draw {first_draw + row}, "
                        f"cycle {cycle}: {inner} {low[row, cycle]:.6g} is above {outer} "
                        f"{high[row, cycle]:.6g}; setting crossing is 'error'"
                    )
                trace.crossing_years += weight * np.einsum("dk,k->d", excess, self._undiscounted)
                moved_at = above if moved_at is None else moved_at | above
                curves.release(excess)
        if moved_at is not None:
            trace.crossing_cycles += moved_at.sum(axis=1)
        return crossing

    def _background(
        self,
        slots: Mapping[tuple[str, str], Curve],
        slot: tuple[str, str],
        survival: FloatArray,
        curves: CurveBlock,
        background: Background,
        trace: StrategyTrace,
        detail: bool,
    ) -> FloatArray:
        """Step 7: the population's mortality on a group's OS (methods 1.7)."""
        method = self.spec.settings.background_mortality
        curve = slots[slot]
        if method == "none" or curve.hazard == EXCESS:
            return survival
        if method == "add":
            return np.multiply(survival, background.used(), out=curves.array())
        # the cure of a post_progression OS is that of the PFS it reads
        cured_by = slots["pfs", curve.group] if curve.family == "post_progression" else curve
        if cured_by.cure_fraction is None:
            return self._floor(curve, survival, curves, background, trace, detail)
        share = curves.values(cured_by.cure_fraction)
        uncured = curves.uncured(cured_by)
        if curve.family == "post_progression":
            uncured = curves.post_progression(curve, uncured)
        uncured = curves.with_early_mortality(curve, uncured)
        out = self._floor(curve, uncured, curves, background, trace, detail)
        out *= 1 - share
        early = curves.early_factor(curve)
        cured = background.of_cured() if early is None else background.of_cured() * early
        out += cured * share
        return out

    def _floor(
        self,
        curve: Curve,
        survival: FloatArray,
        curves: CurveBlock,
        background: Background,
        trace: StrategyTrace,
        detail: bool,
    ) -> FloatArray:
        """S*_{k+1} = S*_k · min(S_{k+1}/S_k, N_{k+1}/N_k); the first ratio 0 where S_k = 0."""
        steps = curves.array(self.timeline.cycles)
        np.divide(survival[:, 1:], survival[:, :-1], out=steps)
        if not survival[:, -2].all():
            steps[survival[:, :-1] == 0] = 0.0
        ratio = background.ratio()
        if detail:
            trace.bindings[curve.group] = binding(ratio, steps)
        np.minimum(steps, ratio, out=steps)
        out = curves.array()
        out[:, 0] = 1.0
        np.multiply.accumulate(steps, axis=1, out=out[:, 1:])
        curves.release(steps)
        return out

    def _cap(
        self,
        slots: Mapping[tuple[str, str], Curve],
        before: Mapping[tuple[str, str], FloatArray],
        after: dict[tuple[str, str], FloatArray],
        crossing: set[tuple[str, str | None]],
        trace: StrategyTrace,
        curves: CurveBlock,
    ) -> None:
        """Steps 8 and 9: caps within the group, then mixing (or mixing, then the cap)."""
        keep_higher = self.spec.settings.crossing == "keep_higher"
        pairs = self._pairs[trace.strategy]
        for inner, outer, groups in pairs if keep_higher else reversed(pairs):
            for group in groups or ():
                low, high = after[inner, group], after[outer, group]
                unmoved = low is before[inner, group] and high is before[outer, group]
                if low is high or (unmoved and (inner, group) not in crossing):
                    continue
                if keep_higher:
                    after[outer, group] = np.maximum(high, low, out=curves.array())
                    continue
                after[inner, group] = np.minimum(low, high, out=curves.array())
                if outer == "os" and before[outer, group] is not high:
                    self._measure_floor(
                        before[inner, group], before[outer, group], after[inner, group],
                        trace.weights[group], trace, curves,
                    )  # fmt: skip
        trace.group_curves = after
        trace.ordered = not keep_higher and all(groups == (ALL,) for *_, groups in pairs)
        for endpoint in dict.fromkeys(endpoint for endpoint, _ in slots):
            trace.endpoints[endpoint] = self._mix(after, endpoint, trace.weights, curves)
        after_mixing = False
        for inner, outer, groups in pairs if keep_higher else reversed(pairs):
            after_mixing = after_mixing or groups is None
            if not after_mixing:
                continue
            low, high = trace.endpoints[inner], trace.endpoints[outer]
            if keep_higher:
                trace.endpoints[outer] = np.maximum(high, low, out=curves.array())
            else:
                trace.endpoints[inner] = np.minimum(low, high, out=curves.array())

    def _restructure(
        self,
        slots: Mapping[tuple[str, str], Curve],
        curves: CurveBlock,
        background: Background,
        trace: StrategyTrace,
        detail: bool,
    ) -> None:
        """Replace PFS and OS of every group by those of a state-transition model (methods 9)."""
        settings = self.spec.settings
        ratio = background.ratio() if settings.background_mortality == "floor" else None
        found, flows = state_transition(
            self.spec, trace.strategy, slots, trace.group_curves, ratio, curves
        )
        trace.group_curves = found
        trace.flows = flows if detail else {}
        for endpoint in trace.endpoints:
            if endpoint in self.spec.nested_endpoints:
                trace.endpoints[endpoint] = self._mix(found, endpoint, trace.weights, curves)

    def _measure_floor(
        self,
        inner: FloatArray,
        outer: FloatArray,
        capped: FloatArray,
        weight: FloatArray,
        trace: StrategyTrace,
        curves: CurveBlock,
    ) -> None:
        """Person-time capped only because background mortality lowered the outer curve."""
        moved = np.minimum(inner, outer, out=curves.array())
        moved -= capped
        trace.floor_capped_years += weight * np.einsum("dk,k->d", moved, self._undiscounted)
        curves.release(moved)

    def _add_detail(self, trace: StrategyTrace, background: Background) -> None:
        inner = np.zeros_like(trace.endpoints["os"])
        for state in self.spec.living_states:
            outer = trace.endpoints.get(state.endpoint, inner)
            trace.occupancy[state.id] = outer - inner
            inner = outer
        trace.occupancy[self.spec.dead_state.id] = 1 - inner
        if background.needed:
            trace.background = background.alive()
