"""What every survival family offers: the engine's in-place S(t) and what reports ask of a curve."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from heor.engine import survival_math as sm

if TYPE_CHECKING:
    from heor.spec.parameters import FloatArray

#: Shares failed at which `Family.restricted_mean` cuts the curve into smooth panels.
LANDMARKS = np.concatenate(
    ([1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.05, 0.1], 1.0 - np.exp2(-np.arange(0.25, 51.0)))
)


class Family(ABC):
    """One survival family.

    Attributes
    ----------
    name : str
        Key in `CURVES`.
    parameters : tuple of str
        Parameter names, in the order in which every method takes them.
    positive : tuple of str
        Those that must be above 0.
    uses_log_time : bool
        ``survival`` reads ``log_time`` only (``time`` may be None); else ``time`` only.
    """

    name: ClassVar[str]
    #: whether parameters exist with which S rises somewhere
    may_rise: ClassVar[bool] = False
    parameters: ClassVar[tuple[str, ...]]
    positive: ClassVar[tuple[str, ...]]
    uses_log_time: ClassVar[bool]

    def survival(
        self,
        time: FloatArray | None,
        log_time: FloatArray | None,
        params: Sequence[FloatArray],
        out: FloatArray,
    ) -> FloatArray:
        """Write S(t) into ``out``.

        Parameters
        ----------
        time, log_time : array ``(cycle,)`` or ``(draw, cycle)``, or None
            Times >= 0 and their logarithms (-inf at 0), in the curve's unit. One of them is
            needed, see ``uses_log_time``.
        params : sequence of array ``(draw, 1)``
            In the order of ``parameters``.
        out : array ``(draw, cycle)``
            Overwritten; C-contiguous.

        Returns
        -------
        array ``(draw, cycle)``
            ``out``. Exactly 1 at time 0. A row depends on its own parameters only, bit for bit.
        """
        at = log_time if self.uses_log_time else time
        if at is None:
            needed = "log_time" if self.uses_log_time else "time"
            raise ValueError(f"{self.name} needs {needed}")
        with np.errstate(all="ignore"):
            self._fill(at, params, out)
        return out

    @abstractmethod
    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        """Write S into ``out``; ``at`` is ``log_time`` or ``time``."""

    def log_survival(self, time: ArrayLike, params: Sequence[ArrayLike]) -> FloatArray:
        """Return ln S(t), accurate where S is near 1 and where it underflows; broadcasts."""
        return self._call(self._log_survival, time, params)

    def cumulative_hazard(self, time: ArrayLike, params: Sequence[ArrayLike]) -> FloatArray:
        """H(t) = -ln S(t); broadcasts."""
        return 0.0 - self.log_survival(time, params)

    def hazard(self, time: ArrayLike, params: Sequence[ArrayLike]) -> FloatArray:
        """Hazard at t > 0, per time unit; broadcasts."""
        return self._call(self._hazard, time, params)

    def quantile(self, failed: ArrayLike, params: Sequence[ArrayLike]) -> FloatArray:
        """Time by which the share ``failed`` (0..1) has had the event; inf if never."""
        return self._call(self._quantile, failed, params)

    def median(self, params: Sequence[ArrayLike]) -> FloatArray:
        """Time at which S = 0.5; inf if never."""
        return self.quantile(0.5, params)

    def restricted_mean(self, params: Sequence[ArrayLike], horizon: ArrayLike) -> FloatArray:
        """Area under S from 0 to ``horizon``, in the time unit; broadcasts."""
        return self._call(self._restricted_mean, horizon, params)

    def excel(self, params: Sequence[str], time: str) -> str:
        """Spreadsheet formula of S, without ``=``.

        Parameters
        ----------
        params : sequence of str
            Cell references, names or expressions, in the order of ``parameters``.
        time : str
            The same for the time, in the curve's unit.

        Returns
        -------
        str
            Only functions that Excel 2010 and LibreOffice share. 1 at times <= 0.
        """
        operands = bracketed(*params, time)
        return f"IF({operands[-1]}<=0,1,{self._excel(*operands)})"

    @property
    def form(self) -> str:
        """What tells its formula from others': the name, for a spline also the scale."""
        return self.name

    def derived(self, params: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        """Give numbers that follow from the parameters and that S repeats; none in most."""
        return ()

    def derived_excel(self, params: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Names and formulas of `derived`, as they stand in the formula of S."""
        return ()

    @abstractmethod
    def _excel(self, *operands: str) -> str:
        """Formula of S at times above 0; the operands are the parameters and the time."""

    @abstractmethod
    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray: ...

    @abstractmethod
    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray: ...

    @abstractmethod
    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray: ...

    def _restricted_mean(self, horizon: FloatArray, *params: FloatArray) -> FloatArray:
        """Quadrature, one curve at a time; families with a closed form replace it."""
        result = np.zeros(horizon.shape)
        for index in np.ndindex(horizon.shape):
            limit = float(horizon[index])
            if limit > 0.0:
                result[index] = self._area([p[index] for p in params], limit)
        return result

    def _area(self, params: Sequence[ArrayLike], limit: float) -> float:
        return sm.area_under(
            lambda time: np.exp(self.log_survival(time, params)),
            self.quantile(LANDMARKS, params),
            float(self.median(params)),
            limit,
        )

    @staticmethod
    def _call(
        function: Callable[..., FloatArray], first: ArrayLike, params: Sequence[ArrayLike]
    ) -> FloatArray:
        """Broadcast the arguments to full arrays and call with numpy's warnings off."""
        arrays = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (first, *params)))
        with np.errstate(all="ignore"):
            result = function(*(np.array(a, ndmin=1) for a in arrays))
        return result.reshape(arrays[0].shape)[()]


def bracketed(*texts: str) -> tuple[str, ...]:
    """Put formula operands that are not a single reference, name or number into brackets."""
    return tuple(
        text if re.fullmatch(r"[\w.$:!']+", text, re.ASCII) else f"({text})" for text in texts
    )
