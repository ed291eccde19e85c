"""Fitted and calibrated curves as rows of `parameters`, `curves` and `correlations`.

The joint distribution is normal on the estimation scale: one row of `parameters` per number, their
standard errors, and the covariances in `correlations`. A positive parameter of a curve is then
``exp`` of its number, and a cured share 1/(1 + exp(-number)). Posterior draws stand as they are, on
the natural scale, in `draws`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heor.fitting.models import Model
from heor.spec.parameters import FloatArray
from heor.spec.records import ALL_CAUSE, FAMILIES

#: The table of joint draws, with a column for each number.
DRAWS = "draws"

#: What rows for `strategy` or `group` a group of the data becomes.
GROUP_COLUMNS = ("strategy", "group")

#: Columns of the three tables, in order.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "parameters": (
        *("id", "label", "category", "value", "unit", "distribution", "se"),
        *("correlation_group", "source", "evidence", "note"),
    ),
    "curves": (
        *("id", "strategy", "endpoint", "group", "family", "parameters", "time_unit"),
        *("cure_fraction", "hazard", "aic", "bic", "bic_events", "fit_data"),
        *("use", "source"),
    ),
    "correlations": ("group", "row", "column", "value", "note"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A curve, or curves of groups with one model, to write as rows.

    Attributes
    ----------
    model : Model
    theta : array ``(parameter,)``
        On the estimation scale.
    covariance : array ``(parameter, parameter)`` or None
        None where it is not known; the numbers are then fixed.
    groups : tuple of str
        Groups whose curves it gives; their labels.
    form : str
        What tells it from others of the same family; blank for nothing.
    best : bool
        The candidate to mark as the base case.
    note : str
        How it was made.
    draws : mapping of str to array ``(draw,)``, or None
        Joint draws of the numbers, on the natural scale; group effects on the estimation scale.
    criteria : tuple of float, or None
        AIC, and BIC by subjects and by events.
    data : str
        What they are of, in words.
    """

    model: Model
    theta: FloatArray
    covariance: FloatArray | None
    groups: tuple[str, ...]
    form: str = ""
    best: bool = False
    note: str = ""
    draws: Mapping[str, FloatArray] | None = None
    criteria: tuple[float, float, float] | None = None
    data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How rows are named.

    Attributes
    ----------
    prefix : str
        Start of every id.
    strategy, endpoint : str
        Ids for `curves`; ``strategy`` where groups are none.
    groups_are : str
        One of `GROUP_COLUMNS`: what a group of the data is in `curves`.
    time_unit : str
    source : str
        Keys of `references`, or ``assumption``.
    evidence : str
        Grade of the evidence.
    hazard : str
        What the curves' hazard counts, as in the table `curves`.
    """

    prefix: str
    strategy: str
    endpoint: str
    groups_are: str
    time_unit: str
    source: str
    evidence: str = "derived"
    hazard: str = ALL_CAUSE


def rows(
    estimates: Sequence[Estimate], naming: Naming
) -> tuple[dict[str, list[dict[str, str]]], list[str]]:
    """Give the rows of the tables, and what could not be written, in sentences.

    The tables are those of `COLUMNS`, and `DRAWS` where an estimate has draws; estimates with
    draws have as many as each other.
    """
    tables: dict[str, list[dict[str, str]]] = {name: [] for name in COLUMNS}
    left_out = []
    drawn: dict[str, FloatArray] = {}
    used: set[str] = set()
    for one in estimates:
        reason = _reason(one)
        if reason:
            left_out.append(f"{_title(one)} is left out of the rows: {reason}.")
            continue
        parts = [naming.prefix, one.groups[0] if len(one.groups) == 1 else ""]
        stem = _free("_".join(filter(None, map(slug, (*parts, _title(one))))), used)
        ids = [f"{stem}_{slug(_short(one, name))}" for name in one.model.names]
        tables["parameters"] += _parameters(one, naming, stem, ids)
        tables["curves"] += _curves(one, naming, stem, ids)
        tables["correlations"] += _covariances(one, stem, ids)
        if one.draws is not None:
            drawn |= {key: one.draws[name] for name, key in zip(one.model.names, ids, strict=True)}
    if drawn:
        places = range(len(next(iter(drawn.values()))))
        tables[DRAWS] = [
            {"draw": str(place + 1)}
            | {key: repr(float(column[place])) for key, column in drawn.items()}
            for place in places
        ]
    return tables, left_out


def to_csv(table: str, lines: Sequence[Mapping[str, str]], columns: Sequence[str] = ()) -> str:
    """Give the rows of one table as CSV; columns are those of `COLUMNS` unless given."""
    text = io.StringIO()
    columns = columns or (tuple(lines[0]) if table == DRAWS else COLUMNS[table])
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def slug(text: str) -> str:
    """Make an id of a label.

    Examples
    --------
    >>> slug("Drug A (10 mg)")
    'drug_a_10_mg'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _free(stem: str, used: set[str]) -> str:
    name, number = stem, 1
    while name in used:
        number += 1
        name = f"{stem}_{number}"
    used.add(name)
    return name


def _title(one: Estimate) -> str:
    return f"{one.model.family.name}, {one.form}" if one.form else one.model.family.name


