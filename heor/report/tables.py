"""Results as terminal tables; `heor.report.layout` prints them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from heor.analyses.psa_results import Acceptability, CeaResult, Crossing, Estimate, PsaSummary
from heor.analyses.results import (
    EXTENDEDLY_DOMINATED,
    ON_FRONTIER,
    STRICTLY_DOMINATED,
    BaseCase,
    DsaComparison,
    DsaPoint,
    DsaResult,
    IncrementalRow,
    PairwiseRow,
    ScenarioResult,
)
from heor.analyses.study_results import StudyResults
from heor.report.background_forms import binding_table
from heor.report.layout import make_table
from heor.report.numbers import NONE, count, money, percent, plain, with_signs, years
from heor.report.psa_check_forms import check_tables
from heor.spec.records import Spec
from heor.study import evidence_lines, evidence_summary

#: What stands in place of an ICER off the frontier.
SHORT = {STRICTLY_DOMINATED: "dominated", EXTENDEDLY_DOMINATED: "ext. dominated"}

#: Bars of a tornado that are printed; files hold all of them.
MOST_BARS = 15

#: Strategies side by side before a table is split.
MOST_COLUMNS = 3

#: Rows of an acceptability table that are printed.
MOST_THRESHOLDS = 12


def opening(results: StudyResults) -> list[RenderableType]:
    """Title, then the banner: what the study says of itself, before any number.

    Of the parameters on weak evidence only the counts are said; ``heor check`` names them.
    """
    return opening_of(results.spec, results.banner)


def opening_of(spec: Spec, said: Sequence[str]) -> list[RenderableType]:
    """Give the same of a study without results; ``said`` is its banner."""
    parts: list[RenderableType] = [Text(spec.settings.title or spec.name, style="bold")]
    named = evidence_lines(spec)
    lines = [line for line in said if line not in named]
    if named:
        lines.append(f"{evidence_summary(spec)}: `heor check` lists them.")
    banner = Table.grid(padding=(0, 1))
    for line in lines:
        banner.add_row("!", Text(line), style="yellow")
    return [*parts, banner]


def closing(results: StudyResults) -> list[RenderableType]:
    """Warnings of reading and of the analyses, one sentence a line."""
    return [Text(f"Warning: {line}", style="yellow") for line in results.record.warnings]


def base_case(results: StudyResults) -> list[RenderableType]:
    """Headline, totals, comparison with the reference, net benefit, costs and QALYs by part."""
    base = results.base
    names = _labels(results)
    return [
        *headline(results),
        _totals(base),
        *_comparison(base, names),
        *_frontier(base.incremental, names, base.currency),
        _net_benefit(base, names),
        *_parts(base, "Costs by category (discounted)", "cost_by_category"),
        *_parts(base, "Life years by state (discounted)", "ly_by_state"),
        *_parts(base, "QALYs by state (discounted)", "qaly_by_state"),
        *binding_table(base, names),
    ]


def headline(results: StudyResults) -> list[RenderableType]:
    """The answer in a sentence per comparison."""
    base = results.base
    names = _labels(results)
    return [Text(_sentence(row, names, base.currency), style="bold") for row in base.pairwise]


def run(results: StudyResults) -> list[RenderableType]:
    """What ``heor run`` prints: headline, totals, comparison, and the probabilistic means."""
    base = results.base
    names = _labels(results)
    parts = [
        *headline(results),
        _totals(base),
        *_comparison(base, names),
        *_frontier(base.incremental, names, base.currency),
    ]
    if results.psa_summary is not None:
        parts += [
            *_psa_comparison(results.psa_summary, names, base.currency),
            *_acceptability(results.psa_summary.at_thresholds, names, base.currency),
        ]
    return parts


def scenarios(results: StudyResults) -> list[RenderableType]:
    """One row per scenario and comparison, with the change of net benefit."""
    if not results.scenarios:
        return [Text("The study has no scenarios.")]
    names = _labels(results)
    currency = results.base.currency
    parts: list[RenderableType] = []
    for strategy in (row.id for row in results.base.pairwise):
        threshold = results.scenarios[0].threshold
        table = make_table(
            f"{names[strategy]} against {names[results.base.reference]}, by scenario",
            ("Scenario", "Extra cost", "Extra QALYs", "ICER", "Change in NMB"),
        )
        base = next(row for row in results.base.pairwise if row.id == strategy)
        table.add_row("Base case", *_pair_cells(base, currency), NONE)
        for scenario in results.scenarios:
            table.add_row(scenario.name, *_scenario_cells(scenario, strategy, currency))
        parts += [
            table,
            Text(
                f"Change in NMB: net monetary benefit at {money(threshold, currency)} per QALY, "
                "scenario minus base case.",
                style="dim",
            ),
        ]
    return parts


def dsa(results: StudyResults) -> list[RenderableType]:
    """The tornado of each comparison, widest bars first."""
    result = results.dsa
    assert result is not None
    names = _labels(results)
    parts: list[RenderableType] = []
    for comparison in result.comparisons:
        parts += _tornado(result, comparison, names, results.base.currency)
    if result.left_out:
        parts.append(
            Text(
                f"Without a bar, being drawn jointly or having no interval: "
                f"{count(len(result.left_out), 'uncertain parameter')}; --json names them.",
                style="dim",
            )
        )
    return parts


def psa(results: StudyResults) -> list[RenderableType]:
    """Means with their Monte Carlo error and intervals, acceptability, EVPI and diagnostics."""
    summary = results.psa_summary
    assert summary is not None
    names = _labels(results)
    currency = results.base.currency
    parts: list[RenderableType] = [
        Text(
            f"{count(summary.n, 'draw')}, sampler {summary.sampler}, seed {summary.seed}"
            + (f" ({summary.replicates} randomisations)" if summary.replicates > 1 else "")
            + (f"; {summary.stopping}" if summary.stopping else ""),
            style="dim",
        ),
        _psa_totals(summary, currency),
        *_psa_comparison(summary, names, currency),
        *_frontier(summary.incremental, names, currency),
        *_acceptability(summary.at_thresholds, names, currency),
        _quadrants(summary, names),
        *check_tables(summary, names, currency),
    ]
    words = [row.words for row in summary.recommended_draws if row.words not in summary.warnings]
    parts += [Text(f"{line}.") for line in words]
    parts += [Text(_crossing_words(row, names)) for row in summary.crossing if row.max_share > 0]
    return parts


def cea(result: CeaResult) -> list[RenderableType]:
    """Incremental table of the means and acceptability of anybody's PSA output."""
    names = {name: name for name in result.strategies}
    strategies = count(len(names), "strategy", "strategies")
    return [
        Text(f"{count(result.n, 'draw')} of {strategies}", style="dim"),
        _frontier_table(result.incremental, names, ""),
        *_notes(result.incremental, names),
        *_acceptability(result.acceptability, names, ""),
    ]


