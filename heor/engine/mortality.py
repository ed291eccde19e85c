"""Background mortality and population utility norms from a life table (methods 1.7 and 4).

Exact ages: within a year of age, and within a calendar year where the table has years, the hazard
is constant, -ln(1 - q). Ages are in years, times in years since the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heor.errors import ModelError

if TYPE_CHECKING:
    from heor.spec.expressions import Expression
    from heor.spec.parameters import FloatArray
    from heor.spec.records import LifeTable, Spec

#: Largest exponent used in the ratio of the two sexes' survival.
_LIMIT = 700.0

#: Years before a birthday from which it counts, so that the last digits of a time do not decide.
_NEAR = 1e-9

#: How far the shares of a cohort may be from summing to 1.
SHARES_TOLERANCE = 1e-9


def hazards(table: LifeTable) -> tuple[FloatArray, FloatArray]:
    """Annual hazards of men and women at each age of the table.

    Parameters
    ----------
    table : LifeTable

    Returns
    -------
    tuple of two arrays ``(age,)``, or ``(year, age)`` where the table has years
        Per year. An age with q = 1 takes the hazard of the last age before it with q < 1.

    Raises
    ------
    ModelError
        If the first age has q = 1.
    """
    return _hazard(table, table.male, "male"), _hazard(table, table.female, "female")


def _hazard(table: LifeTable, q: FloatArray, sex: str) -> FloatArray:
    open_ages = q < 1.0
    if not open_ages[..., 0].all():
        raise ModelError(
            f"life_table: {sex} q is 1 at the first age, {table.age[0]:g}; it must be below 1 there"
        )
    places = np.where(open_ages, np.arange(len(table.age)), 0)
    last_open = np.maximum.accumulate(places, axis=-1)
    return -np.log1p(-np.take_along_axis(q, last_open, axis=-1))


def cumulative_hazards(table: LifeTable) -> tuple[FloatArray, FloatArray]:
    """Cumulative hazards of men and women from the table's first age.

    Returns
    -------
    tuple of two arrays ``(age + 1,)``
        At the exact ages ``age[0], age[0] + 1, …``; the last is one year past the last age. Of a
        table without years.
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
    start_year: float | None = None,
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
    start_year : float, optional
        Calendar time at the start, for a table with years.
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
    men, women = _hazards_since(table, start_age[rows], years, start_year)
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
    table: LifeTable,
    start_age: FloatArray,
    male_share: FloatArray,
    years: FloatArray,
    start_year: float | None = None,
) -> FloatArray:
    """Share of a general-population cohort alive, as `survivors` gives it, and nothing else."""
    rows = _distinct_rows(start_age, male_share)
    men, women = _hazards_since(table, start_age[rows], years, start_year)
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
    table: LifeTable,
    start_age: FloatArray,
    male_share: FloatArray,
    years: FloatArray,
    start_year: float | None = None,
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
    start_year : float, optional
        Calendar time at the start, for a table with years.

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
    _, weight = survivors(table, start_age[rows], male_share[rows], years, start_year=start_year)
    row, _ = _position(table, start_age[rows], years)
    ages = row
    if table.year is not None:
        row = row + len(table.age) * _year_row(table, start_year, years)
    value = np.zeros(weight.shape)
    for sex, norm, share in (
        ("male", table.utility_male, weight),
        ("female", table.utility_female, 1.0 - weight),
    ):
        needed = share > 0.0
        found = norm.take(row)
        missing = needed & np.isnan(found)
        if missing.any():
            age = table.age[ages[missing].min()]
            raise ModelError(
                f"life_table: the study needs the {sex} utility norm at age {age:g}, which is blank"
            )
        value += np.where(needed, share * found, 0.0)
    return np.broadcast_to(value, shape)


def _distinct_rows(start_age: FloatArray, male_share: FloatArray) -> slice:
    """Return the first draw alone where all share age and share of men, else every draw."""
    alike = np.all(start_age == start_age[0]) and np.all(male_share == male_share[0])
    return slice(0, 1) if alike else slice(None)


