"""Loads a bitstream into a board, and into its flash what is loaded at power-up."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bnnhw.errors import InputError, ToolError
from bnnhw.toolchain.boards import Board, find_board
from bnnhw.toolchain.report import built_bitstream, built_image


def program(directory: Path, board: str | None = None) -> None:
    """Loads the bitstream in `directory` with the programmer of the board that it was built for.

    What the design loads at power-up goes into the board's flash first, so that the bitstream finds it. A board whose
    flash designs do not read gets it over the link, when it is run.

    The programmer is looked for on the PATH, or where an environment variable of its name says: ``ICEPROG``,
    ``OPENFPGALOADER``. `board` is the path of the board's file, if it is none of the shipped ones.

    Raises
    ------
    InputError
        If there is no bitstream, or it is of another design than the one in `directory`, or of another board; if the
        weights that belong to it are missing or others.
    ToolError
        If the programmer is missing or fails.
    """
    wanted = None if board is None else find_board(board)
    built, bitstream = built_bitstream(directory)
    if wanted not in (None, built):
        raise InputError(f"{directory}: built for board {built.name}, not {wanted.name}")
    image = built_image(directory)
    if image is not None and built.flash is not None:
        _run(built, built.flash.programmer, image)
    _run(built, built.programmer, bitstream)


def _run(board: Board, programmer: Sequence[str], file: Path) -> None:
    """Has the `programmer` of a board write a file."""
    name, *options = programmer
    command = shutil.which(os.environ.get(name.upper()) or name)
    if command is None:
        raise ToolError(
            f"{name}, which loads bitstreams into board {board.name}, is missing: install {board.programmer_source}"
        )
    # What it prints while it works is for the user.
    done = subprocess.run([command, *options, str(file)], check=False)
    if done.returncode != 0:
        raise ToolError(f"{name} failed with exit status {done.returncode}: is board {board.name} connected?")
