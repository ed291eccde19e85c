"""``heor cea``."""

from __future__ import annotations

import math
from pathlib import Path

import click

from heor.analyses.psa_table import PsaTable, analyse, read_matrices, read_psa
from heor.cli import options
from heor.report import files, json_shapes

#: Points that a range of thresholds may have.
MOST_THRESHOLDS = 100_000


def read_thresholds(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> tuple[float, ...] | None:
    """Read ``0,50000,100000`` or a range ``first:last:step`` as rising numbers, 0 or more."""
    if text is None:
        return None
    try:
        numbers = _range(text) if ":" in text else [float(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"'{text}' is neither a list such as 0,50000,100000 nor a range first:last:step "
            "such as 0:200000:1000.",
            ctx,
            param,
        ) from None
    if not all(0 <= number < math.inf for number in numbers):
        raise click.BadParameter(f"'{text}': thresholds must be 0 or more.", ctx, param)
    return tuple(sorted(set(numbers)))


def _range(text: str) -> list[float]:
    first, last, step = (float(part) for part in text.split(":"))
    if not (step > 0 and last >= first and (last - first) / step < MOST_THRESHOLDS):
        raise ValueError(text)
    points = int((last - first) / step + 1e-9) + 1
    return [first + place * step for place in range(points)]


def matrix_options(command: options.Command) -> options.Command:
    """Add ``--effects`` and ``--costs``, two matrices that stand for PSA.csv."""
    kind = click.Path(path_type=Path)
    effects = click.option(
        "--effects",
        type=kind,
        metavar="E.csv",
        help="Effects instead of PSA.csv: a column per strategy, a row per draw.",
    )
    costs = click.option("--costs", type=kind, metavar="C.csv", help="Costs, as --effects.")
    return effects(costs(command))


def read_output(psa: Path | None, effects: Path | None, costs: Path | None) -> PsaTable:
    """Read PSA.csv, or the two matrices that stand for it."""
    if (effects is None) != (costs is None):
        raise click.UsageError("--effects and --costs belong together.")
    if effects is not None and costs is not None:
        if psa is not None:
            raise click.UsageError("give either PSA.csv or --effects and --costs.")
        return read_matrices(effects, costs)
    if psa is None:
        raise click.UsageError("give PSA.csv, or --effects and --costs.")
    return read_psa(psa)


@click.command(
    "cea",
    epilog=options.example(
        "heor cea outputs/psa.csv",
        "heor cea psa.csv --thresholds 0:200000:1000 --json",
        "heor cea --effects e.csv --costs c.csv",
    ),
)
@click.argument("psa", metavar="[PSA.csv]", required=False, type=click.Path(path_type=Path))
@matrix_options
@click.option(
    "--thresholds",
    callback=read_thresholds,
    metavar="LIST",
    help="0,50000,100000 or first:last:step; chosen from the data when left out.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    help="Write JSON to a file instead.",
)
@options.json_option
@options.output_options
def cea(
    psa: Path | None,
    effects: Path | None,
    costs: Path | None,
    thresholds: tuple[float, ...] | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Analyse PSA output from any source: frontier, ICERs, acceptability and EVPI.

    PSA.csv has the columns draw, strategy, cost and qaly, a row per draw and strategy, or a pair
    of columns cost:NAME and qaly:NAME per strategy, a row per draw. Two matrices, as BCEA has
    them, do as well.
    """
    if output is not None and output.suffix.lower() != ".json":
        raise click.UsageError(f"-o {output}: the file must end in .json.")
    result = analyse(read_output(psa, effects, costs), thresholds)
    text = json_shapes.dumps(json_shapes.cea(result))
    if output is not None:
        files.write_text(output, text)
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if quiet:
        return
    if as_json:
        click.echo(text, nl=False)
    elif output is None:
        from heor.report import layout, tables

        layout.show(layout.console(no_color=no_color), tables.cea(result))
