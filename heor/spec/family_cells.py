"""Parameters of a survival family as one cell of ``curves`` writes them."""

from __future__ import annotations

import re

from heor.spec.context import RowReader
from heor.spec.expressions import Expression
from heor.spec.records import FAMILIES, SPLINE, SPLINE_KNOTS, SPLINE_SCALES
from heor.spec.tables import did_you_mean

_GAMMA = re.compile(r"gamma\d+")


def family_parameters(
    cells: RowReader, family: str, column: str
) -> tuple[str, dict[str, Expression]]:
    """Read a family's parameters; one missing or unknown is a problem.

    Parameters
    ----------
    cells : RowReader
        The row.
    family : str
        A key of `FAMILIES`, or blank where the family could not be read.
    column : str
        Column that holds the parameters.

    Returns
    -------
    scale : str
        Of a spline; blank for every other family.
    parameters : dict
        Expressions by name, in the family's order.
    """
    if family == SPLINE:
        return _spline(cells, column)
    found = cells.expressions(column)
    if not family:
        return "", found
    wanted = FAMILIES[family]
    written = {part.partition("=")[0].strip() for part in cells.text(column).split(";")} - {""}
    allowed = ", ".join(wanted) or "none"
    for name in sorted(written - set(wanted)):
        hint = did_you_mean(name, wanted) or f"; it takes {allowed}"
        cells.problem(column, f"`{name}` is not a parameter of {family}{hint}")
    for name in wanted:
        if name not in written:
            cells.problem(column, f"the parameter `{name}` of {family} is missing")
    return "", {name: found[name] for name in wanted if name in found}


def _spline(cells: RowReader, column: str) -> tuple[str, dict[str, Expression]]:
    """Read ``scale=odds; knots=-1 0.5 2; gamma0=a; gamma1=b; gamma2=c``."""
    texts = cells.named(column)
    scale = texts.get("scale", SPLINE_SCALES[0])
    if scale not in SPLINE_SCALES:
        hint = did_you_mean(scale, SPLINE_SCALES) or f"; allowed: {', '.join(SPLINE_SCALES)}"
        cells.problem(column, f"`{scale}` is not a scale of a spline{hint}")
    for name in texts:
        if name not in ("scale", "knots") and not _GAMMA.fullmatch(name):
            names = FAMILIES[SPLINE]
            hint = did_you_mean(name, names) or f"; it takes {', '.join(names)}, …"
            cells.problem(column, f"`{name}` is not a parameter of spline{hint}")
    knots = _knots(cells, column, texts.get("knots", ""))
    gammas = _gammas(cells, column, texts, len(knots))
    named = {f"knot{place}": text for place, text in enumerate(knots, start=1)}
    read = {
        name: cells.formula(column, text)
        for name, text in {**{name: texts[name] for name in gammas}, **named}.items()
    }
    return scale, {name: found for name, found in read.items() if found is not None}


def _knots(cells: RowReader, column: str, text: str) -> list[str]:
    """Part the knots; none where they cannot be told apart."""
    fewest, most = SPLINE_KNOTS
    if not text:
        message = "the parameter `knots` of spline is missing; write the knots on the scale of"
        cells.problem(column, f"{message} ln t, those at both ends too, blanks between")
        return []
    if "," in text and "(" not in text:
        cells.problem(column, f"found `,` in `knots={text}`; write blanks between knots")
        return []
    knots = text.split()
    if not fewest <= len(knots) <= most:
        message = f"a spline has {fewest} to {most} knots, those at both ends too; found"
        cells.problem(column, f"{message} {len(knots)}")
        return []
    return knots


def _gammas(cells: RowReader, column: str, texts: dict[str, str], knots: int) -> list[str]:
    """Names of the gammas in their order; a spline has one for each knot."""
    found = sorted((name for name in texts if _GAMMA.fullmatch(name)), key=lambda n: int(n[5:]))
    wanted = [f"gamma{place}" for place in range(knots)]
    if knots and found != wanted:
        message = f"a spline of {knots} knots takes {', '.join(wanted)}"
        cells.problem(column, f"{message}; found {', '.join(found) or 'none'}")
    return [name for name in wanted if name in texts] if knots else found
