"""The shipped studies load, and hold what the evidence says.

The numbers here are written out by hand from the evidence, not read from the tables.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from heor.engine.survival import CURVES
from heor.spec.distributions import agreement
from heor.spec.draws import base, sample
from heor.spec.parameters import FloatArray
from heor.spec.reader import read_study, shipped_studies
from heor.spec.records import ALL, Spec

#: Base value, standard error and one-way range of the evidence, None where it gives none.
#: Losses of utility are entered as positive numbers.
EVIDENCE: dict[str, tuple[float, float | None, float | None, float | None]] = {
    "pop_age": (63, 1, 60, 66),
    "pop_male": (203 / 359, 0.02613, 0.5, 0.65),
    "pop_bsa": (1.86, 0.02, 1.75, 2.0),
    "pop_wt": (76, 1, 68, 85),
    "lif_orr": (10 / 39, 0.06904, 0.13, 0.421),
    "doc_orr": (30 / 234, 0.02181, 0.088, 0.178),
    "doc_dor_mu": (1.72277, 0.1, 1.686, 2.092),
    "doc_dor_sigma": (0.5935, 0.0637, 0.4687, 0.7183),
    "doc_pfsnr_mu": (1.1154, 0.09, 0.939, 1.292),
    "doc_pfsnr_sigma": (0.9372, 0.0405, 0.8578, 1.017),
    "doc_osr_mu_ipd": (2.998, None, None, None),
    "doc_osr_sigma": (0.6478, 0.0964, 0.4589, 0.8367),
    "doc_osnr_k": (1.1236, 0.0624, 1.001, 1.246),
    "doc_osnr_lam_ipd": (13.086, None, None, None),
    "doc_os_af": (1.1495, 0.0799, 0.93, 1.31),
    "ttr": (1.4, 0.1496, 1.3, 2.8),
    "lif_dor24": (0.517, 0.1507, 0.3, 0.75),
    "lif_dor60c": (0.6054, 0.1474, 0.3, 0.8),
    "lif_pps": (15.2, 3.551, 9, 30),
    "lif_osnr_hr": (1, 0.1461, 0.8, 1.25),
    "lif_pfsnr_hr": (1, 0.1461, 0.8, 1.25),
    "lif_trm": (0.075, 0.02076, 0.03, 0.127),
    "itt_pinf": (89 / 111, 0.03767, 0.6, 0.95),
    "itt_doc_share": (0.6, 0.1069, 0.3, 0.9),
    "itt_noninf": (1, None, None, None),
    "c_lif": (515000, None, 386250, 562000),
    "c_proc": (25000, 6000, 12000, 36800),
    "c_work": (3500, 900, 1500, 6000),
    "p_cy": (0.481, 0.048, 0.481, 0.784),
    "p_flu": (68.197, 6.8, 55.53, 82.17),
    "p_mesna": (1.859, 0.19, 1.505, 2.25),
    "p_il2": (6060, 600, 5551, 7926),
    "n_il2": (4.95, 0.15, 3, 6),
    "v_il2": (2, None, 2, 3),
    "los": (18, 3, 10, 25),
    "c_day": (3615, 540, 2580, 5000),
    "c_post": (8000, 2500, 3000, 20000),
    "p_doc": (0.626, 0.063, 0.5086, 0.7553),
    "n_cyc": (5, 0.4, 4, 7),
    "c_adm": (130, 13, 125, 360),
    "c_visit": (127, 13, 102.8, 153.8),
    "c_lab": (25, 5, 16.18, 35.71),
    "c_dex": (8, 2, 4.573, 12.37),
    "c_peg": (1189.5, 300, 363.9, 1573.9),
    "p_peg": (0.5, 0.1091, 0, 1),
    "c_inj": (15, 2, 11.34, 19.17),
    "ae_doc_fn": (0.0726, 0.01488, 0.04621, 0.1043),
    "ae_doc_neu": (0.23, 0.02467, 0.1835, 0.2801),
    "ae_doc_ana": (0.04, 0.01149, 0.02064, 0.06534),
    "ae_doc_fat": (0.05, 0.01278, 0.02803, 0.07782),
    "ae_doc_dia": (0.02, 0.008207, 0.007243, 0.03895),
    "ae_doc_sto": (0.01, 0.005833, 0.001998, 0.02423),
    "ae_doc_pne": (0.05, 0.01278, 0.02803, 0.07782),
    "c_ae_fn": (34704, 5200, 25270.0, 45610.0),
    "c_ae_neu": (1500, 500, 686, 2628),
    "c_ae_ana": (4000, 1200, 2005, 6672),
    "c_ae_fat": (600, 200, 274.4, 1051),
    "c_ae_dia": (21484, 1560, 18540.0, 24660.0),
    "c_ae_sto": (23619, 2467, 19030.0, 28700.0),
    "c_ae_pne": (28535, 2000, 24760.0, 32600.0),
    "c_pf": (2412, 574, 1200, 4800),
    "c_pf_late": (1206, 400, 600, 2412),
    "c_pd": (9086, 770, 5000, 11003),
    "c_eol": (12000, 3000, 5000, 25000),
    "p_sub_doc": (0.5, 0.02931, 0.3, 0.6),
    "c_sub_doc": (1640, 400, 952, 2512),
    "p_sub_lif": (0.6, 0.1069, 0.3, 0.8),
    "u_pf": (0.74, 0.02, 0.653, 0.8),
    "u_pd": (0.59, 0.04, 0.473, 0.69),
    "u_resp_inc": (0.02, 0.008, 0, 0.05),
    "u_hosp": (0.3, 0.08, 0.1, 0.5),
    "d_hosp": (1, 0.25, 0.5, 2),
    "u_ae_fn": (0.09, 0.016, 0.05864, 0.1214),
    "u_ae_neu": (0.09, 0.015, 0.0606, 0.1194),
    "u_ae_ana": (0.073, 0.018, 0.03772, 0.1083),
    "u_ae_fat": (0.073, 0.018, 0.03772, 0.1083),
    "u_ae_dia": (0.047, 0.016, 0.01564, 0.07836),
    "u_ae_sto": (0.047, 0.016, 0.01564, 0.07836),
    "u_ae_pne": (0.09, 0.02, 0.0508, 0.1292),
}


@pytest.fixture(scope="module")
def study() -> Spec:
    return read_study(shipped_studies() / "lifileucel_nsclc")


@pytest.fixture(scope="module")
def values(study: Spec) -> dict[str, float]:
    return {name: float(value[0]) for name, value in base(study).values.items()}


def amount(study: Spec, values: dict[str, float], cost_id: str) -> float:
    """Amount of one cost item at given values."""
    (item,) = (cost for cost in study.costs if cost.id == cost_id)
    arrays = {name: np.array([value]) for name, value in values.items()}
    return float(item.amount.evaluate(arrays, 1)[0])


@pytest.mark.parametrize("name", ["lifileucel_nsclc", "three_strategies"])
def test_a_shipped_study_reads_without_a_warning(name: str) -> None:
    spec = read_study(shipped_studies() / name)
    assert [str(problem) for problem in spec.warnings] == []
    assert spec.settings.reference == spec.strategy_ids()[0]


def test_every_number_has_unit_source_and_grade(study: Spec) -> None:
    for parameter in study.parameters.values():
        assert parameter.unit, parameter.id
        assert parameter.source, parameter.id
        assert parameter.evidence, parameter.id
        assert parameter.category, parameter.id


@pytest.mark.parametrize("name", EVIDENCE)
def test_numbers_are_those_of_the_evidence(study: Spec, name: str) -> None:
    parameter = study.parameters[name]
    value, error, low, high = EVIDENCE[name]
    assert parameter.value == pytest.approx(value, rel=1e-14)
    drawn = parameter.distribution
    assert (drawn is None) == (error is None)
    if drawn is not None and error is not None:
        # of a lognormal the evidence gives the error of the log, times the value
        spread = drawn.parameters[1] * value if drawn.name == "lognormal" else drawn.sd
        assert spread == pytest.approx(error, rel=1e-3)
    if low is None or high is None:
        assert drawn is None or (parameter.low, parameter.high) == (
            pytest.approx(drawn.quantile(0.025)),
            pytest.approx(drawn.quantile(0.975)),
        )
    else:
        assert (parameter.low, parameter.high) == pytest.approx((low, high), rel=1e-12)


def test_distributions_are_centred_on_the_values(study: Spec) -> None:
    drawn = [p for p in study.parameters.values() if p.distribution is not None]
    assert len(drawn) > 60
    for parameter in drawn:
        assert parameter.distribution is not None
        distance = agreement(parameter.distribution, parameter.value)
        assert distance == pytest.approx(0, abs=1e-9), parameter.id


def test_counts_give_the_beta_distributions(study: Spec) -> None:
    for name, counts in (("lif_orr", (10, 29)), ("doc_orr", (30, 204)), ("itt_pinf", (89, 22))):
        distribution = study.parameters[name].distribution
        assert distribution is not None
        assert distribution.parameters == counts


def test_one_way_ranges_hold_the_base_value(study: Spec) -> None:
    for parameter in study.parameters.values():
        if parameter.low is not None and parameter.high is not None:
            assert parameter.low <= parameter.value <= parameter.high, parameter.id


def test_duration_of_response_goes_through_both_landmarks(values: dict[str, float]) -> None:
    shape, scale = values["lif_dor_k"], values["lif_dor_lam"]
    assert shape == pytest.approx(0.6174, abs=5e-5)
    assert scale == pytest.approx(47.08, abs=5e-3)
    assert math.exp(-((24 / scale) ** shape)) == pytest.approx(0.517, abs=1e-12)
    assert math.exp(-((60 / scale) ** shape)) == pytest.approx(0.517 * 0.6054, abs=1e-12)


def test_candidates_for_response_meet_at_24_months(study: Spec, values: dict[str, float]) -> None:
    arrays = {name: np.array([value]) for name, value in values.items()}
    candidates = [c for c in study.curves if (c.strategy, c.endpoint) == ("lifileucel", "response")]
    assert len(candidates) == 5
    assert sum(c.use for c in candidates) == 1
    for curve in candidates:
        parameters = [e.evaluate(arrays, 1)[:, None] for e in curve.parameters.values()]
        time = np.array([24.0])
        survival: FloatArray = np.empty((1, 1))
        CURVES[curve.family].survival(time, np.log(time), parameters, survival)
        cured = curve.cure_fraction.evaluate(arrays, 1)[0] if curve.cure_fraction else 0.0
        share = cured + (1 - cured) * survival[0, 0]
        assert share == pytest.approx(0.517, abs=1e-12), curve.id


def test_weights_of_the_response_groups_sum_to_one(study: Spec) -> None:
    draws = sample(study, 200)
    for strategy in study.strategy_ids():
        for endpoint in ("pfs", "os"):
            weights = [
                curve.weight.evaluate(draws.values, len(draws))
                for curve in study.curves_in_use(strategy)
                if curve.endpoint == endpoint
            ]
            assert len(weights) == {"docetaxel": 2, "lifileucel": 3}[strategy]
            np.testing.assert_allclose(np.sum(weights, axis=0), 1, rtol=0, atol=1e-15 * 4)


def test_both_strategies_share_the_curves_of_non_responders(study: Spec) -> None:
    """One draw of a non-responder's curve serves docetaxel, the infused and the never infused."""
    for endpoint in ("pfs", "os"):
        texts = {
            tuple((key, e.canonical) for key, e in curve.parameters.items())
            for strategy in study.strategy_ids()
            for curve in study.curves_in_use(strategy)
            if curve.endpoint == endpoint and curve.group in ("non_responder", "not_infused")
        }
        assert len(texts) == 1
    for curve in study.curves:
        if not curve.use:
            continue
        uses_patient_data = any(
            name.endswith("_ipd") for e in curve.parameters.values() for name in e.names
        )
        accelerated = curve.acceleration is not None
        assert uses_patient_data == accelerated, curve.id


