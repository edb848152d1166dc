"""``models`` and ``boards``: what there is to choose from."""

from __future__ import annotations

from argparse import Namespace

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.terminal import percent, table, write


def add_commands(commands: options.Commands) -> None:
    command = options.add_command(commands, "models", models, "shipped models with size, accuracy and source")
    command.add_argument("--families", action="store_true", help="the small networks of published families instead")
    options.add_command(commands, "boards", boards, "boards with part, logic, memory, clock and host link")


def models(arguments: Namespace) -> int:
    found = bnnhw.models(families=arguments.families)
    if arguments.families:
        families = [(m["name"], m["title"], percent(m["accuracy"]), m["samples"], m["paper"]) for m in found]
        write(arguments.json, found, table(("name", "family", "accuracy", "of samples", "paper"), families))
        return 0
    rows = [(m["name"], m["task"], m["weight_bits"], percent(m["accuracy"]), m["samples"], m["data"]) for m in found]
    text = table(("name", "task", "weight bits", "accuracy", "of samples", "data"), rows)
    write(arguments.json, found, f"{text}\n\nand families/NAME, a network of each published family: --families")
    return 0


def boards(arguments: Namespace) -> int:
    found = bnnhw.boards()
    header = ("name", "part", "LUT4", "block RAM", "memory kbit", "clock MHz", "host link")
    keys = ("name", "part", "lut4", "block_ram", "block_ram_kbit", "clock_mhz", "host_link")
    write(arguments.json, found, table(header, [[board[key] for key in keys] for board in found]))
    return 0
