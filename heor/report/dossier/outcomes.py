"""Tables of what comes out at the base values: totals, increments, parts, scenarios, validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from heor.analyses.cea import icer, status_words
from heor.analyses.results import ON_FRONTIER, PairwiseRow, ScenarioResult, StrategyTotals
from heor.report.curve_facts import (
    LANDMARKS,
    crossing_time,
    curve_of,
    endpoint_name,
    modelled,
    ordered_targets,
    shown_curves,
    target_key,
)
from heor.report.dossier.parts import NONE, Heading, Paragraph, Part, Table
from heor.report.numbers import money, percent, with_signs, years
from heor.report.view import Facts
from heor.spec.records import ALL, UNITS_PER_YEAR


def base_case(facts: Facts) -> list[Part]:
    """Totals and increments, discounted and not, and the fully incremental analysis."""
    base, cash = facts.results.base, facts.currency
    totals = [
        (
            row.label,
            *(money(value, "") for value in (row.cost, row.cost_undiscounted)),
            *(years(value) for value in (row.ly, row.ly_undiscounted)),
            *(years(value) for value in (row.qaly, row.qaly_undiscounted, row.evly)),
        )
        for row in base.strategies
    ]
    heads = (
        *(f"Cost, {cash}", f"Cost, {cash}, undisc."),
        *("Life years", "Life years, undisc.", "QALYs", "QALYs, undisc."),
    )
    words = [
        f"{facts.label(row.id)}: {with_signs(row.status, cash)}."
        for row in base.pairwise
        if row.icer is None
    ]
    pairs = [
        (
            facts.label(row.id),
            *(money(value, "") for value in (row.delta_cost, row.delta_cost_undiscounted)),
            *(years(value) for value in (row.delta_ly, row.delta_ly_undiscounted)),
            *(years(value) for value in (row.delta_qaly, row.delta_qaly_undiscounted)),
            years(row.evlyg),
        )
        for row in base.pairwise
    ]
    parts: list[Part] = [
        Heading("Base case"),
        *(Paragraph(sentence(facts, row)) for row in base.pairwise),
        Table(
            caption="Results per patient, discounted and undiscounted",
            heads=("Strategy", *heads, "evLYs"),
            rows=totals,
            align="lrrrrrrr",
            widths=(2, 1.2, 1.3, 1, 1.1, 1, 1.1, 0.9),
            note="undisc.: undiscounted. evLYs: equal-value life years, discounted.",
        ),
    ]
    if pairs:
        parts.append(
            Table(
                caption=f"Increments against {facts.label(base.reference)}",
                heads=("Strategy", *heads, "evLYG"),
                rows=pairs,
                align="lrrrrrrr",
                widths=(2, 1.2, 1.3, 1, 1.1, 1, 1.1, 0.9),
            )
        )
        parts.append(_ratios(facts, words))
    return [*parts, _incremental(facts)]


def sentence(facts: Facts, row: PairwiseRow) -> str:
    """The answer of one comparison in a sentence."""
    cash = facts.currency
    more = "more" if row.delta_cost >= 0 else "less"
    gain = "more" if row.delta_qaly >= 0 else "fewer"
    ratio = f": {money(row.icer, cash)} per QALY gained" if row.icer is not None else ""
    return (
        f"{facts.label(row.id)} costs {money(abs(row.delta_cost), cash)} {more} than "
        f"{facts.label(row.versus)} and gives {years(abs(row.delta_qaly))} {gain} QALYs"
        f"{ratio or f' ({with_signs(row.status, cash)})'}."
    )


def _ratios(facts: Facts, words: Sequence[str]) -> Table:
    cash = facts.currency
    return Table(
        caption=f"Cost-effectiveness ratios against {facts.label(facts.reference)}",
        heads=("Strategy", f"{cash} per QALY", f"{cash} per life year", f"{cash} per evLYG"),
        rows=[
            (
                facts.label(row.id),
                *(_cash(value) for value in (row.icer, row.cost_per_ly, row.cost_per_evlyg)),
            )
            for row in facts.results.base.pairwise
        ],
        align="lrrr",
        widths=(3, 2, 2, 2),
        note=" ".join(
            ["A ratio stands only where costs and effects both rise; discounted.", *words]
        ),
    )


def _cash(value: float | None) -> str:
    return NONE if value is None else money(value, "")


def _incremental(facts: Facts) -> Table:
    rows, notes = [], []
    for row in facts.results.base.incremental:
        first = row.status == ON_FRONTIER and row.versus is None
        ratio = _cash(row.icer) if row.status == ON_FRONTIER else row.status
        rows.append(
            (
                facts.label(row.id),
                money(row.cost, ""),
                years(row.qaly),
                NONE if row.versus is None else facts.label(row.versus),
                _cash(row.delta_cost),
                NONE if row.delta_qaly is None else years(row.delta_qaly),
                NONE if first else ratio,
            )
        )
        if row.dominated_by:
            by = " and ".join(facts.label(name) for name in row.dominated_by)
            notes.append(f"{facts.label(row.id)} is {row.status} by {by}.")
        if row.note:
            notes.append(f"{facts.label(row.id)}: {row.note}.")
    cash = facts.currency
    return Table(
        caption="Fully incremental analysis",
        heads=(
            "Strategy",
            f"Cost, {cash}",
            "QALYs",
            "Against",
            f"Extra cost, {cash}",
            "Extra QALYs",
            f"ICER, {cash} per QALY",
        ),
        rows=rows,
        align="lrrlrrr",
        widths=(2.2, 1.2, 1, 2, 1.3, 1.1, 1.5),
        note=" ".join(["Frontier in order of QALYs, dominated strategies below.", *notes]),
    )


_Parts = Mapping[str, float]


def breakdowns(facts: Facts) -> list[Part]:
    """Costs by category and state, life years and QALYs by state."""
    cash = facts.currency
    blocks: tuple[
        tuple[
            str, str, Callable[[StrategyTotals], _Parts], Callable[[StrategyTotals], _Parts], bool
        ],
        ...,
    ] = (
        (
            f"Costs by category, {cash} per patient",
            "Category",
            lambda t: t.cost_by_category,
            lambda t: t.cost_by_category_undiscounted,
            True,
        ),
        (
            f"Costs by health state, {cash} per patient",
            "Health state",
            lambda t: t.cost_by_state,
            lambda t: t.cost_by_state_undiscounted,
            True,
        ),
        (
            "Life years by health state, per patient",
            "Health state",
            lambda t: t.ly_by_state,
            lambda t: t.ly_by_state_undiscounted,
            False,
        ),
        (
            "QALYs by health state, per patient",
            "Health state",
            lambda t: t.qaly_by_state,
            lambda t: t.qaly_by_state_undiscounted,
            False,
        ),
    )
    parts: list[Part] = [Heading("Costs, life years and QALYs by part")]
    for caption, first, discounted, undiscounted, paid in blocks:
        parts.append(_block(facts, caption, first, (discounted, undiscounted), paid=paid))
    return parts


def _block(
    facts: Facts,
    caption: str,
    first: str,
    sides: tuple[Callable[[StrategyTotals], _Parts], Callable[[StrategyTotals], _Parts]],
    *,
    paid: bool,
) -> Table:
    """Strategies and increments side by side, discounted, then undiscounted."""
    totals = [facts.results.base.totals(s) for s in facts.strategies]
    base = facts.strategies.index(facts.reference)
    others = [facts.strategies.index(s) for s in facts.others]
    names = list(dict.fromkeys(key for t in totals for key in sides[0](t)))

    def line(label: str, wanted: Sequence[str]) -> tuple[str, ...]:
        cells = []
        for side in sides:
            values = [sum(side(t).get(name, 0.0) for name in wanted) for t in totals]
            values += [values[i] - values[base] for i in others]
            cells += [money(v, "") if paid else years(v) for v in values]
        return (label, *cells)

    def label(name: str) -> str:
        text = facts.state_label(name) if first == "Health state" else name
        return text[:1].upper() + text[1:]

    rows = [*(line(label(name), [name]) for name in names), line("Total", names)]
    columns = [facts.label(s) for s in facts.strategies]
    columns += [f"{facts.label(s)} − {facts.label(facts.reference)}" for s in facts.others]
    heads = [*columns, *(f"{column}, undiscounted" for column in columns)]
    return Table(
        caption=caption,
        heads=(first, *heads),
        rows=rows,
        align="l" + "r" * len(heads),
        widths=(2.2, *([1.2] * len(heads))),
        wide=len(heads) > 4,
        bold=(len(rows) - 1,),
        note="Discounted unless a column says undiscounted.",
    )


def net_benefit(facts: Facts) -> list[Part]:
    """Net monetary benefit of each strategy and its increment, per threshold."""
    base, cash = facts.results.base, facts.currency
    totals = [base.totals(s) for s in facts.strategies]
    rows = [
        (
            money(threshold, ""),
            *(money(t.nmb[place], "") for t in totals),
            *(money(row.inmb[place], "") for row in base.pairwise),
            facts.label(base.best[place]),
        )
        for place, threshold in enumerate(base.thresholds)
    ]
    heads = [f"NMB {facts.label(s)}, {cash}" for s in facts.strategies]
    heads += [f"INMB {facts.label(row.id)}, {cash}" for row in base.pairwise]
    weight = base.severity_weight
    words = f" Severity weight {weight:g}." if weight != 1 else ""
    return [
        Heading("Net monetary benefit"),
        Table(
            caption=f"Net monetary benefit per patient; increments against "
            f"{facts.label(base.reference)}",
            heads=(f"Threshold, {cash} per QALY", *heads, "Highest"),
            rows=rows,
            align="r" + "r" * len(heads) + "l",
            widths=(1.4, *([1.5] * len(heads)), 1.8),
            wide=len(heads) > 4,
            note=f"NMB: threshold × QALYs − cost, discounted.{words}",
        ),
    ]


def scenarios(facts: Facts) -> list[Part]:
    """Every scenario with what it changes, one table per comparison."""
    found = facts.results.scenarios
    parts: list[Part] = []
    cash, at = facts.currency, facts.per_qaly(facts.threshold())
    for base in facts.results.base.pairwise if found else ():
        index = facts.threshold_index()
        first = (
            "Base case",
            NONE,
            money(base.delta_cost, ""),
            years(base.delta_qaly),
            _icer_cell(base.icer, base.status),
            money(base.inmb[index], ""),
            NONE,
        )
        parts.append(
            Table(
                caption=f"Scenarios: {facts.label(base.id)} against {facts.label(base.versus)}",
                heads=(
                    "Scenario",
                    "Purpose",
                    f"Extra cost, {cash}",
                    "QALYs gained",
                    f"ICER, {cash} per QALY",
                    f"INMB, {cash}",
                    "Change in INMB",
                ),
                rows=[first, *(_scenario(facts, one, base, index) for one in found)],
                align="llrrrrr",
                widths=(3, 6, 1.3, 1.1, 1.8, 1.3, 1.3),
                wide=True,
                bold=(0,),
                note=f"INMB: incremental net monetary benefit at {at}.",
            )
        )
    return [Heading("Scenarios"), *parts] if parts else []


def _icer_cell(ratio: float | None, status: str) -> str:
    return status if ratio is None else money(ratio, "")


def _scenario(
    facts: Facts, scenario: ScenarioResult, base: PairwiseRow, index: int
) -> tuple[str, ...]:
    """Increments over the base study's reference, whatever the scenario's reference is."""
    effect = next(one for one in scenario.effects if one.id == base.id)
    mine, theirs = (scenario.result.totals(s) for s in (base.id, facts.reference))
    cost, qaly = mine.cost - theirs.cost, mine.qaly - theirs.qaly
    return (
        scenario.name,
        scenario.purpose,
        money(cost, ""),
        years(qaly),
        _icer_cell(icer(cost, qaly), status_words(cost, qaly, facts.currency)),
        money(effect.inmb[index], ""),
        money(effect.delta_inmb[index], ""),
    )


def survival(facts: Facts) -> list[Part]:
    """Landmarks and medians of the modelled curves, and the published numbers beside them."""
    time = next(iter(facts.traces.values())).time
    marks = [year for year in LANDMARKS if year <= time[-1]]
    rows = []
    for key in shown_curves(facts.traces):
        strategy, endpoint, group = key
        curve = curve_of(facts.traces, key)
        assert curve is not None
        median = crossing_time(time, curve, 0.5)
        nearest = [int(abs(time - year).argmin()) for year in marks]
        rows.append(
            (
                endpoint_name(endpoint),
                facts.label(strategy),
                group.replace("_", " "),
                NONE if not median else f"{median * UNITS_PER_YEAR['month']:.1f}",
                *(percent(float(curve[place])) for place in nearest),
            )
        )
    parts: list[Part] = [
        Heading("Modelled survival and validation"),
        Table(
            caption="Modelled curves at landmarks",
            heads=(
                "Endpoint",
                "Strategy",
                "Group",
                "Median, months",
                *tuple(f"{year:g} y" for year in marks),
            ),
            rows=rows,
            align="lll" + "r" * (1 + len(marks)),
            widths=(2.6, 1.8, 1.6, 1.1, *([0.9] * len(marks))),
            note="At the cycle boundary nearest to each landmark.",
            wide=True,
        ),
    ]
    targets = facts.results.spec.validation_targets
    if targets:
        parts.append(_validation(facts))
    return parts


def _validation(facts: Facts) -> Table:
    rows = []
    for target in ordered_targets(facts.traces, facts.results.spec.validation_targets):
        strategy, endpoint, group = target_key(target)
        where = "" if group == ALL else f", {group.replace('_', ' ')}"
        model = modelled(facts.traces, target)
        median = target.time is None

        def text(value: float | None, median: bool = median) -> str:
            if value is None:
                return NONE
            return f"{value:.1f}" if median else percent(value)

        bounds = target.low is not None and target.high is not None
        inside = NONE
        if bounds and model is not None and target.low is not None and target.high is not None:
            inside = "yes" if target.low <= model <= target.high else "no"
        rows.append(
            (
                target.label,
                facts.label(strategy),
                endpoint_name(endpoint) + where,
                f"median, {target.time_unit}s"
                if median
                else f"{target.time:g} {target.time_unit}s",
                text(target.value),
                f"{text(target.low)} to {text(target.high)}" if bounds else NONE,
                text(model),
                inside,
                "yes" if target.used_in_fitting else "no",
                target.source.replace(";", "; "),
            )
        )
    return Table(
        caption="Published numbers and the model",
        heads=(
            "Published number",
            "Strategy",
            "Endpoint",
            "At",
            "Published",
            "Interval",
            "Model",
            "Inside",
            "Used in fitting",
            "Source",
        ),
        rows=rows,
        align="llllrrrlll",
        widths=(4, 1.3, 1.9, 1.3, 1.3, 1.5, 1, 1, 1, 2.2),
        wide=True,
        note="Numbers that the curves were fitted to are no test of the model.",
    )
