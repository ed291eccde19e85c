"""``Control``: the selectors of the live workbook.

One row for each choice. What is in use is the user's own choice, else what the chosen scenario
says, else the base case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from heor.report.live import Term, cell, literal, put, where, words
from heor.report.lookup import cell_of, index, row_of_text, same_text
from heor.report.sheets.families import averageable
from heor.report.sheets.inputs import column_of, typed
from heor.report.sheets.layout import Context, lines
from heor.report.sheets.scenarios_live import FORMULA_SETTINGS, scenario_names
from heor.report.xlsx import (
    AFTER,
    AFTER_HEADER,
    MAX_CONDITION,
    NOTE,
    TITLE,
    Sheet,
    Style,
    cell_name,
)
from heor.spec.records import (
    AVERAGE,
    BACKGROUND_METHODS,
    CROSSING_RULES,
    CYCLE_CORRECTIONS,
    DISCOUNTING,
    SMR_OF,
    UNITS_PER_YEAR,
    UTILITY_CAPS,
    Spec,
)
from heor.spec.settings import SETTINGS, preset, preset_names

TITLE_CONTROL = "Control"
#: What the key of a row that chooses a curve starts with.
CURVE_SLOT = "curve:"

HEADINGS = (
    "key",
    "choice",
    "base",
    "scenario",
    "your choice",
    "in use",
    "taken from",
    "unit / allowed",
    "base from",
)
_KEY, _WORDS, _BASE, _SCENARIO, CHOICE_COLUMN, _IN_USE, _TAKEN, _ALLOWED, _ORIGIN = range(9)
#: Words of the column ``taken from``.
OWN, FROM_SCENARIO, FROM_BASE, IGNORED = (
    "your choice",
    "scenario",
    "base case",
    "base case: entry not understood",
)
_INTRO = (
    "Choose in the blue column; the whole workbook follows. A blank cell leaves the choice to the "
    "scenario, else to the base case.",
    "Scenario: a name of the table scenarios. PSA draw: a row of PSA draws, 0 or blank for none; "
    "while a draw is chosen the scenario does not count at all. Your own choices count with both.",
    "Costs, QALYs and ratios follow at once. Sheets that heor computed (grey: uncertainty, "
    "scenario table) say when they no longer belong to the inputs.",
)
#: Row of the headings of the live result, over the selectors.
RESULTS_ROW = 3 + len(_INTRO)

#: Settings that are live, with what the row says and allows.
_SETTINGS: Mapping[str, tuple[str, str]] = {
    "horizon": ("Time horizon", "years as a number, or “20 years”, “18 months”"),
    "cycle_length": ("Length of a cycle", "years as a number, or “1 week”, “1 month”"),
    "discount_rate_costs": ("Discount rate of costs", "“3%”, 0.03, or “3.5%; from 30: 3%”"),
    "discount_rate_outcomes": ("Discount rate of outcomes", "“3%”, 0.03, or “3.5%; from 30: 3%”"),
    "discounting": ("Moment that a cycle is discounted from", ""),
    "cycle_correction": ("Person-time of a cycle", ""),
    "background_mortality": ("Background mortality", ""),
    "smr": ("Standardised mortality ratio", "ratio, above 0"),
    "smr_of": ("Whose mortality ratio it is", ""),
    "crossing": ("Where an inner curve exceeds an outer one", ""),
    "age_adjusted_utilities": ("Utilities fall with age", ""),
    "utility_cap": ("Cap on utilities", ""),
    "start_age": ("Age at the start", "years"),
    "male_share": ("Share of men at the start", "0 to 1"),
    "start_year": ("Calendar time at the start", "a year of the life table or later"),
    "evlyg_utility": ("Utility of added life-years (evLYG)", "at most 1"),
    "severity_weight": ("Weight of QALYs", "above 0"),
}
#: Closed lists of words.
_LISTS: Mapping[str, Sequence[str]] = {
    "discounting": DISCOUNTING,
    "cycle_correction": CYCLE_CORRECTIONS,
    "background_mortality": BACKGROUND_METHODS,
    "crossing": CROSSING_RULES,
    "age_adjusted_utilities": ("yes", "no"),
    "utility_cap": UTILITY_CAPS,
    "smr_of": SMR_OF,
}
_OPTIONAL = ("start_age", "male_share", "start_year")


def slots(spec: Spec) -> dict[str, list[int]]:
    """Rows of ``curves``, from 0, of each ``strategy.endpoint.group``."""
    found: dict[str, list[int]] = {}
    for row, curve in enumerate(spec.curves):
        found.setdefault(f"{curve.strategy}.{curve.endpoint}.{curve.group}", []).append(row)
    return found


def control_keys(spec: Spec) -> tuple[str, ...]:
    """Keys of the rows, in order."""
    settings = [k for k in _SETTINGS if k not in _OPTIONAL or getattr(spec.settings, k) is not None]
    thresholds = [f"threshold {n}" for n in range(1, len(spec.settings.thresholds) + 1)]
    curves = [CURVE_SLOT + slot for slot, rows in slots(spec).items() if len(rows) > 1]
    return ("scenario", "draw", *settings, *thresholds, *curves)


def row_of(ctx: Context, key: str) -> int:
    """Row of a key, from 0; the sheet need not stand yet."""
    return _head_row(ctx) + 1 + control_keys(ctx.results.spec).index(key)


def _head_row(ctx: Context) -> int:
    """Row of the headings of the selectors: below the results and two lines of warnings."""
    return RESULTS_ROW + len(ctx.strategies) + 4


def _cell(ctx: Context, key: str, column: int, value: float | str) -> Term:
    return cell(ctx.book.sheets[TITLE_CONTROL], row_of(ctx, key), column, value)


def in_use(ctx: Context, key: str) -> Term:
    """Cell of what is in use for a key of `control_keys`; the sheet need not stand yet."""
    if key == "scenario":
        return _cell(ctx, key, _IN_USE, "")
    if key == "draw":
        return _cell(ctx, key, _IN_USE, 0.0)
    return _cell(ctx, key, _IN_USE, _base_value(ctx, key))


def register_selectors(ctx: Context) -> None:
    """Make ``scenario`` and ``draw`` known, on which the input tables depend."""
    ctx.live["scenario"] = in_use(ctx, "scenario")
    ctx.live["draw"] = in_use(ctx, "draw")


def written(ctx: Context, key: str) -> tuple[int | None, str, str]:
    """Row of a setting in its table, from 0, with its text and unit; row None when absent."""
    table = ctx.results.spec.tables["settings"]
    keys = column_of(table, "key")
    unit = table.columns.index("unit") if "unit" in table.columns else None
    for place, row in enumerate(table.rows):
        if row[keys] == key:
            return place, row[column_of(table, "value")], row[unit] if unit is not None else ""
    return None, "", ""


def fallback(spec: Spec, key: str) -> tuple[str, str, str]:
    """Text, unit and origin of a setting that its table leaves out; "" when it must be there."""
    agency = spec.settings.agency
    if agency in preset_names():
        values = preset(agency)
        foreign = "currency" in values and values["currency"].value != spec.settings.currency
        if key in values and not (key == "thresholds" and foreign):
            return values[key].value, values[key].unit, f"preset {agency}"
    return SETTINGS[key].default or "", "", "default"


def base_unit(ctx: Context, key: str) -> Term:
    """Unit of a length that is a bare number: that of its base case, else years."""
    row, text, unit = written(ctx, key)
    choice, scenario = (_cell(ctx, key, column, "") for column in (CHOICE_COLUMN, _SCENARIO))
    table = ctx.results.spec.tables["settings"]
    if row is None or not text or "unit" not in table.columns:
        base = words(fallback(ctx.results.spec, key)[1] if not text else "")
    else:
        sheet = ctx.book.sheets["settings"]
        address = sheet.ref(row + 1, column_of(table, "unit"))
        base = where(Term(address, unit).equals(""), "", Term(address, unit))
    blank = Term(f'AND({choice.text}="",{scenario.text}="")', True)
    return where(blank, base, "")


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a row holds.

    ``base`` without a text is pasted; ``scenario`` is None where no scenario changes it; ``valid``
    gives the condition that an entry, by its address, can be read.
    """

    words: str
    base: Term
    scenario: Term | None
    allowed: str
    valid: Callable[[str], str]
    origin: str = ""
    choices: Sequence[str] = ()


