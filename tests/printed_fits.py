"""Fits as R prints and writes them, and imported rows inside a small study."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import study_folder
from click.testing import CliRunner

from heor.cli import main

#: The normal quantile of a 95% interval.
Z = 1.959963984540054


def call_of(one: Mapping) -> str:
    """The call that made an oracle's fit."""
    terms = "1" if one["spec"]["covariate"] == "none" else one["spec"]["covariate"]
    formula = f"Surv(time, status) ~ {terms}"
    if one["spec"]["dist"] == "spline":
        k, scale = one["spec"]["k"], one["spec"]["scale"]
        return f'flexsurvspline(formula = {formula}, data = d, k = {k}, scale = "{scale}")'
    return f'flexsurvreg(formula = {formula}, data = d, dist = "{one["model"]}")'


def natural(one: Mapping) -> dict[str, list[float]]:
    """Columns of ``fit$res``: those of `transformed`, and standard errors by the delta method."""
    columns: dict[str, list[float]] = {"est": [], "L95%": [], "U95%": [], "se": []}
    logs = [n != t for n, t in zip(one["est_natural"], one["est_transformed"], strict=True)]
    for log, *row in zip(logs, *transformed(one).values(), strict=True):
        numbers = [math.exp(number) if log else number for number in row[:3]]
        numbers.append(numbers[0] * row[3] if log else row[3])
        for column, number in zip(columns.values(), numbers, strict=True):
            column.append(number)
    return columns


def transformed(one: Mapping) -> dict[str, list[float]]:
    """Columns of ``fit$res.t``."""
    errors = [math.sqrt(row[i]) for i, row in enumerate(one["cov_transformed"])]
    middle = list(one["est_transformed"])
    return {
        "est": middle,
        "L95%": [m - Z * e for m, e in zip(middle, errors, strict=True)],
        "U95%": [m + Z * e for m, e in zip(middle, errors, strict=True)],
        "se": errors,
    }


def printed(one: Mapping, digits: int = 17) -> str:
    """Print a fit as flexsurv does, with as many digits as asked for."""
    lines = ["Call:", call_of(one), "", "Estimates: "]
    columns = list(natural(one).values())
    covariate = one["spec"]["covariate"] != "none"
    mean = "data mean  " if covariate else ""
    lines.append(f"        {mean}est  L95%  U95%  se" + ("  exp(est)  L95%  U95%" if mean else ""))
    for place, name in enumerate(one["parnames"]):
        numbers = [f"{column[place]:.{digits}g}" for column in columns]
        if covariate:
            effect = place == len(one["parnames"]) - 1
            numbers = ["0.4" if effect else "NA", *numbers, *["1" if effect else "NA"] * 3]
        lines.append(f"{name}  {'  '.join(numbers)}")
    lines += ["", "N = 228,  Events: 165,  Censored: 63", "Total time at risk: 69593"]
    lines += [f"Log-likelihood = {one['loglik']:.7g}, df = {one['npars']}", "AIC = 2326.7", ""]
    if one["knots"]:
        lines += ["> fit$knots", "[1] " + " ".join(repr(knot) for knot in one["knots"]), ""]
    return "\n".join(lines)


def matrix(names: Sequence[str], values: Sequence[Sequence[float]]) -> str:
    """What ``print(vcov(fit))`` gives."""
    rows = [" ".join([name, *map(repr, row)]) for name, row in zip(names, values, strict=True)]
    return "\n".join(["> vcov(fit)", " ".join(names), *rows, ""])


def matrix_csv(names: Sequence[str], values: Sequence[Sequence[float]]) -> str:
    """What ``write.csv(vcov(fit))`` gives."""
    rows = [",".join([f'"{n}"', *map(repr, row)]) for n, row in zip(names, values, strict=True)]
    return "\n".join([",".join(['""', *(f'"{name}"' for name in names)]), *rows, ""])


def table_csv(names: Sequence[str], columns: Mapping[str, Sequence[float]]) -> str:
    """What ``write.csv(fit$res.t)`` gives."""
    rows = [
        ",".join([f'"{name}"', *(repr(column[place]) for column in columns.values())])
        for place, name in enumerate(names)
    ]
    return "\n".join([",".join(['""', *(f'"{name}"' for name in columns)]), *rows, ""])


def run(*words: object):
    """``heor`` with these words."""
    return CliRunner().invoke(main, [str(word) for word in words])


def study_with(folder: Path, rows: Path) -> Path:
    """Write the small study with imported rows beside its own, as candidates of old.os."""
    changes = {}
    for name in ("parameters", "curves", "correlations"):
        own = list(csv.DictReader(io.StringIO(study_folder.TABLES.get(name, ""))))
        text = (rows / f"{name}.csv").read_text(encoding="utf-8")
        more = list(csv.DictReader(io.StringIO(text)))
        for row in more:
            if name == "curves":
                row |= {"strategy": "old", "endpoint": "os", "group": "", "use": ""}
        columns = list(dict.fromkeys(key for row in (*own, *more) for key in row))
        if columns:
            table = io.StringIO()
            writer = csv.DictWriter(table, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows([*own, *more])
            changes[name] = table.getvalue()
    if (rows / "draws.csv").is_file():
        changes["draws"] = (rows / "draws.csv").read_text(encoding="utf-8")
    return study_folder.write_study(folder, **changes)
