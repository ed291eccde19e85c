"""``heor tables``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.cli import options
from heor.cli.output import progress_bar
from heor.report.dossier.word import PAPERS, import_docx
from heor.report.dossier.write import write_dossier
from heor.study import Plan, run_study


@click.command(
    "tables",
    epilog=options.example(
        "heor tables",
        "heor tables my_study -o dossier.docx --paper letter",
    ),
)
@options.inputs_argument
@options.change_options
@options.psa_options
@options.workers_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("outputs/dossier.docx"),
    show_default=True,
    metavar="FILE.docx",
    help="The Word document.",
)
@click.option(
    "--paper",
    type=click.Choice(tuple(PAPERS)),
    default="a4",
    show_default=True,
    help="Size of the pages.",
)
@options.quiet_option
@options.debug_option
def tables(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    draws: int | None,
    seed: int | None,
    sampler: str | None,
    workers: int,
    output: Path,
    paper: str,
    quiet: bool,
) -> None:
    """Write inputs and results as the tables of a Word document.

    Warnings, settings, inputs with sources, curves, costs, utilities, base case, breakdowns, net
    benefit, scenarios, one-way and probabilistic analysis, validation and references. Needs
    python-docx.
    """
    if output.suffix.lower() != ".docx":
        raise click.UsageError(f"-o {output}: the file must end in .docx.")
    options.not_over_inputs(inputs, output)
    import_docx()
    spec = options.load(inputs, scenario, changes)
    plan = Plan(draws=draws, seed=seed, sampler=sampler, workers=workers, skip=("accrual",))
    with progress_bar(quiet=quiet) as progress:
        results = run_study(spec, plan, progress)
    write_dossier(results, output, paper)
    if not quiet:
        click.echo(f"Wrote {output}")
