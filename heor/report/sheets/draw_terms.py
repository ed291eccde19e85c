"""Formulas over stored draws: means, standard errors, who is best; used by all PSA sheets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from heor.report.live import Term, call, largest, sum_of_products
from heor.report.sheets.layout import Context
from heor.spec.parameters import FloatArray

#: The sampler whose draws are independent of one another.
INDEPENDENT = "random"


def average(cells: Term) -> Term:
    """``AVERAGE``."""
    return call("AVERAGE", np.mean, cells)


def deviation(cells: Term) -> Term:
    """``STDEV``, that of a sample."""
    return call("STDEV", lambda values: np.std(values, ddof=1), cells)


def percentile(cells: Term, share: Term) -> Term:
    """``PERCENTILE``, linear between the two nearest values as in numpy."""
    return call("PERCENTILE", np.quantile, cells, share)


def root(number: Term) -> Term:
    """``SQRT``."""
    return call("SQRT", np.sqrt, number)


def square(ctx: Context, number: Term) -> Term:
    """Give the square of a number or of every cell of a range."""
    return number ** ctx.constants.term(2, "The power of a square")


def weighted(ctx: Context, threshold: Term) -> Term:
    """Threshold times severity weight: what a QALY is worth (methods 6.2)."""
    return threshold * ctx.live["severity_weight"]


def best_share(ctx: Context, strategy: str, worth: Term) -> Term:
    """Per draw 1 where the strategy has the highest net benefit of all, ties shared equally.

    It is best where no strategy does better; then it shares with all that do as well.
    """
    live = ctx.live
    mine = worth * live[f"draws qaly {strategy}"] - live[f"draws cost {strategy}"]
    of_all = worth * live["draws qaly"] - live["draws cost"]
    better = _over_strategies(ctx, of_all > mine)
    equal = _over_strategies(ctx, of_all.equals(mine))
    return better.equals(0) / equal


def _over_strategies(ctx: Context, condition: Term) -> Term:
    """Count of strategies per draw for which a condition holds."""
    return call("MMULT", np.matmul, condition * 1, ctx.live["strategy ones"])


def share_of_draws(ctx: Context, per_draw: Term) -> Term:
    """Mean over draws of an array that a formula makes."""
    return sum_of_products(per_draw) / ctx.live["draws n"]


def net_benefit(ctx: Context, strategy: str, worth: Term) -> Term:
    """INMB over the reference, per draw."""
    live = ctx.live
    return worth * live[f"draws delta qaly {strategy}"] - live[f"draws delta cost {strategy}"]


def units(ctx: Context) -> str | None:
    """Prefix of what standard errors are made from, or None where nothing tells them.

    Independent draws tell them themselves; of a stratified sample only the means of independent
    randomisations do (methods 7.4).
    """
    psa = ctx.results.psa
    assert psa is not None
    if psa.sampler == INDEPENDENT:
        return "draws" if psa.n > 1 else None
    return "replicates" if psa.replicates > 1 else None


def standard_error(ctx: Context, key: str) -> Term | None:
    """Monte Carlo standard error of the mean of one stored column, e.g. ``cost lifileucel``."""
    kind = units(ctx)
    if kind is None:
        return None
    column = ctx.live[f"{kind} {key}"]
    return deviation(column) / root(call("COUNT", np.size, column))


def combined_error(ctx: Context, strategy: str, qaly: Term | int, cost: Term | int) -> Term | None:
    """Monte Carlo standard error of the mean of qaly·ΔQALY − cost·ΔC, or None."""
    kind = units(ctx)
    if kind is None:
        return None
    gain = ctx.live[f"{kind} delta qaly {strategy}"]
    extra = ctx.live[f"{kind} delta cost {strategy}"]
    count = call("COUNT", np.size, gain)
    centre = qaly * average(gain) - cost * average(extra)
    squares = sum_of_products(square(ctx, qaly * gain - cost * extra - centre))
    return root(squares / (count - 1) / count)


def probability_error(ctx: Context, index: int, strategy: str, share: Term) -> Term | None:
    """Monte Carlo standard error of a probability at the study's threshold ``index``, or None."""
    psa = ctx.results.psa
    assert psa is not None
    if psa.sampler == INDEPENDENT:
        return root(largest(0, share * (1 - share)) / ctx.live["draws n"])
    return standard_error(ctx, f"share {index} {strategy}")


def by_row(build: Callable[[int], Term], rows: Sequence[int] | range) -> Term:
    """Make a column whose rows work on ranges: the one text, and a value per row.

    ``build`` gives the term of a row, its marks of the current row left in.
    """
    terms = [build(row) for row in rows]
    if len({term.text for term in terms}) != 1:
        raise ValueError("the rows of a column have different formulas")
    values: FloatArray = np.array([float(term.value) for term in terms])
    return Term(terms[0].text, values, terms[0].level)