# --- Pieces ------------------------------------------------------------------------------------


def _labels(results: StudyResults) -> dict[str, str]:
    return {strategy.id: strategy.label for strategy in results.spec.strategies}


def _sentence(row: PairwiseRow, names: dict[str, str], currency: str) -> str:
    more = "more" if row.delta_cost >= 0 else "less"
    gain = "more" if row.delta_qaly >= 0 else "fewer"
    ratio = f": {money(row.icer, currency)} per QALY gained" if row.icer is not None else ""
    ending = ratio or f" ({with_signs(row.status, currency)})"
    return (
        f"{names[row.id]} costs {money(abs(row.delta_cost), currency)} {more} than "
        f"{names[row.versus]} and gives {years(abs(row.delta_qaly))} {gain} QALYs{ending}."
    )


def _totals(base: BaseCase) -> Table:
    table = make_table(
        "Per patient, discounted", ("Strategy", "Cost", "QALYs", "Life years", "evLYs")
    )
    for row in base.strategies:
        table.add_row(
            row.label,
            money(row.cost, base.currency),
            years(row.qaly),
            years(row.ly),
            years(row.evly),
        )
    table.add_section()
    for row in base.strategies:
        table.add_row(
            f"{row.label}, undiscounted",
            money(row.cost_undiscounted, base.currency),
            years(row.qaly_undiscounted),
            years(row.ly_undiscounted),
            NONE,
        )
    return table


def _comparison(base: BaseCase, names: dict[str, str]) -> list[RenderableType]:
    table = make_table(
        f"Increments against {names[base.reference]}",
        ("Strategy", "Cost", "QALYs", "Life years", "evLYs", "Cost/QALY", "Cost/evLYG"),
    )
    for row in base.pairwise:
        table.add_row(
            names[row.id],
            money(row.delta_cost, base.currency),
            years(row.delta_qaly),
            years(row.delta_ly),
            years(row.evlyg),
            money(row.icer, base.currency),
            money(row.cost_per_evlyg, base.currency),
        )
    words = [
        Text(f"{names[row.id]}: {with_signs(row.status, base.currency)}.")
        for row in base.pairwise
        if row.icer is None
    ]
    return [table, *words]


