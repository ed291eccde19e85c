"""Random formulas agree with a tiny evaluator of trees, and their spreadsheet text is clear."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heor.spec.expressions import ExpressionError, parse

VALUES = {"a": np.array([2.0, 0.3]), "b": np.array([-1.5, 7.0]), "c": np.array([0.0, 1.0])}
BINDING = {
    "=": 1,
    "<>": 1,
    "<": 1,
    "<=": 1,
    ">": 1,
    ">=": 1,
    "+": 2,
    "-": 2,
    "*": 3,
    "/": 3,
    "^": 4,
}

numbers = st.one_of(
    st.integers(0, 20).map(float), st.floats(1e-6, 1e6), st.sampled_from([0.5, 1e-9, 1e20])
)
leaves = st.one_of(
    st.tuples(st.just("number"), numbers), st.tuples(st.just("name"), st.sampled_from("abc"))
)


def grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(st.just("negate"), inner),
        st.tuples(st.sampled_from(sorted(BINDING)), inner, inner),
        st.tuples(st.sampled_from(["exp", "ln", "sqrt", "abs", "roundup"]), inner),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner, inner),
        st.tuples(st.just("if"), inner, inner, inner),
    )


trees = st.recursive(leaves, grow, max_leaves=12)


def roundup(x: float) -> float:
    """ROUNDUP(x, 0) by decimal arithmetic on 15 significant digits."""
    if not np.isfinite(x) or x == 0.0:
        return x
    digits = Context(prec=15, rounding=ROUND_HALF_UP).create_decimal(Decimal(x))
    size = abs(digits)
    whole = int(size) + (size != int(size))
    return float(np.copysign(float(whole), x))


def compute(op: str, *x: Any) -> Any:
    """One operation on arrays of two rows."""
    with np.errstate(all="ignore"):
        match op:
            case "negate":
                return -x[0]
            case "+" | "-" | "*" | "/":
                return {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}[op](*x)
            case "^":
                return np.power(*x)
            case "exp" | "sqrt" | "abs":
                return getattr(np, op)(x[0])
            case "ln":
                return np.log(x[0])
            case "roundup":
                return np.array([roundup(v) for v in x[0]])
            case "min":
                return np.stack(x).min(axis=0)
            case "max":
                return np.stack(x).max(axis=0)
            case "if":
                return np.array([p if t else q for t, p, q in zip(*x, strict=True)])
            case "=":
                return (x[0] == x[1]) * 1.0
            case "<>":
                return (x[0] != x[1]) * 1.0
            case "<" | ">":
                return (x[0] < x[1] if op == "<" else x[0] > x[1]) * 1.0
            case _:
                return (x[0] <= x[1] if op == "<=" else x[0] >= x[1]) * 1.0


def value(tree: Any) -> Any:
    op, *rest = tree
    if op == "number":
        return np.full(2, rest[0])
    if op == "name":
        return VALUES[rest[0]]
    return compute(op, *(value(branch) for branch in rest))


def write(tree: Any, needed: int = 0) -> str:
    """Text with as few brackets as Excel's precedence allows."""
    op, *rest = tree
    if op == "number":
        return repr(rest[0])
    if op == "name":
        return str(rest[0])
    if op == "negate":
        text, binding = "-" + write(rest[0], 5), 5
    elif op in BINDING:
        binding = BINDING[op]
        chained = binding if binding > 1 else 2
        text = f"{write(rest[0], chained)} {op} {write(rest[1], binding + 1)}"
    else:
        return f"{op.upper()}( {', '.join(write(branch) for branch in rest)} )"
    return f"({text})" if binding < needed else text


def same(x: Any, y: Any) -> bool:
    return bool(np.array_equal(x, y, equal_nan=True))


class Spreadsheet:
    """A cell's value under Python's operators, for reading formula text by Python's precedence."""

    def __init__(self, x: Any) -> None:
        self.x = np.broadcast_to(np.asarray(x, dtype=float), (2,))

    def __neg__(self) -> Spreadsheet:
        return Spreadsheet(-self.x)


for method, operator in {
    "__add__": "+",
    "__sub__": "-",
    "__mul__": "*",
    "__truediv__": "/",
    "__pow__": "^",
    "__lt__": "<",
    "__le__": "<=",
    "__gt__": ">",
    "__ge__": ">=",
    "__eq__": "=",
    "__ne__": "<>",
}.items():
    setattr(
        Spreadsheet,
        method,
        lambda self, other, operator=operator: Spreadsheet(compute(operator, self.x, other.x)),
    )


def function(op: str) -> Any:
    return lambda *x: Spreadsheet(compute(op, *(v.x for v in x)))


def read_as_python(excel: str) -> Any:
    """Value of spreadsheet text when powers are right-associative and bind tighter than signs."""
    text = re.sub(r"(?<![A-Za-z0-9.])(\d+\.?\d*(?:E[+-]?\d+)?)", r"N(\1)", excel)
    text = text.replace("^", "**").replace("<>", "!=")
    text = re.sub(r"(?<![<>!])=", "==", text)
    names = {
        name.upper(): function(name) for name in ("exp", "ln", "sqrt", "abs", "min", "max", "if")
    }
    names["ROUNDUP"] = lambda x, _: Spreadsheet(compute("roundup", x.x))
    names["N"] = lambda x: Spreadsheet(float(x))
    names.update({name: Spreadsheet(x) for name, x in VALUES.items()})
    return eval(text, {"__builtins__": {}}, names).x


@given(trees)
@settings(max_examples=400, deadline=None)
def test_agrees_with_the_tree(tree: Any) -> None:
    assert same(parse(write(tree)).evaluate(VALUES, 2), value(tree))


@given(trees)
@settings(max_examples=300, deadline=None)
def test_canonical_text_is_the_formula(tree: Any) -> None:
    formula = parse(write(tree))
    again = parse(formula.canonical)
    assert again == formula
    assert again.canonical == formula.canonical
    assert not again.warnings


@given(trees)
@settings(max_examples=400, deadline=None)
def test_spreadsheet_text_reads_the_same_by_both_precedences(tree: Any) -> None:
    excel = parse(write(tree)).to_excel(lambda name: name)
    wanted = value(tree)
    assert same(read_as_python(excel), wanted)
    if "ROUNDUP" not in excel:
        own = parse(excel)
        assert not own.warnings
        assert same(own.evaluate(VALUES, 2), wanted)


@given(st.text(alphabet="ab1.5+-*/^()<>=,% emxinlf", max_size=25))
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        formula = parse(text)
    except ExpressionError:
        return
    assert parse(formula.canonical) == formula
