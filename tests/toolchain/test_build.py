"""Bitstreams of a small network: the files, the report, and that the same input gives the same bits."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bnnhw.dataflow import Cycles, load_folding, make_plan
from bnnhw.errors import InputError, PlanError
from bnnhw.progress import silent
from bnnhw.toolchain import bitstream, build_bitstream, find_board, flow
from bnnhw.toolchain.report import digest_of
from tests.toolchain.networks import bipolar_network, folded

NETWORK = bipolar_network(24, 8, 4)
FOLDINGS = ((4, 8), (1, 4))
CYCLES = Cycles(latency=50, interval=8)


Report = dict[str, Any]


def build(board_name: str, folder: Path, **options: Any) -> Report:
    board = find_board(board_name)
    plan = folded(NETWORK, board, *FOLDINGS)
    return build_bitstream(plan, NETWORK, folder, board=board, cycles=CYCLES, **options)


@pytest.fixture(scope="module")
def icebreaker(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return build_and_look("icebreaker", tmp_path_factory.mktemp("icebreaker"))


def build_and_look(name: str, folder: Path) -> Report:
    """Builds for a board, and looks at the files."""
    report = build(name, folder / "out")
    files = {path.name for path in (folder / "out").iterdir()}
    assert files == {find_board(name).bitstream, "report.json", "yosys.log", "nextpnr.log", "nextpnr.json"}
    assert [path.name for path in folder.iterdir()] == ["out"]
    assert json.loads((folder / "out/report.json").read_text()) == report
    return report


@pytest.mark.synth
def test_icebreaker(icebreaker: Report) -> None:
    check(icebreaker, "icebreaker")


@pytest.mark.synth
@pytest.mark.parametrize("name", ["ice40-hx8k-b-evn", "ulx3s-85f"])
def test_other_boards(name: str, tmp_path: Path) -> None:
    check(build_and_look(name, tmp_path), name)


def check(report: Report, name: str) -> None:
    """A report of NETWORK on the board called `name`."""
    board = find_board(name)
    assert (report["board"], report["part"], report["model"]) == (name, board.part, "small")
    assert board.clock_mhz < report["clock_mhz"] <= report["fmax_mhz"] < report["clock_mhz"] * 1.05
    assert report["link"]["fmax_mhz"] > board.clock_mhz
    used = report["utilization"]
    for count in used.values():
        assert 0 <= count["used"] <= count["available"]
    assert used["lut4"]["available"] == board.device.lut4
    assert used["block_ram"]["available"] == board.device.block_ram
    assert (used["spram"]["available"], used["dsp"]["available"]) == (board.device.spram, board.device.dsp)
    assert used["lut4"]["used"] > 300 and used["ff"]["used"] > 200
    assert used["carry"]["used"] > 20 and used["block_ram"]["used"] > 0

    assert (report["cycles_per_inference"], report["latency_cycles"]) == (8, 50)
    assert report["inferences_per_second"] == pytest.approx(report["clock_mhz"] * 1e6 / 8)
    # Ten bits a byte; a result has 7 bytes, and 16 of them share the 7 bytes around a packet.
    assert report["link_inferences_per_second"] == pytest.approx(report["link"]["baud"] / 10 / (7 + 7 / 16))
    assert report["macs_per_inference"] == 24 * 8 + 8 * 4
    assert report["macs_per_cycle"] == 28
    assert report["efficiency"] == pytest.approx(28 / board.device.bandwidth_macs_per_cycle)
    taken = [*report["area"]["layers"], report["area"]["frames"], report["area"]["board"]]
    for resource in ("lut4", "ff", "block_ram", "spram", "dsp"):
        assert sum(part[resource] for part in taken) == used[resource]["used"], resource
    assert all(part["lut4"] > 20 for part in taken)
    path = report["critical_path"]
    assert path["ns"] == pytest.approx(1000 / report["fmax_mhz"], rel=1e-3)
    assert path["units"] and path["words"]
    assert report["accuracy"] is report["accuracy_samples"] is None
    assert report["options"]["seed"] == report["options"]["seeds"] == report["seed"] == 1
    assert report["fmax_mhz_by_seed"] == {"1": report["fmax_mhz"]}
    assert set(report["seconds"]) >= {"elaborate", "synthesize", "place_and_route", "pack"}


@pytest.mark.synth
def test_the_same_input_gives_the_same_bits(icebreaker: Report, tmp_path: Path) -> None:
    """Again, step by step; and the routed design, read back, differs only in the dividers that are set."""
    board = find_board("icebreaker")
    job = bitstream.Job(folded(NETWORK, board, *FOLDINGS), NETWORK, board, tmp_path, [1], 1, board.fast_baud(), silent)
    clock, timing = job.run(None)
    bits = packed(tmp_path)
    assert hashlib.sha256(bits).hexdigest() == icebreaker["sha256"]
    chosen = bitstream.fastest_clock(board, float(clock))
    assert chosen is not None and chosen.setting is not None
    flow.set_dividers(board, tmp_path, {**chosen.setting.dividers, "DIVQ": 6})
    assert flow.timing(tmp_path) == timing
    changed = packed(tmp_path)
    assert len(changed) == len(bits)
    flips = sum((a ^ b).bit_count() for a, b in zip(bits[:-8], changed[:-8], strict=True))  # without the checksum
    assert flips == (chosen.setting.dividers["DIVQ"] ^ 6).bit_count()


def packed(folder: Path) -> bytes:
    board = find_board("icebreaker")
    flow.pack(board, folder)
    return (folder / board.bitstream).read_bytes()


@pytest.mark.synth
def test_the_best_of_several_seeds(icebreaker: Report, tmp_path: Path) -> None:
    """Its bits are those of a build with that seed alone; only the routes are repeated."""
    report = build("icebreaker", tmp_path / "best", seeds=3, simulated=False)
    reached = report["fmax_mhz_by_seed"]
    assert (icebreaker["cycles_from"], report["cycles_from"]) == ("simulation", "cycle model")
    assert list(reached) == ["1", "2", "3"] and len(set(reached.values())) > 1
    assert reached["1"] == icebreaker["fmax_mhz"]
    assert report["fmax_mhz"] == max(reached.values()) == reached[str(report["seed"])]
    assert icebreaker["clock_mhz"] <= report["clock_mhz"] <= report["fmax_mhz"]
    assert json.loads((tmp_path / "best/nextpnr.json").read_text())["fmax"]
    alone = build("icebreaker", tmp_path / "alone", seed=report["seed"])
    assert alone["sha256"] == report["sha256"]
    assert {path.name for path in (tmp_path / "best").iterdir()} == {
        path.name for path in (tmp_path / "alone").iterdir()
    }


@pytest.mark.synth
def test_too_large_leaves_nothing(tmp_path: Path) -> None:
    """One lane and 33 block RAMs of weights: quick to synthesise, and more than a UP5K has."""
    board = find_board("icebreaker")
    network = bipolar_network(512, 264, 2)
    plan = folded(network, board, (1, 1), (1, 1))
    with pytest.raises(PlanError, match=r"too large for ice40-up5k .* it needs \d+ of 30 block RAMs"):
        build_bitstream(plan, network, tmp_path / "out", board=board, cycles=CYCLES)
    assert list(tmp_path.iterdir()) == []


def test_wrong_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--seed must be 0 to 2147483647, not -1"):
        build("icebreaker", tmp_path, seed=-1)
    with pytest.raises(InputError, match="--seeds must be 1 to 2147483641, not 0"):
        build("icebreaker", tmp_path, seed=7, seeds=0)
    with pytest.raises(InputError, match="--jobs must be at least 1, not 0"):
        build("icebreaker", tmp_path, jobs=0)
    for clock in (float("nan"), -1, 1e9):
        with pytest.raises(
            PlanError, match=f"--clock-mhz must be above 0 and at most 400, not {clock:g}".replace("+", ".")
        ):
            build("icebreaker", tmp_path, clock_mhz=clock)


def test_a_plan_for_another_part(tmp_path: Path) -> None:
    board = find_board("icebreaker")
    plan = replace(folded(NETWORK, board, *FOLDINGS), part="ecp5-85f")
    with pytest.raises(PlanError, match="the plan is for ecp5-85f, but board icebreaker has ice40-up5k"):
        build_bitstream(plan, NETWORK, tmp_path, board=board, cycles=CYCLES)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        build("icebreaker", tmp_path / "file" / "out")


@pytest.mark.synth
def test_report_holds_what_a_rebuild_needs(icebreaker: Report, tmp_path: Path) -> None:
    """The folding in it makes the same plan; tools have their versions; the model file is known by its digest."""
    (tmp_path / "report.json").write_text(json.dumps(icebreaker))
    board = find_board("icebreaker")
    folding = load_folding(tmp_path / "report.json")
    again = make_plan(NETWORK, board.device, board=board.name, folding=folding)
    assert again == folded(NETWORK, board, *FOLDINGS)
    assert icebreaker["tools"].keys() >= {"bnnhw", "python", "amaranth", "numpy", "onnx", "yosys", "nextpnr-ice40"}
    assert icebreaker["model_file"] is None  # it was made without one


def test_digest_of_a_model_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    assert digest_of(tmp_path / "a") == hashlib.sha256(b"one").hexdigest()
    before = digest_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert digest_of(tmp_path) != before


COMPILE = "import bnnhw, sys; bnnhw.compile('digits-binary', board='icebreaker', folder=sys.argv[1])"
COMPILE_SAVED = "import pathlib, sys; from bnnhw.design import load_design, VERILOG; import dataclasses\n"
COMPILE_SAVED += (
    "d = dataclasses.replace(load_design(pathlib.Path(sys.argv[2])), folder=None)\nd.save(pathlib.Path(sys.argv[1]))"
)


@pytest.mark.end2end
def test_designs_do_not_depend_on_folder_or_hash_seed(tmp_path: Path) -> None:
    """Nor on whether the design was just made or read from its files."""
    first, second, third = (tmp_path / name for name in ("a", "other/place", "again"))
    for seed, script, folder, *more in (
        ("1", COMPILE, first),
        ("2", COMPILE, second),
        ("3", COMPILE_SAVED, third, first),
    ):
        place = tmp_path / f"cwd{seed}"
        place.mkdir()
        command = [sys.executable, "-c", script, str(folder), *map(str, more)]
        subprocess.run(command, cwd=place, env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
    names = {path.name for path in first.iterdir()}
    assert names == {"graph.json", "tensors.npz", "plan.json", "estimate.json", "accelerator.v"}
    for name in names:
        content = (first / name).read_bytes()
        assert (second / name).read_bytes() == content, name
        assert (third / name).read_bytes() == content, name


BUILD = """
import pathlib, sys
from tests.toolchain import test_build
print(test_build.build("icebreaker", pathlib.Path(sys.argv[1]))["sha256"])
"""


@pytest.mark.synth
def test_bitstreams_do_not_depend_on_folder_or_hash_seed(icebreaker: Report, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", BUILD, str(tmp_path / "far/away")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == icebreaker["sha256"]
