"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bnnhw.arithmetic.formats import DataType
from bnnhw.errors import InputError
from bnnhw.hints import did_you_mean


class Commands(Protocol):
    """What `argparse.ArgumentParser.add_subparsers` gives."""

    def add_parser(self, name: str, **kwargs: Any) -> argparse.ArgumentParser: ...


MODEL = (
    "name of a shipped model, or path of an .onnx, .onnx.gz, .npz or .safetensors file or of a BNN-PYNQ parameter "
    "folder or archive"
)

Function = Callable[[argparse.Namespace], int]


def add_command(commands: Commands, name: str, function: Function, summary: str) -> argparse.ArgumentParser:
    """A command with ``--json``; `function` runs it and gives the exit status."""
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.set_defaults(command_function=function)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def add_model(parser: argparse.ArgumentParser, *, or_folder: bool = True) -> None:
    """The positional MODEL, or MODEL|DIR, and what belongs to reading one."""
    if or_folder:
        parser.add_argument("work", metavar="MODEL|DIR", help=f"{MODEL}, or a folder that `bnnhw compile` wrote")
    else:
        parser.add_argument("model", metavar="MODEL", help=MODEL)
    add_reading(parser)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """What a model's file may leave open."""
    parser.add_argument(
        "--input-format",
        type=input_format,
        metavar="FORMAT",
        help="of the input's values: bipolar, ternary, uint1..16 or int2..16; if the model file does not state one",
    )
    parser.add_argument(
        "--output-tensor",
        metavar="NAME",
        help="which output of a file with several is the answer (default: the first; of a TopK the classes)",
    )


def add_board(parser: argparse.ArgumentParser) -> None:
    """``--board``, for commands where it may be left out."""
    parser.add_argument("--board", help="board to plan for, or the path of its file (default: the smallest that fits)")


def add_inputs(parser: argparse.ArgumentParser, *, samples: int | None) -> None:
    """``--inputs`` and ``--samples``; without a number of `samples`, 100 and fewer where a level is slow."""
    parser.add_argument(
        "--inputs",
        type=Path,
        metavar="X.npz",
        help="file with `inputs` (N, ...) and optionally `labels` (N,) (default: a shipped model's own, else random)",
    )
    parser.add_argument(
        "--samples",
        type=at_least_one,
        default=samples,
        metavar="N",
        help=f"how many of them (default: {samples or '100, fewer at slow levels'})",
    )


def add_output(parser: argparse.ArgumentParser, *, default: Path | None = None) -> None:
    """``--output``."""
    text = "folder to write" if default is None else "folder to write (default: %(default)s)"
    parser.add_argument(
        "-o", "--output", type=Path, default=default, required=default is None, metavar="DIR", help=text
    )


def add_answers(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """``--output`` of commands that answer."""
    text = "file to write the answers to, as CSV where it ends in .csv"
    parser.add_argument("-o", "--output", type=Path, required=required, metavar="OUT.npz", help=text)


def check_answers(path: Path | None) -> None:
    """Refuses a file for answers in a format that is not written."""
    if path is not None and path.suffix:
        check_suffix("--output", path, ".npz", ".csv")


def add_simulator(parser: argparse.ArgumentParser) -> None:
    """``--simulator``."""
    parser.add_argument("--simulator", default="verilator", help="verilator or icarus (default: %(default)s)")


def add_port(parser: argparse.ArgumentParser) -> None:
    """``--port`` of the level ``board``."""
    parser.add_argument(
        "--port", help="serial port of a board that runs this design, for the level board (default: a simulated board)"
    )


def add_folding(parser: argparse.ArgumentParser) -> None:
    """What the plan can be asked for."""
    parser.add_argument("--fps", type=positive, metavar="N", help="inferences per second to reach with the fewest LUTs")
    parser.add_argument("--folding", type=Path, metavar="FILE", help="a plan.json, or part of one, that fixes layers")


def check_suffix(option: str, path: Path | None, *suffixes: str) -> None:
    """Refuses a file to write whose name promises another format than it would have.

    Raises
    ------
    InputError
        Naming the option, the file and what its name may end in.
    """
    if path is not None and path.suffix.lower() not in suffixes:
        raise InputError(f"{option} {path}: the name must end in {' or '.join(suffixes)}: that is what is written")


def at_least_one(text: str) -> int:
    """A whole number from 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return value


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def input_format(text: str) -> DataType:
    """A number format."""
    try:
        return DataType.parse(text)
    except ValueError as error:
        known = ["bipolar", "ternary", *(f"{kind}{bits}" for kind in ("uint", "int") for bits in range(1, 17))]
        raise argparse.ArgumentTypeError(f"{error}{did_you_mean(text, known)}") from None
