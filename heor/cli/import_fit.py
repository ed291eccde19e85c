"""``heor import-fit``."""

from __future__ import annotations

import math
from pathlib import Path

import click

from heor.cli import options
from heor.cli.fit import check_folder, read_unit, rows_options, write_rows
from heor.errors import InputErrors, Place, Problem
from heor.fitting import fit_files, foreign, printed, table_rows
from heor.fitting.imported import REFERENCE, WITHOUT, Choices, Imported, resolve
from heor.fitting.printed import NATURAL, TRANSFORMED, Found, Matrix, read_printed
from heor.report import files, import_forms, json_shapes
from heor.spec.records import SPLINE_SCALES

_FAMILIES = ", ".join(one.name for one in foreign.PARAMETRISATIONS)


def _knots(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[float, ...]:
    """Read numbers parted by blanks or commas."""
    if text is None:
        return ()
    try:
        values = tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise click.BadParameter(f"'{text}': give numbers, such as '1.6 5.1 6.8'.") from error
    if not values or not all(map(math.isfinite, values)):
        raise click.BadParameter(f"'{text}': give numbers, such as '1.6 5.1 6.8'.")
    return values


def _pairs(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Read ``OLD=NEW``, in which OLD may hold anything."""
    found = {}
    for text in texts:
        old, equals, new = text.rpartition("=")
        if not equals or not old.strip() or not new.strip():
            raise click.BadParameter(f"'{text}': write OLD=NEW.", ctx, param)
        found[old.strip()] = new.strip()
    return found


@click.command(
    "import-fit",
    epilog=options.example(
        "heor import-fit flexsurv_output.txt --unit months --rows new_rows",
        "heor import-fit est.csv --covariance vcov.csv --family weibullPH --unit days",
        "heor import-fit spline.txt --knots '1.6 5.1 6.8' --unit days",
        "heor import-fit posterior.csv --family lnorm --unit months --rows rows",
    ),
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--unit",
    required=True,
    callback=read_unit,
    metavar="UNIT",
    help="Unit of time of the fit: days, weeks, months, years.",
)
@click.option(
    "--covariance",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Covariance of the estimates: write.csv(vcov(fit)).",
)
@click.option(
    "--without-covariance",
    "without",
    type=click.Choice(WITHOUT),
    default=WITHOUT[0],
    show_default=True,
    help="How the numbers are drawn where there is no covariance.",
)
@click.option(
    "--family",
    default="",
    metavar="NAME",
    help="Where the file does not say it, in the words of flexsurv or survHE.",
)
@click.option(
    "--estimates",
    type=click.Choice((NATURAL, TRANSFORMED)),
    default=None,
    help="Scale of the estimates or draws, where it cannot be told.",
)
@click.option(
    "--knots",
    callback=_knots,
    metavar="NUMBERS",
    help="All knots of a spline on the scale of ln t: fit$knots.",
)
@click.option(
    "--scale",
    type=click.Choice(SPLINE_SCALES),
    default=None,
    help="Scale of a spline, where the file does not say it.",
)
@click.option(
    "--cure",
    type=click.Choice(("mixture", "non_mixture")),
    default=None,
    help="What the cured share theta is of, where the file does not say it.",
)
@click.option(
    "--by", default="", metavar="NAME", help="Covariate whose levels are groups of the rows."
)
@click.option(
    "--reference",
    default=REFERENCE,
    show_default=True,
    metavar="LABEL",
    help="Label of the group without an effect.",
)
@click.option(
    "--drop",
    multiple=True,
    metavar="COLUMN",
    help="Column of posterior draws to leave out; may be repeated.",
)
@click.option(
    "--rename",
    multiple=True,
    callback=_pairs,
    metavar="OLD=NEW",
    help="Give a parameter or a column flexsurv's name: alpha=shape; may be repeated.",
)
@rows_options
@click.option(
    "--by-is",
    type=click.Choice(table_rows.GROUP_COLUMNS),
    default=table_rows.GROUP_COLUMNS[0],
    show_default=True,
    help="What the groups are in those rows.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to a file instead: .json.",
)
@options.json_option
@options.output_options
def import_fit(
    file: Path,
    unit: str,
    covariance: Path | None,
    without: str,
    family: str,
    estimates: str | None,
    knots: tuple[float, ...],
    scale: str | None,
    cure: str | None,
    by: str,
    reference: str,
    drop: tuple[str, ...],
    rename: dict[str, str],
    folder: Path | None,
    prefix: str,
    strategy: str,
    endpoint: str,
    source: str,
    by_is: str,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Bring in a survival fit from flexsurv, survHE or lifelines, or posterior draws.

    FILE is the printed output of a fit, or a CSV file of estimates (fit$res.t) or of joint draws.
    Parameters are converted, with their covariance; what FILE does not say is asked for.
    """
    if output is not None and output.suffix.lower() != ".json":
        raise click.UsageError(f"-o {output}: the file must end in .json.")
    if folder is not None:
        check_folder(folder)
    found, matrix = _read(file, covariance, drop)
    missing = [name for one in found for name in printed.rename(one, rename)]
    if missing:
        message = f"`{missing[0]}` is no name in {file}"
        raise InputErrors([Problem(Place("--rename"), message)])
    matrix = None if matrix is None else printed.renamed(matrix, rename)
    choices = Choices(
        family=family,
        scale=scale or "",
        knots=knots,
        cure=cure or "",
        estimates=estimates or "",
        matrix=matrix,
        without=without,
        by=by,
        reference=reference,
    )
    fits = resolve(found, choices)
    shape = import_forms.to_json(fits, unit)
    if output is not None:
        files.write_text(output, json_shapes.dumps(shape))
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    _warn(fits)
    if folder is not None:
        naming = table_rows.Naming(
            prefix=prefix,
            strategy=strategy,
            endpoint=endpoint,
            groups_are=by_is,
            time_unit=unit,
            source=source,
        )
        write_rows(folder, [one.estimate for one in fits], naming, quiet=quiet)
    if quiet:
        return
    if as_json:
        click.echo(json_shapes.dumps(shape), nl=False)
    elif output is None:
        from heor.report import layout

        parts = import_forms.import_tables(fits, unit)
        layout.show(layout.console(no_color=no_color), parts)


def _read(
    file: Path, covariance: Path | None, drop: tuple[str, ...]
) -> tuple[list[Found], Matrix | None]:
    """Read both files; every problem of both."""
    problems: list[Problem] = []
    found: list[Found] = []
    matrix = None
    as_csv = file.suffix.lower() == ".csv"
    if drop and not as_csv:
        problems.append(Problem(Place("--drop"), "is for a CSV file of posterior draws"))
    try:
        found = [fit_files.read_csv(file, drop)] if as_csv else read_printed(file)
    except InputErrors as error:
        problems += error.problems
    try:
        matrix = None if covariance is None else fit_files.read_matrix(covariance)
    except InputErrors as error:
        problems += error.problems
    if problems:
        raise InputErrors(problems)
    return found, matrix


def _warn(fits: list[Imported]) -> None:
    """Say what the user must know, even with --quiet: it stands nowhere else so loud."""
    for one in fits:
        for sentence in one.warnings:
            click.echo(f"{one.place}: {sentence}", err=True)
