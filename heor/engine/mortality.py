"""Background mortality and population utility norms from a life table (methods 1.7 and 4).

Exact ages: within a year of age the hazard is constant, -ln(1 - q). Ages are in years, times in
years since the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heor.errors import ModelError

if TYPE_CHECKING:
    from heor.spec.parameters import FloatArray
    from heor.spec.records import LifeTable

#: Largest exponent used in the ratio of the two sexes' survival.
_LIMIT = 700.0

#: Years before a birthday from which it counts, so that the last digits of a time do not decide.
_NEAR = 1e-9


def hazards(table: LifeTable) -> tuple[FloatArray, FloatArray]:
    """Annual hazards of men and women at each age of the table.

    Parameters
    ----------
    table : LifeTable

    Returns
    -------
    tuple of two arrays ``(age,)``
        Per year. An age with q = 1 takes the hazard of the last age before it with q < 1.

    Raises
    ------
    ModelError
        If the first age has q = 1.
    """
    return _hazard(table, table.male, "male"), _hazard(table, table.female, "female")


def _hazard(table: LifeTable, q: FloatArray, sex: str) -> FloatArray:
    open_ages = q < 1.0
    if not open_ages[0]:
        raise ModelError(
            f"life_table: {sex} q is 1 at the first age, {table.age[0]:g}; it must be below 1 there"
        )
    last_open = np.maximum.accumulate(np.where(open_ages, np.arange(len(q)), 0))
    return -np.log1p(-q[last_open])


def cumulative_hazards(table: LifeTable) -> tuple[FloatArray, FloatArray]:
    """Cumulative hazards of men and women from the table's first age.

    Returns
    -------
    tuple of two arrays ``(age + 1,)``
        At the exact ages ``age[0], age[0] + 1, …``; the last is one year past the last age.
    """
    male, female = hazards(table)
    return _cumulate(male), _cumulate(female)


def _cumulate(hazard: FloatArray) -> FloatArray:
    return np.concatenate(([0.0], np.cumsum(hazard)))


def survivors(
    table: LifeTable,
    start_age: FloatArray,
    male_share: FloatArray,
    years: FloatArray,
    *,
    smr: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Share of a general-population cohort alive, and the share of men among them.

    Parameters
    ----------
    table : LifeTable
    start_age : array ``(draw,)``
        Exact age at the start (years).
    male_share : array ``(draw,)``
        Share of men at the start, 0..1.
    years : array ``(cycle,)``
        Times since the start, >= 0.
    smr : array ``(draw,)``, optional
        Standardised mortality ratio: the shares alive are raised to this power.

    Returns
    -------
    tuple of two arrays ``(draw, cycle)``
        N, or N^SMR; and the share of men among survivors, which the SMR leaves as it is. They may
        be read-only views of one row where all draws share age and share of men.

    Raises
    ------
    ModelError
        If a start age is below the table's first age.
    """
    rows = _distinct_rows(start_age, male_share)
    men, women = _hazards_since(table, start_age[rows], years)
    share = male_share[rows, None]
    # the share of men first: it needs the difference of the two hazards
    weight = np.subtract(men, women)
    np.minimum(weight, _LIMIT, out=weight)
    np.exp(weight, out=weight)
    weight *= 1.0 - share
    weight += share
    np.divide(share, weight, out=weight)
    shape = (len(start_age), len(years))
    total, weight = (
        np.broadcast_to(_mixed(men, women, share), shape),
        np.broadcast_to(weight, shape),
    )
    if smr is None:
        return total, weight
    return np.power(total, smr[:, None]), weight


def alive(
    table: LifeTable, start_age: FloatArray, male_share: FloatArray, years: FloatArray
) -> FloatArray:
    """Share of a general-population cohort alive, as `survivors` gives it, and nothing else."""
    rows = _distinct_rows(start_age, male_share)
    men, women = _hazards_since(table, start_age[rows], years)
    total = _mixed(men, women, male_share[rows, None])
    return np.broadcast_to(total, (len(start_age), len(years)))


def _mixed(men: FloatArray, women: FloatArray, share: FloatArray) -> FloatArray:
    """Survival of both sexes from their cumulative hazards, which are overwritten."""
    for hazard, weight in ((men, share), (women, 1.0 - share)):
        np.negative(hazard, out=hazard)
        np.exp(hazard, out=hazard)
        hazard *= weight
    men += women
    return men


def norms(
    table: LifeTable, start_age: FloatArray, male_share: FloatArray, years: FloatArray
) -> FloatArray:
    """Population utility norm of the survivors at each time.

    The norm of a sex is that of its age in whole years (beyond the table, the last row's); the
    sexes are weighted by their shares among survivors at that time.

    Parameters
    ----------
    table : LifeTable
    start_age, male_share : array ``(draw,)``
        Exact age (years) and share of men at the start.
    years : array ``(cycle,)``
        Times since the start, >= 0.

    Returns
    -------
    array ``(draw, cycle)``
        May be a read-only view, as in `survivors`.

    Raises
    ------
    ModelError
        If a start age is below the table's first age, or a norm that is needed is blank.
    """
    shape = (len(start_age), len(years))
    rows = _distinct_rows(start_age, male_share)
    _, weight = survivors(table, start_age[rows], male_share[rows], years)
    row, _ = _position(table, start_age[rows], years)
    value = np.zeros(weight.shape)
    for sex, norm, share in (
        ("male", table.utility_male, weight),
        ("female", table.utility_female, 1.0 - weight),
    ):
        needed = share > 0.0
        if np.isnan(norm).any() and np.isnan(norm[row[needed]]).any():
            age = table.age[row[needed & np.isnan(norm[row])].min()]
            raise ModelError(
                f"life_table: the study needs the {sex} utility norm at age {age:g}, which is blank"
            )
        value += np.where(needed, share * norm[row], 0.0)
    return np.broadcast_to(value, shape)


def _distinct_rows(start_age: FloatArray, male_share: FloatArray) -> slice:
    """Return the first draw alone where all share age and share of men, else every draw."""
    alike = np.all(start_age == start_age[0]) and np.all(male_share == male_share[0])
    return slice(0, 1) if alike else slice(None)


def _position(
    table: LifeTable, start_age: FloatArray, years: FloatArray
) -> tuple[NDArray[np.intp], FloatArray]:
    """Row of the table, and years since that row's age, ``(draw, cycle)``."""
    first = table.age[0]
    if np.any(start_age < first):
        raise ModelError(
            f"life_table: the study starts at age {start_age.min():g}, "
            f"but the table begins at age {first:g}"
        )
    since = np.add.outer(start_age - first, years)
    row = np.minimum((since + _NEAR).astype(np.intp), len(table.age) - 1)
    since -= row
    return row, since


def _hazards_since(
    table: LifeTable, start_age: FloatArray, years: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Cumulative hazards of men and women since the start, ``(draw, cycle)``."""
    row, since = _position(table, start_age, years)
    row_0, since_0 = _position(table, start_age, np.zeros(1))
    result = []
    for hazard in hazards(table):
        total = _cumulate(hazard)
        value = hazard.take(row)
        value *= since
        value += total.take(row)
        value -= total.take(row_0) + hazard.take(row_0) * since_0
        result.append(value)
    return result[0], result[1]
