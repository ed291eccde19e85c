"""Formulas over parameter ids in a table's cell: read, evaluated on arrays, written for Excel.

The language is the smallest that the tables need: numbers, ids, ``+ - * / ^``, brackets,
comparisons (1 when true, 0 when false) and the functions of `FUNCTIONS`. Precedence is Excel's:
``^`` is left-associative and a sign binds tighter than ``^``, so ``2^3^2`` is 64 and ``-2^2`` is 4.
Nothing is ever executed as Python: a formula becomes a flat list of steps in reverse Polish order,
which the evaluator and the writers walk with a stack. All arithmetic is on doubles, so a huge power
such as ``9^9^9^9`` costs nothing and is simply infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heor.spec.grammar import (
    BINDING,
    COMPARISONS,
    FUNCTIONS,
    MAX_DEPTH,
    MAX_LENGTH,
    ExpressionError,
    Parser,
    Step,
)

FloatArray = NDArray[np.float64]


class CircularError(ExpressionError):
    """Formulas refer to each other in a circle.

    Parameters
    ----------
    circle : sequence of str
        The names along the circle; the last is the first again.
    """

    def __init__(self, circle: Sequence[str]) -> None:
        self.circle = tuple(circle)
        super().__init__("circular reference: " + " -> ".join(self.circle))

    def __reduce__(self) -> tuple[type[CircularError], tuple[tuple[str, ...]]]:
        return CircularError, (self.circle,)


@dataclass(frozen=True)
class Expression:
    """A formula that has been read; made by `parse` or `constant`. Equal formulas compare equal.

    Parameters
    ----------
    text : str
        The formula as written.
    steps : tuple of Step
        The formula in reverse Polish order.
    warnings : tuple of str
        Sentences about ambiguous powers, asking for brackets.
    """

    text: str = field(compare=False)
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The ids used, in order of first use."""
        return tuple(dict.fromkeys(step.name for step in self.steps if step.op == "name"))

    @cached_property
    def canonical(self) -> str:
        """The formula in one spelling: two formulas with equal steps have equal text."""
        return _write(self.steps, lambda name: name, excel=False)

    @cached_property
    def number(self) -> float | None:
        """The value of a formula that uses no ids, else None."""
        return None if self.names else float(self.evaluate({}, 1)[0])

    def evaluate(self, values: Mapping[str, FloatArray], n: int) -> FloatArray:
        """Evaluate row by row.

        The bits of a row depend on that row alone, never on its neighbours or on ``n``.
        Divisions by zero, logarithms of negative numbers and overflows give inf or NaN silently.

        Parameters
        ----------
        values : mapping of str to array
            The value of every id used, each ``(n,)``.
        n : int
            Number of rows.

        Returns
        -------
        array
            A new contiguous array ``(n,)``.

        Raises
        ------
        ExpressionError
            When an id has no value or a value has another shape.
        """
        stack: list[FloatArray] = []
        with np.errstate(all="ignore"):
            for step in self.steps:
                if step.op == "number":
                    stack.append(np.full(n, step.number))
                elif step.op == "name":
                    stack.append(_values_of(step.name, values, n))
                else:
                    arguments = stack[-step.arity :]
                    del stack[-step.arity :]
                    stack.append(_apply(step.op, arguments))
        (result,) = stack
        return result.copy() if self.steps[-1].op == "name" else result

    def to_excel(self, reference: Callable[[str], str]) -> str:
        """Text of the same formula for a spreadsheet cell, without a leading ``=``.

        Bracketed so that Excel and LibreOffice agree with `evaluate`; a comparison outside the
        condition of an IF becomes ``IF(…,1,0)``, for a spreadsheet's TRUE is not the number 1.
        The spreadsheet differs where a step is not finite: it shows an error for the whole formula,
        and ``0^0`` is an error in Excel but 1 here.

        Parameters
        ----------
        reference : callable
            Gives the cell or defined name that holds an id.
        """
        return _write(self.steps, reference, excel=True)


def parse(text: str) -> Expression:
    """Read a formula.

    Parameters
    ----------
    text : str
        A number or a formula over ids, without a leading ``=``. Function names may be in any case.

    Raises
    ------
    ExpressionError
        With a sentence that names what is unexpected and at which character.

    Examples
    --------
    >>> parse("dose * if(weight > 80, 2, 1)").names
    ('dose', 'weight')
    >>> parse("2^3^2").number
    64.0
    """
    steps, warnings = Parser(text).read()
    return Expression(text, steps, warnings)


def constant(x: float) -> Expression:
    """Return the formula of one finite number, equal to what `parse` makes of the number's text."""
    if not np.isfinite(x):
        raise ExpressionError(f"a number must be finite, found {x}")
    return parse(_number_text(float(x)))


def evaluation_order(expressions: Mapping[str, Expression]) -> tuple[str, ...]:
    """Order in which formulas can be evaluated, each after those it uses.

    Parameters
    ----------
    expressions : mapping of str to Expression
        The formula of each derived id. Ids used but not in the mapping are given values.

    Raises
    ------
    CircularError
        When formulas refer to each other in a circle.
    """
    order: list[str] = []
    done: set[str] = set()
    for first in expressions:
        path: dict[str, list[str]] = {} if first in done else {first: _needs(first, expressions)}
        while path:
            name, waiting = next(reversed(path.items()))
            if not waiting:
                order.append(name)
                done.add(name)
                del path[name]
                continue
            needed = waiting.pop()
            if needed in path:
                names = list(path)
                raise CircularError([*names[names.index(needed) :], needed])
            if needed not in done:
                path[needed] = _needs(needed, expressions)
    return tuple(order)


