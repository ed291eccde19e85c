"""Tables of the one-way and the probabilistic analysis."""

from __future__ import annotations

import math

from heor.analyses.psa_results import Estimate, PsaSummary
from heor.analyses.results import QUADRANTS, DsaComparison
from heor.report.dossier.parts import NONE, Group, Heading, Paragraph, Part, Table
from heor.report.numbers import count, money, percent, plain, years
from heor.report.view import Facts

#: Parameters of the one-way table, widest first.
MOST_BARS = 20

_Estimate = tuple[str, Estimate, bool]


def one_way(facts: Facts) -> list[Part]:
    """The parameters that matter most, one table per comparison."""
    dsa = facts.results.dsa
    if dsa is None or not dsa.comparisons:
        return []
    index = dsa.thresholds.index(dsa.threshold)
    parts: list[Part] = [Heading("One-way sensitivity analysis")]
    parts += [_one_way(facts, comparison, index) for comparison in dsa.comparisons]
    return parts


def _one_way(facts: Facts, comparison: DsaComparison, index: int) -> Table:
    dsa, cash = facts.results.dsa, facts.currency
    assert dsa is not None
    bars = comparison.by_swing(index)
    rows = []
    for bar in bars[:MOST_BARS]:
        assert bar.low.value is not None
        assert bar.high.value is not None
        rows.append(
            (
                bar.label or bar.parameter,
                bar.unit,
                f"{plain(bar.low.value)} to {plain(bar.high.value)}",
                *(money(point.inmb[index], "") for point in (bar.low, bar.high)),
                money(bar.swing[index], ""),
                *(
                    NONE if point.icer is None else money(point.icer, "")
                    for point in (bar.low, bar.high)
                ),
            )
        )
    base = comparison.base
    ratio = f", ICER {money(base.icer, cash)} per QALY" if base.icer is not None else ""
    left_out = count(len(dsa.left_out), "uncertain parameter")
    return Table(
        caption=f"One-way analysis: {facts.label(comparison.id)} against "
        f"{facts.label(comparison.versus)}, the {len(rows)} widest of {len(bars)}",
        heads=(
            "Parameter",
            "Unit",
            "Low to high",
            f"INMB at low, {cash}",
            f"INMB at high, {cash}",
            f"Swing, {cash}",
            f"ICER at low, {cash} per QALY",
            f"ICER at high, {cash} per QALY",
        ),
        rows=rows,
        align="llrrrrrr",
        widths=(4.4, 1.6, 2, 1.4, 1.4, 1.3, 1.6, 1.6),
        wide=True,
        note=f"INMB: incremental net monetary benefit at {facts.per_qaly(dsa.threshold)}. Base "
        f"case: {money(base.inmb[index], cash)}{ratio}. Left out, being drawn jointly or having "
        f"no interval: {left_out}.",
    )


def probabilistic(facts: Facts) -> list[Part]:
    """Means with their Monte Carlo error and intervals, quadrants, acceptability."""
    made = facts.results.psa_summary
    if made is None:
        return []
    words = f"{count(made.n, 'draw')}, seed {made.seed}, sampler {made.sampler.replace('_', ' ')}"
    if made.replicates > 1:
        words += f", {made.replicates} randomisations"
    parts: list[Part] = [Heading("Probabilistic sensitivity analysis")]
    parts.append(Paragraph(f"{words}{'; ' + made.stopping if made.stopping else ''}."))
    parts.append(_means(facts, made))
    if made.increments:
        parts.append(_quadrants(facts, made))
    parts.append(_acceptability(facts, made))
    return parts


