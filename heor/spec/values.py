"""Strict reading of what a cell may hold: numbers, durations, rates, lists.

Nothing is guessed: each way a spreadsheet or a locale can spoil a number has its own message.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise

from heor.spec.records import UNITS_PER_YEAR, DiscountRate
from heor.spec.tables import did_you_mean

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SPACES = " \u00a0\u202f\u2009'’"
_GROUPED = re.compile(rf"[+-]?\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?:[.,]\d+)?")
_COMMA_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_POINT_GROUPED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_PERCENT = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*%")
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}(?:[T ].*)?|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}"
    rf"|\d{{1,2}}-(?:{_MONTHS})(?:-\d{{2,4}})?|(?:{_MONTHS})-\d{{2,4}}",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_MONEY = re.compile(r"(?:[$€£¥]|[A-Z]{3} ?)[\d., ]+|[\d., ]+(?:[$€£¥]| ?[A-Z]{3})")
_NOT_FINITE = frozenset(("nan", "na", "n/a", "nr", "inf", "-inf", "+inf", "infinity", "-infinity"))


class CellError(ValueError):
    """A cell's text is not what belongs there; the message says what is."""


def spoiled_number(text: str) -> str:
    """Say how a text is a number that a spreadsheet or a locale spoiled; empty when it is not.

    Examples
    --------
    >>> spoiled_number("0,25")
    "found '0,25'; write decimals with a point: 0.25"
    >>> spoiled_number("bsa * 75")
    ''
    """
    advice = ""
    if _GROUPED.fullmatch(text) or _POINT_GROUPED.fullmatch(text):
        advice = "write the number without thousands separators"
    elif _COMMA_GROUPED.fullmatch(text):
        plain = text.replace(",", "")
        advice = f"write {plain} without a thousands separator, or a decimal with a point"
    elif _DECIMAL_COMMA.fullmatch(text):
        advice = f"write decimals with a point: {text.replace(',', '.')}"
    elif _PERCENT.fullmatch(text):
        share = float(text.rstrip("% ").replace(",", ".")) / 100
        advice = f"write the share as {share:.10g}; a percent sign is for settings only"
    elif _DATE.fullmatch(text) or _CLOCK.fullmatch(text):
        advice = "this is a date or time; a number belongs here (a spreadsheet may have changed it)"
    elif text.upper() in ("TRUE", "FALSE"):
        advice = "a number belongs here, not a yes/no value"
    elif text.lower() in _NOT_FINITE:
        advice = "a finite number belongs here; leave the cell blank where there is none"
    elif _MONEY.fullmatch(text):
        advice = "write the number alone; the unit has its own place"
    return f"found {text!r}; {advice}" if advice else ""


def is_number(text: str) -> bool:
    """Whether a text is a plain number, decimal point and no separators."""
    return _NUMBER.fullmatch(text) is not None


def number(text: str) -> float:
    """Read a plain finite number.

    Raises
    ------
    CellError
        With a message that names the value found and what is allowed.
    """
    if not is_number(text):
        raise CellError(spoiled_number(text) or f"expected a number, found {text!r}")
    value = float(text)
    if not math.isfinite(value):
        raise CellError(f"found {text!r}; the number is too large")
    return value


def whole_number(text: str) -> int:
    """Read a whole number."""
    value = number(text)
    if not value.is_integer():
        raise CellError(f"expected a whole number, found {text!r}")
    return int(value)


def yes_no(text: str) -> bool:
    """Read ``yes``, ``no``, ``x`` (yes), ``true`` or ``false``; blank is no."""
    word = text.lower()
    if word in ("yes", "x", "true"):
        return True
    if word in ("no", "false", ""):
        return False
    raise CellError(f"expected `yes` or `no`, found {text!r}")


def time_unit(text: str) -> str:
    """Read day, week, month or year, with or without a plural s."""
    word = text.lower()
    for unit in UNITS_PER_YEAR:
        if word in (unit, unit + "s"):
            return unit
    hint = did_you_mean(text, UNITS_PER_YEAR)
    raise CellError(f"`{text}` is not a time unit; allowed: {', '.join(UNITS_PER_YEAR)}{hint}")


def duration(text: str, unit: str = "") -> float:
    """Read a length of time such as ``1 week`` and give it in years.

    Parameters
    ----------
    text : str
        ``1 week``, or ``1`` where ``unit`` is given.
    unit : str
        The ``unit`` column.

    Examples
    --------
    >>> duration("6 months"), duration("30", "years")
    (0.5, 30.0)
    """
    amount, _, word = text.partition(" ")
    word = word.strip()
    if not is_number(amount) or (word and not word.isalpha()):
        raise CellError(spoiled_number(text) or f"expected a time such as `1 week`, found {text!r}")
    if not word and not unit:
        raise CellError(f"found {text!r} without a unit; write for example `{text} years`")
    if word and unit and time_unit(word) != time_unit(unit):
        raise CellError(f"found {text!r}, but the unit column says `{unit}`")
    years = number(amount) / UNITS_PER_YEAR[time_unit(word or unit)]
    if years <= 0:
        raise CellError(f"found {text!r}; the time must be longer than 0")
    return years


def share(text: str) -> float:
    """Read a share from 0 to 1: ``1%`` or ``0.01``."""
    value = number(text[:-1].strip()) / 100 if text.endswith("%") else number(text)
    if not 0 <= value <= 1:
        raise CellError(f"found {text!r}; a share is from 0 to 1, or from 0% to 100%")
    return value


def rate(text: str) -> float:
    """Read an annual rate: ``3%`` or ``0.03``."""
    if text.endswith("%"):
        value = number(text[:-1].strip()) / 100
    else:
        value = number(text)
        if value >= 1:
            message = f"found {text!r}, which is {100 * value:g}%; write {text}% or {value / 100:g}"
            raise CellError(message)
    if not 0 <= value < 1:
        raise CellError(f"found {text!r}; a discount rate is from 0% to below 100%")
    return value


def discount_rate(text: str) -> DiscountRate:
    """Read ``3%``, ``0.03`` or ``3.5%; from 30: 3%`` (a step at year 30).

    Examples
    --------
    >>> discount_rate("3.5%; from 30: 3%")
    DiscountRate(first=0.035, step_year=30.0, later=0.03)
    """
    first, separator, rest = (part.strip() for part in text.partition(";"))
    if not separator:
        return DiscountRate(first=rate(first))
    match = re.fullmatch(r"from\s+(\S+?)(?:\s+years?)?\s*:\s*(.+)", rest)
    if match is None:
        raise CellError(f"found {text!r}; a step is written `3.5%; from 30: 3%`")
    year = number(match.group(1))
    if year <= 0:
        raise CellError(f"found {text!r}; the year of the step must be above 0")
    return DiscountRate(first=rate(first), step_year=year, later=rate(match.group(2)))


def numbers(text: str) -> tuple[float, ...]:
    """Read numbers of at least 0 separated by ``;``, each once, in rising order."""
    found = tuple(number(part.strip()) for part in text.split(";") if part.strip())
    if not found or found[0] < 0 or any(a >= b for a, b in pairwise(found)):
        message = f"found {text!r}; write numbers of at least 0, each once, in rising order"
        raise CellError(message + ", separated by `;`")
    return found
