"""``bnnhw export``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import bnnhw
from tests.cli.conftest import CLI

pytestmark = pytest.mark.end2end


@pytest.mark.parametrize("bus", ["stream", "axi-stream", "wishbone"])
def test_a_compiled_design(cli: CLI, tmp_path: Path, bus: str) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    bnnhw.compile("digits-binary", part="ice40-up5k", fps=20_000, folder=work)
    done = cli("export", work, "-o", out, "--bus", bus, "--prefix", "digits", "--samples", "3", "--json")
    assert (done.status, done.complaints) == (0, "")
    assert done.json["frames"] == 3 and done.json["prefix"] == "digits"
    assert sorted(done.json["files"]) == sorted(path.name for path in out.iterdir())
    assert done.json["digest"] in (out / "digits.v").read_text().partition("\n")[0]
    page = (out / "digits.md").read_text()
    assert "**scale = 0.375** and **offset = -3**" in page and f"Bus: `{bus}`" in page
    signals = {"stream": ("clk", "i_data"), "axi-stream": ("aclk", "s_axis_tdata"), "wishbone": ("clk_i", "dat_i")}
    for signal in signals[bus]:
        assert f"| `{signal}` |" in page and f".{signal}({signal})" in (out / "digits_template.v").read_text()
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    command = next(line.strip() for line in page.splitlines() if line.startswith("    iverilog"))
    ran = subprocess.run(command, shell=True, cwd=out, capture_output=True, text=True)
    assert ran.returncode == 0 and ("PASS: 3 frames" if bus == "wishbone" else "PASS: 5 frames twice") in ran.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bus", "axi-strem"], "--bus axi-strem: no such bus, did you mean axi-stream?"),
        (["--prefix", "module"], "--prefix module: a reserved word"),
        (["--prefix", "a-b"], "--prefix a-b: must be letters"),
        (["--samples", "0"], "must be a whole number from 1"),
    ],
)
def test_wrong_options(refused: CLI, tmp_path: Path, options: list[str], said: str) -> None:
    assert said in refused("export", "digits-binary", "-o", tmp_path / "out", *options).err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file(refused: CLI, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("")
    assert "cannot be written" in refused("export", "digits-binary", "-o", path).err
