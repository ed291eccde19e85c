"""``heor voi``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses import nested as nested_analysis
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
        "heor voi --nested lif_orr --outer 100 --inner 200",
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
    "--nested",
    multiple=True,
    callback=read_groups,
    metavar="ID,ID…",
    help="Inputs checked by nested Monte Carlo, outer x inner model runs.",
)
@click.option(
    "--outer",
    type=click.IntRange(min=2),
    default=200,
    show_default=True,
    metavar="N",
    help="Values of the inputs in --nested.",
)
@click.option(
    "--inner",
    type=click.IntRange(min=2),
    default=200,
    show_default=True,
    metavar="N",
    help="Model runs for each of them.",
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
    nested: dict[str, tuple[str, ...]],
    outer: int,
    inner: int,
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
        groups |= {name: members for name, members in nested.items() if len(members) > 1}
        result = voi_analysis.run(spec, psa, groups, thresholds)
        marks = result.thresholds.tolist()
        checked = {
            members: nested_analysis.evppi(
                spec, members, outer, inner, marks, seed=psa.seed, workers=workers
            )
            for members in nested.values()
        }
    shape = {
        "study": spec.name,
        "input_hash": spec.input_hash,
        "currency": spec.settings.currency,
        "seed": psa.seed,
        **voi_forms.voi_json(result),
        "nested": voi_forms.nested_rows(checked, result.names),
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
        parts += voi_forms.nested_tables(checked, result, spec.settings.currency)
        layout.show(layout.console(no_color=no_color), parts)
