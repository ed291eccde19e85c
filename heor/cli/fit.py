"""``heor fit``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from heor.cli import fit_options, options
from heor.errors import HeorError
from heor.fitting import table_rows
from heor.fitting import targets as target_files
from heor.fitting.compare import Comparison, Request, compare
from heor.fitting.diagnostics import diagnose
from heor.fitting.models import CURES, FITTED, LOCATION
from heor.fitting.read_data import Columns, read_data
from heor.report import diagnostic_forms, files, fit_forms, json_shapes
from heor.spec.records import ALL_CAUSE, EXCESS, SPLINE, SPLINE_SCALES, UNITS_PER_YEAR

#: Endings that `-o FILE` may have.
ENDINGS = (".csv", ".json")

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

#: Most inner knots of a spline.
MOST_KNOTS = 5


def read_unit(ctx: click.Context, param: click.Parameter, text: str) -> str:
    """Read a time unit, in one or many."""
    unit = text.strip().lower().removesuffix("s")
    if unit not in UNITS_PER_YEAR:
        raise click.BadParameter(f"'{text}': give days, weeks, months or years.", ctx, param)
    return unit


def rows_options(command: options.Command) -> options.Command:
    """Add what names rows of the tables: ``--rows`` and the rest."""
    for decorator in reversed(
        (
            click.option(
                "--rows",
                "folder",
                type=click.Path(path_type=Path, file_okay=False),
                metavar="FOLDER",
                help="Write rows of parameters, curves and correlations there.",
            ),
            click.option(
                "--prefix",
                default="fit",
                show_default=True,
                metavar="ID",
                callback=_id,
                help="Start of the ids in those rows.",
            ),
            click.option(
                "--strategy",
                default="strategy",
                show_default=True,
                metavar="ID",
                callback=_id,
                help="Strategy in those rows.",
            ),
            click.option(
                "--endpoint",
                default="os",
                show_default=True,
                metavar="ID",
                callback=_id,
                help="Endpoint in those rows.",
            ),
            click.option(
                "--source",
                default="assumption",
                show_default=True,
                metavar="KEY",
                help="Source in those rows: a key of `references`.",
            ),
        )
    ):
        command = decorator(command)
    return command


def _id(ctx: click.Context, param: click.Parameter, text: str) -> str:
    if not _ID.fullmatch(text):
        words = f"'{text}': an id has letters, digits and underscores, a letter first."
        raise click.BadParameter(words, ctx, param)
    return text


@click.command(
    "fit",
    epilog=options.example(
        "heor fit patients.csv --time os --event died --by arm",
        "heor fit patients.csv --time os --event died --family all --rows new_rows",
        "heor fit patients.csv --by arm --target 60=0.12:0.08:0.17 --figures figures",
        "heor fit visits.csv --time last_free --upper first_seen --unit weeks",
        "heor fit p.csv --family spline --knots 2 --scale odds --unit days",
        "heor fit p.csv --family all --as R -o fits.R",
        "heor fit p.csv --expected life_table.csv --age age --sex sex",
    ),
)
@click.argument("data", metavar="DATA.csv", type=click.Path(path_type=Path))
@click.option("--time", default="time", show_default=True, metavar="COLUMN", help="Time.")
@click.option("--event", metavar="COLUMN", help="1 event, 0 censored.  [default: event]")
@click.option("--event-is", default="", metavar="WORD", help="What marks an event there.")
@click.option("--by", default="", metavar="COLUMN", help="Groups; each is fitted by itself.")
@click.option("--together", is_flag=True, help="One model; groups differ in location.")
@click.option("--entry", default="", metavar="COLUMN", help="Time of entry, if delayed.")
@click.option(
    "--upper",
    default="",
    metavar="COLUMN",
    help="First time with the event, blank if censored; --time is then the last without.",
)
@click.option("--weight", default="", metavar="COLUMN", help="People a row stands for.")
@click.option(
    "--family",
    "families",
    multiple=True,
    type=click.Choice((*LOCATION, "all")),
    metavar="NAME",
    help=f"May be repeated: {', '.join(LOCATION)}; or all.  [default: all but splines]",
)
@click.option(
    "--cure",
    type=click.Choice(CURES[1:]),
    default=None,
    help="A share is cured: in a mixture, or by a bounded hazard.",
)
@click.option(
    "--knots",
    multiple=True,
    type=click.IntRange(1, MOST_KNOTS),
    help="Inner knots of splines; may be repeated.  [default: 1]",
)
@click.option(
    "--scale",
    "scales",
    multiple=True,
    type=click.Choice(SPLINE_SCALES),
    help="Scale of splines; may be repeated.  [default: hazard]",
)
@click.option(
    "--unit",
    default="months",
    show_default=True,
    callback=read_unit,
    metavar="UNIT",
    help="Unit of all times: days, weeks, months, years.",
)
@click.option(
    "--horizon",
    type=click.FloatRange(0, 100, min_open=True),
    default=20.0,
    show_default=True,
    metavar="YEARS",
    help="Up to where means and hazards are looked at.",
)
@click.option(
    "--expected",
    type=click.Path(path_type=Path),
    metavar="LIFE_TABLE.csv",
    help="Fit the hazard in excess of the population's (age, male, female; year).",
)
@click.option("--age", default="age", show_default=True, metavar="COLUMN", help="Age at time 0.")
@click.option("--year", default="", metavar="COLUMN", help="Calendar time at time 0: 2019.5.")
@click.option("--sex", default="sex", show_default=True, metavar="COLUMN", help="Male or female.")
@fit_options.look_options
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
    help=f"Write to a file instead: {' or '.join(ENDINGS)}.",
)
@click.option(
    "--as",
    "language",
    type=click.Choice(("R",)),
    default=None,
    help="Print calls of flexsurv with these fits, equations and Excel formulas.",
)
@options.json_option
@options.output_options
def fit(
    data: Path,
    time: str,
    event: str | None,
    event_is: str,
    by: str,
    together: bool,
    entry: str,
    upper: str,
    weight: str,
    families: tuple[str, ...],
    cure: str | None,
    knots: tuple[int, ...],
    scales: tuple[str, ...],
    unit: str,
    horizon: float,
    expected: Path | None,
    age: str,
    sex: str,
    year: str,
    target_texts: tuple[str, ...],
    target_file: Path | None,
    figures: Path | None,
    diagnostics: Path | None,
    bandwidth: float | None,
    folder: Path | None,
    prefix: str,
    strategy: str,
    endpoint: str,
    source: str,
    by_is: str,
    output: Path | None,
    language: str | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Fit survival families to patient data by maximum likelihood.

    DATA.csv has a row per subject. Families are compared by AIC and BIC, and by what they say
    beyond the data; every optimum is checked. Hazards and groups are looked at without a family.
    """
    if language and as_json:
        raise click.UsageError("--as R and --json: give one of them.")
    endings = (f".{language.lower()}",) if language else ENDINGS
    if output is not None and output.suffix.lower() not in endings:
        raise click.UsageError(f"-o {output}: the file must end in {' or '.join(endings)}.")
    if together and not by:
        raise click.UsageError("--together needs --by, the column of the groups.")
    requests = _requests(families, cure or "", knots, scales)
    targets = fit_options.read_targets(target_texts, target_file)
    fit_options.check(figures, diagnostics, targets, excess=expected is not None)
    if folder is not None:
        check_folder(folder)
        if expected is not None and endpoint != "os":
            raise click.UsageError(
                f"--expected --endpoint {endpoint}: only `os` can be an excess hazard in a study."
            )
    if year and language:
        raise click.UsageError("--as R writes no life table by year; leave --year out.")
    if year and expected is None:
        raise click.UsageError("--year goes with --expected, a life table with years.")
    columns = Columns(
        time=time,
        event="event" if event is None and not upper else event or "",
        upper=upper,
        entry=entry,
        weight=weight,
        by=by,
        age=age if expected else "",
        sex=sex if expected else "",
        year=year if expected else "",
    )
    per_year = UNITS_PER_YEAR[unit]
    subjects = read_data(data, columns, event_is=event_is, expected=expected, per_year=per_year)
    target_files.check_groups(targets, subjects.groups)
    try:
        seen = diagnose(subjects, per_year=per_year, bandwidth=bandwidth)
        found = compare(
            subjects,
            requests,
            together=together,
            per_year=per_year,
            horizon=horizon,
            targets=targets,
        )
    except HeorError as error:
        raise HeorError(f"{data}: {error}.") from error
    excess = expected is not None
    shape = fit_forms.to_json(found, unit, horizon, excess)
    code = ""
    if language:
        from heor.report.r_code import r_code

        life = expected.as_posix() if expected else ""
        code = r_code(
            found, columns, data=data.as_posix(), unit=unit, event_is=event_is, life_table=life
        )
    if output is not None:
        as_csv = output.suffix.lower() == ".csv"
        text = fit_forms.to_csv(found) if as_csv else json_shapes.dumps(shape)
        files.write_text(output, code or text)
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if diagnostics is not None:
        text = json_shapes.dumps(diagnostic_forms.to_json(seen, unit))
        files.write_text(diagnostics, text)
        if not quiet:
            click.echo(f"Wrote {diagnostics}", err=True)
    if figures is not None:
        from heor.report.figures.fits import write_fit_figures

        names = write_fit_figures(found, seen, data.name, unit, horizon, figures)
        if not quiet:
            click.echo(f"Wrote {len(names)} files to {figures}", err=True)
    if folder is not None:
        naming = table_rows.Naming(
            prefix=prefix,
            strategy=strategy,
            endpoint=endpoint,
            hazard=EXCESS if excess else ALL_CAUSE,
            groups_are=by_is,
            time_unit=unit,
            source=source,
        )
        write_rows(folder, _estimates(found, data.name, excess), naming, quiet=quiet)
    if quiet:
        return
    if as_json:
        click.echo(json_shapes.dumps(shape), nl=False)
    elif code and output is None:
        click.echo(code, nl=False)
    elif output is None:
        from heor.report import layout

        parts = fit_forms.fit_tables(found, unit, horizon, excess)
        parts += diagnostic_forms.tables(seen, unit)
        layout.show(layout.console(no_color=no_color), parts)


