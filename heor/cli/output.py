"""Where the results of one analysis go: the terminal, JSON on stdout, or a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from heor.analyses.study_results import StudyResults
from heor.cli import options
from heor.report import files, json_shapes

#: Endings that `-o FILE` may have.
FILE_ENDINGS = (".xlsx", ".csv", ".json")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """The forms an analysis can take.

    ``table`` names a function of ``heor.report.tables``, so that JSON and files do without rich.
    """

    table: str
    json: Callable[[StudyResults], dict[str, Any]]
    csv: Callable[[StudyResults], str]


def deliver(
    results: StudyResults,
    forms: Forms,
    *,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Write one analysis to ``output``, or print it as JSON or as tables."""
    if output is not None:
        _write(results, forms, output)
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if quiet:
        return
    if as_json:
        click.echo(json_shapes.dumps(forms.json(results)), nl=False)
    elif output is None:
        show(results, forms.table, no_color=no_color)


def show(results: StudyResults, table: str, *, no_color: bool) -> None:
    """Print the banner, one function of ``heor.report.tables``, and the warnings."""
    from heor.report import layout, tables

    parts = [*tables.opening(results), *getattr(tables, table)(results), *tables.closing(results)]
    layout.show(layout.console(no_color=no_color), parts)


def check_output(output: Path | None, inputs: Path | None) -> None:
    """Refuse a file ending, or the workbook that is read, before anything is computed."""
    if output is None:
        return
    if output.suffix.lower() not in FILE_ENDINGS:
        found = output.suffix or "none"
        raise click.UsageError(
            f"-o {output}: the file must end in {', '.join(FILE_ENDINGS)}; found {found}."
        )
    options.not_over_inputs(inputs, output)


def _write(results: StudyResults, forms: Forms, output: Path) -> None:
    ending = output.suffix.lower()
    if ending == ".json":
        files.write_text(output, json_shapes.dumps(forms.json(results)))
    elif ending == ".csv":
        files.write_text(output, forms.csv(results))
    else:
        from heor.report.workbook import write_report

        with files.staged(output.parent) as stage:
            write_report(results, stage / output.name)


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress | None]:
    """Show progress on stderr while the block runs; give None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from heor.report import layout

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TimeRemainingColumn(),
        console=layout.console(stderr=True),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def report(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bar.add_task(step, total=total)
        bar.update(tasks[step], completed=done, total=total)

    with bar:
        yield report
