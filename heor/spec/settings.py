"""Settings of a study, and the presets of agencies that stand in where a study is silent."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heor.errors import Place
from heor.spec.context import Reading, read_expression
from heor.spec.expressions import Expression
from heor.spec.records import (
    BACKGROUND_METHODS,
    CROSSING_RULES,
    CYCLE_CORRECTIONS,
    DISCOUNTING,
    SAMPLERS,
    SMR_OF,
    STRUCTURES,
    UTILITY_CAPS,
    Settings,
)
from heor.spec.tables import did_you_mean
from heor.spec.values import (
    CellError,
    discount_rate,
    duration,
    is_number,
    number,
    numbers,
    share,
    whole_number,
    yes_no,
)

#: Confidence of a preset's value.
CONFIDENCE = ("seen", "seen in a secondary source", "recalled")

Parser = Callable[[str, str], Any]


@dataclass(frozen=True, slots=True)
class SettingKey:
    """One key of the table ``settings``: how it is read, its default, what it means.

    ``default`` None: the study or its preset must give it.
    """

    read: Parser
    default: str | None
    meaning: str


def _plain(read: Callable[[str], Any]) -> Parser:
    return lambda text, unit: read(text)


def _blank_or(read: Parser) -> Parser:
    return lambda text, unit: read(text, unit) if text else None


def _choice(*choices: str) -> Parser:
    def read(text: str, unit: str) -> str:
        if text not in choices:
            hint = did_you_mean(text, choices)
            raise CellError(f"found {text!r}; allowed: {', '.join(choices)}{hint}")
        return text

    return read


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise CellError(f"found {text!r}; write the three-letter code, such as USD")
    return text


def _at_least(low: int) -> Parser:
    def read(text: str, unit: str) -> int:
        value = whole_number(text)
        if value < low:
            raise CellError(f"found {text!r}; it must be at least {low}")
        return value

    return read


def _not_negative(text: str) -> float:
    value = number(text)
    if value < 0:
        raise CellError(f"found {text!r}; it must be at least 0")
    return value


def _calendar(text: str) -> float:
    value = number(text)
    if not 1800 <= value < 2300:
        raise CellError(f"found {text!r}; write a calendar year, such as 2025")
    return value


def _utility(text: str) -> float:
    value = number(text)
    if value > 1:
        raise CellError(f"found {text!r}; a utility is at most 1")
    return value


def _positive(text: str) -> float:
    value = number(text)
    if value <= 0:
        raise CellError(f"found {text!r}; it must be above 0")
    return value


def _agency(text: str) -> str:
    if text and text not in preset_names():
        hint = did_you_mean(text, preset_names())
        raise CellError(f"there is no preset {text!r}{hint}; presets: {', '.join(preset_names())}")
    return text


_text = _plain(str)
_formula = _plain(read_expression)

#: Every settings key, in the order of templates.
SETTINGS: Mapping[str, SettingKey] = {
    "title": SettingKey(_text, "", "Title on reports; blank is the study's name."),
    "banner": SettingKey(_text, "", "Lines shown with every result, `|` between."),
    "currency": SettingKey(_plain(_currency), None, "Three-letter code of the currency."),
    "price_year": SettingKey(_blank_or(_at_least(1900)), "", "Year of the prices."),
    "perspective": SettingKey(_text, "", "Whose costs count; blank counts every cost."),
    "agency": SettingKey(_plain(_agency), "", "Preset whose values stand where a key is absent."),
    "cycle_length": SettingKey(duration, None, "Length of a cycle: `1 week`."),
    "horizon": SettingKey(duration, None, "Time horizon: `30 years`."),
    "discount_rate_costs": SettingKey(
        _plain(discount_rate), None, "`3%`, `0.03`, or `3.5%; from 30: 3%`."
    ),
    "discount_rate_outcomes": SettingKey(_plain(discount_rate), None, "As for costs."),
    "discounting": SettingKey(_choice(*DISCOUNTING), DISCOUNTING[0], "Methods 3.2."),
    "cycle_correction": SettingKey(
        _choice(*CYCLE_CORRECTIONS), CYCLE_CORRECTIONS[0], "Methods 3.1."
    ),
    "crossing": SettingKey(
        _choice(*CROSSING_RULES), CROSSING_RULES[0], "What to do where PFS exceeds OS."
    ),
    "crossing_limit": SettingKey(
        _plain(share), "1%", "Share of life-years moved by the cap that is worth a warning."
    ),
    "structure": SettingKey(
        _choice(*STRUCTURES), STRUCTURES[0], "How curves become states: methods 9."
    ),
    "pps_follow_up": SettingKey(
        _blank_or(duration),
        "",
        "Time from which survival after progression is derived; blank is the horizon: methods 9.",
    ),
    "background_mortality": SettingKey(
        _choice(*BACKGROUND_METHODS),
        BACKGROUND_METHODS[0],
        "Methods 1.7; all but `none` need the table `life_table` and an age at the start.",
    ),
    "smr": SettingKey(_formula, "1", "Standardised mortality ratio to the population."),
    "smr_of": SettingKey(_choice(*SMR_OF), SMR_OF[0], "Whose hazard `smr` multiplies."),
    "age_adjusted_utilities": SettingKey(_plain(yes_no), "no", "Utilities fall with age."),
    "utility_cap": SettingKey(_choice(*UTILITY_CAPS), UTILITY_CAPS[0], "Cap at population norms."),
    "start_age": SettingKey(_blank_or(_formula), "", "Age at the start, in years."),
    "male_share": SettingKey(_blank_or(_formula), "", "Share of men at the start."),
    "start_year": SettingKey(
        _blank_or(_plain(_calendar)), "", "Calendar time at the start: `2025`; for `year`s."
    ),
    "evlyg_utility": SettingKey(_plain(_utility), "0.851", "Utility of added life-years."),
    "severity_weight": SettingKey(_plain(_positive), "1", "Weight of QALYs in net benefit."),
    "reference": SettingKey(_text, None, "The strategy others are compared with."),
    "price_parameter": SettingKey(_text, "", "The parameter that is the price."),
    "thresholds": SettingKey(_plain(numbers), None, "Money per QALY: `50000; 100000`."),
    "decision_horizon": SettingKey(
        _blank_or(duration), "", "Time over which a decision holds: `5 years`."
    ),
    "incidence": SettingKey(_blank_or(_plain(_not_negative)), "", "Patients a year."),
    "psa_samples": SettingKey(_at_least(1), "10000", "Draws of the probabilistic analysis."),
    "psa_seed": SettingKey(_at_least(0), "1", "Seed of its random numbers."),
    "psa_sampler": SettingKey(_choice(*SAMPLERS), SAMPLERS[0], "How draws are made."),
    "psa_replicates": SettingKey(
        _at_least(2), "10", "Randomisations, for latin_hypercube and sobol."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetValue:
    """One value of an agency's preset, with its source and how far it was confirmed."""

    key: str
    value: str
    unit: str
    source: str
    confidence: str
    note: str


