"""Generalised F and splines from the tables to the trace."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from formula_scanner import scan_package
from small_studies import curve, settings, study
from spreadsheet import Spreadsheet
from study_folder import write_study
from trace_registry import write_traces
from workbook_model import stored_differences
from xlsx_package import read_package

from heor.engine.evaluate import evaluate, traces
from heor.engine.survival import family_after, family_of_curve
from heor.errors import ModelError
from heor.report.sheets.families import form_of, layout_of
from heor.report.xlsx import cell_name
from heor.spec.parameters import Draws
from heor.spec.reader import read_study
from heor.spec.records import Curve, KaplanMeier, Spec

KNOTS = {"knot1": -1.0, "knot2": 0.5, "knot3": 2.0}
SPLINE = {"gamma0": -1.5, "gamma1": 1.1, "gamma2": "bend", **KNOTS}
CURVES = "id,strategy,endpoint,family,parameters,time_unit,pps_family,pps_parameters,source\n"


def read(tmp_path: Path, *rows: str) -> tuple[Curve, ...]:
    text = CURVES + "".join(f"{row},assumption\n" for row in rows)
    scenarios = "scenario,target,value\nFree drug,price,0\n"
    return read_study(write_study(tmp_path / "study", curves=text, scenarios=scenarios)).curves


def test_tables(tmp_path: Path) -> None:
    pfs, os, after = read(
        tmp_path,
        "a,old,pfs,spline,scale=odds; gamma0=-3.1; knots=-1.2 ln(6)-0.5 2*1.1; gamma2=0.02;"
        " gamma1=hr,month,,",
        "b,old,os,genf,P=0.4; mu=3; sigma=0.9; Q=-0.2,month,,",
        "c,new,os,post_progression,,year,spline,knots=0 1; gamma0=-1; gamma1=1",
        "d,new,pfs,exponential,rate=1,year,,",
    )[:3]
    assert (pfs.scale, family_of_curve(pfs).form) == ("odds", "spline odds")
    assert list(pfs.parameters) == ["gamma0", "gamma1", "gamma2", "knot1", "knot2", "knot3"]
    assert family_of_curve(pfs).parameters == tuple(pfs.parameters)
    assert pfs.parameters["gamma1"].names == ("hr",)
    assert pfs.parameters["knot2"].number == math.log(6) - 0.5
    assert list(os.parameters) == ["mu", "sigma", "Q", "P"]
    assert family_of_curve(os).name == "genf"
    assert (after.scale, after.pps_scale) == ("", "hazard")
    assert family_after(after).form == form_of(after, after=True) == "spline hazard"


def bent(family: str = "spline hazard", **changes: object) -> Spec:
    """A study whose PFS is a spline, bent by a parameter."""
    pfs = curve("a", "pfs", family, {**SPLINE, **changes})
    os = curve("a", "os", "exponential", {"rate": 0.05})
    return study([pfs, os], options=settings(horizon=5.0))


def test_a_draw_whose_curve_rises_is_named() -> None:
    spec = bent()
    # beyond the last knot the slope of ln H is 1.1 - 3·2.25·bend
    slope = 1.1 / 6.75
    evaluate(spec, Draws({"bend": np.array([0.0, 0.99 * slope])}))
    # the first cycle that ends after ln t = 2 or so is the first to rise
    bad = Draws({"bend": np.array([0.0, 0.01, 1.4 * slope, 0.0])})
    for chunk in (1, 2, 100):
        with pytest.raises(ModelError) as error:
            evaluate(spec, bad, chunk=chunk)
        assert re.fullmatch(
            r"curve a_pfs_all \(a\.pfs\.all\), draw 3, cycle \d+: "
            r"the spline's survival rises by [\d.e-]+",
            str(error.value),
        )


def test_knots_of_a_draw_that_fall_are_named() -> None:
    spec = bent(knot2="bend", gamma2=0.01)
    with pytest.raises(ModelError, match="draw 2, cycle 1: the spline's survival is not a number"):
        evaluate(spec, Draws({"bend": np.array([0.5, 2.5])}))


def test_where_a_spline_rises_before_its_join_is_no_matter() -> None:
    """A tail after Kaplan-Meier counts from the join on (methods 1.6)."""
    rising = {**SPLINE, "gamma1": -0.1, "gamma2": "bend"}
    draws = Draws({"bend": np.array([-0.1])})
    os = curve("a", "os", "exponential", {"rate": 0.05})
    options = settings(horizon=20.0)
    with pytest.raises(ModelError, match="curve a_pfs_all"):
        evaluate(study([curve("a", "pfs", "spline hazard", rising), os], options=options), draws)
    tail = curve("a", "pfs", "spline hazard", rising, km_until=math.exp(2.0))
    km = KaplanMeier(
        strategy="a",
        endpoint="pfs",
        group="all",
        time=np.array([0.0, 2.0, 8.0]),
        survival=np.array([1.0, 0.7, 0.4]),
        at_risk=np.full(3, np.nan),
        events=np.full(3, np.nan),
        time_unit="year",
        source="assumption",
    )
    pfs = traces(study([tail, os], options=options, km=[km]), draws)["a"].endpoints["pfs"][0]
    assert np.diff(pfs).max() <= 0
    assert pfs[-1] < 0.5 * pfs[0]


def test_survival_after_progression() -> None:
    """A spline without a bend after progression is the Weibull curve."""
    pfs = curve("a", "pfs", "exponential", {"rate": 0.4})
    line = {"gamma0": -1.2 * math.log(1.7), "gamma1": 1.2, "knot1": -1.0, "knot2": 2.0}
    one, other = (
        traces(
            study(
                [
                    pfs,
                    curve(
                        "a", "os", "post_progression", {}, pps_family=family, pps_parameters=given
                    ),
                ],
                options=settings(horizon=5.0),
            ),
            Draws({"x": np.zeros(1)}),
        )["a"].endpoints["os"]
        for family, given in (
            ("spline hazard", line),
            ("weibull", {"shape": 1.2, "scale": 1.7}),
        )
    )
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)
    rising = curve(
        "a",
        "os",
        "post_progression",
        {},
        pps_family="spline odds",
        pps_parameters={**line, "gamma1": -1.0},
    )
    with pytest.raises(
        ModelError, match=r"a_os_all .*draw 1, cycle 1: the spline's survival rises"
    ):
        traces(study([pfs, rising], options=settings(horizon=5.0)), Draws({"x": np.zeros(1)}))


def test_a_workbook_has_columns_for_the_longest_family() -> None:
    plain = bent()
    assert layout_of(plain).columns == tuple(f"p{place}" for place in range(1, 9))
    assert layout_of(plain, after=True).columns == ("q1", "q2", "q3")
    f = curve("a", "os", "genf", {"mu": 1.0, "sigma": 0.8, "Q": 0.1, "P": 0.5})
    assert layout_of(study([f], options=settings())).count == 7
    line = curve("a", "os", "spline odds", {"gamma0": -1, "gamma1": 1, "knot1": 0, "knot2": 1})
    assert layout_of(study([line], options=settings())).count == 4


BENDS = {f"gamma{place}": 0.01 * (-1) ** place for place in range(2, 7)}
SEVEN = {f"knot{place + 1}": -2.0 + 0.6 * place for place in range(7)}
EVERY: dict[str, dict[str, float]] = {
    "exponential": {"rate": 0.2},
    "weibull": {"shape": 1.2, "scale": 4.0},
    "gompertz": {"shape": 0.1, "rate": 0.1},
    "loglogistic": {"shape": 1.2, "scale": 4.0},
    "lognormal": {"meanlog": 1.0, "sdlog": 1.0},
    "gamma": {"shape": 1.2, "rate": 0.3},
    "gengamma": {"mu": 1.0, "sigma": 0.8, "Q": 0.4},
    "genf": {"mu": 1.0, "sigma": 0.8, "Q": -0.4, "P": 0.3},
    "spline hazard": {"gamma0": -1.6, "gamma1": 1.1, **BENDS, **SEVEN},
    "spline odds": {"gamma0": -1.6, "gamma1": 1.1, "knot1": -1.0, "knot2": 2.0},
    "spline normal": {"gamma0": -1.0, "gamma1": 0.9, "gamma2": 0.02, **KNOTS},
}


def crowded() -> Spec:
    """One slot with a candidate of every family, each followed by a tail of every family."""
    name = "chemotherapy_with_everything_2"
    own = [
        dataclasses.replace(
            curve(name, "os", family, given, km_until=0.3),
            id=f"{name}_{family.replace(' ', '_')}",
            use=place == 0,
        )
        for place, (family, given) in enumerate(EVERY.items())
    ]
    built = [
        dataclasses.replace(
            curve(name, "os", "post_progression", {}, pps_family=family, pps_parameters=given),
            id=f"{name}_after_{family.replace(' ', '_')}",
            use=False,
        )
        for family, given in EVERY.items()
    ]
    pfs = curve(name, "pfs", "weibull", {"shape": 1.1, "scale": 2.0})
    km = KaplanMeier(
        strategy=name,
        endpoint="os",
        group="all",
        time=np.array([0.0, 0.2, 9.0]),
        survival=np.array([1.0, 0.95, 0.5]),
        at_risk=np.full(3, np.nan),
        events=np.full(3, np.nan),
        time_unit="year",
        source="assumption",
    )
    options = settings(horizon=3.0, cycle_length=0.1, reference=name)
    return study([pfs, *own, *built], options=options, km=[km])


def chosen(spec: Spec, place: int) -> Spec:
    """The study with another of its candidates for OS."""
    curves = tuple(
        dataclasses.replace(c, use=c.endpoint == "pfs" or i == place)
        for i, c in enumerate(spec.curves)
    )
    return dataclasses.replace(spec, curves=curves)


@pytest.mark.parametrize("place", range(1, 23))
def test_every_family_in_one_slot(tmp_path: Path, place: int) -> None:
    """No formula is long, and the sheets have the engine's numbers whichever is chosen."""
    spec, draws = chosen(crowded(), place), Draws({"x": np.zeros(1)})
    ctx = write_traces(tmp_path / "a.xlsx", {"": (spec, draws)})[""]
    (name,) = spec.strategy_ids()
    wanted = traces(spec, draws)[name].endpoints["os"][0]
    found = ctx.columns[f"endpoint {name} os"].values[: len(wanted)]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)
    if place in (1, 22):
        package = read_package(tmp_path / "a.xlsx")
        assert [str(fault) for fault in scan_package(package)] == []


@pytest.mark.libreoffice
@pytest.mark.slow
def test_a_spreadsheet_computes_every_family_in_one_slot(tmp_path: Path) -> None:
    spec, draws = crowded(), Draws({"x": np.zeros(1)})
    (name,) = spec.strategy_ids()
    ctx = write_traces(tmp_path / "a.xlsx", {"": (spec, draws)})[""]
    column = ctx.columns[f"endpoint {name} os"]
    with Spreadsheet() as calc:
        calc.open(tmp_path / "a.xlsx")
        assert stored_differences(calc, read_package(tmp_path / "a.xlsx"))[:10] == []
        title, _, address = ctx.live[f"row {name}.os.all"].text.rpartition("!")
        row = (title.strip("'"), address.replace("$", ""))
        for place in range(1, 23):
            wanted = traces(chosen(spec, place), draws)[name].endpoints["os"][0]
            first = cell_name(column.first, column.place)
            last = cell_name(column.first + len(wanted) - 1, column.place)
            reply = calc.change({row: place + 1.0}, [(column.sheet.title, f"{first}:{last}")])
            assert reply.error_cells == []
            found = np.array([line[0] for line in reply.values[0]])
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
