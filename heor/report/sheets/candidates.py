"""Survival of one candidate curve as formulas over its own cells (methods 1.2, 1.6 and 2).

The families' formulas are those of the engine's registry; here stand the steps round them and the
quantiles that medians need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from heor.engine.survival import step_excel, step_survival
from heor.engine.survival_math import SMALL_Q
from heor.report.live import (
    Term,
    absolute,
    call,
    exp,
    largest,
    literal,
    ln,
    raised,
    some,
    where,
    words,
)
from heor.report.sheets.comparison import DASH
from heor.report.sheets.families import GENF, GENGAMMA, form_of, layout_of, survival_of, waning_in
from heor.report.sheets.layout import Context
from heor.spec.records import UNITS_PER_YEAR, Curve

_MEANING = "Part of the formula of a survival family (methods 2)"

#: Shape of a Gompertz curve below which its quantile is that of an exponential.
_FLAT = 1e-10


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of ``curves`` with its live cells.

    Parameters
    ----------
    ctx : Context
    row : int
        Row of the table, counted from 0.
    """

    ctx: Context
    row: int

    @property
    def curve(self) -> Curve:
        """The row as read."""
        return self.ctx.results.spec.curves[self.row]

    @property
    def formula(self) -> bool:
        """Whether the curve has a formula of its own; OS made from PFS has none."""
        return self.curve.family != "post_progression"

    def live(self, column: str) -> Term:
        """Give the live cell of one column."""
        return self.ctx.live[f"curves {self.row} {column}"]

    def numbers(self) -> list[Term]:
        """Live cells of the numbers of the family."""
        return [self.live(column) for column in layout_of(self.ctx.results.spec).columns]

    def clock(self, years: Term) -> Term:
        """Time on the curve's own clock: u = (t - delay)/acceleration in its unit, at least 0."""
        return largest(
            0, (years * self.live("per year") - self.live("delay")) / self.live("acceleration")
        )

    @property
    def joins(self) -> bool:
        """Whether a Kaplan-Meier part may stand before the family (methods 1.6)."""
        curve, spec = self.curve, self.ctx.results.spec
        slot = (curve.strategy, curve.endpoint, curve.group)
        return slot in spec.km and curve.family != "kaplan_meier"

    def observed(self, clock: Term, tail: Term, at_end: Term) -> Term:
        """Kaplan-Meier part until its end, then the family joined to it (methods 1.6).

        Parameters
        ----------
        tail, at_end : Term
            The family at the time and at the end of the Kaplan-Meier part.
        """
        until = self.live("km_until")
        joined = self._observed(until) * tail / at_end
        piecewise = where(clock <= until, self._observed(clock), joined)
        return where(self.live("has_km_until").equals(1), piecewise, tail)

    def survival(self, base: Term) -> Term:
        """Share without event after a constant hazard ratio and the cured share.

        A dash where no formula gives it; ``base`` is the curve before them.
        """
        ratio, cured = self.live("hazard_ratio"), self.live("cure_fraction")
        moved = where(ratio.equals(0), 1, raised(base, ratio))
        return where(self._elsewhere(), DASH, cured + (1 - cured) * moved)

    def median(self) -> Term:
        """Time at which half have had the event, in months; a dash where no formula gives it."""
        quantile = _QUANTILES.get(self.curve.family)
        if quantile is None:
            return words(DASH)
        ctx = self.ctx
        half = ctx.constants.term(0.5, "One half, for medians")
        ratio, cured = self.live("hazard_ratio"), self.live("cure_fraction")
        # the share left of those who are not cured, before the hazard ratio
        left = ((half - cured) / (1 - cured)) ** (1 / ratio)
        never, clock = quantile(ctx, left, *self.numbers())
        time = self.live("delay") + self.live("acceleration") * clock
        months = time / self.live("per year") * ctx.live["per year month"]
        unknown = some(self._elsewhere(), self.live("has_km_until").equals(1))
        unreached = some(ratio.equals(0), cured >= half)
        result = months if never is None else where(never, DASH, months)
        return where(unknown, DASH, where(unreached, DASH, result))

    def _elsewhere(self) -> Term:
        """Whether no formula of this row gives the curve.

        What moves over time, a hazard ratio or an effect that wanes, is formed cycle by cycle; a
        family changed in the workbook has other parameters than the cells here were made for.
        """
        wanes = waning_in(self.ctx.results.spec)
        changed = self.live("family").equals(form_of(self.curve))
        return some(
            self.live("has_hr_until").equals(1),
            *([call("NOT", np.logical_not, self.live("wane_to").equals(""))] if wanes else []),
            call("NOT", np.logical_not, changed),
        )

    def family(self, clock: Term, numbers: Sequence[Term]) -> Term:
        """The family over cells of its numbers, or the Kaplan-Meier table, at a time."""
        if self.curve.family == "kaplan_meier":
            return self._observed(clock)
        family = layout_of(self.ctx.results.spec).family(form_of(self.curve))
        return survival_of(self.ctx, family, numbers, clock)

    def _observed(self, clock: Term) -> Term:
        """The Kaplan-Meier table of the curve at a time of its clock."""
        curve, ctx = self.curve, self.ctx
        slot = (curve.strategy, curve.endpoint, curve.group)
        km = ctx.results.spec.km[slot]
        times, shares = (ctx.live[f"km {'.'.join(slot)} {key}"] for key in ("time", "survival"))
        years = clock / self.live("per year")
        text = step_excel(years.text, times.text, shares.text)
        at = np.array([float(years.value) * UNITS_PER_YEAR[km.time_unit]])
        return Term(ctx.constants.lift(text, _MEANING), float(step_survival(km, at)[0]))


