"""``heor threshold``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses import thresholds as analysis
from heor.cli import options
from heor.cli.cea import read_thresholds
from heor.cli.output import DATA_ENDINGS, check_data_output, deliver_table
from heor.cli.two_way import read_range
from heor.report import sensitivity_forms


@click.command(
    "threshold",
    epilog=options.example(
        "heor threshold",
        "heor threshold c_lif lif_orr",
        "heor threshold c_lif --range 0:600000 --thresholds 150000",
        "heor threshold my_study price_high -o values.csv",
    ),
)
@options.inputs_and_names("[PARAMETER]...", required=False)
@options.change_options
@click.option(
    "--range",
    "search",
    callback=read_range,
    metavar="LOW:HIGH",
    help="Where to look, for the parameters that are named.",
)
@click.option(
    "--thresholds",
    callback=read_thresholds,
    metavar="LIST",
    help="0,50000,100000 or first:last:step; those of the study when left out.",
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
def threshold(
    inputs: tuple[str, ...],
    changes: tuple[str, ...],
    scenario: str | None,
    search: tuple[float, float, int | None] | None,
    thresholds: tuple[float, ...] | None,
    workers: int,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Find the values of parameters at which the decision turns.

    Net benefit against the reference is 0 there. Without a name every parameter is searched
    between its low and high values; a named one beyond them too, where they hold none.
    """
    check_data_output(output)
    folder, names = options.split_names(inputs)
    if search is not None and not names:
        raise click.UsageError("--range goes with named parameters.")
    if search is not None and search[2] is not None:
        raise click.UsageError("--range takes low:high here, without a number of values.")
    spec = options.load(folder, scenario, changes)
    result = analysis.run(spec, names, None if search is None else search[:2], thresholds, workers)
    deliver_table(
        spec,
        sensitivity_forms.threshold_json(result),
        lambda: sensitivity_forms.threshold_csv(result),
        lambda: sensitivity_forms.threshold_tables(
            result,
            {s.id: s.label or s.id for s in spec.strategies},
            spec.settings.currency,
            named=bool(names),
        ),
        output=output,
        as_json=as_json,
        quiet=quiet,
        no_color=no_color,
    )