def test_a_course_of_docetaxel(study: Spec, values: dict[str, float]) -> None:
    """Evidence: about 980 a cycle, 4,898 a course."""
    course = amount(study, values, "doc_drug") + amount(study, values, "doc_care")
    assert course == pytest.approx(4898, abs=1)
    assert values["c_doc_course"] == pytest.approx(course, rel=1e-14)
    assert course / 5 == pytest.approx(980, abs=1)
    taken = amount(study, values, "lif_doc_drug") + amount(study, values, "lif_doc_care")
    assert taken == pytest.approx(course * 0.6 * 22 / 111, rel=1e-12)


def test_one_off_costs_of_the_infused(study: Spec, values: dict[str, float]) -> None:
    infused = {**values, "itt_pinf": 1.0}
    assert amount(study, infused, "lif_product") == 515_000
    assert amount(study, infused, "lif_il2") == pytest.approx(59_994, abs=1e-9)
    assert amount(study, infused, "lif_stay") == 65_070
    assert amount(study, infused, "lif_aftercare") == 8_000
    conditioning = [
        amount(study, infused, name)
        for name in ("lif_cyclophosphamide", "lif_fludarabine", "lif_mesna")
    ]
    assert conditioning == pytest.approx([877, 341, 51], abs=0.5)
    assert sum(conditioning) == pytest.approx(1269, abs=1)


