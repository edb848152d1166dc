"""``bnnhw serve`` as a program of its own, and ``bnnhw run`` against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bnnhw.host import open_port
from tests.cli.conftest import CLI, Outcome
from tests.verify.boards import design, samples

pytestmark = [pytest.mark.end2end, pytest.mark.sim]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve")
    design().save(path)
    return path


@contextmanager
def serving(folder: Path, *options: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "bnnhw", "serve", str(folder), "--json", *map(str, options)]
    # As in a terminal, also where the tests run under nohup: a program leaves alone what it is told to ignore.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGHUP, before)
    with started as program:
        try:
            assert program.stdout is not None
            lines = [program.stdout.readline() for _ in range(3)]
            yield program, json.loads("".join(lines))["port"]
        finally:
            program.kill()


def children_of(program: subprocess.Popen[str]) -> list[int]:
    listed = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    if not listed.exists():
        pytest.skip("needs /proc to see child processes")
    return [int(word) for word in listed.read_text().split()]


def is_running(child: int) -> bool:
    """Whether it does more than wait for somebody to take note of its end."""
    state = Path(f"/proc/{child}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda s: s.name)
def test_it_leaves_nothing_behind(folder: Path, tmp_path: Path, ending: signal.Signals) -> None:
    link = tmp_path / "board"
    with serving(folder, "--link", link) as (program, name):
        assert name == str(link)
        assert link.is_symlink()
        children = children_of(program)
        assert children
        program.send_signal(ending)
        _, said = program.communicate()
    if ending != signal.SIGKILL:
        assert (program.returncode, Outcome(program.returncode, "", said).complaints) == (0, "")
        assert list(tmp_path.iterdir()) == []
    # The simulation ends with its standard input, even where nobody told it.
    while any(is_running(child) for child in children):
        time.sleep(0.05)


def test_run_against_it(cli: CLI, folder: Path, tmp_path: Path) -> None:
    with serving(folder, "--baud", 2_000_000) as (_, name):
        # One program after another, at the rates that they want.
        for samples_wanted, limit, baud in (
            (40, (), 2_000_000),
            (1, ("--baud", 1_500_000), 1_000_000),
            (2, (), 2_000_000),
        ):
            out = tmp_path / "out.npz"
            run = ("run", folder, "--port", name, "--samples", samples_wanted, "--timeout", 600, "-o", out, "--json")
            run += limit
            outcome = cli(*run)
            assert outcome.status == 0, outcome
            assert (outcome.json["retries"], outcome.json["baud"]) == (0, baud)
            assert outcome.json["inferences_per_second"] > 0
            arrays = np.load(out)
            right = samples()
            assert arrays["prediction"].tolist() == right.labels[:samples_wanted].tolist()
            assert arrays["integers"].tolist() == right.integers[:samples_wanted].tolist()
        # One that dies in the middle of a packet.
        port = open_port(name)
        port.write(b"\x7e\x02\x01\x18\x00abc")
        port.close()
        assert cli("run", folder, "--port", name, "--samples", 3, "--timeout", 600).status == 0


def test_names_that_are_taken(refused: CLI, folder: Path, tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("mine")
    assert f"--link {taken}: cannot be made: File exists" in refused("serve", folder, "--link", taken).err
    assert taken.read_text() == "mine"
    assert "cannot have --baud 5000000" in refused("serve", folder, "--baud", 5_000_000).err
    assert "graph.json" in refused("serve", tmp_path).err


def test_link_of_one_that_was_killed(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "board"
    link.symlink_to("/dev/pts/no-such")
    with serving(folder, "--link", link) as (program, _):
        assert Path(os.readlink(link)).exists()
        program.send_signal(signal.SIGINT)
        program.communicate()
    assert not link.is_symlink()
