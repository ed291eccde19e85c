"""The grammar of formulas in cells: text to steps in reverse Polish order, or a clear error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import NamedTuple

#: Longest formula that is read, in characters.
MAX_LENGTH = 2000
#: Deepest nesting of brackets, function calls and signs.
MAX_DEPTH = 64

#: Function names with the smallest and largest number of arguments (None: any number).
FUNCTIONS: Mapping[str, tuple[int, int | None]] = {
    "min": (1, None),
    "max": (1, None),
    "exp": (1, 1),
    "ln": (1, 1),
    "sqrt": (1, 1),
    "abs": (1, 1),
    "roundup": (1, 1),
    "if": (3, 3),
}

COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
#: How tightly each operator binds; a sign and a value bind tighter still.
BINDING = {**dict.fromkeys(COMPARISONS, 1), "+": 2, "-": 2, "*": 3, "/": 3, "^": 4}

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<mark><=|>=|<>|[-+*/^(),=<>])"
)
_SPACE = re.compile(r"[ \t\r\n\u00a0]*")

#: What to say about marks that come from other notations.
_ADVICE = {
    "%": "percentages are not read here; write 0.03 for 3%",
    "!": "write <> for 'not equal'",
    ";": "separate the arguments of a function by commas",
    "\u2212": "write the minus sign as -",
    "\u2013": "write the minus sign as -",
    "\u00d7": "write * to multiply",
    "\u00b7": "write * to multiply",
    "\u00f7": "write / to divide",
    "[": "use round brackets",
    "{": "use round brackets",
    "&": "text is not read here",
    '"': "text is not read here",
    "'": "text is not read here",
    ".": "names hold letters, digits and _ only",
    "#": "an Excel error is no formula; correct it where it arises",
}


class ExpressionError(ValueError):
    """A formula cannot be read or evaluated; the message says what and at which character."""


class Step(NamedTuple):
    """One step in reverse Polish order.

    ``op`` is ``number`` (pushes ``number``), ``name`` (pushes the value of ``name``), ``negate``,
    a binary operator, or a function that takes ``arity`` values.
    """

    op: str
    arity: int = 0
    number: float = 0.0
    name: str = ""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Parser:
    """Precedence climbing over the tokens; emits steps in reverse Polish order."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ExpressionError(
                f"the formula has {len(text)} characters; at most {MAX_LENGTH} are read, "
                "so split it over several parameters"
            )
        self.text = text
        self.tokens = _tokens(text)
        self.position = 0
        self.depth = 0
        self.steps: list[Step] = []
        self.warnings: dict[str, None] = {}

    @property
    def token(self) -> _Token:
        """The token at the current place."""
        return self.tokens[self.position]

    def read(self) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Steps of the formula and warnings about it."""
        first = self.token
        if first.kind == "end":
            raise ExpressionError("the cell is empty; write a number or a formula")
        if first.text == "=":
            raise ExpressionError("write the formula without the leading '='")
        self.climb(1)
        if self.token.kind != "end":
            raise self.unexpected()
        return tuple(self.steps), tuple(self.warnings)

    def climb(self, lowest: int) -> None:
        """Read operators that bind at least as tightly as ``lowest``, all left-associative."""
        start = self.token.start
        signed = self.operand()
        powers = 0
        while (binding := BINDING.get(self.token.text, 0)) >= lowest:
            operator = self.take()
            if operator.text == "^":
                powers += 1
            self.climb(binding + 1)
            self.steps.append(Step(operator.text, 2))
            if operator.text == "^" != self.token.text and (powers > 1 or signed):
                self.warn_power(start, signed)
            if binding > 1:
                continue
            if BINDING.get(self.token.text) == binding:
                raise ExpressionError(
                    f"two comparisons in a row at character {self.token.start + 1}; compare two "
                    "values at a time and multiply the results, as in (a<b)*(b<c)"
                )

    def warn_power(self, start: int, signed: bool) -> None:
        """Note that a power reads in two ways."""
        written = self.text[start : self.tokens[self.position - 1].end]
        rule = "the sign is applied before ^" if signed else "powers are taken from the left"
        self.warnings[
            f"'{written}' is ambiguous: as in Excel, {rule}; add brackets to say what is meant"
        ] = None

    def operand(self) -> bool:
        """Read signs and what they stand before; returns whether there was a minus."""
        entered = self.depth
        minuses = 0
        while self.token.text in ("+", "-"):
            self.enter()
            minuses += self.take().text == "-"
        self.primary()
        self.steps.extend([Step("negate", 1)] * minuses)
        self.depth = entered
        return minuses > 0

    def primary(self) -> None:
        """Read a number, an id, a function call or a bracket."""
        token = self.token
        if token.kind == "number":
            value = float(self.take().text)
            if value == float("inf"):
                raise ExpressionError(
                    f"the number {token.text} at character {token.start + 1} is too large"
                )
            self.steps.append(Step("number", number=value))
        elif token.kind == "name":
            self.take()
            if self.token.text == "(":
                self.call(token)
            elif token.text.lower() in FUNCTIONS:
                raise ExpressionError(
                    f"'{token.text}' at character {token.start + 1} is a function; "
                    f"write {token.text.lower()}(…)"
                )
            else:
                self.steps.append(Step("name", name=token.text))
        elif token.text == "(":
            self.take()
            self.enter()
            self.climb(1)
            self.close(token)
        else:
            raise self.unexpected()

    def call(self, function: _Token) -> None:
        """Read the arguments of a function."""
        name = function.text.lower()
        if name not in FUNCTIONS:
            close = get_close_matches(name, FUNCTIONS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ExpressionError(
                f"unknown function '{function.text}' at character {function.start + 1}; "
                f"allowed are {', '.join(FUNCTIONS)}{hint}"
            )
        bracket = self.take()
        self.enter()
        count = 0
        if self.token.text != ")":
            self.climb(1)
            count = 1
            while self.token.text == ",":
                self.take()
                self.climb(1)
                count += 1
        self.close(bracket)
        fewest, most = FUNCTIONS[name]
        if count < fewest or (most is not None and count > most):
            wanted = f"{fewest}" if most == fewest else f"at least {fewest}"
            raise ExpressionError(
                f"{name} at character {function.start + 1} takes {wanted} "
                f"argument{'s' if fewest > 1 else ''}, found {count}"
            )
        self.steps.append(Step(name, count))

    def take(self) -> _Token:
        """Return the current token and go on to the next."""
        token = self.token
        self.position += 1
        return token

    def enter(self) -> None:
        """Go one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(
                f"more than {MAX_DEPTH} brackets, functions or signs inside each other at "
                f"character {self.token.start + 1}; split the formula over several parameters"
            )

    def close(self, bracket: _Token) -> None:
        """Read the bracket that closes another."""
        if self.token.kind == "end":
            raise ExpressionError(
                f"the bracket opened at character {bracket.start + 1} is never closed"
            )
        if self.token.text != ")":
            raise self.unexpected()
        self.take()
        self.depth -= 1

    def unexpected(self) -> ExpressionError:
        """Say what stands at the current place and why it cannot."""
        token = self.token
        before = self.tokens[self.position - 1] if self.position else None
        after_value = before is not None and (
            before.kind in ("number", "name") or before.text == ")"
        )
        if token.kind == "end":
            return ExpressionError(
                f"the formula ends where a number or an id was expected, after '{before.text}'"
                if before is not None
                else "the cell is empty; write a number or a formula"
            )
        message = f"unexpected '{token.text}' at character {token.start + 1}"
        if token.text == ",":
            advice = "write decimals with a point; commas only separate the arguments of a function"
        elif token.text == ")":
            advice = "no bracket is open here" if after_value else "a number or an id is missing"
        elif after_value and before is not None:
            both = token.kind == before.kind == "number"
            advice = (
                "write numbers without spaces"
                if both
                else "an operator such as * is missing before it"
            )
        elif before is not None and before.text + token.text in ("**", "=="):
            advice = "write ^ for a power" if token.text == "*" else "write = once to compare"
        else:
            advice = "a number or an id was expected"
        return ExpressionError(f"{message}; {advice}")


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = _end_of_space(text, 0)
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            advice = _ADVICE.get(text[at])
            if advice is None:
                advice = "allowed are numbers, ids, + - * / ^ ( ) , comparisons and functions"
            raise ExpressionError(f"unexpected '{text[at]}' at character {at + 1}; {advice}")
        tokens.append(_Token(match.lastgroup, match.group(), at))
        at = _end_of_space(text, match.end())
    tokens.append(_Token("end", "", len(text)))
    return tokens


def _end_of_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
