"""``heor check``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.cli import options
from heor.report.numbers import count
from heor.spec.records import Spec
from heor.study import weak_evidence


@click.command(
    "check",
    epilog=options.example(
        "heor check my_study",
        "heor check my_study.xlsx --set start_age=60",
    ),
)
@options.inputs_argument
@options.change_options
@options.quiet_option
@options.debug_option
def check(inputs: Path | None, changes: tuple[str, ...], scenario: str | None, quiet: bool) -> None:
    """Read the inputs and list everything wrong in them, with file, row and column.

    Ends with exit code 2 when there is a problem. Warnings do not fail. Parameters that rest on
    weak evidence are named.
    """
    spec = options.load(inputs, scenario, changes)
    if quiet:
        return
    for warning in spec.warnings:
        click.echo(f"Warning: {warning}")
    for grade, ids in weak_evidence(spec).items():
        head = f"{grade.capitalize()}, {len(ids)} of {count(len(spec.parameters), 'parameter')}: "
        click.echo(click.wrap_text(head + ", ".join(ids), 80, subsequent_indent="  "))
    for change in spec.changes:
        click.echo(f"Changed: {change}")
    click.echo(f"OK: {spec.name}: {', '.join(_counts(spec))}.")


def _counts(spec: Spec) -> list[str]:
    counts = {
        "strategies": len(spec.strategies),
        "health states": len(spec.states),
        "parameters": len(spec.parameters),
        "curves": len(spec.curves),
        "cost items": len(spec.costs),
        "adverse events": len(spec.adverse_events),
        "scenarios": len(spec.scenarios),
        "references": len(spec.references),
        "warnings": len(spec.warnings),
    }
    return [
        count(number, "strategy" if name == "strategies" else name.removesuffix("s"), name)
        for name, number in counts.items()
    ]
