"""``Calc Background``: the general population's survival and utility norms (methods 1.7 and 4)."""

from __future__ import annotations

import numpy as np

from heor.report.live import (
    GRID_HEADING,
    GRID_ROW,
    Column,
    Grid,
    Term,
    exp,
    ln,
    put,
    raised,
    smallest,
    some,
    where,
    whole,
)
from heor.report.lookup import index
from heor.report.sheets.calc_population import Mixture
from heor.report.sheets.calc_time import HEAD_VALUE, boundaries, new_grid
from heor.report.sheets.layout import Context
from heor.report.xlsx import BOLD, HEADING, Sheet, Style

TITLE_BACKGROUND = "Calc Background"

_HEAD = 3
_SHARE = Style("formula", unit="number")
_RATE = Style("formula", unit="number")
_COUNT = Style("formula", unit="integer")
_LINK = Style("link", unit="number")

#: Largest exponent of the ratio of the two sexes' survival, as in the engine.
_LIMIT = 700

_SEXES = (("male", "men"), ("female", "women"))

#: Columns between the cycle grid and the table by age.
_GAP = 1


def has_background(ctx: Context) -> bool:
    """Whether the study has a population: life table, and ages and sexes at the start."""
    one_age = all(key in ctx.live for key in ("start_age", "male_share"))
    return "life_table age" in ctx.live and (one_age or "cohort age" in ctx.live)


def _is_mixture(ctx: Context) -> bool:
    """Whether ages at the start, or calendar years, are several."""
    return "cohort age" in ctx.live or "life_table year" in ctx.live


def _has_norms(ctx: Context) -> bool:
    return all(f"life_table utility_{sex}" in ctx.live for sex in ("male", "female"))


