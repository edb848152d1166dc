"""Tasks on the workers of a Dask cluster, whatever becomes of single workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, cast

from bnnhw.errors import ToolError

T = TypeVar("T")

# Seconds until a scheduler that does not answer is taken for absent.
PATIENCE = 10
# What Dask gives as the reason for a cancelled task where the scheduler, and not a worker, is at fault.
GONE = ("scheduler-connection-lost", "scheduler-restart")


class ClusterExecutor(Executor):
    """The workers of a client's cluster.

    The scheduler gives the task of a worker that dies to another one. An answer that was on a worker which died before
    it was fetched, Dask may report as cancelled (and its own executor then never answers): such a task is begun again.

    Parameters
    ----------
    client
        A `distributed.Client`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._begun: dict[Future[Any], Any] = {}  # Dask forgets a task that nobody holds

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        self._begin(future, partial(fn, *args, **kwargs))
        return future

    def _begin(self, future: Future[T], work: Callable[[], T]) -> None:
        begun = self._client.submit(work, pure=False)
        self._begun[future] = begun
        begun.add_done_callback(lambda _: self._end(future, begun, work))

    def _end(self, future: Future[T], begun: Any, work: Callable[[], T]) -> None:
        """Called in a thread of Dask's, where an error would be lost."""
        if future.cancelled():
            return
        try:
            future.set_result(begun.result())
        except CancelledError as error:
            if self._client.status == "running" and getattr(error, "reason", "") not in GONE:
                self._begin(future, work)
            else:
                future.cancel()
                future.set_running_or_notify_cancel()
        except BaseException as error:
            future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """What no worker has begun is taken back when the client is closed."""


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of a Dask cluster.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    ToolError
        If dask.distributed is not installed, no scheduler answers, or the workers die or have no bnnhw.
    """
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
        from distributed.utils import silence_logging_cmgr
    except ImportError:
        raise ToolError('--scheduler needs dask.distributed: pip install "bnnhw[explore]"') from None
    where, untyped = f"--scheduler {address}", cast(Any, Client)
    try:
        with silence_logging_cmgr(logging.CRITICAL):
            client = untyped(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ToolError(f"{where}: no Dask scheduler answers ({reason}): see `dask scheduler --help`") from None
    try:
        # What goes wrong is told as an error of bnnhw, without Dask's tracebacks beside it.
        with silence_logging_cmgr(logging.CRITICAL), client:
            yield ClusterExecutor(client)
    except KilledWorker as error:
        raise ToolError(
            f"{where}: {error.allowed_failures + 1} workers died with the same point, maybe for want of memory: "
            "give them more; answers that were there are kept"
        ) from None
    except CancelledError:
        raise ToolError(f"{where}: the scheduler is gone; answers that were there are kept") from None
    except ModuleNotFoundError as error:
        raise ToolError(f"{where}: its workers lack {error.name}: install the same bnnhw there") from None