def _position(
    table: LifeTable, start_age: FloatArray, years: FloatArray
) -> tuple[NDArray[np.intp], FloatArray]:
    """Row of the table, and years since that row's age, ``(draw, cycle)``."""
    _check_start(table, start_age)
    since = np.add.outer(start_age - table.age[0], years)
    row = _whole_years(since, len(table.age))
    since -= row
    return row, since


def _check_start(table: LifeTable, start_age: FloatArray) -> None:
    if np.any(start_age < table.age[0]):
        raise ModelError(
            f"life_table: the study starts at age {start_age.min():g}, "
            f"but the table begins at age {table.age[0]:g}"
        )


def _whole_years(since: FloatArray, rows: int) -> NDArray[np.intp]:
    """Row of a time since the first row; the last row holds beyond the table."""
    return np.minimum((since + _NEAR).astype(np.intp), rows - 1)


def _year_row(table: LifeTable, start_year: float | None, years: FloatArray) -> NDArray[np.intp]:
    """Row of the calendar year at each time, ``(cycle,)``; the last year holds beyond the table."""
    assert table.year is not None
    if start_year is None or start_year < table.year[0]:
        raise ModelError(
            f"life_table: its years begin in {table.year[0]:g}, and start_year is "
            f"{'not given' if start_year is None else f'{start_year:g}'}"
        )
    return _whole_years(start_year - table.year[0] + years, len(table.year))


