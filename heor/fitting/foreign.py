"""Parametrisations of other programs: what their numbers are called, and what curve they make.

Each entry of `PARAMETRISATIONS` says on which scale the program estimates each number (the scale of
its covariance), which of them carries the effect of a group, and how the parameters of one of our
families follow. Where a conversion is needed it is written into the curve, so the program's own
numbers stand in the rows with their own covariance. Sources are named in methods 2.12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heor.engine.survival import CURVES
from heor.engine.survival_flexible import Spline
from heor.fitting.models import Model
from heor.spec.expressions import parse
from heor.spec.parameters import FloatArray
from heor.spec.records import SPLINE

#: Name of the cured share in flexsurvcure.
THETA = "theta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parametrisation:
    """A family as another program writes it.

    Attributes
    ----------
    name : str
        The program's word for it.
    family : str
        Our family.
    words : tuple of str
        Other names, as compared by `normal`.
    parameters : tuple of str
        In the program's order.
    logs : tuple of str
        Those it estimates as logarithms.
    location : str
        The one to which effects are added, on its estimation scale; blank for none.
    recipe : tuple of (str, str)
        Our parameters as formulas of the numbers on the estimation scale, in braces.
    on_time_scale : tuple of str
        Numbers that are logarithms of a time on the estimation scale.
    says : str
        Its survival function, for messages.
    """

    name: str
    family: str
    words: tuple[str, ...] = ()
    parameters: tuple[str, ...]
    logs: tuple[str, ...]
    location: str
    recipe: tuple[tuple[str, str], ...]
    on_time_scale: tuple[str, ...] = ()
    says: str = ""


def _same(
    name: str,
    family: str,
    location: str,
    *words: str,
    times: tuple[str, ...] = (),
    says: str = "",
) -> Parametrisation:
    """Give a family that flexsurv writes as we do."""
    model = Model(family=CURVES[family])
    return Parametrisation(
        name=name,
        family=family,
        words=words,
        parameters=model.own,
        logs=tuple(one for one in model.own if one in model.family.positive),
        location=location,
        recipe=model.recipe,
        on_time_scale=times,
        says=says,
    )


_GAMMA_BY_STACY = (
    ("mu", "{scale} + ({k})/exp({shape})"),
    ("sigma", "exp(-({shape}) - ({k})/2)"),
    ("Q", "exp(-({k})/2)"),
)
_F_BY_S1_S2 = (
    ("mu", "{mu}"),
    ("sigma", "exp({sigma})*sqrt(exp(-({s1})) + exp(-({s2})))"),
    ("Q", "(exp(-({s1})) - exp(-({s2})))/sqrt(exp(-({s1})) + exp(-({s2})))"),
    ("P", "2/(exp({s1}) + exp({s2}))"),
)

#: flexsurv's families, which survHE's printed tables and draws name in the same way.
PARAMETRISATIONS: tuple[Parametrisation, ...] = (
    _same("exp", "exponential", "rate", "exponential", says="exp(-rate t)"),
    _same(
        *("weibull", "weibull", "scale", "weibullaf", "weibullaft", "weibullquiet"),
        times=("scale",),
        says="exp(-(t/scale)^shape)",
    ),
    Parametrisation(
        name="weibullPH",
        family="weibull",
        parameters=("shape", "scale"),
        logs=("shape", "scale"),
        location="scale",
        recipe=(("shape", "exp({shape})"), ("scale", "exp(-({scale})/exp({shape}))")),
        says="exp(-scale t^shape)",
    ),
    _same("gompertz", "gompertz", "rate", says="exp(-(rate/shape)(exp(shape t) - 1))"),
    _same("gamma", "gamma", "rate", says="the gamma distribution of shape and rate"),
    _same(
        *("lnorm", "lognormal", "meanlog", "lognormal"),
        times=("meanlog",),
        says="the normal distribution of ln t",
    ),
    _same(
        *("llogis", "loglogistic", "scale", "loglogistic"),
        times=("scale",),
        says="1/(1 + (t/scale)^shape)",
    ),
    _same(
        *("gengamma", "gengamma", "mu", "generalisedgamma", "generalizedgamma"),
        times=("mu",),
        says="the generalised gamma of Prentice",
    ),
    _same(
        *("genf", "genf", "mu", "generalisedf", "generalizedf"),
        times=("mu",),
        says="the generalised F of Prentice",
    ),
    Parametrisation(
        name="gengamma.orig",
        family="gengamma",
        parameters=("shape", "scale", "k"),
        logs=("shape", "scale", "k"),
        location="scale",
        recipe=_GAMMA_BY_STACY,
        on_time_scale=("scale",),
        says="the generalised gamma of Stacy",
    ),
    Parametrisation(
        name="genf.orig",
        family="genf",
        parameters=("mu", "sigma", "s1", "s2"),
        logs=("sigma", "s1", "s2"),
        location="mu",
        recipe=_F_BY_S1_S2,
        on_time_scale=("mu",),
        says="the generalised F of s1 and s2",
    ),
)

#: Fitters of lifelines 0.19 and later, by their class names.
LIFELINES: tuple[Parametrisation, ...] = (
    Parametrisation(
        name="ExponentialFitter",
        family="exponential",
        parameters=("lambda_",),
        logs=("lambda_",),
        location="",
        recipe=(("rate", "exp(-({lambda_}))"),),
        on_time_scale=("lambda_",),
        says="exp(-t/lambda_)",
    ),
    Parametrisation(
        name="WeibullFitter",
        family="weibull",
        parameters=("lambda_", "rho_"),
        logs=("lambda_", "rho_"),
        location="",
        recipe=(("shape", "exp({rho_})"), ("scale", "exp({lambda_})")),
        on_time_scale=("lambda_",),
        says="exp(-(t/lambda_)^rho_)",
    ),
    Parametrisation(
        name="LogNormalFitter",
        family="lognormal",
        parameters=("mu_", "sigma_"),
        logs=("sigma_",),
        location="",
        recipe=(("meanlog", "{mu_}"), ("sdlog", "exp({sigma_})")),
        on_time_scale=("mu_",),
        says="the normal distribution of ln t",
    ),
    Parametrisation(
        name="LogLogisticFitter",
        family="loglogistic",
        parameters=("alpha_", "beta_"),
        logs=("alpha_", "beta_"),
        location="",
        recipe=(("shape", "exp({beta_})"), ("scale", "exp({alpha_})")),
        on_time_scale=("alpha_",),
        says="1/(1 + (t/alpha_)^beta_)",
    ),
    Parametrisation(
        name="GeneralizedGammaFitter",
        family="gengamma",
        parameters=("mu_", "ln_sigma_", "lambda_"),
        logs=(),
        location="",
        recipe=(("mu", "{mu_}"), ("sigma", "exp({ln_sigma_})"), ("Q", "{lambda_}")),
        on_time_scale=("mu_",),
        says="the generalised gamma of Prentice",
    ),
)


def normal(word: str) -> str:
    """Give a family's name without capitals, blanks and marks."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def find(word: str) -> Parametrisation | None:
    """Find a parametrisation by any of its names; splines are not among them."""
    wanted = normal(word)
    for one in (*PARAMETRISATIONS, *LIFELINES):
        if wanted in (normal(one.name), *one.words):
            return one
    return None