def test_resection_is_paid_for_all_and_the_product_for_the_infused(
    study: Spec, values: dict[str, float]
) -> None:
    never = {**values, "itt_pinf": 0.0}
    items = [c.id for c in study.costs if c.strategy == "lifileucel" and c.trigger == "start"]
    charged = {name: amount(study, never, name) for name in items}
    before = charged.pop("lif_resection") + charged.pop("lif_workup")
    docetaxel = charged.pop("lif_doc_drug") + charged.pop("lif_doc_care")
    assert before == 28_500
    assert docetaxel == pytest.approx(0.6 * 4898, abs=1)
    assert set(charged.values()) == {0.0}


def test_adverse_events_of_docetaxel(study: Spec, values: dict[str, float]) -> None:
    """Evidence: 5,147 a patient, half of it febrile neutropenia."""
    arrays = {name: np.array([value]) for name, value in values.items()}

    def expected_cost(strategy: str) -> list[float]:
        return [
            float((e.probability.evaluate(arrays, 1) * e.cost.evaluate(arrays, 1))[0])
            for e in study.adverse_events
            if e.strategy == strategy
        ]

    docetaxel = expected_cost("docetaxel")
    assert len(docetaxel) == 7
    assert sum(docetaxel) == pytest.approx(5147, abs=2)
    assert docetaxel[0] / sum(docetaxel) == pytest.approx(0.5, abs=0.02)
    stay, *never_infused = expected_cost("lifileucel")
    assert stay == 0
    assert sum(never_infused) == pytest.approx(sum(docetaxel) * 0.6 * 22 / 111, rel=1e-12)


