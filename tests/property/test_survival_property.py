"""What must hold for any parameters of any survival family."""

from __future__ import annotations

import numpy as np
import pytest
from family_numbers import family_called
from hypothesis import example, given
from hypothesis import strategies as st

from heor.engine.mortality import survivors
from heor.spec.records import LifeTable

YEARS = np.arange(0, 300) * 0.1


def between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False)


SHAPE_Q = st.one_of(between(-3.0, 3.0), between(-0.02, 0.02), st.just(0.0), between(-1e-5, 1e-5))
PARAMETERS: dict[str, st.SearchStrategy[tuple[float, ...]]] = {
    "exponential": st.tuples(between(1e-4, 20.0)),
    "weibull": st.tuples(between(0.2, 6.0), between(0.05, 30.0)),
    "gompertz": st.tuples(
        st.one_of(between(-1.0, 1.0), between(-1e-9, 1e-9), st.just(0.0)), between(1e-4, 3.0)
    ),
    "loglogistic": st.tuples(between(0.2, 6.0), between(0.05, 30.0)),
    "lognormal": st.tuples(between(-3.0, 4.0), between(0.1, 3.0)),
    "gamma": st.tuples(between(0.1, 50.0), between(0.02, 20.0)),
    "gengamma": st.tuples(between(-3.0, 4.0), between(0.1, 3.0), SHAPE_Q),
    "genf": st.tuples(between(-3.0, 4.0), between(0.1, 3.0), SHAPE_Q, between(1e-3, 10.0)),
    **{
        f"spline {scale} 4": st.tuples(
            between(-3.0, 1.0),
            between(0.5, 2.0),
            between(-0.02, 0.02),
            between(-0.02, 0.02),
            between(-3.0, -2.0),
            between(-1.5, -0.5),
            between(0.0, 0.8),
            between(1.0, 2.0),
        )
        for scale in ("hazard", "odds", "normal")
    },
}
CASE = st.sampled_from(sorted(PARAMETERS)).flatmap(
    lambda family: st.tuples(st.just(family), st.lists(PARAMETERS[family], min_size=1, max_size=5))
)


def survival(family: str, rows: list[tuple[float, ...]], years: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        log_years = np.log(years)
    columns = [np.array(column)[:, None] for column in zip(*rows, strict=True)]
    return family_called(family).survival(
        years, log_years, columns, np.empty((len(rows), len(years)))
    )


@given(CASE)
@example(("gengamma", [(-1.0, 0.109375, 0.0078125)]))  # rounding once left 0..1 here
def test_survival_starts_at_one_and_falls(case: tuple[str, list[tuple[float, ...]]]) -> None:
    values = survival(*case, YEARS)
    assert (values[:, 0] == 1.0).all()
    assert ((values >= 0.0) & (values <= 1.0)).all()
    assert np.diff(values, axis=1).max() <= 1e-14


@given(CASE)
def test_rows_are_their_own(case: tuple[str, list[tuple[float, ...]]]) -> None:
    family, rows = case
    together = survival(family, rows, YEARS)
    for index, row in enumerate(rows):
        assert np.array_equal(survival(family, [row], YEARS)[0], together[index])


@given(CASE, between(0.02, 0.98))
def test_quantile_inverts_survival(
    case: tuple[str, list[tuple[float, ...]]], failed: float
) -> None:
    family, rows = case
    time = float(family_called(family).quantile(failed, rows[0]))
    if np.isfinite(time) and time > 0:
        left = survival(family, [rows[0]], np.array([time]))[0, 0]
        assert left == pytest.approx(1 - failed, rel=1e-10)


@given(CASE, between(0.5, 60.0))
def test_unit_of_time_does_not_matter(
    case: tuple[str, list[tuple[float, ...]]], factor: float
) -> None:
    """The restricted mean of a family whose time is stretched is stretched."""
    family, rows = case
    stretch = {
        "rate": lambda value: value / factor,
        "scale": lambda value: value * factor,
        "meanlog": lambda value: value + np.log(factor),
        "mu": lambda value: value + np.log(factor),
    }
    if family == "gompertz":
        stretch["shape"] = stretch["rate"]
    stretch |= {f"knot{place}": stretch["mu"] for place in range(1, 5)}
    if family.startswith("spline"):
        stretch["gamma0"] = lambda value: value - rows[0][1] * np.log(factor)
    curve = family_called(family)
    stretched = [
        stretch.get(name, float)(value)
        for name, value in zip(curve.parameters, rows[0], strict=True)
    ]
    area = curve.restricted_mean(rows[0], 10.0)
    assert curve.restricted_mean(stretched, 10.0 * factor) == pytest.approx(
        factor * area, rel=1e-10
    )
    assert 0.0 < area <= 10.0


@given(
    between(20.0, 120.0),
    between(0.0, 1.0),
    st.lists(between(1e-6, 0.9), min_size=81, max_size=81),
)
def test_background_survivors_fall_and_lie_between_the_sexes(
    start: float, share: float, deaths: list[float]
) -> None:
    male = np.array(deaths)
    table = LifeTable(
        age=np.arange(20.0, 101.0),
        male=male,
        female=male / 2,
        utility_male=np.full(81, 0.9),
        utility_female=np.full(81, 0.9),
    )
    alive, men = survivors(table, np.full(3, start), np.array([0.0, share, 1.0]), YEARS)
    assert alive[:, 0] == pytest.approx(1.0, abs=1e-15)
    assert np.diff(alive, axis=1).max() <= 1e-15
    assert (alive[0] >= alive[1] - 1e-15).all()
    assert (alive[1] >= alive[2] - 1e-15).all()
    # women live longer, so the share of men falls
    assert np.diff(men, axis=1).max() <= 1e-12
