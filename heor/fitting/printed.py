"""Fits that other programs have printed, as pasted into a text file: flexsurv, survHE, lifelines.

Only what stands there is read: names, numbers with the digits they have, the call, and matrices and
knots printed after it. What it means is decided in `heor.fitting.imported`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from heor.errors import InputErrors, Place, Problem
from heor.spec.parameters import FloatArray

#: Programs.
FLEXSURV, SURVHE, LIFELINES = "flexsurv", "survHE", "lifelines"

#: Scales of a table of estimates: of the parameters themselves, or of the estimation.
NATURAL, TRANSFORMED = "natural", "transformed"

_NUMBER = re.compile(
    r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?[Ii]nf|[Nn]a[Nn]|NA|<?[-+]?\d+\.?\d*"
)
_HEADING = re.compile(
    r"data mean|cmp to|exp\(est\)|coef lower \d+%|coef upper \d+%|se\(coef\)|[LU]\d+(?:\.\d+)?%|\S+"
)
_SURVHE = re.compile(r"Model fit for the (.+?) model, obtained using\s+(\S+)")
_LIFELINES = re.compile(r"<lifelines\.(\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number as written: its value, and half a unit of its last digit."""

    value: float
    half: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One estimate. ``low`` and ``high`` are the ends of an interval of `Found.level`."""

    name: str
    line: int
    estimate: Number
    se: Number | None = None
    low: Number | None = None
    high: Number | None = None
    mean: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A covariance matrix: names and ``(parameter, parameter)``."""

    file: str
    line: int
    names: tuple[str, ...]
    values: FloatArray


