"""``Control``: the selectors of the live workbook.

One row for each choice. What is in use is the user's own choice, else what the chosen scenario
says, else the base case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heor.report.live import Term, cell, literal, put, where, words
from heor.report.sheets.inputs import column_of, typed
from heor.report.sheets.layout import Context, lines
from heor.report.sheets.scenarios_live import FORMULA_SETTINGS, scenario_names
from heor.report.xlsx import AFTER, HEADER, NOTE, TITLE, Sheet, Style
from heor.spec.records import (
    BACKGROUND_METHODS,
    CROSSING_RULES,
    CYCLE_CORRECTIONS,
    DISCOUNTING,
    UTILITY_CAPS,
    Spec,
)
from heor.spec.settings import SETTINGS, preset, preset_names

TITLE_CONTROL = "Control"
#: What the key of a row that chooses a curve starts with.
CURVE_SLOT = "curve:"

HEADINGS = ("key", "choice", "base", "scenario", "your choice", "in use", "unit / allowed", "note")
_KEY, _WORDS, _BASE, _SCENARIO, CHOICE_COLUMN, _IN_USE, _ALLOWED, _NOTE = range(8)
_INTRO = (
    "Choose in the blue column; the whole workbook follows. A blank cell leaves the choice to the "
    "scenario, else to the base case.",
    "Scenario: a name of the table scenarios. PSA draw: a row of PSA draws, 0 or blank for none; "
    "while a draw is chosen the scenario does not count at all. Your own choices count with both.",
    "Costs, QALYs and ratios follow at once. Sheets that heor computed (grey: uncertainty, "
    "scenario table) say when they no longer belong to the inputs.",
)
_HEAD = 5 + len(_INTRO)
_FIRST = _HEAD + 1

#: Settings that are live, with what the row says and allows.
_SETTINGS: Mapping[str, tuple[str, str]] = {
    "horizon": ("Time horizon", "years as a number, or `20 years`, `18 months`"),
    "cycle_length": ("Length of a cycle", "years as a number, or `1 week`, `1 month`"),
    "discount_rate_costs": ("Discount rate of costs", "`3%`, 0.03, or `3.5%; from 30: 3%`"),
    "discount_rate_outcomes": ("Discount rate of outcomes", "`3%`, 0.03, or `3.5%; from 30: 3%`"),
    "discounting": ("Moment that a cycle is discounted from", ""),
    "cycle_correction": ("Person-time of a cycle", ""),
    "background_mortality": ("Background mortality", ""),
    "smr": ("Standardised mortality ratio of the cured", "ratio, above 0"),
    "crossing": ("Where an inner curve exceeds an outer one", ""),
    "age_adjusted_utilities": ("Utilities fall with age", ""),
    "utility_cap": ("Cap on utilities", ""),
    "start_age": ("Age at the start", "years"),
    "male_share": ("Share of men at the start", "0 to 1"),
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
}
_OPTIONAL = ("start_age", "male_share")


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
    return _FIRST + control_keys(ctx.results.spec).index(key)


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
    """What a row holds: words, base case and scenario as terms, what is allowed, its origin."""

    words: str
    base: Term
    scenario: Term
    allowed: str
    note: str = ""
    choices: Sequence[str] = ()


def _base_value(ctx: Context, key: str) -> float | str:
    spec = ctx.results.spec
    if key.startswith("threshold "):
        return float(spec.settings.thresholds[int(key.split()[1]) - 1])
    if key.startswith(CURVE_SLOT):
        rows = slots(spec)[key.removeprefix(CURVE_SLOT)]
        return next(spec.curves[row].id for row in rows if spec.curves[row].use)
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
    origin = fallback(spec, key)[2]
    value = _base_value(ctx, key)
    table = spec.tables["settings"]
    if row is None:
        base = Term("", value)
    elif key in FORMULA_SETTINGS and text:
        base = ctx.live[f"settings {key}"]
    else:
        base = Term(ctx.book.sheets["settings"].ref(row + 1, column_of(table, "value")), value)
    note = f"{origin}" if row is None or not text else "settings"
    if key in _LISTS:
        allowed = ", ".join(_LISTS[key])
    return _Choice(
        what,
        base,
        ctx.live.get(f"scenario {key}", Term("", "")),
        allowed,
        note,
        _LISTS.get(key, ()),
    )


def write_control(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; the input tables must stand."""
    spec = ctx.results.spec
    sheet.text(0, 0, "Control: what the workbook shows", TITLE)
    lines(sheet, 2, _INTRO, _NOTE, 150)
    sheet.row(_HEAD, 0, HEADINGS, HEADER)
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
    sheet.widths((34, 40, 22, 22, 26, 22, 44, 40))
    sheet.freeze(_FIRST, 1)
    sheet.print_setup(repeat=(_HEAD, _HEAD))


