"""``heor check``."""

from __future__ import annotations

from pathlib import Path

import click

from heor.cli import options
from heor.spec.records import Spec


@click.command(
    "check",
    epilog=options.example(
        "heor check my_study",
        "heor check my_study.xlsx",
    ),
)
@options.inputs_argument
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
@options.debug_option
def check(inputs: Path | None, quiet: bool) -> None:
    """Read the inputs and list everything wrong in them, with file, row and column.

    Ends with exit code 2 when there is a problem. Warnings do not fail.
    """
    spec = options.load(inputs)
    if quiet:
        return
    for warning in spec.warnings:
        click.echo(f"Warning: {warning}")
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
    singular = {"strategies": "strategy"}
    return [
        f"{count} {singular.get(name, name.removesuffix('s')) if count == 1 else name}"
        for name, count in counts.items()
    ]
