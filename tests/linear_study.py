"""A study whose results are linear in normal parameters, so that their distribution is known."""

from __future__ import annotations

from typing import Any

from helpers_spec import derived, uncertain
from small_studies import cost, curve, fixed, settings, study, utility

from heor.spec.parameters import Parameter
from heor.spec.records import Spec

#: Means and SDs of the added utility and the cost of strategy ``b``, in table order.
GAIN = (0.2, 0.05)
PRICE = (20_000.0, 4_000.0)


def linear_study(*extra: Parameter, certain: bool = False, **options: Any) -> Spec:
    """Both strategies live alike; ``b`` adds ``gain`` to every utility and costs ``price``.

    So ΔQALY = gain × life years and ΔC = price. ``extra`` are parameters without effect.
    """
    curves = [
        curve(strategy, endpoint, "exponential", {"rate": rate})
        for strategy in ("a", "b")
        for endpoint, rate in (("pfs", 0.4), ("os", 0.2))
    ]
    states = ("progression_free", "progressed")
    parameters = (
        (fixed("gain", GAIN[0]), fixed("price", PRICE[0]))
        if certain
        else (
            uncertain("gain", "normal", GAIN[0], se=GAIN[1]),
            uncertain("price", "normal", PRICE[0], se=PRICE[1]),
        )
    )
    values: dict[str, Any] = {
        "cycle_length": 1.0,
        "thresholds": (10_000.0, 25_000.0, 50_000.0),
        "psa_replicates": 10,
    }
    return study(
        curves,
        options=settings(**(values | options)),
        parameters=(*parameters, derived("utility_b", "0.5 + gain"), *extra),
        utilities=[
            utility(strategy, state, value)
            for strategy, value in (("a", 0.5), ("b", "utility_b"))
            for state in states
        ],
        costs=[cost("b", "start", "price")],
    )
