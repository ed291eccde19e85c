"""``Cover`` and ``Contents``: what the workbook is, its headline, its warnings, what is where."""

from __future__ import annotations

from collections import Counter

from heor.analyses.results import PairwiseRow
from heor.report.live import Term, put, where, words
from heor.report.lookup import joined, whole_number
from heor.report.sheets.comparison import ratio_value
from heor.report.sheets.evidence import GRADES
from heor.report.sheets.layout import Context, heading, lines, table_head, wrapped_lines
from heor.report.xlsx import BOLD, HEADER, HEADING, LABEL, NOTE, TITLE, WARNING, WRAP, Sheet, Style

#: Last column of the Cover's paragraphs, and the characters they hold.
LAST_COLUMN, CHARACTERS = 7, 200

#: What a reader may do, and what follows by itself.
_USE = (
    "Choose a scenario, a PSA draw, curves and settings in the blue cells of Control, or change a "
    "blue cell of an input sheet. The whole model follows at once: black cells are formulas, green "
    "ones show a cell of another sheet.",
    "Grey cells were computed by heor and do not follow: the uncertainty analyses, the table of "
    "scenarios, the base case for comparison. They say CHANGED or STALE when an input is no longer "
    "the one they were made with; choosing a scenario or a draw is no such change.",
    "To make all results anew, save the workbook and run “heor run FILE -o FOLDER”: the input "
    "sheets and Control are read back. The same inputs and seed give the same numbers.",
    "Every number has its source and grade on Evidence, every formula its place in the methods "
    "(docs/methods.md). Nothing is hidden, locked, linked to other files or programmed in macros. "
    "Calculation sheets print their first page only.",
)


