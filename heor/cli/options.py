"""Options that several commands share, and what every command does with its inputs."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from heor.analyses.mapper import Mapper
from heor.errors import InputErrors, Place, Problem
from heor.spec.changed_tables import with_tables
from heor.spec.reader import apply_changes, read_study, shipped_studies
from heor.spec.records import SAMPLERS, Change, Spec

#: The study that a command takes when no INPUTS are given.
SHIPPED = "lifileucel_nsclc"

Command = Any  # click decorates functions and, from the second decorator on, commands


def example(*lines: str) -> str:
    """Lines for the end of a command's help, kept as they are."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def inputs_argument(command: Command) -> Command:
    """Add the optional argument INPUTS."""
    return _all(click.argument("inputs", required=False, type=click.Path(path_type=Path)))(command)


def inputs_and_names(metavar: str, required: bool) -> Callable[[Command], Command]:
    """Add the optional argument INPUTS and, after it, names of parameters."""
    return click.argument("inputs", metavar=f"[INPUTS] {metavar}", nargs=-1, required=required)


def split_names(words: Sequence[str]) -> tuple[Path | None, tuple[str, ...]]:
    """Part INPUTS from the names after it: the first word, if it is a file or folder.

    A name of something that is not there counts as INPUTS where no parameter could be called so.
    """
    if not words:
        return None, ()
    first = Path(words[0])
    if first.exists() or not words[0].isidentifier():
        return first, tuple(words[1:])
    return None, tuple(words)


def set_option(command: Command) -> Command:
    """Add ``--set``."""
    return click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="ID=VALUE",
        help="Give a parameter or a setting another value; may be repeated.",
    )(command)


def change_options(command: Command) -> Command:
    """Add ``--set`` and ``--scenario``."""
    return _all(
        set_option,
        click.option(
            "--scenario",
            multiple=True,
            callback=_only_one,
            metavar="NAME",
            help="Apply a scenario of the study first.",
        ),
    )(command)


