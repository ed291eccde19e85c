"""What holds of every comparison, whatever the numbers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heor.analyses import cea, ceac
from heor.analyses.results import EXTENDEDLY_DOMINATED, ON_FRONTIER, STRICTLY_DOMINATED

# Cents and thousandths of a QALY: ties and collinear points do occur.
totals = st.lists(
    st.tuples(
        st.integers(-2_000, 60_000).map(lambda c: c / 4),
        st.integers(-500, 8_000).map(lambda q: q / 1000),
    ),
    min_size=2,
    max_size=9,
)
small_totals = st.lists(
    st.tuples(st.integers(0, 6).map(float), st.integers(0, 6).map(float)), min_size=2, max_size=9
)


def table_of(points):
    ids = [f"s{i}" for i in range(len(points))]
    return cea.incremental_table(ids, [c for c, _ in points], [q for _, q in points])


@settings(deadline=None)
@given(st.one_of(totals, small_totals))
def test_frontier_icers_rise(points):
    icers = [row.icer for row in table_of(points) if row.icer is not None]
    assert all(a <= b * (1 + 1e-9) for a, b in pairwise(icers))


@settings(deadline=None)
@given(st.one_of(totals, small_totals), st.floats(0, 1e6))
def test_a_frontier_strategy_is_best_at_every_threshold(points, k):
    rows = table_of(points)
    nmb = {row.id: k * row.qaly - row.cost for row in rows}
    best = max(nmb[row.id] for row in rows if row.status == ON_FRONTIER)
    assert best == pytest.approx(max(nmb.values()), rel=1e-9, abs=1e-6)


@settings(deadline=None)
@given(st.one_of(totals, small_totals))
def test_each_frontier_strategy_is_best_at_its_own_icer(points):
    rows = table_of(points)
    for row in rows:
        if row.status == ON_FRONTIER and row.icer is not None:
            nmb = [row.icer * other.qaly - other.cost for other in rows]
            assert row.icer * row.qaly - row.cost == pytest.approx(max(nmb), rel=1e-9, abs=1e-6)


@settings(deadline=None)
@given(st.one_of(totals, small_totals))
def test_off_the_frontier_is_never_the_only_best(points):
    rows = {row.id: row for row in table_of(points)}
    for row in rows.values():
        if row.status == STRICTLY_DOMINATED:
            assert row.dominated_by
            for name in row.dominated_by:
                other = rows[name]
                assert other.cost <= row.cost
                assert other.qaly >= row.qaly - cea.QALY_TOLERANCE
        elif row.status == EXTENDEDLY_DOMINATED:
            low, high = (rows[name] for name in row.dominated_by)
            assert low.status == high.status == ON_FRONTIER
            share = (row.qaly - low.qaly) / (high.qaly - low.qaly)
            assert low.cost + share * (high.cost - low.cost) < row.cost


@settings(deadline=None)
@given(st.one_of(totals, small_totals), st.randoms(use_true_random=False))
def test_the_table_does_not_depend_on_the_order_of_rows(points, random):
    named = [(f"s{i}", c, q) for i, (c, q) in enumerate(points)]
    before = cea.incremental_table(*zip(*named, strict=True))
    random.shuffle(named)
    after = cea.incremental_table(*zip(*named, strict=True))

    def essence(rows):
        return {row.id: (row.status, row.icer, frozenset(row.dominated_by)) for row in rows}

    heads = {(row.cost, row.qaly) for row in before}
    if len(heads) == len(points):
        assert essence(before) == essence(after)
    assert {i: e[:2] for i, e in essence(before).items()} == {
        i: e[:2] for i, e in essence(after).items()
    }


draw_sets = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@settings(deadline=None)
@given(draw_sets, st.integers(1, 40), st.integers(2, 5), st.booleans())
def test_acceptability(rng, n, s, whole_numbers):
    costs = rng.normal(50_000, 20_000, (n, s))
    qalys = rng.normal(2, 1, (n, s))
    if whole_numbers:  # many ties
        costs, qalys = rng.integers(0, 3, (n, s)) * 1000.0, rng.integers(0, 3, (n, s)) * 1.0
    thresholds = np.array([0, 1000, 20_000, 1e6])
    names = [f"s{i}" for i in range(s)]
    result = ceac.acceptability(names, costs, qalys, thresholds)
    assert result.ceac.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (result.evpi >= 0).all()
    assert (result.evpi <= result.expected_loss.min(axis=1)).all()
    order = rng.permutation(s)
    again = ceac.acceptability(names, costs[:, order], qalys[:, order], thresholds)
    np.testing.assert_array_equal(again.ceac, result.ceac[:, order])
    np.testing.assert_allclose(again.evpi, result.evpi, rtol=1e-12, atol=1e-6)
    by_hand = np.array(
        [
            (nmb.max(axis=1).mean() - nmb.mean(axis=0).max())
            for nmb in (k * qalys - costs for k in thresholds)
        ]
    )
    np.testing.assert_allclose(result.evpi, by_hand, atol=1e-6)