def _requests(
    families: tuple[str, ...], cure: str, knots: tuple[int, ...], scales: tuple[str, ...]
) -> list[Request]:
    """What to fit; splines come once for each scale and number of knots."""
    names: list[str] = []
    for name in families or FITTED:
        names += [*FITTED, SPLINE] if name == "all" else [name]
    if (knots or scales) and SPLINE not in names:
        raise click.UsageError("--knots and --scale are of splines: add --family spline.")
    found = []
    for name in dict.fromkeys(names):
        if name != SPLINE:
            found.append(Request(family=name, cure=cure))
            continue
        for scale in dict.fromkeys(scales or SPLINE_SCALES[:1]):
            for inner in dict.fromkeys(knots or (1,)):
                found.append(Request(family=name, cure=cure, scale=scale, inner=inner))
    return found


def _estimates(found: tuple[Comparison, ...], data: str, excess: bool) -> list[table_rows.Estimate]:
    groups = [found[0]] if found[0].together else list(found)
    what = "excess hazard, so relative survival" if excess else "all causes"
    estimates = []
    for group in groups:
        labels = tuple(one.group for one in found) if group.together else (group.group,)
        subjects = sum(one.subjects for one in found) if group.together else group.subjects
        events = sum(one.events for one in found) if group.together else group.events
        for one in group.candidates:
            if one.fit is None:
                continue
            estimates.append(
                table_rows.Estimate(
                    model=one.fit.model,
                    theta=one.fit.theta,
                    covariance=one.fit.covariance,
                    groups=labels,
                    form=one.form,
                    best=one is group.best,
                    note=f"Maximum likelihood, {subjects:g} subjects, {events:g} events, {what}; "
                    f"{data}; AIC {one.fit.aic:.2f}.",
                    criteria=(one.fit.aic, one.fit.bic, one.fit.bic_events),
                    data=f"{data}, {' and '.join(filter(None, labels)) or 'all'}: {subjects:g}"
                    f" subjects, {events:g} events",
                )
            )
    return estimates


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds other tables: rows are not written into a study."""
    own = {f"{name}.csv" for name in (*table_rows.COLUMNS, table_rows.DRAWS)}
    if folder.is_dir() and any(path.name not in own for path in folder.glob("*.csv")):
        raise click.UsageError(
            f"--rows {folder}: this folder holds other tables, and its rows would be written over; "
            "choose a new folder and copy the rows from there."
        )


def write_rows(
    folder: Path,
    estimates: list[table_rows.Estimate],
    naming: table_rows.Naming,
    *,
    quiet: bool,
) -> None:
    """Write the rows of the tables, and say on stderr what is not among them."""
    write_tables(folder, *table_rows.rows(estimates, naming), quiet=quiet)


def write_tables(
    folder: Path,
    tables: Mapping[str, Sequence[Mapping[str, str]]],
    left_out: Sequence[str],
    *,
    columns: Mapping[str, Sequence[str]] | None = None,
    quiet: bool,
) -> None:
    """Write rows; ``columns`` of a table where they are not those of `table_rows.COLUMNS`."""
    with files.staged(folder) as stage:
        for name, lines in tables.items():
            text = table_rows.to_csv(name, lines, (columns or {}).get(name, ()))
            (stage / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")
    for name in (*table_rows.COLUMNS, table_rows.DRAWS):
        if name not in tables:  # of another time, and of other parameters
            (folder / f"{name}.csv").unlink(missing_ok=True)
    if quiet:
        return
    click.echo(f"Wrote rows of {', '.join(tables)} to {folder}", err=True)
    for sentence in left_out:
        click.echo(sentence, err=True)
