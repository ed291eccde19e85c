"""``heor psa``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses.study_results import StudyResults
from heor.cli import options
from heor.cli.output import Forms, check_output, deliver, progress_bar
from heor.report import csv_files, json_shapes
from heor.study import Plan, run_study


def _csv(results: StudyResults) -> str:
    assert results.psa is not None
    return csv_files.psa_csv(results.psa)


FORMS = Forms(table="psa", json=json_shapes.psa, csv=_csv)


@click.command(
    "psa",
    epilog=options.example(
        "heor psa --draws 10000 --seed 1",
        "heor psa my_study --until-mcse 500",
        "heor psa my_study -o psa.csv",
        "heor psa --draws 1000000",
    ),
)
@options.inputs_argument
@options.change_options
@options.psa_options
@options.until_mcse_option
@options.workers_option
@options.scheduler_option
@options.file_option
@options.json_option
@options.output_options
def psa(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    draws: int | None,
    seed: int | None,
    sampler: str | None,
    until_mcse: float | None,
    workers: int,
    scheduler: str | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Draw the uncertain parameters and compute means, acceptability and EVPI.

    Of more than 200,000 draws, totals are kept, so that a million take little memory.
    """
    check_output(output, inputs)
    spec = options.load(inputs, scenario, changes)
    workbook = output is not None and output.suffix.lower() == ".xlsx"
    with options.cluster(scheduler) as mapper, progress_bar(quiet=quiet) as progress:
        plan = Plan(
            draws=draws,
            seed=seed,
            sampler=sampler,
            until_mcse=until_mcse,
            workers=workers,
            skip=("accrual", "scenarios", "dsa"),
            streamed=not workbook,
            sensitivity=workbook,
            mapper=mapper,
        )
        results = run_study(spec, plan, progress)
    deliver(results, FORMS, output=output, as_json=as_json, quiet=quiet, no_color=no_color)
