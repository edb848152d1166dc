"""Loads a bitstream into a board."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bnnhw.errors import InputError, ToolError
from bnnhw.toolchain.boards import find_board
from bnnhw.toolchain.report import built_bitstream


def program(directory: Path, board: str | None = None) -> None:
    """Loads the bitstream in `directory` with the programmer of the board that it was built for.

    The programmer is looked for on the PATH, or where an environment variable of its name says: ``ICEPROG``,
    ``OPENFPGALOADER``. `board` is the path of the board's file, if it is none of the shipped ones.

    Raises
    ------
    InputError
        If there is no bitstream, or it is of another design than the one in `directory`, or of another board.
    ToolError
        If the programmer is missing or fails.
    """
    wanted = None if board is None else find_board(board)
    built, bitstream = built_bitstream(directory)
    if wanted not in (None, built):
        raise InputError(f"{directory}: built for board {built.name}, not {wanted.name}")
    name, *options = built.programmer
    command = shutil.which(os.environ.get(name.upper()) or name)
    if command is None:
        raise ToolError(
            f"{name}, which loads bitstreams into board {built.name}, is missing: install {built.programmer_source}"
        )
    # What it prints while it works is for the user.
    done = subprocess.run([command, *options, str(bitstream)], check=False)
    if done.returncode != 0:
        raise ToolError(f"{name} failed with exit status {done.returncode}: is board {built.name} connected?")
