"""Two packages under one top of Verilog: the lines of the example's page, as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import bnnhw
from bnnhw.cli import main
from tests.packaging.test_package import icarus, run_verilator

EXAMPLE = Path(bnnhw.__file__).parents[1] / "examples" / "two_networks"

pytestmark = pytest.mark.sim


def test_the_page_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^    (.+)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    for line in lines[:-2]:
        first, *arguments = line.split()
        assert first == "bnnhw" and main(arguments) == 0
    compiled, ran = lines[-2].split(), lines[-1]
    assert compiled[:5] == ["iverilog", "-g2001", "-Wall", "-o", "vote.vvp"] and ran == "vvp -N vote.vvp"
    run = icarus(tmp_path, "vote_tb", *compiled[5:])
    found = re.search(r"PASS: 42 frames in \d+ cycles, both networks agree on (\d+)", run.stdout)
    # Of the 41 frames that are whole they must also differ somewhere, or nothing is shown.
    assert found is not None and 30 < int(found[1]) < 41, run.stdout
    run_verilator(tmp_path, "--lint-only", "-Wall", "--top-module", "vote", "vote.v", "binary.v", "ternary.v")

    # One network that says something else is found.
    results = (tmp_path / "binary_results.hex").read_text().splitlines()
    results[9] = f"{int(results[9], 16) ^ 1 << 8:x}"
    (tmp_path / "binary_results.hex").write_text("\n".join(results))
    run = icarus(tmp_path, "vote_tb", *compiled[5:])
    assert run.returncode == 1 and "FAIL: answer 0" in run.stdout
