"""Write ``docs/tables.md`` from the program's own registries: ``python docs/make_tables.py``.

A test compares the file with `render`, so the page is what the program reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from heor.engine.survival import CURVES
from heor.spec.distributions import DISTRIBUTIONS
from heor.spec.records import (
    BACKGROUND_METHODS,
    CROSSING_RULES,
    CYCLE_CORRECTIONS,
    DISCOUNTING,
    FAMILIES,
    PLANNED_FAMILIES,
    SAMPLERS,
    UTILITY_CAPS,
)
from heor.spec.schema import TABLES, Column, TableSchema
from heor.spec.settings import SETTINGS, preset, preset_names
from heor.spec.units import UNITS

PAGE = Path(__file__).with_name("tables.md")

INTRODUCTION = """# The input tables

<!-- Made by docs/make_tables.py from the program's registries. Do not edit by hand. -->

A study is a set of named tables: a folder with a CSV file per table, or one .xlsx workbook with a
sheet per table. Both have the same columns. A report workbook holds the same tables, so a report
can be edited and run again. Every problem is reported with its file and row, or its sheet and
cell.

- CSV files are UTF-8 with commas and decimal points. Lines that start with `# ` (hash, space) are
  comments. Blank cells take the default.
- A cell that takes an *expression* holds a number or a formula over parameter ids, written
  without a leading `=`: `bsa * 75 * price_per_mg`. Allowed are `+ - * / ^ ( )`, comparisons, and
  `min max exp ln sqrt abs roundup if`. Precedence is a spreadsheet's: `2^3^2` is 64 and `-2^2` is
  4; these two forms get a warning that asks for brackets.
- Times stand in the `time_unit` of their row; parameters are never converted.
- `source` is a key of the table `references`, several parted by `;`, or the word `assumption`.
- Unknown columns, ids and keys are errors, with the nearest known name as a suggestion.
- In a workbook, columns headed `calc:` and result sheets are ignored on reading.
- Tables that are not marked *required* may be left out.
"""

#: Words that a setting chooses from.
CHOICES = {
    "discounting": DISCOUNTING,
    "cycle_correction": CYCLE_CORRECTIONS,
    "crossing": CROSSING_RULES,
    "background_mortality": BACKGROUND_METHODS,
    "utility_cap": UTILITY_CAPS,
    "psa_sampler": SAMPLERS,
}

KINDS = {
    "id": "id: letters, digits, underscores",
    "text": "text",
    "number": "number",
    "expression": "expression",
    "expressions": "named expressions",
    "choice": "choice",
    "unit": "unit",
    "time_unit": "time unit",
    "source": "source",
    "yes": "`x` / `yes` or `no`",
}


def render() -> str:
    """Give the whole page as text."""
    return "\n".join(
        [
            INTRODUCTION,
            *(_table(schema) for schema in TABLES.values()),
            _settings(),
            _families(),
            _distributions(),
            _units(),
            _presets(),
        ]
    )


def _rows(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _table(schema: TableSchema) -> str:
    required = " Required." if schema.required else ""
    heading = f"## `{schema.name}`\n\nA row is {schema.row}.{required}\n"
    if not schema.columns:
        return heading
    rows = ((_column_name(column), _kind(column), column.meaning) for column in schema.columns)
    return f"{heading}\n{_rows(('column', 'holds', 'meaning'), rows)}"


def _column_name(column: Column) -> str:
    return f"**`{column.name}`**" if column.required else f"`{column.name}`"


def _kind(column: Column) -> str:
    if column.choices:
        return ", ".join(f"`{choice}`" for choice in column.choices)
    return KINDS[column.kind]


def _settings() -> str:
    rows = []
    for key, entry in SETTINGS.items():
        default = "**needed**" if entry.default is None else _default(entry.default)
        choices = ", ".join(f"`{word}`" for word in CHOICES.get(key, ()))
        rows.append((f"`{key}`", default, f"{entry.meaning} {choices}".strip()))
    return (
        "## Keys of `settings`\n\nA key that is needed comes from the study or from the preset it "
        "names in `agency`; a value of the study goes before one of the preset.\n\n"
        + _rows(("key", "default", "meaning"), rows)
    )


def _default(text: str) -> str:
    return f"`{text}`" if text else "blank"


def _families() -> str:
    rows = []
    for name, parameters in FAMILIES.items():
        family = CURVES.get(name)
        positive = ", ".join(f"`{p}`" for p in family.positive) if family else ""
        rows.append((f"`{name}`", ", ".join(f"`{p}`" for p in parameters), positive))
    planned = ", ".join(f"`{name}`" for name in PLANNED_FAMILIES)
    return (
        "## Survival families\n\nParameters have flexsurv's names and scales; docs/methods.md, "
        "section 2, has the formulas. `post_progression` reads the `pps_` columns and "
        f"`kaplan_meier` the table `km`. Planned, and refused with a message until then: {planned}."
        "\n\n" + _rows(("family", "parameters", "must be above 0"), rows)
    )


def _distributions() -> str:
    rows = (
        (
            f"`{entry.name}`",
            ", ".join(f"`{name}`" for name in entry.parameters),
            entry.meaning,
            entry.support,
            entry.cells,
        )
        for entry in DISTRIBUTIONS.values()
    )
    return "## Distributions\n\n" + _rows(
        ("distribution", "parameters", "for", "values", "given by"), rows
    )


def _units() -> str:
    rows = ((f"`{name}`", str(allowed) or "any number") for name, allowed in UNITS.items())
    return (
        "## Units\n\nMoney is a currency code, alone or per something: `USD`, `USD/mg`, "
        "`USD/month`.\n\n" + _rows(("unit", "allowed values"), rows)
    )


def _presets() -> str:
    rows = [
        (
            f"`{name}`",
            f"`{key}`",
            value.value,
            value.unit,
            value.source,
            value.confidence,
            value.note,
        )
        for name in preset_names()
        for key, value in preset(name).items()
    ]
    return (
        "## Agency presets\n\nEach value says where it comes from and whether it was seen there. "
        "One that was only recalled warns when a study takes it.\n\n"
        + _rows(("preset", "key", "value", "unit", "source", "confidence", "note"), rows)
    )


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8", newline="\n")
