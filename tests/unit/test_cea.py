import numpy as np
import pytest

from heor.analyses import cea, ceac
from heor.analyses.results import (
    EXTENDEDLY_DOMINATED,
    ON_AXIS,
    ON_FRONTIER,
    STRICTLY_DOMINATED,
)


def table(**totals):
    rows = cea.incremental_table(
        list(totals), [c for c, _ in totals.values()], [q for _, q in totals.values()]
    )
    return {row.id: row for row in rows}


class TestIncrementalTable:
    def test_equal_icers_stay_and_say_so(self):
        rows = table(a=(0, 0), b=(100, 1), c=(200, 2), d=(300, 3))
        assert [row.status for row in rows.values()] == [ON_FRONTIER] * 4
        assert [row.icer for row in rows.values()] == [None, 100, 100, 100]
        assert rows["b"].note == ""
        assert rows["c"].note.startswith("same ICER as b, which stays on the frontier")

    def test_equal_icers_in_spite_of_rounding(self):
        # 0.1 + 0.2 != 0.3: the ratios differ in the last digit.
        rows = table(a=(0, 0), b=(10_000.1, 0.1), c=(30_000.3, 0.3))
        assert rows["b"].status == ON_FRONTIER
        assert "same ICER" in rows["c"].note

    def test_slightly_above_the_next_icer_is_extendedly_dominated(self):
        rows = table(a=(0, 0), b=(100.001, 1), c=(200, 2))
        assert rows["b"].status == EXTENDEDLY_DOMINATED
        assert rows["b"].dominated_by == ("a", "c")
        assert rows["b"].icer is None
        assert (rows["c"].versus, rows["c"].icer) == ("a", 100)

    def test_extended_dominance_is_found_after_a_removal(self):
        # c goes first; only then does b's ICER exceed the next.
        rows = table(a=(0, 0), b=(10, 1), c=(30, 2), d=(43, 4))
        assert [i for i, row in rows.items() if row.status == ON_FRONTIER] == ["a", "b", "d"]
        rows = table(a=(0, 0), b=(10, 1), c=(30, 2), d=(43, 5))
        assert [i for i, row in rows.items() if row.status == ON_FRONTIER] == ["a", "d"]
        assert rows["b"].dominated_by == rows["c"].dominated_by == ("a", "d")

    def test_every_dominator_is_named(self):
        rows = table(bad=(50, 1), good=(40, 2), better=(30, 3))
        assert rows["bad"].status == STRICTLY_DOMINATED
        assert rows["bad"].dominated_by == ("better", "good")
        assert rows["good"].dominated_by == ("better",)

    @pytest.mark.parametrize("other", [(100, 0.5), (101, 1), (101, 1 + 5e-10)])
    def test_dominance_with_one_equality(self, other):
        rows = table(a=(100, 1), b=other)
        assert rows["b"].status == STRICTLY_DOMINATED
        assert rows["b"].dominated_by == ("a",)

    def test_cheapest_of_equal_cost_is_the_one_with_more_qalys(self):
        rows = table(a=(100, 1), b=(100, 2))
        assert [(i, row.status) for i, row in rows.items()] == [
            ("b", ON_FRONTIER),
            ("a", STRICTLY_DOMINATED),
        ]

    def test_duplicates_share_their_result(self):
        rows = table(a=(0, 0), b=(100, 1), twin=(100, 1), c=(300, 2))
        assert (rows["b"].icer, rows["twin"].icer) == (100, 100)
        assert rows["twin"].versus == "a"
        assert rows["b"].note == "same cost and QALYs as twin"
        assert rows["c"].versus == "b"

    def test_duplicates_of_a_dominated_strategy(self):
        rows = table(a=(0, 1), b=(5, 0), twin=(5, 0))
        assert rows["b"].dominated_by == rows["twin"].dominated_by == ("a",)
        assert rows["twin"].note == "same cost and QALYs as b"

    def test_two_identical_strategies(self):
        rows = table(a=(7, 1), b=(7, 1))
        assert all(row.status == ON_FRONTIER and row.icer is None for row in rows.values())

    @pytest.mark.parametrize(
        ("ids", "costs", "qalys", "message"),
        [
            (["a"], [1], [1], "at least two"),
            (["a", "a"], [1, 2], [1, 2], "must differ"),
            (["a", "b"], [1, 2], [1], "do not match"),
            (["a", "b"], [1, float("nan")], [1, 2], "strategy b"),
        ],
    )
    def test_refuses(self, ids, costs, qalys, message):
        with pytest.raises(ValueError, match=message):
            cea.incremental_table(ids, costs, qalys)


