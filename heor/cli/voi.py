"""``heor voi``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses import psa as psa_analysis
from heor.analyses import voi as voi_analysis
from heor.cli import options
from heor.cli.cea import read_thresholds
from heor.cli.evppi import ENDINGS, check_ending, read_groups
from heor.cli.output import progress_bar
from heor.report import files, json_shapes, voi_forms


@click.command(
    "voi",
    epilog=options.example(
        "heor voi",
        "heor voi my_study --group response=lif_orr,doc_orr",
        "heor voi --thresholds 0:2000000:250000 -o voi.csv",
    ),
)
@options.inputs_argument
@options.change_options
@options.psa_options
@options.workers_option
@click.option(
    "--group",
    "groups",
    multiple=True,
    callback=read_groups,
    metavar="NAME=ID,ID…",
    help="Inputs that become known together; may be repeated.",
)
@click.option(
    "--thresholds",
    callback=read_thresholds,
    metavar="LIST",
    help="0,50000,100000 or first:last:step; those of the study when left out.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Write to a file instead: {' or '.join(ENDINGS)}.",
)
@options.json_option
@options.output_options
def voi(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    draws: int | None,
    seed: int | None,
    sampler: str | None,
    workers: int,
    groups: dict[str, tuple[str, ...]],
    thresholds: tuple[float, ...] | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Compute what better evidence is worth: EVPI, and EVPPI of each uncertain input.

    Values are per patient and, where the study gives incidence and decision horizon, for the
    population.
    """
    check_ending(output)
    spec = options.load(inputs, scenario, changes)
    with progress_bar(quiet=quiet) as progress:
        report = None if progress is None else lambda done, total: progress("PSA", done, total)
        psa = psa_analysis.run(spec, draws, seed, sampler, workers=workers, progress=report)
        result = voi_analysis.run(spec, psa, groups, thresholds)
    shape = {
        "study": spec.name,
        "input_hash": spec.input_hash,
        "currency": spec.settings.currency,
        "seed": psa.seed,
        **voi_forms.voi_json(result),
    }
    if output is not None:
        table = voi_forms.to_csv(result.sets, result.names)
        text = json_shapes.dumps(shape) if output.suffix.lower() == ".json" else table
        files.write_text(output, text)
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if quiet:
        return
    if as_json:
        click.echo(json_shapes.dumps(shape), nl=False)
    elif output is None:
        from heor.report import layout

        parts = voi_forms.voi_tables(result, spec.settings.currency)
        layout.show(layout.console(no_color=no_color), parts)
