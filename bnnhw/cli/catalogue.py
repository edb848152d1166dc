"""``models`` and ``boards``: what there is to choose from."""

from __future__ import annotations

from argparse import Namespace

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.terminal import table, write


def add_commands(commands: options.Commands) -> None:
    options.add_command(commands, "models", models, "shipped models with size, accuracy and source")
    options.add_command(commands, "boards", boards, "boards with part, logic, memory, clock and host link")


def models(arguments: Namespace) -> int:
    found = bnnhw.models()
    header = ("name", "layers", "weights", "weight bits", "accuracy %", "data", "what")
    keys = ("name", "layers", "weight", "weight_bits", "accuracy", "dataset", "title")
    write(arguments.json, found, table(header, [[model[key] for key in keys] for model in found]))
    return 0


def boards(arguments: Namespace) -> int:
    found = bnnhw.boards()
    header = ("name", "part", "LUT4", "block RAM", "kbit", "clock MHz", "host link")
    keys = ("name", "part", "lut4", "block_ram", "block_ram_kbit", "clock_mhz", "link")
    write(arguments.json, found, table(header, [[board[key] for key in keys] for board in found]))
    return 0