def _threshold(ctx: Context, key: str) -> _Choice:
    place = int(key.split()[1]) - 1
    base, scenario = ctx.live[f"threshold base {place}"], ctx.live[f"threshold scenario {place}"]
    return _Choice(
        f"Threshold {place + 1}", base, scenario, f"{ctx.currency} per QALY, 0 or more", "settings"
    )


def _curve(ctx: Context, key: str) -> _Choice:
    spec = ctx.results.spec
    slot = key.removeprefix(CURVE_SLOT)
    ids = tuple(spec.curves[row].id for row in slots(spec)[slot])
    marked = ctx.live["curves marked"]
    hit = f"INDEX({ctx.live['curves id'].text},MATCH({words(slot).text},{marked.text},0))"
    scenario = ctx.live.get(f"scenario {key}", Term("", ""))
    strategy, endpoint, group = slot.split(".", 2)
    what = f"Curve of {ctx.label(strategy)}: {endpoint}" + ("" if group == "all" else f", {group}")
    base = Term(hit, _base_value(ctx, key))
    return _Choice(what, base, scenario, ", ".join(ids), "curves", ids)


def _write(ctx: Context, sheet: Sheet, key: str, choice: _Choice) -> None:
    row = row_of(ctx, key)
    sheet.text(row, _KEY, key)
    sheet.text(row, _WORDS, choice.words)
    align = "right"
    if not choice.base.text:
        sheet.cell(row, _BASE, choice.base.value, Style("value", align=align))
    else:
        plain = choice.base.text.endswith(tuple("0123456789")) and "(" not in choice.base.text
        role = "link" if plain else "formula"
        put(sheet, row, _BASE, choice.base, Style(role, align=align))
    if choice.scenario.text:
        put(sheet, row, _SCENARIO, choice.scenario, Style("formula", align=align))
    sheet.cell(row, CHOICE_COLUMN, None, Style("input", align=align))
    own, other, base = (_cell(ctx, key, c, "") for c in (CHOICE_COLUMN, _SCENARIO, _BASE))
    term = Term(
        f'IF({own.text}<>"",{own.text},IF({other.text}<>"",{other.text},{base.text}))',
        choice.base.value,
    )
    put(sheet, row, _IN_USE, term, Style("formula", bold=True, align=align))
    sheet.text(row, _ALLOWED, choice.allowed, AFTER)
    sheet.text(row, _NOTE, f"base from: {choice.note}", NOTE)
    if choice.choices:
        sheet.choices(row, row, CHOICE_COLUMN, choice.choices, key)


def _write_scenario(ctx: Context, sheet: Sheet) -> None:
    row = row_of(ctx, "scenario")
    sheet.text(row, _KEY, "scenario")
    sheet.text(row, _WORDS, "Scenario")
    sheet.cell(row, CHOICE_COLUMN, None, Style("input", align="right"))
    names = scenario_names(ctx)
    own, draw = _cell(ctx, "scenario", CHOICE_COLUMN, ""), in_use(ctx, "draw")
    style = Style("formula", bold=True, align="right")
    if names is None:
        put(sheet, row, _IN_USE, words(""), style)
        sheet.text(row, _ALLOWED, "the study has no scenarios", AFTER)
        return
    known = Term(f"SUMPRODUCT(1*EXACT({names.text},{own.text}))>0", False)
    term = where(draw > 0, "", where(known, Term(own.text, ""), ""))
    put(sheet, row, _IN_USE, term, style)
    sheet.text(row, _ALLOWED, "a scenario of the list; blank for the base case", AFTER)
    unknown = where(
        own.equals(""),
        "",
        where(
            draw > 0,
            "A draw is chosen: the scenario does not count.",
            where(in_use(ctx, "scenario").equals(""), "There is no such scenario.", ""),
        ),
    )
    put(sheet, row, _NOTE, unknown, Style("warning_text"))


def _write_draw(ctx: Context, sheet: Sheet) -> None:
    row = row_of(ctx, "draw")
    sheet.text(row, _KEY, "draw")
    sheet.text(row, _WORDS, "PSA draw")
    sheet.cell(row, CHOICE_COLUMN, None, Style("input", align="right"))
    own = _cell(ctx, "draw", CHOICE_COLUMN, "")
    stored = ctx.live.get("stored draws")
    style = Style("formula", bold=True, align="right")
    if stored is None:
        put(sheet, row, _IN_USE, literal(0), style)
        sheet.text(row, _ALLOWED, "no draws are stored", AFTER)
        return
    c = own.text
    inside = f"IF({c}>=1,IF({c}<{stored.text}+1,INT({c}),0),0)"
    put(sheet, row, _IN_USE, Term(f"IF(ISNUMBER({c}),{inside},0)", 0.0), style)
    sheet.text(row, _ALLOWED, f"0 or blank for none, else 1 to {stored.value:,.0f}", AFTER)