def is_spline(word: str) -> bool:
    """Whether a name is that of a Royston-Parmar spline."""
    return normal(word) in (SPLINE, "survspline", "flexsurvspline", "roystonparmar", "rps")


def spline(scale: str, knots: Sequence[float]) -> Parametrisation:
    """Give the parametrisation of a spline with knots on the scale of ln t."""
    names = tuple(f"gamma{place}" for place in range(len(knots)))
    return Parametrisation(
        name="survspline",
        family=SPLINE,
        parameters=names,
        logs=(),
        location="gamma0",
        recipe=tuple((name, f"{{{name}}}") for name in names),
        says=f"a spline on the scale {scale}",
    )


def with_parameters(names: Sequence[str]) -> tuple[Parametrisation, ...]:
    """Parametrisations whose parameters are exactly these, in any order."""
    wanted = {name for name in names if name != THETA}
    return tuple(one for one in (*PARAMETRISATIONS, *LIFELINES) if set(one.parameters) == wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignModel(Model):
    """A model whose numbers are those of another program.

    Attributes
    ----------
    form : Parametrisation
    """

    form: Parametrisation

    @property
    def own(self) -> tuple[str, ...]:
        """The program's parameters."""
        return self.form.parameters

    @property
    def on_log_scale(self) -> tuple[bool, ...]:
        """Which of `names` are estimated as logarithms."""
        return tuple(name in self.form.logs for name in self.names)

    @property
    def location(self) -> str:
        """The parameter to which effects are added."""
        return self.form.location

    @property
    def on_time_scale(self) -> tuple[str, ...]:
        """Numbers that are logarithms of a time on the estimation scale."""
        return self.form.on_time_scale

    @property
    def recipe(self) -> tuple[tuple[str, str], ...]:
        """Our parameters as formulas of the numbers."""
        return self.form.recipe

    def parameters(self, theta: FloatArray, group: NDArray[np.intp]) -> list[FloatArray]:
        """Our family's parameters of subjects ``(subject,)`` whose groups are given by index."""
        n = len(group)
        effects = np.concatenate(([0.0], theta[len(self.own) + bool(self.cure) :]))
        values = {name: np.full(n, float(theta[i])) for i, name in enumerate(self.own)}
        if self.location in values and len(effects) > 1:
            values[self.location] = values[self.location] + effects[group]
        found: Mapping[str, FloatArray] = {
            ours: parse(formula.format(**{name: name for name in self.own})).evaluate(values, n)
            for ours, formula in self.recipe
        }
        numbers = self.family.parameters[: len(self.family.parameters) - len(self.knots)]
        return [*(found[name] for name in numbers), *(np.asarray(knot) for knot in self.knots)]


def model_of(
    form: Parametrisation,
    *,
    scale: str = "",
    knots: Sequence[float] = (),
    cure: str = "",
    groups: tuple[str, ...] = ("",),
) -> ForeignModel:
    """Give the model of a parametrisation."""
    family = Spline(scale, len(knots)) if form.family == SPLINE else CURVES[form.family]
    return ForeignModel(
        family=family, knots=tuple(map(float, knots)), cure=cure, groups=groups, form=form
    )
