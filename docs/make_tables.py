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
    SAMPLERS,
    SMR_OF,
    SPLINE,
    SPLINE_KNOTS,
    SPLINE_SCALES,
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
- In a workbook, columns headed `calc:` and result sheets are ignored on reading. Of the sheet
  `Control` of a report the filled cells of the column `your choice` are read: the scenario first,
  then the rest as by `--set` (a bare number for a time is in years); a draw is left aside with a
  warning.
- In a folder, a file with another ending than .csv is not read, so notes can stand in a .txt or .md
  file; a CSV file without a table's name is an error. A sheet whose title resembles no table's is
  left unread with a warning; one that nearly has a table's name is an error.
- Tables that are not marked *required* may be left out; a study without any cost gets a warning.

[A complete example](#a-complete-example) stands at the end of this page.
"""

#: What a table's columns do not say by themselves.
REMARKS = {
    "curves": """The rows of one strategy, endpoint and group are its candidates. One of them is the
base case: the only one, or the one that `use` marks; the others are there for scenarios. Where
`use` is `average`, the base case is the average of the candidates so marked, by `average_weight`.

Two parameters of one curve that are both drawn, such as a shape and a scale, are not drawn
independently by accident: their correlation must stand in `correlations`. It may be 0, with a note
that says why. Only parameters drawn jointly (one `multivariate_normal` or `dirichlet` set, or
`empirical`) need no row there.
""",
    "correlations": """A pair of parameters that each have a distribution of their own is given its
rank correlation by a row here and by nothing else: `group` is any name, the same in all rows of
parameters that are correlated with each other, and a pair of a group without a row has correlation
0. `correlation_group` in `parameters` is then blank, or that same name. It is needed for the
distributions that are drawn as a set: a `dirichlet` (no rows here) and a `multivariate_normal`
(rows here are covariances, of the `group` that `correlation_group` names; the variance of one is
the square of its `se`, or the row with itself).
""",
}

#: A small study, a text per table.
EXAMPLE = {
    "settings": """
key,value
currency,USD
cycle_length,1 month
horizon,20 years
discount_rate_costs,3%
discount_rate_outcomes,3%
background_mortality,none
reference,usual
thresholds,50000; 100000
""",
    "parameters": """
id,label,value,unit,distribution,se,source,evidence
pfs_median,Median PFS,6,months,gamma,0.5,assumption,assumption
os_shape,"OS, shape",1.2,shape,gamma,0.1,assumption,assumption
os_scale,"OS, scale",18,months,gamma,1.5,assumption,assumption
hr,Hazard ratio of the new drug,0.7,HR,lognormal,0.1,assumption,assumption
u_pf,"Utility, progression-free",0.8,utility,beta,0.02,assumption,assumption
u_pd,"Utility, progressed",0.6,utility,beta,0.03,assumption,assumption
c_care,Care,800,USD/month,gamma,100,assumption,assumption
c_drug,New drug,3000,USD/month,,,assumption,assumption
""",
    "strategies": """
id,label
usual,Usual care
new,New drug
""",
    "states": """
id,label,endpoint
progression_free,Progression-free,pfs
progressed,Progressed,os
dead,Dead,
""",
    "curves": """
id,strategy,endpoint,family,parameters,time_unit,hazard_ratio
usual_pfs,usual,pfs,exponential,rate=ln(2)/pfs_median,month,
usual_os,usual,os,weibull,shape=os_shape; scale=os_scale,month,
new_pfs,new,pfs,exponential,rate=ln(2)/pfs_median,month,hr
new_os,new,os,weibull,shape=os_shape; scale=os_scale,month,hr
""",
    "utilities": """
strategy,state,value
all,progression_free,u_pf
all,progressed,u_pd
""",
    "costs": """
id,label,category,strategy,trigger,state,per,amount
drug,New drug,drug,new,in_state,progression_free,month,c_drug
care,Care until progression,care,all,in_state,progression_free,month,c_care
care_later,Care after progression,care,all,in_state,progressed,month,c_care
""",
    "correlations": """
group,row,column,value
os,os_shape,os_scale,-0.3
""",
}

#: Words that a setting chooses from.
CHOICES = {
    "discounting": DISCOUNTING,
    "cycle_correction": CYCLE_CORRECTIONS,
    "crossing": CROSSING_RULES,
    "background_mortality": BACKGROUND_METHODS,
    "smr_of": SMR_OF,
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
            _example(),
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
    if schema.name in REMARKS:
        heading += f"\n{REMARKS[schema.name]}"
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
        "names in `agency`; a value of the study goes before one of the preset. A key that stands "
        "in neither has its default. `background_mortality` is "
        f"`{SETTINGS['background_mortality'].default}` by default, and then the study needs the "
        "table `life_table`, and either the keys `start_age` and `male_share` or the table "
        "`cohort`; without them, set it to `none`. A life table with the column `year` needs "
        "`start_year`; its last year holds from then on.\n\n"
        + _rows(("key", "default", "meaning"), rows)
    )


def _default(text: str) -> str:
    return f"`{text}`" if text else "blank"


def _families() -> str:
    rows = []
    for name, parameters in FAMILIES.items():
        family = CURVES.get(name)
        positive = ", ".join(f"`{p}`" for p in family.positive) if family else ""
        more = ", …" if name == SPLINE else ""
        rows.append((f"`{name}`", ", ".join(f"`{p}`" for p in parameters) + more, positive))
    scales = ", ".join(f"`{scale}`" for scale in SPLINE_SCALES)
    fewest, most = SPLINE_KNOTS
    return (
        "## Survival families\n\nParameters have flexsurv's names and scales; docs/methods.md, "
        "section 2, has the formulas. `post_progression` reads the `pps_` columns and "
        "`kaplan_meier` the table `km`.\n\n"
        + _rows(("family", "parameters", "must be above 0"), rows)
        + "\nA Royston–Parmar spline is written as flexsurv prints it, for example "
        "`scale=odds; knots=-1.2 0.9 2.1 3.4; gamma0=-3.1; gamma1=1.4; gamma2=0.2; gamma3=-0.3`. "
        f"Its `scale` is one of {scales}, the first where none is written. `knots` are on the "
        f"scale of ln t in the row's `time_unit`, {fewest} to {most} of them, the two at the ends "
        "included, rising, with blanks between; each is a number or a formula without blanks, such "
        "as `ln(6)`. There are as many `gamma` as knots, from `gamma0`, numbers or formulas. A "
        "draw in which a spline's curve rises is refused, and the message names it.\n"
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


def _example() -> str:
    """Give a small study as blocks, in the order of the tables."""
    blocks = [
        f"`{name}.csv`\n\n```text\n{EXAMPLE[name].strip()}\n```\n"
        for name in TABLES
        if name in EXAMPLE
    ]
    return (
        "## A complete example\n\nThese files in one folder are a study that runs: two "
        "strategies, two living states, and no table that is not needed. Its numbers are "
        "invented.\n\n" + "\n".join(blocks)
    )


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8", newline="\n")
