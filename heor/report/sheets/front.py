"""``Cover`` and ``Contents``: what the workbook is, its headline, its warnings, what is where."""

from __future__ import annotations

from heor.analyses.results import PairwiseRow
from heor.report.sheets.comparison import ratio_value
from heor.report.sheets.layout import Context, heading, lines, table_head, wrapped_lines
from heor.report.xlsx import BOLD, HEADER, HEADING, LABEL, NOTE, TITLE, WARNING, WRAP, Sheet, Style

#: Last column of the Cover's paragraphs, and the characters they hold.
LAST_COLUMN, CHARACTERS = 7, 185

_USE = (
    "Blue cells on the input sheets (settings, parameters, curves, costs, …) are yours to edit; "
    "each input sheet is one table of the study. Columns headed “calc:” are computed and ignored "
    "on reading.",
    "Black cells are formulas over this workbook, green ones show a cell of another sheet, grey "
    "ones are values computed by heor. Results do not follow edits by themselves: save the "
    "workbook and run “heor run FILE -o FOLDER” to make all results anew.",
    "Every sheet of draws and results names the seed, the number of draws, the version and the "
    "input hash it was made with; the same inputs and seed give the same numbers.",
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
    base, money = ctx.results.base, ctx.currency
    index = ctx.threshold_index()
    made = ctx.results.psa_summary
    at = ctx.per_qaly(base.thresholds[index])
    row = heading(sheet, row, f"Headline: against {ctx.label(ctx.reference)}, per patient")
    heads = [
        "Strategy",
        f"Extra cost, {money}",
        "QALYs gained",
        "evLYs gained",
        f"ICER, {money} per QALY",
        f"INMB at {at}",
    ]
    if made is not None:
        heads += [f"PSA: ICER of means, {money} per QALY", f"PSA: probability best at {at}"]
    row = table_head(sheet, row, heads, 44)
    for one in base.pairwise:
        _write_headline_row(ctx, sheet, row, one, index)
        row += 1
    for one in base.pairwise:
        sheet.text(row, 0, f"{ctx.label(one.id)}: {one.status}.", LABEL)
        row += 1
    return row


def _write_headline_row(ctx: Context, sheet: Sheet, row: int, one: PairwiseRow, index: int) -> None:
    sheet.text(row, 0, ctx.label(one.id), BOLD)
    cells: list[tuple[str, float | str | None, str]] = [
        (f"delta cost {one.id}", one.delta_cost, "money"),
        (f"delta qaly {one.id}", one.delta_qaly, "qaly"),
        (f"evlyg {one.id}", one.evlyg, "qaly"),
        (f"icer {one.id}", ratio_value(one.delta_cost, one.delta_qaly), "money"),
        (f"inmb {index} {one.id}", one.inmb[index], "money"),
    ]
    made = ctx.results.psa_summary
    if made is not None:
        pair = next(p for p in made.increments if p.id == one.id)
        at = made.at_thresholds
        chance = float(at.ceac[index, at.strategies.index(one.id)])
        cells.append(
            (
                f"psa icer {one.id}",
                ratio_value(pair.delta_cost.mean, pair.delta_qaly.mean),
                "money",
            )
        )
        cells.append((f"probability {index} {one.id}", chance, "proportion"))
    for column, (key, value, unit) in enumerate(cells, start=1):
        style = Style("link", unit=unit, bold=True, align="right")
        if value is None:
            sheet.text(row, column, "–", Style(align="right"))
        else:
            sheet.formula(row, column, f"={ctx.cells[key]}", value, style)


def _write_status(ctx: Context, sheet: Sheet, row: int) -> int:
    record = ctx.results.record
    row = heading(sheet, row, "Status")
    identities = ctx.cells["identities"]
    sheet.text(row, 0, "Checks of this workbook", BOLD)
    formula = f'=IF(COUNTIF({identities},"FAIL")=0,"all pass","FAIL: see Checks")'
    sheet.formula(row, 1, formula, "all pass", Style("formula", bold=True))
    sheet.red_when(row, 1, "FAIL")
    row += 1
    sheet.text(row, 0, "Inputs since the run", BOLD)
    words = ("as in the run", "CHANGED: see Calc Inputs")
    formula = f'=IF({ctx.live["inputs changed"].text}=0,"{words[0]}","{words[1]}")'
    sheet.formula(row, 1, formula, words[0], Style("formula", bold=True))
    sheet.red_when(row, 1, "CHANGED")
    row += 1
    pairs: list[tuple[str, str]] = [
        ("Warnings", f"{len(record.warnings)}, listed on Checks"),
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
