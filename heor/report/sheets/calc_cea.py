"""``Calc CEA``: dominance and the cost-effectiveness frontier as live formulas (methods 6.1).

The steps are those of `heor.analyses.cea.incremental_table`. Strategies are put in order of cost;
one is dominated unless it gives more QALYs than every one before it; of the rest, one is extendedly
dominated when the steepest way to it is steeper than the flattest way on from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from heor.analyses.cea import ICER_TOLERANCE, QALY_TOLERANCE
from heor.analyses.results import EXTENDEDLY_DOMINATED, ON_FRONTIER, STRICTLY_DOMINATED
from heor.report.live import (
    Term,
    absolute,
    cell,
    cells,
    every,
    largest,
    literal,
    put,
    some,
    sum_of_products,
    total,
    where,
    words,
)
from heor.report.lookup import index, joined, largest_of, match, smallest_of
from heor.report.sheets.constants import Constants
from heor.report.sheets.layout import Context, head, heading, table_head
from heor.report.xlsx import BOLD, LABEL, Sheet, Style

TITLE = "Calc CEA"

#: What stands in a cell that has no number.
DASH = "–"

#: Columns of the table by rank of cost, with their headings.
_COLUMNS = {
    "label": "Strategy",
    "rank": "Rank by cost",
    "place": "Place in the study",
    "cost": "Cost",
    "qaly": "QALYs",
    "head": "Shares the result of rank",
    "best": "Most QALYs so far",
    "kept": "Not dominated",
    "steepest": "Steepest ICER to it",
    "flattest": "Flattest ICER from it",
    "frontier": "On the frontier",
    "number": "Number on the frontier",
    "class": "Steps off the frontier",
    "key": "Sorting key",
    "row": "Row in Results",
    "shown": "Rank in this row of Results",
    "against": "Against rank",
    "extra cost": "Extra cost",
    "extra qaly": "Extra QALYs",
    "icer": "ICER",
    "words": "Status",
}
_STYLES = {
    **dict.fromkeys(("cost", "extra cost", "icer", "steepest", "flattest"), "money"),
    **dict.fromkeys(("qaly", "best", "extra qaly"), "qaly"),
}
_TEXT = Style("formula", indent=1)


def write_cea(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; register its columns by rank as ``cea <column>`` for ``Results``."""
    row = head(ctx, sheet, "Dominance and the frontier", live=True)
    ranked = write_ranked(
        sheet,
        row,
        ctx.constants,
        [ctx.label(s) for s in ctx.strategies],
        [ctx.live[f"cost {s}"] for s in ctx.strategies],
        [ctx.live[f"qaly {s}"] for s in ctx.strategies],
    )
    ctx.live.update({f"cea {key}": ranked.all(key) for key in ranked.columns})
    sheet.widths((24, *([15] * (len(_COLUMNS) - 2)), 40))
    sheet.freeze(4, 1)
    sheet.print_setup(pages=1, large=True)


@dataclass(slots=True)
class Ranked:
    """The table by rank of cost, column by column."""

    sheet: Sheet
    first: int
    columns: dict[str, list[Term]] = field(default_factory=dict)

    def put(self, key: str, terms: Sequence[Term]) -> list[Term]:
        """Write a column; give its cells."""
        for i, term in enumerate(terms):
            self.put_one(key, i, term)
        return self.columns[key]

    def put_one(self, key: str, i: int, term: Term) -> Term:
        """Write the next cell of a column, for formulas that need the one above."""
        style = _TEXT if isinstance(term.value, str) else Style("formula", _unit(key))
        found = put(self.sheet, self.first + i, _place(key), term, style)
        self.columns.setdefault(key, []).append(found)
        return found

    def all(self, key: str) -> Term:
        """Give a column as a range."""
        return self.upto(key, len(self.columns[key]))

    def upto(self, key: str, count: int) -> Term:
        """Give the first cells of a column as a range."""
        values = [term.value for term in self.columns[key][:count]]
        last = self.first + count - 1
        return cells(self.sheet, self.first, _place(key), last, _place(key), np.array(values))


def _place(key: str) -> int:
    return list(_COLUMNS).index(key)


def _unit(key: str) -> str:
    return _STYLES.get(key, "integer")


