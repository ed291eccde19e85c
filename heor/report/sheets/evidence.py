"""``Evidence``: every number and curve with its distribution, its grade and its full citation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from heor.report.sheets.layout import Context, fit_height, head, heading, table_head
from heor.report.xlsx import AFTER_WRAP, BOLD, NOTE, WRAP, Sheet, Style, cell_name, range_name
from heor.spec.expressions import Expression
from heor.spec.parameters import Parameter
from heor.spec.records import Curve, words

TITLE = "Evidence"

#: Grades from the least to the most certain, with what each means.
GRADES: Mapping[str, str] = {
    "assumption": "Assumed; nobody measured it.",
    "unverified": "Given by a source that was not read for this model, or recalled.",
    "transported": "Measured in another population, tumour or setting.",
    "expert": "Elicited from experts.",
    "derived": "Computed from other numbers of this model.",
    "published": "Read in the source named.",
}

#: What a ``source`` cell says where nothing is cited, and what stands in its place here.
ASSUMPTION, ASSUMED = "assumption", "Assumption."

_WIDTHS = (44, 24, 13, 15, 12, 12, 40, 14, 74, 60)
_CITATION, _NOTE = 8, 9


def write_evidence(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet: counts by grade, parameters from the least certain on, curves, references."""
    row = head(ctx, sheet, "Evidence: where every number and curve comes from", live=True)
    counts = row
    row = _write_parameters(ctx, sheet, counts + len(GRADES) + 5)
    _write_counts(ctx, sheet, counts)
    row = _write_curves(ctx, sheet, row + 1)
    _write_references(ctx, sheet, row + 1)
    sheet.widths(_WIDTHS)
    sheet.freeze(4, 1)
    sheet.print_setup(large=True)


def certainty(parameter: Parameter) -> int:
    """Place of a parameter's grade, 0 the least certain."""
    return tuple(GRADES).index(parameter.evidence)


def citations(ctx: Context, source: str) -> str:
    """Full citations of the keys in a ``source`` cell, a line each."""
    references = ctx.results.spec.references
    named = (references[key].citation if key in references else ASSUMED for key in words(source))
    return "\n".join(named)


def _write_counts(ctx: Context, sheet: Sheet, row: int) -> None:
    row = heading(sheet, row, "Parameters by grade of evidence")
    row = table_head(sheet, row, ("Grade", "Parameters", "Share"), 18)
    grades = ctx.cells["evidence grades"]
    parameters = ctx.results.spec.parameters.values()
    first, last = row, row + len(GRADES) - 1
    everything = f"SUM({range_name(first, 1, last, 1)})"
    for grade, meaning in GRADES.items():
        count = sum(p.evidence == grade for p in parameters)
        sheet.text(row, 0, grade, BOLD)
        formula = f"=COUNTIF({grades},{cell_name(row, 0)})"
        sheet.formula(row, 1, formula, float(count), Style("formula", unit="count"))
        share = f"=IF({everything}>0,{cell_name(row, 1)}/{everything},0)"
        value = count / max(len(parameters), 1)
        sheet.formula(row, 2, share, value, Style("formula", unit="proportion"))
        sheet.text(row, 3, meaning, Style("note", indent=1))
        row += 1


