"""The same curves read as a state-transition model (methods 9).

Partitioned survival takes time progressed as the difference of two curves. Here people move: out
of progression-free survival by progression or death, and out of progression by death at a hazard
that depends on the time since the start (clock forward) or since progression (clock reset). Per
group, for a block of draws; arrays are ``(draw, cycle)``, survival ``(draw, cycle + 1)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from heor.engine.curves import CurveBlock
from heor.engine.survival import family_after
from heor.errors import ModelError
from heor.spec.parameters import FloatArray
from heor.spec.records import RESET, UNITS_PER_YEAR, Curve, Settings, Spec

#: Newton steps; fixed, so that a draw's bits do not depend on its neighbours.
_STEPS = 6

#: Beyond this cumulative hazard in a cycle, up or down, a start is not taken further.
_FAR = 40.0


@dataclass(frozen=True, slots=True)
class Flow:
    """Movements of one group, as shares of the group.

    Attributes
    ----------
    deaths, progressions : array ``(draw, cycle)``
        Those who leave progression-free survival in a cycle, by what happened.
    implied : array ``(draw, cycle)``
        Cumulative hazard of death after progression in a cycle that the partitioned curves imply;
        below 0 where more are progressed than moved there.
    least : array ``(draw, cycle)`` or ``(1, 1)``
        The population's, below which no hazard may be; 0 without a floor.
    stay, arrive : array ``(draw, cycle)``
        Shares of those progressed at a cycle's start, and of those who progress in it, who are
        alive at its end.
    rate : array ``(draw,)`` or None
        Hazard per year of the exponential survival after progression that was derived; None where
        none was needed.
    partitioned : array ``(draw, cycle + 1)``
        Share progressed under partitioned survival.
    """

    deaths: FloatArray
    progressions: FloatArray
    implied: FloatArray
    least: FloatArray
    stay: FloatArray
    arrive: FloatArray
    rate: FloatArray | None
    partitioned: FloatArray


def arriving(hazard: FloatArray) -> FloatArray:
    """Share alive at a cycle's end of those who arrive evenly over it, (1 - e^-x)/x."""
    return np.divide(-np.expm1(-hazard), hazard, out=np.ones_like(hazard), where=hazard != 0)


def implied_hazard(start: FloatArray, end: FloatArray, arrivals: FloatArray) -> FloatArray:
    """Cumulative hazard x of a cycle with start·e^-x + arrivals·(1 - e^-x)/x = end.

    Infinite where nobody is left, minus infinity where nobody was there who could die. Newton's
    steps climb from the larger of two values below the root: that of arrivals in mid-cycle, a
    quadratic equation in e^(-x/2), and, where x is above 0, arrivals·(1 - e^-x)/end.
    """
    nobody = (start <= 0) & (arrivals <= 0)
    root = np.sqrt(arrivals * arrivals + 4.0 * start * end)
    half = np.divide(2.0 * end, arrivals + root, out=np.ones_like(root), where=end > 0)
    x = np.clip(-2.0 * np.log(half), -_FAR, _FAR)
    x = np.where(x > 0, np.maximum(x, _ratio(arrivals * -np.expm1(-x), end)), x)
    for _ in range(_STEPS):
        gone = np.exp(-x)
        mean = arriving(x)
        steep = np.divide(gone - mean, x, out=np.full_like(x, -0.5), where=np.abs(x) > 1e-6)
        slope = arrivals * steep - start * gone
        missed = start * gone + arrivals * mean - end
        x -= np.divide(missed, slope, out=np.zeros_like(x), where=slope != 0)
    x[end <= 0] = np.inf
    x[nobody] = -np.inf
    return x


def death_share(pfs: Curve, os: Curve, survival: FloatArray, curves: CurveBlock) -> FloatArray:
    """Share of PFS events that are deaths: early deaths, and ``pfs_death_share`` of the others.

    Parameters
    ----------
    pfs, os : Curve
        The group's rows.
    survival : array ``(draw, cycle + 1)``
        Its PFS after step 8.
    curves : CurveBlock
        The block.

    Returns
    -------
    array ``(draw, 1)`` or ``(draw, cycle)``
    """
    share = (
        np.zeros((curves.rows, 1))
        if os.pfs_death_share is None
        else curves.values(os.pfs_death_share)
    )
    factor = curves.early_factor(pfs)
    if factor is None:
        return share
    others = _ratio(survival, factor)
    events = survival[:, :-1] - survival[:, 1:]
    early = (factor[:, :-1] - factor[:, 1:]) * (others[:, :-1] + others[:, 1:]) / 2.0
    early = np.clip(_ratio(early, events), 0.0, 1.0)
    return early + share * (1.0 - early)


