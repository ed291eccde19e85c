"""``heor structure``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses import structure as structure_analysis
from heor.cli import options
from heor.cli.evppi import ENDINGS, check_ending
from heor.cli.output import progress_bar
from heor.report import files, json_shapes, structure_forms
from heor.spec.values import CellError, number


def _weights(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(number(part.strip()) for part in text.split(","))
    except CellError as error:
        raise click.BadParameter(
            f"{error}; write three numbers: 0.5,0.25,0.25", ctx, param
        ) from None


@click.command(
    "structure",
    epilog=options.example(
        "heor structure",
        "heor structure my_study --draws 1000 --weights 0.5,0.25,0.25",
        'heor structure --set "pps_follow_up=27 months" --json',
    ),
)
@options.inputs_argument
@options.change_options
@options.psa_options
@click.option(
    "--weights",
    callback=_weights,
    metavar="P,F,R",
    help="Average over partitioned, forward and reset; they sum to 1.",
)
@options.workers_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Write to a file instead: {' or '.join(ENDINGS)}.",
)
@options.json_option
@options.output_options
def structure(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    draws: int | None,
    seed: int | None,
    sampler: str | None,
    weights: tuple[float, ...] | None,
    workers: int,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Compare partitioned survival with state-transition models of the same evidence.

    With --draws the PSA runs under all three structures with the same draws.
    """
    check_ending(output)
    spec = options.load(inputs, scenario, changes)
    with progress_bar(quiet=quiet) as progress:
        result = structure_analysis.run(
            spec,
            draws,
            seed=seed,
            sampler=sampler,
            weights=weights,
            workers=workers,
            progress=progress,
        )
    shape = {
        "study": spec.name,
        "input_hash": spec.input_hash,
        "currency": spec.settings.currency,
        "reference": spec.settings.reference,
        **structure_forms.structure_json(result),
    }
    if output is not None:
        table = structure_forms.structure_csv(result)
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

        parts = structure_forms.structure_tables(spec, result)
        layout.show(layout.console(no_color=no_color), parts)
