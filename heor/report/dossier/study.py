"""Tables of what goes in: settings, inputs with evidence, curves, costs, utilities, events."""

from __future__ import annotations

from heor.report.curve_facts import endpoint_name
from heor.report.dossier.parts import NONE, Group, Heading, Paragraph, Part, Table
from heor.report.numbers import money, plain, years
from heor.report.sheets.evidence import parameters_in_words
from heor.report.view import Facts
from heor.spec.expressions import Expression
from heor.spec.parameters import Parameter
from heor.spec.records import ALL, Cost, Curve

#: Weak grades of evidence that no table leaves unexplained.
_GRADES = (
    "Grades: published (read in the source), derived (computed from other numbers), transported "
    "(measured elsewhere), expert (elicited), assumption, unverified (source not read). Low and "
    "high: interval of the one-way analysis."
)


def front(facts: Facts) -> list[Part]:
    """What the study says of itself before any number, and the warnings of the run."""
    results = facts.results
    parts: list[Part] = [Heading(results.spec.settings.title or results.spec.name)]
    parts.append(Paragraph(f"Made with {facts.origin()}.", "note"))
    if results.banner:
        parts.append(Heading("Read first", 2))
        parts += [Paragraph(line, "warning") for line in results.banner]
    if results.record.warnings:
        parts.append(Heading("Warnings of this run", 2))
        parts += [Paragraph(f"{_first_upper(line)}.") for line in results.record.warnings]
    return parts


def settings(facts: Facts) -> list[Part]:
    """Strategies, health states and every setting with where it came from."""
    spec = facts.results.spec
    strategies = [(facts.label(s.id), s.id, s.note) for s in spec.strategies]
    states = [(s.label or s.id, s.id, endpoint_name(s.endpoint) or NONE) for s in spec.states]
    choices = [
        (key.replace("_", " "), text or NONE, origin)
        for key, (text, origin) in spec.settings.origin.items()
        if key not in ("title", "banner")
    ]
    return [
        Heading("Study"),
        Table(
            caption="Strategies",
            heads=("Strategy", "Id", "Description"),
            rows=strategies,
            align="lll",
            widths=(2, 1.4, 6),
            note=f"Reference: {facts.label(facts.reference)}.",
        ),
        Table(
            caption="Health states",
            heads=("State", "Id", "Time spent below the curve"),
            rows=states,
            align="lll",
            widths=(3, 2, 4),
            note="A state is the area between the curve before it and its own.",
        ),
        Table(
            caption="Settings",
            heads=("Setting", "Value", "From"),
            rows=choices,
            align="lll",
            widths=(2.4, 4, 1.6),
        ),
    ]


def inputs(facts: Facts) -> list[Part]:
    """Every parameter with unit, distribution, interval, source and grade."""
    rows: list[tuple[str, ...] | Group] = []
    category = ""
    for one in facts.results.spec.parameters.values():
        if one.category != category:
            category = one.category
            rows.append(Group(_first_upper(category) or "Other"))
        rows.append(_parameter(one))
    return [
        Heading("Inputs"),
        Table(
            caption="Parameters",
            heads=(
                "Id",
                "Parameter",
                "Value",
                "Unit",
                "Distribution",
                "Low",
                "High",
                "Source",
                "Evidence",
            ),
            rows=rows,
            align="llrllrrll",
            widths=(2, 3.4, 1.2, 1.4, 2.8, 1.1, 1.1, 2.3, 1.5),
            note=_GRADES,
            wide=True,
        ),
    ]


def _parameter(one: Parameter) -> tuple[str, ...]:
    if one.expression is not None and one.expression.number is None:
        made = f"= {one.expression.text}"
    else:
        made = "fixed" if one.distribution is None else one.distribution.describe()
    low, high = (NONE if end is None else plain(end) for end in (one.low, one.high))
    source = one.source.replace(";", "; ")
    return one.id, one.label, plain(one.value), one.unit, made, low, high, source, one.evidence


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def curves(facts: Facts) -> list[Part]:
    """Each curve in use in words, then the alternatives that scenarios may choose."""
    spec = facts.results.spec
    rows: list[tuple[str, ...] | Group] = []
    for used, title in ((True, "In the base case"), (False, "Alternatives")):
        some = [
            _curve(facts, curve) for curve in spec.curves if (spec.standing(curve) != "no") is used
        ]
        rows += [Group(title), *some] if some else []
    return [
        Heading("Survival curves"),
        Table(
            caption="Survival curves",
            heads=("Strategy", "Endpoint", "Group", "Weight", "Curve", "Source"),
            rows=rows,
            align="llllll",
            widths=(1.4, 1.7, 1.4, 1.9, 6, 2.2),
            note="Names are parameters of the table above; weights are shares of the strategy's "
            "people.",
            wide=True,
        ),
    ]


def _curve(facts: Facts, curve: Curve) -> tuple[str, ...]:
    family = _first_upper(curve.family.replace("_", " "))
    return (
        facts.label(curve.strategy),
        endpoint_name(curve.endpoint),
        _group(curve.group),
        _formula(facts, curve.weight),
        f"{family}: {parameters_in_words(curve)}",
        curve.source.replace(";", "; "),
    )


