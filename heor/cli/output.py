"""Where the results of one analysis go: the terminal, JSON on stdout, or a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heor.analyses.study_results import StudyResults
from heor.cli import options
from heor.report import files, json_shapes
from heor.spec.records import Spec
from heor.study import banner, package_version

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Endings that `-o FILE` may have.
FILE_ENDINGS = (".xlsx", ".csv", ".json")

#: Endings where a workbook makes no sense.
DATA_ENDINGS = (".csv", ".json")

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


def deliver_table(
    spec: Spec,
    shape: Mapping[str, Any],
    csv: Callable[[], str],
    parts: Callable[[], Sequence[RenderableType]],
    *,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Write an analysis that has no sheet of its own: JSON, CSV, or the study's banner and tables.

    Parameters
    ----------
    spec : Spec
        The study; JSON begins with what it says of itself.
    shape : mapping
        The rest of the JSON.
    csv, parts : callable
        Give the CSV text, and the parts to print.
    """
    if quiet and output is None:
        return
    head = {
        "study": spec.name,
        "version": package_version(),
        "input_hash": spec.input_hash,
        "currency": spec.settings.currency,
        "banner": list(banner(spec)),
        "warnings": [str(problem) for problem in spec.warnings],
    }
    text = json_shapes.dumps({**head, **shape})
    if output is not None:
        files.write_text(output, text if output.suffix.lower() == ".json" else csv())
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if quiet:
        return
    if as_json:
        click.echo(text, nl=False)
    elif output is None:
        from heor.report import layout, tables

        shown = [*tables.opening_of(spec, banner(spec)), *parts()]
        layout.show(layout.console(no_color=no_color), shown)


def check_data_output(output: Path | None) -> None:
    """Refuse a file ending other than those of data before anything is computed."""
    if output is not None and output.suffix.lower() not in DATA_ENDINGS:
        raise click.UsageError(f"-o {output}: the file must end in {' or '.join(DATA_ENDINGS)}.")


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
