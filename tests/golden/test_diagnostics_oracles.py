"""Kaplan-Meier bands, Cox models and tests of proportional hazards against published numbers.

- Remission times of 42 children, Freireich et al., Blood 1963;21:699-716, as printed in many books.
  Kaplan-Meier with Greenwood's errors and log-log intervals of the 6-MP group; Cox models with
  Efron's ties, 1.5721 (0.4124), as `coxph` of the R package survival and Stata give them.
- NCCTG lung cancer data (Loprinzi et al., J Clin Oncol 1994;12:601-607; `survival::lung`; the file
  has event 1 for death, sex 1 male, 2 female). `coxph(Surv(time, status) ~ age + sex)` and
  `cox.zph` of survival 3 as printed in public tutorials: age 0.209, sex 2.608, GLOBAL 2.771.
- The approximate statistics of Grambsch & Therneau are lifelines' 0.30 (`proportional_hazard_test`
  with `identity` and `log`), computed once.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from heor.fitting.cox import cox, proportionality, proportionality_test
from heor.fitting.data import right_censored
from heor.fitting.nonparametric import observed_curve

MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
MP_EVENT = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]

#: Time, survival, low, high.
PUBLISHED = [
    (6, 0.8571, 0.6197, 0.9516),
    (7, 0.8067, 0.5631, 0.9228),
    (10, 0.7529, 0.5032, 0.8894),
    (13, 0.6902, 0.4316, 0.8491),
    (16, 0.6275, 0.3675, 0.8049),
    (22, 0.5378, 0.2678, 0.7468),
    (23, 0.4482, 0.1881, 0.6801),
]


@pytest.fixture(scope="module")
def lung():
    path = Path(__file__).parent / "data" / "lung_age_sex.csv"
    with path.open(encoding="utf-8") as file:
        rows = [[float(cell) for cell in row.values()] for row in csv.DictReader(file)]
    time, event, age, sex = np.array(rows).T
    return right_censored(time, event), np.column_stack([age, sex])


def test_kaplan_meier_with_its_band() -> None:
    found = observed_curve(right_censored(MP, MP_EVENT))
    table = np.column_stack([found.time, found.survival, found.low, found.high])
    assert np.allclose(table, PUBLISHED, rtol=0, atol=5.1e-5)
    assert found.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert found.censored.tolist() == [6, 9, 10, 11, 17, 19, 20, 25, 32, 34, 35]


def test_cox_with_ties() -> None:
    group = ["6-MP"] * 21 + ["placebo"] * 21
    data = right_censored(MP + PLACEBO, MP_EVENT + [1] * 21, group=group)
    found = proportionality(data)
    assert found.fit.coefficients[0] == pytest.approx(1.5721, abs=5e-5)
    assert np.sqrt(found.fit.covariance[0, 0]) == pytest.approx(0.4124, abs=5e-5)
    assert found.hazard_ratio(0)[0] == pytest.approx(4.8169, abs=2e-4)


def test_cox_with_two_covariates(lung) -> None:
    fit = cox(*lung)
    assert np.allclose(fit.coefficients, [0.017045, -0.513219], rtol=0, atol=5e-7)
    errors = np.sqrt(np.diag(fit.covariance))
    assert np.allclose(errors, [0.009223, 0.167458], rtol=0, atol=5e-7)
    assert fit.log_likelihood == pytest.approx(-742.848246, abs=5e-7)


def test_proportional_hazards_as_cox_zph_tests_them(lung) -> None:
    data, covariates = lung
    found = proportionality_test(cox(data, covariates), data, "km")
    statistics = [*(one.statistic for one in found.each), found.together.statistic]
    assert np.allclose(statistics, [0.209, 2.608, 2.771], rtol=0, atol=5e-4)
    assert [round(one.p, 2) for one in (*found.each, found.together)] == [0.65, 0.11, 0.25]
    assert [one.degrees for one in (*found.each, found.together)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("transform", "wanted"), [("identity", [0.0752802, 2.5260286]), ("log", [3.1509699, 1.9241138])]
)
def test_scaled_residuals_give_the_approximate_test(lung, transform, wanted) -> None:
    fit = cox(*lung)
    time = np.log(fit.time) if transform == "log" else fit.time
    trend = time - time.mean()
    excess = trend @ (fit.scaled_residuals - fit.coefficients)
    found = excess**2 / (len(trend) * np.diag(fit.covariance) * (trend @ trend))
    assert np.allclose(found, wanted, rtol=1e-5, atol=0)