def _means(facts: Facts, made: PsaSummary) -> Table:
    rows: list[tuple[str, ...] | Group] = []
    cash = facts.currency
    for one in made.strategies:
        rows.append(Group(one.label or one.id))
        estimates: list[_Estimate] = [
            (f"Cost, {cash}", one.cost, True),
            ("QALYs", one.qaly, False),
            ("Life years", one.ly, False),
            ("evLYs", one.evly, False),
        ]
        rows += [_line(*estimate) for estimate in estimates]
    for pair in made.increments:
        rows.append(Group(f"{facts.label(pair.id)} against {facts.label(pair.versus)}"))
        estimates = [
            (f"Extra cost, {cash}", pair.delta_cost, True),
            ("QALYs gained", pair.delta_qaly, False),
            ("Life years gained", pair.delta_ly, False),
            ("evLYG", pair.evlyg, False),
        ]
        estimates += [
            (f"INMB at {facts.per_qaly(threshold)}, {cash}", benefit, True)
            for threshold, benefit in zip(made.thresholds, pair.inmb, strict=True)
        ]
        rows += [_line(*estimate) for estimate in estimates]
        if pair.icer is None:
            rows.append(("ICER of the means", pair.status, NONE, NONE, NONE, NONE))
        else:
            error = NONE if pair.icer_mcse is None else _number(pair.icer_mcse, paid=True)
            mean = money(pair.icer, "")
            rows.append((f"ICER of the means, {cash} per QALY", mean, error, NONE, NONE, NONE))
    return Table(
        caption="Means over the draws, per patient, discounted",
        heads=("Outcome", "Mean", "MCSE", "SD", "2.5%", "97.5%"),
        rows=rows,
        align="lrrrrr",
        widths=(4, 1.6, 1.2, 1.4, 1.4, 1.4),
        note="MCSE: Monte Carlo standard error of the mean. The ICER is the ratio of the means and "
        "has no interval.",
    )


def _line(words: str, value: Estimate, paid: bool) -> tuple[str, ...]:
    numbers = (value.mean, value.mcse, value.sd, value.low, value.high)
    texts = [_number(number, paid=paid) for number in numbers]
    if not paid and math.isfinite(value.mcse):
        texts[1] = f"{value.mcse:.4f}"
    return (words, *texts)


def _number(value: float, *, paid: bool) -> str:
    if not math.isfinite(value):
        return NONE
    return money(value, "") if paid else years(value)


def _quadrants(facts: Facts, made: PsaSummary) -> Table:
    meanings = ("costs more, gains", "costs less, gains", "costs less, loses", "costs more, loses")
    rows = [
        (
            f"{facts.label(one.id)} against {facts.label(one.versus)}",
            *(percent(one.quadrants[name]) for name in (*QUADRANTS, "on axis")),
        )
        for one in made.increments
    ]
    return Table(
        caption="Draws by quadrant of the cost-effectiveness plane",
        heads=(
            "Comparison",
            *tuple(f"{q}: {m}" for q, m in zip(QUADRANTS, meanings, strict=True)),
            "On an axis",
        ),
        rows=rows,
        align="lrrrrr",
        widths=(3.4, 1.3, 1.3, 1.3, 1.3, 1),
    )


def _acceptability(facts: Facts, made: PsaSummary) -> Table:
    at, cash = made.at_thresholds, facts.currency
    errors = {
        row.id: [probability.mcse for probability in row.probability] for row in made.strategies
    }

    def probability(place: int, index: int) -> str:
        error = errors[at.strategies[index]][place]
        shown = percent(float(at.ceac[place, index]))
        return f"{shown} ({100 * error:.2f})" if math.isfinite(error) else shown

    rows = [
        (
            money(float(threshold), ""),
            *(probability(place, index) for index in range(len(at.strategies))),
            facts.label(at.strategies[int(at.best[place])]),
            percent(float(at.ceaf[place])),
            money(float(at.evpi[place]), ""),
        )
        for place, threshold in enumerate(at.thresholds)
    ]
    heads = tuple(f"{facts.label(s)}" for s in at.strategies)
    return Table(
        caption="Probability of being cost-effective and value of perfect information",
        heads=(
            f"Threshold, {cash} per QALY",
            *heads,
            "Best on average",
            "CEAF",
            f"EVPI per patient, {cash}",
        ),
        rows=rows,
        align="r" + "r" * len(heads) + "lrr",
        widths=(1.6, *([1.8] * len(heads)), 2, 1, 1.5),
        note="Share of draws with the highest net benefit of all strategies; in brackets its Monte "
        "Carlo standard error in percentage points. CEAF: the share of the strategy with the "
        "highest mean net benefit.",
        wide=len(heads) > 4,
    )
