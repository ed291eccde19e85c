"""Parameters that are drawn together: correlated, multivariate normal, shares, empirical rows.

Methods 7.1 and 7.2. What is found wrong is collected as problems with their places, so that the
reader can show all at once and drawing refuses the same things.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heor.errors import Problem
from heor.spec.distributions import agreement, make_dirichlet
from heor.spec.parameters import Correlation, Parameter
from heor.spec.sampling import NotPositiveDefiniteError, cholesky

FloatArray = NDArray[np.float64]

#: Distances in SDs beyond which a base value contradicts its distribution (methods 7.1).
AGREEMENT_ERROR = 0.25
#: How far the base values of a set of shares may be from summing to 1.
SHARES_TOLERANCE = 0.01
#: How far a standard error may be from the one of the covariance table, as a share of it.
SD_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelatedGroup:
    """Members whose normal scores have a given correlation.

    Parameters
    ----------
    name : str
        As in the ``correlations`` table.
    members : tuple of str
        Parameter ids, sorted, so that the order of the tables changes no draw. A member that has
        become fixed stays, so that the others keep their draws.
    matrix : array ``(member, member)``
        Correlation of the normal scores.
    sds : tuple of float
        Of a multivariate normal group, the SD of each member; empty for rank correlations.
    """

    name: str
    members: tuple[str, ...]
    matrix: FloatArray
    sds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareGroup:
    """Members of one Dirichlet, sorted, with their alphas."""

    name: str
    members: tuple[str, ...]
    alphas: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """All groups of a study, and what is wrong with them."""

    correlated: tuple[CorrelatedGroup, ...]
    shares: tuple[ShareGroup, ...]
    problems: tuple[Problem, ...]


def find_groups(
    parameters: Mapping[str, Parameter],
    correlations: Sequence[Correlation],
    empirical: Mapping[str, FloatArray],
) -> Groups:
    """Collect the groups of a study.

    Parameters
    ----------
    parameters : mapping of str to Parameter
        All parameters, by id.
    correlations : sequence of Correlation
        Rows of ``correlations``. A pair of a group without a row has correlation 0.
    empirical : mapping of str to array ``(draw,)``
        Columns of ``draws``.

    Returns
    -------
    Groups
        A group with a problem is left out of ``correlated`` and ``shares``.
    """
    problems: list[Problem] = []
    rows: dict[str, list[Correlation]] = {}
    for row in correlations:
        if _known(row, parameters, problems):
            rows.setdefault(row.group, []).append(row)
    for parameter in parameters.values():
        if _kind(parameter) == "multivariate_normal" and parameter.correlation_group:
            rows.setdefault(parameter.correlation_group, [])
    correlated = []
    taken: dict[str, str] = {}
    for name, group_rows in rows.items():
        members = _members(name, group_rows, parameters)
        for member in members:
            if member in taken:
                message = (
                    f"'{member}' stands in two correlation groups, '{taken[member]}' and '{name}'; "
                    "put their pairs into one group"
                )
                problems.append(Problem(parameters[member].place, message))
            taken.setdefault(member, name)
        normal = any(_kind(parameters[m]) == "multivariate_normal" for m in members)
        build = _normal_group if normal else _rank_group
        group = build(name, members, group_rows, parameters, problems)
        if group is not None and _positive_definite(group, group_rows, parameters, problems):
            correlated.append(group)
    for parameter in parameters.values():
        if _kind(parameter) == "empirical" and parameter.id not in empirical:
            message = f"the table draws has no column '{parameter.id}'"
            problems.append(Problem(parameter.place, message))
        if _kind(parameter) == "multivariate_normal" and parameter.id not in taken:
            message = "a multivariate_normal needs the name of its group in correlation_group"
            problems.append(Problem(parameter.place, message))
    shares = _share_groups(parameters, problems)
    return Groups(correlated=tuple(correlated), shares=shares, problems=tuple(problems))


def _kind(parameter: Parameter) -> str:
    """Name of the distribution a parameter is drawn from; "" when it is fixed or derived."""
    if parameter.expression is not None or parameter.distribution is None:
        return ""
    return "" if parameter.distribution.name == "fixed" else parameter.distribution.name


def _known(row: Correlation, parameters: Mapping[str, Parameter], problems: list[Problem]) -> bool:
    unknown = [name for name in (row.row, row.column) if name not in parameters]
    for name in dict.fromkeys(unknown):
        problems.append(Problem(row.place, f"unknown parameter '{name}'"))
    if not math.isfinite(row.value):
        problems.append(Problem(row.place, f"a finite number is needed, found {row.value}"))
    return not unknown and math.isfinite(row.value)


def _members(
    name: str, rows: Sequence[Correlation], parameters: Mapping[str, Parameter]
) -> tuple[str, ...]:
    named = {member for row in rows for member in (row.row, row.column)}
    declared = {
        parameter.id
        for parameter in parameters.values()
        if _kind(parameter) == "multivariate_normal" and parameter.correlation_group == name
    }
    return tuple(sorted(named | declared))


def _cells(
    rows: Sequence[Correlation], problems: list[Problem]
) -> dict[tuple[str, str], Correlation]:
    """Rows by sorted pair; a pair may be given in both orders, with one value."""
    cells: dict[tuple[str, str], Correlation] = {}
    for row in rows:
        pair = (min(row.row, row.column), max(row.row, row.column))
        first = cells.setdefault(pair, row)
        if first.value != row.value:
            message = (
                f"'{row.row}' with '{row.column}' stands twice with different values, "
                f"{first.value:g} and {row.value:g}"
            )
            problems.append(Problem(row.place, message))
    return cells


def _rank_group(
    name: str,
    members: tuple[str, ...],
    rows: Sequence[Correlation],
    parameters: Mapping[str, Parameter],
    problems: list[Problem],
) -> CorrelatedGroup | None:
    """Spearman rank correlations by Gaussian copula: r = 2 sin(πρ/6) (methods 7.2)."""
    found: list[Problem] = []
    matrix = np.eye(len(members))
    for (first, second), row in _cells(rows, found).items():
        if not -1.0 <= row.value <= 1.0:
            message = f"a rank correlation must lie between -1 and 1, found {row.value:g}"
            found.append(Problem(row.place, message))
        elif first == second and row.value != 1.0:
            message = f"the rank correlation of '{first}' with itself is 1, found {row.value:g}"
            found.append(Problem(row.place, message))
        elif first != second:
            i, j = members.index(first), members.index(second)
            matrix[i, j] = matrix[j, i] = 2.0 * math.sin(math.pi * row.value / 6.0)
            found.extend(_unfit(row, parameters))
    problems.extend(found)
    return None if found else CorrelatedGroup(name=name, members=members, matrix=matrix)


def _unfit(row: Correlation, parameters: Mapping[str, Parameter]) -> list[Problem]:
    """Members of a rank correlation other than 0 that have no distribution of their own."""
    found = []
    for member in (row.row, row.column):
        parameter = parameters[member]
        if row.value == 0.0:
            continue
        if parameter.expression is not None:
            message = f"'{member}' is derived; correlate the parameters of its formula instead"
            found.append(Problem(row.place, message))
        elif _kind(parameter) in ("dirichlet", "empirical"):
            message = (
                f"'{member}' is {_kind(parameter)}, drawn jointly already, and takes no rank "
                "correlation"
            )
            found.append(Problem(row.place, message))
    return found


def _normal_group(
    name: str,
    members: tuple[str, ...],
    rows: Sequence[Correlation],
    parameters: Mapping[str, Parameter],
    problems: list[Problem],
) -> CorrelatedGroup | None:
    """Multivariate normal: rows are covariances, the diagonal also from standard errors."""
    found: list[Problem] = []
    cells = _cells(rows, found)
    sds: dict[str, float] = {}
    for member in members:
        parameter = parameters[member]
        if _kind(parameter) not in ("", "multivariate_normal"):
            message = (
                f"'{member}' is {_kind(parameter)}, but other members of group '{name}' are "
                "multivariate_normal; all of a group must be"
            )
            found.append(Problem(parameter.place, message))
            continue
        sd = _sd(parameter, cells.get((member, member)), found)
        if sd is not None:
            sds[member] = sd
    kept = tuple(member for member in members if member in sds)
    matrix = np.eye(len(kept))
    for (first, second), row in cells.items():
        if first != second and first in sds and second in sds:
            i, j = kept.index(first), kept.index(second)
            matrix[i, j] = matrix[j, i] = row.value / (sds[first] * sds[second])
    problems.extend(found)
    if found:
        return None
    return CorrelatedGroup(
        name=name, members=kept, matrix=matrix, sds=tuple(sds[member] for member in kept)
    )


def _sd(
    parameter: Parameter, diagonal: Correlation | None, problems: list[Problem]
) -> float | None:
    """SD of a member, from the table or else from its se; None for a fixed one that has neither."""
    from_se = math.nan
    if _kind(parameter) and parameter.distribution is not None:
        from_se = parameter.distribution.sd
    if diagonal is None:
        if not _kind(parameter):
            return None
        if math.isnan(from_se):
            message = (
                f"'{parameter.id}' has no variance: give its se, or its covariance with itself"
            )
            problems.append(Problem(parameter.place, message))
            return None
        return from_se
    if not diagonal.value > 0:
        message = f"a variance must be above 0, found {diagonal.value:g}"
        problems.append(Problem(diagonal.place, message))
        return None
    sd = math.sqrt(diagonal.value)
    if abs(from_se - sd) > SD_TOLERANCE * sd:
        message = (
            f"se is {from_se:g}, but the covariance table gives {sd:g} "
            f"(the root of {diagonal.value:g}); leave se empty or make them agree"
        )
        problems.append(Problem(parameter.place, message))
    return sd


def _positive_definite(
    group: CorrelatedGroup,
    rows: Sequence[Correlation],
    parameters: Mapping[str, Parameter],
    problems: list[Problem],
) -> bool:
    try:
        cholesky(group.matrix)
    except NotPositiveDefiniteError as error:
        pair = {group.members[error.row], group.members[error.column]}
        place = next(
            (row.place for row in rows if {row.row, row.column} == pair),
            parameters[group.members[error.row]].place,
        )
        what = "covariances" if group.sds else "correlations"
        first, second = group.members[error.column], group.members[error.row]
        strength = group.matrix[error.row, error.column]
        message = (
            f"the {what} of group '{group.name}' contradict each other at '{first}' and "
            f"'{second}' (correlation {strength:.3g}): the matrix must be positive definite; "
            "bring this pair, or the others of its members, closer to 0"
        )
        problems.append(Problem(place, message))
        return False
    return True


def _share_groups(
    parameters: Mapping[str, Parameter], problems: list[Problem]
) -> tuple[ShareGroup, ...]:
    by_name: dict[str, list[Parameter]] = {}
    for parameter in parameters.values():
        if _kind(parameter) == "dirichlet":
            by_name.setdefault(parameter.correlation_group, []).append(parameter)
    groups = []
    for name, members in by_name.items():
        members.sort(key=lambda parameter: parameter.id)
        found = _wrong_shares(name, members)
        problems.extend(found)
        if not found:
            groups.append(
                ShareGroup(
                    name=name,
                    members=tuple(member.id for member in members),
                    alphas=tuple(_alpha(member) for member in members),
                )
            )
    return tuple(groups)


def _alpha(parameter: Parameter) -> float:
    assert parameter.distribution is not None
    return parameter.distribution.parameters[0]


def _wrong_shares(name: str, members: Sequence[Parameter]) -> list[Problem]:
    place = members[0].place
    if not name:
        message = "a dirichlet needs the name of its set of shares in correlation_group"
        return [Problem(member.place, message) for member in members]
    if len(members) == 1:
        message = f"the set of shares '{name}' has one row; a dirichlet needs two or more"
        return [Problem(place, message)]
    total = math.fsum(member.value for member in members)
    if abs(total - 1.0) > SHARES_TOLERANCE:
        message = (
            f"the values of the shares '{name}' sum to {total:g}, not 1; where one share is "
            "changed, change them all"
        )
        return [Problem(place, message)]
    found = []
    alphas = math.fsum(_alpha(member) for member in members)
    for member in members:
        marginal = make_dirichlet(_alpha(member), alphas)
        distance = agreement(marginal, member.value)
        if distance is not None and distance > AGREEMENT_ERROR:
            message = (
                f"value {member.value:g} is {distance:.2g} standard deviations from the mean "
                f"{marginal.mean:.4g} of its dirichlet; it must be the mean"
            )
            found.append(Problem(member.place, message))
    return found
