"""Maxima of the oracles' likelihoods and their exact Hessians, in 40 digits.

``python tests/golden/exact_fits.py`` writes ``data/fits_exact.json``: for each fit of
``data/fits_flexsurv.json`` the estimates, the largest log likelihood and the inverse of the
negative Hessian there, from likelihoods written out by definition (`survival_reference`), Newton
steps and central differences of step 10⁻¹⁰, whose error is below 10⁻¹⁸.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import mpmath as mp

sys.path.insert(0, str(Path(__file__).parents[1]))

import survival_reference
from survival_reference import survival_and_density

from heor.fitting.data import right_censored
from heor.fitting.fit import fit

DATA = Path(__file__).parent / "data"
ORACLE = json.loads((DATA / "fits_flexsurv.json").read_text("utf-8"))
NAMES = {
    "exp": "exponential",
    "weibull": "weibull",
    "gompertz": "gompertz",
    "gamma": "gamma",
    "lnorm": "lognormal",
    "llogis": "loglogistic",
    "gengamma": "gengamma",
    "genf": "genf",
}
#: Where the effect of the group is added, and which numbers are logarithms.
LOCATION = {"exponential": 0, "weibull": 1, "gompertz": 1, "gamma": 1, "lognormal": 0}
LOCATION |= {"loglogistic": 1, "gengamma": 0}
LOGS = {"exponential": (0,), "weibull": (0, 1), "gompertz": (1,), "gamma": (0, 1)}
LOGS |= {"lognormal": (1,), "loglogistic": (0, 1), "gengamma": (1,), "genf": (1, 3)}


def log_likelihood(one: dict) -> Callable[[list], mp.mpf]:
    """Give the log likelihood of a fit of the oracle on the estimation scale."""
    raw, spline = ORACLE[one["dataset"]], one["model"].startswith("spline")
    knots = [mp.mpf(knot) for knot in one["knots"]] if spline else []
    name = f"spline {one['spec']['scale']} {len(knots)}" if spline else NAMES[one["model"]]
    own = one["npars"] - (one["spec"]["covariate"] != "none")
    counts: dict[tuple, int] = {}
    for row in zip(raw["time"], raw["status"], raw["group"], strict=True):
        key = row if own < one["npars"] else (*row[:2], "1")
        counts[key] = counts.get(key, 0) + 1

    def value(theta: list) -> mp.mpf:
        total = mp.mpf(0)
        for (time, status, group), count in counts.items():
            numbers = list(theta[:own])
            if group == "2":
                numbers[LOCATION[name]] += theta[own]
            for place in LOGS.get(name, ()):
                numbers[place] = mp.exp(numbers[place])
            alive, density = survival_and_density(name, [*numbers, *knots], time)
            total += count * mp.log(density if status else alive)
        return total

    return value


def derivatives(function: Callable[[list], mp.mpf], at: list) -> tuple[mp.matrix, mp.matrix]:
    """Give gradient and Hessian by central differences."""
    step, size = mp.mpf(10) ** -10, len(at)

    def moved(*places: tuple[int, int]) -> mp.mpf:
        theta = list(at)
        for place, sign in places:
            theta[place] += sign * step
        return function(theta)

    middle, gradient, hessian = function(at), mp.matrix(size, 1), mp.matrix(size)
    for i in range(size):
        up, down = moved((i, 1)), moved((i, -1))
        gradient[i] = (up - down) / (2 * step)
        hessian[i, i] = (up - 2 * middle + down) / step**2
        for j in range(i):
            corners = sum(a * b * moved((i, a), (j, b)) for a in (1, -1) for b in (1, -1))
            hessian[i, j] = hessian[j, i] = corners / (4 * step**2)
    return gradient, hessian


def exact(one: dict, start: list[float]) -> dict:
    """Newton's method from estimates nearby; what is found, as doubles."""
    function, theta = log_likelihood(one), [mp.mpf(value) for value in start]
    for _ in range(12):
        gradient, hessian = derivatives(function, theta)
        move = -mp.lu_solve(hessian, gradient)
        if max(abs(part) for part in move) < mp.mpf(10) ** -15:
            break
        theta = [value + part for value, part in zip(theta, move, strict=True)]
    covariance = -(hessian**-1)
    return {
        "theta": [float(value) for value in theta],
        "loglik": float(function(theta)),
        "covariance": [[float(v) for v in row] for row in covariance.tolist()],
    }


def near(one: dict) -> list[float]:
    """Where to begin: heor's own fit, for the oracle's may be far along a ridge."""
    raw, together = ORACLE[one["dataset"]], one["spec"]["covariate"] != "none"
    rows = sorted(zip(raw["group"], raw["time"], raw["status"], strict=True))
    group, time, status = zip(*rows, strict=True)
    data = right_censored(time, status, group=group if together else None)
    if one["model"].startswith("spline"):
        found = fit("spline", data, scale=one["spec"]["scale"], knots=one["knots"])
    else:
        found = fit(NAMES[one["model"]], data, together=together)
    return found.theta.tolist()


def main() -> None:
    """Write the file; the fit at the edge of its parameters has no maximum."""
    mp.mp.dps = 40
    survival_reference.DIGITS = 0  # the 60 guard digits are enough
    path = DATA / "fits_exact.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for one in ORACLE["fits"]:
        if (one["model"], one["dataset"]) == ("genf", "veteran"):
            continue
        key = f"{one['dataset']}-{one['model']}-{one['spec']['covariate']}"
        if key in found:
            continue
        found[key] = exact(one, near(one))
        print(key, found[key]["loglik"] - one["loglik"], flush=True)
        path.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