class TestPairwise:
    @pytest.mark.parametrize(
        ("delta_cost", "delta_qaly", "where", "icer", "words"),
        [
            (10_000, 0.5, "NE", 20_000, "more costly, more effective"),
            (-10_000, 0.5, "SE", None, "dominant"),
            (10_000, -0.5, "NW", None, "dominated"),
            (
                -10_000,
                -0.5,
                "SW",
                None,
                "less costly, less effective: saves USD 20,000 per QALY forgone",
            ),
            (10_000, 9e-10, ON_AXIS, None, "dominated: same QALYs, more costly"),
            (-10_000, -9e-10, ON_AXIS, None, "dominant: same QALYs, less costly"),
            (0, 0.5, ON_AXIS, None, "dominant: same cost, more QALYs"),
            (0, -0.5, ON_AXIS, None, "dominated: same cost, fewer QALYs"),
            (0, 0, ON_AXIS, None, "no difference in cost or QALYs"),
        ],
    )
    def test_quadrants(self, delta_cost, delta_qaly, where, icer, words):
        row = cea.pairwise(
            "new", "old", delta_cost=delta_cost, delta_qaly=delta_qaly, currency="USD"
        )
        assert (row.quadrant, row.icer, row.status) == (where, icer, words)

    def test_saving_only_in_the_south_west(self):
        row = cea.pairwise("new", "old", delta_cost=-10_000, delta_qaly=-0.5)
        assert row.saving_per_qaly_forgone == 20_000
        row = cea.pairwise("new", "old", delta_cost=-10_000, delta_qaly=0.5)
        assert row.saving_per_qaly_forgone is None

    def test_other_ratios(self):
        row = cea.pairwise("new", "old", delta_cost=9000, delta_qaly=0.5, delta_ly=0.75, evlyg=0.6)
        assert row.cost_per_ly == 12_000
        assert row.cost_per_evlyg == 15_000
        row = cea.pairwise("new", "old", delta_cost=9000, delta_qaly=0.5, delta_ly=-1, evlyg=0)
        assert row.cost_per_ly is None
        assert row.cost_per_evlyg is None

    def test_net_benefit_with_severity_weight(self):
        row = cea.pairwise(
            "new",
            "old",
            delta_cost=60_000,
            delta_qaly=0.5,
            thresholds=(0, 100_000),
            severity_weight=1.7,
        )
        assert row.inmb == (-60_000, 25_000)
        assert row.inhb == (None, pytest.approx(0.25))
        assert row.icer == 120_000

    def test_quadrant_shares(self):
        delta_cost = np.array([1.0, -1, -1, 1, 0, 1, 2, 3])
        delta_qaly = np.array([1.0, 1, -1, -1, 1, 0, 1, 1])
        shares = cea.quadrant_shares(delta_cost, delta_qaly)
        assert shares == {"NE": 3 / 8, "SE": 1 / 8, "SW": 1 / 8, "NW": 1 / 8, ON_AXIS: 2 / 8}


class TestAcceptability:
    costs = np.array([[0.0, 10, 10], [0, 10, 10], [0, 10, 40], [0, 10, 40]])
    qalys = np.array([[0.0, 1, 1], [0, 1, 1], [0, 1, 2], [0, -1, -1]])

    def test_by_hand(self):
        result = ceac.acceptability("abc", self.costs, self.qalys, [0, 20])
        # At 20 per QALY: draws 1 and 2 are ties of b and c, draw 3 b 10 against c 0, draw 4 a.
        assert result.ceac.tolist() == [[1, 0, 0], [0.25, 0.5, 0.25]]
        # Mean NMB 0, 0, -10: a and b tie, the first counts.
        assert result.expected_loss.tolist() == [[0, 10, 25], [7.5, 7.5, 17.5]]
        assert result.best.tolist() == [0, 0]
        assert result.ceaf.tolist() == [1, 0.25]
        assert result.evpi.tolist() == [0, 7.5]

    def test_severity_weight_is_a_higher_threshold(self):
        weighted = ceac.ceac(self.costs, self.qalys, [20], severity_weight=1.7)
        np.testing.assert_array_equal(weighted, ceac.ceac(self.costs, self.qalys, [34]))

    def test_blocks_of_draws_do_not_matter(self, monkeypatch):
        rng = np.random.default_rng(3)
        costs, qalys = rng.normal(10, 3, (1000, 3)), rng.normal(1, 0.3, (1000, 3))
        whole = ceac.acceptability("abc", costs, qalys, [5, 10])
        monkeypatch.setattr(ceac, "BLOCK", 7)
        parts = ceac.acceptability("abc", costs, qalys, [5, 10])
        np.testing.assert_array_equal(parts.ceac, whole.ceac)
        np.testing.assert_allclose(parts.evpi, whole.evpi, rtol=1e-12)
        np.testing.assert_array_equal(ceac.ceaf(costs, qalys, [5, 10]), whole.ceaf)
        np.testing.assert_array_equal(ceac.evpi(costs, qalys, [5, 10]), parts.evpi)

    @pytest.mark.parametrize("shape", [(0, 3), (4, 2), (4,)])
    def test_refuses_wrong_shapes(self, shape):
        with pytest.raises(ValueError, match="draw"):
            ceac.acceptability("abc", np.zeros(shape), np.zeros(shape), [1])