def test_losses_are_entered_as_positive_numbers_and_stay_positive(study: Spec) -> None:
    draws = sample(study, 2000)
    for event in study.adverse_events:
        assert event.disutility.evaluate(draws.values, len(draws)).min() > 0, event.event


def test_the_life_table(study: Spec) -> None:
    """United States life tables 2023; norms by age band, none under 45."""
    table = study.life_table
    assert table is not None
    np.testing.assert_array_equal(table.age, np.arange(101))
    assert table.male[63] == pytest.approx(0.0141472, abs=5e-8)
    assert table.female[63] == pytest.approx(0.008816, abs=5e-8)
    assert table.male[90] == pytest.approx(0.159898, abs=5e-7)
    assert table.female[90] == pytest.approx(0.128541, abs=5e-7)
    for norms in (table.utility_male, table.utility_female):
        assert np.isnan(norms[:45]).all()
        ages = [45, 54, 55, 64, 65, 74, 75, 100]
        assert norms[ages].tolist() == [0.816, 0.816, 0.815, 0.815, 0.824, 0.824, 0.811, 0.811]


def test_the_kaplan_meier_tables(study: Spec) -> None:
    """OAK and POPLAR: 359 patients, 51 responders; never rising, from 1."""
    sizes = {ALL: 359, "responder": 51, "non_responder": 308}
    assert set(study.km) == {("docetaxel", e, g) for e in ("pfs", "os") for g in sizes}
    for (_, _, group), km in study.km.items():
        assert km.at_risk[0] == sizes[group]
        assert km.survival[0] == 1
        assert (np.diff(km.survival) <= 0).all()
        assert (np.diff(km.time) > 0).all()
        # patients still at risk had no event yet
        assert (km.at_risk + np.cumsum(km.events) <= sizes[group]).all()


def test_scenarios_have_a_purpose_and_differ(study: Spec) -> None:
    names = [scenario.name for scenario in study.scenarios]
    assert len(names) >= 25
    assert len(set(names)) == len(names)
    assert all(scenario.purpose for scenario in study.scenarios)
    changes = [tuple((c.target, c.value) for c in s.changes) for s in study.scenarios]
    assert len(set(changes)) == len(changes)


def test_the_banner_says_what_the_study_is_not(study: Spec) -> None:
    (banner,) = (row[1] for row in study.tables["settings"].rows if row[0] == "banner")
    for words in ("not approved", "single-arm", "unanchored", "melanoma", "research"):
        assert words in banner


def test_the_funnel_gives_the_number_of_eligible_patients(study: Spec) -> None:
    """Evidence: 47.0 per million reach the next line, 14.1 of them eligible."""
    rows = study.tables["budget"].rows
    value = {row[0]: row[2] for row in rows if row[0] != "uptake" and "context" not in row[0]}
    number = {item: float(text) for item, text in value.items()}
    cases = number.pop("advanced nonsquamous NSCLC, US, 2025")
    people = number.pop("US population, 2025") / number.pop("plan members")
    eligible = number.pop("eligible for TIL therapy")
    next_line = cases * math.prod(number.values())
    assert next_line / people == pytest.approx(47.0, abs=0.05)
    assert next_line * eligible / people == pytest.approx(14.1, abs=0.05)
    assert study.settings.incidence == pytest.approx(next_line * eligible, abs=0.5)
