"""Survival times as a likelihood needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heor.errors import HeorError
from heor.spec.parameters import FloatArray

#: Times above 0 that can be fitted in any unit; their squares do not overflow.
TIMES = (1e-20, 1e20)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalData:
    """Times of subjects; arrays ``(subject,)`` in one time unit.

    Attributes
    ----------
    lower, upper : array
        The event is in [lower, upper]: equal where it was seen, ``upper`` infinite where the
        subject was censored, ``lower`` 0 where the event was before ``upper``.
    entry : array
        Time at which the subject came under observation (delayed entry); 0 for most.
    weight : array
        How many subjects a row stands for.
    group : array of int
        Index in ``groups``.
    groups : tuple of str
        Labels, the reference first; one label when there is only one group.
    expected : array
        Hazard of the general population at ``lower``, per time unit, for excess-hazard models; 0
        else. Only rows with an event seen need it.
    """

    lower: FloatArray
    upper: FloatArray
    entry: FloatArray
    weight: FloatArray
    group: NDArray[np.intp]
    groups: tuple[str, ...]
    expected: FloatArray

    def __len__(self) -> int:
        return len(self.lower)

    @property
    def exact(self) -> NDArray[np.bool_]:
        """Rows whose event was seen."""
        same: NDArray[np.bool_] = self.lower == self.upper
        return same

    @property
    def events(self) -> float:
        """Subjects that had the event, whenever it was."""
        return float(self.weight[np.isfinite(self.upper)].sum())

    @property
    def subjects(self) -> float:
        """Subjects."""
        return float(self.weight.sum())

    def of(self, group: str) -> SurvivalData:
        """Give the rows of one group, which becomes the only one."""
        rows = self.group == self.groups.index(group)
        return SurvivalData(
            lower=self.lower[rows],
            upper=self.upper[rows],
            entry=self.entry[rows],
            weight=self.weight[rows],
            group=np.zeros(int(rows.sum()), dtype=np.intp),
            groups=(group,),
            expected=self.expected[rows],
        )

    def scaled(self, unit: float) -> SurvivalData:
        """Give the same in a time unit ``unit`` times as long."""
        return SurvivalData(
            lower=self.lower / unit,
            upper=self.upper / unit,
            entry=self.entry / unit,
            weight=self.weight,
            group=self.group,
            groups=self.groups,
            expected=self.expected * unit,
        )

    def distinct(self) -> SurvivalData:
        """Give the same with equal rows made one, of their weight; sorted."""
        columns = (self.expected, self.group, self.entry, self.upper, self.lower)
        order = np.lexsort(columns)
        new = np.zeros(len(self), dtype=bool)
        new[:1] = True
        for column in columns:
            ordered = column[order]
            new[1:] |= ordered[1:] != ordered[:-1]
        first = order[new]
        return SurvivalData(
            lower=self.lower[first],
            upper=self.upper[first],
            entry=self.entry[first],
            weight=np.add.reduceat(self.weight[order], np.flatnonzero(new)),
            group=self.group[first],
            groups=self.groups,
            expected=self.expected[first],
        )


def right_censored(
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    group: Sequence[str] | None = None,
    weight: ArrayLike | None = None,
    expected: ArrayLike | None = None,
) -> SurvivalData:
    """Data of times and event marks, the usual form.

    Parameters
    ----------
    time : array ``(subject,)``
        Time of event or censoring, above 0.
    event : array ``(subject,)``
        1 event, 0 censored.
    entry, weight, expected : array ``(subject,)``, optional
        See `SurvivalData`.
    group : sequence of str, optional
        Labels; the first to appear is the reference.
    """
    at = np.asarray(time, dtype=float)
    seen = np.asarray(event, dtype=float) != 0
    return interval_censored(
        at,
        np.where(seen, at, np.inf),
        entry=entry,
        group=group,
        weight=weight,
        expected=expected,
    )


def interval_censored(
    lower: ArrayLike,
    upper: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    group: Sequence[str] | None = None,
    weight: ArrayLike | None = None,
    expected: ArrayLike | None = None,
) -> SurvivalData:
    """Data of intervals that hold the events; equal ends where the event was seen.

    Raises
    ------
    HeorError
        When the times contradict themselves; the message names the first such subject.
    """
    low, high = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    zeros = np.zeros(len(low))
    start = zeros if entry is None else np.asarray(entry, dtype=float)
    counts = np.ones(len(low)) if weight is None else np.asarray(weight, dtype=float)
    _refuse(~np.isfinite(low) | (low < 0), "times must be 0 or more")
    _refuse(np.isnan(high) | (high < low), "an interval ends before it begins")
    least, most = TIMES
    wild = (low > most) | ((high > 0) & (high < least)) | (np.isfinite(high) & (high > most))
    _refuse(wild, f"times must lie between {least:g} and {most:g}; choose another time unit")
    _refuse((low == high) & (low == 0), "an event at time 0; give it a small time, half a day say")
    _refuse(~np.isfinite(start) | (start < 0) | (start >= high), "entry is not before the event")
    _refuse(start > low, "entry is after the last time without the event")
    _refuse(~np.isfinite(counts) | (counts < 0), "weights must be 0 or more")
    labels = [""] * len(low) if group is None else [str(label) for label in group]
    groups = tuple(dict.fromkeys(labels))
    return SurvivalData(
        lower=low,
        upper=high,
        entry=start,
        weight=counts,
        group=np.array([groups.index(label) for label in labels], dtype=np.intp),
        groups=groups,
        expected=zeros if expected is None else np.asarray(expected, dtype=float),
    )


def _refuse(bad: NDArray[np.bool_], words: str) -> None:
    if bad.any():
        raise HeorError(f"subject {int(np.argmax(bad)) + 1}: {words}")


def kaplan_meier(data: SurvivalData) -> tuple[FloatArray, FloatArray]:
    """Product-limit estimate: times of events seen and survival after them.

    Subjects whose event lies in an interval count at its middle; entry is honoured.
    """
    times, died, at_risk = risk_sets(data)
    share = np.divide(died, at_risk, out=np.zeros_like(died), where=at_risk > 0)
    survival = np.cumprod(np.maximum(1.0 - share, 0.0), dtype=float)
    return times, survival


def last_seen(data: SurvivalData) -> FloatArray:
    """Time at which each subject leaves ``(subject,)``; the middle of an event's interval."""
    finite = np.isfinite(data.upper)
    found: FloatArray = np.where(
        finite, (data.lower + np.where(finite, data.upper, 0.0)) / 2, data.lower
    )
    return found


def risk_sets(data: SurvivalData) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Times of events, the events at each, and how many are at risk just before ``(time,)``."""
    finite, leave = np.isfinite(data.upper), last_seen(data)
    times, place = np.unique(leave[finite], return_inverse=True)
    died = np.bincount(place, data.weight[finite], len(times)).astype(float)
    # those who leave at t or later, less those who have not come by then
    late = weight_from(data.entry, data.weight, times)
    return times, died, weight_from(leave, data.weight, times) - late


def weight_from(values: FloatArray, weight: FloatArray, times: FloatArray) -> FloatArray:
    """Weight of those whose value is at each time or later."""
    order = np.argsort(values)
    before = np.concatenate(([0.0], np.cumsum(weight[order])))
    found: FloatArray = before[-1] - before[np.searchsorted(values[order], times)]
    return found
