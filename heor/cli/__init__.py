"""The command line: one file a command, imported only when that command is asked for.

This module imports nothing but click, so that ``heor --help`` answers at once. Each command
reads its inputs, calls one analysis and hands the result to ``heor.report``; no logic lives here.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import click

from heor.errors import HeorError, InputErrors

#: Exit codes: done, a check or the program failed, bad input or usage, interrupted.
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

#: Command -> (module, function, one line for ``heor --help``), in the order they are shown.
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "run": ("heor.cli.run", "run", "Do everything and write the Excel report."),
    "check": ("heor.cli.check", "check", "Read the inputs and list everything wrong in them."),
    "base-case": ("heor.cli.base_case", "base_case", "Costs, life years, QALYs and the ICER."),
    "scenarios": ("heor.cli.scenarios", "scenarios", "The base case under each named change."),
    "dsa": ("heor.cli.dsa", "dsa", "One-way sensitivity analysis (tornado)."),
    "two-way": ("heor.cli.two_way", "two_way", "Two parameters together, over a grid."),
    "threshold": ("heor.cli.threshold", "threshold", "Values at which the decision turns."),
    "psa": ("heor.cli.psa", "psa", "Probabilistic sensitivity analysis, CEAC and EVPI."),
    "structure": (
        "heor.cli.structure",
        "structure",
        "The same evidence as state-transition models.",
    ),
    "importance": ("heor.cli.importance", "importance", "Which inputs the spread comes from."),
    "cea": ("heor.cli.cea", "cea", "Incremental analysis of anybody's PSA output."),
    "voi": ("heor.cli.voi", "voi", "What better evidence is worth: EVPI and EVPPI."),
    "evsi": ("heor.cli.evsi", "evsi", "What a study would be worth, by its size."),
    "evppi": ("heor.cli.evppi", "evppi", "EVPPI from anybody's PSA output."),
    "fit": ("heor.cli.fit", "fit", "Survival curves from patient data."),
    "import-fit": (
        "heor.cli.import_fit",
        "import_fit",
        "Survival curves from flexsurv, survHE or draws.",
    ),
    "calibrate": ("heor.cli.calibrate", "calibrate", "Survival curves from medians and shares."),
    "figures": ("heor.cli.figures", "figures", "Charts of the report as SVG and PNG files."),
    "tables": ("heor.cli.tables", "tables", "Inputs and results as tables of a Word document."),
    "reconstruct": (
        "heor.cli.reconstruct",
        "reconstruct_km",
        "Patient data from a published Kaplan-Meier curve.",
    ),
    "new": ("heor.cli.new", "new", "Copy the example study to start your own."),
}


class HeorGroup(click.Group):
    """A click group that loads a command on use and turns every error into a sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that holds a command."""
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; an unknown one gets the nearest name as a suggestion."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(COMMANDS)}."
            raise click.UsageError(f"No command '{args[0]}'{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])

    def main(  # type: ignore[override]  # one signature stands for click's overloads
        self, args: Sequence[str] | None = None, **extra: Any
    ) -> None:
        """Run the command line and exit with one of the documented codes."""
        words = list(sys.argv[1:] if args is None else args)
        _survive_narrow_encodings()
        extra.pop("standalone_mode", None)
        extra["prog_name"] = "heor"
        try:
            code = super().main(args=words, standalone_mode=False, **extra)
        except Exception as error:
            if "--debug" in words:
                traceback.print_exc()
            code = _report(error)
        except KeyboardInterrupt:
            code = _interrupted()
        sys.exit(code if isinstance(code, int) else DONE)


def _report(error: Exception) -> int:
    """Say in a sentence what went wrong and return the exit code."""
    if isinstance(error, click.exceptions.Abort):
        return _interrupted()
    if isinstance(error, click.ClickException):
        error.show()
        return BAD_INPUT
    if isinstance(error, InputErrors):
        for problem in error.problems:
            click.echo(str(problem), err=True)
        click.echo(_count(len(error.problems)), err=True)
        return BAD_INPUT
    if isinstance(error, HeorError):
        click.echo(f"Error: {error}", err=True)
        return BAD_INPUT
    if isinstance(error, BrokenPipeError):
        # The reader of our output has gone (`heor psa | head`): end quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}.", err=True)
        return BAD_INPUT
    click.echo(
        f"Internal error ({type(error).__name__}: {error}). This is a fault in heor, not in your "
        "inputs; run the same command with --debug for the traceback to report.",
        err=True,
    )
    return FAILED


def _count(problems: int) -> str:
    return f"{problems} problem{'' if problems == 1 else 's'} found; nothing was run."


def _interrupted() -> int:
    click.echo("Interrupted; no file was changed.", err=True)
    return INTERRUPTED


def _survive_narrow_encodings() -> None:
    """Write '?' for a character that the console's code page lacks, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and not (stream.encoding or "").lower().startswith("utf"):
            reconfigure(errors="replace")


@click.command(
    cls=HeorGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  heor run\n  heor base-case my_study --json\n  heor COMMAND --help",
)
@click.version_option(package_name="heor", message="heor %(version)s")
def main() -> None:
    """Cost-effectiveness models from plain tables.

    INPUTS is a folder of CSV tables, an .xlsx of the same tables, or a report workbook; left out,
    it is the study that comes with heor.
    """
