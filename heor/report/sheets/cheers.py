"""``CHEERS 2022``: where each item of the reporting standard is answered, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from heor.report.sheets.front import setting_note, structure
from heor.report.sheets.layout import Context, fit_height, head, table_head
from heor.report.xlsx import AFTER_WRAP, Sheet, Style
from heor.spec.records import ALL

TITLE = "CHEERS 2022"

CITATION = (
    "Items after Husereau D, Drummond M, Augustovski F, et al. Consolidated Health Economic "
    "Evaluation Reporting Standards 2022 (CHEERS 2022) statement. Eur J Health Econ 2022. "
    "doi:10.1007/s10198-021-01426-6. What each item asks for is put in our own words."
)
NOT_KEPT = (
    "The blue cells are for the analyst; this sheet is not read back, so copy them before a rerun. "
    "Where an item does not apply, write “Not applicable”; where nothing is known, “Not reported”."
)

#: Who answers an item.
TOOL, DRAFT, ANALYST = "answered here", "drafted here, to be edited", "to be completed"

_WIDTHS = (5, 34, 44, 22, 66, 18, 46)


def _none(ctx: Context) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its short name, what it asks for, the sheet and words that answer it, and who."""

    name: str
    asks: str
    who: str
    sheet: str = ""
    text: Callable[[Context], str] = _none


