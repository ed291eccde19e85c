"""Survival families in a workbook: the numbers that rows of ``curves`` give them, and S(t).

The numbers of a row's family stand in the columns ``p1``, ``p2``, … (``q1``, … after progression)
in one order for all rows, so that the row in use may be any. Beside the parameters, what a family
derives of them and its formula repeats has columns of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heor.engine.survival import CURVES, family_after, family_of, family_of_curve
from heor.engine.survival_family import Family
from heor.engine.survival_flexible import Spline
from heor.report.live import Term, choose, every, ln, some, where
from heor.report.sheets.layout import Context
from heor.spec.parameters import FloatArray
from heor.spec.records import SPLINE, Curve, Spec

GENGAMMA, GENF = "gengamma", "genf"

#: Families whose formula is long: beside others it has a column of its own.
_LONG = {GENGAMMA: "generalised gamma", GENF: "generalised F"}

#: Columns that every workbook has.
FEWEST = 3

#: Writes a step of a formula into cells of its own, with a note, and gives the cell to go on with.
AddStep = Callable[[str, Term, str], Term]


def form_of(curve: Curve, *, after: bool = False) -> str:
    """Word that tells a row's formula from others': its family, for a spline also the scale."""
    name = curve.pps_family if after else curve.family
    if name not in CURVES and name != SPLINE:
        return name
    return (family_after(curve) if after else family_of_curve(curve)).form


@dataclass(frozen=True, slots=True)
class Layout:
    """Order of the numbers of any row's family.

    A spline of fewer knots than another gets gammas of 0, and its last knot again: that changes
    nothing.

    Attributes
    ----------
    letter : str
        ``p``, or ``q`` after progression.
    knots : int
        Most knots of any spline.
    count : int
        How many columns there are.
    """

    letter: str
    knots: int
    count: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(f"{self.letter}{place + 1}" for place in range(self.count))

    def family(self, form: str) -> Family:
        """Give the family of a form, a spline with as many knots as there are columns for."""
        name, _, scale = form.partition(" ")
        return family_of(name, scale, self.knots)

    def has_form(self, form: str) -> bool:
        """Whether a form has a formula in t."""
        return form in CURVES or form.startswith(f"{SPLINE} ")


def waning_in(spec: Spec) -> bool:
    """Whether a candidate's effect wanes to another strategy's curve (methods 1.8)."""
    return any(curve.wane_to for curve in spec.curves)


def averageable(spec: Spec) -> Mapping[str, tuple[int, ...]]:
    """Rows of ``curves`` that can be averaged, by ``strategy.endpoint.group`` (methods 1.9)."""
    found: dict[str, tuple[int, ...]] = {}
    for row, curve in enumerate(spec.curves):
        if curve.average_weight is not None:
            slot = f"{curve.strategy}.{curve.endpoint}.{curve.group}"
            found[slot] = (*found.get(slot, ()), row)
    return {slot: rows for slot, rows in found.items() if len(rows) > 1}


def layout_of(spec: Spec, *, after: bool = False) -> Layout:
    """Give the columns that the rows of a study need."""
    forms = [form_of(curve, after=after) for curve in spec.curves]
    rows = [curve.pps_parameters if after else curve.parameters for curve in spec.curves]
    bent = [len(row) // 2 for form, row in zip(forms, rows, strict=True) if form.startswith(SPLINE)]
    found = Layout("q" if after else "p", max(bent, default=0), 0)
    families = [found.family(form) for form in forms if found.has_form(form)]
    numbers = [len(f.parameters) + len(f.derived_excel(_words(f))) for f in families]
    return Layout(found.letter, found.knots, max((FEWEST, *numbers)))


# --- words that stand for cells in a formula until the cells take their place ---------------

_TIME = "time_"


def _word(place: int) -> str:
    return f"number_{place + 1}_"


def _words(family: Family) -> tuple[str, ...]:
    return tuple(_word(place) for place in range(len(family.parameters)))


def _with_derived(family: Family, text: str, known: int | None = None) -> str:
    """Put the words of the first derived numbers, or of all, in the place of their formulas."""
    parts = [part for _, part in family.derived_excel(_words(family))][:known]
    first = len(family.parameters)
    return _filled(text, {part: _word(first + place) for place, part in enumerate(parts)})


def _filled(text: str, cells: Mapping[str, str]) -> str:
    """Put cells in the place of what stands for them, the longest first."""
    for word in sorted(cells, key=len, reverse=True):
        text = text.replace(word, cells[word])
    return text


def _numbers(family: Family, terms: Sequence[Term]) -> list[FloatArray]:
    return [np.array([[float(term.value)]]) for term in terms[: len(family.parameters)]]


def _meaning(family: Family) -> str:
    return f"Number in the {family.name} formula (methods 2)"


def derived_term(ctx: Context, family: Family, before: Sequence[Term]) -> Term | None:
    """Give a family's next derived number; None where it has no more.

    Parameters
    ----------
    before : sequence of Term
        Cells of the parameters, and of the derived numbers that are already in cells.
    """
    place = len(before) - len(family.parameters)
    parts = family.derived_excel(_words(family))
    if place >= len(parts):
        return None
    text = ctx.constants.lift(_with_derived(family, parts[place][1], place), _meaning(family))
    value = family.derived(_numbers(family, before))[place]
    cells = {_word(number): term.text for number, term in enumerate(before)}
    return Term(_filled(text, cells), float(np.ravel(value)[0]))


def survival_of(ctx: Context, family: Family, numbers: Sequence[Term], time: Term) -> Term:
    """Give S(time) of a family by cells of its parameters and derived numbers."""
    text = _with_derived(family, family.excel(_words(family), _TIME))
    cells = {_TIME: time.text} | {_word(place): term.text for place, term in enumerate(numbers)}
    lifted = ctx.constants.lift(text, _meaning(family))
    return Term(_filled(lifted, cells), _survival(family, numbers, time))


def _survival(family: Family, numbers: Sequence[Term], time: Term) -> FloatArray | float:
    times = np.atleast_1d(np.asarray(time.value, dtype=float))
    with np.errstate(divide="ignore"):
        log_times = np.log(times)
    out = np.empty((1, len(times)))
    family.survival(times, log_times, _numbers(family, numbers), out)
    return out.reshape(np.shape(time.value))[()]


def family_formula(
    ctx: Context,
    layout: Layout,
    forms: Sequence[str],
    chosen: Term,
    numbers: Sequence[Term],
    time: Term,
    add: AddStep,
) -> Term:
    """Give S(time) of the chosen form, one of ``forms``; 1 where it is none of them.

    Some formulas are long or share steps: the generalised gamma's deviate w and Qw, a spline's
    ln u and η, and, beside other families, the S of long ones get cells of their own.

    Parameters
    ----------
    layout : Layout
        Order of ``numbers``.
    forms : sequence of str
        Forms that the row in use may have.
    chosen : Term
        The form in use.
    numbers : sequence of Term
        Cells of the row's numbers.
    time : Term
        Time in the curve's unit.
    add : callable
        Gives a step cells of its own.
    """
    cells = {_TIME: time.text} | {_word(place): term.text for place, term in enumerate(numbers)}
    if GENGAMMA in forms:
        in_use = every(chosen.equals(GENGAMMA), time > 0)
        mu, sigma, q = numbers[:3]
        deviate = add("w", where(in_use, (ln(time) - mu) / sigma, 0), "Step 1: w = (ln u − μ)/σ")
        cells[_TWIST], cells[_DEVIATE] = add("Qw", q * deviate, "Step 1: Q·w").text, deviate.text
    bent = [form for form in forms if form.startswith(SPLINE)]
    if bent:
        in_use = every(some(*(chosen.equals(form) for form in bent)), time > 0)
        x = add("ln u", where(in_use, ln(time), 0), "Step 1: ln u")
        family = layout.family(str(chosen.value) if chosen.value in bent else bent[0])
        assert isinstance(family, Spline)
        eta = _eta(ctx, family, chosen.value in bent, cells | {f"LN({_TIME})": x.text}, x, numbers)
        note = "Step 1: η, the natural cubic spline of ln u (methods 2)"
        cells[_eta_text(ctx, family)] = add("η", where(in_use, eta, 0), note).text
    cases = []
    for form in forms:
        family = layout.family(form)
        text = _lifted(ctx, family, family.excel(_words(family), _TIME))
        value = _survival(family, numbers, time) if chosen.value == form else 1.0
        case = Term(_filled(text, cells), np.broadcast_to(value, np.shape(time.value)))
        if form in _LONG and len(forms) > 1:
            own = where(chosen.equals(form), case, 1)
            case = add(f"S {form}", own, f"Step 1: the {_LONG[form]}; 1 where not in use")
        cases.append((form, case))
    return choose(chosen, cases, 1)


_DEVIATE = f"((LN({_TIME})-{_word(0)})/{_word(1)})"
_TWIST = f"{_word(2)}*{_DEVIATE}"


def _lifted(ctx: Context, family: Family, text: str) -> str:
    return ctx.constants.lift(_with_derived(family, text), _meaning(family))


def _eta_text(ctx: Context, family: Spline) -> str:
    return _lifted(ctx, family, family.linear_excel(_words(family), _TIME))


def _eta(
    ctx: Context,
    family: Spline,
    in_use: bool,
    cells: Mapping[str, str],
    x: Term,
    numbers: Sequence[Term],
) -> Term:
    """η of a spline; of no meaning where another family is chosen."""
    value = np.zeros(np.shape(x.value))
    if in_use:
        at = np.atleast_1d(np.asarray(x.value, dtype=float))
        value = family.linear(at, _numbers(family, numbers)).reshape(np.shape(x.value))
    return Term(_filled(_eta_text(ctx, family), cells), value)