def _write_parameters(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(
        sheet,
        row,
        "Parameters, the least certain first",
        "The value in use follows the parameters sheet and the choices on Control; the rest is as "
        "in the run.",
    )
    heads = (
        "Parameter",
        "Id",
        "Value in use",
        "Unit",
        "Low",
        "High",
        "Distribution",
        "Grade",
        "Source",
        "Note",
    )
    texts = ("Id", "Unit", "Distribution", "Grade", "Source", "Note")
    row = table_head(sheet, row, heads, 18, texts=texts)
    first = row
    for one in sorted(ctx.results.spec.parameters.values(), key=certainty):
        _write_parameter(ctx, sheet, row, one)
        row += 1
    ctx.cells["evidence grades"] = range_name(first, 7, max(row - 1, first), 7)
    return row


def _write_parameter(ctx: Context, sheet: Sheet, row: int, one: Parameter) -> None:
    source = citations(ctx, one.source)
    after = Style(wrap=True, indent=1)
    sheet.text(row, 0, one.label, WRAP)
    sheet.text(row, 1, one.id, after)
    live = ctx.live[f"param {one.id}"]
    sheet.formula(row, 2, f"={live.text}", float(live.value), _number("link", one.value))
    sheet.text(row, 3, one.unit, after)
    for column, value in ((4, one.low), (5, one.high)):
        sheet.cell(row, column, value, _number("value", value if value is not None else 0.0))
    sheet.text(row, 6, _distribution(one), after)
    sheet.text(row, 7, one.evidence, after)
    sheet.text(row, _CITATION, source, AFTER_WRAP)
    sheet.text(row, _NOTE, one.note, AFTER_WRAP)
    texts = (one.label, one.id, source, one.note, _distribution(one))
    widths = (_WIDTHS[0], _WIDTHS[1], _WIDTHS[_CITATION], _WIDTHS[_NOTE], _WIDTHS[6])
    fit_height(sheet, row, list(zip(texts, widths, strict=True)))


def _number(role: str, value: float) -> Style:
    size, whole = abs(value), float(value).is_integer()
    unit = "count" if whole and size != 1 else "number" if size < 10 else "ratio"
    unit = "count" if size >= 1000 else unit
    return Style(role, unit=unit, align="right")


def _distribution(one: Parameter) -> str:
    if one.expression is not None and one.expression.number is None:
        return f"computed: {one.expression.text}"
    return "fixed" if one.distribution is None else one.distribution.describe()


def _write_curves(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(
        sheet,
        row,
        "Curves",
        "Every candidate; the grade is the least certain one among the parameters it reads.",
    )
    heads = (
        "Strategy, endpoint, group",
        "Candidate",
        "In the base case",
        "Family",
        "",
        "",
        "Parameters",
        "Grade",
        "Source",
    )
    texts = ("Candidate", "Family", "Parameters", "Grade", "Source")
    row = table_head(sheet, row, heads, 18, texts=texts)
    for curve in ctx.results.spec.curves:
        source, made_of = citations(ctx, curve.source), parameters_in_words(curve)
        where = f"{ctx.label(curve.strategy)}, {curve.endpoint}, {curve.group.replace('_', ' ')}"
        sheet.text(row, 0, where, WRAP)
        sheet.text(row, 1, curve.id, AFTER_WRAP)
        sheet.text(row, 2, ctx.results.spec.standing(curve), Style(align="right"))
        sheet.text(row, 3, curve.family.replace("_", " "), AFTER_WRAP)
        sheet.text(row, 6, made_of, AFTER_WRAP)
        sheet.text(row, 7, _grade(ctx, curve), AFTER_WRAP)
        sheet.text(row, _CITATION, source, AFTER_WRAP)
        texts_and_widths = (
            (where, _WIDTHS[0]),
            (curve.id, _WIDTHS[1]),
            (made_of, _WIDTHS[6]),
            (source, _WIDTHS[_CITATION]),
        )
        fit_height(sheet, row, texts_and_widths)
        row += 1
    return row


#: Modifiers of a curve and the words for them.
_MODIFIERS: Mapping[str, str] = {
    "delay": "delay",
    "acceleration": "acceleration",
    "hazard_ratio": "hazard ratio",
    "hr_from": "ratio moves to 1 from",
    "hr_until": "until",
    "cure_fraction": "cured",
    "early_mortality": "early deaths",
    "early_period": "within",
    "km_until": "Kaplan-Meier until",
    "pfs_death_share": "deaths among progressions",
    "wane_from": "effect wanes from",
    "wane_until": "lost at",
}


def parameters_in_words(curve: Curve) -> str:
    """Give a curve's parameters and modifiers with their unit of time.

    Expressions stand as the ``curves`` table has them.
    """
    parts = [f"{name} = {value.text}" for name, value in curve.parameters.items()]
    if curve.scale:
        parts.insert(0, f"on the scale {curve.scale}")
    if curve.pps_family:
        inner = ", ".join(f"{n} = {value.text}" for n, value in curve.pps_parameters.items())
        family = f"{curve.pps_family} {curve.pps_scale}".strip()
        parts.append(f"after progression {family} ({inner})")
    for name, text in _MODIFIERS.items():
        value = getattr(curve, name)
        if value is not None:
            parts.append(f"{text} {value.text}")
    if curve.average_weight is not None:
        parts.append(f"weight in an average {curve.average_weight.text}")
    if curve.wane_to:
        parts.append(f"{curve.wane} moves to that of {curve.wane_to}")
    return "; ".join((*parts, f"in {curve.time_unit}s"))


def _expressions(curve: Curve) -> Iterator[Expression]:
    yield curve.weight
    yield from curve.parameters.values()
    yield from curve.pps_parameters.values()
    for name in _MODIFIERS:
        value = getattr(curve, name)
        if value is not None:
            yield value


def _grade(ctx: Context, curve: Curve) -> str:
    """Least certain grade among the parameters that a curve reads."""
    parameters = ctx.results.spec.parameters
    read = {name for expression in _expressions(curve) for name in expression.names}
    if not read:
        return "–"
    return min((parameters[name] for name in read), key=certainty).evidence


def _write_references(ctx: Context, sheet: Sheet, row: int) -> None:
    references = ctx.results.spec.references
    if not references:
        return
    row = heading(sheet, row, "References")
    sheet.text(row, 0, "Rows of the references sheet, with the parameters that cite each.", NOTE)
    heads = ("Key", "Parameters", "Citation")
    row = table_head(sheet, row + 1, heads, 18, texts=("Citation",))
    for one in references.values():
        cited = sum(one.key in words(p.source) for p in ctx.results.spec.parameters.values())
        text = f"{one.citation} {one.url}".strip()
        sheet.text(row, 0, one.key)
        sheet.number(row, 1, float(cited), Style("value", unit="count"))
        sheet.merge(row, 2, 8, text, AFTER_WRAP)
        fit_height(sheet, row, ((text, sum(_WIDTHS[2:9])),))
        row += 1
