"""``Calc Settings``: the settings in use as numbers, whatever way they are written.

A setting may be a number or a text such as ``30 years`` or ``3.5%; from 30: 3%``. Texts are taken
apart by formulas that do not depend on the spreadsheet's own decimal separator.
"""

from __future__ import annotations

from dataclasses import dataclass

from heor.report.live import Term, choose, literal, put, rounded_up, smallest, where, words
from heor.report.lookup import row_of_text
from heor.report.sheets.calc_time import rows_needed
from heor.report.sheets.control import (
    CURVE_SLOT,
    base_unit,
    control_keys,
    fallback,
    in_use,
    plain_number,
    slots,
    written,
)
from heor.report.sheets.families import averageable
from heor.report.sheets.inputs import column_of, typed
from heor.report.sheets.layout import Context
from heor.report.sheets.live_inputs import units_per_year
from heor.report.xlsx import HEADER, HEADING, NOTE, TITLE, Sheet, Style
from heor.spec.records import AVERAGE, UNITS_PER_YEAR, DiscountRate
from heor.spec.values import discount_rate, duration, number

TITLE_SETTINGS = "Calc Settings"

_FIRST, _LISTS = 4, 4
_TEXT, _NUMBER = Style("formula", align="right"), Style("formula", align="right")
_TEXT_SETTINGS = (
    "cycle_correction",
    "discounting",
    "crossing",
    "background_mortality",
    "smr_of",
    "utility_cap",
)
_NUMBER_SETTINGS = (
    "smr",
    "start_age",
    "male_share",
    "start_year",
    "evlyg_utility",
    "severity_weight",
)


@dataclass(slots=True)
class _Lines:
    """Lines of the sheet: what it is, its value, its unit."""

    ctx: Context
    sheet: Sheet
    row: int

    def add(self, meaning: str, term: Term, unit: str = "", key: str = "") -> Term:
        """Write a line; ``key`` makes its cell known."""
        self.sheet.text(self.row, 0, meaning)
        plain_link = term.text.startswith("'Control'!")
        style = Style("link" if plain_link else "formula", align="right")
        result = put(self.sheet, self.row, 1, term, style)
        self.sheet.text(self.row, 2, unit, NOTE)
        self.row += 1
        if key:
            self.ctx.live[key] = result
        return result

    def heading(self, text: str, note: str = "") -> None:
        """Leave a line free and write a heading."""
        self.sheet.text(self.row + 1, 0, text, HEADING)
        self.sheet.text(self.row + 2, 0, note, NOTE)
        self.row += 3


def write_units(ctx: Context, sheet: Sheet) -> int:
    """Fill the head of the sheet: units of time, and how a text becomes a number."""
    sheet.text(0, 0, "Settings in use, as numbers", TITLE)
    sheet.text(1, 0, "What Control has in use, taken apart (tables: settings; methods 3).", NOTE)
    sheet.row(_FIRST - 1, 0, ("What", "Value", "Unit"), HEADER)
    sheet.widths((62, 22, 16))
    sheet.freeze(_FIRST)
    sheet.print_setup(repeat=(_FIRST - 1, _FIRST - 1))
    lines = _Lines(ctx, sheet, _FIRST)
    days = ctx.constants.term(UNITS_PER_YEAR["day"], "Days in a year")
    week = ctx.constants.term(7, "Days in a week")
    months = ctx.constants.term(UNITS_PER_YEAR["month"], "Months in a year")
    units = {"day": days, "week": days / week, "month": months, "year": literal(1)}
    for name, term in units.items():
        lines.add(f"{name.capitalize()}s in a year", term, "per year", f"per year {name}")
    half = ctx.constants.term(0.5, "One half")
    separator = Term(f'MID({half.text}&"",1+1,1)', ".")
    lines.add("Decimal separator of this spreadsheet", separator, "", "decimal separator")
    return lines.row


def write_candidates(ctx: Context, sheet: Sheet) -> None:
    """List the candidates of each curve to the right, for Control to choose from."""
    place = _LISTS
    for slot, rows in slots(ctx.results.spec).items():
        if len(rows) == 1:
            continue
        sheet.text(_FIRST - 1, place, f"Candidates: {slot}", HEADER)
        for offset, row in enumerate(rows):
            put(sheet, _FIRST + offset, place, ctx.live[f"curves {row} id"], Style("link"))
        last = _FIRST + len(rows) - 1
        if slot in averageable(ctx.results.spec):
            last += 1
            sheet.text(last, place, AVERAGE)
        area = sheet.range(_FIRST, place, last, place)
        ctx.live[f"candidates {slot}"] = Term(area, "")
        sheet.widths((34,), place)
        place += 1


