"""What a design is for: a board of one's own, or a part without one."""

from __future__ import annotations

from pathlib import Path

from bnnhw import resources
from tests.cli.conftest import CLI

MODEL = "digits-binary"


def test_a_part_stands_in_for_a_board(cli: CLI, refused: CLI, tmp_path: Path) -> None:
    words = ["compile", MODEL, "--part", "ECP5_25F", "--max-lut", "1500", "--max-block-ram", "9"]
    found = cli(*words, "-o", str(tmp_path / "w"), "--json").json
    assert (found["board"], found["part"]) == ("", "ecp5-25f")
    assert found["utilization"]["lut4"]["used"] <= 1500
    assert found["utilization"]["block_ram"]["used"] <= 9
    assert (
        cli("compare", str(tmp_path / "w"), "--levels", "reference", "--samples", "3", "--json").json["mismatches"] == 0
    )
    assert (
        "compiled for part ecp5-25f, not for board icebreaker"
        in refused("build", str(tmp_path / "w"), "--board", "icebreaker", "-o", str(tmp_path / "w")).err
    )
    assert (
        "a part without a board: compile it with --board"
        in refused("build", str(tmp_path / "w"), "-o", str(tmp_path / "w")).err
    )
    assert "one of --board and --part is required" in refused("compile", MODEL, "-o", "w").err
    assert (
        "unknown part 'ecp5-26f', did you mean ecp5-25f?"
        in refused("compile", MODEL, "--part", "ecp5-26f", "-o", "w").err
    )
    assert "limit a --part" in refused("compile", MODEL, "--board", "icebreaker", "--max-lut", "9", "-o", "w").err


def test_a_board_of_ones_own(cli: CLI, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    text = (resources.folder("boards") / "icebreaker.py").read_text()
    file.write_text(text.replace('name="icebreaker"', 'name="mine"'))
    assert cli("compile", MODEL, "--board", str(file), "-o", str(tmp_path / "w"), "--json").json["board"] == "mine"
    words = ["compare", str(tmp_path / "w"), "--board", str(file), "--levels", "reference", "--samples", "2", "--json"]
    assert cli(*words).json["mismatches"] == 0


def test_a_folder_that_is_not_there(refused: CLI, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    for command, remedy in (("run", "compile again"), ("report", "give a folder that `bnnhw build` wrote")):
        err = refused(command, tmp_path / "wrok").err
        assert f"{tmp_path / 'wrok'}: no such folder, did you mean {tmp_path / 'work'}? {remedy}" in err
