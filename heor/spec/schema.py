"""The input tables: which there are, their columns, and what each column holds.

`TABLES` drives the reader, the templates and the documentation. A column's ``kind`` is one of

``id`` (a word of letters, digits and underscores), ``text``, ``number``, ``expression`` (a number
or a formula over parameter ids), ``expressions`` (``name=…; name=…``), ``choice`` (one of
``choices``), ``unit``, ``time_unit``, ``source`` (keys of `references`, or ``assumption``) and
``yes`` (``x``, ``yes`` or ``no``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heor.spec.records import EVIDENCE_GRADES, FAMILIES, HAZARDS, TRIGGERS, UNITS_PER_YEAR, WANING

TIME_UNITS = tuple(UNITS_PER_YEAR)
#: Kinds of payment scheme.
AGREEMENT_TYPES = ("discount", "response", "rebate", "instalments", "warranty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of an input table.

    ``required`` columns must be there, and their cells filled in.
    """

    name: str
    kind: str
    meaning: str
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """One input table: what a row is, its columns in order, and whether a study needs it.

    ``open_columns``: further columns may be headed by parameter ids (the table ``draws``).
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    required: bool = False
    open_columns: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        """Headings in their usual order."""
        return tuple(column.name for column in self.columns)


def _need(name: str, kind: str, meaning: str, choices: tuple[str, ...] = ()) -> Column:
    return Column(name=name, kind=kind, meaning=meaning, required=True, choices=choices)


def _may(name: str, kind: str, meaning: str, choices: tuple[str, ...] = ()) -> Column:
    return Column(name=name, kind=kind, meaning=meaning, choices=choices)


_NOTE = _may("note", "text", "Anything a reader should know.")
_SOURCE = _may("source", "source", "Keys of `references`, separated by `;`, or `assumption`.")
_ROW_SOURCE = _need("source", "source", "Keys of `references`, separated by `;`, or `assumption`.")
_GROUP = _may("group", "text", "A response group of the strategy's curves; blank means `all`.")

_SCHEMAS = (
    TableSchema(
        name="settings",
        row="one choice",
        required=True,
        columns=(
            _need("key", "text", "Name of the setting."),
            _need("value", "text", "Its value."),
            _may("unit", "text", "Unit, where the value is a bare number (`week`, `years`)."),
            _NOTE,
        ),
    ),
    TableSchema(
        name="parameters",
        row="one uncertain, fixed or derived number",
        required=True,
        columns=(
            _need("id", "id", "Name used in expressions."),
            _need("label", "text", "Name used in reports."),
            _may("category", "text", "Heading it stands under in reports."),
            _need("value", "expression", "Base value, or a formula (then the number is derived)."),
            _need("unit", "unit", "Unit of the value, from the closed list."),
            _may("low", "number", "Low end of the one-way analysis."),
            _may("high", "number", "High end of the one-way analysis."),
            _may("distribution", "text", "Distribution in the probabilistic analysis."),
            _may("se", "number", "Standard error of the value; beside `a` and `b`, their SD."),
            _may("a", "number", "First parameter of the distribution, instead of `se`."),
            _may("b", "number", "Second parameter of the distribution, instead of `se`."),
            _may(
                "correlation_group",
                "text",
                "Set of a `dirichlet` or `multivariate_normal`; blank for every other.",
            ),
            _may("price_year", "text", "Year of a price."),
            _ROW_SOURCE,
            _need("evidence", "choice", "Grade of the evidence.", EVIDENCE_GRADES),
            _NOTE,
        ),
    ),
    TableSchema(
        name="strategies",
        row="one treatment",
        required=True,
        columns=(
            _need("id", "id", "Name used in other tables."),
            _need("label", "text", "Name used in reports."),
            _NOTE,
        ),
    ),
    TableSchema(
        name="states",
        row="one health state, best to worst",
        required=True,
        columns=(
            _need("id", "id", "Name used in other tables."),
            _need("label", "text", "Name used in reports."),
            _may("endpoint", "text", "The curve that bounds the state above; blank for dead."),
        ),
    ),
    TableSchema(
        name="curves",
        row="one candidate curve of a strategy, endpoint and group",
        required=True,
        columns=(
            _need("id", "id", "Name of the candidate."),
            _need("strategy", "text", "Id of a strategy."),
            _need("endpoint", "text", "Endpoint the curve describes: `pfs`, `os`, …"),
            _GROUP,
            _may(
                "weight", "expression", "Share of the strategy in this group; blank is 1 for `all`."
            ),
            _need("family", "choice", "Survival family.", (*FAMILIES,)),
            _may(
                "parameters",
                "expressions",
                "The family's parameters: `shape=a; scale=b`; a spline's as below.",
            ),
            _need("time_unit", "time_unit", "Unit of every time in the row.", TIME_UNITS),
            _may("delay", "expression", "Time before which survival is 1."),
            _may("acceleration", "expression", "Acceleration factor: times are divided by it."),
            _may("hazard_ratio", "expression", "Hazard ratio on the curve."),
            _may("hr_from", "expression", "Time from which the hazard ratio moves to 1."),
            _may("hr_until", "expression", "Time at which the hazard ratio has become 1."),
            _may("cure_fraction", "expression", "Share who never have the event."),
            _may("early_mortality", "expression", "Share who die in the early period."),
            _may("early_period", "expression", "Length of the early period."),
            _may("km_until", "expression", "Follow the `km` table until then, the family after."),
            _may(
                "pps_family",
                "choice",
                "Family of survival after progression, by time since then (rows of `os`): read by"
                " `post_progression` and by the structure `state_transition_reset`.",
                tuple(name for name, parameters in FAMILIES.items() if parameters),
            ),
            _may("pps_parameters", "expressions", "Its parameters: `rate=1/mean`."),
            _may(
                "pfs_death_share",
                "expression",
                "Share of PFS events that are deaths (rows of `os`; blank: 0); read like"
                " `pps_family`, and by `state_transition_forward`.",
            ),
            _may("wane_to", "text", "Strategy to whose curve the effect wanes; blank: it lasts."),
            _may("wane_from", "expression", "Time from which the effect wanes."),
            _may("wane_until", "expression", "Time at which it is lost; blank: all at once."),
            _may("wane", "choice", "What moves to that curve; blank is `hazard`.", WANING),
            _may(
                "hazard",
                "choice",
                "`excess`: an OS curve beyond the population's mortality; blank is `all_cause`.",
                HAZARDS,
            ),
            _may("aic", "number", "Akaike's criterion of the fit, shown in reports."),
            _may("bic", "number", "Bayes' criterion with the number of subjects."),
            _may("bic_events", "number", "Bayes' criterion with the number of events."),
            _may("fit_data", "text", "The data of the fit; AIC is compared within the same."),
            _may("average_weight", "expression", "Weight of the candidate in an average of some."),
            _may(
                "use",
                "text",
                "`x` marks the candidate of the base case, `average` each of those averaged; may"
                " be blank where there is one only.",
            ),
            _SOURCE,
        ),
    ),
    TableSchema(
        name="utilities",
        row="the value of time in a state",
        required=True,
        columns=(
            _need("strategy", "text", "Id of a strategy, or `all`."),
            _need("state", "text", "Id of a living state."),
            _need("value", "expression", "Utility, at most 1."),
            _may("from", "number", "Applies from then; blank is 0."),
            _may("until", "number", "Applies until then; blank is the end."),
            _may("time_unit", "time_unit", "Unit of `from` and `until`.", TIME_UNITS),
        ),
    ),
    TableSchema(
        name="costs",
        row="one cost item",
        columns=(
            _need("id", "id", "Name of the item."),
            _need("label", "text", "Name used in reports."),
            _need("category", "text", "Category it is reported under."),
            _need("strategy", "text", "Id of a strategy, or `all`."),
            _need("trigger", "choice", "When it is charged.", TRIGGERS),
            _may("state", "text", "A state, an endpoint, or the dead state."),
            _GROUP,
            _may("per", "time_unit", "Time unit of an `in_state` amount.", TIME_UNITS),
            _may("every", "number", "Interval of a `schedule`."),
            _may("from", "number", "Start of a window or of a schedule."),
            _may("until", "number", "End of a window or of a schedule (not included)."),
            _may("time_unit", "time_unit", "Unit of `every`, `from`, `until`.", TIME_UNITS),
            _need("amount", "expression", "Money."),
            _may("perspective", "text", "Perspectives that count it, separated by `;`."),
        ),
    ),
    TableSchema(
        name="adverse_events",
        row="one event in one strategy",
        columns=(
            _need("strategy", "text", "Id of a strategy."),
            _need("event", "text", "Name of the event."),
            _need("probability", "expression", "Probability that it happens."),
            _may("cost", "expression", "Money per event; blank is 0."),
            _may("disutility", "expression", "Loss of utility while it lasts (>= 0); blank is 0."),
            _may("duration_days", "expression", "How long it lasts, in days; blank is 0."),
            _GROUP,
            _SOURCE,
        ),
    ),
    TableSchema(
        name="scenarios",
        row="one change in a named scenario",
        columns=(
            _need("scenario", "text", "Name; several rows may share one."),
            _may("purpose", "text", "What the scenario is for."),
            _need(
                "target", "text", "Parameter id, settings key, or `curve:strategy.endpoint.group`."
            ),
            _need("value", "text", "What to put there; for a curve, the id of a candidate."),
        ),
    ),
    TableSchema(
        name="correlations",
        row="one pair of parameters",
        columns=(
            _need("group", "text", "Correlation group."),
            _need("row", "text", "Parameter id."),
            _need("column", "text", "Parameter id."),
            _need("value", "number", "Rank correlation, or covariance (multivariate normal)."),
            _NOTE,
        ),
    ),
    TableSchema(
        name="draws",
        row="one joint draw; a column per parameter with distribution `empirical`",
        columns=(),
        open_columns=True,
    ),
    TableSchema(
        name="life_table",
        row="one year of age, or of age and calendar time",
        columns=(
            _may("year", "number", "Calendar year, rising by 1; each has the same ages."),
            _need("age", "number", "Age in whole years, rising by 1."),
            _need("male", "number", "Annual probability of death."),
            _need("female", "number", "Annual probability of death."),
            _may("utility_male", "number", "Utility norm."),
            _may("utility_female", "number", "Utility norm."),
        ),
    ),
    TableSchema(
        name="cohort",
        row="people of one age at the start, instead of `start_age` and `male_share`",
        columns=(
            _need("age", "expression", "Age at the start, in years."),
            _need("male_share", "expression", "Share of men among them."),
            _need("share", "expression", "Their share of the cohort; all rows sum to 1."),
        ),
    ),
    TableSchema(
        name="km",
        row="one Kaplan-Meier point",
        columns=(
            _need("strategy", "text", "Id of a strategy."),
            _need("endpoint", "text", "Endpoint."),
            _GROUP,
            _need("time", "number", "Time of the point."),
            _need("survival", "number", "Survival from that time on."),
            _may("at_risk", "number", "Number at risk."),
            _may("events", "number", "Events at that time."),
            _need("time_unit", "time_unit", "Unit of `time`.", TIME_UNITS),
            _SOURCE,
        ),
    ),
    TableSchema(
        name="validation_targets",
        row="one published number the model should be near",
        columns=(
            _need("label", "text", "What the number is."),
            _need("strategy", "text", "Id of a strategy."),
            _need("endpoint", "text", "Endpoint."),
            _GROUP,
            _may("time", "number", "Time of a survival probability; blank for a median."),
            _need("time_unit", "time_unit", "Unit of `time`, and of a median.", TIME_UNITS),
            _need("value", "number", "Survival at `time`, or the median."),
            _may("low", "number", "Lower end of its interval."),
            _may("high", "number", "Upper end of its interval."),
            _ROW_SOURCE,
            _may("used_in_fitting", "yes", "`yes` where the curves were fitted to it."),
        ),
    ),
    TableSchema(
        name="agreements",
        row="one payment scheme",
        columns=(
            _need("id", "id", "Name of the scheme."),
            _may("label", "text", "Name used in reports."),
            _need(
                "type",
                "choice",
                "Kind of scheme.",
                AGREEMENT_TYPES,
            ),
            _need("strategy", "text", "Id of a strategy."),
            _may("endpoint", "text", "Endpoint that decides an outcome rebate."),
            _GROUP,
            _may("amount", "expression", "Share or money, by type."),
            _may("time", "expression", "When it is due or judged."),
            _may("time_unit", "time_unit", "Unit of `time`.", TIME_UNITS),
            _SOURCE,
            _NOTE,
        ),
    ),
    TableSchema(
        name="budget",
        row="one line of the eligible-population funnel, or the uptake of a year",
        columns=(
            _need("item", "text", "Step of the funnel, or `uptake`."),
            _may("year", "number", "Budget year of an uptake, from 1."),
            _need("value", "expression", "Number or share."),
            _may("unit", "text", "Unit of the value."),
            _SOURCE,
            _NOTE,
        ),
    ),
    TableSchema(
        name="references",
        row="one citation",
        columns=(
            _need("key", "text", "What `source` columns name."),
            _need("citation", "text", "The citation."),
            _may("url", "text", "Where it can be read."),
        ),
    ),
)

#: Every input table by name, in the order of documents and workbooks.
TABLES: Mapping[str, TableSchema] = {schema.name: schema for schema in _SCHEMAS}

#: Titles of the result sheets of a report workbook, which reading ignores; so are ``Calc …``
#: sheets. (No title may differ from a table's name only in case.)
REPORT_SHEETS: tuple[str, ...] = (
    "Cover",
    "Contents",
    "Control",
    "Evidence",
    "Evidence & references",
    "Survival",
    "Survival charts",
    "Life table",
    "Trace",
    "Costs & QALYs",
    "Results",
    "Incremental results",
    "Scenario results",
    "Structure",
    "DSA",
    "Tornado",
    "Two-way",
    "Threshold values",
    "Importance",
    "PSA checks",
    "PSA summary",
    "PSA draws",
    "PSA results",
    "CE plane",
    "CEAC",
    "CEAC & CEAF",
    "EVPI",
    "Convergence",
    "VOI",
    "Price & agreements",
    "Budget impact",
    "Severity",
    "Validation",
    "Verification",
    "Checks",
    "CHEERS 2022",
    "Change log",
)