def write_ranked(
    sheet: Sheet,
    row: int,
    constants: Constants,
    labels: Sequence[str],
    costs: Sequence[Term],
    qalys: Sequence[Term],
) -> Ranked:
    """Write the tables from ``row`` on, for two strategies or more."""
    n = len(labels)
    same_qaly = constants.term(QALY_TOLERANCE, "QALYs below which there is no difference")
    same_icer = constants.term(ICER_TOLERANCE, "share by which equal ICERs may differ")
    study = _write_places(sheet, row, labels, costs, qalys)
    first = row + n + 6
    note = (
        "Steps off the frontier: 1 for extendedly dominated, more for dominated; the ICERs between "
        "all pairs stand below."
    )
    heading(sheet, first - 3, "In order of cost", note)
    table_head(sheet, first - 1, list(_COLUMNS.values()), 44, texts=("Status",))
    table = Ranked(sheet, first)
    top = sheet.ref(first, _place("rank"))
    ranks = table.put("rank", [_counter(top, i) for i in range(n)])
    places = table.put("place", [match(r, study.ranges["rank"]) for r in ranks])
    for key in ("label", "cost", "qaly"):
        table.put(key, [index(study.ranges[key], place) for place in places])
    qaly = table.columns["qaly"]
    _find_twins(table, same_qaly)
    kept, best = literal(1), qaly[0]
    for i in range(n):
        if i:
            kept = where(qaly[i] > best + same_qaly, 1, 0)
        kept_cell = table.put_one("kept", i, kept)
        best = table.put_one("best", i, where(kept_cell.equals(1), qaly[i], best))
    rows, columns = _write_ratios(sheet, first + n + 4, table)
    steepest = table.put("steepest", [largest_of(area) for area in columns])
    flattest = table.put("flattest", [smallest_of(area) for area in rows])
    frontier = []
    for i, undominated in enumerate(table.columns["kept"]):
        cut = every(flattest[i] > 0, steepest[i] - flattest[i] > same_icer * steepest[i])
        frontier.append(where(undominated.equals(1), where(cut, 0, 1), 0))
    table.put("frontier", frontier)
    table.put(
        "number",
        [
            where(one.equals(1), total(table.upto("frontier", i + 1)), 0)
            for i, one in enumerate(table.columns["frontier"])
        ],
    )
    _find_rows(table)
    _find_increments(table)
    _write_words(sheet, first + 2 * n + 8, table, study, same_qaly, same_icer)
    return table


def _counter(top: str, i: int) -> Term:
    """Give 1, 2, 3, … down from a cell."""
    return Term(f"ROW()-ROW({top})+1", i + 1.0, 1)


@dataclass(frozen=True, slots=True)
class Places:
    """The strategies in the order of the study: cells, and ranges by what they hold."""

    label: list[Term]
    place: list[Term]
    rank: list[Term]
    ranges: dict[str, Term]


def _write_places(
    sheet: Sheet, row: int, labels: Sequence[str], costs: Sequence[Term], qalys: Sequence[Term]
) -> Places:
    """Write the strategies in the order of the study, with their ranks by cost."""
    n = len(labels)
    row = heading(sheet, row, "Strategies")
    row = table_head(sheet, row, ("Strategy", "Place", "Cost", "QALYs", "Rank by cost"))
    top = sheet.ref(row, 1)

    def column(place: int, terms: Sequence[Term], style: Style) -> tuple[list[Term], Term]:
        found = [put(sheet, row + i, place, term, style) for i, term in enumerate(terms)]
        values = np.array([term.value for term in found])
        return found, cells(sheet, row, place, row + n - 1, place, values)

    for i, label in enumerate(labels):
        sheet.text(row + i, 0, label, LABEL)
    whole = Style("formula", unit="integer")
    place, places = column(1, [_counter(top, i) for i in range(n)], whole)
    cost, all_costs = column(2, costs, Style("link", unit="money"))
    qaly, all_qalys = column(3, qalys, Style("link", unit="qaly"))
    before = [
        (all_costs < cost[i])
        + all_costs.equals(cost[i])
        * ((all_qalys > qaly[i]) + all_qalys.equals(qaly[i]) * (places < place[i]))
        for i in range(n)
    ]
    rank, ranks = column(4, [sum_of_products(one) + 1 for one in before], whole)
    names = cells(sheet, row, 0, row + n - 1, 0, np.array(labels))
    return Places(
        [cell(sheet, row + i, 0, label) for i, label in enumerate(labels)],
        place,
        rank,
        {"label": names, "cost": all_costs, "qaly": all_qalys, "rank": ranks},
    )


