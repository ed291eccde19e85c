"""``heor scenarios``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.cli import options
from heor.cli.output import Forms, check_output, deliver, progress_bar
from heor.report import csv_files, json_shapes
from heor.study import Plan, run_study

FORMS = Forms(
    table="scenarios",
    json=json_shapes.scenarios,
    csv=lambda results: csv_files.scenarios_csv(results.scenarios),
)


@click.command(
    "scenarios",
    epilog=options.example(
        "heor scenarios",
        'heor scenarios my_study --scenario "10-year horizon"',
        "heor scenarios my_study -o scenarios.csv",
    ),
)
@options.inputs_argument
@options.set_option
@click.option(
    "--scenario", "names", multiple=True, metavar="NAME", help="Only this one; may be repeated."
)
@options.scheduler_option
@options.file_option
@options.json_option
@options.output_options
def scenarios(
    inputs: Path | None,
    changes: tuple[str, ...],
    names: tuple[str, ...],
    scheduler: str | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Compute the base case under each named scenario of the study."""
    check_output(output, inputs)
    spec = options.load(inputs, changes=changes)
    with options.cluster(scheduler) as mapper, progress_bar(quiet=quiet) as progress:
        plan = Plan(skip=("accrual", "dsa", "psa"), scenarios=names or None, mapper=mapper)
        results = run_study(spec, plan, progress)
    deliver(results, FORMS, output=output, as_json=as_json, quiet=quiet, no_color=no_color)
