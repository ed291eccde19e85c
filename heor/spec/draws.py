"""Tables of parameter values: the base row, one-way rows and probabilistic draws (methods 7)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import special

from heor.errors import HeorError, InputErrors, ModelError
from heor.spec.distributions import Distribution
from heor.spec.expressions import evaluation_order
from heor.spec.groups import Groups, find_groups
from heor.spec.parameters import Draws, Parameter
from heor.spec.records import SAMPLERS, Spec
from heor.spec.sampling import Points, Streams

FloatArray = NDArray[np.float64]

#: Category of methodological parameters, which the one-way analysis leaves out (methods 7.3).
METHODS_CATEGORY = "settings"


def base(spec: Spec) -> Draws:
    """One row: every parameter at its base value, derived ones computed."""
    return Draws(derive(spec, {p.id: np.array([p.value]) for p in _given(spec)}))


def alone(spec: Spec) -> tuple[tuple[Parameter, ...], tuple[tuple[str, str], ...]]:
    """Parameters that vary alone over an interval of their own (methods 7.3), and the others.

    Returns
    -------
    tuple of Parameter
        Those of the one-way analysis, in table order.
    tuple of (str, str)
        Id of every other uncertain parameter, and why it is left out.
    """
    together = drawn_together(spec)
    moving = tuple(p for p in _given(spec) if p.id not in together and _moves_alone(p))
    kept = {p.id for p in moving}
    return moving, tuple(
        (p.id, _reason(p, together))
        for p in spec.parameters.values()
        if p.id not in kept and p.distribution is not None
    )


def _reason(parameter: Parameter, together: Collection[str]) -> str:
    """Why an uncertain parameter does not vary alone."""
    if parameter.id in together:
        return "drawn jointly with others, so it does not vary alone"
    if parameter.category.strip().lower() == METHODS_CATEGORY:
        return "a choice of method, not an estimate"
    return "low and high are not given or do not differ from the value"


def one_way(spec: Spec) -> Draws:
    """Rows of the one-way analysis (methods 7.3).

    Returns
    -------
    Draws
        Row 0 is the base case; then the low and the high row of each parameter that has an
        interval of its own, in table order. Labels: ``parameter`` (``""`` in row 0) and ``bound``
        (``base``, ``low`` or ``high``).
    """
    moving, _ = alone(spec)
    n = 1 + 2 * len(moving)
    values = {p.id: np.full(n, p.value) for p in _given(spec)}
    for k, parameter in enumerate(moving):
        values[parameter.id][1 + 2 * k] = parameter.low
        values[parameter.id][2 + 2 * k] = parameter.high
    labels = {
        "parameter": np.array(["", *(p.id for p in moving for _ in range(2))], dtype=np.str_),
        "bound": np.array(["base", *("low", "high") * len(moving)], dtype=np.str_),
    }
    return Draws(derive(spec, values), labels)


def moved(spec: Spec, columns: Mapping[str, FloatArray]) -> Draws:
    """Rows in which some parameters take given values and the others their base values.

    Parameters
    ----------
    spec : Spec
        The study.
    columns : mapping of str to array ``(draw,)``
        Values by parameter, all of one length. A derived parameter takes its values too, in place
        of its formula, as with ``--set``.

    Returns
    -------
    Draws
        Every parameter ``(draw,)``, other derived ones recomputed.
    """
    n = len(next(iter(columns.values())))
    values = {p.id: np.full(n, p.value) for p in _given(spec)} | dict(columns)
    return Draws(derive(spec, values, given=columns))


def sample(
    spec: Spec,
    n: int,
    *,
    seed: int | None = None,
    sampler: str | None = None,
    replicate: int = 0,
    start: int = 0,
    skip: int = 0,
) -> Draws:
    """Draw every uncertain parameter (methods 7.1, 7.2).

    Parameters
    ----------
    spec : Spec
        The study; ``seed`` and ``sampler`` are its settings when left out.
    n : int
        Draws. For ``random`` and ``sobol`` a larger ``n`` keeps the first rows.
    seed : int, optional
        Zero or more.
    sampler : str, optional
        ``random``, ``latin_hypercube`` or ``sobol``.
    replicate : int
        Which independent randomisation, from 0.
    start : int
        Row of the ``draws`` table that the first draw takes: the number of draws in the
        replicates before this one.
    skip : int
        Draws to leave out first, so that ``n`` draws after ``skip`` others can be made by
        themselves; sampler ``random`` only.

    Returns
    -------
    Draws
        Every parameter ``(draw,)`` in table order, derived ones recomputed in each draw.

    Raises
    ------
    InputErrors
        When parameters drawn together contradict each other.
    ModelError
        When a drawn or derived value is not a finite number.
    HeorError
        When the sampler or a number makes no sense, or ``draws`` has too few rows.
    """
    seed = spec.settings.psa_seed if seed is None else seed
    sampler = spec.settings.psa_sampler if sampler is None else sampler
    _check(spec, n, seed, sampler, replicate, start, skip)
    groups = _groups(spec)
    drawn = _drawn(spec)
    streams = Streams(seed, n, sampler, replicate, _sobol_columns(drawn, groups), skip)

    def row(name: str) -> FloatArray:
        return _rows(name, spec.empirical[name], start + skip, n)

    return _from_streams(spec, groups, streams, row, start + skip)


def at(spec: Spec, points: Mapping[str, FloatArray]) -> Draws:
    """Draw every uncertain parameter at given uniform numbers instead of streams of its own.

    Parameters
    ----------
    spec : Spec
        The study.
    points : mapping of str to array ``(draw,)``
        Numbers strictly between 0 and 1 of every parameter with a distribution. Correlated ones
        are mixed, shares formed, as for `sample`; an empirical one takes the row of the table
        ``draws`` that lies at that share of it.
    """
    groups = _groups(spec)
    streams = Points(points)

    def row(name: str) -> FloatArray:
        column = np.asarray(spec.empirical[name], dtype=np.float64)
        return np.asarray(column[(points[name] * len(column)).astype(np.intp)])

    return _from_streams(spec, groups, streams, row, 0)


def _groups(spec: Spec) -> Groups:
    groups = find_groups(spec.parameters, spec.correlations, spec.empirical)
    if groups.problems:
        raise InputErrors(groups.problems)
    return groups


def _drawn(spec: Spec) -> dict[str, Distribution]:
    return {p.id: p.distribution for p in _given(spec) if p.distribution is not None}


def _from_streams(
    spec: Spec,
    groups: Groups,
    streams: Streams,
    row: Callable[[str], FloatArray],
    before: int,
) -> Draws:
    """Quantiles of uniform numbers; ``row`` gives the values of an empirical parameter."""
    drawn = _drawn(spec)
    uniforms, sds = _mixed_uniforms(streams, groups)
    values = {p.id: np.full(streams.n, p.value) for p in _given(spec) if p.id not in drawn}
    for name, distribution in drawn.items():
        if distribution.name == "empirical":
            values[name] = row(name)
        elif distribution.name == "dirichlet":
            alpha = distribution.parameters[0]
            values[name] = np.asarray(special.gammaincinv(alpha, streams.uniform(name)))
        else:
            if name in sds:
                distribution = Distribution(distribution.name, (distribution.mean, sds[name]))
            u = uniforms.pop(name) if name in uniforms else streams.uniform(name)
            values[name] = distribution.ppf(u)
    _share_out(values, groups)
    for name in drawn:
        _check_finite(spec.parameters[name], values[name], values, before)
    return Draws(derive(spec, values, before))


def derive(
    spec: Spec,
    values: Mapping[str, FloatArray],
    before: int = 0,
    given: Collection[str] = (),
) -> dict[str, FloatArray]:
    """Add the derived parameters to a table of values.

    Parameters
    ----------
    spec : Spec
        The study.
    values : mapping of str to array
        Every parameter that is not derived, each ``(draw,)``. Values of derived ones are replaced.
    before : int
        Draws before the first of these, for messages.
    given : collection of str
        Derived parameters that keep their values all the same.

    Returns
    -------
    dict of str to array
        Every parameter of the study ``(draw,)``, in table order.

    Raises
    ------
    ModelError
        When a derived value is not a finite number.
    CircularError
        When formulas refer to each other in a circle.
    """
    formulas = {
        p.id: p.expression
        for p in spec.parameters.values()
        if p.expression is not None and p.id not in given
    }
    known = {name: value for name, value in values.items() if name not in formulas}
    n = len(next(iter(known.values()))) if known else 1
    for name in evaluation_order(formulas):
        known[name] = formulas[name].evaluate(known, n)
        _check_finite(spec.parameters[name], known[name], known, before)
    return {name: known[name] for name in spec.parameters}


def _given(spec: Spec) -> list[Parameter]:
    """Parameters that are not derived, in table order."""
    return [p for p in spec.parameters.values() if p.expression is None]


def drawn_together(spec: Spec) -> frozenset[str]:
    """Ids of the parameters that do not vary alone: joint distributions and correlated pairs."""
    joint = {p.id for p in spec.parameters.values() if p.joint}
    for pair in spec.correlations:
        if pair.value != 0 and pair.row != pair.column:
            joint |= {pair.row, pair.column}
    return frozenset(joint)


def _moves_alone(parameter: Parameter) -> bool:
    low, high = parameter.low, parameter.high
    return (
        low is not None
        and high is not None
        and parameter.category.strip().lower() != METHODS_CATEGORY
        and (low, high) != (parameter.value, parameter.value)
    )


def _check(
    spec: Spec, n: int, seed: int, sampler: str, replicate: int, start: int, skip: int
) -> None:
    if sampler not in SAMPLERS:
        raise HeorError(f"unknown sampler '{sampler}'; allowed are {', '.join(SAMPLERS)}")
    for label, number, least in (
        ("number of draws", n, 1),
        ("seed", seed, 0),
        ("replicate", replicate, 0),
        ("first row", start, 0),
        ("number of draws to skip", skip, 0),
    ):
        if number < least:
            raise HeorError(f"the {label} must be {least} or more, found {number}")
    if skip and sampler != "random":
        raise HeorError(f"draws can be skipped with the sampler random only, not with {sampler}")
    if n > 1 and not _given(spec):
        raise HeorError("the study has no parameters, so there is nothing to draw")


def _sobol_columns(drawn: Mapping[str, Distribution], groups: Groups) -> list[str]:
    """Parameters that need uniform numbers, in table order; fixed members of groups come last."""
    needed = [name for name, d in drawn.items() if d.name not in ("empirical", "fixed")]
    members = [member for group in groups.correlated for member in group.members]
    return list(dict.fromkeys([*needed, *sorted(members)]))


def _mixed_uniforms(
    streams: Streams, groups: Groups
) -> tuple[dict[str, FloatArray], dict[str, float]]:
    """Uniform numbers of correlated members, and the SDs of multivariate normal ones."""
    uniforms: dict[str, FloatArray] = {}
    sds: dict[str, float] = {}
    for group in groups.correlated:
        uniforms.update(streams.mixed(group.members, group.matrix))
        if group.sds:
            sds.update(zip(group.members, group.sds, strict=True))
    return uniforms, sds


def _rows(name: str, column: FloatArray, start: int, n: int) -> FloatArray:
    """Rows ``start``.. of a column of the ``draws`` table: draw i is row i (methods 7.1)."""
    if start + n > len(column):
        raise HeorError(
            f"{start + n} draws were asked for, but the table draws has {len(column)} rows for "
            f"'{name}'; ask for at most {len(column)} draws or add rows"
        )
    return np.array(column[start : start + n], dtype=np.float64)


def _share_out(values: dict[str, FloatArray], groups: Groups) -> None:
    """Turn the gammas of each Dirichlet into shares that sum to 1, in place."""
    for group in groups.shares:
        total = np.zeros_like(values[group.members[0]])
        for member in group.members:
            total += values[member]
        with np.errstate(invalid="ignore"):
            for member in group.members:
                values[member] /= total


def _check_finite(
    parameter: Parameter, values: FloatArray, known: Mapping[str, FloatArray], before: int
) -> None:
    finite = np.isfinite(values)
    if finite.all():
        return
    row = int(np.argmin(finite))
    where = f" in draw {before + row + 1}" if len(values) > 1 else ""
    message = f"parameter '{parameter.id}' is not a finite number ({values[row]}){where}"
    if parameter.expression is not None:
        used = ", ".join(f"{name} = {known[name][row]:.6g}" for name in parameter.expression.names)
        message += f": {parameter.expression.text}" + (f" with {used}" if used else "")
    elif parameter.distribution is not None:
        message += f", drawn from {parameter.distribution.describe()}"
    raise ModelError(message)