def _hazards_since(
    table: LifeTable, start_age: FloatArray, years: FloatArray, start_year: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Cumulative hazards of men and women since the start, ``(draw, cycle)``."""
    if table.year is not None:
        return _hazards_by_year(table, start_age, years, start_year)
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


def _hazards_by_year(
    table: LifeTable, start_age: FloatArray, years: FloatArray, start_year: float | None
) -> tuple[FloatArray, FloatArray]:
    """Cumulative hazards along age and calendar time together, ``(draw, cycle)``.

    The hazard changes at every birthday and every new year, so between times that lie whole years
    after the first of each.
    """
    assert table.year is not None
    birthday = 1.0 - np.mod(start_age, 1.0)
    new_year = np.full_like(birthday, 1.0 - np.mod(start_year or 0.0, 1.0))
    first, second = np.minimum(birthday, new_year)[:, None], np.maximum(birthday, new_year)[:, None]
    count = np.arange(np.floor(years.max(initial=0.0)) + 2.0)
    # (draw, piece): times at which a piece begins and ends, first and second of each year in turn
    ends = np.stack([first + count, second + count], axis=2).reshape(len(birthday), -1)
    begins = np.concatenate([np.zeros_like(first), ends[:, :-1]], axis=1)
    length = ends - begins
    middle = (begins + ends) / 2
    # ages and years of a piece are those in its middle; one without length counts for nothing
    _check_start(table, start_age)
    row = _whole_years(start_age[:, None] - table.age[0] + middle, len(table.age))
    row += len(table.age) * _year_row(table, start_year, middle)
    piece = _pieces_before(years, first) + _pieces_before(years, second)
    since = years - np.take_along_axis(begins, piece, axis=1)
    result = []
    for hazard in hazards(table):
        by_piece = hazard.take(row)
        total = np.cumsum(by_piece * length, axis=1) - by_piece * length
        value = np.take_along_axis(by_piece, piece, axis=1) * since
        value += np.take_along_axis(total, piece, axis=1)
        result.append(value)
    return result[0], result[1]


def _pieces_before(years: FloatArray, first: FloatArray) -> NDArray[np.intp]:
    """How many of the times ``first``, ``first + 1``, … have come, ``(draw, cycle)``."""
    return np.floor(years - first + _NEAR).astype(np.intp) + 1


@dataclass(frozen=True, slots=True)
class Part:
    """People of one age at the start: age, share of men, share of the cohort; ``(draw,)`` each."""

    start_age: FloatArray
    male_share: FloatArray
    share: FloatArray


class Population:
    """The general population of a cohort's ages and sexes (methods 1.7).

    Parameters
    ----------
    table : LifeTable
    parts : sequence of Part
        The ages at the start; their shares sum to 1.
    start_year : float, optional
        Calendar time at the start, for a table with years.
    """

    def __init__(
        self, table: LifeTable, parts: Sequence[Part], start_year: float | None = None
    ) -> None:
        self._table, self._parts, self._start_year = table, tuple(parts), start_year

    @property
    def youngest(self) -> float:
        """Lowest age at the start over parts and draws."""
        return min(float(part.start_age.min()) for part in self._parts)

    def alive(self, years: FloatArray) -> FloatArray:
        """N: share alive at each time, ``(draw, cycle)``; may be a read-only view of one row."""
        if len(self._parts) == 1:
            return self._of(alive, self._parts[0], years)
        return self._over_draws(years, lambda parts: _added(self._shares(parts, years)))

    def norms(self, years: FloatArray) -> FloatArray:
        """Utility norm of the survivors at each time, ``(draw, cycle)``; see `norms`.

        Where nobody is left it is that at the start.
        """
        if len(self._parts) == 1:
            return self._of(norms, self._parts[0], years)
        return self._over_draws(years, lambda parts: self._mixed_norms(parts, years))

    def rows(self, rows: NDArray[np.intp] | slice) -> Population:
        """Give the population of some draws."""
        parts = [Part(p.start_age[rows], p.male_share[rows], p.share[rows]) for p in self._parts]
        return Population(self._table, parts, self._start_year)

    def _of(self, what: Callable[..., FloatArray], part: Part, years: FloatArray) -> FloatArray:
        return what(self._table, part.start_age, part.male_share, years, self._start_year)

    def _over_draws(
        self, years: FloatArray, compute: Callable[[Sequence[Part]], FloatArray]
    ) -> FloatArray:
        """Compute one draw alone where all draws are alike."""
        columns = [c for p in self._parts for c in (p.start_age, p.male_share, p.share)]
        draws = len(columns[0])
        alike = all(np.all(column == column[0]) for column in columns)
        value = compute(self.rows(slice(0, 1))._parts if alike else self._parts)
        return np.broadcast_to(value, (draws, len(years)))

    def _shares(self, parts: Sequence[Part], years: FloatArray) -> list[FloatArray]:
        return [part.share[:, None] * self._of(alive, part, years) for part in parts]

    def _mixed_norms(self, parts: Sequence[Part], years: FloatArray) -> FloatArray:
        shares = self._shares(parts, years)
        total = _added(shares)
        value = _added([s * self._of(norms, p, years) for p, s in zip(parts, shares, strict=True)])
        none = np.zeros(1)
        start = _added([p.share[:, None] * self._of(norms, p, none) for p in parts])
        return np.divide(value, total, out=np.zeros_like(total) + start, where=total > 0)


def _added(arrays: Sequence[FloatArray]) -> FloatArray:
    total = arrays[0].copy()
    for array in arrays[1:]:
        total += array
    return total


def population(
    spec: Spec, values: Callable[[Expression], FloatArray], first_draw: int = 1
) -> Population:
    """Give the general population of a study in a block of draws.

    Parameters
    ----------
    spec : Spec
    values : callable
        Value of an expression in each draw, ``(draw, 1)``.
    first_draw : int
        The block's first number, for messages.

    Raises
    ------
    ModelError
        When the study has no life table or no age at the start, or the shares of a cohort are no
        shares.
    """
    if spec.life_table is None or not spec.cohort_parts:
        raise ModelError("background mortality and norms need a life table and an age at the start")
    parts = [
        Part(*(values(e)[:, 0] for e in (part.age, part.male_share, part.share)))
        for part in spec.cohort_parts
    ]
    total = _added([part.share for part in parts])
    lowest = np.minimum.reduce([part.share for part in parts])
    wrong = ~((np.abs(total - 1.0) <= SHARES_TOLERANCE) & (lowest >= 0.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ModelError(
            f"cohort, draw {first_draw + row}: shares sum to {total[row]:.12g}, the lowest is "
            f"{lowest[row]:.6g}; they must sum to 1 and be 0 or more"
        )
    return Population(spec.life_table, parts, spec.settings.start_year)