#: Texts that stand in for missing keys, so that the rest of a study can still be checked.
_STAND_IN = {
    "currency": "XXX",
    "cycle_length": "1 year",
    "horizon": "1 year",
    "discount_rate_costs": "0%",
    "discount_rate_outcomes": "0%",
    "reference": "-",
    "thresholds": "0",
}


def _presets() -> Path:
    return Path(__file__).parents[1] / "presets"


def preset_names() -> tuple[str, ...]:
    """Names of the presets that ship with the package."""
    return tuple(sorted(file.stem for file in _presets().glob("*.csv")))


def preset(agency: str) -> Mapping[str, PresetValue]:
    """Values of an agency's preset by settings key."""
    path = _presets() / f"{agency}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        values = [PresetValue(**row) for row in csv.DictReader(file)]
    return {value.key: value for value in values}


@dataclass(frozen=True, slots=True)
class Written:
    """Text of one setting, its unit, where it stands, and where it came from."""

    text: str
    unit: str
    place: Place
    origin: str


def parse_setting(key: str, text: str, unit: str = "") -> Any:
    """Read one setting's text.

    Raises
    ------
    CellError
        When the key is unknown or the text is not what belongs there.
    """
    if key not in SETTINGS:
        raise CellError(f"`{key}` is not a setting{did_you_mean(key, SETTINGS)}")
    return SETTINGS[key].read(text, unit)


