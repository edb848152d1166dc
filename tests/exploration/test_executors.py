"""Processes and clusters: workers that die, and that end with what started them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import bnnhw
from bnnhw.errors import InputError, ToolError
from bnnhw.exploration.executors import cluster, executor_for, processes
from bnnhw.exploration.running import run
from bnnhw.exploration.store import Store
from bnnhw.exploration.tasks import digest
from tests.exploration.boards import board_of_ours
from tests.exploration.tasks import Deadly, Square, logged, squares

pytestmark = pytest.mark.end2end


def test_one_of_them() -> None:
    with ThreadPoolExecutor(1) as threads:
        with executor_for(threads, None, None) as chosen:
            assert chosen is threads
        assert threads.submit(abs, -1).result() == 1, "its owner shuts it down"
        for given in ((threads, 1, None), (threads, None, "tcp://x:1"), (None, 1, "tcp://x:1")):
            with pytest.raises(InputError, match="give one of"):
                executor_for(*given)
    with pytest.raises(InputError, match="--jobs must be at least 1"):
        executor_for(None, 0, None)


def test_a_process_that_dies(tmp_path: Path) -> None:
    """Those that had answered are kept; the next run does the rest, and nothing twice."""
    log, store = tmp_path / "log", Store(tmp_path / "kept")
    tasks = [Square(1, log), Square(2, log), Deadly(3, log), Square(4, log)]
    with pytest.raises(ToolError, match="one of the --jobs died"), processes(1) as executor:
        run(tasks, executor, store=store)
    assert multiprocessing.active_children() == []
    kept = [task.number for task in tasks if store.get(task) is not None]
    assert kept == [1, 2]
    with processes(1) as executor:
        found = run(tasks, executor, store=store)
    assert [found[digest(task)] for task in tasks] == [{"square": task.number**2} for task in tasks]
    assert logged(log) == [1, 2, 3, 3, 4]


# A process with workers, one of which begins what never ends; it says when.
PARENT = """
import sys, time
from pathlib import Path
from bnnhw.exploration.executors import processes

if __name__ == "__main__":
    from tests.exploration.test_executors import never
    with processes(2) as executor:
        executor.submit(never, Path(sys.argv[1])).result()
"""


def never(begun: Path) -> None:
    begun.write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)


def gone(process: int) -> bool:
    """Whether a process has ended; nobody may have waited for it."""
    with contextlib.suppress(OSError):
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_what_started_them(tmp_path: Path, number: signal.Signals) -> None:
    begun, script = tmp_path / "begun", tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = subprocess.Popen([sys.executable, script, begun], env=environment, stderr=subprocess.DEVNULL)
    while not begun.exists() or not begun.read_text():
        assert parent.poll() is None
        time.sleep(0.02)
    parent.send_signal(number)
    parent.wait()
    while not gone(int(begun.read_text())):
        time.sleep(0.02)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster on this machine, with two workers that are started again when they die."""
    distributed = pytest.importorskip("distributed", reason='needs dask.distributed: pip install "bnnhw[explore]"')
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as local:
        yield local.scheduler_address


def test_workers_of_a_cluster_that_die(tmp_path: Path, address: str) -> None:
    """Their tasks go to others; each has one answer, and those that answered are not asked again."""
    log, store, told = tmp_path / "log", Store(tmp_path / "kept"), []
    tasks: list[Any] = [*squares(6, log), Deadly(6, log), Deadly(7, log), Square(8, log)]
    with cluster(address) as executor:
        found = run(tasks, executor, store=store, count=lambda done, of: told.append(done))
    assert [found[digest(task)] for task in tasks] == [{"square": number**2} for number in range(9)]
    assert told == list(range(10))
    assert len(list((tmp_path / "kept").iterdir())) == 9
    times = {number: logged(log).count(number) for number in range(9)}
    assert times[6] >= 2 and times[7] >= 2
    with cluster(address) as executor:
        assert run(tasks, executor, store=store) == found
    assert {number: logged(log).count(number) for number in range(9)} == times


def test_a_task_that_kills_every_worker(tmp_path: Path, address: str) -> None:
    log, store = tmp_path / "log", Store(tmp_path / "kept")
    with pytest.raises(ToolError, match=r"4 workers died with the same point"), cluster(address) as executor:
        run([Deadly(1, log, deaths=99), Square(2, log)], executor, store=store)
    assert store.get(Square(2, log)) == {"square": 4}


def test_a_cluster_gives_the_bytes_that_processes_give(tmp_path: Path, address: str) -> None:
    """One of its workers dies when it first sees a board."""
    died = tmp_path / "died"
    deadly = f"""
import multiprocessing, os, pathlib
if multiprocessing.parent_process() is not None and not pathlib.Path({str(died)!r}).exists():
    pathlib.Path({str(died)!r}).touch()
    os._exit(9)
"""
    board = board_of_ours(tmp_path, deadly)
    models, options = ["digits-binary", "digits-ternary"], {"boards": ["icebreaker", str(board)], "fps": [1000, 1e9]}
    one = bnnhw.explore(models, folder=tmp_path / "cluster", scheduler=address, **options)
    assert died.exists() and len(one) == 8
    other = bnnhw.explore(models, folder=tmp_path / "here", **options)
    for name in ("results.csv", "results.html"):
        assert (tmp_path / "cluster" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert [row | {"seconds": 0} for row in one] == [row | {"seconds": 0} for row in other]
    assert {row["outcome"] for row in one} == {"planned", "refused"}


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason='needs dask.distributed: pip install "bnnhw[explore]"')
    monkeypatch.setattr("bnnhw.exploration.executors.PATIENCE", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ToolError, match="no Dask scheduler answers"), cluster(address):
            pass
    with pytest.raises(ToolError, match="no Dask scheduler answers"), cluster("nonsense://x"):
        pass


def test_without_distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ToolError, match=r'pip install "bnnhw\[explore\]"'), cluster("tcp://127.0.0.1:1"):
        pass
