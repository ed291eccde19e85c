"""``heor new``."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import click

from heor.cli import options
from heor.errors import HeorError
from heor.report import files
from heor.report.xlsx import LABEL, writing
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
            _write_workbook(source, stage / book)
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
        raise click.UsageError(f"--study: there is no example '{name}'; there are {names}.")
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


def _write_workbook(source: Path, path: Path) -> None:
    """Write the tables of a folder as sheets of one workbook, numbers as numbers."""
    tables = read_tables(source)
    with writing(path) as book:
        for name in TABLES:
            if name not in tables:
                continue
            table = tables[name]
            sheet = book.sheet(name)
            sheet.freeze(1)
            sheet.row(0, 0, table.columns)
            for place, row in enumerate(table.rows, start=1):
                for column, text in enumerate(row):
                    sheet.cell(place, column, _number_or_text(text), LABEL)


def _number_or_text(text: str) -> float | str | None:
    try:
        number = float(text)
    except ValueError:
        return text or None
    return number if math.isfinite(number) else text