def write_background(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet and make its columns known."""
    notes = (
        "Survival of the general population from the start age on, and its utility norms, from the "
        "life table (methods 1.7 and 4).",
        "Within a year of age the hazard is constant, −ln(1 − q); to the right the table by age.",
    )
    grid = new_grid(ctx, sheet, "Background mortality and utility norms", notes)
    mixed, norms = _is_mixture(ctx), _has_norms(ctx)
    columns = 4 + Mixture.columns(ctx, norms) if mixed else 9 + (6 if norms else 0)
    ages = _ages(ctx, sheet, grid.place + columns + _GAP)
    k = boundaries(grid)
    time = grid.add("t", "Time, years", ctx.columns["t"].here, _LINK, note="From Calc Time").here
    if mixed:
        people = Mixture(ctx, sheet, ages, ages.place + _GAP, norms)
        alive = people.alive(grid, time)
        widest = people.last
    else:
        start = _start(ctx, sheet, ages)
        alive = _alive(ctx, grid, ages, start, time)
        widest = ages.place
    _used(ctx, grid, k, alive)
    if norms and mixed:
        _write_norm_start(ctx, sheet, people, ages)
        middle = ctx.columns["middle"].here
        ctx.columns["norm"] = people.norm(grid, middle, ctx.live["norm start"])
    elif norms:
        _norms(ctx, grid, ages, start)
    if grid.place != columns:
        raise ValueError(f"{sheet.title}: {grid.place} columns instead of {columns}")
    sheet.widths((11, 11, *([12.5] * (columns - 2)), 3, *([11] * (widest - columns - 1))))
    sheet.freeze(GRID_ROW, 2)
    sheet.print_setup(
        repeat=(GRID_HEADING, GRID_HEADING), area=(0, 0, GRID_ROW + 53, columns - 1), pages=1
    )


def _alive(ctx: Context, grid: Grid, ages: Grid, start: dict[str, Term], time: Term) -> Column:
    """Add N of a cohort of one age."""
    men, women = _since(ctx, grid, ages, start, "", time)
    share = ctx.live["male_share"]
    return grid.add(
        "alive",
        "Alive, N",
        share * exp(-men.here) + (1 - share) * exp(-women.here),
        _SHARE,
        note="N: both sexes, by their shares at the start",
    )


def _used(ctx: Context, grid: Grid, k: Column, alive: Column) -> None:
    """Add N as background mortality uses it, and its ratio from boundary to boundary."""
    of_cohort = ctx.live["smr_of"].equals("cohort")
    used = grid.add(
        "used",
        "N, or N^SMR",
        where(of_cohort, raised(alive.here, ctx.live["smr"]), alive.here),
        _SHARE,
        note="To the power of the mortality ratio where that is of the whole cohort",
    )
    ratio = where(used.previous > 0, used.here / used.previous, 0)
    grid.add(
        "ratio",
        "Ratio to the row above",
        where(k.here.equals(0), 1, ratio),
        _SHARE,
        note="Share of the population that survives the cycle that ends here",
    )
    ctx.columns["background"], ctx.columns["background used"] = alive, used
    ctx.columns["background ratio"] = grid["ratio"]


def _write_norm_start(ctx: Context, sheet: Sheet, people: Mixture, ages: Grid) -> None:
    """Write the norm at the start of a cohort of several ages, and how many norms lack."""
    live = ctx.live
    lowest, highest = people.ages_at_start()
    last = whole(highest + live["cycles"] * live["cycle"])
    age = ages["age"].all
    lived = (age >= whole(lowest)) * (age <= last)
    for row, key, words, term, style in (
        (_HEAD + 1, "norm start", "Utility norm at the start", people.norm_at_start(), _RATE),
        (
            _HEAD + 2,
            "norms missing",
            "Ages of the horizon without a norm",
            _wanted_norms(ctx, ages, lived),
            _COUNT,
        ),
    ):
        sheet.text(row, 0, words, BOLD)
        live[key] = put(sheet, row, HEAD_VALUE, term, style)


def _ages(ctx: Context, sheet: Sheet, place: int) -> Grid:
    """Write the table by age: hazards, and their sums from the first age on."""
    live = ctx.live
    count = len(live["life_table age"].value)
    ages = Grid(sheet, count, place=place)
    sheet.text(GRID_HEADING - 2, place, "By age", HEADING)
    heading = sheet.ref(GRID_HEADING, place)
    number = Term(f"ROW()-ROW({heading})", np.arange(1.0, count + 1))
    row = ages.add("row", "Row", number, _COUNT, note="Row of the life table")
    if "life_table year" in live:
        year = index(live["life_table year"], row.here)
        ages.add("year", "Year", year, _COUNT, note="Calendar year; the last one holds on")
    age = index(live["life_table age"], row.here)
    ages.add("age", "Age, years", age, _COUNT, note="Exact age from which the row holds")
    for sex, words in _SEXES:
        _hazards(ctx, ages, sex, words)
    if _has_norms(ctx):
        for sex, words in _SEXES:
            norm = index(live[f"life_table utility_{sex}"], row.here)
            there = Term(f"ISNUMBER({norm.text})", ~np.isnan(norm.value))
            ages.add(
                f"norm {sex}",
                f"Norm, {words}",
                where(there, Term(norm.text, np.nan_to_num(norm.value)), 0),
                Style("formula", unit="utility"),
                note="Population utility norm; 0 where the table has none",
            )
            ages.add(
                f"given {sex}",
                f"Norm given, {words}",
                where(there, 1, 0),
                _COUNT,
                note="1 where the table has a norm",
            )
    return ages


def _hazards(ctx: Context, ages: Grid, sex: str, words: str) -> None:
    """Add a sex's probabilities of death, hazards and cumulative hazards by age."""
    row = ages["row"].here
    first = row.equals(1)
    if "year" in ages.columns:  # each year begins anew
        first = ages["age"].here.equals(ages["age"].at(0))
    chance = ages.add(
        f"q {sex}",
        f"q, {words}",
        index(ctx.live[f"life_table {sex}"], row),
        _RATE,
        note="Probability of death within the year",
    )
    own = -ln(1 - chance.here)
    begins = np.broadcast_to(np.asarray(first.value), (ages.rows,))
    is_open = (chance.values < 1) | begins
    last_open = np.maximum.accumulate(np.where(is_open, np.arange(ages.rows), 0))
    hazard = ages.add_recursion(
        f"hazard {sex}",
        f"Hazard, {words}, per year",
        lambda above: where(chance.here < 1, own, above),
        np.asarray(own.value, dtype=float)[last_open],
        _RATE,
        start=own,
        at_start=first,
        note="−ln(1 − q); where q is 1 that of the age before",
    )
    if _is_mixture(ctx):
        return
    ages.add_recursion(
        f"sum {sex}",
        f"Cumulative hazard, {words}",
        lambda above: above + hazard.previous,
        np.concatenate(([0.0], np.cumsum(hazard.values)[:-1])),
        _RATE,
        start=0,
        at_start=first,
        note="Up to the exact age, from the first age of the table",
    )


def _start(ctx: Context, sheet: Sheet, ages: Grid) -> dict[str, Term]:
    """Write where the cohort starts in the table by age."""
    live = ctx.live
    row = _HEAD

    def line(words: str, term: Term, style: Style = _RATE) -> Term:
        nonlocal row
        row += 1
        sheet.text(row, 0, words, BOLD)
        return put(sheet, row, HEAD_VALUE, term, style)

    since = line("Years from the first age to the start", live["start_age"] - ages["age"].at(0))
    last = Term(f"MAX({ages['row'].all.text})", float(ages.rows))
    place = line("Row of the start age", smallest(_age(ctx, since) + 1, last), _COUNT)
    beyond = since - (place - 1)
    found = {"since": since, "last": last, "row": place}
    for sex, words in _SEXES:
        at = index(ages[f"sum {sex}"].all, place) + index(ages[f"hazard {sex}"].all, place) * beyond
        found[sex] = line(f"Cumulative hazard at the start, {words}", at)
    if _has_norms(ctx):
        share = live["male_share"]
        men, women = (index(ages[f"norm {sex}"].all, place) for sex in ("male", "female"))
        age_norm = share * men + (1 - share) * women
        live["norm start"] = line("Utility norm at the start", age_norm)
        live["norms missing"] = line(
            "Ages of the horizon without a norm", _lacking(ctx, ages, found), _COUNT
        )
    return found


def _age(ctx: Context, since: Term) -> Term:
    """Whole years of a time, as in the engine: a birthday counts whatever the last digits say."""
    near = ctx.constants.term(1e-9, "Years by which a moment may miss a whole year")
    return whole(since + near)


def _lacking(ctx: Context, ages: Grid, start: dict[str, Term]) -> Term:
    """Ages from the start to the horizon whose norm is wanted and left blank by the table."""
    live, rows = ctx.live, ages["row"].all
    last = whole(start["since"] + live["cycles"] * live["cycle"]) + 1
    return _wanted_norms(ctx, ages, (rows >= start["row"]) * (rows <= last))


def _wanted_norms(ctx: Context, ages: Grid, lived: Term) -> Term:
    """Rows that are lived through and lack a norm; 0 where no norm is wanted."""
    live = ctx.live
    lacking = lived * (1 - ages["given male"].all * ages["given female"].all)
    count = Term(f"SUMPRODUCT({lacking.text})", float(np.sum(lacking.value)))
    wanted = some(
        live["age_adjusted_utilities"].equals("yes"), live["utility_cap"].equals("population_norm")
    )
    return where(wanted, count, 0)


def _since(
    ctx: Context, grid: Grid, ages: Grid, start: dict[str, Term], when: str, time: Term
) -> tuple[Column, Column]:
    """Cumulative hazards of men and women from the start to a time."""
    at = " in mid-cycle" if when else ""
    since = start["since"] + time
    row = grid.add(
        f"row{when}",
        f"Row of the age{at}",
        smallest(_age(ctx, since) + 1, start["last"]),
        _COUNT,
        note="In the table by age; past its end the last row",
    )
    beyond = grid.add(
        f"beyond{when}",
        f"Years since that age{at}",
        since - (row.here - 1),
        _RATE,
        note="Exact age less the age of the row",
    )
    columns = []
    for sex, words in _SEXES:
        hazard, up_to = ages[f"hazard {sex}"].all, ages[f"sum {sex}"].all
        to_now = index(up_to, row.here) + index(hazard, row.here) * beyond.here
        columns.append(
            grid.add(
                f"{sex}{when}",
                f"Hazard since the start, {words}{at}",
                to_now - start[sex],
                _RATE,
                note="H(age) − H(start age)",
            )
        )
    return columns[0], columns[1]


def _norms(ctx: Context, grid: Grid, ages: Grid, start: dict[str, Term]) -> None:
    """Norms at mid-cycle, weighted by the sexes' shares among survivors (methods 4)."""
    live = ctx.live
    men, women = _since(ctx, grid, ages, start, " middle", ctx.columns["middle"].here)
    limit = ctx.constants.term(_LIMIT, "Largest exponent that formulas hand to EXP")
    share = live["male_share"]
    among = grid.add(
        "share middle",
        "Men among survivors in mid-cycle",
        share / (share + (1 - share) * exp(smallest(men.here - women.here, limit))),
        _SHARE,
        note="Their share at the start, by the survival of each sex",
    )
    row = grid["row middle"].here
    norm = [index(ages[f"norm {sex}"].all, row) for sex, _ in _SEXES]
    ctx.columns["norm"] = grid.add(
        "norm",
        "Utility norm",
        among.here * norm[0] + (1 - among.here) * norm[1],
        Style("formula", unit="utility"),
        note="Of the general population in mid-cycle, at whole ages",
    )