def restructure(
    settings: Settings,
    slots: Mapping[tuple[str, str], Curve],
    group: str,
    survival: tuple[FloatArray, FloatArray],
    ratio: FloatArray | None,
    curves: CurveBlock,
) -> tuple[FloatArray, FloatArray, Flow]:
    """PFS and OS of one group as a state-transition model.

    Parameters
    ----------
    settings : Settings
        ``structure`` and ``pps_follow_up``.
    slots : mapping
        The strategy's curves in use by (endpoint, group).
    group : str
        One with both PFS and OS.
    survival : pair of arrays ``(draw, cycle + 1)``
        Its PFS and OS after step 8.
    ratio : array ``(draw, cycle)`` or None
        The population's survival over each cycle, where it is a floor.
    curves : CurveBlock
        The block.

    Returns
    -------
    tuple
        PFS, OS and the `Flow`.
    """
    pfs, os = survival
    after = slots["os", group]
    share = death_share(slots["pfs", group], after, pfs, curves)
    floor = np.ones((1, 1)) if ratio is None else ratio
    partitioned = os - pfs
    nobody = (partitioned[:, :-1] == 0) & (partitioned[:, 1:] == 0)
    deaths, progressions = _leave(pfs, share, floor, nobody)
    implied = implied_hazard(partitioned[:, :-1], partitioned[:, 1:], progressions)
    least = -np.log(floor)
    if ratio is not None:
        pfs = _floored(pfs, ratio)
        deaths, progressions = _leave(pfs, share, floor, nobody)
    hazard = np.maximum(implied, least)
    stay, arrive = np.exp(-hazard), arriving(hazard)
    rate = None
    if settings.structure == RESET and after.pps_family:
        stay, arrive = _given(after, progressions, curves)
        bound = stay > floor
        stay = np.where(bound, floor, stay)
        arrive = np.where(bound, np.minimum(arrive, arriving(least)), arrive)
    elif settings.structure == RESET:
        progressed = _progressed(progressions, stay, arrive)
        step = _rate(settings, progressed, progressions, hazard, curves)
        rate = step / curves.timeline.length
        hazard = np.maximum(np.broadcast_to(step[:, None], implied.shape), least)
        stay, arrive = np.exp(-hazard), arriving(hazard)
    progressed = _progressed(progressions, stay, arrive)
    flow = Flow(deaths, progressions, implied, least, stay, arrive, rate, partitioned)
    return pfs, pfs + progressed, flow