class TestThresholdGrid:
    def psa(self, icer, share_better=1.0, n=4000):
        rng = np.random.default_rng(11)
        better = rng.random(n) < share_better
        gain = np.where(better, rng.gamma(16, 1 / 16, n), -rng.gamma(16, 1 / 160, n))
        zero = np.zeros(n)
        return np.column_stack([zero, np.full(n, icer)]), np.column_stack([zero, gain])

    def test_reaches_where_the_curve_stops_moving(self):
        costs, qalys = self.psa(1_000_000)
        grid = ceac.threshold_grid(costs, qalys, (50_000, 100_000, 150_000))
        curve = ceac.ceac(costs, qalys, grid)[:, 1]
        assert grid[-1] > 1_000_000
        assert curve[-1] >= 0.95
        assert curve[np.searchsorted(grid, grid[-1] / 2)] < 0.95
        nearer = ceac.threshold_grid(costs, qalys, (50_000,), within=0.001)
        assert ceac.ceac(costs, qalys, [nearer[-1]])[0, 1] >= 0.999
        assert {0.0, 50_000, 100_000, 150_000} <= set(grid)
        assert 101 <= len(grid) <= 204
        assert (np.diff(grid) > 0).all()

    def test_limit_is_the_chance_of_a_gain(self):
        costs, qalys = self.psa(50_000, share_better=0.8)
        grid = ceac.threshold_grid(costs, qalys)
        gain = (qalys[:, 1] > 0).mean()
        assert ceac.ceac(costs, qalys, [grid[-1]])[0, 1] == pytest.approx(gain, abs=0.05)

    def test_is_bounded_when_gains_are_near_zero(self):
        gain = np.random.default_rng(5).normal(0, 1, 4000)
        gain += -0.01 - gain.mean()
        costs = np.column_stack([np.zeros(4000), np.full(4000, 1e6)])
        qalys = np.column_stack([np.zeros(4000), gain])
        # Settled near 8e6 = 1e6·φ(0)/0.05; the means give no ICER, so the end is ten times the
        # threshold.
        assert ceac.threshold_grid(costs, qalys, (100_000,))[-1] == 1_000_000
        assert ceac.threshold_grid(costs, qalys, (100_000,), furthest=1e9)[-1] > 7e6

    def test_covers_the_study_thresholds(self):
        costs, qalys = self.psa(10)
        assert ceac.threshold_grid(costs, qalys, (150_000, 33_333.25))[-1] == 150_000
        assert 33_333.25 in ceac.threshold_grid(costs, qalys, (150_000, 33_333.25))

    def test_when_nothing_moves(self):
        grid = ceac.threshold_grid(np.zeros((3, 2)), np.zeros((3, 2)))
        assert (grid[0], grid[-1], len(grid)) == (0, ceac.DEFAULT_AXIS_END, 101)

    @pytest.mark.parametrize("scale", [1e-3, 0.07, 1, 999, 3.3e9])
    def test_any_scale(self, scale):
        costs, qalys = self.psa(scale)
        grid = ceac.threshold_grid(costs, qalys)
        assert 101 <= len(grid) <= 201
        np.testing.assert_allclose(np.diff(grid), grid[-1] / (len(grid) - 1), rtol=1e-6)

    def test_does_not_depend_on_the_order_of_draws_or_strategies(self):
        costs, qalys = self.psa(70_000, share_better=0.9)
        grid = ceac.threshold_grid(costs, qalys, (100_000,))
        turned = ceac.threshold_grid(costs[::-1, ::-1], qalys[::-1, ::-1], (100_000,))
        np.testing.assert_array_equal(grid, turned)


@pytest.mark.parametrize(
    ("thresholds", "middle"), [((150, 50, 100), 100), ((50, 100), 100), ((7,), 7)]
)
def test_middle_threshold(thresholds, middle):
    assert ceac.middle_threshold(thresholds) == middle


def test_middle_threshold_needs_one():
    with pytest.raises(ValueError, match="no thresholds"):
        ceac.middle_threshold(())
