"""``heor base-case``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from heor.analyses import base_case as analysis
from heor.analyses import psa
from heor.analyses.study_results import StudyResults
from heor.cli import options
from heor.cli.output import Forms, check_output, deliver
from heor.engine.evaluate import evaluate
from heor.report import csv_files, json_shapes
from heor.study import Plan, run_study

FORMS = Forms(
    table="base_case",
    json=json_shapes.base_case,
    csv=lambda results: csv_files.base_case_csv(results.base),
)


@click.command(
    "base-case",
    epilog=options.example(
        "heor base-case",
        "heor base-case my_study --set start_age=60 --json",
        "heor base-case my_study --draw 17",
    ),
)
@options.inputs_argument
@options.change_options
@click.option(
    "--draw",
    type=click.IntRange(min=1),
    metavar="I",
    help="Replay draw I of the PSA instead of the base values.",
)
@options.psa_options
@options.file_option
@options.json_option
@options.output_options
def base_case(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    draw: int | None,
    draws: int | None,
    seed: int | None,
    sampler: str | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Compute costs, life years, QALYs and the ICER at the base values."""
    if draw is None and (draws, seed, sampler) != (None, None, None):
        raise click.UsageError("--draws, --seed and --sampler go with --draw I here.")
    check_output(output, inputs)
    spec = options.load(inputs, scenario, changes)
    results = run_study(spec, Plan(skip=("accrual", "scenarios", "dsa", "psa")))
    if draw is not None:
        results = _replay(results, draw, draws, seed, sampler)
    deliver(results, FORMS, output=output, as_json=as_json, quiet=quiet, no_color=no_color)


def _replay(
    results: StudyResults, draw: int, draws: int | None, seed: int | None, sampler: str | None
) -> StudyResults:
    """Put the results of one PSA draw, run by itself, in place of the base case."""
    spec = results.spec
    sample, _ = psa.draw_set(spec, draws, seed, sampler)
    if draw > len(sample):
        raise click.UsageError(f"--draw {draw}: the PSA has {len(sample):,} draws (--draws N).")
    row = sample.rows(draw - 1, draw)
    return dataclasses.replace(
        results,
        banner=(f"Draw {draw:,} of the PSA, not the base case.", *results.banner),
        base=analysis.of_row(spec, row, evaluate(spec, row), 0),
    )
