"""The same work on an existing Dask cluster (optional: extra ``cluster``).

Nothing here computes: a cluster does the pieces that `heor.analyses` would otherwise do one after
another, and hands them back. A piece is a function of the study and a few numbers, so that one that
is lost with its worker is simply done again by another.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from heor.errors import HeorError
from heor.spec.records import Spec

#: Packages that must be the same everywhere, for results to be the same bits.
SAME = ("heor", "numpy", "scipy")

#: Seconds to wait for the scheduler, and for its first worker.
PATIENCE = 15.0


@contextmanager
def connect(address: str) -> Iterator[Cluster]:
    """Connect to the scheduler of a running cluster.

    Parameters
    ----------
    address : str
        Such as ``tcp://10.0.0.5:8786``.

    Yields
    ------
    Cluster
        A `heor.analyses.mapper.Mapper`.

    Raises
    ------
    HeorError
        When ``dask.distributed`` is not installed, nobody answers, no worker is there, or one has
        another version of Python, heor, NumPy or SciPy.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise HeorError(
            "--scheduler needs dask.distributed: install heor with its extra `cluster`, here and "
            "on the workers"
        ) from error
    try:
        client = Client(  # type: ignore[no-untyped-call]
            address, timeout=PATIENCE, set_as_default=False
        )
    except (OSError, ValueError, TimeoutError) as error:
        raise HeorError(
            f"no scheduler answers at {address}; start one with `dask scheduler` and give its "
            "address, such as tcp://10.0.0.5:8786"
        ) from error
    try:
        yield Cluster(client)
    finally:
        client.close()  # type: ignore[no-untyped-call]


class Cluster:
    """Work of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
        Connected.

    Raises
    ------
    HeorError
        When it has no worker, or one that would compute otherwise.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise HeorError("the cluster has no workers; start one with `dask worker`") from error
        own = versions()
        others = client.run(versions)
        wrong = [
            f"{worker} has {name} {theirs[name]}, here is {own[name]}"
            for worker, theirs in others.items()
            for name in own
            if theirs[name] != own[name]
        ]
        if wrong:
            raise HeorError(f"the cluster would compute otherwise: {'; '.join(wrong)}")

    def __call__(
        self, function: Callable[[Spec, Any], Any], spec: Spec, items: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Do ``function(spec, item)`` for every item; see `heor.analyses.mapper.Mapper`."""
        from distributed import as_completed

        # a result, so that it is made again where the only worker that has it is lost
        shared = self._client.submit(_same, spec, pure=False)
        places = {
            self._client.submit(function, shared, item, pure=False): place
            for place, item in enumerate(items)
        }
        try:
            for future in as_completed(places, loop=self._client.loop):  # type: ignore[no-untyped-call]
                yield places.pop(future), future.result()
                future.release()
        finally:
            self._client.cancel(list(places))


def _same(spec: Spec) -> Spec:
    return spec


def versions() -> dict[str, str]:
    """Give the versions that results may depend on."""
    found = {"python": platform.python_version()}
    for name in SAME:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
