"""``heor dsa``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses.study_results import StudyResults
from heor.cli import options
from heor.cli.output import Forms, check_output, deliver, progress_bar
from heor.report import csv_files, json_shapes
from heor.study import Plan, run_study


def _csv(results: StudyResults) -> str:
    assert results.dsa is not None
    return csv_files.dsa_csv(results.dsa)


FORMS = Forms(table="dsa", json=json_shapes.dsa, csv=_csv)


@click.command(
    "dsa",
    epilog=options.example(
        "heor dsa",
        "heor dsa my_study -o tornado.csv",
    ),
)
@options.inputs_argument
@options.change_options
@options.workers_option
@options.file_option
@options.json_option
@options.output_options
def dsa(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    workers: int,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Move each parameter to the ends of its interval and rank them by effect."""
    check_output(output, inputs)
    spec = options.load(inputs, scenario, changes)
    workbook = output is not None and output.suffix.lower() == ".xlsx"
    plan = Plan(skip=("accrual", "scenarios", "psa"), workers=workers, sensitivity=workbook)
    with progress_bar(quiet=quiet) as progress:
        results = run_study(spec, plan, progress)
    deliver(results, FORMS, output=output, as_json=as_json, quiet=quiet, no_color=no_color)