def _base_value(ctx: Context, key: str) -> float | str:
    spec = ctx.results.spec
    if key.startswith("threshold "):
        return float(spec.settings.thresholds[int(key.split()[1]) - 1])
    if key.startswith(CURVE_SLOT):
        rows = slots(spec)[key.removeprefix(CURVE_SLOT)]
        used = next(spec.curves[row] for row in rows if spec.curves[row].use)
        return AVERAGE if used.average else used.id
    if key in FORMULA_SETTINGS:
        found = ctx.live.get(f"settings {key}")
        if found is not None:
            return float(found.value)
    text = written(ctx, key)[1] or fallback(spec, key)[0]
    return typed(text)


def _setting(ctx: Context, key: str) -> _Choice:
    what, allowed = _SETTINGS[key]
    spec = ctx.results.spec
    row, text, _ = written(ctx, key)
    value = _base_value(ctx, key)
    origin = "table settings" if row is not None and text else fallback(spec, key)[2]
    spare = words(value) if isinstance(value, str) else Term("", value)
    if row is None:
        base = Term("", value)
    elif key in FORMULA_SETTINGS and text:
        base = ctx.live[f"settings {key}"]
    else:
        table = spec.tables["settings"]
        here = Term(ctx.book.sheets["settings"].ref(row + 1, column_of(table, "value")), value)
        base = here if text else where(here.equals(""), spare, here)
    if key in _LISTS:
        allowed = ", ".join(_LISTS[key])
    scenario = ctx.live.get(f"scenario {key}")
    return _Choice(what, base, scenario, allowed, _valid(ctx, key), origin, _LISTS.get(key, ()))


