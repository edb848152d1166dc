"""``models`` and ``boards``: what there is to choose from."""

from __future__ import annotations

from argparse import Namespace

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.terminal import percent, table, write


def add_commands(commands: options.Commands) -> None:
    options.add_command(commands, "models", models, "shipped models with size, accuracy and source")
    options.add_command(commands, "boards", boards, "boards with part, logic, memory, clock and host link")


def models(arguments: Namespace) -> int:
    found = bnnhw.models()
    rows = [(m["name"], m["task"], m["weight_bits"], percent(m["accuracy"]), m["samples"], m["data"]) for m in found]
    write(arguments.json, found, table(("name", "task", "weight bits", "accuracy", "of samples", "data"), rows))
    return 0


def boards(arguments: Namespace) -> int:
    found = bnnhw.boards()
    header = ("name", "part", "LUT4", "block RAM", "memory kbit", "clock MHz", "host link")
    keys = ("name", "part", "lut4", "block_ram", "block_ram_kbit", "clock_mhz", "host_link")
    write(arguments.json, found, table(header, [[board[key] for key in keys] for board in found]))
    return 0
