"""A fitted curve as an equation in text and as a formula for a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from heor.engine.survival_family import Family, bracketed
from heor.engine.survival_flexible import Spline
from heor.fitting.models import Model
from heor.spec.parameters import FloatArray

#: Time that formulas for a spreadsheet read.
CELL = "A2"


def curve_numbers(model: Model, theta: FloatArray, group: int) -> tuple[list[float], float | None]:
    """Give the family's parameters of a group, by its place, and its cured share."""
    values = model.parameters(theta, np.array([group]))
    share = 1 / (1 + np.exp(-theta[len(model.own)])) if model.cure else None
    return [float(np.ravel(value)[0]) for value in values], None if share is None else float(share)


def excel(model: Model, theta: FloatArray, group: int = 0) -> str:
    """Spreadsheet formula of S, with ``=``; the time stands in `CELL`.

    Parameters
    ----------
    model : Model
    theta : array ``(parameter,)``
        On the estimation scale.
    group : int
        Place among ``model.groups``.
    """
    numbers, share = curve_numbers(model, theta, group)
    words = [_exact(number) for number in numbers]
    text = model.family.excel(words, CELL)
    parts = [part for _, part in model.family.derived_excel(bracketed(*words))]
    derived = model.family.derived([np.array(number) for number in numbers])
    known = dict(zip(parts, (f"({_exact(float(one))})" for one in derived), strict=False))
    for part in sorted(known, key=len, reverse=True):
        text = text.replace(part, known[part])
    if share is None:
        return f"={text}"
    cured = _exact(share)
    if model.cure == "mixture":
        return f"={cured}+(1-{cured})*{text}"
    return f"={cured}^(1-{text})"


def equation(model: Model, theta: FloatArray, group: int = 0) -> str:
    """Closed form of S(t) with its numbers, in plain text; arguments as of `excel`."""
    numbers, share = curve_numbers(model, theta, group)
    family = model.family
    if isinstance(family, Spline):
        form, where = _spline(family, numbers)
    else:
        form, where = _FORMS[family.name](family, numbers)
    if model.cure == "mixture" and share is not None:
        form = f"{_short(share)} + {_short(1 - share)} S0(t), S0(t) = {form}"
    elif share is not None:
        form = f"{_short(share)}^(1 - S0(t)), S0(t) = {form}"
    return f"S(t) = {form}" + (f", with {where}" if where else "")


def _exact(number: float) -> str:
    """Write every digit."""
    return repr(float(number))


def _short(number: float) -> str:
    return f"{number:.8g}"


def _minus(number: float) -> str:
    """Write ``- x``, or ``+ x`` where the number is below 0."""
    return f"+ {_short(-number)}" if number < 0 else f"- {_short(number)}"


def _plus(number: float) -> str:
    return f"- {_short(-number)}" if number < 0 else f"+ {_short(number)}"


_Form = Callable[[Family, Sequence[float]], tuple[str, str]]

_GAMMA = "P the regularised lower incomplete gamma function"
_PHI = "Phi the standard normal distribution function"


def _exponential(_: Family, p: Sequence[float]) -> tuple[str, str]:
    return f"exp(-{_short(p[0])} t)", ""


def _weibull(_: Family, p: Sequence[float]) -> tuple[str, str]:
    return f"exp(-(t/{_short(p[1])})^{_short(p[0])})", ""


def _gompertz(_: Family, p: Sequence[float]) -> tuple[str, str]:
    if p[0] == 0:
        return _exponential(_, p[1:])
    return f"exp(-({_short(p[1])}/({_short(p[0])})) (exp({_short(p[0])} t) - 1))", ""


def _loglogistic(_: Family, p: Sequence[float]) -> tuple[str, str]:
    return f"1/(1 + (t/{_short(p[1])})^{_short(p[0])})", ""


def _lognormal(_: Family, p: Sequence[float]) -> tuple[str, str]:
    return f"1 - Phi((ln t {_minus(p[0])})/{_short(p[1])})", _PHI


def _gamma(_: Family, p: Sequence[float]) -> tuple[str, str]:
    return f"1 - P({_short(p[0])}, {_short(p[1])} t)", _GAMMA


def _gengamma(_: Family, p: Sequence[float]) -> tuple[str, str]:
    mu, sigma, q = p
    w = f"w = (ln t {_minus(mu)})/{_short(sigma)}"
    if q == 0:
        return "1 - Phi(w)", f"{w} and {_PHI}"
    order = _short(1 / (q * q))
    inner = f"P({order}, {order} exp({_short(q)} w))"
    return (f"1 - {inner}" if q > 0 else inner), f"{w} and {_GAMMA}"


def _genf(family: Family, p: Sequence[float]) -> tuple[str, str]:
    mu, sigma = p[:2]
    delta, s1, s2 = (float(one) for one in family.derived([np.array(number) for number in p]))
    inner = f"I({_short(s2)}/({_short(s2)} + {_short(s1)} exp({_short(delta)} w)))"
    where = (
        f"w = (ln t {_minus(mu)})/{_short(sigma)} and I(x) the regularised incomplete beta "
        f"function of x with parameters {_short(s2)} and {_short(s1)}"
    )
    return inner, where


def _spline(family: Spline, p: Sequence[float]) -> tuple[str, str]:
    gammas, knots = p[: family.knots], p[family.knots :]
    first, *inner, last = knots
    eta = f"{_short(gammas[0])} {_plus(gammas[1])} x"
    bends = []
    for place, (gamma, knot) in enumerate(zip(gammas[2:], inner, strict=True), start=1):
        share = (last - knot) / (last - first)
        eta += f" {_plus(gamma)} v{place}"
        bends.append(
            f"v{place} = c(x {_minus(knot)}) - {_short(share)} c(x {_minus(first)}) - "
            f"{_short(1 - share)} c(x {_minus(last)})"
        )
    form = {"hazard": "exp(-exp(eta))", "odds": "1/(1 + exp(eta))", "normal": "1 - Phi(eta)"}
    where = [f"eta = {eta}", "x = ln t", *bends]
    where += ["c(u) = max(0, u)^3"] if bends else []
    where += [_PHI] if family.scale == "normal" else []
    return form[family.scale], ", ".join(where)


_FORMS: dict[str, _Form] = {
    "exponential": _exponential,
    "weibull": _weibull,
    "gompertz": _gompertz,
    "loglogistic": _loglogistic,
    "lognormal": _lognormal,
    "gamma": _gamma,
    "gengamma": _gengamma,
    "genf": _genf,
}