def _valid(ctx: Context, key: str) -> Callable[[str], str]:
    """Give the condition, as text, that an entry can be read."""
    if key in _LISTS:
        return partial(_one_of, _LISTS[key])
    if key in ("horizon", "cycle_length"):
        return partial(_is_duration, ctx)
    if key.startswith("discount_rate"):
        return partial(_is_rate, ctx)
    if key == "start_year":
        first = ctx.live.get("life_table year")
        low = "0" if first is None else cell_of(first, 0).text
        return partial(_between, f">={low}", "")
    return _WITHIN[key]


def _one_of(allowed: Sequence[str], own: str) -> str:
    return "OR(" + ",".join(f'{own}="{word}"' for word in allowed) + ")"


def _one_of_ids(allowed: Sequence[str], own: str) -> str:
    return "OR(" + ",".join(f'EXACT({own},"{word}")' for word in allowed) + ")"


def _is_duration(ctx: Context, own: str) -> str:
    amount = plain_number(ctx, f'LEFT({own},FIND(" ",{own}&" ")-1)')
    unit = f'TRIM(MID({own},FIND(" ",{own}&" ")+1,LEN({own})))'
    known = _one_of([name + s for name in UNITS_PER_YEAR for s in ("", "s")], unit)
    text = f"IF(AND(ISNUMBER({amount}),{known}),{amount}>0,FALSE)"
    return f"IF(ISNUMBER({own}),{own}>0,{text})"


def _is_rate(ctx: Context, own: str) -> str:
    """Say whether a rate can be read, and its step as far as it has one."""
    first = f'TRIM(LEFT({own},FIND(";",{own}&";")-1))'
    rest = f'TRIM(MID({own},FIND(";",{own}&";")+1,LEN({own})))'
    year = f'TRIM(MID({rest},LEN("from")+1,FIND(":",{rest})-LEN("from")-1))'
    later = f'TRIM(MID({rest},FIND(":",{rest})+1,LEN({rest})))'
    year = plain_number(ctx, f'LEFT({year},FIND(" ",{year}&" ")-1)')
    step = f'IF({rest}="",TRUE,AND(ISNUMBER({year}),ISNUMBER({_percent(ctx, later)})))'
    text = f"AND(ISNUMBER({_percent(ctx, first)}),{step})"
    return f"IF(ISNUMBER({own}),AND({own}>=0,{own}<1),{text})"


def _percent(ctx: Context, text: str) -> str:
    """Give the number of a text with or without a percent sign (not yet divided)."""
    return plain_number(ctx, f'SUBSTITUTE({text},"%","")')


def plain_number(ctx: Context, text: str) -> str:
    """Formula that reads a text with a decimal point as a number, whatever the locale."""
    return f'VALUE(SUBSTITUTE({text},".",{ctx.live["decimal separator"].text}))'