def _frontier(
    rows: Sequence[IncrementalRow], names: dict[str, str], currency: str
) -> list[RenderableType]:
    """Give the fully incremental table; with two strategies it repeats the comparison."""
    if len(rows) <= 2:
        return []
    return [_frontier_table(rows, names, currency), *_notes(rows, names)]


def _frontier_table(rows: Sequence[IncrementalRow], names: dict[str, str], currency: str) -> Table:
    table = make_table(
        "Fully incremental analysis",
        ("Strategy", "Cost", "QALYs", "Extra cost", "Extra QALYs", "ICER"),
    )
    for row in rows:
        ratio = money(row.icer, currency) if row.status == ON_FRONTIER else SHORT[row.status]
        table.add_row(
            names[row.id],
            money(row.cost, currency),
            years(row.qaly),
            money(row.delta_cost, currency),
            years(row.delta_qaly),
            ratio,
        )
    return table


def _notes(rows: Sequence[IncrementalRow], names: dict[str, str]) -> list[RenderableType]:
    notes = []
    for row in rows:
        if row.dominated_by:
            by = " and ".join(names[name] for name in row.dominated_by)
            notes.append(Text(f"{names[row.id]} is {row.status} by {by}."))
        if row.note:
            notes.append(Text(f"{names[row.id]}: {row.note}."))
    return list(notes)


def _net_benefit(base: BaseCase, names: dict[str, str]) -> Table:
    table = make_table(
        f"Incremental net monetary benefit against {names[base.reference]}",
        ("At a threshold per QALY of", *(names[row.id] for row in base.pairwise)),
    )
    for place, threshold in enumerate(base.thresholds):
        table.add_row(
            money(threshold, base.currency),
            *(money(row.inmb[place], base.currency) for row in base.pairwise),
        )
    return table


def _parts(base: BaseCase, title: str, field: str) -> list[RenderableType]:
    """One row per category or state, strategies side by side, a few at a time."""
    tables: list[RenderableType] = []
    of_money = field.startswith("cost")
    for start in range(0, len(base.strategies), MOST_COLUMNS):
        some = base.strategies[start : start + MOST_COLUMNS]
        table = make_table(title, ("", *(row.label for row in some)))
        for key in getattr(some[0], field):
            values = [getattr(row, field)[key] for row in some]
            cells = [money(v, base.currency) if of_money else years(v) for v in values]
            table.add_row(key.replace("_", " "), *cells)
        tables.append(table)
    return tables


def _pair_cells(row: PairwiseRow, currency: str) -> tuple[str, str, str]:
    ratio = with_signs(row.status, currency) if row.icer is None else money(row.icer, currency)
    return money(row.delta_cost, currency), years(row.delta_qaly), ratio


def _scenario_cells(scenario: ScenarioResult, strategy: str, currency: str) -> tuple[str, ...]:
    effect = next(row for row in scenario.effects if row.id == strategy)
    change = money(effect.delta_inmb[scenario.thresholds.index(scenario.threshold)], currency)
    pair = next((row for row in scenario.result.pairwise if row.id == strategy), None)
    cells = (NONE, NONE, NONE) if pair is None else _pair_cells(pair, currency)
    return (*cells, change)


def _tornado(
    result: DsaResult, comparison: DsaComparison, names: dict[str, str], currency: str
) -> list[RenderableType]:
    place = result.thresholds.index(result.threshold)
    table = make_table(
        f"{names[comparison.id]} against {names[comparison.versus]}: net monetary benefit at "
        f"{money(result.threshold, currency)} per QALY (base "
        f"{money(comparison.base.inmb[place], currency)})",
        ("Parameter", "Low", "High", "NMB at low", "NMB at high", "Swing"),
    )
    for bar in comparison.bars[:MOST_BARS]:
        table.add_row(
            bar.label,
            _value(bar.low),
            _value(bar.high),
            money(bar.low.inmb[place], currency),
            money(bar.high.inmb[place], currency),
            money(bar.swing[place], currency),
        )
    parts: list[RenderableType] = [table, *_icer_tornado(comparison, names, currency)]
    if len(comparison.bars) > MOST_BARS:
        parts.append(
            Text(
                f"The {MOST_BARS} widest of {len(comparison.bars)} bars; "
                "-o FILE.csv or --json gives all.",
                style="dim",
            )
        )
    return parts


def _icer_tornado(
    comparison: DsaComparison, names: dict[str, str], currency: str
) -> list[RenderableType]:
    bars = comparison.by_icer()
    if not bars or comparison.base.icer is None:
        return [Text("The ICER has no meaning at the base case or at a bound of every bar.")]
    table = make_table(
        f"{names[comparison.id]} against {names[comparison.versus]}: ICER (base "
        f"{money(comparison.base.icer, currency)})",
        ("Parameter", "Low", "High", "ICER at low", "ICER at high", "Swing"),
    )
    for bar in bars[:MOST_BARS]:
        table.add_row(
            bar.label,
            _value(bar.low),
            _value(bar.high),
            money(_given(bar.low.icer), currency),
            money(_given(bar.high.icer), currency),
            money(_given(bar.icer_swing), currency),
        )
    return [table]


