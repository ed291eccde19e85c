"""Fits by lifelines, for `fitting.py`: run by the interpreter of an environment that has it.

Reads times and marks from an ``.npz`` file, then a family a line from standard input, and answers
with wall seconds, CPU seconds and log likelihood as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import lifelines  # noqa: E402
import numpy as np  # noqa: E402

FITTERS = {
    "exponential": lifelines.ExponentialFitter,
    "weibull": lifelines.WeibullFitter,
    "lognormal": lifelines.LogNormalFitter,
    "loglogistic": lifelines.LogLogisticFitter,
    "gengamma": lifelines.GeneralizedGammaFitter,
}


def main() -> None:
    """Answer until the input ends."""
    warnings.simplefilter("ignore")
    data = np.load(sys.argv[1])
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            fitted = FITTERS[line.strip()]().fit(data["time"], data["event"])
            value = float(fitted.log_likelihood_)
        except Exception as error:  # what a peer cannot fit is told, not hidden
            print(f"lifelines, {line.strip()}: {error}", file=sys.stderr)
            value = float("nan")
        times = [time.perf_counter() - wall, time.process_time() - cpu]
        print(json.dumps([*times, value]), flush=True)


if __name__ == "__main__":
    main()
