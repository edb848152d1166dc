"""Compiled simulators: what is kept between them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bnnhw
from bnnhw import cache
from bnnhw.compiler import make_design
from bnnhw.dataflow import measure
from bnnhw.errors import MissingCompilerError, ToolError
from bnnhw.progress import silent
from bnnhw.resources import folder
from bnnhw.verify import verilator
from bnnhw.verify.executable import executable
from bnnhw.verify.simulation import simulated_cycles
from bnnhw.verify.simulator import Bench
from tests.cli.conftest import CLI, cli, refused

__all__ = ["cli", "refused"]

VERILOG = """module accelerator(input clk, input rst, input i__valid, output reg o__valid);
  always @(posedge clk) o__valid <= i__valid;
endmodule
"""


@pytest.mark.sim
def test_the_library_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path = tmp_path / "a cäche with spaces"
    monkeypatch.setenv("BNNHW_CACHE", str(tmp_path))
    logs = []
    for comment in ("// one\n", "// two\n"):
        before = set(tmp_path.glob("simulators/*/build.log"))
        Bench(VERILOG + comment, "accelerator")
        (log,) = set(tmp_path.glob("simulators/*/build.log")) - before
        logs.append(log.read_text())
        # Of 150 MB, the program.
        assert {path.name for path in log.parent.iterdir()} == {"accelerator", "build.log"}
    assert ["-c -o verilated.o" in log for log in logs] == [True, False]
    assert all("Vtop.cpp" in log for log in logs)


PLACES = """
import sys
from pathlib import Path
for name in ("verilator", "cocotb", "cocotb_tools"):
    real = Path(__import__(name).__file__).parent
    link = Path(sys.argv[1]) / name
    link.symlink_to(real, target_is_directory=True)
"""
SIMULATE = """
import sys
from pathlib import Path
import verilator
from cocotb_tools import config
from bnnhw.cli import main
# cocotb looks behind links itself.
packages = Path(verilator.__file__).parents[1]
assert " " in str(packages)
config.libs_dir, config.share_dir = packages / "cocotb" / "libs", packages / "cocotb" / "share"
assert config.libs_dir.is_dir() and config.share_dir.is_dir()
sys.exit(main(["simulate", sys.argv[1], "--samples", "2"]))
"""


def test_what_is_built_elsewhere_comes_to_its_place(tmp_path: Path) -> None:
    target = tmp_path / "c d" / "x"
    target.parent.mkdir()
    with verilator.building(target) as scratch:
        assert verilator.is_safe(scratch) and not verilator.is_safe(target)
        (scratch / "file").write_text("content")
        link = verilator.linked(target.parent, scratch, "there")
        assert link == scratch / "there" and link.resolve() == target.parent
        assert verilator.linked(scratch, scratch, "here") == scratch
    assert (target / "file").read_text() == "content"
    assert not scratch.exists()


@pytest.mark.slow
@pytest.mark.sim
def test_places_may_have_spaces_and_letters_beyond_ascii(tmp_path: Path) -> None:
    """The cache, and the environment with Verilator and cocotb in it."""
    bnnhw.compile("digits-binary", board="icebreaker", fps=1000, folder=tmp_path / "wörk ünd mehr")
    packages = tmp_path / "dîr with spaces"
    packages.mkdir()
    subprocess.run([sys.executable, "-c", PLACES, packages], check=True)
    path = os.pathsep.join((str(packages), str(Path(bnnhw.__file__).parents[1])))
    variables = {**os.environ, "PYTHONPATH": path, "BNNHW_CACHE": str(tmp_path / "cäche of mine")}
    command = [sys.executable, "-c", SIMULATE, tmp_path / "wörk ünd mehr"]
    for _ in range(2):  # compiled, and from the cache
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "cycles per inference" in done.stdout


def test_no_safe_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilator.tempfile, "tempdir", str(tmp_path / "a b"))
    with pytest.raises(
        ToolError, match="a b: Verilator takes no path with a space or a letter beyond ASCII: set TMPDIR"
    ):
        with verilator.building(tmp_path / "c d" / "x"):
            pass


@pytest.mark.parametrize("home", ["file", "nowhere"])
def test_a_cache_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: CLI, home: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("BNNHW_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("YOWASP_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / home))
    if home == "nowhere":

        def refuse(self: Path, **options: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(cache, "_writable", lambda path: False)
        monkeypatch.setattr(cache.Path, "mkdir", refuse)
    message = f"the cache {tmp_path / home}/.cache/bnnhw/simulators cannot be written"
    with pytest.raises(ToolError, match=message):
        verilator.simulators()
    with pytest.raises(ToolError, match="set BNNHW_CACHE to a folder that can"):
        cache.tool_environment()


def test_tools_keep_what_they_compile_in_our_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("YOWASP_CACHE_DIR", raising=False)
    monkeypatch.setenv("BNNHW_CACHE", str(tmp_path / "mine"))
    assert cache.tool_environment() == {"YOWASP_CACHE_DIR": str(tmp_path / "mine" / "YoWASP")}
    monkeypatch.setenv("YOWASP_CACHE_DIR", "theirs")
    assert cache.tool_environment() == {}
    monkeypatch.delenv("YOWASP_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path / "new"))
    assert cache.tool_environment() == {}


@pytest.fixture
def no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which only make is, and an empty cache."""
    make, perl = shutil.which("make"), shutil.which("perl")
    assert make is not None and perl is not None
    for program in (make, perl, "/bin/sh"):
        (tmp_path / Path(program).name).symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BNNHW_CACHE", str(tmp_path / "cache"))
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ziglang" else real(name))
    return tmp_path


def test_without_a_compiler(no_compiler: Path, refused: CLI) -> None:
    with pytest.raises(MissingCompilerError, match="no C\\+\\+ compiler for Verilator: install g\\+\\+"):
        executable(VERILOG, "accelerator", folder("sim") / "board_harness.cpp")
    assert (
        "install g++ or clang++, or `pip install ziglang`" in refused("simulate", "digits-binary", "--samples", "1").err
    )
    (no_compiler / "make").unlink()
    assert "no make for Verilator: install make" in refused("simulate", "digits-binary", "--samples", "1").err


def test_without_a_compiler_cycles_are_those_of_the_model(no_compiler: Path) -> None:
    design = make_design("digits-binary", board="icebreaker", fps=1000)
    assert simulated_cycles(design, silent) == (measure(design.plan, design.network), False)


@pytest.mark.slow
@pytest.mark.synth
def test_without_a_compiler_a_bitstream_is_built(no_compiler: Path, tmp_path: Path) -> None:
    design = bnnhw.compile("digits-binary", board="icebreaker", fps=1000)
    report = bnnhw.build(design, folder=tmp_path / "work")
    assert report["cycles_from"] == "cycle model"
    assert report["cycles_per_inference"] == design.estimate["cycles_per_inference"]
    assert report["latency_cycles"] == design.estimate["latency_cycles"]
