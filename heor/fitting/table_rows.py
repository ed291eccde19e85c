"""Fitted and calibrated curves as rows of `parameters`, `curves` and `correlations`.

The joint distribution is normal on the estimation scale: one row of `parameters` per number, their
standard errors, and the covariances in `correlations`. A positive parameter of a curve is then
``exp`` of its number, and a cured share 1/(1 + exp(-number)).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heor.fitting.models import LOCATION, Model
from heor.spec.parameters import FloatArray
from heor.spec.records import FAMILIES

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
        *("cure_fraction", "use", "source"),
    ),
    "correlations": ("group", "row", "column", "value"),
}

_MEANS = ("meanlog", "mu")


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
    """

    model: Model
    theta: FloatArray
    covariance: FloatArray | None
    groups: tuple[str, ...]
    form: str = ""
    best: bool = False
    note: str = ""


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
    """

    prefix: str
    strategy: str
    endpoint: str
    groups_are: str
    time_unit: str
    source: str
    evidence: str = "derived"


def rows(
    estimates: Sequence[Estimate], naming: Naming
) -> tuple[dict[str, list[dict[str, str]]], list[str]]:
    """Give the rows of the three tables, and what could not be written, in sentences."""
    tables: dict[str, list[dict[str, str]]] = {name: [] for name in COLUMNS}
    left_out = []
    used: set[str] = set()
    for one in estimates:
        reason = _reason(one)
        if reason:
            left_out.append(f"{_title(one)} is left out of the rows: {reason}.")
            continue
        parts = [naming.prefix, one.groups[0] if len(one.groups) == 1 else ""]
        stem = _free("_".join(filter(None, map(slug, (*parts, _title(one))))), used)
        ids = [f"{stem}_{slug(_short(one.model, name))}" for name in one.model.names]
        tables["parameters"] += _parameters(one, naming, stem, ids)
        tables["curves"] += _curves(one, naming, stem, ids)
        tables["correlations"] += _covariances(one, stem, ids)
    return tables, left_out


def to_csv(table: str, lines: Sequence[Mapping[str, str]]) -> str:
    """Give the rows of one table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS[table], lineterminator="\n")
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


def _short(model: Model, name: str) -> str:
    """Name of a number on the estimation scale."""
    if name == "cure":
        return "logit cure"
    if name.startswith("group:"):
        return f"effect {name.removeprefix('group:')}"
    return f"log {name}" if name in model.family.positive else name


def _unit(model: Model, name: str, time_unit: str) -> str:
    if name in _MEANS or (name == "scale" and LOCATION[model.family.name] == "scale"):
        return f"log {time_unit}"
    return "log" if name in model.family.positive else "number"


def _parameters(
    one: Estimate, naming: Naming, stem: str, ids: Sequence[str]
) -> list[dict[str, str]]:
    joint = len(ids) > 1
    found = []
    for place, (name, key) in enumerate(zip(one.model.names, ids, strict=True)):
        label = f"{_title(one)}: {_short(one.model, name)}"
        if len(one.groups) == 1 and one.groups[0]:
            label = f"{one.groups[0]}, {label}"
        row = {
            "id": key,
            "label": f"{naming.endpoint.upper()}, {label}",
            "category": "survival",
            "value": repr(float(one.theta[place])),
            "unit": _unit(one.model, name, naming.time_unit),
            "source": naming.source,
            "evidence": naming.evidence,
            "note": one.note,
        }
        if one.covariance is not None:
            row["distribution"] = "multivariate_normal" if joint else "normal"
            row["se"] = repr(float(np.sqrt(one.covariance[place, place])))
            row["correlation_group"] = stem if joint else ""
        found.append(row)
    return found


def _curves(one: Estimate, naming: Naming, stem: str, ids: Sequence[str]) -> list[dict[str, str]]:
    model = one.model
    number = dict(zip(model.names, ids, strict=True))
    location = LOCATION[model.family.name]
    found = []
    for group in one.groups:
        effect = number.get(f"group:{group}", "")
        parts = []
        if model.knots:
            knots = " ".join(repr(float(knot)) for knot in model.knots)
            parts = [f"scale={getattr(model.family, 'scale', '')}", f"knots={knots}"]
        for name in model.own:
            text = number[name]
            if effect and name == location:
                text = f"{text} + {effect}"
            parts.append(
                f"{name}=exp({text})" if name in model.family.positive else f"{name}={text}"
            )
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
                "cure_fraction": f"1/(1 + exp(-{number['cure']}))" if model.cure else "",
                "use": "x" if one.best else "",
                "source": naming.source,
            }
        )
    return found


def _covariances(one: Estimate, stem: str, ids: Sequence[str]) -> list[dict[str, str]]:
    if one.covariance is None:
        return []
    return [
        {"group": stem, "row": ids[j], "column": ids[i], "value": repr(float(one.covariance[i, j]))}
        for i in range(len(ids))
        for j in range(i)
    ]
