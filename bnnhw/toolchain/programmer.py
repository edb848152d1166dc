"""Loads a bitstream into a board."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bnnhw.errors import ToolError
from bnnhw.toolchain.report import built_bitstream


def program(directory: Path) -> None:
    """Loads the bitstream in `directory` with the programmer of the board that it was built for.

    The programmer is looked for on the PATH, or where an environment variable of its name says: ``ICEPROG``,
    ``OPENFPGALOADER``.

    Raises
    ------
    InputError
        If there is no bitstream, or it is of another design than the one in `directory`.
    ToolError
        If the programmer is missing or fails.
    """
    board, bitstream = built_bitstream(directory)
    name, *options = board.programmer
    command = shutil.which(os.environ.get(name.upper()) or name)
    if command is None:
        raise ToolError(
            f"{name}, which loads bitstreams into board {board.name}, is missing: install {board.programmer_source}"
        )
    # What it prints while it works is for the user.
    done = subprocess.run([command, *options, str(bitstream)], check=False)
    if done.returncode != 0:
        raise ToolError(f"{name} failed with exit status {done.returncode}: is board {board.name} connected?")
