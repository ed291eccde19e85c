"""How numbers are written for people: money whole, QALYs to three decimals."""

from __future__ import annotations

import math

#: Shown where a number has no meaning.
NONE = "-"


def money(value: float | None, currency: str) -> str:
    """Whole money with thousands separators: ``$515,000``, ``-GBP 1,200``."""
    if value is None or math.isnan(value):
        return NONE
    whole = round(value)
    sign = "-" if whole < 0 else ""
    mark = "$" if currency == "USD" else f"{currency} " if currency else ""
    return f"{sign}{mark}{abs(whole):,}"


def years(value: float | None) -> str:
    """Life years or QALYs, three decimals."""
    if value is None or math.isnan(value):
        return NONE
    text = f"{value:.3f}"
    return "0.000" if text == "-0.000" else text


def percent(value: float | None) -> str:
    """A share as a percentage with one decimal."""
    return NONE if value is None or math.isnan(value) else f"{100 * value:.1f}%"


def plain(value: float) -> str:
    """An input value to four significant digits, without an exponent where it reads better."""
    if value != 0 and not 1e-4 <= abs(value) < 1e15:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def threshold_key(threshold: float) -> str:
    """A threshold as a JSON key or a column suffix: ``100000``."""
    return str(int(threshold)) if float(threshold).is_integer() else repr(float(threshold))


def count(number: int, one: str, more: str = "") -> str:
    """A number of things: ``1 draw``, ``1,000 draws``."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def with_signs(text: str, currency: str) -> str:
    """Words of an analysis with their amounts as `money` writes them: ``USD 5`` as ``$5``."""
    return text.replace("USD ", "$") if currency == "USD" else text