def read_settings(reading: Reading) -> Settings:
    """Make the settings of the table, the preset and the defaults.

    Where one is wrong the table ``settings`` is broken, and stand-ins let the rest be checked.
    """
    written = _written(reading)
    agency = written.get("agency")
    if agency is not None and agency.text in preset_names():
        _fill_from_preset(reading, agency, written)
    table = reading.tables.get("settings")
    home = table.place if table else reading.root
    origin: dict[str, tuple[str, str]] = {}
    places: dict[str, Place] = {}
    values: dict[str, Any] = {}
    for key, entry in SETTINGS.items():
        found = written.get(key)
        if found is None and entry.default is None:
            if table is not None:
                message = f"the setting `{key}` is missing: {entry.meaning.rstrip('.')}"
                if key == "thresholds" and agency is not None and _foreign(agency.text, written):
                    message += f" (those of the preset `{agency.text}` are in another currency)"
                reading.problem(home, message)
            reading.broken.add("settings")
        if found is None:
            text = _STAND_IN[key] if entry.default is None else entry.default
            found = Written(text, "", home, "default")
        places[key] = found.place
        origin[key] = (_with_unit(found), found.origin)
        try:
            values[key] = parse_setting(key, found.text, found.unit)
        except CellError as error:
            reading.problem(found.place, f"{key}: {error}", "settings")
            stand_in = _STAND_IN[key] if entry.default is None else entry.default
            values[key] = parse_setting(key, stand_in)
        _check_names(reading, key, values[key], found.place)
    values["title"] = values["title"] or Path(reading.root.file).stem
    return Settings(**values, origin=origin, places=places)


def _with_unit(found: Written) -> str:
    return f"{found.text} {found.unit}".strip() if is_number(found.text) else found.text


def _written(reading: Reading) -> dict[str, Written]:
    """Texts of the table ``settings`` by key; a row without a value is as if it were absent."""
    written: dict[str, Written] = {}
    places: dict[str, Place] = {}
    for row in reading.rows("settings"):
        key, value = row["key"], row["value"]
        if not key.text:
            reading.problem(row.place, "`key` is blank", "settings")
        elif key.text not in SETTINGS:
            hint = did_you_mean(key.text, SETTINGS)
            reading.problem(key.place, f"`{key.text}` is not a setting{hint}", "settings")
        elif key.text in places:
            first = places[key.text].row
            message = f"`{key.text}` stands here twice; the first is in row {first}"
            reading.problem(key.place, message, "settings")
        else:
            places[key.text] = row.place
            if value.broken:
                reading.broken.add("settings")
            if value.text:
                unit = row["unit"].text
                written[key.text] = Written(value.text, unit, value.place, "settings")
    return written


def _fill_from_preset(reading: Reading, agency: Written, written: dict[str, Written]) -> None:
    """Let the preset's values stand where the table is silent, and warn of unconfirmed ones."""
    for key, value in preset(agency.text).items():
        if key in written or (key == "thresholds" and _foreign(agency.text, written)):
            continue
        origin = f"preset {agency.text}"
        written[key] = Written(value.value, value.unit, agency.place, origin)
        if value.confidence == "recalled":
            reading.warn(
                agency.place,
                f"{key} = {value.value} comes from the preset `{agency.text}`, where it is"
                " recalled and not checked against its source; confirm it",
            )


def _foreign(agency: str, written: Mapping[str, Written]) -> bool:
    """Whether the study's currency is another than that of the preset's thresholds."""
    own, theirs = written.get("currency"), preset(agency).get("currency")
    return own is not None and theirs is not None and own.text != theirs.value


def _check_names(reading: Reading, key: str, value: Any, place: Place) -> None:
    """Check the parameter ids that a setting names."""
    names: tuple[str, ...] = ()
    if isinstance(value, Expression):
        names = value.names
        for message in value.warnings:
            reading.warn(place, f"{key}: {message}")
    elif key == "price_parameter" and value:
        names = (value,)
    for name in names:
        if name not in reading.parameter_ids and "parameters" not in reading.unread:
            hint = did_you_mean(name, reading.parameter_ids)
            reading.problem(place, f"{key}: `{name}` is not a parameter{hint}", "settings")
