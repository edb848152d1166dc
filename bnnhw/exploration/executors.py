"""Where tasks run: in this process, in some on this machine, or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any, NoReturn, TypeVar, cast

from bnnhw.errors import InputError, ToolError

T = TypeVar("T")

# Seconds until a scheduler that does not answer is taken for absent.
PATIENCE = 10
# Seconds in which a task that is given up removes its files and ends its tools.
CLEANING = 2


def executor_for(
    executor: Executor | None, jobs: int | None, scheduler: str | None
) -> AbstractContextManager[Executor]:
    """The one of the three that a user gave; with none of them, tasks run here, one after the other.

    Raises
    ------
    InputError
        If more than one is given, or `jobs` is no number of processes.
    """
    if sum(given is not None for given in (executor, jobs, scheduler)) > 1:
        raise InputError("give one of --jobs, --scheduler and an executor")
    if executor is not None:
        return nullcontext(executor)  # its owner shuts it down
    if scheduler is not None:
        return cluster(scheduler)
    if jobs is not None:
        if jobs < 1:
            raise InputError(f"--jobs must be at least 1, not {jobs}")
        return processes(jobs)
    return nullcontext(Here())


class Here(Executor):
    """Runs what is submitted at once, in the thread that submits it."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """Processes of this machine. Where the block is left by an error or an interrupt they end, with their tools.

    Raises
    ------
    ToolError
        If one of them dies.
    """
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_worker)
    try:
        yield executor
    except BaseException as error:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        executor.shutdown(cancel_futures=True)
        if isinstance(error, BrokenExecutor):
            raise ToolError(
                "one of the --jobs died, maybe for want of memory: use fewer of them; answers that were there are kept"
            ) from None
        raise
    executor.shutdown()


def _prepare_worker() -> None:
    """In each process: Ctrl-C is a matter of the process that started it, which then ends this one; and so does its
    death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        # The first ends the task, which the pool takes for its answer; the next ends the process.
        while True:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(CLEANING)

    threading.Thread(target=watch, daemon=True).start()


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """What is under way is given up: temporary files go, tools end."""
    sys.exit(128 + number)


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of a Dask cluster. The scheduler gives the task of a worker that dies to another one.

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
    except ImportError:
        raise ToolError('--scheduler needs dask.distributed: pip install "bnnhw[explore]"') from None
    where, untyped = f"--scheduler {address}", cast(Any, Client)
    try:
        client = untyped(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ToolError(f"{where}: no Dask scheduler answers ({reason}): see `dask scheduler --help`") from None
    try:
        with client:
            executor = client.get_executor(pure=False)
            try:
                yield executor
            except BaseException:
                executor.shutdown(wait=False)  # which takes back what no worker has begun
                raise
    except KilledWorker as error:
        raise ToolError(
            f"{where}: {error.allowed_failures + 1} workers died with the same point, maybe for want of memory: "
            "give them more; answers that were there are kept"
        ) from None
    except CancelledError:
        raise ToolError(f"{where}: the scheduler is gone; answers that were there are kept") from None
    except ModuleNotFoundError as error:
        raise ToolError(f"{where}: its workers lack {error.name}: install the same bnnhw there") from None
