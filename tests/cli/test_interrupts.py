"""Work that is cut short: no half file, no process left behind, and no two builds in one folder."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import bnnhw
from bnnhw.cli import main
from bnnhw.generate import board_top
from tests.cli.conftest import CLI, Outcome

pytestmark = pytest.mark.end2end

# A signal, and a word in the command line of the process at whose start it comes; none for the program itself.
MOMENTS = [(signal.SIGINT, ""), (signal.SIGTERM, "accelerator"), (signal.SIGHUP, "yosys"), (signal.SIGINT, "nextpnr")]


def start(*arguments: object) -> subprocess.Popen[str]:
    """The command line in a session of its own, by which all processes that it starts are known."""
    command = [sys.executable, "-m", "bnnhw", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def alive(session: int) -> list[str]:
    """The processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(of) == session and state != "Z":
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except (OSError, ValueError):  # it ended meanwhile
            continue
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A design that is soon synthesised."""
    folder = tmp_path_factory.mktemp("small")
    bnnhw.compile("digits-binary", board="icebreaker", fps=100, folder=folder)
    return folder


def build(small: Path, folder: Path) -> subprocess.Popen[str]:
    return start("build", small, "-o", folder / "out")


def check_interrupted(process: subprocess.Popen[str], folder: Path, number: signal.Signals) -> None:
    """Sends a signal to a build and waits for all of its processes; how long does not matter."""
    process.send_signal(number)
    _, written = process.communicate()
    complaints = Outcome(process.returncode, "", written).complaints
    if process.returncode == 0:  # it was faster
        assert (folder / "out" / "report.json").is_file()
        return
    # While Python was starting: it died of the signal, or could not load its own modules.
    starting = ("Could not import runpy module", "Fatal Python error: init_import_site")
    before_main = process.returncode == -number or written.startswith(starting)
    assert before_main or (process.returncode, complaints) == (128 + number, "bnnhw: interrupted\n")
    # A compiler that make was waiting for ends with its file.
    while alive(process.pid):
        time.sleep(0.1)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize(("number", "word"), MOMENTS)
def test_a_signal_leaves_nothing(small: Path, tmp_path: Path, number: signal.Signals, word: str) -> None:
    process = build(small, tmp_path)
    while word and process.poll() is None:
        if any(word in command for command in alive(process.pid) if " build " not in command):
            break
        time.sleep(0.02)
    check_interrupted(process, tmp_path, number)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("moment", range(40))
def test_a_signal_at_any_moment(small: Path, tmp_path: Path, moment: int) -> None:
    process = build(small, tmp_path)
    time.sleep(0.2 + 0.45 * moment)
    check_interrupted(process, tmp_path, (signal.SIGINT, signal.SIGTERM)[moment % 2])


def test_circuits_that_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Amaranth warns of every one that was begun, whenever the collector finds it."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(board_top, "BoardLink", interrupted)
    gc.collect()  # circuits of other tests
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert main(["build", "digits-binary", "--board", "icebreaker", "-o", str(tmp_path / "out")]) == 130
        gc.collect()
    assert Outcome(130, *capsys.readouterr()).complaints == "bnnhw: interrupted\n"
    assert [str(each.message) for each in warned] == []


@pytest.mark.parametrize("command", ["compile", "build"])
def test_a_folder_that_another_one_writes(refused: CLI, tmp_path: Path, command: str) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        outcome = refused(command, "digits-binary", "--board", "icebreaker", "-o", tmp_path)
    finally:
        os.close(handle)
    assert f"{tmp_path}: another bnnhw is writing to it" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_full_disk_of_the_results(refused: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    outcome = refused("compile", "digits-binary", "--board", "icebreaker", "-o", tmp_path / "out")
    assert f"the disk of {tmp_path / 'out'} is full" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """The start of a command that sees `tmp_path` as a disk of 100 kB."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=100k tmpfs '{tmp_path}'"
    if shutil.which("unshare") is None or subprocess.run([*command, mount], capture_output=True).returncode != 0:
        pytest.skip("no right to mount a small disk")
    return [*command, f'{mount} && "$@"; status=$?; ls -A "{tmp_path}"; exit $status', "sh"]


@pytest.mark.parametrize("place", ["results", "temporary files"])
def test_a_disk_that_is_full(small_disk: list[str], tmp_path: Path, place: str) -> None:
    """A compiled network of MNIST is larger than the disk; and a build has temporary files."""
    small, large = tmp_path, tmp_path.parent
    out = (small if place == "results" else large) / "out"
    cache = {"TMPDIR": str(small), "BNNHW_CACHE": str(small)} if place == "temporary files" else {}
    verb = ["compile", "mnist-binary"] if place == "results" else ["simulate", "mnist-binary"]
    more = ["-o", str(out)] if place == "results" else []
    done = subprocess.run(
        [*small_disk, sys.executable, "-m", "bnnhw", *verb, "--board", "icebreaker", *more],
        env={**os.environ, **cache},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert Outcome(2, "", done.stderr).complaints.startswith("bnnhw: error: ")
    assert "full" in done.stderr
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()
