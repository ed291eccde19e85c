"""Settings, their presets, and the strict reading of values."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from heor.spec.reader import read_study
from heor.spec.records import DiscountRate, Settings
from heor.spec.settings import CONFIDENCE, SETTINGS, parse_setting, preset, preset_names
from heor.spec.values import (
    CellError,
    discount_rate,
    duration,
    number,
    numbers,
    rate,
    spoiled_number,
    time_unit,
    whole_number,
    yes_no,
)

BASE = Path(__file__).parents[1] / "bad_inputs" / "base"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "study"))


def with_settings(study: Path, *rows: str, without: tuple[str, ...] = ()) -> Settings:
    """Read the base study with some settings left out and others added."""
    path = study / "settings.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition(",")[0] not in without]
    path.write_text("\n".join([*kept, *rows]) + "\n", encoding="utf-8")
    return read_study(study).settings


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"), [("4", 4.0), ("-0.25", -0.25), (".5", 0.5), ("1e-3", 0.001), ("+2.", 2.0)]
)
def test_numbers(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "1_000", "١", "0x10", "1e", "--1", "1 2", "4,000", "4.000,5", "4 000", "4'000", "25%",
     "2025-01-03", "3-Jan", "Jan-25", "12:30", "TRUE", "nan", "Infinity", "€5", "1e400"],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(CellError):
        number(text)


@pytest.mark.parametrize("text", ["1-orr", "orr", "a/b", "min(1,2)", "3-january_rate", "os-12"])
def test_formulas_are_not_taken_for_spoiled_numbers(text: str) -> None:
    assert spoiled_number(text) == ""


@pytest.mark.parametrize(
    ("text", "unit", "years"),
    [("1 week", "", 7 / 365.25), ("30 years", "", 30.0), ("6 Months", "", 0.5),
     ("730.5", "days", 2.0), ("1 week", "weeks", 7 / 365.25)],
)  # fmt: skip
def test_durations(text: str, unit: str, years: float) -> None:
    assert duration(text, unit) == years


@pytest.mark.parametrize(
    "text", ["30", "thirty years", "30 yaers", "0 weeks", "-1 week", "1,5 years"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(CellError):
        duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3%", DiscountRate(first=0.03)),
        ("0.035", DiscountRate(first=0.035)),
        ("0", DiscountRate(first=0.0)),
        ("3.5%; from 30: 3%", DiscountRate(first=0.035, step_year=30.0, later=0.03)),
        ("2.5%;from 30 years: 0.015", DiscountRate(first=0.025, step_year=30.0, later=0.015)),
    ],
)
def test_discount_rates(text: str, expected: DiscountRate) -> None:
    assert discount_rate(text) == expected


@pytest.mark.parametrize("text", ["3", "-1%", "100%", "3,5%", "3%; 2%", "3%; from 0: 2%", "three"])
def test_what_is_no_discount_rate(text: str) -> None:
    with pytest.raises(CellError):
        discount_rate(text)


def test_a_rate_above_1_says_what_was_meant() -> None:
    with pytest.raises(CellError, match=r"found '3', which is 300%; write 3% or 0.03"):
        rate("3")


@pytest.mark.parametrize("text", ["50000, 100000", "100000; 50000", "1; 1", "-1", ""])
def test_what_is_no_list_of_thresholds(text: str) -> None:
    with pytest.raises(CellError):
        numbers(text)


def test_words() -> None:
    assert [yes_no(word) for word in ("yes", "X", "TRUE", "no", "False", "")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert time_unit("Months") == "month"
    assert whole_number("12") == 12
    with pytest.raises(CellError, match=r"expected a whole number, found '1.5'"):
        whole_number("1.5")
    with pytest.raises(CellError, match="expected `yes` or `no`, found 'maybe'"):
        yes_no("maybe")


# --- settings and presets ------------------------------------------------------------------------


def test_defaults_are_said_to_be_defaults(study: Path) -> None:
    settings = with_settings(study)

    assert settings.discounting == "mid_cycle"
    assert settings.origin["discounting"] == ("mid_cycle", "default")
    assert settings.origin["horizon"] == ("5 years", "settings")
    assert settings.evlyg_utility == 0.851
    assert settings.severity_weight == 1.0
    assert settings.start_age is None


def test_a_unit_may_stand_in_its_column(study: Path) -> None:
    settings = with_settings(study, "horizon,60,months,", without=("horizon",))

    assert settings.horizon == 5.0
    assert settings.origin["horizon"] == ("60 months", "settings")


def test_a_preset_fills_only_what_the_study_leaves_out(study: Path) -> None:
    settings = with_settings(
        study, "agency,icer,,", "evlyg_utility,0.8,,", without=("thresholds", "discount_rate_costs")
    )

    assert settings.thresholds == (50000.0, 100000.0, 150000.0, 200000.0)
    assert settings.origin["thresholds"][1] == "preset icer"
    assert settings.discount_rate_costs == DiscountRate(first=0.03)
    assert settings.evlyg_utility == 0.8
    assert settings.origin["evlyg_utility"] == ("0.8", "settings")


def test_only_recalled_preset_values_in_effect_are_warned_of(study: Path) -> None:
    with_settings(study, "agency,icer,,", without=("thresholds", "discount_rate_costs"))

    (warning,) = read_study(study).warnings

    assert warning.message == (
        "discount_rate_costs = 3% comes from the preset `icer`, where it is recalled and not"
        " checked against its source; confirm it"
    )


@pytest.mark.parametrize("agency", preset_names())
def test_presets_have_sources_and_values_that_can_be_read(agency: str) -> None:
    values = preset(agency)

    assert {"currency", "discount_rate_costs", "discount_rate_outcomes"} <= set(values)
    for key, value in values.items():
        assert value.source
        assert value.confidence in CONFIDENCE
        assert value.confidence != "recalled" or "ot checked against" in value.note
        parse_setting(key, value.value)
        if key == "thresholds":
            assert value.unit == f"{values['currency'].value}/QALY"


def test_preset_values_known_from_sources() -> None:
    assert preset("nice")["thresholds"].value == "25000; 35000"
    assert preset("hst")["thresholds"].value == "100000"
    assert preset("zin")["discount_rate_costs"].value == "3%"
    assert preset("zin")["discount_rate_outcomes"].value == "1.5%"
    assert preset("pharmac")["discount_rate_outcomes"].value == "3.5%"


def test_every_default_can_be_read() -> None:
    for key, entry in SETTINGS.items():
        if entry.default is not None:
            parse_setting(key, entry.default)
        assert entry.meaning


def test_unknown_setting() -> None:
    with pytest.raises(CellError, match=r"`horizn` is not a setting; did you mean `horizon`\?"):
        parse_setting("horizn", "1 year")
