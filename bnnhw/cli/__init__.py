"""The command line: parses arguments, calls the verbs of `bnnhw`, prints tables. `docs/cli.md` describes it."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from bnnhw.cli import building, catalogue, compiling, demo, running
from bnnhw.cli.terminal import printable
from bnnhw.errors import BnnhwError, InputError

MISMATCH, USER_ERROR = 1, 2
# A shell's exit status of a process that a signal ended: this and the signal's number.
BY_SIGNAL = 128

# Of an error: a model that is no network for an FPGA has any number of problems.
MOST_LINES = 20


class Ended(KeyboardInterrupt):
    """Another signal than Ctrl-C's asks the process to end: all that is under way is given up in the same way."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Parser(argparse.ArgumentParser):
    """Reports wrong arguments like every other error of the user."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = Parser(
        prog="bnnhw",
        description="Binary and ternary neural networks as FPGA accelerators, compared bit by bit with the software.",
        epilog="MODEL is the name of a shipped model (see: bnnhw models), or the path of an .onnx or .onnx.gz file or "
        "of a BNN-PYNQ parameter folder or archive.",
    )
    top.add_argument("--version", action="version", version=f"bnnhw {version()}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for group in (catalogue, demo, compiling, running, building):
        group.add_commands(commands)
    return top


def version() -> str:
    """The version that is installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("bnnhw")
    except PackageNotFoundError:  # a checkout on the path, not installed
        return "(not installed)"


def legible(message: str) -> str:
    """`message` in as many lines and columns as a terminal can take."""
    lines = [printable(line, 300) for line in message.split("\n")]
    more = len(lines) - MOST_LINES
    return "\n".join(lines if more <= 0 else [*lines[:MOST_LINES], f"  ... and {more} more; `bnnhw check` lists all"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit status: 0, 1 for a mismatch, 2 for an error of the user, 128 and more by a signal."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores one of them
            signal.signal(number, _end)
    # Amaranth's word on a circuit that is begun and, at an error or an interrupt, given up.
    warnings.filterwarnings("ignore", ".* created but never used")
    try:
        options = parser().parse_args(arguments)
        status: int = options.command_function(options)
        sys.stdout.flush()
    except BnnhwError as error:
        print(f"bnnhw: error: {legible(str(error))}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt as stop:
        print("bnnhw: interrupted", file=sys.stderr)
        return BY_SIGNAL + (stop.number if isinstance(stop, Ended) else signal.SIGINT)
    except BrokenPipeError:
        # The reader of our output (head, less) has left. Python would complain when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return MISMATCH
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # Files of the user say so themselves; this was one of our own, in the cache or for the tools.
        name = error.filename or tempfile.gettempdir()
        print(f"bnnhw: error: {legible(f'{name}: cannot be written: its disk is full')}", file=sys.stderr)
        return USER_ERROR
    return status


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise Ended(number)
