"""Whether draws are what was asked for: means, SDs, correlations, precision (methods 7.5)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from heor.analyses.monte_carlo import Replicates
from heor.analyses.psa_results import CorrelationCheck, ParameterCheck, Precision
from heor.spec.groups import find_groups
from heor.spec.parameters import Draws, FloatArray
from heor.spec.records import Spec

#: Two-sided probability below which a deviation is warned about, as a number of standard errors
#: of a normal: with a hundred inputs, chance alone does it in fewer than one analysis in a hundred.
BEYOND_CHANCE = 4.0


def parameter_checks(
    spec: Spec, draws: Draws, replicates: Replicates | None = None
) -> tuple[ParameterCheck, ...]:
    """Compare each sampled parameter's mean and SD with its distribution.

    Parameters
    ----------
    spec : Spec
        The study.
    draws : Draws
        As sampled.
    replicates : Replicates, optional
        How they depend on one another; independent when left out.
    """
    n = len(draws)
    how = Replicates.random(n) if replicates is None else replicates
    rows = []
    for parameter in spec.parameters.values():
        distribution = parameter.distribution
        if distribution is None or parameter.expression is not None or n < 2:
            continue
        values = draws.values[parameter.id]
        mean, sd = distribution.mean, distribution.sd
        sample_mean, sample_sd = float(values.mean()), float(values.std(ddof=1))
        known = math.isfinite(sd) and sd > 0 and math.isfinite(mean)
        usual = sd / math.sqrt(n) if how.independent else how.standard_error(values)
        error = _in_errors(sample_mean - mean, usual) if known else None
        spread = None
        if known and sample_sd > 0:
            influence = ((values - sample_mean) ** 2 - sample_sd**2) / (2 * sample_sd)
            spread = _in_errors(sample_sd - sd, how.standard_error(influence))
        rows.append(
            ParameterCheck(
                parameter=parameter.id,
                mean=mean,
                sd=sd,
                sample_mean=sample_mean,
                sample_sd=sample_sd,
                error_in_se=error,
                sd_ratio=sample_sd / sd if known else None,
                sd_error_in_se=spread,
                warning=_warning(sample_mean, mean, error, how),
            )
        )
    return tuple(rows)


def _in_errors(difference: float, error: float) -> float | None:
    return difference / error if math.isfinite(error) and error > 0 else None


def _warning(found: float, wanted: float, error: float | None, how: Replicates) -> str:
    if error is None or abs(error) <= beyond_chance(how):
        return ""
    return (
        f"the mean of the draws, {found:.6g}, is {abs(error):.1f} standard errors from the "
        f"distribution's mean {wanted:.6g}"
    )


def beyond_chance(how: Replicates) -> float:
    """Standard errors that chance exceeds as rarely as 4 of a normal.

    Of few randomisations the standard error is itself uncertain, so that more are needed: those
    of Student's t.
    """
    if how.independent:
        return BEYOND_CHANCE
    tail = float(special.ndtr(-BEYOND_CHANCE))
    return float(-special.stdtrit(max(how.count - 1, 1), tail))


def correlation_checks(spec: Spec, draws: Draws) -> tuple[CorrelationCheck, ...]:
    """Compare the correlations of jointly drawn parameters with those asked for.

    Every pair of every group of the table ``correlations``: Spearman's rank correlation, or
    Pearson's of a multivariate normal group. Standard errors are those of independent draws.
    """
    n = len(draws)
    groups = find_groups(spec.parameters, spec.correlations, spec.empirical)
    rows = []
    for group in groups.correlated:
        columns = [draws.values[name] for name in group.members]
        moving = [np.ptp(column) > 0 for column in columns]
        if not group.sds:
            columns = [_ranks(column) for column in columns]
        for j in range(len(columns)):
            for i in range(j):
                if not (moving[i] and moving[j]) or n < 4:
                    continue
                asked = float(group.matrix[j, i])
                kind = "Pearson"
                if not group.sds:
                    kind, asked = "Spearman", 6 / math.pi * math.asin(asked / 2)
                found = float(np.corrcoef(columns[i], columns[j])[0, 1])
                more = 1.0 if group.sds else 1 + asked * asked / 2
                error = (1 - asked * asked) * math.sqrt(more / (n - 3))
                rows.append(
                    CorrelationCheck(
                        group=group.name,
                        kind=kind,
                        row=group.members[i],
                        column=group.members[j],
                        asked=asked,
                        achieved=found,
                        se=error,
                        error_in_se=_in_errors(found - asked, error),
                    )
                )
    return tuple(rows)


def _ranks(values: FloatArray) -> FloatArray:
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values), dtype=np.float64)
    return ranks


def precision_of(
    names: Sequence[str], threshold: float, inmbs: Sequence[FloatArray], how: Replicates
) -> tuple[Precision, ...]:
    """Precision of the mean INMB of each comparison, and what stratifying the draws gained."""
    rows = []
    for name, values in zip(names, inmbs, strict=True):
        n = len(values)
        mcse = how.standard_error(values)
        random = Replicates.random(n).standard_error(values)
        degrees = n - 1 if how.independent else how.count - 1
        half = math.nan
        if degrees > 0:
            half = mcse * float(special.stdtrit(degrees, 0.975))
        gain = (random / mcse) ** 2 if mcse > 0 and math.isfinite(random) else math.nan
        rows.append(
            Precision(
                id=name,
                threshold=threshold,
                mean=float(values.mean()),
                mcse=mcse,
                degrees=degrees,
                half_width=half,
                mcse_if_random=random,
                gain=gain,
            )
        )
    return tuple(rows)
