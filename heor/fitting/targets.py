"""Numbers from elsewhere that a curve should meet: survival at a time, perhaps with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from heor.errors import InputErrors, Place, Problem
from heor.fitting.read_data import read_table

#: Columns of a file of targets; the others may be missing.
NEEDED, OTHERS = ("time", "survival"), ("low", "high", "group", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Survival that was seen elsewhere.

    Attributes
    ----------
    time, survival : float
        In the time unit of the data; a share.
    low, high : float or None
        Its interval.
    group : str
        Whose; blank for every group.
    source : str
    """

    time: float
    survival: float
    low: float | None = None
    high: float | None = None
    group: str = ""
    source: str = ""

    def met(self, survival: float) -> bool | None:
        """Whether a curve's survival lies in the interval; None where there is none."""
        if self.low is None or self.high is None or not math.isfinite(survival):
            return None
        return self.low <= survival <= self.high

    @property
    def known(self) -> bool:
        """Whether there is an interval to meet."""
        return self.low is not None and self.high is not None


def of_group(targets: Sequence[Target], group: str) -> tuple[Target, ...]:
    """Targets of a group, by time."""
    own = [one for one in targets if one.group in ("", group)]
    return tuple(sorted(own, key=lambda one: one.time))


def parse(texts: Sequence[str]) -> list[Target]:
    """Read ``[GROUP@]TIME=S[:LOW:HIGH]`` texts.

    Raises
    ------
    InputErrors
        With everything that is wrong with any of them.

    Examples
    --------
    >>> parse(["Drug A@24=0.3:0.2:0.4"])[0].group
    'Drug A'
    """
    problems: list[Problem] = []
    found = []
    for text in texts:
        place = Place(f"--target {text}")
        group, at, rest = text.rpartition("@")
        time, equals, numbers = rest.partition("=")
        parts = numbers.split(":")
        values = [_number(part) for part in (time, *parts)]
        if not equals or len(parts) not in (1, 3) or None in values or (at and not group.strip()):
            words = "write TIME=S or TIME=S:LOW:HIGH, with GROUP@ before it for one group alone"
            problems.append(Problem(place, words))
            continue
        known = [value for value in values if value is not None]
        low, high = known[2:] if len(known) == 4 else (None, None)
        one = Target(time=known[0], survival=known[1], low=low, high=high, group=group.strip())
        problems += [Problem(place, words) for words in _wrong(one)]
        found.append(one)
    if problems:
        raise InputErrors(problems)
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _wrong(one: Target) -> list[str]:
    found = []
    if one.time <= 0:
        found.append(f"the time must be above 0, found {one.time:g}")
    shares = [one.survival, one.low, one.high]
    outside = [share for share in shares if share is not None and not 0 <= share <= 1]
    if outside:
        found.append(f"survival must be between 0 and 1, found {outside[0]:g}")
    elif one.low is not None and one.high is not None and not one.low <= one.survival <= one.high:
        found.append(f"{one.survival:g} is not inside its interval, {one.low:g} to {one.high:g}")
    return found


def read(path: Path) -> list[Target]:
    """Read a file of targets: ``time, survival`` and, if wanted, ``low, high, group, source``.

    Raises
    ------
    InputErrors
        With every problem of the file and its place.
    """
    table = read_table(path)
    table.check_columns(NEEDED)
    there = [name for name in OTHERS if name in table.place]
    found = []
    for line, row in table.rows:
        before = len(table.problems)
        time = table.number(row, line, "time", "a time above 0")
        share = table.number(row, line, "survival", "a share from 0 to 1")
        ends: dict[str, float | None] = {"low": None, "high": None}
        for name in ("low", "high"):
            if name in there and table.text(row, name):
                ends[name] = table.number(row, line, name, "a share from 0 to 1, or a blank")
        if (ends["low"] is None) != (ends["high"] is None):
            table.add("an interval has both ends, `low` and `high`, or neither", line)
        one = Target(
            time=time,
            survival=share,
            low=ends["low"],
            high=ends["high"],
            group=table.text(row, "group") if "group" in there else "",
            source=table.text(row, "source") if "source" in there else "",
        )
        if len(table.problems) == before:
            for words in _wrong(one):
                table.add(words, line)
        found.append(one)
    table.stop_if_any()
    return found


def check_groups(targets: Sequence[Target], groups: Sequence[str]) -> None:
    """Refuse targets of groups that the data do not have.

    Raises
    ------
    InputErrors
    """
    known = ", ".join(f"`{group}`" for group in groups if group) or "none; leave it out"
    strange = dict.fromkeys(one.group for one in targets if one.group and one.group not in groups)
    if strange:
        raise InputErrors(
            [
                Problem(Place("--target, --targets"), f"no group is `{name}`; there are {known}")
                for name in strange
            ]
        )
