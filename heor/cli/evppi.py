"""``heor evppi``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.analyses import ceac, voi
from heor.analyses.psa_table import read_inputs
from heor.cli import options
from heor.cli.cea import matrix_options, read_output, read_thresholds
from heor.report import files, json_shapes, voi_forms

#: Endings that `-o FILE` may have.
ENDINGS = (".csv", ".json")


def read_groups(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Read ``NAME=ID,ID`` texts; without a name the group is called by its members."""
    groups: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, members = text.rpartition("=")
        ids = tuple(dict.fromkeys(part.strip() for part in members.split(",") if part.strip()))
        if not ids or (equals and not name.strip()):
            raise click.BadParameter(f"'{text}': write NAME=ID,ID.", ctx, param)
        groups[name.strip() or " + ".join(ids)] = ids
    return groups


def check_ending(output: Path | None) -> None:
    """Refuse a file ending before anything is computed."""
    if output is not None and output.suffix.lower() not in ENDINGS:
        raise click.UsageError(f"-o {output}: the file must end in {' or '.join(ENDINGS)}.")


@click.command(
    "evppi",
    epilog=options.example(
        "heor evppi outputs/psa.csv outputs/psa_inputs.csv",
        "heor evppi psa.csv inputs.csv --group response=orr_a,orr_b",
        "heor evppi --effects e.csv --costs c.csv inputs.csv",
    ),
)
@click.argument(
    "tables",
    metavar="[PSA.csv] PARAMETERS.csv",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
@matrix_options
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
    help="0,50000,100000 or first:last:step; where the decision changes when left out.",
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
def evppi(
    tables: tuple[Path, ...],
    effects: Path | None,
    costs: Path | None,
    groups: dict[str, tuple[str, ...]],
    thresholds: tuple[float, ...] | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Compute the value of knowing each input, from PSA output of any program.

    PSA.csv is as for `heor cea`, as are the matrices that may stand for it; PARAMETERS.csv has a
    column per drawn input and a row per draw. The first strategy is the reference.
    """
    check_ending(output)
    *before, parameters = tables
    if len(before) > 1 or not (before or effects or costs):
        raise click.UsageError(
            "give PSA.csv and PARAMETERS.csv, or --effects and --costs with PARAMETERS.csv; "
            f"found {len(tables)} files: {', '.join(str(path) for path in tables)}."
        )
    table = read_output(before[0] if before else None, effects, costs)
    inputs = read_inputs(parameters, table.draws)
    for name, members in groups.items():
        for member in members:
            if member not in inputs:
                raise click.UsageError(
                    f"--group {name}: {parameters} has no column '{member}'; "
                    f"there are: {', '.join(inputs)}."
                )
    marks = thresholds or (voi.most_uncertain(table.costs, table.qalys),)
    varying = [(name,) for name, values in inputs.items() if values.min() < values.max()]
    sets = [*varying, *groups.values()]
    if not sets:
        raise click.UsageError(f"{parameters}: no input varies over the draws.")
    limit = ceac.evpi(table.costs, table.qalys, marks)
    found = voi.ranked(voi.evppi(inputs, sets, table.costs, table.qalys, marks), limit)
    names = {members: name for name, members in groups.items()}
    text = json_shapes.dumps(voi_forms.rows(found, names))
    if output is not None:
        as_csv = output.suffix.lower() == ".csv"
        files.write_text(output, voi_forms.to_csv(found, names) if as_csv else text)
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if quiet:
        return
    if as_json:
        click.echo(text, nl=False)
    elif output is None:
        from heor.report import layout

        parts = voi_forms.evppi_tables(found, names, "", int(limit.argmax()))
        layout.show(layout.console(no_color=no_color), parts)
