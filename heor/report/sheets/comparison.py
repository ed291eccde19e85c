"""Ratios and words of a comparison as formulas (methods 6.2): never a negative ratio."""

from __future__ import annotations

from heor.analyses import cea
from heor.analyses.cea import COST_TOLERANCE, QALY_TOLERANCE
from heor.report.live import Term, absolute, every, some, where, words
from heor.report.lookup import joined, whole_number
from heor.report.sheets.layout import Context

#: Words that stand where a ratio has no meaning.
ON_AXIS, SAVES, DASH = "no ratio: see status", "saves: see status", "–"


def tolerances(ctx: Context) -> tuple[Term, Term]:
    """Money and QALYs below which there is no difference."""
    return (
        ctx.constants.term(COST_TOLERANCE, "Money below which there is no difference"),
        ctx.constants.term(QALY_TOLERANCE, "QALYs below which there is no difference"),
    )


def ratio_value(delta_cost: float, delta_effect: float) -> float | str:
    """Give a ratio in the north-east quadrant, else words."""
    where_ = cea.quadrant(delta_cost, delta_effect)
    if where_ == "NE":
        return delta_cost / delta_effect
    return {"SE": "dominant", "NW": "dominated", "SW": SAVES}.get(where_, ON_AXIS)


def ratio_term(ctx: Context, cost: Term, effect: Term) -> Term:
    """Cost over effect where both rise, else words."""
    money, small = tolerances(ctx)
    return where(
        some(absolute(effect) < small, absolute(cost) < money),
        ON_AXIS,
        where(
            effect > 0,
            where(cost > 0, cost / effect, "dominant"),
            where(cost > 0, "dominated", SAVES),
        ),
    )


def saving_term(ctx: Context, cost: Term, effect: Term) -> Term:
    """What is saved per QALY forgone, where both fall."""
    money, small = tolerances(ctx)
    return where(every(cost <= -money, effect <= -small), cost / effect, DASH)


def status_term(ctx: Context, cost: Term, effect: Term) -> Term:
    """The comparison in words."""
    money, small = tolerances(ctx)
    saving = joined(
        f"less costly, less effective: saves {ctx.currency} ",
        whole_number(cost / effect),
        " per QALY forgone",
    )
    same_qaly = where(
        absolute(cost) < money,
        words("no difference in cost or QALYs"),
        where(
            cost > 0,
            words("dominated: same QALYs, more costly"),
            words("dominant: same QALYs, less costly"),
        ),
    )
    same_cost = where(
        effect > 0,
        words("dominant: same cost, more QALYs"),
        words("dominated: same cost, fewer QALYs"),
    )
    better = where(cost > 0, words("more costly, more effective"), words("dominant"))
    worse = where(cost > 0, words("dominated"), saving)
    differs = where(effect > 0, better, worse)
    return where(
        absolute(effect) < small, same_qaly, where(absolute(cost) < money, same_cost, differs)
    )