def write_thresholds(ctx: Context, sheet: Sheet, row: int) -> int:
    """Take the list of thresholds apart, in the base case and in the chosen scenario."""
    lines = _Lines(ctx, sheet, row)
    lines.heading("Thresholds as written", "The list `50000; 100000` taken apart (money per QALY).")
    place, text, _ = written(ctx, "thresholds")
    spare = fallback(ctx.results.spec, "thresholds")[0]
    base: Term = words(spare)
    if place is not None:
        table = ctx.results.spec.tables["settings"]
        address = ctx.book.sheets["settings"].ref(place + 1, column_of(table, "value"))
        here = Term(address, typed(text))
        base = here if text else where(here.equals(""), base, here)
    whole = lines.add("Base case", base)
    change = lines.add("Scenario", ctx.live.get("scenario thresholds", words("")))
    index: Term = literal(0)
    for number_ in range(len(ctx.results.spec.settings.thresholds)):
        index = lines.add(f"Threshold {number_ + 1}: place in the list", index)
        value = ctx.results.spec.settings.thresholds[number_]
        part = lines.add("in the base case, as written", _part(whole, index, f"{value:.15g}"))
        term = where(part.equals(""), "", Term(plain_number(ctx, part.text), value))
        lines.add("in the base case", term, ctx.currency, f"threshold base {number_}")
        part = lines.add("in the scenario, as written", _part(change, index, ""))
        term = where(part.equals(""), "", Term(plain_number(ctx, part.text), 0.0))
        lines.add("in the scenario", term, ctx.currency, f"threshold scenario {number_}")
        index = index + 1
    return lines.row


def _part(text: Term, index: Term, value: str) -> Term:
    """Part of a list with `;` between: blanks as wide as the text stand for each `;`."""
    t = f'({text.text}&"")'
    wide = f'SUBSTITUTE({t},";",REPT(" ",LEN({t})))'
    return Term(f"TRIM(MID({wide},{index.text}*LEN({t})+1,LEN({t})))", value)


def write_settings(ctx: Context, sheet: Sheet, row: int) -> None:
    """Fill the rest of the sheet; Control must stand."""
    settings = ctx.results.spec.settings
    lines = _Lines(ctx, sheet, row)
    lines.heading("Choices")
    for key in _TEXT_SETTINGS:
        lines.add(key, in_use(ctx, key), "", key)
    raw = in_use(ctx, "age_adjusted_utilities")
    is_yes = Term(
        f'OR({raw.text}="yes",{raw.text}="x",{raw.text}&""="true")', settings.age_adjusted_utilities
    )
    lines.add("age_adjusted_utilities", where(is_yes, "yes", "no"), "", "age_adjusted_utilities")
    lines.heading("Time")
    cycle = _duration(lines, "cycle_length", "cycle")
    horizon = _duration(lines, "horizon", "horizon")
    _cycles(lines, horizon, cycle)
    lines.heading("Shares of a cycle's start and end", "Methods 3.1.")
    rule = ctx.live["cycle_correction"]
    half = ctx.constants.term(0.5, "One half")
    lines.add(
        "Share of the start of a cycle",
        choose(rule, [("trapezoid", half), ("start", 1)], 0),
        "",
        "left share",
    )
    lines.add(
        "Share of the end of a cycle",
        choose(rule, [("trapezoid", half), ("start", 0)], 1),
        "",
        "right share",
    )
    for what in ("costs", "outcomes"):
        _rate(lines, what)
    lines.heading("Numbers")
    for key in _NUMBER_SETTINGS:
        if key in control_keys(ctx.results.spec):
            value = _setting_number(ctx, key)
            lines.add(key, _number(ctx, in_use(ctx, key), value), "", key)
    lines.heading("Thresholds", "Money per QALY.")
    for place, value in enumerate(settings.thresholds):
        term = _number(ctx, in_use(ctx, f"threshold {place + 1}"), value)
        lines.add(f"Threshold {place + 1}", term, ctx.currency, f"threshold {place}")
    _curve_rows(lines)


def _setting_number(ctx: Context, key: str) -> float:
    value = in_use(ctx, key).value
    return number(value) if isinstance(value, str) else float(value)


def _cycles(lines: _Lines, horizon: Term, cycle: Term) -> None:
    ctx = lines.ctx
    slack = ctx.constants.term(1e-9, "Part of a cycle that a horizon may exceed whole cycles by")
    asked = lines.add(
        "Cycles of the horizon", rounded_up(horizon / cycle - slack), "cycles", "cycles asked"
    )
    most = float(rows_needed(ctx.results.spec) - 1)
    room = ctx.constants.term(most, "Cycles that the calculation sheets have rows for")
    lines.add("Cycles calculated", smallest(asked, room), "cycles", "cycles")


def _number(ctx: Context, raw: Term, value: float) -> Term:
    return Term(f"IF(ISNUMBER({raw.text}),{raw.text},{plain_number(ctx, raw.text)})", value)


def _share(ctx: Context, raw: Term, value: float) -> Term:
    """Read ``3%`` or ``0.03``."""
    hundred = ctx.constants.term(100, "Parts of a hundred in a whole")
    cut = Term(f"LEFT({raw.text},LEN({raw.text})-1)", "")
    percent = f"{plain_number(ctx, cut.text)}/{hundred.text}"
    formula = f'IF(RIGHT({raw.text})="%",{percent},{plain_number(ctx, raw.text)})'
    return Term(f"IF(ISNUMBER({raw.text}),{raw.text},{formula})", value)


