"""The report workbook: which sheets there are, in what order, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from heor.analyses.study_results import StudyResults
from heor.engine.evaluate import traces
from heor.report.sheets import (
    acceptability,
    base_case,
    calc_background,
    calc_cea,
    calc_costs,
    calc_curves,
    calc_price,
    calc_qalys,
    calc_quality,
    calc_schedules,
    calc_structure,
    calc_time,
    calc_trace,
    ce_plane,
    change_log,
    checks,
    cheers,
    control_results,
    convergence,
    costs_qalys,
    evidence,
    front,
    grids,
    importance,
    inputs,
    live_tables,
    psa,
    psa_checks,
    psa_summary,
    sensitivity,
    structure,
    survival,
    voi,
)
from heor.report.sheets.calc_inputs import TITLE_INPUTS
from heor.report.sheets.calc_settings import TITLE_SETTINGS
from heor.report.sheets.constants import CONSTANTS
from heor.report.sheets.control import TITLE_CONTROL
from heor.report.sheets.layout import INPUT_DRAWS, Context
from heor.report.sheets.live_inputs import TITLE_KM
from heor.report.sheets.scenarios_live import TITLE_SCENARIOS
from heor.report.xlsx import MAX_ROWS, Book, writing
from heor.spec.records import TableData
from heor.spec.schema import TABLES

Writer = Callable[..., None]


#: Headings of ``Contents``, in the order of the sheets.
START, INPUTS, EVIDENCE, CALCULATIONS, RESULTS, UNCERTAINTY, DOCUMENTS = (
    "Start here",
    "Inputs: one sheet a table, read back by “heor run”",
    "Evidence and curves",
    "Calculations: live formulas from the inputs to the totals",
    "Results",
    "Uncertainty",
    "Checks and documents",
)


#: Colour of the tabs under each heading: inputs as their cells, calculations grey, results blue.
TABS: Mapping[str, str] = {
    START: "#1F3864",
    INPUTS: "#FFD966",
    EVIDENCE: "#A9D18E",
    CALCULATIONS: "#A6A6A6",
    RESULTS: "#2E75B6",
    UNCERTAINTY: "#9DC3E6",
    DOCUMENTS: "#C55A11",
}

#: Rows that a long calculation sheet prints, and columns from which pages stand side by side.
PRINTED_ROWS, PRINTED_COLUMNS = 66, 26


@dataclass(frozen=True, slots=True)
class SheetKind:
    """One sheet other than an input table: its title, what it holds, who writes it and when.

    ``turn`` is the order of filling, for a sheet may point only at cells that stand already;
    ``group`` its heading in ``Contents``. With ``each`` there is one for every strategy, titled
    ``<title> <strategy>``, and its writer gets the strategy as third argument. A sheet without a
    writer is filled by the others.
    """

    title: str
    meaning: str
    write: Writer | None
    wanted: Callable[[StudyResults], bool] = lambda results: True
    turn: float = 1
    group: str = RESULTS
    each: bool = False


#: When the results at the head of ``Control`` are filled: after results and draws, before checks.
CONTROL_TURN = 5.5


def _has_psa(results: StudyResults) -> bool:
    return results.psa is not None and results.psa_summary is not None


def _has_structure(results: StudyResults) -> bool:
    return results.structure is not None


def _has_population(results: StudyResults) -> bool:
    return results.spec.has_population


#: Sheets before the input tables.
FRONT: tuple[SheetKind, ...] = (
    SheetKind(
        "Cover",
        "Title, warnings, decision problem, headline, checks, how to use the workbook.",
        front.write_cover,
        turn=9,
        group=START,
    ),
    SheetKind("Contents", "This list.", front.write_contents, turn=9, group=START),
    SheetKind(TITLE_CONTROL, "Scenario, PSA draw, settings and curves to show.", None, group=START),
)

#: Sheets after the input tables, in the order of the workbook.
SHEETS: tuple[SheetKind, ...] = (
    SheetKind(
        evidence.TITLE,
        "Every number and curve with its distribution, grade of evidence and full citation.",
        evidence.write_evidence,
        turn=6,
        group=EVIDENCE,
    ),
    SheetKind(
        "Survival",
        "Modelled curves with Kaplan-Meier points and published numbers; landmarks; validation.",
        survival.write_survival,
        group=EVIDENCE,
    ),
    SheetKind(TITLE_SETTINGS, "The settings in use, as numbers.", None, group=CALCULATIONS),
    SheetKind(
        TITLE_SCENARIOS,
        "Scenarios by what they change.",
        None,
        lambda results: bool(results.spec.scenarios),
        group=CALCULATIONS,
    ),
    SheetKind(
        TITLE_INPUTS,
        "Every input at the run and now: what the pasted results no longer belong to.",
        None,
        group=CALCULATIONS,
    ),
    SheetKind(
        TITLE_KM,
        "Kaplan-Meier points in years.",
        None,
        lambda results: bool(results.spec.km),
        group=CALCULATIONS,
    ),
    SheetKind(
        calc_time.TITLE_TIME,
        "Cycles, discount factors and weights of person-time.",
        calc_time.write_time,
        turn=0,
        group=CALCULATIONS,
    ),
    SheetKind(
        calc_background.TITLE_BACKGROUND,
        "Survival and utility norms of the general population.",
        calc_background.write_background,
        _has_population,
        turn=0,
        group=CALCULATIONS,
    ),
    SheetKind(
        calc_curves.TITLE_CURVES,
        "The curve in use of every strategy, endpoint and group, with its numbers.",
        calc_curves.write_curves,
        turn=0,
        group=CALCULATIONS,
    ),
    SheetKind(
        "Calc Trace",
        "Curves and occupancy at every cycle boundary",
        calc_trace.write_trace,
        turn=0,
        group=CALCULATIONS,
        each=True,
    ),
    SheetKind(
        "Calc Quality",
        "Utility of every state in every cycle.",
        calc_quality.write_quality,
        turn=0.5,
        group=CALCULATIONS,
    ),
    SheetKind(
        "Calc QALYs",
        "Life years, QALYs and equal-value gains by cycle.",
        calc_qalys.write_qalys,
        turn=0.6,
        group=CALCULATIONS,
    ),
    SheetKind(
        calc_schedules.WINDOWS,
        "Share of each cycle in which a cost per unit of time is charged.",
        calc_schedules.write_windows,
        lambda results: bool(calc_schedules.used_items(results.spec, "in_state")),
        turn=0.5,
        group=CALCULATIONS,
    ),
    SheetKind(
        calc_schedules.SCHEDULES,
        "Moments of scheduled costs, and the people charged then.",
        calc_schedules.write_schedules,
        lambda results: bool(calc_schedules.used_items(results.spec, "schedule")),
        turn=0.5,
        group=CALCULATIONS,
    ),
    SheetKind(
        calc_price.TITLE,
        "The price, and what follows from it, at two other prices.",
        calc_price.write_prices,
        lambda results: calc_price.moves_costs_only(results.spec),
        turn=0.5,
        group=CALCULATIONS,
    ),
    SheetKind(
        calc_costs.TITLE,
        "Every cost item of every strategy: amount, weight, time or events.",
        calc_costs.write_costs,
        turn=0.7,
        group=CALCULATIONS,
    ),
    SheetKind(
        calc_cea.TITLE,
        "Dominance and the cost-effectiveness frontier, step by step.",
        calc_cea.write_cea,
        lambda results: len(results.spec.strategies) > 1,
        turn=1.5,
        group=CALCULATIONS,
    ),
    SheetKind(
        calc_structure.TITLE,
        "The same curves as state-transition models, clock forward and clock reset.",
        calc_structure.write_calc_structure,
        _has_structure,
        turn=0.3,
        group=CALCULATIONS,
    ),
    SheetKind(
        CONSTANTS,
        "Numbers that formulas need, each in a cell of its own.",
        None,
        group=CALCULATIONS,
    ),
    SheetKind(
        "Costs & QALYs",
        "Costs by category and state, life years and QALYs by state, discounted and undiscounted.",
        costs_qalys.write_costs_qalys,
    ),
    SheetKind(
        "Results",
        "Totals, incremental table with dominance, pairwise results, net benefit, accrual.",
        base_case.write_results,
        turn=2,
    ),
    SheetKind(
        "Scenario results",
        "Every scenario with its purpose, increments, ICER and change in net benefit; bar chart.",
        sensitivity.write_scenarios,
        lambda results: bool(results.scenarios),
        turn=3,
        group=UNCERTAINTY,
    ),
    SheetKind(
        structure.TITLE,
        "Partitioned survival beside state-transition models: life years, QALYs, ICER.",
        structure.write_structure,
        _has_structure,
        turn=3,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "DSA",
        "One-way sensitivity analysis: tornado and the result at each parameter's low and high.",
        sensitivity.write_dsa,
        lambda results: results.dsa is not None,
        turn=3,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "Two-way",
        "Two parameters together: net benefit as a heat map, and the ICER, over a grid.",
        grids.write_two_way,
        lambda results: bool(results.two_way),
        turn=3,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "Threshold values",
        "The value of each parameter at which net benefit is 0.",
        grids.write_thresholds,
        lambda results: results.thresholds is not None,
        turn=3,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "PSA summary",
        "Means over draws with their precision, ICER of the means, probabilities, quadrants.",
        psa_summary.write_summary,
        _has_psa,
        turn=4,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "PSA draws",
        "Inputs of the first draws, a row per draw.",
        psa.write_draws,
        _has_psa,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "PSA results",
        "Cost, QALYs, life years and evLYs of every strategy, draw by draw.",
        psa.write_psa_results,
        _has_psa,
        turn=3,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "CE plane",
        "Extra cost against QALYs gained, draw by draw, with thresholds and quadrant shares.",
        ce_plane.write_plane,
        _has_psa,
        turn=5,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "CEAC & CEAF",
        "Probability of being cost-effective over thresholds.",
        acceptability.write_ceac,
        _has_psa,
        turn=5,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "EVPI",
        "Expected value of perfect information and expected losses over thresholds.",
        acceptability.write_evpi,
        _has_psa,
        turn=5,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "VOI",
        "Inputs ranked by what knowing them perfectly would be worth; EVPI at those thresholds.",
        voi.write_voi,
        lambda results: _has_psa(results) and results.voi is not None,
        turn=5.2,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "Convergence",
        "Running means over draws, and how many draws the comparison needs.",
        convergence.write_convergence,
        _has_psa,
        turn=5,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "PSA checks",
        "Precision, correlations, caps, and the mean and SD of every input as drawn.",
        psa_checks.write_psa_checks,
        _has_psa,
        turn=5,
        group=UNCERTAINTY,
    ),
    SheetKind(
        "Importance",
        "Which inputs the spread of net benefit, cost and QALYs comes from; tornado of the PSA.",
        importance.write_importance,
        lambda results: results.importance is not None and len(results.spec.strategies) > 1,
        turn=5,
        group=UNCERTAINTY,
    ),
    SheetKind(
        checks.TITLE,
        "Identities as live formulas, warnings, crossing curves, record of the run.",
        checks.write_checks,
        turn=6,
        group=DOCUMENTS,
    ),
    SheetKind(
        cheers.TITLE,
        "The 28 items of the reporting standard: where each is answered, and what is left to do.",
        cheers.write_cheers,
        turn=7,
        group=DOCUMENTS,
    ),
    SheetKind(
        change_log.TITLE,
        "The run, and room for notes on what is changed in this workbook.",
        change_log.write_change_log,
        turn=7,
        group=DOCUMENTS,
    ),
)

#: Titles of all sheets but tables; none may differ from an input table's name only in case.
TITLES: tuple[str, ...] = tuple(kind.title for kind in (*FRONT, *SHEETS))


def write_report(results: StudyResults, path: Path, input_draws: int | None = INPUT_DRAWS) -> None:
    """Write the report workbook, whole or not at all.

    Parameters
    ----------
    results : StudyResults
        Finished results; analyses that were left out have no sheet.
    path : Path
        The .xlsx file.
    input_draws : int or None
        PSA draws whose inputs are stored, so that the draw selector can load them; None stores
        all. The results of all draws are always stored.

    Raises
    ------
    HeorError
        When the file cannot be written, or a result is no finite number (the message names the
        sheet and the cell).
    """
    properties = {
        "title": results.spec.settings.title or results.spec.name,
        "subject": "Cost-effectiveness model",
        "category": "Health economic evaluation",
        "keywords": ", ".join(s.label for s in results.spec.strategies),
        "comments": f"heor {results.version}, inputs {results.spec.input_hash}",
    }
    with writing(path, properties) as book:
        _fill(results, book, input_draws)


def _fill(results: StudyResults, book: Book, input_draws: int | None) -> None:
    tables = results.spec.tables
    parameters = tables.get("parameters")
    ctx = Context(
        results=results,
        book=book,
        traces=traces(results.spec, results.base.draws),
        names=inputs.parameter_names(parameters) if parameters else {},
        input_draws=input_draws,
    )
    queue = [*_reserve(ctx, FRONT)]
    for name in tables:
        book.reserve(name)
        ctx.contents.append((INPUTS, name, f"A row is {TABLES[name].row}."))
    queue += _reserve(ctx, SHEETS)
    checks.register_tolerances(ctx)
    psa.register_draws(ctx)
    live_tables.write_live(ctx)
    queue.append((CONTROL_TURN, partial(control_results.write_control_results, ctx)))
    for _, fill in sorted(queue, key=lambda item: item[0]):
        fill()
    for group, title, _ in ctx.contents:
        book.sheets[title].tab_colour(TABS[group])
        if group in (INPUTS, CALCULATIONS):
            rows = PRINTED_ROWS if group == CALCULATIONS else MAX_ROWS
            book.sheets[title].print_readably(rows, PRINTED_COLUMNS)


def _reserve(
    ctx: Context, kinds: Sequence[SheetKind]
) -> Iterator[tuple[float, Callable[[], None]]]:
    """Keep places for sheets; give the turn of each that has a writer, and what fills it."""
    for kind in kinds:
        if not kind.wanted(ctx.results):
            continue
        titles: dict[str, str] = {}
        for strategy in ctx.strategies if kind.each else ("",):
            title = ctx.book.reserve(f"{kind.title} {strategy}".strip())
            titles[strategy] = title
            meaning = f"{kind.meaning}: {ctx.label(strategy)}." if strategy else kind.meaning
            ctx.contents.append((kind.group, title, meaning))
            if strategy:
                ctx.cells[f"{kind.title.removeprefix('Calc ').lower()} {strategy}"] = title
        order = calc_curves.filling_order(ctx.results.spec) if kind.each else ("",)
        for strategy in order if kind.write is not None else ():
            assert kind.write is not None
            more = (strategy,) if strategy else ()
            yield kind.turn, partial(_write, ctx, kind.write, titles[strategy], *more)


def _write(ctx: Context, write: Writer, title: str, *more: str) -> None:
    write(ctx, ctx.book.sheet(title), *more)


def write_tables_workbook(tables: Mapping[str, TableData], path: Path) -> None:
    """Write a workbook of input tables only, a sheet per table in the usual order.

    Raises
    ------
    HeorError
        When the file cannot be written.
    """
    with writing(path) as book:
        for name in (*(n for n in TABLES if n in tables), *(n for n in tables if n not in TABLES)):
            inputs.write_table(book, tables[name])
