"""Each task once, each answer kept as soon as it is there, whatever happens in between."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bnnhw.errors import InputError, ToolError
from bnnhw.exploration.executors import Here
from bnnhw.exploration.running import run
from bnnhw.exploration.store import Store
from bnnhw.exploration.tasks import digest
from tests.exploration.tasks import Defective, Interrupted, Refused, Square, logged, squares

pytestmark = pytest.mark.unit


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "kept")


def test_answers_of_all_tasks_and_how_far_it_is(log: Path, store: Store) -> None:
    tasks, told = squares(3, log), []
    found = run([*tasks, tasks[0]], Here(), store=store, count=lambda done, of: told.append((done, of)))
    assert found == {digest(task): {"square": task.number**2} for task in tasks}
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert logged(log) == [0, 1, 2]


def test_what_is_known_is_not_asked_again(log: Path, store: Store) -> None:
    run(squares(2, log), Here(), store=store)
    told: list[tuple[int, int]] = []
    found = run(squares(4, log), Here(), store=store, count=lambda done, of: told.append((done, of)))
    assert sorted(answer["square"] for answer in found.values() if isinstance(answer, dict)) == [0, 1, 4, 9]
    assert logged(log) == [0, 1, 2, 3]
    assert told[0] == (2, 4)


@pytest.mark.parametrize("after", range(4))
def test_an_interrupt_loses_nothing_and_nothing_is_done_twice(log: Path, store: Store, after: int) -> None:
    tasks = squares(4, log)
    with pytest.raises(KeyboardInterrupt):
        run(tasks, Interrupted(after), store=store)
    assert [store.get(task) is not None for task in tasks] == [number < after for number in range(4)]
    found = run(tasks, Here(), store=store)
    assert logged(log) == [0, 1, 2, 3]
    assert len(found) == 4


def test_answers_that_have_arrived_at_an_interrupt_are_kept(log: Path, store: Store) -> None:
    """Other workers answer while the one answer that is taken is interrupted."""
    tasks = squares(3, log)
    made: list[Future[Any]] = []
    told: list[int] = []

    class Late(Here):
        def submit(self, *arguments: Any, **options: Any) -> Future[Any]:
            future: Future[Any] = Future()
            made.append(future)
            if len(made) == 3:
                made[0].set_result({"square": 0})
                made[1].set_result({"square": 1})
            return future

    def interrupt(done: int, of: int) -> None:
        if (done, told) == (1, [0]):
            told.append(1)
            raise KeyboardInterrupt
        told.append(done)

    with pytest.raises(KeyboardInterrupt):
        run(tasks, Late(), store=store, count=interrupt)
    assert [store.get(task) for task in tasks] == [{"square": 0}, {"square": 1}, None]
    assert made[2].cancelled() and told == [0, 1, 1, 2]


def test_a_failure_is_an_answer_that_is_not_kept(log: Path, store: Store) -> None:
    tasks = [Square(1, log), Refused(2, log), Square(3, log)]
    found = run(tasks, Here(), store=store)
    error = found[digest(tasks[1])]
    assert isinstance(error, ToolError) and str(error) == "no 2 today"
    run(tasks, Here(), store=store)
    assert logged(log) == [1, 2, 3, 2]


def test_a_defect_comes_after_all_the_others(log: Path, store: Store) -> None:
    with pytest.raises(ZeroDivisionError, match="with 1"):
        run([Defective(1, log), Square(2, log)], Here(), store=store)
    assert store.get(Square(2, log)) == {"square": 4}


def test_a_disk_that_refuses_ends_it(log: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("no folder")
    with pytest.raises(InputError, match="kept"):
        run(squares(3, log), Here(), store=Store(tmp_path / "kept"))
    assert logged(log) == [0]


def test_any_executor_will_do(log: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        found = run(squares(20, log), threads)
    assert len(found) == 20 and sorted(logged(log)) == list(range(20))


def test_a_damaged_file_counts_for_nothing(log: Path, store: Store, tmp_path: Path) -> None:
    task = Square(5, log)
    store.add(task, {"square": 25})
    (path,) = (tmp_path / "kept").iterdir()
    assert path.name == f"square-of-5-{digest(task)}.json"
    for text in ("", "[]", path.read_text()[:-9], path.read_text().replace('"number": 5', '"number": 6')):
        path.write_text(text)
        assert store.get(task) is None
    store.add(task, {"square": 25})
    assert store.get(task) == {"square": 25}
