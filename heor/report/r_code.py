"""Fits as calls of flexsurv, for whoever wants to see the same numbers come out of R."""

from __future__ import annotations

import re
from collections.abc import Sequence

from heor.fitting.compare import Candidate, Comparison
from heor.fitting.fit import Fit
from heor.fitting.read_data import CENSORED_WORDS, EVENT_WORDS, Columns
from heor.report.equations import CELL, equation, excel
from heor.spec.records import SPLINE, UNITS_PER_YEAR

#: Families by flexsurv's names; splines have a function of their own.
DISTRIBUTIONS = {
    "exponential": "exp",
    "weibull": "weibull",
    "gompertz": "gompertz",
    "gamma": "gamma",
    "lognormal": "lnorm",
    "loglogistic": "llogis",
    "gengamma": "gengamma",
    "genf": "genf",
}


def r_code(
    comparisons: Sequence[Comparison],
    columns: Columns,
    *,
    data: str,
    unit: str,
    event_is: str = "",
    life_table: str = "",
) -> str:
    """Give R code that fits every candidate, with our estimates and equations as comments.

    Parameters
    ----------
    comparisons : sequence of Comparison
    columns : Columns
        As the data were read.
    data, life_table : str
        Names of the files; the second blank where hazards are not in excess.
    unit : str
        Of time.
    event_is : str
        Word that marks an event; blank for the usual ones.
    """
    together = comparisons[0].together
    fits = [one for group in comparisons for one in group.candidates]
    cured = any(one.fit is not None and one.fit.model.cure for one in fits)
    lines = [f"library(flexsurv{'cure' if cured else ''})  # times are in {unit}s"]
    lines += _data(columns, data, event_is, life_table, UNITS_PER_YEAR[unit])
    if together:
        labels = ", ".join(_quoted(one.group) for one in comparisons)
        lines.append(
            f"d$group_ <- factor(trimws(d[[{_quoted(columns.by)}]]), levels = c({labels}))"
        )
    for number, group in enumerate(comparisons[:1] if together else comparisons, start=1):
        frame = "d"
        if not together and group.group:
            frame = f"d{number}"
            chosen = f"trimws(d[[{_quoted(columns.by)}]]) == {_quoted(group.group)}"
            lines += ["", f"{frame} <- d[{chosen}, ]"]
        labels_of = [one.group for one in comparisons] if together else [group.group]
        for one in group.candidates:
            lines += ["", *_candidate(one, columns, frame, labels_of, bool(life_table))]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _data(
    columns: Columns, data: str, event_is: str, life_table: str, per_year: float
) -> list[str]:
    """Read the data, and make the columns that the calls name."""
    lines = [f"d <- read.csv({_quoted(data)}, check.names = FALSE)"]
    lines.append(f"d$time_ <- as.numeric(d[[{_quoted(columns.time)}]])")
    if columns.event:
        marks = f"trimws(d[[{_quoted(columns.event)}]])"
        if event_is:
            lines.append(f"d$event_ <- as.integer({marks} == {_quoted(event_is)})")
        else:
            words = ", ".join(map(_quoted, EVENT_WORDS))
            lines.append(f"d$event_ <- as.integer(tolower({marks}) %in% c({words}))")
            lines.append(f"# not events: {', '.join(CENSORED_WORDS)}")
    if columns.upper:
        lines.append(
            f"d$upper_ <- suppressWarnings(as.numeric(d[[{_quoted(columns.upper)}]]))"
            "  # NA: never seen"
        )
        lines.append("d$upper_[is.infinite(d$upper_)] <- NA")
        if columns.event:
            lines.append("d$upper_[d$event_ == 0] <- NA")
        lines.append("d$lower_ <- ifelse(d$time_ > 0, d$time_, NA)  # NA: left-censored")
    if columns.entry:
        lines.append(f"d$entry_ <- as.numeric(d[[{_quoted(columns.entry)}]])")
    if columns.weight:
        lines.append(f"d$weight_ <- as.numeric(d[[{_quoted(columns.weight)}]])")
    if life_table:
        lines += [
            f'life <- read.csv({_quoted(life_table)}, comment.char = "#")',
            "life <- life[life$male < 1 & life$female < 1, ]",
            f"age_ <- floor(as.numeric(d[[{_quoted(columns.age)}]]) + d$time_ / {per_year!r})",
            "row_ <- pmin(age_, max(life$age)) - min(life$age) + 1",
            f'man_ <- tolower(substr(trimws(d[[{_quoted(columns.sex)}]]), 1, 1)) == "m"',
            "d$bhazard_ <- -log(1 - ifelse(man_, life$male[row_], life$female[row_])) "
            f"/ {per_year!r}",
        ]
    return lines