#: When half are never reached (None: always reached), and the time at which ``left`` are left.
_Quantile = tuple[Term | None, Term]


def _exponential(ctx: Context, left: Term, rate: Term, *_: Term) -> _Quantile:
    return None, ln(1 / left) / rate


def _weibull(ctx: Context, left: Term, shape: Term, scale: Term, *_: Term) -> _Quantile:
    return None, scale * ln(1 / left) ** (1 / shape)


def _gompertz(ctx: Context, left: Term, shape: Term, rate: Term, *_: Term) -> _Quantile:
    hazard = ln(1 / left) / rate
    flat = ctx.constants.term(_FLAT, "Shape of a Gompertz curve that counts as 0")
    bent = ln(1 + shape * hazard) / shape
    return 1 + shape * hazard <= 0, where(absolute(shape) < flat, hazard, bent)


def _loglogistic(ctx: Context, left: Term, shape: Term, scale: Term, *_: Term) -> _Quantile:
    return None, scale * ((1 - left) / left) ** (1 / shape)


def _lognormal(ctx: Context, left: Term, meanlog: Term, sdlog: Term, *_: Term) -> _Quantile:
    return None, exp(meanlog + sdlog * call("NORMSINV", special.ndtri, 1 - left))


def _gamma_inverse(share: Term, shape: Term) -> Term:
    return call(
        "GAMMAINV", lambda p, a, scale: special.gammaincinv(a, p) * scale, share, shape, literal(1)
    )


def _gamma(ctx: Context, left: Term, shape: Term, rate: Term, *_: Term) -> _Quantile:
    return None, _gamma_inverse(1 - left, shape) / rate


def _gengamma(ctx: Context, left: Term, mu: Term, sigma: Term, q: Term, *_: Term) -> _Quantile:
    small = ctx.constants.term(SMALL_Q, "Q below which the generalised gamma is an expansion")
    share = where(q > 0, 1 - left, left)
    u = _gamma_inverse(share, 1 / (q * q))
    return absolute(q) < small, exp(mu + sigma * ln(u * q * q) / q)


def _genf(
    ctx: Context,
    left: Term,
    mu: Term,
    sigma: Term,
    _q: Term,
    _p: Term,
    delta: Term,
    s1: Term,
    s2: Term,
    *_: Term,
) -> _Quantile:
    share = call("BETAINV", _beta_inverse, left, s2, s1)
    return None, exp(mu + sigma / delta * ln((1 - share) / share * s2 / s1))


def _beta_inverse(share: float, a: float, b: float) -> float:
    return float(special.betaincinv(a, b, share))


_QUANTILES: Mapping[str, Callable[..., _Quantile]] = {
    "exponential": _exponential,
    "weibull": _weibull,
    "gompertz": _gompertz,
    "loglogistic": _loglogistic,
    "lognormal": _lognormal,
    "gamma": _gamma,
    GENGAMMA: _gengamma,
    GENF: _genf,
}