def _reason(one: Estimate) -> str:
    """Why a curve cannot stand in the tables; blank where it can."""
    if one.model.family.name not in FAMILIES:
        return "the table `curves` does not have this family yet"
    if one.model.cure == "non_mixture":
        return "the table `curves` has cured shares of mixtures only"
    if one.covariance is not None and not np.isfinite(one.covariance).all():
        return "there is no sound maximum, so no covariance"
    return ""


def _short(one: Estimate, name: str) -> str:
    """Name of a number on the scale on which it stands in the rows."""
    drawn = one.draws is not None
    if name == "cure":
        return "cure" if drawn else "logit cure"
    if name.startswith("group:"):
        return f"effect {name.removeprefix('group:')}"
    return f"log {name}" if _is_log(one.model, name) and not drawn else name


def _is_log(model: Model, name: str) -> bool:
    return model.on_log_scale[model.names.index(name)]


def _unit(one: Estimate, name: str, time_unit: str) -> str:
    model, drawn = one.model, one.draws is not None
    log = _is_log(model, name)
    if name in model.on_time_scale:
        return time_unit if drawn and log else f"log {time_unit}"
    if not drawn:
        return "log" if log else "number"
    if name == "cure":
        return "proportion"
    return "shape" if log else "number"


def _parameters(
    one: Estimate, naming: Naming, stem: str, ids: Sequence[str]
) -> list[dict[str, str]]:
    joint = len(ids) > 1
    found = []
    for place, (name, key) in enumerate(zip(one.model.names, ids, strict=True)):
        label = f"{_title(one)}: {_short(one, name)}"
        if len(one.groups) == 1 and one.groups[0]:
            label = f"{one.groups[0]}, {label}"
        row = {
            "id": key,
            "label": f"{naming.endpoint.upper()}, {label}",
            "category": "survival",
            "value": repr(_value(one, place, name)),
            "unit": _unit(one, name, naming.time_unit),
            "source": naming.source,
            "evidence": naming.evidence,
            "note": one.note,
        }
        if one.draws is not None:
            row["distribution"] = "empirical"
        elif one.covariance is not None:
            row["distribution"] = "multivariate_normal" if joint else "normal"
            row["se"] = repr(float(np.sqrt(one.covariance[place, place])))
            row["correlation_group"] = stem if joint else ""
        found.append(row)
    return found


def _value(one: Estimate, place: int, name: str) -> float:
    """Give the base value: the estimate, or the mean of the draws."""
    return float(one.theta[place] if one.draws is None else one.draws[name].mean())


def _curves(one: Estimate, naming: Naming, stem: str, ids: Sequence[str]) -> list[dict[str, str]]:
    model = one.model
    number = dict(zip(model.names, ids, strict=True))
    logs = dict(zip(model.names, model.on_log_scale, strict=True))
    found = []
    for group in one.groups:
        effect = number.get(f"group:{group}", "")
        texts = {}
        for name in model.own:
            text = f"ln({number[name]})" if logs[name] and one.draws is not None else number[name]
            texts[name] = f"{text} + {effect}" if effect and name == model.location else text
        parts = []
        if model.knots:
            knots = " ".join(repr(float(knot)) for knot in model.knots)
            parts = [f"scale={getattr(model.family, 'scale', '')}", f"knots={knots}"]
        for name, formula in model.recipe:
            parts.append(f"{name}={_plain(formula.format(**texts))}")
        cure = number.get("cure", "")
        own = slug(group)
        by_strategy = naming.groups_are == "strategy" and own
        found.append(
            {
                "id": f"{stem}_{own}" if len(one.groups) > 1 else stem,
                "strategy": own if by_strategy else naming.strategy,
                "endpoint": naming.endpoint,
                "group": "" if by_strategy else own,
                "family": model.family.name,
                "parameters": "; ".join(parts),
                "time_unit": naming.time_unit,
                "cure_fraction": f"1/(1 + exp(-{cure}))" if cure and one.draws is None else cure,
                "hazard": "" if naming.hazard == ALL_CAUSE else naming.hazard,
                **_criteria(one),
                "use": "x" if one.best else "",
                "source": naming.source,
            }
        )
    return found


def _plain(formula: str) -> str:
    """Write ``exp(ln(x))`` as ``x``."""
    found = re.fullmatch(r"exp\(ln\((\w+)\)\)", formula)
    return found[1] if found else formula


def _criteria(one: Estimate) -> dict[str, str]:
    names = ("aic", "bic", "bic_events")
    if one.criteria is None:
        return dict.fromkeys((*names, "fit_data"), "")
    texts = [f"{value:.2f}" for value in one.criteria]
    return {**dict(zip(names, texts, strict=True)), "fit_data": one.data}


def _covariances(one: Estimate, stem: str, ids: Sequence[str]) -> list[dict[str, str]]:
    if one.covariance is None or one.draws is not None:
        return []
    found = []
    for i in range(len(ids)):
        for j in range(i):
            value = float(one.covariance[i, j])
            pair = {"group": stem, "row": ids[j], "column": ids[i], "value": repr(value)}
            found.append(pair | {"note": "" if value else one.note})  # 0 needs its reason
    return found
