"""Fits of other programs as estimates for the tables (methods 2.12).

A printed or written fit says numbers and names; here they get a family, a scale and a covariance.
What cannot be told from the file is asked for, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special

from heor.errors import InputErrors, Place, Problem
from heor.fitting import foreign
from heor.fitting.foreign import THETA, ForeignModel, Parametrisation
from heor.fitting.import_scales import estimation_scale, joint_covariance
from heor.fitting.printed import LIFELINES, NATURAL, SURVHE, TRANSFORMED, Found, Matrix
from heor.fitting.table_rows import Estimate
from heor.spec.parameters import FloatArray
from heor.spec.records import SPLINE_KNOTS, SPLINE_SCALES

#: What to do where a file has standard errors but no covariance.
WITHOUT = ("independent", "fixed")

#: Label of the group whose covariates are all 0.
REFERENCE = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the user says about a fit; blank for what the file says.

    Attributes
    ----------
    family : str
        In flexsurv's, survHE's or our words.
    scale, knots : str, tuple of float
        Of a spline.
    cure : str
        ``mixture`` or ``non_mixture``.
    estimates : str
        `heor.fitting.printed.NATURAL` or `TRANSFORMED`.
    matrix : Matrix or None
        Covariance from a file of its own.
    without : str
        One of `WITHOUT`.
    by, reference : str
        Covariate whose levels are groups, and the label of its first level.
    """

    family: str = ""
    scale: str = ""
    knots: tuple[float, ...] = ()
    cure: str = ""
    estimates: str = ""
    matrix: Matrix | None = None
    without: str = WITHOUT[0]
    by: str = ""
    reference: str = REFERENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A fit that can be written as rows.

    Attributes
    ----------
    estimate : Estimate
        Its model is a `heor.fitting.foreign.ForeignModel`.
    program, word : str
        Where it comes from, and the family there.
    place : str
        File and line.
    warnings : tuple of str
        What the user must know: a covariance that is missing, a scale that was found out.
    """

    estimate: Estimate
    program: str
    word: str
    place: str
    warnings: tuple[str, ...]

    @property
    def model(self) -> ForeignModel:
        """Its model."""
        model = self.estimate.model
        assert isinstance(model, ForeignModel)
        return model

    def survival(self, time: FloatArray, group: int = 0) -> FloatArray:
        """Survival at each time ``(time,)`` of a group, by its place."""
        place = np.full(len(time), group)
        return np.exp(self.model.log_survival(self.estimate.theta, time, place))


def resolve(found: Sequence[Found], choices: Choices) -> list[Imported]:
    """Give every fit its family, scale and covariance.

    Raises
    ------
    InputErrors
        With everything that cannot be told, or does not agree, in any of the fits.
    """
    made, problems = [], []
    if choices.matrix is not None and len(found) > 1:
        message = f"one covariance for {len(found)} fits; put each fit into a file of its own"
        raise InputErrors([Problem(Place(choices.matrix.file), message)])
    for one in found:
        resolver = _Resolver(one, choices)
        imported = resolver.imported()
        problems += resolver.problems
        if imported is not None:
            made.append(imported)
    if problems:
        raise InputErrors(problems)
    return made


class _Resolver:
    def __init__(self, found: Found, choices: Choices) -> None:
        self._found = found
        self._choices = choices
        self.problems: list[Problem] = []
        self._warnings: list[str] = []
        rows = [row.name for row in found.rows]
        self._names = list(found.draws) if found.draws else rows

    def _problem(self, message: str, name: str = "") -> None:
        line = next((row.line for row in self._found.rows if row.name == name), self._found.line)
        self.problems.append(Problem(Place(self._found.file, row=line, column=name), message))

    def imported(self) -> Imported | None:
        doubled = {name for name in self._names if self._names.count(name) > 1}
        for name in sorted(doubled):
            self._problem("the name stands twice", name)
        cure = self._cure()
        form, scale, knots = self._form()
        if form is None or self.problems:
            return None
        groups, labels = self._groups(form, cure)
        missing = [name for name in form.parameters if name not in self._names]
        if cure and THETA not in self._names:
            missing.append(THETA)
        if missing:
            wanted = ", ".join(form.parameters)
            self._problem(
                f"{', '.join(missing)} missing: {form.name} has {wanted}; "
                f"found {', '.join(self._names)}"
            )
        if self.problems:
            return None
        model = foreign.model_of(form, scale=scale, knots=knots, cure=cure, groups=groups)
        order = [*form.parameters, *([THETA] if cure else []), *labels]
        estimate = self._drawn(model, order) if self._found.draws else self._fitted(model, order)
        if estimate is None or self.problems:
            return None
        return Imported(
            estimate=estimate,
            program=self._found.program,
            word=self._found.word or form.name,
            place=f"{self._found.file}, row {self._found.line}",
            warnings=tuple(self._warnings),
        )

    # --- family ----------------------------------------------------------------------------

    def _cure(self) -> str:
        call = self._found.call
        cure = self._choices.cure
        if re.match(r"(?:flexsurvcure::)?flexsurvcure\(", call):
            other = re.search(r"mixture\s*=\s*(F|FALSE)\b", call)
            cure = "non_mixture" if other else "mixture"
            link = re.search(r"\blink\s*=\s*[\"'](\w+)", call)
            if link and link[1] != "logistic":
                self._problem(f"link `{link[1]}` of flexsurvcure; only `logistic` can be read")
        elif THETA in self._names and not cure:
            self._problem(
                "theta is a cured share, of a mixture or of a non-mixture: say --cure mixture, or "
                "--cure non_mixture",
                THETA,
            )
        if cure == "non_mixture":
            self._problem("the table `curves` has cured shares of mixtures only, not non-mixtures")
        return cure

    def _form(self) -> tuple[Parametrisation | None, str, tuple[float, ...]]:
        said, word = self._choices.family, self._found.word
        if said and word and self._key(said) != self._key(word):
            self._problem(f"the file says {word}, --family {said}")
            return None, "", ()
        chosen = said or word
        gammas = [name for name in self._names if re.fullmatch(r"gamma\d+", name)]
        if foreign.is_spline(chosen) or (not chosen and gammas):
            return self._spline(gammas)
        if not chosen:
            return self._by_names(), "", ()
        if not said and self._found.program == SURVHE and foreign.normal(word) == "weibull":
            self._problem(
                "`Weibull` may be of accelerated failure or of proportional hazards: say --family "
                "weibull for exp(-(t/scale)^shape), or weibullPH for exp(-scale t^shape)"
            )
            return None, "", ()
        form = foreign.find(chosen)
        if form is None:
            self._problem(f"`{chosen}` is not a family that can be read; allowed: {_allowed()}")
        return form, "", ()

    def _key(self, word: str) -> str:
        form = foreign.find(word)
        return "spline" if foreign.is_spline(word) else form.name if form else word

    def _by_names(self) -> Parametrisation | None:
        forms = (*foreign.PARAMETRISATIONS, *foreign.LIFELINES)
        known = {name for form in forms for name in form.parameters}
        wanted = known & set(self._names)
        fitting = [form for form in forms if set(form.parameters) == wanted]
        if len(fitting) == 1:
            self._warnings.append(
                f"The family is taken from the names {', '.join(fitting[0].parameters)}: "
                f"{fitting[0].name}."
            )
            return fitting[0]
        if fitting:
            each = "; ".join(f"{form.name}: {form.says}" for form in fitting)
            words = f"{', '.join(sorted(wanted))} may be of several families, say --family: {each}"
        else:
            words = f"the family does not stand in the file, say --family: {_allowed()}"
        self._problem(words)
        return None

    def _spline(
        self, gammas: Sequence[str]
    ) -> tuple[Parametrisation | None, str, tuple[float, ...]]:
        call = self._found.call
        for argument, only in (("timescale", "log"), ("spline", "rp")):
            other = re.search(rf"\b{argument}\s*=\s*[\"']([^\"']+)", call)
            if other and other[1] != only:
                self._problem(f"{argument} = `{other[1]}`: only `{only}` can be read")
        written = re.search(r"\bscale\s*=\s*([^,)]+)", call)
        scale = self._choices.scale
        in_call = written[1].strip().strip("\"'") if written else "hazard" if call else ""
        if scale and in_call in SPLINE_SCALES and scale != in_call:
            self._problem(f"the call says scale `{in_call}`, --scale {scale}")
        scale = scale or in_call
        if scale not in SPLINE_SCALES:
            self._problem(
                f"the scale of the spline is not known: --scale {', '.join(SPLINE_SCALES)}"
            )
        knots = self._choices.knots or self._found.knots
        if not knots:
            self._problem(
                f"the printed fit has no knots: give fit$knots, {len(gammas)} numbers on the scale "
                'of ln t, as --knots "…", or paste them below the fit'
            )
        elif len(knots) != len(gammas):
            self._problem(
                f"{len(knots)} knots for {len(gammas)} gammas; there are as many, the two at the "
                "ends included"
            )
        elif not SPLINE_KNOTS[0] <= len(knots) <= SPLINE_KNOTS[1]:
            low, high = SPLINE_KNOTS
            self._problem(f"{len(knots)} knots; a curve has {low} to {high}, the ends included")
        elif any(b <= a for a, b in pairwise(knots)):
            self._problem(f"the knots {' '.join(f'{knot:g}' for knot in knots)} do not rise")
        if self.problems:
            return None, "", ()
        return foreign.spline(scale, knots), scale, tuple(knots)

    # --- groups ----------------------------------------------------------------------------

    def _groups(self, form: Parametrisation, cure: str) -> tuple[tuple[str, ...], list[str]]:
        """Give labels of groups, reference first, and the names of their effects."""
        own = {*form.parameters, *([THETA] if cure else [])}
        effects = [name for name in self._names if name not in own]
        by = self._choices.by
        if not effects:
            if by:
                self._problem(f"--by {by}: the fit has no covariate")
            return ("",), []
        self._check_effects(form, effects, cure)
        terms = _terms(self._found.call)
        if not by and len(terms) == 1:
            by = terms[0]
        if not by and len(effects) > 1:
            named = ", ".join(f"`{name}`" for name in effects)
            self._problem(
                f"several names beside the parameters of {form.name} "
                f"({', '.join(form.parameters)}): {named}; levels of one factor load with --by, "
                "its name; others cannot be groups"
                + (", and columns of no use are left out with --drop" if self._found.draws else "")
            )
            return ("",), []
        labels = [_level(name, by) for name in effects]
        for name, label in zip(effects, labels, strict=True):
            if label is None:
                self._problem(f"`{name}` is no level of `{by}`; only levels of one load", name)
        return (self._choices.reference, *(label or "" for label in labels)), effects

    def _check_effects(self, form: Parametrisation, effects: Sequence[str], cure: str) -> None:
        where = f"{form.name} has {', '.join(form.parameters)}"
        for name in effects:
            if re.fullmatch(r"\w+\(.+\)", name) and not re.match(r"(as\.)?factor\(", name):
                self._problem(
                    "a covariate on another parameter than the location cannot be read; fit each "
                    "group by itself",
                    name,
                )
            elif not form.location:
                self._problem(f"`{name}` is not a parameter: {where}", name)
        if cure:
            self._problem("covariates of flexsurvcure act on theta; fit each group by itself")
        inla = self._found.method.upper() == "INLA"
        if inla and form.name in ("weibull", "weibullPH", "llogis"):
            self._problem(
                f"the scale on which survHE prints INLA's effects for {form.name} is not "
                "documented; fit with `mle` or `hmc`, or each group by itself"
            )
        for row in self._found.rows:
            if row.name in effects and row.mean is not None and not 0 <= row.mean <= 1:
                self._problem(
                    f"its mean in the data is {row.mean:g}, so it is not a group but a number; "
                    "only groups load",
                    row.name,
                )

    # --- numbers ---------------------------------------------------------------------------

    def _fitted(self, model: ForeignModel, order: Sequence[str]) -> Estimate | None:
        rows = {row.name: row for row in self._found.rows}
        kinds = dict.fromkeys(model.form.logs, "log") | {THETA: "logit"}
        scaled = estimation_scale(
            self._found, [rows[name] for name in order], kinds, self._choices.estimates
        )
        self._collect(scaled.problems, scaled.warnings)
        if self.problems:
            return None
        matrix = self._choices.matrix or self._found.matrix
        natural_first = self._found.program == LIFELINES or model.form in foreign.LIFELINES
        joint = joint_covariance(
            matrix, order, kinds, scaled, natural_first=natural_first, place=self._found.file
        )
        self._collect(joint.problems, joint.warnings)
        covariance = joint.covariance
        if matrix is None:
            covariance = self._alone(order, scaled.errors)
        if self.problems:
            return None
        return Estimate(
            model=model,
            theta=scaled.theta,
            covariance=covariance,
            groups=model.groups,
            form=self._form_words(model),
            note=self._note(model),
        )

    def _alone(self, order: Sequence[str], errors: FloatArray) -> FloatArray | None:
        """Covariance where none is given: none, or the squares of the standard errors."""
        if self._choices.without == "fixed":
            self._warnings.append(
                "The numbers are FIXED, as asked for: the PSA will not vary them."
            )
            return None
        for name, error in zip(order, errors, strict=True):
            if not (np.isfinite(error) and error > 0):
                self._problem(
                    "there is no standard error: give the covariance (--covariance, from "
                    "write.csv(vcov(fit))), or fix the numbers with --without-covariance fixed",
                    name,
                )
        if len(order) > 1:
            self._warnings.append(
                f"NO COVARIANCE: {', '.join(order)} will be drawn as if INDEPENDENT, which is "
                "wrong for nearly every fit. Give it by --covariance (write.csv(vcov(fit))), or "
                "choose --without-covariance fixed."
            )
        return np.diag(errors**2)

    def _drawn(self, model: ForeignModel, order: Sequence[str]) -> Estimate | None:
        logs = self._choices.estimates == TRANSFORMED
        if self._choices.matrix is not None:
            self._problem("--covariance is not for posterior draws, which are joint themselves")
        draws: dict[str, FloatArray] = {}
        for name, key in zip(model.names, order, strict=True):
            values = self._found.draws[key]
            log = key in model.form.logs
            if log and logs:
                values = np.exp(values)
            elif log and (values <= 0).any():
                row = int(np.argmax(values <= 0))
                self._problem(
                    f"draw {row + 1} is {values[row]:g}, but it must be above 0; where the columns "
                    "are logarithms say --estimates transformed",
                    key,
                )
            if key == THETA:
                values = special.expit(values) if logs else values
                if ((values <= 0) | (values >= 1)).any():
                    self._problem("draws of a cured share must be inside 0 to 1", key)
            draws[name] = values
        if self.problems:
            return None
        if not logs and model.form.logs:
            self._warnings.append(
                f"Draws of {', '.join(model.form.logs)} are taken as they are, on the natural "
                "scale; if they are logarithms say --estimates transformed."
            )
        count = len(next(iter(draws.values())))
        self._warnings.append(
            f"{count} joint draws: a PSA takes row i for draw i, {count} at most."
        )
        means = [draws[name].mean() for name in model.names]
        theta = [
            np.log(mean) if log else special.logit(mean) if name == "cure" else mean
            for name, log, mean in zip(model.names, model.on_log_scale, means, strict=True)
        ]
        return Estimate(
            model=model,
            theta=np.array(theta, dtype=float),
            covariance=None,
            groups=model.groups,
            form=self._form_words(model),
            note=self._note(model),
            draws=draws,
        )

    def _collect(self, problems: Sequence[tuple[str, str]], warnings: Sequence[str]) -> None:
        for name, message in problems:
            self._problem(message, name)
        self._warnings += warnings

    def _form_words(self, model: ForeignModel) -> str:
        """What tells it from others of its family, in the words that `heor fit` has."""
        parts = []
        if model.knots:
            inner = len(model.knots) - 2
            scale = getattr(model.family, "scale", "")
            parts.append(f"{scale}, {inner} knot{'' if inner == 1 else 's'}")
        elif model.form.name in ("weibullPH", "gengamma.orig", "genf.orig"):
            parts.append(model.form.name)
        if model.cure:
            parts.append("mixture cure")
        return ", ".join(parts)

    def _note(self, model: ForeignModel) -> str:
        found = self._found
        program = " ".join(filter(None, (found.program or "another program", found.method)))
        parts = [f"From {program}, {found.word or model.form.name}"]
        if "subjects" in found.facts:
            parts.append(f"{found.facts['subjects']} subjects")
        if "events" in found.facts:
            parts.append(f"{found.facts['events']} events")
        if "aic" in found.facts:
            parts.append(f"AIC {found.facts['aic']}")
        if found.draws:
            parts.append("posterior draws")
        elif (self._choices.matrix or found.matrix) is None and len(model.names) > 1:
            fixed = self._choices.without == "fixed"
            parts.append("no covariance: " + ("fixed" if fixed else "drawn independently"))
        return ", ".join(parts) + f"; {found.file.replace(chr(92), '/').rpartition('/')[2]}."


def _allowed() -> str:
    names = [form.name for form in foreign.PARAMETRISATIONS]
    return ", ".join((*names, "survspline"))


def _terms(call: str) -> list[str]:
    """Terms on the right of a call's formula; none where it is 1 or cannot be read."""
    found = re.search(r"~\s*([^,]+?)\s*(?:,\s*\w+\s*=|\)\s*$|$)", call)
    if not found or found[1].strip() == "1":
        return []
    return [term.strip() for term in re.split(r"[+*:]", found[1]) if term.strip()]


def _level(name: str, by: str) -> str | None:
    """Level of a factor that a name of R is; None where it is none of this factor."""
    if not by:
        return name
    for start in (by, f"as.factor({by})", f"factor({by})"):
        if name.startswith(start):
            return name.removeprefix(start).strip() or name
    return None


__all__ = ["NATURAL", "TRANSFORMED", "WITHOUT", "Choices", "Imported", "resolve"]