def _between(low: str, high: str, own: str) -> str:
    bounds = ",".join(own + bound for bound in (low, high) if bound)
    return f"IF(ISNUMBER({own}),AND({bounds}),FALSE)"


_WITHIN: Mapping[str, Callable[[str], str]] = {
    "smr": partial(_between, ">=0", ""),
    "start_age": partial(_between, ">=0", ""),
    "male_share": partial(_between, ">=0", "<=1"),
    "evlyg_utility": partial(_between, "", "<=1"),
    "severity_weight": partial(_between, ">0", ""),
    "threshold": partial(_between, ">=0", ""),
}


def write_control(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; the input tables must stand."""
    spec = ctx.results.spec
    sheet.text(0, 0, "Control: what the workbook shows", TITLE)
    lines(sheet, 2, _INTRO, _TAKEN, 180)
    head = _head_row(ctx)
    for column, name in enumerate(HEADINGS):
        right = column in (_BASE, _SCENARIO, CHOICE_COLUMN, _IN_USE)
        sheet.text(head, column, name, Style("header", align="right") if right else AFTER_HEADER)
    _write_scenario(ctx, sheet)
    _write_draw(ctx, sheet)
    for key in control_keys(spec)[2:]:
        if key.startswith("threshold "):
            choice = _threshold(ctx, key)
        elif key.startswith(CURVE_SLOT):
            choice = _curve(ctx, key)
        else:
            choice = _setting(ctx, key)
        _write(ctx, sheet, key, choice)
    sheet.widths((32, 38, 20, 20, 24, 20, 26, 44, 16))
    sheet.freeze(head + 1, 1)
    sheet.print_setup(repeat=(head, head), large=True)


def _threshold(ctx: Context, key: str) -> _Choice:
    place = int(key.split()[1]) - 1
    base, scenario = ctx.live[f"threshold base {place}"], ctx.live[f"threshold scenario {place}"]
    allowed = f"{ctx.currency} per QALY, 0 or more"
    origin = "table settings" if written(ctx, "thresholds")[1] else "preset"
    valid = _WITHIN["threshold"]
    changed = scenario if "scenario thresholds" in ctx.live else None
    return _Choice(f"Threshold {place + 1}", base, changed, allowed, valid, origin)


def _curve(ctx: Context, key: str) -> _Choice:
    spec = ctx.results.spec
    slot = key.removeprefix(CURVE_SLOT)
    ids = tuple(spec.curves[row].id for row in slots(spec)[slot])
    marked = row_of_text(ctx.live["curves marked"], words(slot))
    found = index(ctx.live["curves id"], marked)
    if slot in averageable(spec):
        several = same_text(ctx.live["curves marked"], words(f"{slot} {AVERAGE}"))
        count = Term(f"SUMPRODUCT(1*{several.text})", float(several.value.sum()))
        found = where(count > 0, AVERAGE, found)
        ids = (*ids, AVERAGE)
    scenario = ctx.live.get(f"scenario {key}")
    strategy, endpoint, group = slot.split(".", 2)
    what = f"Curve of {ctx.label(strategy)}: {endpoint}" + ("" if group == "all" else f", {group}")
    valid = partial(_one_of_ids, ids)
    return _Choice(what, found, scenario, ", ".join(ids), valid, "table curves", ids)


def _write(ctx: Context, sheet: Sheet, key: str, choice: _Choice) -> None:
    row = row_of(ctx, key)
    sheet.text(row, _KEY, key)
    sheet.text(row, _WORDS, choice.words)
    unit = "money" if key.startswith("threshold ") else ""
    if not choice.base.text:
        sheet.cell(row, _BASE, choice.base.value, Style("value", align="right"))
    else:
        role = "formula" if "(" in choice.base.text else "link"
        put(sheet, row, _BASE, choice.base, Style(role, unit=unit, align="right"))
    if choice.scenario is not None:
        put(sheet, row, _SCENARIO, choice.scenario, Style("formula", align="right"))
    sheet.cell(row, CHOICE_COLUMN, None, Style("input", unit=unit, align="right"))
    own, other, base, taken = (
        cell_name(row, column) for column in (CHOICE_COLUMN, _SCENARIO, _BASE, _TAKEN)
    )
    value = choice.base.value
    text = f'IF({taken}="{OWN}",{own},IF({other}<>"",{other},{base}))'
    put(
        sheet,
        row,
        _IN_USE,
        Term(text, value),
        Style("formula", unit=unit, bold=True, align="right"),
    )
    given = f'IF({choice.valid(own)},"{OWN}","{IGNORED}")'
    text = f'IF({own}<>"",{given},IF({other}<>"","{FROM_SCENARIO}","{FROM_BASE}"))'
    put(sheet, row, _TAKEN, Term(text, FROM_BASE), AFTER)
    sheet.red_when(row, _TAKEN, "not understood", green=False)
    sheet.text(row, _ALLOWED, choice.allowed, AFTER)
    sheet.text(row, _ORIGIN, choice.origin, NOTE)
    slot = key.removeprefix(CURVE_SLOT)
    if f"candidates {slot}" in ctx.live:
        sheet.choose_from(row, CHOICE_COLUMN, ctx.live[f"candidates {slot}"].text, key)
    elif choice.choices:
        sheet.choices(row, row, CHOICE_COLUMN, choice.choices, key)
    elif len(condition := choice.valid(own)) <= MAX_CONDITION:
        sheet.accept_when(row, CHOICE_COLUMN, condition, key, f"Allowed: {choice.allowed}.")


def _write_scenario(ctx: Context, sheet: Sheet) -> None:
    row = row_of(ctx, "scenario")
    sheet.text(row, _KEY, "scenario")
    sheet.text(row, _WORDS, "Scenario")
    sheet.cell(row, CHOICE_COLUMN, None, Style("input", align="right"))
    names = scenario_names(ctx)
    own, draw = cell_name(row, CHOICE_COLUMN), in_use(ctx, "draw")
    style = Style("formula", bold=True, align="right")
    if names is None:
        put(sheet, row, _IN_USE, words(""), style)
        sheet.text(row, _ALLOWED, "the study has no scenarios", AFTER)
        return
    known = Term(f"SUMPRODUCT(1*EXACT({names.text},{own}))>0", False)
    term = where(draw > 0, "", where(known, Term(own, ""), ""))
    put(sheet, row, _IN_USE, term, style)
    sheet.text(row, _ALLOWED, "a scenario of the list; blank for the base case", AFTER)
    sheet.choose_from(row, CHOICE_COLUMN, names.text, "scenario")
    unknown = "base case: entry not understood"
    taken = (
        f'IF({own}="","{FROM_BASE}",IF({draw.text}>0,"none: a draw is chosen",'
        f'IF({cell_name(row, _IN_USE)}="","{unknown}","{OWN}")))'
    )
    put(sheet, row, _TAKEN, Term(taken, FROM_BASE), AFTER)
    sheet.red_when(row, _TAKEN, "not understood", green=False)


def _write_draw(ctx: Context, sheet: Sheet) -> None:
    row = row_of(ctx, "draw")
    sheet.text(row, _KEY, "draw")
    sheet.text(row, _WORDS, "PSA draw")
    sheet.cell(row, CHOICE_COLUMN, None, Style("input", align="right"))
    own = cell_name(row, CHOICE_COLUMN)
    stored = ctx.live.get("stored draws")
    style = Style("formula", bold=True, align="right")
    if stored is None:
        put(sheet, row, _IN_USE, literal(0), style)
        sheet.text(row, _ALLOWED, "no draws are stored", AFTER)
        return
    inside = f"IF({own}>=1,IF({own}<{stored.text}+1,INT({own}),0),0)"
    put(sheet, row, _IN_USE, Term(f"IF(ISNUMBER({own}),{inside},0)", 0.0), style)
    sheet.text(row, _ALLOWED, f"0 or blank for none, else 1 to {stored.value:,.0f}", AFTER)
    sheet.whole_numbers(row, CHOICE_COLUMN, f"={stored.text}", "draw")
    zero = f'IF({own}="",TRUE,IF(ISNUMBER({own}),{own}=0,FALSE))'
    found = f'IF({cell_name(row, _IN_USE)}>0,"{OWN}","{IGNORED}")'
    put(sheet, row, _TAKEN, Term(f'IF({zero},"{FROM_BASE}",{found})', FROM_BASE), AFTER)
    sheet.red_when(row, _TAKEN, "not understood", green=False)