def write_cheers(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet: one row an item."""
    row = head(ctx, sheet, "CHEERS 2022: where each item is answered", live=True)
    for text in (CITATION, NOT_KEPT):
        sheet.merge(row, 0, len(_WIDTHS) - 1, text, Style("note", wrap=True))
        row += 1
    heads = (
        "Item",
        "Name",
        "What it asks for",
        "Sheet",
        "From the inputs and results of this run",
        "State",
        "Analyst’s text",
    )
    row = table_head(sheet, row + 1, heads, 18, texts=heads[1:])
    repeat = (row - 1, row - 1)
    for number, item in enumerate(ITEMS, start=1):
        text = item.text(ctx)
        sheet.number(row, 0, number, Style(bold=True, unit="integer", align="left"))
        sheet.text(row, 1, item.name, Style(bold=True, wrap=True, indent=1))
        sheet.text(row, 2, item.asks, AFTER_WRAP)
        if item.sheet in ctx.book.sheets:
            sheet.link(row, 3, item.sheet, item.sheet)
        sheet.text(row, 4, text, AFTER_WRAP)
        sheet.text(row, 5, item.who, AFTER_WRAP if item.who == TOOL else _OPEN)
        sheet.text(row, 6, "", Style("input", wrap=True))
        texts = (
            (item.name, _WIDTHS[1] * 0.9),
            (item.asks, _WIDTHS[2]),
            (text, _WIDTHS[4]),
            (item.who, _WIDTHS[5]),
        )
        fit_height(sheet, row, texts)
        row += 1
    sheet.widths(_WIDTHS)
    sheet.freeze(repeat[1] + 1, 2)
    sheet.print_setup(repeat=repeat, large=True)


_OPEN = Style(bold=True, wrap=True, indent=1)


def _title(ctx: Context) -> str:
    others = ", ".join(ctx.label(s) for s in ctx.others)
    own = ctx.results.spec.settings.title
    return own or f"Cost-utility analysis of {others} against {ctx.label(ctx.reference)}"


def _population(ctx: Context) -> str:
    spec, values = ctx.results.spec, ctx.results.base.draws.values
    rows = [
        tuple(float(e.evaluate(values, 1)[0]) for e in (part.age, part.male_share, part.share))
        for part in spec.cohort_parts
    ]
    if not rows:
        return ""
    age, male = (sum(row[place] * row[2] for row in rows) for place in (0, 1))
    ages = f"{min(row[0] for row in rows):.3g} to {max(row[0] for row in rows):.3g}"
    spread = f" ({ages})" if len(rows) > 1 else ""
    return f"Mean age {age:.3g}{spread}, share male {male:.3g}"


def _place(ctx: Context) -> str:
    agency = ctx.results.spec.settings.agency
    return f"Settings of the preset {agency}." if agency else ""


def _strategies(ctx: Context) -> str:
    rows = ctx.results.spec.strategies
    return " ".join(f"{s.label}{': ' + s.note if s.note else '.'}" for s in rows)


def _perspective(ctx: Context) -> str:
    return ctx.results.spec.settings.perspective or "Every cost of the table costs counts."


def _horizon(ctx: Context) -> str:
    alive = [f"{ctx.label(s)} {float(t.endpoints['os'][0, -1]):.2%}" for s, t in ctx.traces.items()]
    time = next(iter(ctx.traces.values())).time
    return f"{time[-1]:.2f} years in {len(time) - 1:,} cycles; alive at its end: {', '.join(alive)}"


def _discounting(ctx: Context) -> str:
    settings = ctx.results.spec.settings
    parts = []
    for words, rate in (
        ("costs", settings.discount_rate_costs),
        ("outcomes", settings.discount_rate_outcomes),
    ):
        step = ""
        if rate.step_year is not None and rate.later is not None:
            step = f", from year {rate.step_year:g} {100 * rate.later:.4g}%"
        parts.append(f"{words} {100 * rate.first:.4g}%{step} a year")
    return f"{'; '.join(parts)}; {settings.discounting.replace('_', ' ')}".capitalize()


def _outcomes(ctx: Context) -> str:
    return "Life years, QALYs, equal-value life years; costs; ICER, net monetary and health benefit"


def _prices(ctx: Context) -> str:
    settings = ctx.results.spec.settings
    year = f", prices of {settings.price_year}" if settings.price_year else ""
    note = setting_note(ctx, "price_year")
    return f"{settings.currency}{year}. {note}".strip()


def _costs(ctx: Context) -> str:
    spec = ctx.results.spec
    items = len(spec.costs) + len(spec.adverse_events)
    return f"{items} items in the categories {', '.join(spec.categories())}" if items else ""


def _utilities(ctx: Context) -> str:
    return f"{len(ctx.results.spec.utilities)} rows of the sheet utilities; sources on Evidence"


def _model(ctx: Context) -> str:
    return f"{structure(ctx).capitalize()}. heor {ctx.results.version}; methods in docs/methods.md"


def _analytics(ctx: Context) -> str:
    s = ctx.results.spec.settings
    parts = (
        f"cycle rule {s.cycle_correction}",
        f"discounting {s.discounting.replace('_', ' ')}",
        f"crossing curves: {s.crossing.replace('_', ' ')}",
        f"background mortality: {s.background_mortality}",
        f"age-adjusted utilities: {'yes' if s.age_adjusted_utilities else 'no'}",
    )
    assumed = sum(p.evidence == "assumption" for p in ctx.results.spec.parameters.values())
    return f"{'; '.join(parts)}; {assumed} parameters are assumptions".capitalize()


def _heterogeneity(ctx: Context) -> str:
    groups = {c.group for c in ctx.results.spec.curves} - {ALL, ""}
    if not groups:
        return ""
    named = ", ".join(sorted(groups)).replace("_", " ")
    return f"Response groups {named}; no subgroups of patients"


def _uncertainty(ctx: Context) -> str:
    results, parts = ctx.results, []
    if results.psa is not None:
        sampler = results.psa.sampler.replace("_", " ")
        parts.append(f"PSA with {results.psa.n:,} draws ({sampler}, seed {results.psa.seed})")
    if results.dsa is not None:
        parts.append("one-way analysis of every parameter with a range")
    if results.scenarios:
        parts.append(f"{len(results.scenarios)} scenarios")
    return "; ".join(parts) or "Not part of this run."


def _parameters(ctx: Context) -> str:
    count = len(ctx.results.spec.parameters)
    return f"{count} parameters with value, range, distribution, source and grade of evidence"


def _main(ctx: Context) -> str:
    parts = []
    for one in ctx.results.base.pairwise:
        text = f"{ctx.label(one.id)} against {ctx.label(one.versus)}, base case: extra cost "
        text += f"{ctx.currency} {one.delta_cost:,.0f}, QALYs gained {one.delta_qaly:.3f}"
        if one.icer is not None:
            text += f", ICER {ctx.currency} {one.icer:,.0f} per QALY"
        parts.append(f"{text} ({one.status})")
    return "; ".join(parts)


def _effect(ctx: Context) -> str:
    made = ctx.results.psa_summary
    if made is None:
        return "Not part of this run."
    index, at = ctx.threshold_index(), made.at_thresholds
    shares = [
        f"{ctx.label(s)} {float(at.ceac[index, place]):.1%}"
        for place, s in enumerate(at.strategies)
    ]
    return f"Probability of being best at {ctx.per_qaly(ctx.threshold())}: {', '.join(shares)}"


def _findings(ctx: Context) -> str:
    return f"{len(ctx.results.record.warnings)} warnings of this run are listed there."


ITEMS: tuple[Item, ...] = (
    Item("Title", "That it is an economic evaluation, and of what.", DRAFT, "Cover", _title),
    Item("Abstract", "Context, methods, results, in brief.", ANALYST, "Cover", _main),
    Item("Background and objectives", "Why the question matters for decisions.", ANALYST),
    Item("Health economic analysis plan", "Whether there was a plan, and where it is.", ANALYST),
    Item("Study population", "Who the people are.", DRAFT, "Cover", _population),
    Item("Setting and location", "Where, and what of it bears on the result.", DRAFT, "", _place),
    Item("Comparators", "What is compared, and why.", TOOL, "strategies", _strategies),
    Item("Perspective", "Whose costs count, and why.", TOOL, "settings", _perspective),
    Item("Time horizon", "How long, and why long enough.", TOOL, "Control", _horizon),
    Item("Discount rate", "The rates and why these.", TOOL, "Control", _discounting),
    Item("Selection of outcomes", "Which outcomes measure benefit.", TOOL, "Results", _outcomes),
    Item("Measurement of outcomes", "How they were measured.", DRAFT, "Survival", _utilities),
    Item("Valuation of outcomes", "Whose values, by what method.", DRAFT, "utilities", _utilities),
    Item(
        "Measurement and valuation of resources and costs",
        "How resources were counted and priced.",
        DRAFT,
        "costs",
        _costs,
    ),
    Item("Currency, price date, conversion", "Money and its year.", TOOL, "settings", _prices),
    Item(
        "Rationale and description of model",
        "The model, why this one, and whether it can be had.",
        DRAFT,
        "Contents",
        _model,
    ),
    Item(
        "Analytics and assumptions",
        "How data were analysed, extrapolated and validated; what was assumed.",
        DRAFT,
        "Survival",
        _analytics,
    ),
    Item(
        "Characterising heterogeneity",
        "How results may differ between subgroups.",
        DRAFT,
        "curves",
        _heterogeneity,
    ),
    Item(
        "Characterising distributional effects",
        "How effects fall on different people, and on priority groups.",
        ANALYST,
    ),
    Item(
        "Characterising uncertainty",
        "How uncertainty was examined.",
        TOOL,
        "PSA summary",
        _uncertainty,
    ),
    Item(
        "Approach to engagement with patients and others",
        "Who was involved in the design, and how.",
        ANALYST,
    ),
    Item(
        "Study parameters",
        "Values, ranges, distributions, sources.",
        TOOL,
        "Evidence",
        _parameters,
    ),
    Item("Summary of main results", "Costs, outcomes, the ratio.", TOOL, "Results", _main),
    Item("Effect of uncertainty", "What it does to the result.", TOOL, "CEAC & CEAF", _effect),
    Item("Effect of engagement", "What involvement changed.", ANALYST),
    Item(
        "Findings, limitations, generalisability, current knowledge",
        "What it means, and where it does not hold.",
        ANALYST,
        "Verification",
        _findings,
    ),
    Item("Source of funding", "Who paid, and what part they had.", ANALYST),
    Item("Conflicts of interest", "Those of the authors.", ANALYST),
)
