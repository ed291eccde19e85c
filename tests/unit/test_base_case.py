from dataclasses import replace

import pytest
from linear_study import GAIN, PRICE, linear_study
from small_studies import cost, curve, event, settings, study, utility

from heor.analyses import accrual, base_case
from heor.engine.evaluate import evaluate
from heor.spec import draws as draw_sets


@pytest.fixture(scope="module")
def spec():
    """Two strategies that differ in everything, with an adverse event on one."""
    return study(
        [
            curve("a", "pfs", "exponential", {"rate": 0.6}),
            curve("a", "os", "exponential", {"rate": 0.3}),
            curve("b", "pfs", "exponential", {"rate": 0.3}),
            curve("b", "os", "exponential", {"rate": 0.15}),
        ],
        options=settings(
            cycle_length=0.25,
            horizon=30.0,
            thresholds=(0.0, 50_000.0, 100_000.0),
            severity_weight=1.2,
        ),
        utilities=[utility("all", "progression_free", 0.8), utility("all", "progressed", 0.6)],
        costs=[
            cost("b", "start", 50_000),
            cost("all", "in_state", 4_000, state="progressed"),
            cost("all", "entry", 2_000, state="dead"),
        ],
        events=[event("b", 0.5, 3_000, 0.4, 30)],
    )


@pytest.fixture(scope="module")
def base(spec):
    return base_case.run(spec)


def test_parts_sum_to_totals(base):
    for row in base.strategies:
        for total, *parts in (
            (row.cost, row.cost_by_category, row.cost_by_state),
            (
                row.cost_undiscounted,
                row.cost_by_category_undiscounted,
                row.cost_by_state_undiscounted,
            ),
            (row.ly, row.ly_by_state),
            (row.ly_undiscounted, row.ly_by_state_undiscounted),
            (row.qaly, row.qaly_by_state),
            (row.qaly_undiscounted, row.qaly_by_state_undiscounted),
        ):
            for part in parts:
                assert sum(part.values()) == pytest.approx(total, rel=1e-12)
    assert base.totals("b").cost_by_category["adverse events"] == 1500
    assert base.totals("b").qaly_by_state["events"] == pytest.approx(-0.2 * 30 / 365.25)
    assert base.totals("a").cost_by_category["adverse events"] == 0


def test_pairwise_is_the_difference_of_totals(base):
    (row,) = base.pairwise
    a, b = base.totals("a"), base.totals("b")
    assert (row.id, row.versus) == ("b", "a")
    assert row.delta_cost == b.cost - a.cost
    assert row.delta_qaly == b.qaly - a.qaly
    assert row.delta_ly == b.ly - a.ly
    assert row.evlyg == b.evly - a.evly
    assert row.delta_cost_undiscounted == b.cost_undiscounted - a.cost_undiscounted
    assert row.delta_qaly_undiscounted == b.qaly_undiscounted - a.qaly_undiscounted
    assert row.delta_ly_undiscounted == b.ly_undiscounted - a.ly_undiscounted
    assert row.icer == row.delta_cost / row.delta_qaly == base.incremental[1].icer
    for i, k in enumerate(base.thresholds):
        assert row.inmb[i] == pytest.approx(b.nmb[i] - a.nmb[i])
        assert b.nmb[i] == pytest.approx(k * 1.2 * b.qaly - b.cost)
    assert b.nhb[0] is None
    assert b.nhb[2] == pytest.approx(1.2 * b.qaly - b.cost / 100_000)
    assert base.best == ("a", *("b" if inmb > 0 else "a" for inmb in row.inmb[1:]))


def test_evlyg_is_at_least_the_qaly_gain(base):
    (row,) = base.pairwise
    assert row.delta_ly > 0
    assert row.evlyg > row.delta_qaly


def test_one_row_of_many(spec):
    linear = linear_study()
    draws = draw_sets.sample(linear, 5, seed=1)
    third = base_case.of_row(linear, draws, evaluate(linear, draws), 2)
    alone = base_case.of_row(linear, draws.rows(2, 3), evaluate(linear, draws.rows(2, 3)), 0)
    assert third.strategies == alone.strategies
    assert third.pairwise[0].delta_cost == draws.values["price"][2]
    assert len(third.outcomes) == len(third.draws) == 1


def test_closed_form(spec):
    base = base_case.run(linear_study(certain=True))
    (row,) = base.pairwise
    assert row.delta_cost == PRICE[0]
    assert row.delta_qaly == pytest.approx(GAIN[0] * base.totals("a").ly, rel=1e-12)


def test_one_strategy_has_nothing_to_compare(spec):
    alone = replace(
        spec,
        strategies=spec.strategies[:1],
        curves=tuple(c for c in spec.curves if c.strategy == "a"),
    )
    base = base_case.run(alone)
    assert (base.incremental, base.pairwise) == ((), ())
    assert base.best == ("a", "a", "a")


class TestAccrual:
    def test_is_the_gain_of_a_shorter_horizon(self, spec, base):
        rows = accrual.run(spec, (5, 10, 29))
        assert [(row.id, row.versus, row.year) for row in rows] == [
            ("b", "a", 5),
            ("b", "a", 10),
            ("b", "a", 29),
        ]
        for row in rows:
            short = replace(spec, settings=replace(spec.settings, horizon=row.year))
            (pair,) = base_case.run(short).pairwise
            assert row.delta_qaly == pytest.approx(pair.delta_qaly, rel=1e-12)
            assert row.delta_ly == pytest.approx(pair.delta_ly, rel=1e-12)
            assert row.qaly_share == pytest.approx(pair.delta_qaly / base.pairwise[0].delta_qaly)
            assert row.ly_share == pytest.approx(pair.delta_ly / base.pairwise[0].delta_ly)
            assert row.within_horizon

    def test_past_the_horizon_everything_has_accrued(self, spec, base):
        (row,) = accrual.run(spec, (40,))
        assert row.qaly_share == pytest.approx(1, abs=1e-12)
        assert row.delta_ly == pytest.approx(base.pairwise[0].delta_ly, rel=1e-12)
        assert not row.within_horizon

    def test_no_gain_no_share(self):
        rows = accrual.run(linear_study(certain=True))
        assert [row.year for row in rows] == list(accrual.YEARS)
        assert all(row.ly_share is None and row.delta_ly == 0 for row in rows)
        assert all(row.qaly_share is not None for row in rows)
