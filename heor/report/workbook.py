"""The report workbook: which sheets there are, in what order, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from heor.analyses.study_results import StudyResults
from heor.engine.evaluate import traces
from heor.report.sheets import (
    acceptability,
    base_case,
    calc_trace,
    checks,
    costs_qalys,
    front,
    inputs,
    psa,
    sensitivity,
    survival,
)
from heor.report.sheets.layout import INPUT_DRAWS, Context, trace_title
from heor.report.xlsx import Book, Sheet, writing
from heor.spec.records import TableData
from heor.spec.schema import TABLES

Writer = Callable[[Context, Sheet], None]


@dataclass(frozen=True, slots=True)
class SheetKind:
    """One result sheet: its title, what it holds, who writes it and when it is there.

    ``turn`` is the order of filling, for a sheet may point only at cells that stand already.
    """

    title: str
    meaning: str
    write: Writer
    wanted: Callable[[StudyResults], bool] = lambda results: True
    turn: int = 1


def _has_psa(results: StudyResults) -> bool:
    return results.psa is not None and results.psa_summary is not None


#: Result sheets in the order of the workbook. ``Cover`` and ``Contents`` stand before the input
#: tables; ``Calc Trace …`` sheets after ``Survival``.
SHEETS: tuple[SheetKind, ...] = (
    SheetKind(
        "Survival",
        "Modelled curves with Kaplan-Meier points and published numbers; landmarks; validation.",
        survival.write_survival,
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
    ),
    SheetKind(
        "DSA",
        "One-way sensitivity analysis: tornado and the result at each parameter's low and high.",
        sensitivity.write_dsa,
        lambda results: results.dsa is not None,
        turn=3,
    ),
    SheetKind(
        "PSA summary",
        "Means over draws with their precision, ICER of the means, probabilities, quadrants.",
        psa.write_summary,
        _has_psa,
        turn=4,
    ),
    SheetKind("PSA draws", "Inputs of the first draws, a row per draw.", psa.write_draws, _has_psa),
    SheetKind(
        "PSA results",
        "Cost, QALYs, life years and evLYs of every strategy, draw by draw.",
        psa.write_psa_results,
        _has_psa,
        turn=3,
    ),
    SheetKind(
        "CE plane",
        "Extra cost against QALYs gained, draw by draw, with thresholds and quadrant shares.",
        acceptability.write_plane,
        _has_psa,
        turn=5,
    ),
    SheetKind(
        "CEAC & CEAF",
        "Probability of being cost-effective over thresholds.",
        acceptability.write_ceac,
        _has_psa,
        turn=5,
    ),
    SheetKind(
        "EVPI",
        "Expected value of perfect information and expected losses over thresholds.",
        acceptability.write_evpi,
        _has_psa,
        turn=5,
    ),
    SheetKind(
        "Convergence",
        "Running means over draws, and how many draws the comparison needs.",
        psa.write_convergence,
        _has_psa,
        turn=5,
    ),
    SheetKind(
        checks.TITLE,
        "Identities as live formulas, warnings, crossing curves, record of the run.",
        checks.write_checks,
        turn=6,
    ),
)

#: Titles of all result sheets; none may differ from an input table's name only in case.
TITLES: tuple[str, ...] = ("Cover", "Contents", *(kind.title for kind in SHEETS))


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
        cells=checks.constant_cells(),
        table_values=inputs.base_values(parameters) if parameters else {},
        input_draws=input_draws,
    )
    psa.register_draws(ctx)
    contents = [("Cover", "Title, warnings, decision problem, headline, how to use the workbook.")]
    cover, listed = book.sheet("Cover"), book.sheet("Contents")
    inputs.write_inputs(ctx)
    contents += [(t, f"Input table: a row is {TABLES[t].row}.") for t in tables]
    queue: list[tuple[int, Writer, Sheet]] = []
    for kind in SHEETS:
        if not kind.wanted(results):
            continue
        sheet = book.sheet(kind.title)
        contents.append((sheet.title, kind.meaning))
        queue.append((kind.turn, kind.write, sheet))
        if kind.title == "Survival":
            for strategy in ctx.strategies:
                queue.append((0, *_trace_sheet(ctx, strategy)))
                title = ctx.cells[f"trace {strategy}"]
                contents.append((title, f"Curves and occupancy by cycle: {ctx.label(strategy)}."))
    for _, write, sheet in sorted(queue, key=lambda item: item[0]):
        write(ctx, sheet)
    front.write_contents(ctx, listed, contents)
    front.write_cover(ctx, cover)


def _trace_sheet(ctx: Context, strategy: str) -> tuple[Writer, Sheet]:
    sheet = ctx.book.sheet(trace_title(strategy))
    ctx.cells[f"trace {strategy}"] = sheet.title
    return partial(_write_trace, strategy=strategy), sheet


def _write_trace(ctx: Context, sheet: Sheet, strategy: str) -> None:
    calc_trace.write_trace(ctx, sheet, strategy)


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