def _given(value: float | None) -> float:
    """A number that the row was chosen for having."""
    assert value is not None
    return value


def _value(point: DsaPoint) -> str:
    return NONE if point.value is None else plain(point.value)


def _estimate_cells(value: Estimate, currency: str | None) -> tuple[str, str, str, str]:
    """Mean, Monte Carlo error and interval; money, or for ``currency`` None years."""

    def write(number: float) -> str:
        return years(number) if currency is None else money(number, currency)

    error = write(value.mcse)
    if currency is None and error != NONE:
        error = f"{value.mcse:.4f}"
    return write(value.mean), error, write(value.low), write(value.high)


def _psa_totals(summary: PsaSummary, currency: str) -> Table:
    table = make_table(
        "Means over the draws, per patient, discounted",
        ("Strategy", "Outcome", "Mean", "MC error", "2.5%", "97.5%"),
        words=(0, 1),
    )
    for row in summary.strategies:
        table.add_row(row.label, "Cost", *_estimate_cells(row.cost, currency))
        table.add_row("", "QALYs", *_estimate_cells(row.qaly, None))
        table.add_row("", "Life years", *_estimate_cells(row.ly, None))
    return table


def _psa_comparison(
    summary: PsaSummary, names: dict[str, str], currency: str
) -> list[RenderableType]:
    table = make_table(
        f"Over {count(summary.n, 'draw')}, against {names[summary.reference]}",
        ("Strategy", "Outcome", "Mean", "MC error", "2.5%", "97.5%"),
        words=(0, 1),
    )
    words: list[RenderableType] = []
    for row in summary.increments:
        table.add_row(names[row.id], "Extra cost", *_estimate_cells(row.delta_cost, currency))
        table.add_row("", "Extra QALYs", *_estimate_cells(row.delta_qaly, None))
        table.add_row("", "evLYG", *_estimate_cells(row.evlyg, None))
        if row.icer is None:
            words.append(
                Text(f"{names[row.id]}: {with_signs(row.status, currency)} (of the means).")
            )
        else:
            table.add_row(
                "", "ICER", money(row.icer, currency), money(row.icer_mcse, currency), NONE, NONE
            )
    return [table, *words]


def _acceptability(
    result: Acceptability, names: dict[str, str], currency: str
) -> list[RenderableType]:
    total = len(result.thresholds)
    step = -(-total // MOST_THRESHOLDS)
    parts: list[RenderableType] = []
    for start in range(0, len(result.strategies), MOST_COLUMNS):
        some = result.strategies[start : start + MOST_COLUMNS]
        table = make_table(
            "Probability of being the best choice, and the value of perfect information",
            ("Threshold per QALY", *(names[name] for name in some), "Best on average", "EVPI"),
            words=(0, len(some) + 1),
        )
        for place in range(0, total, step):
            table.add_row(
                money(float(result.thresholds[place]), currency),
                *(percent(float(result.ceac[place, start + i])) for i in range(len(some))),
                names[result.strategies[int(result.best[place])]],
                money(float(result.evpi[place]), currency),
            )
        parts.append(table)
    if step > 1:
        parts.append(Text(f"Every {step}th of {total} thresholds; --json gives all.", style="dim"))
    return parts


def _quadrants(summary: PsaSummary, names: dict[str, str]) -> Table:
    meanings = {
        "NE": "costs more, gives more",
        "SE": "costs less, gives more",
        "SW": "costs less, gives fewer",
        "NW": "costs more, gives fewer",
        "on axis": "no difference in one",
    }
    table = make_table(
        f"Where the draws lie, against {names[summary.reference]}",
        ("Quadrant", *(names[row.id] for row in summary.increments)),
    )
    for quadrant, meaning in meanings.items():
        table.add_row(
            f"{quadrant}: {meaning}",
            *(percent(row.quadrants[quadrant]) for row in summary.increments),
        )
    return table


def _crossing_words(row: Crossing, names: dict[str, str]) -> str:
    return (
        f"{names[row.strategy]}: curves crossed in {row.draws:,} of {row.of_draws:,} draws; the "
        f"cap moved {100 * row.mean_share:.2f}% of life years on average, "
        f"{100 * row.max_share:.2f}% at most (limit {100 * row.limit:.2f}%)."
    )
