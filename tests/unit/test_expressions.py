"""Formulas in cells: what is read, what is refused and how, and what it evaluates to."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from heor.spec.expressions import (
    FUNCTIONS,
    MAX_DEPTH,
    MAX_LENGTH,
    CircularError,
    ExpressionError,
    constant,
    evaluation_order,
    parse,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("1.5E+2", 150.0),
        (" 2 +\t3\u00a0", 5.0),
        ("1+2*3-4/5", 1 + 2 * 3 - 4 / 5),
        ("10-3-2", 5.0),
        ("16/4/2", 2.0),
        ("2*(3+4)", 14.0),
        ("2^3^2", 64.0),
        ("2^(3^2)", 512.0),
        ("-2^2", 4.0),
        ("-(2^2)", -4.0),
        ("0-2^2", -4.0),
        ("2^-2", 0.25),
        ("2^-1^2", 0.25),
        ("2*-3^2", 18.0),
        ("3--2", 5.0),
        ("--2", 2.0),
        ("+2", 2.0),
        ("-+-2", 2.0),
        ("2^0.5*2^0.5", np.power(2.0, 0.5) ** 2),
        ("min(3,1,2)", 1.0),
        ("MAX(3,1,2)", 3.0),
        ("Min(7)", 7.0),
        ("exp(0)", 1.0),
        ("ln(1)", 0.0),
        ("sqrt(9)", 3.0),
        ("abs(-4)", 4.0),
        ("if(1<2,10,20)", 10.0),
        ("if(0,10,20)", 20.0),
        ("if(-1,10,20)", 10.0),
        ("IF(2>=2,1,0)+IF(2<>2,1,0)", 1.0),
        ("1=1", 1.0),
        ("1<>1", 0.0),
        ("2<=1", 0.0),
        ("2>1", 1.0),
        ("1<1", 0.0),
        ("(1<2)+(3>2)", 2.0),
        ("1+1=2", 1.0),
        ("(1<2)*(2<3)", 1.0),
    ],
)
def test_value(text: str, value: float) -> None:
    assert parse(text).number == value


@pytest.mark.parametrize(
    ("x", "rounded"),
    [
        (0.0, 0.0),
        (1.0, 1.0),
        (1.2, 2.0),
        (-1.2, -2.0),
        (0.2, 1.0),
        (-0.2, -1.0),
        (1e-20, 1.0),
        (0.07 * 100, 7.0),
        (-0.07 * 100, -7.0),
        (7.00000000000001, 8.0),
        (7.000000000000004, 7.0),
        (7.000000000000006, 8.0),
        (100.000000000001, 101.0),
        (100.00000000000004, 100.0),
        (0.9999999999999999, 1.0),
        (2.9999999999999996, 3.0),
        (123456789.5, 123456790.0),
        (1e300, 1e300),
        (np.inf, np.inf),
    ],
)
def test_roundup_away_from_zero_on_15_digits(x: float, rounded: float) -> None:
    assert parse("roundup(x)").evaluate({"x": np.array([x])}, 1)[0] == rounded


def test_numbers_beyond_the_range_are_silent() -> None:
    assert parse("9^9^9^9").number == np.inf
    assert parse("1/0").number == np.inf
    assert np.isnan(parse("ln(-1)").number or 0.0)
    assert np.isnan(parse("(0-8)^(1/3)").number or 0.0)


def test_names_in_order_of_first_use_and_case() -> None:
    assert parse("b*exp(a)+b+A").names == ("b", "a", "A")
    assert parse("1+2").names == ()
    assert parse("a").number is None


def test_evaluate_gives_a_new_array() -> None:
    a = np.array([1.0, 2.0, 3.0])
    result = parse("a").evaluate({"a": a}, 3)
    result[0] = 99.0
    assert a[0] == 1.0
    for text in ("max(a)", "if(1,a,a)", "min(a,a+1)"):
        parse(text).evaluate({"a": a}, 3)[:] = 0.0
        assert a.tolist() == [1.0, 2.0, 3.0]
    assert parse("2").evaluate({}, 3).tolist() == [2.0, 2.0, 2.0]


def test_evaluate_reads_strided_columns() -> None:
    table = np.arange(12.0).reshape(4, 3)
    result = parse("a^2").evaluate({"a": table[:, 1]}, 4)
    assert result.flags.c_contiguous
    assert result.tolist() == [1.0, 16.0, 49.0, 100.0]


def test_evaluate_names_what_is_missing() -> None:
    with pytest.raises(ExpressionError, match="'b' has no value"):
        parse("a+b").evaluate({"a": np.ones(2)}, 2)
    with pytest.raises(ExpressionError, match=r"'a' has shape \(3,\), expected \(2,\)"):
        parse("a").evaluate({"a": np.ones(3)}, 2)


@pytest.mark.parametrize(
    "text",
    ["a^b", "a^2", "2^b", "a^0.5", "a^-1", "exp(b)", "ln(a)", "sqrt(a)", "a/b+a*b-b", "roundup(b)"],
)
def test_a_row_never_depends_on_its_neighbours(text: str) -> None:
    rng = np.random.default_rng(7)
    values = {"a": rng.uniform(0.01, 50.0, 1000), "b": rng.uniform(-4.0, 4.0, 1000)}
    values["b"][::5] = 2.0
    values["a"][3::11] = rng.uniform(0.0, 1e-5, len(values["a"][3::11]))
    formula = parse(text)
    whole = formula.evaluate(values, 1000)
    for length in (1, 2, 3, 7, 64):
        for start in range(0, 1000 - length, 1 if length < 7 else 13):
            part = {name: value[start : start + length] for name, value in values.items()}
            assert (
                formula.evaluate(part, length).tobytes() == whole[start : start + length].tobytes()
            )


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("A * ( b+ 2.50 )", "A*(b+2.5)"),
        ("2^3^2", "(2^3)^2"),
        ("(2^3)^2", "(2^3)^2"),
        ("-2^2", "(-2)^2"),
        ("-(2^2)", "-(2^2)"),
        ("a-(b-c)", "a-(b-c)"),
        ("(a-b)-c", "a-b-c"),
        ("a+(b+c)", "a+(b+c)"),
        ("a*-b", "a*(-b)"),
        ("-a*b", "-a*b"),
        ("-(a*b)", "-(a*b)"),
        ("(a<b)=c", "(a<b)=c"),
        ("a+1<b*2", "a+1<b*2"),
        ("IF( a<b , 1 , MAX(2,c))", "if(a<b,1,max(2,c))"),
        ("1000000000000000000000", "1e+21"),
        ("0.00001", "1e-05"),
        ("+a", "a"),
        ("a/(b*c)", "a/(b*c)"),
        ("a*(b/c)", "a*(b/c)"),
    ],
)
def test_canonical(text: str, canonical: str) -> None:
    formula = parse(text)
    assert formula.canonical == canonical
    again = parse(canonical)
    assert again == formula
    assert hash(again) == hash(formula)
    assert again.canonical == canonical
    assert not again.warnings


@pytest.mark.parametrize(
    ("text", "excel"),
    [
        ("a+b", "P!a+P!b"),
        ("a^2", "(P!a)^(2)"),
        ("2^3^2", "((2)^(3))^(2)"),
        ("-2^2", "(-2)^(2)"),
        ("-(2^2)", "-((2)^(2))"),
        ("ln(a)", "LN(P!a)"),
        ("roundup(a/b)", "ROUNDUP(P!a/P!b,0)"),
        ("if(a<b,1,2)", "IF(P!a<P!b,1,2)"),
        ("if(a,a<b,2)", "IF(P!a,IF(P!a<P!b,1,0),2)"),
        ("(a<b)+1", "IF(P!a<P!b,1,0)+1"),
        ("a<b", "IF(P!a<P!b,1,0)"),
        ("(a<b)=1", "IF(IF(P!a<P!b,1,0)=1,1,0)"),
        ("max(a<b,0)", "MAX(IF(P!a<P!b,1,0),0)"),
        ("(a<b)^2", "(IF(P!a<P!b,1,0))^(2)"),
        ("-(a<b)", "-IF(P!a<P!b,1,0)"),
        ("a*-b", "P!a*(-P!b)"),
        ("1e-5*a", "1E-05*P!a"),
        ("a-(b-1)", "P!a-(P!b-1)"),
    ],
)
def test_to_excel(text: str, excel: str) -> None:
    assert parse(text).to_excel(lambda name: f"P!{name}") == excel


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("1+2^3^2", "'2^3^2' is ambiguous: as in Excel, powers are taken from the left"),
        ("a ^ b ^ c*2", "'a ^ b ^ c' is ambiguous"),
        ("-2^2", "'-2^2' is ambiguous: as in Excel, the sign is applied before ^"),
        ("3*-a^2+1", "'-a^2' is ambiguous"),
        ("-2^2^3", "'-2^2^3' is ambiguous"),
        ("-(a+b)^2", "'-(a+b)^2' is ambiguous"),
    ],
)
def test_ambiguous_powers_warn(text: str, part: str) -> None:
    (warning,) = parse(text).warnings
    assert part in warning
    assert "add brackets" in warning


@pytest.mark.parametrize("text", ["a-2^2", "(2^3)^2", "2^(3^2)", "(-2)^2", "-(2^2)", "2^-3", "a^2"])
def test_clear_powers_do_not_warn(text: str) -> None:
    assert parse(text).warnings == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the cell is empty; write a number or a formula"),
        ("   ", "the cell is empty; write a number or a formula"),
        ("=a+b", "write the formula without the leading '='"),
        ("a b", "unexpected 'b' at character 3; an operator such as * is missing before it"),
        ("2a", "unexpected 'a' at character 2; an operator such as * is missing before it"),
        ("4 000", "unexpected '000' at character 3; write numbers without spaces"),
        ("1,5", "unexpected ',' at character 2; write decimals with a point"),
        ("min(1;2)", "unexpected ';' at character 6; separate the arguments of a function"),
        ("3%", "unexpected '%' at character 2; percentages are not read here; write 0.03 for 3%"),
        ("a**2", "unexpected '*' at character 3; write ^ for a power"),
        ("a==b", "unexpected '=' at character 3; write = once"),
        ("a!=b", "unexpected '!' at character 2; write <> for 'not equal'"),
        ("(a", "the bracket opened at character 1 is never closed"),
        ("ln(a", "the bracket opened at character 3 is never closed"),
        ("a)", "unexpected ')' at character 2; no bracket is open here"),
        ("()", "unexpected ')' at character 2; a number or an id is missing"),
        ("a+", "the formula ends where a number or an id was expected, after '+'"),
        ("a+*b", "unexpected '*' at character 3; a number or an id was expected"),
        ("max(1,)", "unexpected ')' at character 7; a number or an id is missing"),
        ("max", "'max' at character 1 is a function; write max(…)"),
        ("a+MAX*2", "'MAX' at character 3 is a function; write max(…)"),
        ("mxa(1)", "unknown function 'mxa' at character 1; allowed are min, max, exp, ln, sqrt"),
        ("power(a,2)", "unknown function 'power' at character 1"),
        ("ln(1,2)", "ln at character 1 takes 1 argument, found 2"),
        ("roundup(a,0)", "roundup at character 1 takes 1 argument, found 2"),
        ("if(1,2)", "if at character 1 takes 3 arguments, found 2"),
        ("min()", "min at character 1 takes at least 1 argument, found 0"),
        ("a<b<c", "two comparisons in a row at character 4"),
        ("1e999", "the number 1e999 at character 1 is too large"),
        ("a.b", "unexpected '.' at character 2; names hold letters, digits and _ only"),
        ("#REF!", "unexpected '#' at character 1; an Excel error is no formula"),
        ("a\u2212b", "unexpected '\u2212' at character 2; write the minus sign as -"),
        ("a@b", "unexpected '@' at character 2; allowed are numbers, ids"),
        ("a.__class__", "unexpected '.' at character 2"),
        ("__import__('os')", "unexpected ''' at character 12"),
        ("a[0]", "unexpected '[' at character 2; use round brackets"),
        ("\u0663", "unexpected '\u0663' at character 1"),
    ],
)
def test_errors_say_what_and_where(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_unknown_function_is_guessed() -> None:
    with pytest.raises(ExpressionError, match="did you mean sqrt"):
        parse("sqr(4)")


def test_length_is_bounded() -> None:
    longest = "+".join(["1"] * (MAX_LENGTH // 2))
    assert parse(longest).number == MAX_LENGTH // 2
    assert parse(longest).canonical == longest
    with pytest.raises(ExpressionError, match=f"at most {MAX_LENGTH} are read"):
        parse("1" * (MAX_LENGTH + 1))


@pytest.mark.parametrize(("before", "after"), [("(", ")"), ("-", ""), ("+", ""), ("abs(", ")")])
def test_depth_is_bounded(before: str, after: str) -> None:
    assert parse(before * MAX_DEPTH + "1" + after * MAX_DEPTH).number == 1.0
    with pytest.raises(ExpressionError, match=f"more than {MAX_DEPTH} brackets"):
        parse(before * (MAX_DEPTH + 1) + "1" + after * (MAX_DEPTH + 1))


def test_depth_counts_nesting_not_brackets() -> None:
    assert parse("+".join(["(-(1))"] * 200)).number == -200.0


@pytest.mark.parametrize("x", [0.0, -0.0, 1.0, -2.5, 1e-300, 1.7976931348623157e308, 0.1, 123456])
def test_constant(x: float) -> None:
    formula = constant(x)
    assert formula.number == x
    assert formula.names == ()
    assert parse(formula.canonical) == formula
    assert formula.warnings == ()


@pytest.mark.parametrize("x", [np.inf, -np.inf, np.nan])
def test_constant_is_finite(x: float) -> None:
    with pytest.raises(ExpressionError, match="must be finite"):
        constant(x)


def test_pickle() -> None:
    formula = parse("a*exp(-b)^2")
    formula.names, formula.canonical  # noqa: B018 (fills the caches)
    again = pickle.loads(pickle.dumps(formula))
    assert again == formula
    assert again.warnings == formula.warnings
    assert again.names == formula.names
    error = pickle.loads(pickle.dumps(CircularError(["a", "b", "a"])))
    assert error.circle == ("a", "b", "a")


def test_equality_is_of_the_formula() -> None:
    assert parse("a + b") == parse("a+b")
    assert parse("a+b") != parse("b+a")


def test_evaluation_order_after_what_is_used() -> None:
    formulas = {
        "d": parse("c*b"),
        "b": parse("a+1"),
        "c": parse("b^2"),
        "e": parse("1"),
    }
    order = evaluation_order(formulas)
    assert order == ("b", "c", "d", "e")


def test_evaluation_order_of_a_long_chain() -> None:
    formulas = {f"p{i}": parse(f"p{i + 1}+1") for i in range(5000)}
    assert evaluation_order(formulas) == tuple(f"p{i}" for i in reversed(range(5000)))


@pytest.mark.parametrize(
    ("formulas", "circle"),
    [
        ({"a": "a+1"}, ("a", "a")),
        ({"a": "b", "b": "a"}, ("a", "b", "a")),
        ({"x": "a", "a": "k*b", "b": "c", "c": "a+k"}, ("a", "b", "c", "a")),
    ],
)
def test_circles_are_shown(formulas: dict[str, str], circle: tuple[str, ...]) -> None:
    with pytest.raises(CircularError) as caught:
        evaluation_order({name: parse(text) for name, text in formulas.items()})
    assert caught.value.circle == circle
    assert str(caught.value) == "circular reference: " + " -> ".join(circle)


def test_every_function_is_evaluated() -> None:
    for name, (fewest, _) in FUNCTIONS.items():
        text = f"{name}({','.join(['2'] * fewest)})"
        assert np.isfinite(parse(text).number)