def _group(group: str) -> str:
    return "all" if group in ("", ALL) else group.replace("_", " ")


def _value(facts: Facts, expression: Expression) -> float:
    """Value of a cell at the base values."""
    return float(expression.evaluate(facts.results.base.draws.values, 1)[0])


def _formula(facts: Facts, expression: Expression) -> str:
    """A cell's value, with the formula it comes from."""
    value = plain(_value(facts, expression))
    return value if expression.number is not None else f"{expression.text} = {value}"


def _of(facts: Facts, strategy: str) -> str:
    return "All" if strategy == ALL else facts.label(strategy)


def costs(facts: Facts) -> list[Part]:
    """Each cost item: when it is charged, its formula and its amount."""
    rows: list[tuple[str, ...] | Group] = []
    spec = facts.results.spec
    for category in dict.fromkeys(cost.category for cost in spec.costs):
        rows.append(Group(_first_upper(category)))
        rows += [
            (
                cost.label or cost.id,
                _of(facts, cost.strategy),
                when(facts, cost),
                cost.amount.text if cost.amount.number is None else NONE,
                money(_value(facts, cost.amount), ""),
            )
            for cost in spec.costs
            if cost.category == category
        ]
    return [
        Heading("Costs"),
        Table(
            caption=f"Cost items, {_prices(facts)}",
            heads=("Item", "Strategy", "Charged", "Formula", f"Amount, {facts.currency}"),
            rows=rows,
            align="llllr",
            widths=(4, 1.6, 4, 4, 1.6),
            note=f"Perspective: {spec.settings.perspective or 'not stated'}.",
            wide=True,
        ),
    ]


def _prices(facts: Facts) -> str:
    year = facts.results.spec.settings.price_year
    return f"{facts.currency} of {year}" if year else facts.currency


def when(facts: Facts, cost: Cost) -> str:
    """When a cost is charged, in words."""
    state = facts.state_label(cost.state)
    if state == cost.state:
        state = endpoint_name(cost.state)
    if cost.trigger == "start":
        text = "once, at the start"
    elif cost.trigger == "entry":
        text = "once, at death"
    elif cost.trigger == "exit":
        text = f"once, on leaving {_first_lower(state)}"
    elif cost.trigger == "in_state":
        text = f"per {cost.per} in {_first_lower(state)}"
    else:
        text = f"every {cost.every:g} {cost.time_unit}s in {_first_lower(state)}"
    if cost.start:
        text += f", from {cost.time_unit} {cost.start:g}"
    if cost.until is not None:
        text += f", until {cost.time_unit} {cost.until:g}"
    return text if cost.group in ("", ALL) else f"{text}; group {_group(cost.group)}"


def _first_lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def utilities(facts: Facts) -> list[Part]:
    """Utility of each state, and the losses through adverse events."""
    spec = facts.results.spec
    rows = [
        (
            _of(facts, u.strategy),
            facts.state_label(u.state),
            u.value.text if u.value.number is None else NONE,
            NONE if not u.start else f"{u.time_unit} {u.start:g}",
            NONE if u.until is None else f"{u.time_unit} {u.until:g}",
            years(_value(facts, u.value)),
        )
        for u in spec.utilities
    ]
    parts: list[Part] = [
        Heading("Utilities and adverse events"),
        Table(
            caption="Utilities",
            heads=("Strategy", "State", "Formula", "From", "Until", "Utility"),
            rows=rows,
            align="lllllr",
            widths=(1.6, 2.6, 3, 1, 1, 1),
            note="Age adjustment: "
            f"{'yes' if spec.settings.age_adjusted_utilities else 'no'}; cap: "
            f"{spec.settings.utility_cap.replace('_', ' ')}.",
        ),
    ]
    if spec.adverse_events:
        parts.append(
            Table(
                caption="Adverse events",
                heads=(
                    "Strategy",
                    "Event",
                    "Probability",
                    f"Cost, {facts.currency}",
                    "Disutility",
                    "Days",
                ),
                rows=[
                    (
                        _of(facts, event.strategy),
                        event.event,
                        plain(_value(facts, event.probability)),
                        money(_value(facts, event.cost), ""),
                        plain(_value(facts, event.disutility)),
                        plain(_value(facts, event.duration_days)),
                    )
                    for event in spec.adverse_events
                ],
                align="llrrrr",
                widths=(1.5, 3, 1.3, 1.3, 1.2, 0.8),
                note="Charged once, at the start; QALYs lost: probability × disutility × "
                "days / 365.25.",
            )
        )
    return parts


def references(facts: Facts) -> list[Part]:
    """Every citation by its key."""
    known = facts.results.spec.references
    if not known:
        return []
    rows = [(key, f"{one.citation} {one.url}".strip()) for key, one in known.items()]
    return [
        Heading("References"),
        Table(
            caption="References", heads=("Key", "Citation"), rows=rows, align="ll", widths=(1.3, 6)
        ),
    ]
