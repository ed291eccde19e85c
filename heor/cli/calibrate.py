"""``heor calibrate``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from heor.cli import options
from heor.cli.fit import check_folder, read_unit, rows_options, write_rows
from heor.engine.survival import CURVES
from heor.errors import HeorError, InputErrors, Place, Problem
from heor.fitting import table_rows
from heor.fitting.calibrate import Constraint, check
from heor.fitting.calibrate import calibrate as find
from heor.fitting.models import FITTED, Model
from heor.report import files, fit_forms, json_shapes


@click.command(
    "calibrate",
    epilog=options.example(
        "heor calibrate --family weibull --median 12.3 --at 24=0.2",
        "heor calibrate --family lognormal --at 6=0.7:0.6:0.8 --at 24=0.2:0.1:0.3",
        "heor calibrate --family exponential --median 8 --median-ci 6.5:10 --rows r",
    ),
)
@click.option(
    "--family",
    required=True,
    type=click.Choice(FITTED),
    metavar="NAME",
    help=f"One of {', '.join(FITTED)}.",
)
@click.option("--median", metavar="TIME", help="Median survival.")
@click.option("--median-ci", metavar="LOW:HIGH", help="Its 95% interval.")
@click.option(
    "--at",
    "landmarks",
    multiple=True,
    metavar="TIME=S[:LOW:HIGH]",
    help="Survival at a time, perhaps with its interval; may be repeated.",
)
@click.option(
    "--unit",
    default="months",
    show_default=True,
    callback=read_unit,
    metavar="UNIT",
    help="Unit of all times: days, weeks, months, years.",
)
@rows_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to a file instead: .json.",
)
@options.json_option
@options.output_options
def calibrate(
    family: str,
    median: str | None,
    median_ci: str | None,
    landmarks: tuple[str, ...],
    unit: str,
    folder: Path | None,
    prefix: str,
    strategy: str,
    endpoint: str,
    source: str,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Find the curve of a family through published medians and survival at times.

    As many numbers as parameters are met exactly where a curve can; more by least squares. With
    an interval for each number, the parameters have a covariance.
    """
    if output is not None and output.suffix.lower() != ".json":
        raise click.UsageError(f"-o {output}: the file must end in .json.")
    if folder is not None:
        check_folder(folder)
    model = Model(family=CURVES[family])
    constraints = read_constraints(median, median_ci, landmarks)
    try:
        found = find(model, constraints)
    except HeorError as error:
        raise HeorError(f"{error}.") from error
    shape = fit_forms.calibration_json(found, constraints, unit)
    if output is not None:
        files.write_text(output, json_shapes.dumps(shape))
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if folder is not None:
        numbers = "; ".join(one.label for one in constraints)
        estimate = table_rows.Estimate(
            model=model,
            theta=found.theta,
            covariance=found.covariance,
            groups=("",),
            best=True,
            note=f"Calibrated ({'exact' if found.exact else 'least squares'}): {numbers}.",
        )
        naming = table_rows.Naming(
            prefix=prefix,
            strategy=strategy,
            endpoint=endpoint,
            groups_are="strategy",
            time_unit=unit,
            source=source,
        )
        write_rows(folder, [estimate], naming, quiet=quiet)
    if quiet:
        return
    if as_json:
        click.echo(json_shapes.dumps(shape), nl=False)
    elif output is None:
        from heor.report import layout

        parts = fit_forms.calibration_tables(found, constraints, unit)
        layout.show(layout.console(no_color=no_color), parts)


def read_constraints(
    median: str | None, median_ci: str | None, landmarks: tuple[str, ...]
) -> list[Constraint]:
    """Read the numbers of the options.

    Raises
    ------
    InputErrors
        With everything that is wrong with any of them.
    """
    problems: list[Problem] = []
    found: list[Constraint] = []

    def number(label: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            problems.append(Problem(Place(label), f"found `{text}`; expected a number"))
        return value

    def pair(label: str, text: str) -> tuple[float, float] | None:
        ends = text.split(":")
        if len(ends) != 2:
            message = f"found `{text}`; write both ends of the interval, LOW:HIGH"
            problems.append(Problem(Place(label), message))
            return None
        return number(label, ends[0]), number(label, ends[1])

    if median_ci is not None and median is None:
        problems.append(Problem(Place(f"--median-ci {median_ci}"), "there is no --median"))
    if median is not None:
        label = f"--median {median}"
        between = pair(f"--median-ci {median_ci}", median_ci) if median_ci else None
        low, high = between or (None, None)
        time = number(label, median)
        found.append(
            Constraint(share=0.5, time=time, low=low, high=high, of_time=True, label=label)
        )
    for text in landmarks:
        label = f"--at {text}"
        time_text, equals, share_text = text.partition("=")
        if not equals:
            problems.append(Problem(Place(label), "write TIME=S or TIME=S:LOW:HIGH"))
            continue
        share_text, colon, rest = share_text.partition(":")
        between = pair(label, rest) if colon else None
        low, high = between or (None, None)
        time, share = number(label, time_text), number(label, share_text)
        found.append(Constraint(share=share, time=time, low=low, high=high, label=label))
    if not found and not problems:
        problems.append(Problem(Place("--median, --at"), "give at least one number"))
    readable = [one for one in found if np.isfinite([one.time, one.share]).all()]
    problems += [Problem(Place(label), words) for label, words in check(readable)]
    if problems:
        raise InputErrors(problems)
    return found
