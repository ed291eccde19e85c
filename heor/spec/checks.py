"""Checks of a whole study: what one table says against the others (methods 1, 4, 5 and 7).

Each check reads a `Spec` and needs some tables intact; `check` runs those that can be trusted.
The same checks run again after a scenario or ``--set`` changed the study.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import pairwise

from heor.spec.context import as_values
from heor.spec.findings import Findings, setting_place
from heor.spec.groups import find_groups
from heor.spec.records import ALL, PARTITIONED, SPLINE, UNITS_PER_YEAR, Cost, Curve, Spec, words
from heor.spec.tables import did_you_mean
from heor.spec.time_checks import check_background, check_horizon, check_km, check_utilities
from heor.spec.units import Range

_SHARE = Range(0.0, 1.0)
_NOT_NEGATIVE = Range(0.0)
_POSITIVE = Range(0.0, open_low=True)

#: Allowed base values of a curve's columns.
CURVE_RANGES: Mapping[str, Range] = {
    "weight": _SHARE,
    "delay": _NOT_NEGATIVE,
    "acceleration": _POSITIVE,
    "hazard_ratio": _POSITIVE,
    "hr_from": _NOT_NEGATIVE,
    "hr_until": _NOT_NEGATIVE,
    "cure_fraction": _SHARE,
    "early_mortality": _SHARE,
    "early_period": _POSITIVE,
    "km_until": _NOT_NEGATIVE,
    "pfs_death_share": _SHARE,
    "wane_from": _NOT_NEGATIVE,
    "wane_until": _NOT_NEGATIVE,
    "average_weight": _NOT_NEGATIVE,
}
#: Family parameters that may take any value; every other must be above 0.
ANY_SIGN = frozenset(
    (
        ("gompertz", "shape"),
        ("lognormal", "meanlog"),
        *((family, name) for family in ("gengamma", "genf") for name in ("mu", "Q")),
    )
)
#: Years that no knot of a spline lies beyond; one that does was not given as a logarithm.
FURTHEST_KNOT = 1000.0
#: How far weights may be from summing to 1.
TOLERANCE = 1e-9
#: The endpoint that may leave groups out (methods 1.2).
RESPONSE = "response"


def check(spec: Spec, broken: Collection[str] = (), *, sound: Findings | None = None) -> Findings:
    """Run every check whose tables are not among the ``broken`` ones.

    Parameters
    ----------
    spec : Spec
        The study.
    broken : collection of str
        Tables that cannot be trusted as a whole.
    sound : Findings, optional
        What this gave for the study that ``spec`` was made of by changes; saves time.
    """
    checks: tuple[tuple[Callable[[Findings], None], tuple[str, ...]], ...] = (
        (_check_reference, ("settings", "strategies")),
        (_check_endpoints, ("curves", "states", "strategies")),
        (_check_weights, ("curves", "states")),
        (_check_same_weights, ("curves",)),
        (_check_curve_values, ()),
        (_check_post_progression, ("curves",)),
        (_check_structure, ("curves", "states", "strategies", "settings")),
        (_check_waning, ("curves",)),
        (_check_averages, ("curves", "settings")),
        (_check_pairs, ("curves", "parameters", "correlations")),
        (_check_joint, ("parameters", "correlations", "draws")),
        (_check_costs, ()),
        (_check_perspective, ("costs", "settings")),
        (_check_adverse_events, ()),
        (check_utilities, ("utilities", "states", "strategies", "settings", "curves")),
        (check_km, ("curves", "km", "settings")),
        (check_horizon, ("settings",)),
        (check_background, ("settings", "life_table", "cohort", "parameters", "curves")),
    )
    values = as_values({p.id: p.value for p in spec.parameters.values()})
    findings = Findings(spec, values, sound)
    for run, needed in checks:
        if not set(needed) & set(broken):
            run(findings)
    return findings


def _check_reference(found: Findings) -> None:
    spec = found.spec
    if spec.settings.reference not in spec.strategy_ids():
        hint = did_you_mean(spec.settings.reference, spec.strategy_ids())
        hint = hint or f"; allowed: {', '.join(spec.strategy_ids())}"
        message = f"reference: `{spec.settings.reference}` is not a strategy{hint}"
        found.problem(setting_place(spec, "reference"), message)


def _curves_by_endpoint(spec: Spec) -> Iterator[tuple[str, dict[str, list[Curve]]]]:
    """Curves in use, by strategy and endpoint."""
    for strategy in spec.strategy_ids():
        curves: dict[str, list[Curve]] = {}
        for curve in spec.curves_in_use(strategy):
            curves.setdefault(curve.endpoint, []).append(curve)
        yield strategy, curves


def _check_endpoints(found: Findings) -> None:
    """Each strategy needs a curve for each endpoint that bounds a state, except `response`."""
    spec = found.spec
    for strategy, curves in _curves_by_endpoint(spec):
        place = next(s.place for s in spec.strategies if s.id == strategy)
        for endpoint in spec.nested_endpoints:
            if endpoint != RESPONSE and endpoint not in curves:
                found.problem(place, f"{strategy}: no curve for the endpoint `{endpoint}`")
    described = {curve.endpoint for curve in spec.curves}
    for state in spec.living_states:
        if state.endpoint not in described:
            message = f"{state.id}: no curve describes the endpoint `{state.endpoint}`"
            found.problem(state.place, message, "endpoint")


def _check_weights(found: Findings) -> None:
    """Weights of every endpoint but `response` sum to 1, over the same groups."""
    nested = found.spec.nested_endpoints
    for strategy, curves in _curves_by_endpoint(found.spec):
        for endpoint, members in curves.items():
            weights = {c.group: found.evaluate(c.weight) for c in members}
            known = [w for w in weights.values() if w is not None]
            total = math.fsum(known)
            if len(known) < len(weights) or not math.isfinite(total):
                continue
            shown = ", ".join(f"{group} {weight:.6g}" for group, weight in weights.items())
            name = f"{strategy} {endpoint}"
            if endpoint == RESPONSE:
                if total > 1 + TOLERANCE:
                    message = f"{name}: the weights sum to {total:.6g}, more than 1 ({shown})"
                    found.problem(members[0].place, message, "weight")
            elif abs(total - 1) > TOLERANCE:
                message = f"{name}: the weights sum to {total:.6g} instead of 1 ({shown})"
                found.problem(members[0].place, message, "weight")
        _check_groups(found, strategy, {e: m for e, m in curves.items() if e in nested})


def _check_groups(found: Findings, strategy: str, curves: dict[str, list[Curve]]) -> None:
    """Groups of nested endpoints are the same, or one endpoint is a single `all`."""
    groups = {endpoint: {c.group for c in members} for endpoint, members in curves.items()}
    outer = groups.get("os")
    if outer is None or outer == {ALL}:
        return
    for endpoint, own in groups.items():
        if own in (outer, {ALL}) or (endpoint == RESPONSE and own <= outer):
            continue
        message = (
            f"{strategy}: the groups of {endpoint} ({', '.join(sorted(own))}) are not those of os"
            f" ({', '.join(sorted(outer))}); they must be the same, or one the single group `all`"
        )
        found.problem(curves[endpoint][0].place, message, "group")


def _check_same_weights(found: Findings) -> None:
    """A group has one weight in every endpoint and candidate of a strategy (methods 1.2)."""
    first: dict[tuple[str, str], Curve] = {}
    for curve in found.spec.curves:
        other = first.setdefault((curve.strategy, curve.group), curve)
        if curve.weight.canonical != other.weight.canonical:
            message = (
                f"{curve.id}: the weight {curve.weight.text} of group `{curve.group}` differs from"
                f" {other.weight.text} in row {other.place.row}; a group has one weight"
            )
            found.problem(curve.place, message, "weight")


def _check_curve_values(found: Findings) -> None:
    """Base values of weights, modifiers and family parameters lie in their ranges."""
    for curve in found.spec.curves:
        values = {
            column: found.in_range(getattr(curve, column), allowed, curve.place, curve.id, column)
            for column, allowed in CURVE_RANGES.items()
        }
        start, until = values["hr_from"], values["hr_until"]
        if start is not None and until is not None and start > until:
            message = f"{curve.id}: hr_until ({until:g}) is before hr_from ({start:g})"
            found.problem(curve.place, message, "hr_until")
        for column, family, parameters in (
            ("parameters", curve.family, curve.parameters),
            ("pps_parameters", curve.pps_family, curve.pps_parameters),
        ):
            known = {
                name: found.value(expression, curve.place, f"{curve.id}: {name}", column)
                for name, expression in parameters.items()
            }
            if family == SPLINE:
                _check_knots(found, curve, column, known)
                continue
            for name, value in known.items():
                if value is not None and value <= 0 and (family, name) not in ANY_SIGN:
                    message = (
                        f"{curve.id}: {name} is {value:g} at the base case; it must be above 0"
                    )
                    found.problem(curve.place, message, column)


def _check_knots(
    found: Findings, curve: Curve, column: str, values: Mapping[str, float | None]
) -> None:
    """Knots rise, and are logarithms of times."""
    knots = [value for name, value in values.items() if name.startswith("knot")]
    known = [value for value in knots if value is not None]
    if len(known) < len(knots) or not known:
        return
    shown = ", ".join(f"{knot:g}" for knot in known)
    if any(right <= left for left, right in pairwise(known)):
        message = f"{curve.id}: knots must rise; at the base case they are {shown}"
        found.problem(curve.place, message, column)
    elif known[-1] > math.log(FURTHEST_KNOT * UNITS_PER_YEAR[curve.time_unit]):
        message = (
            f"{curve.id}: knots are on the scale of ln t; the last of {shown} is the logarithm"
            f" of more than {FURTHEST_KNOT:g} years"
        )
        found.warn(curve.place, message, column)


def _check_post_progression(found: Findings) -> None:
    """`post_progression` needs the PFS of its group (methods 1.5)."""
    pfs = {(c.strategy, c.group) for c in found.spec.curves if c.endpoint == "pfs"}
    for curve in found.spec.curves:
        if curve.family == "post_progression" and (curve.strategy, curve.group) not in pfs:
            message = f"{curve.id}: post_progression needs a pfs curve of group `{curve.group}`"
            found.problem(curve.place, message, "family")


def _check_structure(found: Findings) -> None:
    """A state-transition model moves people of one group from PFS to OS (methods 9)."""
    spec = found.spec
    structure = spec.settings.structure
    if structure == PARTITIONED:
        return
    place, nested = setting_place(spec, "structure"), spec.nested_endpoints
    if nested[-2:] != ("pfs", "os"):
        message = f"needs `pfs` as the endpoint inside `os`; the states have {', '.join(nested)}"
        found.problem(place, f"structure: {structure} {message}")
    for strategy, curves in _curves_by_endpoint(spec):
        pfs, os = ([c.group for c in curves.get(e, ())] for e in ("pfs", "os"))
        if pfs and os and set(pfs) != set(os):
            message = f"{strategy}: found PFS of {', '.join(pfs)} and OS of {', '.join(os)}"
            message = f"structure: {structure} needs PFS and OS of the same groups; {message}"
            found.problem(place, message)


def _check_waning(found: Findings) -> None:
    """A curve wanes to one that is there and does not wane itself (methods 1.8)."""
    spec = found.spec
    there = {(c.strategy, c.endpoint, c.group) for c in spec.curves}
    waning = {c.strategy: c for c in reversed(spec.curves) if c.wane_to}
    for curve in spec.curves:
        if not curve.wane_to or curve.wane_to == curve.strategy:
            continue
        target = f"{curve.wane_to}.{curve.endpoint}.{curve.group}"
        if (curve.wane_to, curve.endpoint, curve.group) not in there:
            message = f"{curve.id}: there is no curve {target} to wane to"
            found.problem(curve.place, message, "wane_to")
        elif curve.wane_to in waning:
            other = waning[curve.wane_to]
            message = (
                f"{curve.id}: `{curve.wane_to}` has curves that wane too (row {other.place.row});"
                " wane to a strategy whose own curves do not"
            )
            found.problem(curve.place, message, "wane_to")
        start, until = (
            found.evaluate(e) if e is not None else None
            for e in (curve.wane_from, curve.wane_until)
        )
        if start is not None and until is not None and until < start:
            message = f"{curve.id}: wane_until ({until:g}) is before wane_from ({start:g})"
            found.problem(curve.place, message, "wane_until")
    for strategy in spec.strategy_ids():
        used = {(c.endpoint, c.group): c for c in spec.curves_in_use(strategy)}
        for (endpoint, group), curve in used.items():
            pfs = used.get(("pfs", group))
            if curve.family != "post_progression" or pfs is None:
                continue
            if pfs.wane_to and not curve.wane_to:
                message = (
                    f"{curve.id}: it is built from {pfs.id} before that wanes, so the effect on"
                    f" {endpoint} lasts; fill `wane_to` here too"
                )
                found.warn(curve.place, message, "wane_to")


def _check_averages(found: Findings) -> None:
    """Averaged candidates have a weight together, and nothing is built from an average."""
    spec = found.spec
    for strategy, curves in _curves_by_endpoint(spec):
        averages = [c for members in curves.values() for c in members if c.average]
        built = {c.group for c in curves.get("os", ()) if "post_progression" in _families(c)}
        for curve in averages:
            slot = f"{strategy}.{curve.endpoint}.{curve.group}"
            weights = [found.evaluate(c.average_weight) for c in curve.average if c.average_weight]
            if all(weight == 0 for weight in weights):
                message = f"{slot}: every average_weight is 0 at the base case; one must be above 0"
                found.problem(curve.place, message, "average_weight")
            if curve.endpoint == "pfs" and curve.group in built:
                message = (
                    f"{slot}: the OS of this group is built from its PFS (post_progression), which"
                    " must then be one candidate, not an average"
                )
                found.problem(curve.place, message, "use")
        if averages and spec.settings.structure != PARTITIONED:
            message = (
                f"structure: {spec.settings.structure} needs one candidate for every curve;"
                f" {strategy} has an average"
            )
            found.problem(setting_place(spec, "structure"), message)


def _families(curve: Curve) -> set[str]:
    return {c.family for c in curve.average or (curve,)}


def _check_pairs(found: Findings) -> None:
    """Two parameters of one curve are not drawn independently by accident (methods 7.1)."""
    spec = found.spec
    stated = {frozenset((c.row, c.column)): c for c in spec.correlations}
    for correlation in spec.correlations:
        if correlation.value == 0 and not correlation.note:
            message = f"a correlation of 0 between `{correlation.row}` and `{correlation.column}`"
            found.problem(correlation.place, message + " needs a note that says why", "note")
    seen: set[frozenset[str]] = set()
    for curve in spec.curves:
        for parameters in (curve.parameters, curve.pps_parameters):
            drawn = [
                (role, e.names[0])
                for role, e in parameters.items()
                if e.names and e.canonical == e.names[0] and _is_drawn(spec, e.names[0])
            ]
            for i, (role, name) in enumerate(drawn):
                for other_role, other in drawn[i + 1 :]:
                    pair = frozenset((name, other))
                    if pair in seen or pair in stated or _drawn_together(spec, name, other):
                        continue
                    seen.add(pair)
                    if name != other:
                        message = (
                            f"{curve.id}: {role} `{name}` and {other_role} `{other}` are drawn"
                            " independently; state their correlation in `correlations`"
                            " (0 is allowed, with a note)"
                        )
                        found.problem(curve.place, message, "parameters")


def _is_drawn(spec: Spec, name: str) -> bool:
    parameter = spec.parameters.get(name)
    return parameter is not None and parameter.distribution is not None


def _drawn_together(spec: Spec, name: str, other: str) -> bool:
    first, second = spec.parameters[name], spec.parameters[other]
    if not (first.joint and second.joint):
        return False
    assert first.distribution is not None
    assert second.distribution is not None
    if first.distribution.name != second.distribution.name:
        return False
    return (
        first.distribution.name == "empirical"
        or first.correlation_group == second.correlation_group
    )


def _check_joint(found: Findings) -> None:
    """Parameters that are drawn together do not contradict each other."""
    spec = found.spec
    found.problems.extend(find_groups(spec.parameters, spec.correlations, spec.empirical).problems)


def _check_costs(found: Findings) -> None:
    for cost in found.spec.costs:
        value = found.value(cost.amount, cost.place, cost.id, "amount")
        if value is not None and value < 0:
            message = f"{cost.id}: the amount is {value:g} at the base case, a saving"
            found.warn(cost.place, message, "amount")
        if cost.group != ALL and cost.trigger != "start":
            _check_group_cost(found, cost)


def _check_group_cost(found: Findings, cost: Cost) -> None:
    """Every curve that the item reads is drawn for its group; only ``response`` may lack it."""
    spec = found.spec
    nested = spec.nested_endpoints
    ends = {state.id: state.endpoint or nested[-1] for state in spec.states}
    last = "os" if cost.trigger == "entry" else ends.get(cost.state, cost.state)
    read = nested[: nested.index(last) + 1] if last in nested else (last,)
    for strategy, curves in _curves_by_endpoint(spec):
        if cost.strategy not in (ALL, strategy):
            continue
        for endpoint in read:
            groups = {curve.group for curve in curves.get(endpoint, ())}
            if groups and cost.group not in groups and endpoint != "response":
                message = (
                    f"{cost.id}: `{strategy}` has no curve of endpoint {endpoint} in group "
                    f"`{cost.group}`, so the item cannot be told apart by group"
                )
                found.problem(cost.place, message, "group")
                return


def _check_perspective(found: Findings) -> None:
    """The study's perspective counts at least one of the costs that name a perspective."""
    spec = found.spec
    wanted = spec.settings.perspective
    named = dict.fromkeys(word for cost in spec.costs for word in words(cost.perspective))
    if wanted and named and wanted not in named:
        hint = did_you_mean(wanted, named) or f"; costs name {', '.join(named)}"
        message = f"perspective: no cost counts in `{wanted}`{hint}"
        found.problem(setting_place(spec, "perspective"), message)


def _check_adverse_events(found: Findings) -> None:
    for event in found.spec.adverse_events:
        for column, allowed in (
            ("probability", _SHARE),
            ("disutility", _NOT_NEGATIVE),
            ("duration_days", _NOT_NEGATIVE),
        ):
            found.in_range(getattr(event, column), allowed, event.place, event.event, column)
        cost = found.value(event.cost, event.place, event.event, "cost")
        if cost is not None and cost < 0:
            message = f"{event.event}: the cost is {cost:g} at the base case, a saving"
            found.warn(event.place, message, "cost")