def write_cover(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Cover``."""
    results, spec = ctx.results, ctx.results.spec
    sheet.text(0, 0, spec.settings.title or spec.name, TITLE)
    sheet.height(0, 24)
    sheet.text(1, 0, _subtitle(ctx), NOTE)
    row = 3
    if results.banner:
        own = results.spec.settings.banner.strip()
        row = heading(sheet, row, "Read first: research model" if own else "Read first")
        for text in results.banner:
            sheet.merge(row, 0, LAST_COLUMN, text, WARNING)
            sheet.height(row, 13.5 * wrapped_lines(text, CHARACTERS) + 3)
            row += 1
        row += 1
    row = _write_problem(ctx, sheet, row) + 1
    row = _write_headline(ctx, sheet, row) + 1
    row = _write_status(ctx, sheet, row) + 1
    row = heading(sheet, row, "How to use this workbook")
    row = lines(sheet, row, _USE, LAST_COLUMN, CHARACTERS)
    sheet.link(row, 0, "Contents", "What is on each sheet: Contents")
    sheet.widths((40, 20, 16, 16, 20, 22, 22, 26))
    sheet.print_setup(pages=1)
    sheet.activate()


def _subtitle(ctx: Context) -> str:
    settings = ctx.results.spec.settings
    parts = [f"{ctx.currency} {settings.price_year}" if settings.price_year else ctx.currency]
    if settings.perspective:
        parts.append(f"{settings.perspective} perspective")
    if settings.agency:
        parts.append(f"preset {settings.agency}")
    return " · ".join((*parts, f"made by {ctx.made()}"))


def _write_problem(ctx: Context, sheet: Sheet, row: int) -> int:
    settings = ctx.results.spec.settings
    row = heading(sheet, row, "Decision problem")
    note = setting_note(ctx, "title")
    others = ", ".join(ctx.label(s) for s in ctx.others)
    time = next(iter(ctx.traces.values())).time
    costs, outcomes = (_rate(ctx, f"discount_rate_{kind}") for kind in ("costs", "outcomes"))
    pairs = [
        ("Population", note),
        ("Strategies", f"{others} against {ctx.label(ctx.reference)}"),
        ("Horizon", f"{time[-1]:.2f} years in {len(time) - 1:,} cycles of {_cycle(ctx)}"),
        (
            "Discounting",
            f"costs {costs}, outcomes {outcomes} a year; {settings.discounting.replace('_', ' ')}",
        ),
        ("Structure", structure(ctx)),
    ]
    for name, text in pairs:
        if not text:
            continue
        sheet.text(row, 0, name, BOLD)
        sheet.merge(row, 1, LAST_COLUMN, text, WRAP)
        sheet.height(row, 13.5 * wrapped_lines(text, 150) + 2)
        row += 1
    return row


def structure(ctx: Context) -> str:
    """Kind of model, its states and whether groups are mixed, in words."""
    states = ", ".join(s.label for s in ctx.results.spec.states)
    grouped = any(len(trace.weights) > 1 for trace in ctx.traces.values())
    groups = "; curves of response groups mixed by weight" if grouped else ""
    return f"partitioned survival with the states {states}{groups}"


def setting_note(ctx: Context, key: str) -> str:
    """Note beside a setting in its table; empty where there is none."""
    table = ctx.results.spec.tables.get("settings")
    if table is None or "note" not in table.columns:
        return ""
    at, note = table.columns.index("key"), table.columns.index("note")
    return next((row[note] for row in table.rows if row[at] == key), "")


def _cycle(ctx: Context) -> str:
    origin = ctx.results.spec.settings.origin.get("cycle_length")
    return origin[0] if origin else f"{ctx.results.spec.settings.cycle_length:.4f} years"


def _rate(ctx: Context, key: str) -> str:
    origin = ctx.results.spec.settings.origin.get(key)
    return origin[0] if origin else f"{getattr(ctx.results.spec.settings, key).first:.3%}"


def _write_headline(ctx: Context, sheet: Sheet, row: int) -> int:
    """Live increments for what is chosen, and below them the run's base case."""
    base, money = ctx.results.base, ctx.currency
    place = ctx.threshold_index()
    threshold = ctx.live[f"threshold {place}"]
    row = heading(sheet, row, f"Headline: against {ctx.label(ctx.reference)}, per patient")
    sheet.text(row, 0, "Shown now", BOLD)
    put(sheet, row, 1, _shown(ctx), Style("formula", bold=True))
    row += 1
    heads = [
        "Strategy",
        f"Extra cost, {money}",
        "QALYs gained",
        "evLYs gained",
        f"ICER, {money} per QALY",
        "INMB",
    ]
    made = ctx.results.psa_summary
    if made is not None:
        at = ctx.per_qaly(base.thresholds[place])
        heads += [f"PSA: ICER of means, {money} per QALY", f"PSA: probability best at {at}"]
    top = row
    row = table_head(sheet, row, heads, 44)
    at_now = joined(f"INMB at {money} ", whole_number(threshold), " per QALY")
    put(sheet, top, 5, at_now, Style("header", align="right"))
    for one in base.pairwise:
        sheet.text(row, 0, f"{ctx.label(one.id)}, as shown now", BOLD)
        for column, (key, unit) in enumerate(_live_keys(one.id, place), start=1):
            style = Style("link", unit=unit, bold=True, align="right")
            put(sheet, row, column, ctx.live[key], style)
        row += 1
        sheet.text(row, 0, f"{ctx.label(one.id)}, base case of the run", LABEL)
        _write_base(ctx, sheet, row, one, place)
        row += 1
    for one in base.pairwise:
        sheet.text(row, 0, f"Base case: {ctx.label(one.id)} is {one.status}.", LABEL)
        row += 1
    return row


def _shown(ctx: Context) -> Term:
    """What is chosen on Control and whether anything was changed, in words."""
    scenario, draw, changed = (ctx.live[k] for k in ("scenario", "draw", "inputs changed"))
    case = where(scenario.equals(""), words("base case"), joined("scenario “", scenario, "”"))
    chosen = where(draw > 0, joined("PSA draw ", Term(draw.text, 0)), case)
    edits = joined("; changed cells: ", Term(changed.text, 0), " (see Calc Inputs)")
    return joined(chosen, where(changed > 0, edits, ""))


def _live_keys(strategy: str, threshold: int) -> tuple[tuple[str, str], ...]:
    return (
        (f"delta cost {strategy}", "money"),
        (f"delta qaly {strategy}", "qaly"),
        (f"evlyg {strategy}", "qaly"),
        (f"icer {strategy}", "money"),
        (f"inmb {threshold} {strategy}", "money"),
    )


def _write_base(ctx: Context, sheet: Sheet, row: int, one: PairwiseRow, place: int) -> None:
    """Write the base case as heor computed it, and what the PSA says of the comparison."""
    values: tuple[tuple[float | str | None, str], ...] = (
        (one.delta_cost, "money"),
        (one.delta_qaly, "qaly"),
        (one.evlyg, "qaly"),
        (ratio_value(one.delta_cost, one.delta_qaly), "money"),
        (one.inmb[place], "money"),
    )
    for column, (value, unit) in enumerate(values, start=1):
        shown = "–" if value is None else value
        sheet.cell(row, column, shown, Style("value", unit=unit, align="right"))
    made = ctx.results.psa_summary
    if made is None:
        return
    pair = next(p for p in made.increments if p.id == one.id)
    icer = ratio_value(pair.delta_cost.mean, pair.delta_qaly.mean)
    style = Style("link", unit="money", align="right")
    sheet.formula(row, 6, f"={ctx.cells[f'psa icer {one.id}']}", icer, style)
    chance = ctx.live[f"probability {place} {one.id}"]
    put(sheet, row, 7, chance, Style("link", unit="proportion", align="right"))


def _write_status(ctx: Context, sheet: Sheet, row: int) -> int:
    record = ctx.results.record
    row = heading(sheet, row, "Status")
    sheet.text(row, 0, "Checks of this workbook", BOLD)
    failed, look = (_verdicts(ctx, word) for word in ("FAIL", "LOOK"))
    reading = where(look > 0, joined("no failure; LOOK at ", _counted(look)), "all pass")
    verdict = where(failed > 0, joined("FAIL: ", _counted(failed)), reading)
    put(sheet, row, 1, verdict, Style("formula", bold=True))
    sheet.verdicts(row, row, 1, good="all pass")
    sheet.link(row, 2, "Verification", "Verification")
    row += 1
    sheet.text(row, 0, "Inputs since the run", BOLD)
    changed = ctx.live["inputs changed"]
    now = where(changed > 0, joined("CHANGED: ", _counted(changed)), "as in the run")
    put(sheet, row, 1, now, Style("formula", bold=True))
    sheet.verdicts(row, row, 1, good="as in the run")
    sheet.link(row, 2, "Calc Inputs", "Calc Inputs")
    row += 1
    grades = Counter(p.evidence for p in ctx.results.spec.parameters.values())
    evidence = ", ".join(f"{grades[grade]} {grade}" for grade in GRADES if grades[grade])
    pairs: list[tuple[str, str]] = [
        ("Evidence behind the parameters", evidence),
        ("Warnings of the run", f"{len(record.warnings)}, listed on Verification"),
        ("Seed and draws", f"{record.seed} · {record.draws:,} draws"),
        ("Version", record.version),
        ("Input hash", ctx.results.spec.input_hash),
        ("Run (UTC)", record.started),
    ]
    for name, text in pairs:
        sheet.text(row, 0, name, BOLD)
        sheet.text(row, 1, text, Style("value"))
        row += 1
    return row


def _counted(count: Term) -> Term:
    """Give a whole number as part of a text."""
    return Term(count.text, f"{count.value:.0f}")


def _verdicts(ctx: Context, word: str) -> Term:
    """How many checks have a result, none of the base case of a sound workbook."""
    checks = ctx.live["check results"]
    count = float(sum(value == word for value in checks.value))
    return Term(f'COUNTIF({checks.text},"{word}")', count)


def write_contents(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Contents``: a link and a line for every sheet, under the headings of the workbook."""
    sheet.text(0, 0, "Contents", TITLE)
    sheet.row(2, 0, ("Sheet", "What it holds"), HEADER)
    row, last = 3, ""
    for group, title, meaning in ctx.contents:
        if group != last:
            sheet.text(row, 0, group, HEADING)
            row, last = row + 1, group
        sheet.link(row, 0, title, title)
        sheet.text(row, 1, meaning)
        row += 1
    sheet.widths((30, 100))
    sheet.freeze(3, 0)
    sheet.print_setup(pages=1)
