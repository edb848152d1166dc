"""Packages as their users run them: Icarus, Verilator and yosys on the files, without Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bnnhw.design import Design
from bnnhw.generate.wrappers import BUSES
from bnnhw.packaging import make_package
from bnnhw.toolchain import tools
from bnnhw.verify import verilator
from tests.packaging.designs import dense, folded, pooled

Make = Callable[[Path], Design]
# Streams get a damaged frame and the first one again, and all of them with stalls as well.
PASS = {"stream": "PASS: 8 frames twice", "axi-stream": "PASS: 8 frames twice", "wishbone": "PASS: 6 frames"}


def packaged(make: Make, bus: str, folder: Path, prefix: str = "net") -> Path:
    make_package(make(folder), bus=bus, prefix=prefix, samples=6).save(folder)
    return folder


def icarus(folder: Path, top: str, *sources: str) -> subprocess.CompletedProcess[str]:
    """Compiles without a message, and runs; what it said."""
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    compiled = subprocess.run(
        ["iverilog", "-g2001", "-Wall", "-s", top, "-o", "bench.vvp", *sources],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not compiled.stdout + compiled.stderr
    return subprocess.run(["vvp", "-N", "bench.vvp"], cwd=folder, capture_output=True, text=True, timeout=600)


def run_verilator(folder: Path, *arguments: str) -> None:
    """Runs Verilator, which must say nothing."""
    root = verilator.installed()
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    done = subprocess.run(
        [str(root / "bin" / "verilator_bin"), "--quiet", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.sim
@pytest.mark.parametrize("bus", BUSES)
@pytest.mark.parametrize("make", [dense, folded, pooled])
def test_its_bench_passes_and_the_linters_are_silent(make: Make, bus: str, tmp_path: Path) -> None:
    folder = packaged(make, bus, tmp_path)
    ran = icarus(folder, "net_tb", "net.v", "net_tb.v")
    assert (ran.returncode, ran.stderr) == (0, "") and PASS[bus] in ran.stdout, ran.stdout
    run_verilator(folder, "--lint-only", "-Wall", "net.v")
    run_verilator(folder, "--lint-only", "-Wall", "--timing", "--top-module", "net_tb", "net.v", "net_tb.v")


@pytest.mark.sim
@pytest.mark.parametrize("bus", [BUSES[0], *(pytest.param(bus, marks=pytest.mark.slow) for bus in BUSES[1:])])
def test_its_bench_passes_in_verilator(bus: str, tmp_path: Path) -> None:
    packaged(folded, bus, tmp_path)
    program = tmp_path / "obj_dir" / "Vnet_tb"
    # As the page has it; less optimised, which takes less time.
    command = "--binary --timing -CFLAGS -std=c++20 net.v net_tb.v --top-module net_tb"
    root = verilator.installed()
    subprocess.run(
        [str(root / "bin" / "verilator"), *command.split(), "-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"],
        cwd=tmp_path,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        check=True,
        capture_output=True,
    )
    assert f"verilator {command}" in (tmp_path / "net.md").read_text()
    ran = subprocess.run([program], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0 and PASS[bus] in ran.stdout, ran.stdout + ran.stderr
    results = tmp_path / "net_results.hex"
    first, _, others = results.read_text().partition("\n")
    results.write_text(f"{int(first, 16) ^ 1:x}\n{others}")
    ran = subprocess.run([program], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode != 0 and "FAIL" in ran.stdout


@pytest.mark.sim
@pytest.mark.parametrize("bus", BUSES)
def test_its_bench_finds_a_fault_in_the_module(bus: str, tmp_path: Path) -> None:
    """A word of weights is turned over, and a result is withheld."""
    packaged(folded, bus, tmp_path)
    source = tmp_path / "net.v"
    whole = source.read_text()
    weights = re.search(r"^module net__\S+_weights\(", whole, re.MULTILINE)
    assert weights is not None
    found = re.compile(r"memory\[0\] = (\d+)'h([0-9a-f]+);").search(whole, weights.start())
    assert found is not None
    broken = f"memory[0] = {found[1]}'h{int(found[2], 16) ^ (1 << int(found[1])) - 1:x};"
    source.write_text(whole[: found.start()] + broken + whole[found.end() :])
    ran = icarus(tmp_path, "net_tb", "net.v", "net_tb.v")
    assert ran.returncode == 1 and ("FAIL: register 4" if bus == "wishbone" else "FAIL: beat") in ran.stdout
    if bus == "wishbone":
        return
    source.write_text(whole)
    bench = tmp_path / "net_tb.v"
    text = re.sub(r"HANG = \d+", "HANG = 100", bench.read_text())
    bench.write_text(re.sub(r"(\w+) <= !\(stalling && random\[9\]\)", r"\1 <= got < 3", text))
    ran = icarus(tmp_path, "net_tb", "net.v", "net_tb.v")
    assert ran.returncode == 1 and "FAIL: no beat for 100 cycles" in ran.stdout


@pytest.mark.sim
def test_two_in_one_design(tmp_path: Path) -> None:
    """Two prefixes, two buses, one compilation: both benches run side by side, and no name is there twice."""
    packaged(folded, "stream", tmp_path, "left")
    packaged(dense, "axi-stream", tmp_path, "right")
    modules = [
        re.findall(r"^module (\S+?)\(", (tmp_path / f"{name}.v").read_text(), re.MULTILINE)
        for name in ("left", "right")
    ]
    for name, found in zip(("left", "right"), modules, strict=True):
        assert all(module == name or module.startswith(f"{name}__") for module in found)
    # The first of the two that passes would end the simulation of both.
    (tmp_path / "both.v").write_text("module both;\n  left_tb left_tb ();\n  right_tb right_tb ();\nendmodule\n")
    for name in ("left", "right"):
        bench = tmp_path / f"{name}_tb.v"
        bench.write_text(bench.read_text().replace("$finish;", "if (cycle > 2000) $finish;").replace("PASS", name))
    ran = icarus(tmp_path, "both", "both.v", "left.v", "right.v", "left_tb.v", "right_tb.v")
    assert "left: 8 frames" in ran.stdout and "right: 8 frames" in ran.stdout and "FAIL" not in ran.stdout, ran.stdout


@pytest.mark.synth
@pytest.mark.parametrize("make", [dense, pytest.param(folded, marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", ["synth_ice40", "synth_ecp5", "synth_gowin", "synth_xilinx"])
def test_yosys_takes_it_for_any_maker(command: str, make: Make, tmp_path: Path) -> None:
    packaged(make, "axi-stream", tmp_path)
    script = f"read_verilog net.v; {command} -top net; check -assert; select -assert-none t:*LATCH* t:LD?E"
    done = subprocess.run(
        [tools.find(tools.YOSYS), "-q", "-p", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    # What yosys says of its own libraries is not about the package.
    assert not [line for line in said.splitlines() if "arning" in line and "/share/" not in line]