def _duration(lines: _Lines, key: str, live_key: str) -> Term:
    """Read ``1 week``, or a number with the unit of the column ``unit`` (else in years)."""
    ctx = lines.ctx
    raw = in_use(ctx, key)
    shown = lines.add(f"{key}: as in use", raw)
    text, unit = (str(raw.value) if isinstance(raw.value, str) else ""), base_unit(ctx, key)
    amount_text, _, word = text.partition(" ")
    amount = lines.add(
        f"{key}: number of units",
        Term(
            f"IF(ISNUMBER({shown.text}),{shown.text},"
            + plain_number(ctx, f'LEFT({shown.text},FIND(" ",{shown.text}&" ")-1)')
            + ")",
            number(amount_text) if text else float(raw.value),
        ),
    )
    own = f'TRIM(MID({shown.text},FIND(" ",{shown.text}&" ")+1,LEN({shown.text})))'
    named = word.strip() or str(unit.value)
    unit_cell = lines.add(
        f"{key}: unit",
        Term(f'IF(ISNUMBER({shown.text}),{unit.text},IF({own}="",{unit.text},{own}))', named),
    )
    settings = ctx.results.spec.settings
    years = settings.cycle_length if key == "cycle_length" else settings.horizon
    assert duration(text or f"{raw.value!r}", str(unit.value) if not word else "") == years
    per = lines.add(f"{key}: of these in a year", units_per_year(ctx, unit_cell), "per year")
    return lines.add(key, amount / per, "years", live_key)


def _rate(lines: _Lines, what: str) -> None:
    """Take a discount rate apart: ``3%``, ``0.03`` or ``3.5%; from 30: 3%``."""
    ctx, key = lines.ctx, f"discount_rate_{what}"
    rate: DiscountRate = getattr(ctx.results.spec.settings, key)
    lines.heading(
        f"Discount rate of {what}", "Methods 3.2; without a step the later rate is the first."
    )
    raw = in_use(ctx, key)
    shown = lines.add("As in use", raw)
    text = raw.value if isinstance(raw.value, str) else ""
    before, _, after = (part.strip() for part in text.partition(";"))
    a = shown.text
    first_text = lines.add(
        "Rate from the start, as written",
        Term(f'IF(ISNUMBER({a}),{a},TRIM(LEFT({a},FIND(";",{a}&";")-1)))', before or raw.value),
    )
    rest = lines.add(
        "Step, as written",
        Term(f'IF(ISNUMBER({a}),"",TRIM(MID({a},FIND(";",{a}&";")+1,LEN({a}))))', after),
    )
    r = rest.text
    head, _, later = (part.strip() for part in after.partition(":"))
    year = head.removeprefix("from").strip()
    year_text = lines.add(
        "Year of the step, as written",
        Term(f'IF({r}="","",TRIM(MID({r},LEN("from")+1,FIND(":",{r})-LEN("from")-1)))', year),
    )
    later_text = lines.add(
        "Later rate, as written",
        Term(f'IF({r}="","",TRIM(MID({r},FIND(":",{r})+1,LEN({r}))))', later),
    )
    first = lines.add(
        "Rate from the start", _share(ctx, first_text, rate.first), "a year", f"rate {what} first"
    )
    no_step = rest.equals("")
    y = year_text.text
    cut = Term(f'LEFT({y},FIND(" ",{y}&" ")-1)', "")
    step = where(no_step, 0, Term(plain_number(ctx, cut.text), rate.step_year or 0.0))
    lines.add("Year of the step", step, "years", f"rate {what} step")
    last = _share(ctx, later_text, 0.0 if rate.later is None else rate.later)
    lines.add("Later rate", where(no_step, first, last), "a year", f"rate {what} later")
    assert not text or discount_rate(text) == rate


def _curve_rows(lines: _Lines) -> None:
    """Row of the chosen candidate of each slot within the table ``curves``."""
    ctx = lines.ctx
    lines.heading(
        "Chosen curves", "Row of the candidate in the table curves, its heading left out."
    )
    curves = ctx.results.spec.curves
    keys = control_keys(ctx.results.spec)
    ids = ctx.live["curves id"]
    for slot, rows in slots(ctx.results.spec).items():
        row = next(n for n in rows if curves[n].use)
        key = CURVE_SLOT + slot
        chosen = in_use(ctx, key) if key in keys else ctx.live[f"curves {row} id"]
        members = averageable(ctx.results.spec).get(slot, ())
        if members:
            average = chosen.equals(AVERAGE)
            words_ = f"{slot}: average of candidates (1: yes), and the first of them"
            lines.add(words_, where(average, 1, 0), "", f"averaged {slot}")
            chosen = where(average, ctx.live[f"curves {members[0]} id"], chosen)
        lines.add(slot, row_of_text(ids, chosen), "row", f"row {slot}")
