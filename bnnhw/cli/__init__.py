"""The command line: parses arguments, calls the verbs of `bnnhw`, prints tables. `docs/cli.md` describes it."""

from __future__ import annotations

import argparse
import errno
import io
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

from bnnhw.cli import building, catalogue, compiling, completion, demo, exploring, exporting, quantizing, running
from bnnhw.cli.terminal import printable
from bnnhw.errors import BnnhwError, InputError
from bnnhw.hints import did_you_mean

# The status 1 is that of a mismatch, and of nothing else.
USER_ERROR, DEFECT = 2, 3
# A shell's exit status of a process that a signal ended: this and the signal's number.
BY_SIGNAL = 128
# The number of SIGPIPE, which Windows does not have.
BROKEN_PIPE = 13

# Of an error: a model that is no network for an FPGA has any number of problems.
MAX_LINES = 20


class Ended(KeyboardInterrupt):
    """Another signal than Ctrl-C's asks the process to end: all that is under way is given up in the same way."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Parser(argparse.ArgumentParser):
    """Reports wrong arguments like every other error of the user, with what may have been meant."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.commands: Sequence[str] = ()
        self._words: Sequence[str] = ()
        self._known: list[str] = []
        super().__init__(*arguments, **options)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        self._known += [name for name in names if name.startswith("--")]
        return super().add_argument(*names, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._words = sys.argv[1:] if args is None else args
        options, rest = super().parse_known_args(args, namespace)
        # At the command that has none of them: the parser above it does not know what else there is.
        if rest and not self.commands:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return options, rest

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}{self._hint()} (see {self.prog} --help)")

    def _hint(self) -> str:
        """What a word that is none of those known may have been meant for."""
        if self.commands:
            first = next((word for word in self._words if not word.startswith("-")), "")
            if first:
                return "" if first in self.commands else did_you_mean(first, self.commands)
        for word in self._words:
            name = word.split("=")[0]
            if name.startswith("--") and not any(known.startswith(name) for known in self._known):
                return did_you_mean(name, self._known)
        return ""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = Parser(
        prog="bnnhw",
        description="Binary and ternary neural networks as FPGA accelerators, compared bit by bit with the software.",
        epilog="MODEL is the name of a shipped model (see: bnnhw models), or the path of an .onnx, .onnx.gz, "
        ".npz or .safetensors file or of a BNN-PYNQ parameter folder or archive.",
    )
    top.add_argument("--version", action="version", version=f"bnnhw {version()}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for group in (catalogue, demo, compiling, quantizing, running, building, exploring, exporting):
        group.add_commands(commands)
    completion.adder(parser)(commands)
    top.commands = list(commands.choices)
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
    more = len(lines) - MAX_LINES
    return "\n".join(lines if more <= 0 else [*lines[:MAX_LINES], f"  ... and {more} more; `bnnhw check` lists all"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns
    -------
    int
        The exit status: 0, 1 for a mismatch, 2 for an error of the user, 3 for a defect of bnnhw, 128 and more where a
        signal ended it, or the reader of the output left.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has one of them
        if number is None:
            continue
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores one of them
            signal.signal(number, _end)
    # Amaranth's word on a circuit that is begun and, at an error or an interrupt, given up.
    warnings.filterwarnings("ignore", ".* created but never used")
    # numpy's word on numbers of a model that overflow or are none: what comes of it is checked.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="bnnhw")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names in a terminal without their letters
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
        return BY_SIGNAL + BROKEN_PIPE
    except MemoryError:
        print("bnnhw: error: not enough memory: use a smaller model, or fewer --samples", file=sys.stderr)
        return USER_ERROR
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return defect(error)
        # Files of the user say so themselves; this was one of our own, in the cache or for the tools.
        name = error.filename or tempfile.gettempdir()
        print(f"bnnhw: error: {legible(f'{name}: cannot be written: its disk is full')}", file=sys.stderr)
        return USER_ERROR
    except Exception as error:
        return defect(error)
    return status


def defect(error: Exception) -> int:
    """Says that this is bnnhw's fault, and where all is that its makers need to know."""
    report = f"bnnhw {version()}, Python {sys.version}\n{sys.argv}\n\n{''.join(traceback.format_exception(error))}"
    try:
        with tempfile.NamedTemporaryFile("w", prefix="bnnhw-defect-", suffix=".txt", delete=False) as file:
            file.write(report)
        where = f"please report it, with the file {file.name}"
    except OSError:
        where = f"please report it\n{report}"
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    print(f"bnnhw: defect: {printable(reason, 200)}: this is a fault of bnnhw itself: {where}", file=sys.stderr)
    return DEFECT


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise Ended(number)