def _only_one(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> str | None:
    if len(names) > 1:
        given = " and ".join(f"'{name}'" for name in names)
        raise click.UsageError(
            f"--scenario may be given once here, found {given}; `heor scenarios` takes several, "
            "each by itself.",
            ctx,
        )
    return names[0] if names else None


def not_over_inputs(inputs: Path | None, target: Path) -> None:
    """Refuse to write over the workbook that was read."""
    if inputs is not None and target.exists() and inputs.exists() and target.samefile(inputs):
        raise click.UsageError(
            f"{target} is the workbook that is read and would be written over; choose another "
            "place with -o."
        )


def psa_options(command: Command) -> Command:
    """Add ``--draws``, ``--seed``, ``--sampler``."""
    return _all(
        click.option(
            "--draws", type=click.IntRange(min=1), metavar="N", help="Number of PSA draws."
        ),
        click.option(
            "--seed", type=click.IntRange(min=0), metavar="N", help="Seed of the PSA draws."
        ),
        click.option("--sampler", type=click.Choice(SAMPLERS), help="How the draws are made."),
    )(command)


def until_mcse_option(command: Command) -> Command:
    """Add ``--until-mcse``."""
    return click.option(
        "--until-mcse",
        type=float,
        metavar="X",
        help="Draw until the Monte Carlo error of net benefit is at most X.",
    )(command)


def voi_option(command: Command) -> Command:
    """Add ``--voi``."""
    return click.option(
        "--voi", is_flag=True, help="Rank inputs by the value of knowing them (some seconds)."
    )(command)


def structure_option(command: Command) -> Command:
    """Add ``--structure``."""
    return click.option(
        "--structure",
        is_flag=True,
        help="Add state-transition models to the report (half as large again).",
    )(command)


def store_draws_option(usual: int) -> Callable[[Command], Command]:
    """Add ``--store-draws``, a number or None for all."""
    return click.option(
        "--store-draws",
        default=str(usual),
        show_default=True,
        callback=_stored_draws,
        metavar="N|all",
        help="PSA draws whose inputs the workbook stores, for Control to load.",
    )


def _stored_draws(ctx: click.Context, param: click.Parameter, text: str) -> int | None:
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise click.BadParameter(f"'{text}' is neither a number of 1 or more nor `all`", ctx, param)
    return int(text)


def available_cpus() -> int:
    """Processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Windows and macOS
        return os.cpu_count() or 1


def workers_option(command: Command) -> Command:
    """Add ``--workers``."""
    return click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=available_cpus,
        show_default="every processor",
        metavar="N",
        help="Threads to use; results do not depend on it.",
    )(command)


def scheduler_option(command: Command) -> Command:
    """Add ``--scheduler``."""
    return click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Compute on the Dask cluster of this scheduler, such as tcp://10.0.0.5:8786.",
    )(command)


@contextmanager
def cluster(address: str | None) -> Iterator[Mapper | None]:
    """Connect to a cluster for as long as the block runs; None where no address is given."""
    if address is None:
        yield None
        return
    from heor.cluster import connect

    with connect(address) as found:
        yield found


def output_options(command: Command) -> Command:
    """Add ``--quiet``, ``--no-color`` and ``--debug``."""
    return _all(
        quiet_option,
        click.option("--no-color", is_flag=True, help="No colours (NO_COLOR works too)."),
        debug_option,
    )(command)


def quiet_option(command: Command) -> Command:
    """Add ``--quiet``."""
    return click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")(command)


def debug_option(command: Command) -> Command:
    """Add ``--debug``; the group itself looks for it when an error ends a command."""
    return click.option(
        "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")(
        command
    )


def file_option(command: Command) -> Command:
    """Add ``-o FILE``, whose ending chooses the form."""
    return click.option(
        "-o",
        "--output",
        "output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write to a file instead: .xlsx, .csv or .json.",
    )(command)


def load(inputs: Path | None, scenario: str | None = None, changes: Sequence[str] = ()) -> Spec:
    """Read a study and apply a scenario, then the ``--set`` changes.

    Choices on the sheet Control of a report are made before.

    Raises
    ------
    InputErrors
        With every problem of the tables, or of the changes.
    """
    spec = read_study(shipped_studies() / SHIPPED if inputs is None else inputs)
    if scenario is not None:
        if spec.scenario:
            message = (
                f"the sheet Control of {inputs} chooses the scenario '{spec.scenario}' already; "
                "clear that cell, or leave out --scenario"
            )
            raise InputErrors([Problem(Place("--scenario"), message)])
        named = _scenario_changes(spec, scenario)
        spec = with_tables(apply_changes(spec, named), named, scenario)
    if changes:
        spec = _set(spec, changes)
    return spec


def _scenario_changes(spec: Spec, name: str) -> Sequence[Change]:
    for scenario in spec.scenarios:
        if scenario.name == name:
            return scenario.changes
    names = [scenario.name for scenario in spec.scenarios]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {'; '.join(names) or 'none'}"
    raise InputErrors([Problem(Place("--scenario"), f"no scenario is named '{name}'; {hint}")])


def _set(spec: Spec, texts: Sequence[str]) -> Spec:
    """Apply ``ID=VALUE`` texts; every problem of any of them is reported together."""
    changes: list[Change] = []
    problems: list[Problem] = []
    for text in texts:
        target, equals, value = text.partition("=")
        place = Place(f"--set {text}")
        if not equals or not target.strip() or not value.strip():
            problems.append(Problem(place, "write ID=VALUE, such as --set start_age=60"))
        else:
            change = Change(target=target.strip(), value=value.strip(), place=place)
            if any(change.target == earlier.target for earlier in changes):
                problems.append(Problem(place, f"`{change.target}` is set more than once"))
            changes.append(change)
    try:
        changed = apply_changes(spec, changes)
    except InputErrors as error:
        raise InputErrors([*problems, *error.problems]) from error
    if problems:
        raise InputErrors(problems)
    return with_tables(changed, changes)


def _all(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate
