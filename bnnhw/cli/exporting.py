"""``export``: a package for other people's designs."""

from __future__ import annotations

from argparse import Namespace

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.terminal import facts, write
from bnnhw.progress import shown


def add_commands(commands: options.Commands) -> None:
    parser = options.add_command(
        commands, "export", export, "Verilog, bench and page of a model for a design of your own, on any FPGA"
    )
    options.add_model(parser)
    options.add_board(parser)
    options.add_output(parser)
    parser.add_argument("--bus", default="stream", help="stream, axi-stream or wishbone (default: %(default)s)")
    parser.add_argument("--prefix", metavar="NAME", help="of all modules and files (default: the model's name)")
    parser.add_argument(
        "--samples",
        type=options.at_least_one,
        default=10,
        metavar="N",
        help="frames of the bench (default: %(default)s)",
    )


def export(arguments: Namespace) -> int:
    found = bnnhw.export(
        arguments.work,
        folder=arguments.output,
        bus=arguments.bus,
        prefix=arguments.prefix,
        samples=arguments.samples,
        board=arguments.board,
        input_format=arguments.input_format,
        output_tensor=arguments.output_tensor,
        progress=shown,
    )
    text = facts(
        {
            "model": found["model"],
            "module": f"{found['prefix']}, bus {found['bus']}",
            "latency": f"{found['latency_cycles']:,} cycles",
            "cycles per inference": found["cycles_per_inference"],
            "bench": f"{found['frames']} frames of {found['inputs']}",
            "files": ", ".join(found["files"]),
        }
    )
    write(arguments.json, found, f"{text}\n\nwritten to {arguments.output}; {found['prefix']}.md describes it")
    return 0
