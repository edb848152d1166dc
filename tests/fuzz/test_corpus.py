"""The kept corpus: what is wrong with a file is its name, and each is refused without doing anything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bnnhw.dataflow.pipeline import identifier
from bnnhw.errors import BnnhwError, ModelError
from bnnhw.frontend import load
from bnnhw.ir import store
from bnnhw.reading import read_bytes
from tests.fuzz.doors import CORPUS, DOORS, VERILOG, design, tar

# Sound networks with names, or with parts that are never needed, that look for trouble.
TAKEN = {"names-that-are-verilog", "graph-inside-an-if"}
# What the largest file may take: a model of the most bytes that are read, twice.
MAX_MEGABYTES = 600


@pytest.fixture(scope="module")
def reports() -> dict[str, Any]:
    """What became of the corpus of each door."""
    command = [sys.executable, "-m", "tests.fuzz.replay", *DOORS]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", DOORS)
def test_corpus_is_refused_and_nothing_else_happens(name: str, reports: dict[str, Any]) -> None:
    report = reports[name]
    assert report["files"].keys() == {path.name for path in (CORPUS / name).iterdir()}
    for file, outcome in report["files"].items():
        assert outcome["taken"] == (file in TAKEN), file
        assert outcome["acts"] == [], file
    assert report["megabytes"] < MAX_MEGABYTES


def test_every_door_has_a_corpus_and_the_watch_sees_what_it_should() -> None:
    assert {path.name for path in CORPUS.iterdir()} == DOORS.keys()
    script = "import tests.fuzz.replay as r, sys; sys.argv = ['', 'verilog']\n"
    script += "r.DOORS['verilog'] = type('D', (), {'takes': lambda *_: bool(open('/etc/hostname'))})()\nr.main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    outcome = next(iter(json.loads(done.stdout)["verilog"]["files"].values()))
    assert outcome["acts"] == [f"open {os.path.realpath('/etc/hostname')}"]


def test_files_of_a_folder_are_no_links_pipes_or_devices(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(8))
    net = tmp_path / "net"
    net.mkdir()
    place = net / "0-0-weights.bin"
    os.symlink(tmp_path / "secret", place)
    with pytest.raises(ModelError, match="0-0-weights.bin: cannot be read: it is a link to another file"):
        load(net)
    place.unlink()
    os.symlink("/dev/zero", place)
    with pytest.raises(ModelError, match="it is a link"):
        load(net)
    place.unlink()
    os.mkfifo(place)  # which nobody writes to
    with pytest.raises(ModelError, match="it is not a file"):
        load(net)


@pytest.mark.parametrize("name", ["graph.json", "tensors.npz"])
def test_files_of_a_design_are_no_links(tmp_path: Path, name: str) -> None:
    for file, content in design().items():
        (tmp_path / file).write_bytes(content)
    store.load(tmp_path)
    (tmp_path / name).rename(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", tmp_path / name)
    with pytest.raises(BnnhwError, match=f"{name}: cannot be read.* link"):
        store.load(tmp_path)


def test_what_a_user_names_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "net.tar").write_bytes(tar())
    os.symlink(tmp_path / "net.tar", tmp_path / "link")
    assert read_bytes(tmp_path / "link", 1 << 20) == tar()


def test_sound_verilog_is_taken(tmp_path: Path) -> None:
    assert DOORS["verilog"].takes(VERILOG, tmp_path)


def test_names_become_identifiers() -> None:
    assert identifier('a;\n`include "/etc/passwd" $system \\') == "a___include___etc_passwd___system__"