def _needs(name: str, expressions: Mapping[str, Expression]) -> list[str]:
    """Return the derived ids that a formula uses, last first (they are taken from the end)."""
    return [used for used in reversed(expressions[name].names) if used in expressions]


def _values_of(name: str, values: Mapping[str, FloatArray], n: int) -> FloatArray:
    if name not in values:
        raise ExpressionError(f"'{name}' has no value")
    array = np.ascontiguousarray(values[name], dtype=np.float64)
    if array.shape != (n,):
        raise ExpressionError(f"'{name}' has shape {array.shape}, expected ({n},)")
    return array


def _apply(op: str, arguments: Sequence[FloatArray]) -> FloatArray:
    """Apply one operator or function to arrays ``(n,)``."""
    first = arguments[0]
    if op == "if":
        return np.where(first != 0.0, arguments[1], arguments[2])
    if op in ("min", "max"):
        pick = np.minimum if op == "min" else np.maximum
        result = first.copy()
        for other in arguments[1:]:
            pick(result, other, out=result)
        return result
    if len(arguments) == 1:
        return _UNARY[op](first)
    return _BINARY[op](first, arguments[1])


def _power(base: FloatArray, exponent: FloatArray) -> FloatArray:
    """Raise to a power by the same routine whatever the length.

    numpy squares by multiplication where the exponent is one repeated 2, which it takes an array
    of length 1 to be; two rows are never taken so.
    """
    if len(base) == 1:
        return np.power(np.repeat(base, 2), np.repeat(exponent, 2))[:1].copy()
    return np.power(base, exponent)


_POWERS_OF_TEN = 10.0 ** np.arange(17)


def _roundup(x: FloatArray) -> FloatArray:
    """Round away from zero to a whole number, as spreadsheets do.

    Like theirs, on the 15 significant digits that a spreadsheet keeps: 7.000000000000001, the
    double nearest to 0.07 * 100, stays 7.
    """
    size = np.abs(x)
    whole = np.floor(size)
    decade = _POWERS_OF_TEN[np.clip(np.searchsorted(_POWERS_OF_TEN, size, "right") - 1, 0, 16)]
    noise = (size >= 1.0) & (size - whole < 5e-15 * decade)
    return np.copysign(np.where(noise, whole, np.ceil(size)), x)


def _comparison(compare: np.ufunc) -> Callable[[FloatArray, FloatArray], FloatArray]:
    def compared(a: FloatArray, b: FloatArray) -> FloatArray:
        result: FloatArray = compare(a, b).astype(np.float64)
        return result

    return compared


_UNARY: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "negate": np.negative,
    "exp": np.exp,
    "ln": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "roundup": _roundup,
}

_BINARY: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": _power,
    "=": _comparison(np.equal),
    "<>": _comparison(np.not_equal),
    "<": _comparison(np.less),
    "<=": _comparison(np.less_equal),
    ">": _comparison(np.greater),
    ">=": _comparison(np.greater_equal),
}


def _number_text(x: float) -> str:
    """Shortest text that gives the same double."""
    if x.is_integer() and abs(x) < 1e15:
        return f"{x:.0f}"
    return repr(x)


_SIGN_BINDING = 5
_ATOM_BINDING = 6


class _Written(NamedTuple):
    text: str
    binding: int
    comparison: bool = False

    def inside(self, lowest: int) -> str:
        """Text as an operand of something that needs at least this binding."""
        return self.text if self.binding >= lowest else f"({self.text})"


def _write(steps: Sequence[Step], reference: Callable[[str], str], *, excel: bool) -> str:
    """Write steps as a formula, canonical or for a spreadsheet."""
    stack: list[_Written] = []
    for step in steps:
        if step.op == "number":
            text = _number_text(step.number)
            stack.append(_Written(text.upper() if excel else text, _ATOM_BINDING))
        elif step.op == "name":
            stack.append(_Written(reference(step.name), _ATOM_BINDING))
        else:
            arguments = stack[-step.arity :]
            del stack[-step.arity :]
            if excel:
                arguments = [
                    _as_number(argument) if step.op != "if" or position else argument
                    for position, argument in enumerate(arguments)
                ]
            stack.append(_written(step.op, arguments, excel=excel))
    (result,) = stack
    return (_as_number(result) if excel else result).text


def _as_number(written: _Written) -> _Written:
    """Turn a spreadsheet's TRUE or FALSE into 1 or 0."""
    return _Written(f"IF({written.text},1,0)", _ATOM_BINDING) if written.comparison else written


def _written(op: str, arguments: Sequence[_Written], *, excel: bool) -> _Written:
    first = arguments[0]
    if op == "negate":
        return _Written("-" + first.inside(_ATOM_BINDING), _SIGN_BINDING)
    if op in FUNCTIONS:
        inner = ",".join(argument.text for argument in arguments)
        if op == "roundup" and excel:
            inner += ",0"
        return _Written(f"{op.upper() if excel else op}({inner})", _ATOM_BINDING)
    second = arguments[1]
    if op == "^":
        if excel:
            return _Written(f"({first.text})^({second.text})", BINDING[op])
        return _Written(f"{first.inside(_ATOM_BINDING)}^{second.inside(_ATOM_BINDING)}", 4)
    binding = BINDING[op]
    left, right = first.inside(binding), second.inside(binding + 1)
    if op in COMPARISONS:
        left, right = first.inside(2), second.inside(2)
    if second.binding == _SIGN_BINDING:
        right = f"({second.text})"
    return _Written(f"{left}{op}{right}", binding, comparison=op in COMPARISONS)


__all__ = [
    "FUNCTIONS",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "CircularError",
    "Expression",
    "ExpressionError",
    "Step",
    "constant",
    "evaluation_order",
    "parse",
]