def _leave(
    pfs: FloatArray, share: FloatArray, floor: FloatArray, nobody: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Deaths before progression, and progressions, of each cycle."""
    events = pfs[:, :-1] - pfs[:, 1:]
    background = (pfs[:, :-1] + pfs[:, 1:]) * ((1.0 - floor) / (1.0 + floor))
    deaths = np.maximum(share * events, np.minimum(events, background))
    deaths[nobody] = events[nobody]
    return deaths, events - deaths


def _floored(pfs: FloatArray, ratio: FloatArray) -> FloatArray:
    """PFS whose hazard is at least the population's; unchanged, to the bit, where it is."""
    steps = np.divide(pfs[:, 1:], pfs[:, :-1], out=np.zeros_like(ratio), where=pfs[:, :-1] > 0)
    less = np.divide(ratio, steps, out=np.ones_like(steps), where=steps > ratio)
    factor: FloatArray = np.multiply.accumulate(less, axis=1)
    out = pfs.copy()
    out[:, 1:] *= factor
    return out


def _progressed(progressions: FloatArray, stay: FloatArray, arrive: FloatArray) -> FloatArray:
    """PD_0 = 0, PD_{k+1} = PD_k·stay_k + progressions_k·arrive_k."""
    rows, cycles = progressions.shape
    coming = np.ascontiguousarray((progressions * arrive).T)
    staying = np.ascontiguousarray(np.broadcast_to(stay, (rows, cycles)).T)
    out = np.zeros((rows, cycles + 1))
    state = np.zeros(rows)
    for k in range(cycles):
        state *= staying[k]
        state += coming[k]
        out[:, k + 1] = state
    return out


def _rate(
    settings: Settings,
    progressed: FloatArray,
    progressions: FloatArray,
    hazard: FloatArray,
    curves: CurveBlock,
) -> FloatArray:
    """Deaths after progression per cycle of time progressed, of the clock-forward model."""
    deaths = progressed[:, :-1] + progressions - progressed[:, 1:]
    mean = arriving(hazard)
    small = hazard < 1e-4
    later = np.divide(1.0 - mean, hazard, out=0.5 - hazard / 6.0, where=~small)
    time = progressed[:, :-1] * mean + progressions * later
    share = curves.timeline.window(None, settings.pps_follow_up, "year")
    inside = np.ones(curves.timeline.cycles) if share is None else share
    followed = np.einsum("dk,k->d", time, inside)
    seen = np.where(followed > 0, np.einsum("dk,k->d", deaths, inside), deaths.sum(axis=1))
    followed = np.where(followed > 0, followed, time.sum(axis=1))
    rate: FloatArray = np.divide(seen, followed, out=np.zeros_like(seen), where=seen > 0)
    return rate


def _given(
    curve: Curve, progressions: FloatArray, curves: CurveBlock
) -> tuple[FloatArray, FloatArray]:
    """``stay`` and ``arrive`` of the study's own survival after progression, by its clock.

    An exponential one has arrivals spread over the cycle, any other in its middle (methods 1.5).
    Early mortality of the OS row goes on after progression.
    """
    cycle = curves.timeline.length * UNITS_PER_YEAR[curve.time_unit]
    factor = curves.early_factor(curve)
    ones = np.ones((1, 1))
    mean = ones if factor is None else (factor[:, :-1] + factor[:, 1:]) / 2.0
    left = ones if factor is None else _ratio(factor[:, 1:], factor[:, :-1])
    until_end = ones if factor is None else _ratio(factor[:, 1:], mean)
    if curve.pps_family == "exponential":
        step = curves.values(curve.pps_parameters["rate"]) * cycle
        stay, arrive = np.exp(-step), arriving(step)
    else:
        arrivals = _ratio(progressions, np.broadcast_to(mean, progressions.shape))
        stay, arrive = _by_age(curve, arrivals, cycle, curves)
    shape = progressions.shape
    return np.broadcast_to(stay * left, shape), np.broadcast_to(arrive * until_end, shape)


def _by_age(
    curve: Curve, arrivals: FloatArray, cycle: float, curves: CurveBlock
) -> tuple[FloatArray, FloatArray]:
    """Survival over each cycle of all who are progressed, from the convolution of methods 1.5."""
    family = family_after(curve)
    cycles = arrivals.shape[1]
    middle = (np.arange(cycles, dtype=np.float64) + 0.5) * cycle
    parameters = [curves.values(curve.pps_parameters[name]) for name in family.parameters]
    alive = family.survival(middle, np.log(middle), parameters, np.empty(arrivals.shape))
    if family.may_rise:
        curves.refuse_rising(curve, alive)
    progressed = np.zeros((len(arrivals), cycles + 1))
    for row in range(len(arrivals)):
        progressed[row, 1:] = np.convolve(arrivals[row], alive[row])[:cycles]
    arrive = alive[:, :1]
    stay = _ratio(progressed[:, 1:] - arrivals * arrive, progressed[:, :-1])
    return np.clip(stay, 0.0, 1.0), arrive


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """The quotient, and 0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def state_transition(
    spec: Spec,
    strategy: str,
    slots: Mapping[tuple[str, str], Curve],
    group_curves: Mapping[tuple[str, str], FloatArray],
    ratio: FloatArray | None,
    curves: CurveBlock,
) -> tuple[dict[tuple[str, str], FloatArray], dict[str, Flow]]:
    """Curves of all groups of a strategy as a state-transition model, and their movements.

    Endpoints inside PFS are kept no larger than it. A strategy without PFS stays as it is.

    Parameters
    ----------
    group_curves : mapping
        Curves by (endpoint, group) after step 8, ``(draw, cycle + 1)``.
    ratio : array ``(draw, cycle)`` or None
        The population's survival over each cycle, where it is a floor.

    Raises
    ------
    ModelError
        When ``pfs`` is not the endpoint inside ``os``, or the two have different groups.
    """
    nested = spec.nested_endpoints
    if nested[-2:] != ("pfs", "os"):
        raise ModelError(
            f"structure {spec.settings.structure}: the endpoint inside `os` must be `pfs`; the "
            f"states have {', '.join(nested)}"
        )
    found, flows = dict(group_curves), {}
    for group in _groups(strategy, slots):
        survival = found["pfs", group], found["os", group]
        pfs, os, flows[group] = restructure(spec.settings, slots, group, survival, ratio, curves)
        found["pfs", group], found["os", group] = pfs, os
        for inner in nested[:-2]:
            if (inner, group) in found:
                found[inner, group] = np.minimum(found[inner, group], pfs)
    return found, flows


def _groups(strategy: str, slots: Mapping[tuple[str, str], Curve]) -> tuple[str, ...]:
    """Groups of PFS and OS, which must be the same; none where the strategy has no PFS."""
    of = {e: tuple(g for other, g in slots if other == e) for e in ("pfs", "os")}
    if not of["pfs"]:
        return ()
    if set(of["pfs"]) != set(of["os"]):
        raise ModelError(
            f"strategy {strategy}: a state-transition model needs PFS and OS of the same groups; "
            f"found PFS of {', '.join(of['pfs'])} and OS of {', '.join(of['os'])}"
        )
    return of["pfs"]
