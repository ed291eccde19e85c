"""Studies that could be done next: what would be seen, and how likely it is (methods 7.8).

A design is a sum of parts, each with patients of its own. A part is seen as counts in categories
(a binomial response; events by interval of follow-up and group) or as a mean. Its probabilities in
every draw come from the draw's parameters and from the model's own curves.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from heor.engine.evaluate import traces
from heor.engine.timeline import Timeline
from heor.errors import HeorError
from heor.spec.parameters import Draws, FloatArray
from heor.spec.records import RESET, Spec

#: Most intervals in which events are counted, and draws whose curves are made at a time.
INTERVALS, BLOCK = 60, 256

#: Probabilities are at least this where their logarithm is taken.
SMALLEST = 1e-300

FORM = (
    "write NAME=PART+PART, a part being [SHARE*]binomial:PARAMETER, [SHARE*]normal:PARAMETER:SD or "
    "[SHARE*]survival:STRATEGY.ENDPOINT[.GROUP]:[FROM-]MONTHS"
)

_SPAN = re.compile(r"(?:(?P<start>[0-9.]+)-)?(?P<until>[0-9.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some patients of a study and what is seen of them.

    Attributes
    ----------
    kind : str
        ``binomial``, ``normal`` or ``survival``.
    target : str
        A parameter; for ``survival`` ``strategy.endpoint`` or ``strategy.endpoint.group``.
    share : float
        Its patients as a share of the study's.
    sd : float
        Of one observation, for ``normal``.
    start, until : float
        For ``survival``, years: all are free of the event at ``start`` and are watched to
        ``until``.
    """

    kind: str
    target: str
    share: float = 1.0
    sd: float = math.nan
    start: float = 0.0
    until: float = 0.0

    def patients(self, n: int) -> int:
        """Patients of this part when the study has ``n``."""
        return max(1, round(self.share * n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A study that could be done: its name and parts."""

    name: str
    parts: tuple[Part, ...]

    @property
    def follow_up(self) -> float:
        """Years that the longest part takes."""
        return max(part.until - part.start for part in self.parts)


@dataclass(frozen=True, slots=True)
class Chances:
    """What a part shows, by draw.

    Attributes
    ----------
    part : Part
    share : array ``(draw, group, category)`` or None
        Probability of each category; they sum to 1 over groups and categories. The categories of
        ``survival`` are the intervals of follow-up and, last, no event.
    edges : array ``(category,)`` or None
        Bounds of the intervals in years, for ``survival``.
    mean : array ``(draw,)`` or None
        Mean of one observation, for ``normal``.
    """

    part: Part
    share: FloatArray | None = None
    edges: FloatArray | None = None
    mean: FloatArray | None = None


def read_design(text: str) -> Design:
    """Read ``NAME=PART+PART``.

    Raises
    ------
    HeorError
        When the text has another form; the message gives it.

    Examples
    --------
    >>> read_design("trial=0.5*survival:old.os:36+0.5*survival:new.os:36").follow_up
    3.0
    """
    name, equals, rest = text.partition("=")
    if not equals or not name.strip() or not rest.strip():
        raise HeorError(f"design '{text}': {FORM}")
    return Design(name=name.strip(), parts=tuple(_part(text, one) for one in rest.split("+")))


def _part(design: str, text: str) -> Part:
    share_text, times, body = text.strip().rpartition("*")
    kind, *words = [word.strip() for word in body.split(":")]
    share = _positive(design, "share", share_text) if times else 1.0
    if kind == "binomial" and len(words) == 1:
        return Part(kind=kind, target=words[0], share=share)
    if kind == "normal" and len(words) == 2:
        sd = _positive(design, "standard deviation", words[1])
        return Part(kind=kind, target=words[0], share=share, sd=sd)
    span = _SPAN.fullmatch(words[1]) if kind == "survival" and len(words) == 2 else None
    if span is None:
        raise HeorError(f"design '{design}': '{text.strip()}' is no part; {FORM}")
    start = 0.0
    if span["start"] is not None and float(span["start"] or 0) > 0:
        start = _positive(design, "start of follow-up", span["start"])
    until = _positive(design, "follow-up", span["until"])
    if until <= start:
        raise HeorError(f"design '{design}': follow-up must end after month {start:g}")
    return Part(kind=kind, target=words[0], share=share, start=start / 12.0, until=until / 12.0)


def _positive(design: str, what: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise HeorError(f"design '{design}': the {what} must be a number above 0, found '{text}'")
    return value


def chances(spec: Spec, draws: Draws, design: Design) -> list[Chances]:
    """What every part shows in every draw.

    Raises
    ------
    HeorError
        When a target does not exist, or a binomial one is no probability in some draw.
    """
    for part in design.parts:
        _check_target(spec, design, part)
    found = []
    for part in design.parts:
        if part.kind == "survival":
            found.append(_survival(spec, draws, design, part))
            continue
        values = draws.values[part.target]
        if part.kind == "normal":
            found.append(Chances(part, mean=values))
            continue
        if values.min() < 0 or values.max() > 1:
            raise HeorError(
                f"design {design.name}: `{part.target}` is no probability; it takes values from "
                f"{values.min():.4g} to {values.max():.4g}"
            )
        found.append(Chances(part, share=np.stack([values, 1 - values], axis=1)[:, None, :]))
    return found


def _check_target(spec: Spec, design: Design, part: Part) -> None:
    where = f"design {design.name}: {part.kind}:{part.target}"
    if part.kind != "survival":
        if part.target not in spec.parameters:
            raise HeorError(f"{where}: there is no parameter `{part.target}`")
        return
    strategy, _, rest = part.target.partition(".")
    endpoint, _, group = rest.partition(".")
    if strategy not in spec.strategy_ids():
        known = ", ".join(spec.strategy_ids())
        raise HeorError(f"{where}: there is no strategy `{strategy}`; there are {known}")
    curves = spec.curves_in_use(strategy)
    slots = [f"{c.endpoint}.{c.group}" for c in curves]
    if endpoint not in {c.endpoint for c in curves} or (group and rest not in slots):
        raise HeorError(f"{where}: {strategy} has no curve `{rest}`; there are {', '.join(slots)}")


def _survival(spec: Spec, draws: Draws, design: Design, part: Part) -> Chances:
    strategy, _, rest = part.target.partition(".")
    endpoint, _, only = rest.partition(".")
    length = spec.settings.cycle_length
    first, last = round(part.start / length), round(part.until / length)
    if last <= first:
        raise HeorError(
            f"design {design.name}: {part.target} is watched for less than a cycle of the model"
        )
    at = np.unique(np.linspace(first, last, min(INTERVALS, last - first) + 1).round().astype(int))
    short = _until(spec, last)
    pieces = []
    for begin in range(0, len(draws), BLOCK):
        trace = traces(short, draws.rows(begin, begin + BLOCK))[strategy]
        groups = [g for e, g in trace.group_curves if e == endpoint and g == (only or g)]
        curves = np.stack([trace.group_curves[endpoint, g][:, at] for g in groups], axis=1)
        if not only and len(groups) > 1:
            curves = curves * np.stack([trace.weights[g] for g in groups], axis=1)[:, :, None]
        pieces.append(np.concatenate([-np.diff(curves, axis=2), curves[:, :, -1:]], axis=2))
    share = np.maximum(np.concatenate(pieces), 0.0)
    whole = share.sum(axis=(1, 2), keepdims=True)
    if not (whole > 0).all():
        raise HeorError(
            f"design {design.name}: in some draws nobody is free of the event at the start of "
            f"the follow-up of {part.target}"
        )
    return Chances(part, share=share / whole, edges=at * length)


def _until(spec: Spec, last: int) -> Spec:
    """The study with a horizon of ``last`` cycles, and the same curves up to there.

    A survival after progression that is derived counts deaths up to the study's own horizon or
    `pps_follow_up` (methods 9.3), so its cycles stay.
    """
    settings = spec.settings
    horizon = last * settings.cycle_length
    if settings.structure == RESET:
        own = Timeline(settings).horizon
        follow_up = own if settings.pps_follow_up is None else settings.pps_follow_up
        return replace(
            spec,
            settings=replace(
                settings, horizon=max(own, horizon), pps_follow_up=min(follow_up, own)
            ),
        )
    return replace(spec, settings=replace(settings, horizon=horizon))


def simulate(one: Chances, n: int, rng: np.random.Generator) -> FloatArray:
    """Data of one study of ``n`` patients in each draw: counts, or the mean ``(draw, 1, 1)``."""
    patients = one.part.patients(n)
    if one.mean is not None:
        noise = rng.standard_normal(len(one.mean)) * one.part.sd / math.sqrt(patients)
        return np.asarray((one.mean + noise)[:, None, None], dtype=np.float64)
    assert one.share is not None
    draws, groups, categories = one.share.shape
    flat = one.share.reshape(draws, -1)
    counts = rng.multinomial(patients, flat / flat.sum(axis=1, keepdims=True))
    return counts.reshape(draws, groups, categories).astype(np.float64)


def log_likelihood(one: Chances, n: int, data: FloatArray) -> FloatArray:
    """Logarithm of the likelihood of each data set in each draw, up to a constant of the data.

    Parameters
    ----------
    data : array ``(dataset, group, category)``

    Returns
    -------
    array ``(dataset, draw)``
    """
    if one.mean is not None:
        variance = one.part.sd**2 / one.part.patients(n)
        distance = data[:, 0, 0][:, None] - one.mean[None, :]
        return np.asarray(-0.5 * distance**2 / variance, dtype=np.float64)
    assert one.share is not None
    logs = np.log(np.maximum(one.share, SMALLEST)).reshape(len(one.share), -1)
    return np.asarray(data.reshape(len(data), -1) @ logs.T, dtype=np.float64)


def statistics(one: Chances, data: FloatArray) -> list[FloatArray]:
    """Few numbers that sum up data sets ``(dataset, group, category)``, each ``(dataset,)``.

    Of a binomial part the share, of a normal one the mean. Of a survival part the share of each
    group and, by group, the logarithm of the rate of events in an early and a late half of
    follow-up, in which all data sets together have as many events.
    """
    if one.mean is not None:
        return [data[:, 0, 0]]
    if one.edges is None:
        return [data[:, 0, 0]]
    members = data.sum(axis=2)
    found = [members[:, group] for group in range(members.shape[1] - 1)]
    width = np.diff(one.edges)
    events = data[:, :, :-1]
    # those at risk at the start of each interval, and half of those who leave in it
    at_risk = members[:, :, None] - np.cumsum(events, axis=2) + events / 2
    exposure = at_risk * width
    for group in range(events.shape[1]):
        by_interval = events[:, group].sum(axis=0)
        middle = int(np.searchsorted(np.cumsum(by_interval), by_interval.sum() / 2)) + 1
        for part in (slice(0, middle), slice(middle, None)):
            seen = events[:, group, part].sum(axis=1)
            time = exposure[:, group, part].sum(axis=1)
            if not (seen.any() and time.any()):
                continue
            rate = seen.sum() / time.sum()
            found.append(np.log((seen + 0.5) / (time + 0.5 / rate)))
    return found
