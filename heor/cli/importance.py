"""``heor importance``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses import importance as analysis
from heor.analyses import psa as psa_analysis
from heor.analyses import sobol as sobol_analysis
from heor.cli import options
from heor.cli.output import DATA_ENDINGS, check_data_output, deliver_table, progress_bar
from heor.report import importance_forms


def read_points(ctx: click.Context, param: click.Parameter, number: int | None) -> int | None:
    """Take a power of 2, without which the sequence is not balanced."""
    if number is not None and (number < 2 or number & (number - 1)):
        near = 2 ** max(1, round(number).bit_length() - 1)
        raise click.BadParameter(
            f"{number} is not a power of 2; take {near} or {2 * near}.", ctx, param
        )
    return number


@click.command(
    "importance",
    epilog=options.example(
        "heor importance",
        "heor importance --outcome delta_qaly --draws 20000",
        "heor importance my_study --sobol 1024 -o importance.csv",
    ),
)
@options.inputs_argument
@options.change_options
@options.psa_options
@click.option(
    "--sobol",
    type=int,
    callback=read_points,
    metavar="N",
    help="Sobol indices too, N points and one more set per input; needs SALib.",
)
@click.option(
    "--outcome",
    type=click.Choice(analysis.OUTCOMES),
    default="inmb",
    show_default=True,
    help="What the table shows; files hold all.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    metavar="K",
    help="Willingness to pay per QALY; the study's middle one when left out.",
)
@options.workers_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Write to a file instead: {' or '.join(DATA_ENDINGS)}.",
)
@options.json_option
@options.output_options
def importance(
    inputs: Path | None,
    changes: tuple[str, ...],
    scenario: str | None,
    draws: int | None,
    seed: int | None,
    sampler: str | None,
    sobol: int | None,
    outcome: str,
    threshold: float | None,
    workers: int,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Rank the uncertain inputs by the spread of the results that they explain.

    From the draws of the PSA: variance explained by each input alone, analysis of covariance,
    regression coefficients and rank correlations; with --sobol, Sobol indices as well.
    """
    check_data_output(output)
    spec = options.load(inputs, scenario, changes)
    if sobol is not None:
        sobol_analysis.import_salib()
    with progress_bar(quiet=quiet) as progress:
        report = None if progress is None else lambda done, total: progress("PSA", done, total)
        psa = psa_analysis.run(spec, draws, seed, sampler, workers=workers, progress=report)
        result = analysis.run(spec, psa, threshold)
        indices = None
        if sobol is not None:
            indices = sobol_analysis.run(spec, sobol, threshold, psa.seed, workers)
    deliver_table(
        spec,
        {
            "seed": psa.seed,
            "sampler": psa.sampler,
            **importance_forms.importance_json(result, indices),
        },
        lambda: importance_forms.importance_csv(result, indices),
        lambda: importance_forms.importance_tables(
            result,
            outcome,
            {s.id: s.label or s.id for s in spec.strategies},
            spec.settings.currency,
            indices,
        ),
        output=output,
        as_json=as_json,
        quiet=quiet,
        no_color=no_color,
    )
