"""``heor reconstruct``."""

from __future__ import annotations

import dataclasses
import difflib
import math
from pathlib import Path

import click

from heor.cli import options
from heor.errors import HeorError, InputErrors, Place, Problem
from heor.fitting.curve_files import FILTERS, NumbersAtRisk, numbers_at_risk, read_curve
from heor.fitting.digitised import Digitised, put_in_order
from heor.fitting.reconstruct import Reconstruction, events_before, reconstruct
from heor.report import files, json_shapes, reconstruct_forms
from heor.spec.records import ALL, UNITS_PER_YEAR, Spec

#: Endings that `-o FILE` may have.
ENDINGS = (".csv", ".json")


@click.command(
    "reconstruct",
    epilog=options.example(
        "heor reconstruct km.csv --at-risk risk.csv --events 161 -o ipd.csv",
        "heor reconstruct table.csv --endpoint os --group responders",
        "heor reconstruct my_study --curve docetaxel.os.responder -o ipd.csv",
    ),
)
@click.argument("source", metavar="[KM.csv]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--at-risk",
    "risk",
    type=click.Path(path_type=Path),
    metavar="RISK.csv",
    help="Numbers at risk, where KM.csv has no such column.",
)
@click.option(
    "--events", type=click.IntRange(min=0), metavar="N", help="Events in all, when published."
)
@click.option(
    "--curve",
    metavar="NAME",
    help="strategy.endpoint.group of the table km of a study.",
)
@click.option("--strategy", metavar="NAME", help="Rows of a file with several strategies.")
@click.option("--endpoint", metavar="NAME", help="Rows of a file with several endpoints.")
@click.option("--group", metavar="NAME", help="Rows of a file with several groups.")
@click.option(
    "--points",
    type=click.Choice(["auto", "corners", "grid"]),
    default="auto",
    show_default=True,
    help="Points are where the curve falls, or an even grid over it.",
)
@click.option(
    "--unit", type=click.Choice(list(UNITS_PER_YEAR)), help="Time unit of the files, for words."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the data to .csv, or report and data to .json.",
)
@options.json_option
@options.output_options
def reconstruct_km(
    source: Path | None,
    risk: Path | None,
    events: int | None,
    curve: str | None,
    strategy: str | None,
    endpoint: str | None,
    group: str | None,
    points: str,
    unit: str | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Rebuild patient data from a Kaplan-Meier curve and its numbers at risk.

    KM.csv holds time and survival as read off a figure, and perhaps at_risk; RISK.csv time and
    at_risk. With --curve it is a study instead, the shipped one when left out.
    """
    if output is not None and output.suffix.lower() not in ENDINGS:
        raise click.UsageError(f"-o {output}: the file must end in {' or '.join(ENDINGS)}.")
    named = {"strategy": strategy, "endpoint": endpoint, "group": group}
    filters = {name: value for name, value in named.items() if value is not None}
    if curve is None:
        made, found_unit = _from_files(source, risk, events, filters, points)
        name = " ".join([source.name if source else "", *filters.values()])
    else:
        given = [*(f"--{name}" for name in filters), *(["--at-risk"] if risk else [])]
        given += ["--unit"] if unit else []
        if given:
            raise click.UsageError(f"{', '.join(given)}: not with --curve, which names it all.")
        made, found_unit = _from_study(source, curve, events, points)
        name = curve
    if unit is not None and found_unit not in ("", unit):
        raise click.UsageError(f"--unit {unit}: the file says {found_unit}.")
    shown = unit or found_unit
    report = json_shapes.dumps(reconstruct_forms.to_json(made, name, shown))
    if output is not None:
        as_csv = output.suffix.lower() == ".csv"
        files.write_text(output, reconstruct_forms.to_csv(made) if as_csv else report)
        if not quiet:
            click.echo(f"Wrote {output}", err=as_json)
    if quiet:
        return
    if as_json:
        click.echo(report, nl=False)
    else:
        from heor.report import layout

        parts = reconstruct_forms.tables(made, name, shown)
        layout.show(layout.console(no_color=no_color), parts)


def _from_files(
    source: Path | None,
    risk: Path | None,
    events: int | None,
    filters: dict[str, str],
    points: str,
) -> tuple[Reconstruction, str]:
    """Read a curve and its numbers at risk, from one file or two; every problem of both."""
    if source is None:
        raise click.UsageError("give the file KM.csv, or --curve for a curve of a study.")
    problems: list[Problem] = []
    table = at_risk = None
    try:
        table = read_curve(source, needed="survival", filters=filters)
    except InputErrors as error:
        problems += error.problems
    try:
        if risk is not None:
            at_risk = read_curve(risk, needed="at_risk", filters=_also_in(risk, filters))
        elif table is not None:
            at_risk = table
        numbers = None if at_risk is None else numbers_at_risk(at_risk)
    except InputErrors as error:
        problems += error.problems
    if problems or table is None or at_risk is None or numbers is None:
        raise InputErrors(problems)
    if table.unit and at_risk.unit and table.unit != at_risk.unit:
        message = f"times are in {at_risk.unit}s, those of {table.name} in {table.unit}s"
        raise InputErrors([Problem(Place(at_risk.name), message)])
    try:
        digitised = put_in_order(table.columns["time"], table.columns["survival"])
        digitised = _as_points(digitised, points, (*table.repairs, *digitised.repairs))
        made = _made(digitised, numbers, events)
    except HeorError as error:
        raise InputErrors([Problem(Place(table.name), str(error))]) from error
    return made, table.unit or at_risk.unit


def _also_in(risk: Path, filters: dict[str, str]) -> dict[str, str]:
    """Filters whose column the table of numbers at risk has too."""
    heading = risk.read_text("utf-8-sig", errors="replace") if risk.is_file() else ""
    first = next((line for line in heading.splitlines() if not line.startswith("#")), "").lower()
    return {name: filters[name] for name in FILTERS if name in filters and name in first}


def _as_points(curve: Digitised, points: str, repairs: tuple[str, ...]) -> Digitised:
    sampled = curve.sampled if points == "auto" else points == "grid"
    return dataclasses.replace(curve, sampled=sampled, repairs=repairs)


def _made(curve: Digitised, numbers: NumbersAtRisk, events: int | None) -> Reconstruction:
    """Make the people, with what is known of events."""
    before, total = numbers.events_before, None
    if before is not None and numbers.time[-1] >= curve.time[-1]:
        total = int(before[-1])
    elif before is None and numbers.events is not None:
        before, total = events_before(numbers.events, curve)
    return reconstruct(
        curve, numbers.time, numbers.left, total if events is None else events, before
    )


def _from_study(
    source: Path | None, curve: str, events: int | None, points: str
) -> tuple[Reconstruction, str]:
    """Take a curve of the table km of a study."""
    spec = options.load(source)
    km = spec.km[_slot(spec, curve)]
    rows = [row for row, number in enumerate(km.at_risk) if math.isfinite(number)]
    died = tuple(km.events.tolist())
    known = len(rows) == len(km.time) and all(map(math.isfinite, died))
    numbers = NumbersAtRisk(
        time=tuple(km.time[rows].tolist()),
        left=tuple(km.at_risk[rows].tolist()),
        events=died if known else None,
        events_before=None,
    )
    try:
        digitised = put_in_order(km.time.tolist(), km.survival.tolist())
        made = _made(_as_points(digitised, points, digitised.repairs), numbers, events)
    except HeorError as error:
        raise InputErrors([Problem(Place("km"), f"{curve}: {error}")]) from error
    return made, km.time_unit


def _slot(spec: Spec, curve: str) -> tuple[str, str, str]:
    names = {".".join(slot): slot for slot in spec.km}
    short = {name.removesuffix(f".{ALL}"): slot for name, slot in names.items()}
    slot = names.get(curve) or short.get(curve)
    if slot is None:
        near = difflib.get_close_matches(curve, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names) or 'none'}"
        message = f"the table km has no curve '{curve}'; {hint}"
        raise InputErrors([Problem(Place("--curve"), message)])
    return slot