def _find_twins(table: Ranked, same_qaly: Term) -> None:
    """Strategies with the same cost and QALYs share the result of the first of them."""
    cost, qaly, ranks = (table.columns[key] for key in ("cost", "qaly", "rank"))
    above = table.put_one("head", 0, ranks[0])
    for i in range(1, len(ranks)):
        same_cost = index(table.all("cost"), above).equals(cost[i])
        close = index(table.all("qaly"), above) - qaly[i] <= same_qaly
        above = table.put_one("head", i, where(every(same_cost, close), above, ranks[i]))


def _write_ratios(sheet: Sheet, row: int, table: Ranked) -> tuple[list[Term], list[Term]]:
    """Write the ICER of each later strategy against each earlier one, of the undominated.

    Gives the ranges of the rows (from a strategy) and of the columns (to a strategy).
    """
    labels, cost, qaly, kept = (table.columns[key] for key in ("label", "cost", "qaly", "kept"))
    n = len(labels)
    title = "ICERs of the undominated: from the strategy of the row to that of the column"
    sheet.text(row - 2, 0, title, BOLD)
    found: list[list[float | str]] = []
    style = Style("formula", unit="money", align="right")
    for j in range(n):
        put(sheet, row + j, 0, labels[j], Style("formula"))
        sheet.text(row - 1, j + 1, f"to rank {j + 1}", Style(align="right"))
        line: list[float | str] = []
        for i in range(n):
            if i <= j:
                sheet.text(row + j, i + 1, DASH, Style(align="right"))
                line.append(DASH)
                continue
            ratio = (cost[i] - cost[j]) / (qaly[i] - qaly[j])
            both = every(kept[j].equals(1), kept[i].equals(1))
            line.append(put(sheet, row + j, i + 1, where(both, ratio, DASH), style).value)
        found.append(line)
    rows = [cells(sheet, row + j, 1, row + j, n, found[j]) for j in range(n)]
    columns = [
        cells(sheet, row, i + 1, row + n - 1, i + 1, [line[i] for line in found]) for i in range(n)
    ]
    return rows, columns


def _find_rows(table: Ranked) -> None:
    """Row of each strategy in Results: the frontier, the extendedly dominated, the dominated."""
    heads, ranks, places = (table.columns[key] for key in ("head", "rank", "place"))
    kept, frontier, number = (table.all(key) for key in ("kept", "frontier", "number"))
    classes = table.put("class", [1 - index(frontier, h) + 1 - index(kept, h) for h in heads])
    wide = largest_of(table.all("rank")) + 1
    table.put(
        "key",
        [
            where(
                classes[i].equals(0),
                index(number, heads[i]) * wide + places[i],
                classes[i] * wide * wide + ranks[i],
            )
            for i in range(len(ranks))
        ],
    )
    keys = table.all("key")
    table.put("row", [sum_of_products((keys < key) * 1) + 1 for key in table.columns["key"]])
    rows = table.all("row")
    table.put("shown", [match(rank, rows) for rank in ranks])


def _find_increments(table: Ranked) -> None:
    """What each strategy on the frontier adds to the one before it; 0 where there is none."""
    heads, classes = table.columns["head"], table.columns["class"]
    number = table.all("number")
    against = []
    for i, shared in enumerate(heads):
        own = index(number, shared)
        after_first = every(classes[i].equals(0), own > 1)
        against.append(where(after_first, match(own - 1, number), 0))
    table.put("against", against)
    for key, source in (("extra cost", "cost"), ("extra qaly", "qaly")):
        values = table.all(source)
        table.put(
            key,
            [
                where(before > 0, index(values, shared) - index(values, before), 0)
                for shared, before in zip(heads, table.columns["against"], strict=True)
            ],
        )
    pairs = zip(*(table.columns[k] for k in ("against", "extra cost", "extra qaly")), strict=True)
    table.put("icer", [where(before > 0, cost / qaly, 0) for before, cost, qaly in pairs])


