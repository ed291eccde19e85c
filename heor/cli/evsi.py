"""``heor evsi``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses import designs
from heor.analyses import evsi as evsi_analysis
from heor.analyses import psa as psa_analysis
from heor.cli import options
from heor.cli.cea import read_thresholds
from heor.cli.evppi import ENDINGS, check_ending
from heor.cli.output import progress_bar
from heor.report import evsi_forms, files, json_shapes


def read_sizes(ctx: click.Context, param: click.Parameter, text: str) -> tuple[int, ...]:
    """Read ``20,40,80`` as rising whole numbers, 1 or more."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) >= 1 for part in parts):
        message = f"'{text}' is no list of whole numbers of 1 or more, such as 20,40,80."
        raise click.BadParameter(message, ctx, param)
    return tuple(sorted({int(part) for part in parts}))


@click.command(
    "evsi",
    epilog=options.example(
        "heor evsi --n 20,50,100 --design response=binomial:lif_orr",
        "heor evsi --n 30,60 --design longer=survival:lifileucel.pfs.responder:24-60",
        "heor evsi --n 50,90 --design both=binomial:lif_orr+survival:docetaxel.os:24",
    ),
)
@options.inputs_argument
@options.change_options
@options.psa_options
@options.workers_option
@click.option(
    "--design",
    "wanted",
    multiple=True,
    required=True,
    metavar="NAME=PART+…",
    help="A study that could be done, its parts as above; may be repeated.",
)
@click.option(
    "--n",
    "sizes",
    required=True,
    callback=read_sizes,
    metavar="LIST",
    help="Numbers of patients of the study, such as 20,40,80.",
)
@click.option(
    "--fixed-cost",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="X",
    help="Cost of the study whatever its size.",
)
@click.option(
    "--patient-cost",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="X",
    help="Cost of the study per patient.",
)
@click.option(
    "--delay",
    type=click.FloatRange(min=0),
    metavar="YEARS",
    help="Years until results; the longest follow-up when left out.",
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
def evsi(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    draws: int | None,
    seed: int | None,
    sampler: str | None,
    workers: int,
    wanted: tuple[str, ...],
    sizes: tuple[int, ...],
    fixed_cost: float,
    patient_cost: float,
    delay: float | None,
    thresholds: tuple[float, ...] | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Compute what a study would be worth, by its size: EVSI and net benefit of sampling.

    A PART is binomial:PARAMETER (a response), normal:PARAMETER:SD (a mean) or
    survival:STRATEGY.ENDPOINT[.GROUP]:[FROM-]MONTHS (times to event from the model's own curves,
    watched for so many months, of patients free of it at FROM). Without GROUP the patients are a
    mixture whose groups are seen. SHARE*PART gives a part that share of the study's patients.

    What is known before is the probabilistic analysis.
    """
    check_ending(output)
    studies = [designs.read_design(text) for text in wanted]
    spec = options.load(inputs, scenario, changes)
    with progress_bar(quiet=quiet) as progress:
        report = None if progress is None else lambda done, total: progress("PSA", done, total)
        psa = psa_analysis.run(spec, draws, seed, sampler, workers=workers, progress=report)
        costs = evsi_analysis.Costs(fixed=fixed_cost, per_patient=patient_cost, delay=delay)
        result = evsi_analysis.run(spec, psa, studies, sizes, costs, thresholds)
    shape = {
        "study": spec.name,
        "input_hash": spec.input_hash,
        "currency": spec.settings.currency,
        "seed": psa.seed,
        **evsi_forms.evsi_json(result),
    }
    if output is not None:
        as_csv = output.suffix.lower() == ".csv"
        text = evsi_forms.to_csv(result) if as_csv else json_shapes.dumps(shape)
        files.write_text(output, text)
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if quiet:
        return
    if as_json:
        click.echo(json_shapes.dumps(shape), nl=False)
    elif output is None:
        from heor.report import layout

        parts = evsi_forms.evsi_tables(result, spec.settings.currency)
        layout.show(layout.console(no_color=no_color), parts)
