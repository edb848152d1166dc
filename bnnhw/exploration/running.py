"""Runs tasks on an executor: each once, each answer kept as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from typing import Protocol, TypeVar

from bnnhw.errors import BnnhwError
from bnnhw.exploration.tasks import Answer, Task, digest

Count = Callable[[int, int], None]
"""Called with how many tasks are done, and how many there are."""

T = TypeVar("T", bound=Task)
T_contra = TypeVar("T_contra", bound=Task, contravariant=True)


class Keeps(Protocol[T_contra]):
    """Where answers outlive the process."""

    def get(self, task: T_contra) -> Answer | None:
        """The answer to `task`, if it is known."""
        ...

    def add(self, task: T_contra, answer: Answer) -> None:
        """Keeps the answer to `task`."""
        ...


def run(
    tasks: Iterable[T], executor: Executor, *, store: Keeps[T] | None = None, count: Count | None = None
) -> dict[str, Answer | BnnhwError]:
    """The answers to `tasks`, by their digests.

    What `store` knows is not asked again; what it does not is written there by this process alone, so workers may be on
    other machines, and may be lost: a task whose worker is lost and that the executor gives to another one still has
    one answer.

    Returns
    -------
    dict
        For a task that failed in a foreseen way its error, which is not kept: it is tried again the next time.

    Raises
    ------
    BaseException
        What interrupts the run or breaks the executor, once all answers that have arrived are kept; and what a task
        raised that it should not, once all others are done.
    """
    each = {digest(task): task for task in tasks}
    found: dict[str, Answer | BnnhwError] = {}
    if store is not None:
        found = {name: answer for name, task in each.items() if (answer := store.get(task)) is not None}
    waiting: dict[Future[Answer], str] = {}
    defects: list[BaseException] = []

    def tell() -> None:
        if count is not None:
            count(len(found) + len(defects), len(each))

    def take(future: Future[Answer]) -> None:
        name = waiting[future]
        error = future.exception()
        if error is None:
            if store is not None:
                store.add(each[name], future.result())
            found[name] = future.result()
        elif isinstance(error, BnnhwError):
            found[name] = error
        elif isinstance(error, BrokenExecutor) or not isinstance(error, Exception):
            raise error
        else:
            defects.append(error)
        tell()
        del waiting[future]  # at last: an interrupt on the way here leaves it to be taken again

    tell()
    try:
        for name in [name for name in each if name not in found]:
            future = executor.submit(_answer, each[name])
            waiting[future] = name
            if future.done():  # an executor may do all of it at once
                take(future)
        for future in as_completed([*waiting]):
            take(future)
    except BaseException:
        for future in [*waiting]:
            arrived = future.done() and not future.cancelled() and future.exception() is None
            if arrived:
                take(future)
            else:
                future.cancel()
        raise
    if defects:
        raise defects[0]
    return found


def _answer(task: Task) -> Answer:
    return task.answer()