@dataclass(slots=True, kw_only=True)
class Found:
    """A fit as it stands in a file.

    Attributes
    ----------
    file, line : str, int
    program : str
        `FLEXSURV`, `SURVHE`, `LIFELINES`, or blank.
    word : str
        The family in the program's words; blank where it does not stand there.
    call : str
        The call, on one line.
    method : str
        Engine of survHE: Flexsurvreg, INLA or Stan.
    scale_of : str
        `NATURAL` or `TRANSFORMED`; blank where it does not say.
    level : float
        Of the intervals.
    rows : list of Row
    matrix : Matrix or None
    knots : tuple of float
        All of them, on the scale of ln t.
    facts : dict of str to str
        ``subjects``, ``events``, ``loglik``, ``aic`` as written.
    draws : mapping of str to array ``(draw,)``
    """

    file: str
    line: int
    program: str = ""
    word: str = ""
    call: str = ""
    method: str = ""
    scale_of: str = ""
    level: float = 0.95
    rows: list[Row] = field(default_factory=list)
    matrix: Matrix | None = None
    knots: tuple[float, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    draws: Mapping[str, FloatArray] = field(default_factory=dict)


def number(text: str) -> Number | None:
    """Read a number as R or Python writes it; None for NA and what is none."""
    word = text.strip()
    try:
        value = float(word)
    except ValueError:
        return None
    if np.isnan(value):
        return None
    mantissa, _, power = word.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    half = 0.5 * 10.0 ** (int(power or 0) - decimals) if np.isfinite(value) else 0.0
    return Number(value=value, half=half)


def rename(found: Found, names: Mapping[str, str]) -> list[str]:
    """Give estimates, draws and covariance other names, and say which of them are not there."""
    known = {*(row.name for row in found.rows), *found.draws}
    found.rows = [replace(row, name=names.get(row.name, row.name)) for row in found.rows]
    found.draws = {names.get(name, name): column for name, column in found.draws.items()}
    if found.matrix is not None:
        found.matrix = renamed(found.matrix, names)
    return [name for name in names if name not in known]


def renamed(matrix: Matrix, names: Mapping[str, str]) -> Matrix:
    """Give a covariance with other names."""
    return replace(matrix, names=tuple(names.get(name, name) for name in matrix.names))


def read_printed(path: Path) -> list[Found]:
    """Read every fit in a text file.

    Raises
    ------
    InputErrors
        When no fit stands there, or a line of one cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputErrors([Problem(Place(str(path)), "the file is not UTF-8 text")]) from error
    except OSError as error:
        raise InputErrors([Problem(Place(str(path)), error.strerror or "not readable")]) from error
    reader = _Reader(str(path), [_bare(line) for line in text.splitlines()])
    return reader.read()


def _bare(line: str) -> str:
    """Give a line without the marks that knitr and the R console put before it."""
    return re.sub(r"^\s*(?:##|#>)\s?", "", line).replace("\u00a0", " ").rstrip()


class _Reader:
    def __init__(self, file: str, lines: Sequence[str]) -> None:
        self._file = file
        self._lines = lines
        self._found: list[Found] = []
        self._problems: list[Problem] = []
        self._call = ""
        self._waiting: Matrix | None = None

    def read(self) -> list[Found]:
        place = 0
        while place < len(self._lines):
            place = self._step(place)
        if not self._found and not self._problems:
            words = (
                "no fit found; expected the printed output of flexsurvreg, flexsurvspline, "
                "flexsurvcure, a survHE fit, or print_summary() of lifelines"
            )
            self._problems.append(Problem(Place(self._file), words))
        if self._problems:
            raise InputErrors(self._problems)
        if self._waiting is not None:
            self._found[0].matrix = self._found[0].matrix or self._waiting
        return self._found

    def _problem(self, place: int, message: str, column: str = "") -> None:
        self._problems.append(Problem(Place(self._file, row=place + 1, column=column), message))

    def _step(self, place: int) -> int:
        """Read what begins at a line, and give the line after it."""
        line = self._lines[place]
        if re.match(r"\s*Call:", line):
            return self._read_call(place)
        if found := _SURVHE.search(_joined(self._lines, place, 3)):
            if _SURVHE.search(_joined(self._lines, place + 1, 3)) is None:
                return self._read_survhe(place, found[1].strip(), found[2])
            return place + 1
        if found := _LIFELINES.search(line):
            return self._read_lifelines(place, found[1])
        if re.match(r"\s*(Maximum likelihood estimates|Estimates)\s*:", line):
            return self._read_flexsurv(place)
        if "knots" in line and place + 1 < len(self._lines):
            knots = _vector(self._lines, place + 1)
            if knots and self._found:
                self._found[-1].knots = knots
            return place + 1
        if re.match(r"\s+est\s+L\d+", line):
            return self._read_again(place)
        if read := _matrix(self._file, self._lines, place):
            if self._found:
                self._found[-1].matrix = read[0]
            else:
                self._waiting = read[0]
            return read[1]
        return place + 1 if not self._found else self._read_fact(place)

    def _read_fact(self, place: int) -> int:
        line, facts = self._lines[place], self._found[-1].facts
        patterns = {
            "subjects": r"^\s*N = (\d+)|number of observations = (\d+)",
            "events": r"Events: (\d+)|number of events observed = (\d+)",
            "loglik": r"^\s*[Ll]og-likelihood = (-?[\d.]+)",
            "aic": r"^\s*AIC = (-?[\d.]+)|\(AIC\)\.*: (-?[\d.]+)",
        }
        for name, pattern in patterns.items():
            if found := re.search(pattern, line):
                facts.setdefault(name, next(filter(None, found.groups())))
        return place + 1

    def _read_call(self, place: int) -> int:
        parts = [self._lines[place].partition("Call:")[2]]
        place += 1
        while place < len(self._lines) and (self._lines[place].strip() or not parts[-1].strip()):
            if re.match(r"\s*(Estimates|Maximum likelihood)", self._lines[place]):
                break
            parts.append(self._lines[place])
            place += 1
            if len(parts) > 40:
                break
        self._call = " ".join(" ".join(parts).split())
        return place

    def _read_flexsurv(self, place: int) -> int:
        call, self._call = self._call, ""
        function = re.match(r"([\w.:]+)\(", call)
        name = function[1].rpartition(":")[2] if function else ""
        word = _word(call, "dist")
        found = Found(
            file=self._file, line=place + 1, program=FLEXSURV, word=word, call=call,
            scale_of=NATURAL,
        )  # fmt: skip
        if name == "flexsurvspline":
            found.word = "survspline"
        self._found.append(found)
        return self._read_table(found, place + 1)

    def _read_survhe(self, place: int, word: str, engine: str) -> int:
        found = Found(
            file=self._file, line=place + 1, program=SURVHE, word=word, method=engine,
            scale_of=NATURAL,
        )  # fmt: skip
        self._found.append(found)
        after = place + 1
        while after < len(self._lines) and not re.match(r"\s+mean\s+se\b", self._lines[after]):
            if _SURVHE.search(self._lines[after]) or "Estimates:" in self._lines[after]:
                break
            after += 1
        if after >= len(self._lines) or not re.match(r"\s+mean\s+se\b", self._lines[after]):
            message = (
                "no table `mean se L95% U95%` follows; paste print(fit), without `original = TRUE`"
            )
            self._problem(place, message)
            return after
        return self._read_table(found, after)

    def _read_lifelines(self, place: int, fitter: str) -> int:
        found = Found(
            file=self._file, line=place + 1, program=LIFELINES, word=fitter, scale_of=NATURAL
        )
        self._found.append(found)
        after = place + 1
        while after < len(self._lines) and "se(coef)" not in self._lines[after]:
            self._read_fact(after)
            after += 1
        if after >= len(self._lines) or "coef lower" not in self._lines[after]:
            message = (
                "no table `coef se(coef) coef lower 95% coef upper 95%` follows; versions before "
                "0.19 have another lambda_ and cannot be read"
            )
            self._problem(place, message)
            return after
        return self._read_table(found, after)

    def _read_again(self, place: int) -> int:
        """Read ``fit$res`` or ``fit$res.t``, with more digits than the print above it."""
        before = next((s for s in reversed(self._lines[:place]) if s.strip()), "")
        scale = TRANSFORMED if "res.t" in before else NATURAL if "$res" in before else ""
        found = Found(file=self._file, line=place + 1, program=FLEXSURV, scale_of=scale)
        after = self._read_table(found, place)
        last = self._found[-1] if self._found else None
        if last and [row.name for row in last.rows] == [row.name for row in found.rows]:
            last.rows, last.scale_of, last.line = found.rows, scale, found.line
        else:
            self._found.append(found)
        return after

    def _read_table(self, found: Found, place: int) -> int:
        while place < len(self._lines) and not self._lines[place].strip():
            place += 1
        if place >= len(self._lines):
            self._problem(found.line - 1, "the estimates are cut off")
            return place
        headings = _HEADING.findall(self._lines[place])
        estimate = next((h for h in ("est", "mean", "coef") if h in headings), "")
        if not estimate:
            words = (
                f"found `{self._lines[place].strip()}`; expected headings such as est L95% U95% se"
            )
            self._problem(place, words)
            return place + 1
        place += 1
        while place < len(self._lines):
            line = self._lines[place]
            if not line.strip() or line.startswith(("---", "N = ", "Model fit", ">")):
                break
            row = self._read_row(found, place, line, headings, estimate)
            if row is not None:
                found.rows.append(row)
            place += 1
        if not found.rows:
            self._problem(found.line - 1, "no estimates follow")
        return place

    def _read_row(
        self, found: Found, place: int, line: str, headings: Sequence[str], estimate: str
    ) -> Row | None:
        tokens = line.split()
        numbers: list[str] = []
        while tokens and len(numbers) < len(headings) and _NUMBER.fullmatch(tokens[-1]):
            numbers.insert(0, tokens.pop())
        if not tokens or len(numbers) < min(len(headings), 2):
            self._problem(place, f"cannot read `{line.strip()}` as a name and its numbers")
            return None
        if len(numbers) < len(headings):  # blanks where a parameter has no covariate mean
            short = [h for h in headings if h in ("est", "se") or h[:1] in "LU"][: len(numbers)]
            if len(numbers) != 4 or len(short) != 4:
                message = f"{len(numbers)} numbers under {len(headings)} headings"
                self._problem(place, message, " ".join(tokens))
                return None
            headings = short
        values: dict[str, str] = {}
        for heading, text in zip(headings, numbers, strict=True):
            values.setdefault(_column(heading, found), text)
        middle = number(values[estimate])
        name = " ".join(tokens)
        if middle is None or not np.isfinite(middle.value):
            self._problem(place, f"found `{values[estimate]}`; expected a number", name)
            return None
        covariate = number(values.get("data mean", ""))
        return Row(
            name=name,
            line=place + 1,
            estimate=middle,
            se=number(values.get("se", "")),
            low=number(values.get("low", "")),
            high=number(values.get("high", "")),
            mean=None if covariate is None else covariate.value,
        )


def _column(heading: str, found: Found) -> str:
    """Give the one word for a heading, and take the level of intervals from it."""
    if interval := re.fullmatch(r"(?:coef )?(L|U|lower |upper )(\d+(?:\.\d+)?)%", heading):
        found.level = float(interval[2]) / 100
        return "low" if interval[1] in ("L", "lower ") else "high"
    return "se" if heading == "se(coef)" else heading


def _joined(lines: Sequence[str], place: int, count: int) -> str:
    return " ".join(" ".join(lines[place : place + count]).split())


def _word(call: str, argument: str) -> str:
    """Give a quoted argument of a call; blank where it is not written there."""
    found = re.search(rf"\b{argument}\s*=\s*[\"']([^\"']+)[\"']", call)
    return found[1] if found else ""


def _vector(lines: Sequence[str], place: int) -> tuple[float, ...]:
    """Read numbers as R prints a vector: ``[1] 1.6 5.1``, perhaps on several lines."""
    values: list[float] = []
    while place < len(lines) and (found := re.match(r"\s*\[\d+\]\s+(.*)", lines[place])):
        read = [number(text) for text in found[1].split()]
        if any(one is None for one in read):
            return ()
        values += [one.value for one in read if one is not None]
        place += 1
    return tuple(values)


def _matrix(file: str, lines: Sequence[str], place: int) -> tuple[Matrix, int] | None:
    """Read a square matrix whose rows are named as its columns, and give the line after it.

    R parts a wide matrix into blocks of columns, one under the other.
    """
    columns: list[str] = []
    table: dict[str, list[float]] = {}
    after = place
    while after < len(lines):
        heading = lines[after].split()
        if not heading or any(number(name) for name in heading):
            return None
        block: dict[str, list[float]] = {}
        after += 1
        while after < len(lines) and len(cells := lines[after].split()) == len(heading) + 1:
            read = [number(text) for text in cells[1:]]
            if any(one is None for one in read):
                break
            block[cells[0]] = [one.value for one in read if one is not None]
            after += 1
        if not block or (table and list(block) != list(table)):
            return None
        columns += heading
        for name, values in block.items():
            table.setdefault(name, []).extend(values)
        if columns != list(table)[: len(columns)]:
            return None
        if len(columns) == len(table):
            square = np.array(list(table.values()))
            return Matrix(file=file, line=place + 1, names=tuple(columns), values=square), after
    return None