def _write_words(
    sheet: Sheet, row: int, table: Ranked, study: Places, same_qaly: Term, same_icer: Term
) -> None:
    """Write the status of each strategy, a word at a time from left to right."""
    n = len(table.columns["rank"])
    sheet.text(row - 2, 0, "Words of status, step by step: who dominates, by rank", BOLD)
    second = n + 3
    sheet.text(row - 2, second, "Equal ICERs, and who shares a result, by place", BOLD)
    labels, heads = table.columns["label"], table.all("head")
    for i in range(n):
        put(sheet, row + i, 0, labels[i], Style("formula"))
        steps = _Steps(sheet, row + i, 1)
        steps.add(_class_words(table.columns["class"][i]))
        steps.start = steps.last
        for k in range(n):
            steps.append_when(_dominates(table, k, i, same_qaly), " by ", " and ", labels[k])
        steps.add(_neighbour_words(table, i, steps.last))
        steps.column = second
        steps.add(_equal_words(table, i, steps.last, same_icer))
        steps.start = steps.last
        mine, place = table.columns["head"][i], table.columns["place"][i]
        for k in range(n):
            other = some(study.place[k] < place, study.place[k] > place)
            shares = every(other, index(heads, study.rank[k]).equals(mine))
            steps.append_when(shares, "; same cost and QALYs as ", ", ", study.label[k])
        table.put_one("words", i, steps.last)


def _class_words(steps_off: Term) -> Term:
    off = where(steps_off.equals(1), words(EXTENDEDLY_DOMINATED), words(STRICTLY_DOMINATED))
    return where(steps_off.equals(0), words(ON_FRONTIER), off)


def _dominates(table: Ranked, k: int, i: int, same_qaly: Term) -> Term:
    """Whether rank k costs no more and gives as much as the dominated rank i, one strictly."""
    (cost, other_cost), (qaly, other_qaly) = (
        (table.columns[key][i], table.columns[key][k]) for key in ("cost", "qaly")
    )
    return every(
        table.columns["class"][i] > 1,
        other_cost <= cost,
        other_qaly >= qaly - same_qaly,
        some(other_cost < cost, other_qaly > qaly + same_qaly),
    )


def _neighbour_words(table: Ranked, i: int, text: Term) -> Term:
    """Name the frontier's neighbours of an extendedly dominated strategy."""
    number, labels = table.all("number"), table.all("label")
    cost = index(table.all("cost"), table.columns["head"][i])
    below = sum_of_products(table.all("frontier") * (table.all("cost") <= cost))
    first = index(labels, match(below, number))
    second = index(labels, match(below + 1, number))
    named = joined(text, " by ", first, " and ", second)
    return where(table.columns["class"][i].equals(1), named, text)


def _equal_words(table: Ranked, i: int, text: Term, same_icer: Term) -> Term:
    """Say that the ICER is that of the strategy before."""
    before, icer = table.columns["against"][i], table.columns["icer"][i]
    previous = index(table.all("icer"), before)
    named = joined(
        text,
        "; same ICER as ",
        index(table.all("label"), before),
        ", which stays on the frontier although no threshold makes it the only best choice",
    )
    close = absolute(icer - previous) <= same_icer * largest(icer, previous)
    # the first ICER of the frontier has none before it
    return where(before > 0, where(previous > 0, where(close, named, text), text), text)


@dataclass(slots=True)
class _Steps:
    """A text that grows from cell to cell to the right."""

    sheet: Sheet
    row: int
    column: int
    last: Term = field(default_factory=lambda: words(""))
    start: Term = field(default_factory=lambda: words(""))

    def add(self, term: Term) -> None:
        """Write the next text."""
        self.last = put(self.sheet, self.row, self.column, term, _TEXT)
        self.column += 1

    def append_when(self, condition: Term, opening: str, between: str, label: Term) -> None:
        """Append a label when a condition holds, after an opening or between others."""
        mark = where(self.last.equals(self.start), words(opening), words(between))
        self.add(where(condition, joined(self.last, mark, label), self.last))