def _candidate(
    one: Candidate, columns: Columns, frame: str, labels: Sequence[str], excess: bool
) -> list[str]:
    if one.fit is None:
        return [f"# {one.label}: {one.problem or 'no fit'}"]
    fit = one.fit
    lines = [f"# {one.label}: {'sound' if fit.sound else 'NOT SOUND'}"]
    if one.problem:
        lines.append(f"# {one.problem}")
    call, reason = _call(fit, columns, frame, len(labels) > 1, excess)
    name = re.sub(r"[^a-z0-9]+", "_", f"fit_{one.label.lower()}").strip("_")
    if reason:
        lines.append(f"# no equivalent call: {reason}")
    else:
        lines.append(f"{name}{frame.removeprefix('d') and '_' + frame} <- {call}")
    lines += _numbers(fit)
    for place, label in enumerate(labels):
        who = f"{label}: " if len(labels) > 1 else ""
        lines.append(f"# {who}{equation(fit.model, fit.theta, place)}")
        lines.append(f"# {who}Excel, t in {CELL}: {excel(fit.model, fit.theta, place)}")
    return lines


def _call(fit: Fit, columns: Columns, frame: str, together: bool, excess: bool) -> tuple[str, str]:
    """Give the call, or why there is none."""
    model = fit.model
    if columns.upper and columns.entry:
        return "", "flexsurv takes delayed entry with right censoring only"
    response = "Surv(time_, event_)"
    if columns.upper:
        response = 'Surv(lower_, upper_, type = "interval2")'
    elif columns.entry:
        response = "Surv(entry_, time_, event_)"
    more = [f"data = {frame}"]
    more += ["weights = weight_"] if columns.weight else []
    more += ["bhazard = bhazard_"] if excess else []
    terms = "group_" if together and not model.cure else "1"
    if model.family.name == SPLINE:
        if model.cure:
            return "", "flexsurvcure has no splines"
        if columns.weight or columns.upper:
            inner = ", ".join(map(repr, model.knots[1:-1]))
            more.append(f"knots = c({inner})")
            more.append(f"bknots = c({model.knots[0]!r}, {model.knots[-1]!r})")
        else:
            more.append(f"k = {len(model.knots) - 2}")
        more.append(f'scale = "{getattr(model.family, "scale", "")}"')
        return f"flexsurvspline({response} ~ {terms}, {', '.join(more)})", ""
    more.append(f'dist = "{DISTRIBUTIONS[model.family.name]}"')
    if not model.cure:
        return f"flexsurvreg({response} ~ {terms}, {', '.join(more)})", ""
    mixture = "TRUE" if model.cure == "mixture" else "FALSE"
    more += ['link = "logistic"', f"mixture = {mixture}"]
    if together:
        more.append(f"anc = list({model.location} = ~ group_)")
    return f"flexsurvcure({response} ~ {terms}, {', '.join(more)})", ""


def _numbers(fit: Fit) -> list[str]:
    """Estimates in flexsurv's names and scales."""
    model = fit.model
    natural, estimated = [], []
    for place, name in enumerate(model.names):
        word = "theta" if name == "cure" else name
        if name.startswith("group:"):
            label = f"group_{name.removeprefix('group:')}"
            word = f"{model.location}({label})" if model.cure else label
        natural.append(f"{word} = {fit.estimates[name]!r}")
        estimated.append(f"{word} = {float(fit.theta[place])!r}")
    if model.cure:  # flexsurvcure names the cured share first
        share = len(model.own)
        for each in (natural, estimated):
            each.insert(0, each.pop(share))
    knots = [f"# knots: {' '.join(map(repr, model.knots))}"] if model.knots else []
    return [
        f"# logLik = {fit.log_likelihood:.6f}, AIC = {fit.aic:.4f}",
        f"# fit$res: {', '.join(natural)}",
        f"# fit$res.t: {', '.join(estimated)}",
        *knots,
    ]
