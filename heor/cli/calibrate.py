"""``heor calibrate``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from heor.cli import options
from heor.cli.fit import check_folder, read_unit, rows_options, write_rows, write_tables
from heor.engine.survival import CURVES
from heor.errors import HeorError, InputErrors, Place, Problem
from heor.fitting import landmarks, table_rows
from heor.fitting.calibrate import calibrate as find
from heor.fitting.calibrate import check
from heor.fitting.landmarks import Landmark, as_constraints
from heor.fitting.landmarks import check as check_landmarks
from heor.fitting.models import FITTED, Model
from heor.report import files, fit_forms, json_shapes


@click.command(
    "calibrate",
    epilog=options.example(
        "heor calibrate --family weibull --median 12.3 --at 24=0.2",
        "heor calibrate --family lognormal --at 6=0.7:0.6:0.8 --at 24=0.2:0.1:0.3",
        "heor calibrate --family exponential --median 8 --median-ci 6.5:10 --rows r",
        "heor calibrate --family weibull --at 24=.5:n10 --at 60=.3 --inputs landmarks",
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
    "at",
    multiple=True,
    metavar="TIME=S[:LOW:HIGH]",
    help="Survival at a time, perhaps with its interval, or :nPEOPLE; may be repeated.",
)
@click.option(
    "--given",
    multiple=True,
    metavar="TIME=S[:LOW:HIGH]",
    help="As --at, of those alive at the --at before (--inputs landmarks).",
)
@click.option(
    "--inputs",
    "drawn",
    type=click.Choice(("parameters", "landmarks")),
    default="parameters",
    show_default=True,
    help="What the rows draw: the curve's parameters, or the published numbers.",
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
    at: tuple[str, ...],
    given: tuple[str, ...],
    drawn: str,
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
    as_inputs = drawn == "landmarks"
    numbers = read_numbers(family, median, median_ci, at, given, as_inputs=as_inputs)
    constraints = as_constraints(numbers)
    naming = table_rows.Naming(
        prefix=prefix,
        strategy=strategy,
        endpoint=endpoint,
        groups_are="strategy",
        time_unit=unit,
        source=source,
    )
    try:
        found = find(model, constraints)
        curve = landmarks.curve(family, numbers, naming) if as_inputs else None
    except HeorError as error:
        raise HeorError(f"{error}.") from error
    shape = fit_forms.calibration_json(found, constraints, unit)
    if curve is not None:
        shape |= {"inputs": fit_forms.inputs_json(curve)}
    if output is not None:
        files.write_text(output, json_shapes.dumps(shape))
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if folder is not None:
        words = "; ".join(_words(one) for one in numbers)
        if curve is not None:
            note = f"Published: {words}."
            columns = {"parameters": landmarks.COLUMNS}
            tables = landmarks.rows(curve, naming, note)
            write_tables(folder, tables, (), columns=columns, quiet=quiet)
        else:
            estimate = table_rows.Estimate(
                model=model,
                theta=found.theta,
                covariance=found.covariance,
                groups=("",),
                best=True,
                note=f"Calibrated ({'exact' if found.exact else 'least squares'}): {words}.",
            )
            write_rows(folder, [estimate], naming, quiet=quiet)
            if found.covariance is None:
                click.echo(
                    "The numbers of these rows are FIXED: without an interval for each published "
                    "number there is no covariance, and the PSA will not vary them.",
                    err=True,
                )
    if quiet:
        return
    if as_json:
        click.echo(json_shapes.dumps(shape), nl=False)
    elif output is None:
        from heor.report import layout

        parts = fit_forms.calibration_tables(found, constraints, unit)
        if curve is not None:
            parts.append(fit_forms.inputs_table(curve))
        layout.show(layout.console(no_color=no_color), parts)


def _words(one: Landmark) -> str:
    """What was given, with a median's interval."""
    between = one.median and one.low is not None and one.high is not None
    return f"{one.label} ({one.low:g} to {one.high:g})" if between else one.label


class _Numbers:
    """Reads the numbers of the options, and collects what is wrong with any of them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, label: str, message: str) -> None:
        self.problems.append(Problem(Place(label), message))

    def number(self, label: str, text: str, *, share: bool = False) -> float:
        word = text.strip()
        percent = share and word.endswith("%")
        try:
            value = float(word.removesuffix("%") if percent else word)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            self.add(label, f"found `{text}`; expected a number")
        return value / 100 if percent else value

    def pair(self, label: str, text: str, *, share: bool = False) -> tuple[float, float] | None:
        ends = text.split(":")
        if len(ends) != 2:
            words = f"found `{text}`; write both ends of the interval, LOW:HIGH"
            self.add(label, words + (", or n and a number of people" if share else ""))
            return None
        return self.number(label, ends[0], share=share), self.number(label, ends[1], share=share)

    def median(self, median: str | None, interval: str | None) -> list[Landmark]:
        if median is None:
            if interval is not None:
                self.add(f"--median-ci {interval}", "there is no --median")
            return []
        label = f"--median {median}"
        between = self.pair(f"--median-ci {interval}", interval) if interval else None
        low, high = between or (None, None)
        time = self.number(label, median)
        return [Landmark(time=time, share=0.5, low=low, high=high, median=True, label=label)]

    def landmark(self, option: str, text: str) -> list[Landmark]:
        label = f"{option} {text}"
        time_text, equals, share_text = text.partition("=")
        if not equals:
            self.add(label, "write TIME=S, TIME=S:LOW:HIGH or TIME=S:nPEOPLE")
            return []
        share_text, colon, rest = share_text.partition(":")
        low = high = people = None
        if rest.startswith("n"):
            people = self.number(label, rest[1:])
        elif colon:
            low, high = self.pair(label, rest, share=True) or (None, None)
        return [
            Landmark(
                time=self.number(label, time_text),
                share=self.number(label, share_text, share=True),
                low=low,
                high=high,
                people=people,
                given=option == "--given",
                label=label,
            )
        ]


def read_numbers(
    family: str,
    median: str | None,
    median_ci: str | None,
    at: tuple[str, ...],
    given: tuple[str, ...],
    *,
    as_inputs: bool,
) -> list[Landmark]:
    """Read the numbers of the options.

    Raises
    ------
    InputErrors
        With everything that is wrong with any of them.
    """
    numbers = _Numbers()
    found = numbers.median(median, median_ci)
    for text in at:
        found += numbers.landmark("--at", text)
    for text in given:
        found += numbers.landmark("--given", text)
        if not as_inputs:
            numbers.add(f"--given {text}", "is for --inputs landmarks")
    if not found and not numbers.problems:
        numbers.add("--median, --at", "give at least one number")
    readable = [one for one in found if np.isfinite([one.time, one.share]).all()]
    sound = []
    for one in readable:
        if one.people is None or (one.people > 0 and 0 < one.share < 1):
            sound.append(one)
        elif np.isfinite(one.people):
            numbers.add(one.label, "expected a share inside 0 to 1, of more than 0 people")
    problems = check(as_constraints(sound)) + (check_landmarks(family, found) if as_inputs else [])
    for label, words in problems:
        numbers.add(label, words)
    if numbers.problems:
        raise InputErrors(numbers.problems)
    return found
