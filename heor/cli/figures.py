"""``heor figures``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.cli import options
from heor.cli.output import progress_bar
from heor.report.figures.canvas import import_matplotlib
from heor.report.figures.gallery import FORMATS, write_figures
from heor.study import Plan, run_study


def read_formats(ctx: click.Context, param: click.Parameter, text: str) -> tuple[str, ...]:
    """Read ``svg,png`` as formats, each once."""
    wanted = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    for name in wanted:
        if name not in FORMATS:
            known = " and ".join(FORMATS)
            raise click.BadParameter(f"'{name}' is not a format; there are {known}.", ctx, param)
    return wanted


@click.command(
    "figures",
    epilog=options.example(
        "heor figures",
        "heor figures my_study -o dossier/figures --format png",
    ),
)
@options.inputs_argument
@options.change_options
@options.psa_options
@options.voi_option
@options.workers_option
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("outputs/figures"),
    show_default=True,
    metavar="FOLDER",
    help="Folder for the figures.",
)
@click.option(
    "--format",
    "formats",
    default=",".join(FORMATS),
    show_default=True,
    callback=read_formats,
    metavar="LIST",
    help="svg, png or both.",
)
@options.quiet_option
@options.debug_option
def figures(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    draws: int | None,
    seed: int | None,
    sampler: str | None,
    voi: bool,
    workers: int,
    folder: Path,
    formats: tuple[str, ...],
    quiet: bool,
) -> None:
    """Draw the charts of the report as SVG and PNG files, with a list of captions.

    Curves, candidates, traces, costs, QALYs, accrual, scenarios, tornados, heat maps, plane,
    acceptability, EVPI and convergence; with --voi the ranking of inputs. Needs matplotlib.
    """
    if folder.suffix.lower().removeprefix(".") in FORMATS:
        raise click.UsageError(
            f"-o {folder}: heor figures writes several files, so give a folder, such as -o "
            f"{folder.with_suffix('').as_posix()}."
        )
    import_matplotlib()
    spec = options.load(inputs, scenario, changes)
    plan = Plan(
        draws=draws,
        seed=seed,
        sampler=sampler,
        workers=workers,
        voi=voi,
        skip=("accrual",),
    )
    with progress_bar(quiet=quiet) as progress:
        results = run_study(spec, plan, progress)
        names = write_figures(results, folder, formats, progress)
    if not quiet:
        for line in results.banner:
            click.echo(f"! {line}")
        click.echo(f"Written to {folder}:")
        for name in names:
            click.echo(f"  {name}")
