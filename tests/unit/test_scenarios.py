import math

import pytest
from study_folder import TABLES, write_study

from heor.analyses import base_case, scenarios
from heor.errors import HeorError
from heor.spec.reader import read_study


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return read_study(write_study(tmp_path_factory.mktemp("study") / "small"))


@pytest.fixture(scope="module")
def base(spec):
    return base_case.run(spec)


@pytest.fixture(scope="module")
def results(spec, base):
    return {result.name: result for result in scenarios.run(spec, base=base)}


def life_years(rate, discount, horizon=30.0):
    force = rate + math.log1p(discount)
    return (1 - math.exp(-force * horizon)) / force


def test_all_in_table_order_with_their_changes(results):
    assert list(results) == [
        "Free drug",
        "Dear drug",
        "No gain",
        "No discounting",
        "Turned round",
        "Same",
    ]
    assert results["Free drug"].purpose == "What the price does."
    assert results["No discounting"].changes == (
        ("discount_rate_costs", "0%"),
        ("discount_rate_outcomes", "0%"),
    )


@pytest.mark.parametrize(
    ("name", "price", "direction"),
    [
        ("Free drug", 0, "favourable"),
        ("Dear drug", 120_000, "unfavourable"),
        ("Same", 90_000, "neutral"),
    ],
)
def test_a_price_moves_inmb_by_its_change(results, base, name, price, direction):
    result = results[name]
    (effect,) = result.effects
    assert effect.id == "new"
    assert effect.direction == direction
    assert effect.delta_inmb == pytest.approx([90_000 - price] * 3, abs=1e-6)
    assert effect.inmb == pytest.approx([x + 90_000 - price for x in base.pairwise[0].inmb])
    assert result.result.pairwise[0].inmb == pytest.approx(effect.inmb)
    assert (result.threshold, result.thresholds) == (100_000, (50_000, 100_000, 150_000))


def test_another_curve(results):
    row = results["No gain"].result.pairwise[0]
    assert row.delta_ly == 0
    assert row.delta_qaly == pytest.approx(0, abs=1e-12)
    assert row.status == "dominated: same QALYs, more costly"
    assert results["No gain"].effects[0].direction == "unfavourable"


def test_settings_against_the_closed_form(results, base):
    # Monthly trapezoid of an exponential: relative error (rate/12)^2/12.
    discounted = life_years(0.2, 0.03) - life_years(0.4, 0.03)
    plain = life_years(0.2, 0) - life_years(0.4, 0)
    assert base.pairwise[0].delta_ly == pytest.approx(discounted, rel=2e-4)
    assert results["No discounting"].result.pairwise[0].delta_ly == pytest.approx(plain, rel=2e-4)


def test_effects_keep_the_base_reference(results, base):
    turned = results["Turned round"]
    assert turned.result.reference == "new"
    assert turned.result.pairwise[0].id == "old"
    (effect,) = turned.effects
    assert effect.id == "new"
    assert effect.inmb == pytest.approx(base.pairwise[0].inmb, rel=1e-12)
    assert effect.direction == "neutral"


def test_by_name_in_the_order_asked(spec):
    chosen = scenarios.run(spec, ["Same", "Free drug"])
    assert [result.name for result in chosen] == ["Same", "Free drug"]


def test_unknown_name(spec):
    with pytest.raises(HeorError, match="no scenario 'Free drugs'; did you mean 'Free drug'"):
        scenarios.run(spec, ["Free drugs"])
    with pytest.raises(HeorError, match="no scenario 'xyz'; there are Free drug, Dear drug"):
        scenarios.run(spec, ["xyz"])


def test_study_without_scenarios(tmp_path):
    header = TABLES["scenarios"].splitlines()[0] + "\n"
    spec = read_study(write_study(tmp_path / "bare", scenarios=header))
    assert scenarios.run(spec) == ()
    with pytest.raises(HeorError, match="the study has no scenarios"):
        scenarios.run(spec, ["Same"])
