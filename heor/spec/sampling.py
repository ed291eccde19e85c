"""Streams of uniform numbers, one per parameter, and the mixing of correlated scores (methods 7.2).

A parameter's stream depends on the seed, its id and the replicate alone, so adding or reordering
parameters changes no other draw. The numbers are taken from the raw bits of PCG64, which numpy
promises to keep, and lie strictly between 0 and 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from heor.errors import HeorError

FloatArray = NDArray[np.float64]

#: Dimensions that the direction numbers of scipy's Sobol sequence cover.
MOST_SOBOL_DIMENSIONS = 21_201
_SOBOL_BITS = 30
_LARGEST_UNIFORM = 1.0 - 2.0**-53
_SMALLEST_UNIFORM = 2.0**-53


class NotPositiveDefiniteError(ValueError):
    """A correlation matrix contradicts itself.

    Parameters
    ----------
    row, column : int
        The member at which it fails, and the earlier member it is most strongly tied to.
    """

    def __init__(self, row: int, column: int) -> None:
        super().__init__(f"the matrix is not positive definite at row {row}, column {column}")
        self.row = row
        self.column = column


class Streams:
    """Uniform numbers of each parameter.

    Parameters
    ----------
    seed : int
        Zero or more.
    n : int
        Draws.
    sampler : str
        ``random``: independent numbers, of which a larger ``n`` keeps the first.
        ``latin_hypercube``: one number in each of ``n`` equal strata, in an order of its own.
        ``sobol``: one column of a joint scrambled sequence, of which a larger ``n`` keeps the
        first rows too.
    replicate : int
        Which independent randomisation.
    ids : sequence of str
        The parameters that need numbers, in table order; the columns of ``sobol``.
    skip : int
        Numbers to leave out first; ``random`` only. Numbers ``a`` to ``b`` of a stream are the
        same whether the stream is read from its start or from ``a``.
    """

    def __init__(
        self,
        seed: int,
        n: int,
        sampler: str,
        replicate: int,
        ids: Sequence[str],
        skip: int = 0,
    ) -> None:
        self.seed = seed
        self.n = n
        self.sampler = sampler
        self.replicate = replicate
        self.skip = skip
        self._joint: Mapping[str, FloatArray] = {}
        if sampler == "sobol" and ids:
            points = _sobol(self._bits("sobol"), len(ids), n)
            self._joint = {name: points[:, column] for column, name in enumerate(ids)}

    def uniform(self, name: str) -> FloatArray:
        """Numbers of one parameter, ``(draw,)``, each strictly between 0 and 1."""
        if self.sampler == "sobol":
            return np.ascontiguousarray(self._joint[name])
        bits = self._bits("parameter:" + name)
        if self.sampler == "latin_hypercube":
            return _latin_hypercube(bits, self.n)
        bits.advance(self.skip)
        return ((bits.random_raw(self.n) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52

    def mixed(self, names: Sequence[str], matrix: FloatArray) -> dict[str, FloatArray]:
        """Numbers of parameters whose normal scores have a given correlation.

        Each member's own stream gives an independent normal score; the Cholesky factor mixes them.
        A Latin hypercube stays one: its numbers are put in the order of the mixed scores.

        Parameters
        ----------
        names : sequence of str
            The members.
        matrix : array ``(member, member)``
            Correlation of the normal scores.

        Returns
        -------
        dict of str to array
            For each member ``(draw,)``.

        Raises
        ------
        NotPositiveDefiniteError
            When no such scores exist.
        """
        factor = cholesky(matrix)
        own = [self.uniform(name) for name in names]
        scores = [special.ndtri(u) for u in own]
        result = {}
        for row, name in enumerate(names):
            if not factor[row, :row].any():
                result[name] = own[row]
                continue
            score = factor[row, row] * scores[row]
            for column in range(row):
                score = score + factor[row, column] * scores[column]
            if self.sampler == "latin_hypercube":
                mixed = np.empty(self.n)
                mixed[np.argsort(score, kind="stable")] = np.sort(own[row])
            else:
                mixed = np.clip(special.ndtr(score), _SMALLEST_UNIFORM, _LARGEST_UNIFORM)
            result[name] = mixed
        return result

    def _bits(self, key: str) -> np.random.PCG64:
        digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
        words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
        return np.random.PCG64(
            np.random.SeedSequence(self.seed, spawn_key=(self.replicate, *words))
        )


class Points(Streams):
    """Uniform numbers that are given instead of drawn.

    Parameters
    ----------
    columns : mapping of str to array ``(draw,)``
        Numbers of each parameter, strictly between 0 and 1.
    """

    def __init__(self, columns: Mapping[str, FloatArray]) -> None:
        super().__init__(0, len(next(iter(columns.values()))), "sobol", 0, ())
        self._joint = columns


def _latin_hypercube(bits: np.random.PCG64, n: int) -> FloatArray:
    """One number in each of ``n`` strata; 32 bits inside it, so that none rounds onto its edge."""
    stratum = np.argsort(bits.random_raw(n), kind="stable")
    inside = ((bits.random_raw(n) >> np.uint64(32)).astype(np.float64) + 0.5) * 2.0**-32
    return (stratum + inside) / n


def _sobol(bits: np.random.PCG64, dimensions: int, n: int) -> FloatArray:
    """First ``n`` points of a scrambled Sobol sequence, ``(draw, dimension)``."""
    import inspect

    from scipy.stats import qmc

    if dimensions > MOST_SOBOL_DIMENSIONS:
        raise HeorError(
            f"the sampler sobol takes at most {MOST_SOBOL_DIMENSIONS} uncertain parameters, "
            f"found {dimensions}; use random or latin_hypercube"
        )
    keyword = "rng" if "rng" in inspect.signature(qmc.Sobol).parameters else "seed"
    generator: dict[str, Any] = {keyword: np.random.Generator(bits)}
    engine = qmc.Sobol(dimensions, scramble=True, bits=_SOBOL_BITS, **generator)
    points = engine.random_base2((n - 1).bit_length())[:n]
    cells = 2.0**_SOBOL_BITS
    middle: FloatArray = (np.floor(points * cells) + 0.5) / cells
    return middle


def cholesky(matrix: FloatArray) -> FloatArray:
    """Lower Cholesky factor of a correlation matrix, in plain loops and so the same everywhere.

    Parameters
    ----------
    matrix : array ``(member, member)``
        Symmetric with a unit diagonal.

    Raises
    ------
    NotPositiveDefiniteError
        With the pair at which it fails.
    """
    size = len(matrix)
    factor = np.zeros((size, size))
    for row in range(size):
        for column in range(row):
            rest = matrix[row, column]
            for k in range(column):
                rest = rest - factor[row, k] * factor[column, k]
            factor[row, column] = rest / factor[column, column]
        left = 1.0
        for k in range(row):
            left -= factor[row, k] ** 2
        if not left > 1e-12:
            raise NotPositiveDefiniteError(row, int(np.argmax(np.abs(matrix[row, :row]))))
        factor[row, row] = np.sqrt(left)
    return factor
