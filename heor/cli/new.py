"""``heor new``."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from heor.cli import options
from heor.errors import HeorError
from heor.report import files
from heor.report.workbook import write_tables_workbook
from heor.spec.reader import shipped_studies
from heor.spec.schema import TABLES
from heor.spec.tables import read_tables

README = """# {name}

A study for `heor`, copied from the example `{study}`. {how}

    heor check {target}
    heor run {target}

`heor check` lists everything wrong, with file, row and column. Lines that start with `# ` are
comments; a cell that takes a formula holds it without a leading `=`.

| table | a row is |
|---|---|
{tables}
"""


@click.command(
    "new",
    epilog=options.example(
        "heor new my_study",
        "heor new my_study --as xlsx --study three_strategies",
    ),
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--as",
    "form",
    type=click.Choice(["csv", "xlsx"]),
    default="csv",
    show_default=True,
    help="A CSV file per table, or one workbook with a sheet per table.",
)
@click.option("--study", metavar="NAME", help="Which example to copy.")
@options.debug_option
def new(folder: Path, form: str, study: str | None) -> None:
    """Copy the example study to DIR, to start your own from it."""
    source = _example(study)
    if folder.exists() and any(folder.iterdir()):
        raise HeorError(f"{folder} exists and is not empty; nothing was written.")
    book = f"{folder.name}.xlsx"
    with files.staged(folder) as stage:
        if form == "csv":
            for path in sorted(source.glob("*.csv")):
                shutil.copyfile(path, stage / path.name)
        else:
            write_tables_workbook(read_tables(source), stage / book)
        target = folder if form == "csv" else folder / book
        (stage / "README.md").write_text(
            _readme(folder, source, target, form), encoding="utf-8", newline="\n"
        )
    click.echo(f"Copied {source.name} to {folder}. Edit the tables, then: heor run {target}")


def _example(study: str | None) -> Path:
    root = shipped_studies()
    names = sorted(path.name for path in root.iterdir() if (path / "settings.csv").exists())
    name = options.SHIPPED if study is None else study
    if name not in names:
        raise click.UsageError(
            f"--study: there is no example '{name}'; there are {', '.join(names)}."
        )
    return root / name


def _readme(folder: Path, source: Path, target: Path, form: str) -> str:
    how = (
        "Each CSV file is one table; edit them with a spreadsheet or a text editor, then:"
        if form == "csv"
        else "Each sheet of the workbook is one table; edit and save it, then:"
    )
    rows = "\n".join(f"| `{table.name}` | {table.row} |" for table in TABLES.values())
    return README.format(
        name=folder.name, study=source.name, how=how, target=target.as_posix(), tables=rows
    )
