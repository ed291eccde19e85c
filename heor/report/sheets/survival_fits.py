"""How well candidates fit their data, on ``Survival``: criteria as given, AIC weights live."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heor.report.live import Term, call, exp, literal, put
from heor.report.sheets.inputs import column_of
from heor.report.sheets.layout import Context, fit_height, heading, table_head
from heor.report.xlsx import AFTER_WRAP, WRAP, Sheet, Style
from heor.spec.records import ALL, Curve

_HEADS = (
    "Candidate",
    "Strategy",
    "Curve",
    "AIC",
    "BIC, subjects",
    "BIC, events",
    "AIC above best",
    "AIC weight",
)
_PLACE = {"aic": 3, "bic": 4, "bic_events": 5}
_ABOVE, _WEIGHT, _FAMILY, _DATA = 6, 7, 11, 13
_RIGHT = Style(align="right")
_RIGHT_WRAP = Style(align="right", wrap=True)
_ONE = Style("formula", unit="number", align="right")


def write_fits(ctx: Context, sheet: Sheet, row: int, width: float) -> int:
    """Write the table, where a candidate has criteria; give the next free row.

    Parameters
    ----------
    row : int
        Where the heading stands.
    width : float
        Of the column that names the data.
    """
    curves = ctx.results.spec.curves
    fitted = [n for n, curve in enumerate(curves) if curve.aic is not None]
    if not fitted:
        return row
    row = heading(
        sheet,
        row,
        "How well candidates fit",
        "From the curves sheet. AIC weights are among the candidates of this table for the same "
        "curve that were fitted to the same data; a curve calibrated after its fit has the fit's.",
    )
    blank = ["", "", ""]
    heads = (*_HEADS, *blank, "Family", "", "Fitted to")
    row = table_head(sheet, row, heads, 30, texts=("Fitted to",))
    places = {n: row + offset for offset, n in enumerate(fitted)}
    cells = {n: _criteria(ctx, sheet, n, places[n]) for n in fitted}
    for n in fitted:
        curve, line = curves[n], places[n]
        same = [cells[m] for m in fitted if _data(curves[m]) == _data(curve)]
        sheet.text(line, 0, curve.id, WRAP)
        sheet.text(line, 1, curve.strategy, _RIGHT)
        group = "" if curve.group == ALL else f", {curve.group}"
        sheet.text(line, 2, f"{curve.endpoint}{group}".replace("_", " "), _RIGHT_WRAP)
        least = call("MIN", lambda *values: min(values), *same)
        put(sheet, line, _ABOVE, cells[n] - least, _ONE)
        put(sheet, line, _WEIGHT, _weight(ctx, cells[n], same), _share())
        put(sheet, line, _FAMILY, ctx.live[f"curves {n} family"], Style("link", align="right"))
        sheet.text(line, _DATA, curve.fit_data, AFTER_WRAP)
        fit_height(sheet, line, ((curve.fit_data, width), (f"{curve.endpoint} {group}", 15)))
    return row + len(fitted)


def _share() -> Style:
    return Style("formula", unit="share", align="right")


def _data(curve: Curve) -> tuple[str, ...]:
    """What candidates must share for their AIC to be compared."""
    return curve.strategy, curve.endpoint, curve.group, curve.fit_data


def _criteria(ctx: Context, sheet: Sheet, number: int, row: int) -> Term:
    """Link to the criteria of a row of ``curves``; give the cell of its AIC."""
    table = ctx.results.spec.tables["curves"]
    found: Term = literal(0)
    for name, place in _PLACE.items():
        value = getattr(ctx.results.spec.curves[number], name)
        if value is None:
            continue
        address = ctx.book.sheets["curves"].ref(number + 1, column_of(table, name))
        link = Style("link", unit="number", align="right")
        cell = put(sheet, row, place, Term(address, value), link)
        if name == "aic":
            found = cell
    return found


def _weight(ctx: Context, own: Term, same: Sequence[Term]) -> Term:
    """``1/Σ exp((AIC − AIC_j)/2)``, which is exp(−AIC/2) over its sum."""
    two = ctx.constants.term(2, "Two")
    terms = [exp((own - one) / two) for one in same]
    return 1 / call("SUM", lambda *values: float(np.sum(values)), *terms)
