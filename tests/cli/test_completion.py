"""Scripts for shells: what they complete, asked of the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import CLI

# What is typed, and what of it is offered.
TYPED = {
    "bnnhw chec": ["check"],
    "bnnhw check --plo": ["--plot"],
    "bnnhw check digits-": ["digits-binary", "digits-lut", "digits-ternary"],
    "bnnhw check my_mo": ["my_model.onnx"],
    "bnnhw compare families/bn": ["families/bnn"],
    "bnnhw compile x --board icebr": ["icebreaker", "icebreaker-bitsy"],
    "bnnhw compile x --board my_bo": ["my_board.py"],
    "bnnhw compile x --part ecp5-25": ["ecp5-25f"],
    "bnnhw infer x --inputs my_i": ["my_inputs.npz"],
    "bnnhw completion f": ["fish"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("my_model.onnx", "my_board.py", "my_inputs.npz"):
        (tmp_path / name).touch()
    return tmp_path


def shell(name: str, *arguments: str, folder: Path) -> str:
    """What a shell prints that runs without the user's own settings; skips the test where it is not installed."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} missing: apt install {name}")
    settings = {"bash": "--norc", "zsh": "--no-rcs", "fish": "--no-config"}[name]
    done = subprocess.run([name, settings, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_bash(cli: CLI, folder: Path) -> None:
    asking = """
    offered() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _shtab_bnnhw; echo "${COMPREPLY[@]}"; }
    """
    lines = [cli("completion", "bash").out, asking, *(f"offered {typed}" for typed in TYPED)]
    (folder / "script").write_text("\n".join(lines))
    offered = shell("bash", "script", folder=folder).splitlines()
    assert [line.split() for line in offered] == list(TYPED.values())


def test_fish(cli: CLI, folder: Path) -> None:
    asking = [f"complete -C '{typed}' | string replace -r '\\t.*' '' | string join ' '" for typed in TYPED]
    (folder / "script").write_text("\n".join([cli("completion", "fish").out, *asking, "true"]))
    offered = shell("fish", "script", folder=folder).splitlines()
    assert [line.split() for line in offered] == list(TYPED.values())


def test_zsh_can_read_it(cli: CLI, folder: Path) -> None:
    """zsh completes only where somebody types."""
    script = cli("completion", "zsh").out
    assert script.startswith("#compdef bnnhw\n")
    assert "digits-binary" in script and "icebreaker" in script
    (folder / "script").write_text(script)
    assert shell("zsh", "-n", "script", folder=folder) == ""


def test_json_and_an_unknown_shell(cli: CLI) -> None:
    assert cli("completion", "bash", "--json").json == {"shell": "bash", "script": cli("completion", "bash").out[:-1]}
    outcome = cli("completion", "fsh")
    assert outcome.status == 2 and "there are bash, zsh, fish" in outcome.err and "did you mean fish?" in outcome.err
