"""``heor two-way``."""

from __future__ import annotations

import math
from pathlib import Path

import click

from heor.analyses import two_way as analysis
from heor.cli import options
from heor.cli.output import DATA_ENDINGS, check_data_output, deliver_table
from heor.report import sensitivity_forms


def read_range(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> tuple[float, float, int | None] | None:
    """Read ``low:high`` or ``low:high:n``."""
    if text is None:
        return None
    parts = text.split(":")
    try:
        low, high = (float(part) for part in parts[:2])
        points = int(parts[2]) if len(parts) == 3 else None
    except ValueError:
        low, high, points = math.nan, math.nan, None
    if len(parts) > 3 or not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise click.BadParameter(
            f"'{text}': write low:high or low:high:n with low below high.", ctx, param
        )
    if points is not None and not 2 <= points <= analysis.MOST_POINTS:
        raise click.BadParameter(
            f"'{text}': the number of values must be 2 to {analysis.MOST_POINTS}, found {points}.",
            ctx,
            param,
        )
    return low, high, points


def _asked(parameter: str, given: tuple[float, float, int | None] | None) -> analysis.Asked:
    low, high, points = given or (None, None, None)
    return analysis.Asked(parameter=parameter, low=low, high=high, points=points)


@click.command(
    "two-way",
    epilog=options.example(
        "heor two-way c_lif lif_orr",
        "heor two-way c_lif lif_orr --x 0:515000:21 --outcome icer",
        "heor two-way my_study u_pf u_pd -o grid.csv",
    ),
)
@options.inputs_and_names("X Y", required=True)
@options.change_options
@click.option(
    "--x",
    "x_range",
    callback=read_range,
    metavar="LOW:HIGH:N",
    help="Values of X; its low to high in 11 steps when left out.",
)
@click.option(
    "--y",
    "y_range",
    callback=read_range,
    metavar="LOW:HIGH:N",
    help="Values of Y, likewise.",
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
def two_way(
    inputs: tuple[str, ...],
    changes: tuple[str, ...],
    scenario: str | None,
    x_range: tuple[float, float, int | None] | None,
    y_range: tuple[float, float, int | None] | None,
    outcome: str,
    threshold: float | None,
    workers: int,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Vary two parameters together over a grid.

    X goes across, Y goes down. Every cell is a run of the model with both set to their values.
    """
    check_data_output(output)
    folder, names = (None, inputs) if len(inputs) < 3 else (Path(inputs[0]), inputs[1:])
    if len(names) != 2:
        found = " ".join(inputs)
        raise click.UsageError(f"give two parameters, X and Y, after INPUTS if any; found: {found}")
    across, down = names
    spec = options.load(folder, scenario, changes)
    result = analysis.run(spec, _asked(across, x_range), _asked(down, y_range), threshold, workers)
    deliver_table(
        spec,
        sensitivity_forms.two_way_json(result),
        lambda: sensitivity_forms.two_way_csv(result),
        lambda: sensitivity_forms.two_way_tables(
            result,
            outcome,
            {s.id: s.label or s.id for s in spec.strategies},
            spec.settings.currency,
        ),
        output=output,
        as_json=as_json,
        quiet=quiet,
        no_color=no_color,
    )
