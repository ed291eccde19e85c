"""``heor run``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses.study_results import StudyResults
from heor.cli import options
from heor.cli.output import FILE_ENDINGS, progress_bar, show
from heor.report import csv_files, files, json_shapes
from heor.report.sheets.layout import INPUT_DRAWS
from heor.report.workbook import write_report
from heor.spec.records import Spec
from heor.study import Plan, run_study


def read_pairs(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Read ``X,Y`` texts."""
    pairs = []
    for text in texts:
        names = [part.strip() for part in text.split(",")]
        if len(names) != 2 or not all(names):
            raise click.BadParameter(f"'{text}': write X,Y, two parameters.", ctx, param)
        pairs.append((names[0], names[1]))
    return tuple(pairs)


@click.command(
    "run",
    epilog=options.example(
        "heor run",
        "heor run my_study -o results --draws 5000",
        "heor run outputs/lifileucel_nsclc.xlsx -o outputs/edited",
    ),
)
@options.inputs_argument
@options.change_options
@options.psa_options
@options.until_mcse_option
@options.voi_option
@options.structure_option
@options.store_draws_option(INPUT_DRAWS)
@click.option(
    "--two-way",
    "pairs",
    multiple=True,
    callback=read_pairs,
    metavar="X,Y",
    help="Parameters of a two-way grid, by default the widest two; may be repeated.",
)
@options.workers_option
@options.scheduler_option
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("outputs"),
    show_default=True,
    metavar="FOLDER",
    help="Folder for the report and the data files.",
)
@options.json_option
@options.output_options
def run(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    draws: int | None,
    seed: int | None,
    sampler: str | None,
    until_mcse: float | None,
    voi: bool,
    structure: bool,
    store_draws: int | None,
    pairs: tuple[tuple[str, str], ...],
    workers: int,
    scheduler: str | None,
    folder: Path,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Do everything: check, base case, scenarios, one-way and probabilistic analysis, report.

    Writes the Excel report, results.json, psa.csv, psa_inputs.csv and run.json.
    """
    if folder.suffix.lower() in FILE_ENDINGS:
        raise click.UsageError(
            f"-o {folder}: heor run writes several files, so give a folder, such as -o "
            f"{folder.with_suffix('').as_posix()}."
        )
    spec = options.load(inputs, scenario, changes)
    options.not_over_inputs(inputs, folder / _report_name(spec))
    with options.cluster(scheduler) as mapper, progress_bar(quiet=quiet) as progress:
        plan = Plan(
            draws=draws,
            seed=seed,
            sampler=sampler,
            until_mcse=until_mcse,
            voi=voi,
            structure=structure,
            pairs=pairs,
            workers=workers,
            mapper=mapper,
        )
        results = run_study(spec, plan, progress)
        names = _write(results, folder, store_draws)
    if quiet:
        return
    if as_json:
        click.echo(json_shapes.dumps(json_shapes.study(results)), nl=False)
        return
    show(results, "run", no_color=no_color)
    click.echo("Written:")
    for name in names:
        click.echo(f"  {folder / name}")


def _report_name(spec: Spec) -> str:
    return f"{spec.name}.xlsx"


def _write(results: StudyResults, folder: Path, store_draws: int | None) -> list[str]:
    """Write every file of a run; all of them appear, or none does."""
    assert results.psa is not None
    texts = {
        "results.json": json_shapes.dumps(json_shapes.study(results)),
        "psa.csv": csv_files.psa_csv(results.psa),
        "psa_inputs.csv": csv_files.psa_inputs_csv(results.psa),
        "run.json": json_shapes.dumps(json_shapes.run_record(results.record)),
    }
    report = _report_name(results.spec)
    with files.staged(folder) as stage:
        write_report(results, stage / report, store_draws)
        for name, text in texts.items():
            (stage / name).write_text(text, encoding="utf-8", newline="\n")
    return [report, *texts]
