"""``check`` and ``compile``: what a model file holds, and what hardware becomes of it."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.terminal import facts, percent, progress, share, table, write
from bnnhw.errors import InputError, ModelError
from bnnhw.parts import Part, find_part


def add_commands(commands: options.Commands) -> None:
    parser = options.add_command(
        commands, "check", check, "what a model file holds, what maps to hardware, what not and why"
    )
    options.add_model(parser, or_folder=False)
    parser = options.add_command(commands, "compile", compile_, "plan, Verilog and estimates, without synthesis")
    options.add_model(parser, or_folder=False)
    parser.add_argument("--board", help="board to plan for: its name (see: bnnhw boards), or the path of its file")
    parser.add_argument("--part", help="FPGA to plan for without a board, where no bitstream is made, such as ecp5-25f")
    for what in ("lut", "block-ram"):
        parser.add_argument(
            f"--max-{what}", type=options.at_least_one, metavar="N", help="of the part, how many the design may take"
        )
    options.add_output(parser)
    options.add_folding(parser)
    parser.add_argument(
        "--clock-mhz",
        type=options.positive,
        metavar="F",
        help="clock assumed for --fps (default: the part's usual one)",
    )
    parser.add_argument(
        "--encoder",
        choices=("host", "chip"),
        default="host",
        help="where an input of a known integer format is compared with thresholds (default: host)",
    )


def check(arguments: Namespace) -> int:
    found = bnnhw.check(arguments.model, input_format=arguments.input_format, output_tensor=arguments.output_tensor)
    write(arguments.json, found, check_text(found))
    if not found["maps"]:
        raise ModelError(f"{found['file']}: {found['problem']}")
    return 0


def check_text(found: dict[str, Any]) -> str:
    """The nodes of the file, the layers of the hardware, and the remarks."""
    rows = [(n["node"], n["op"], n["becomes"] if n["ok"] else f"NOT POSSIBLE: {n['becomes']}") for n in found["nodes"]]
    parts = [table(("node", "operator", "becomes"), rows)]
    if found["layers"]:
        header = ("layer", "inputs", "outputs", "weights", "takes", "gives")
        keys = ("name", "inputs", "outputs", "weight", "input", "output")
        parts.append(table(header, [[layer[key] for key in keys] for layer in found["layers"]]))
    parts += [f"note: {note}" for note in found["notes"]]
    if found["maps"]:
        macs, bits = (sum(layer[key] for layer in found["layers"]) for key in ("macs", "weight_bits"))
        parts.append(f"{found['model']} maps to hardware: {macs:,} multiply-accumulates, {bits:,} weight bits")
    return "\n\n".join(parts)


def compile_(arguments: Namespace) -> int:
    if arguments.board is None and arguments.part is None:
        raise InputError("one of --board and --part is required (see bnnhw compile --help)")
    design = bnnhw.compile(
        arguments.model,
        board=arguments.board,
        part=_part(arguments),
        folder=arguments.output,
        fps=arguments.fps,
        clock_mhz=arguments.clock_mhz,
        folding=arguments.folding,
        input_format=arguments.input_format,
        output_tensor=arguments.output_tensor,
        encoder=arguments.encoder,
        progress=progress,
    )
    write(arguments.json, design.estimate, f"{estimate_text(design.estimate)}\n\nwritten to {arguments.output}")
    return 0


def _part(arguments: Namespace) -> Part | None:
    """What may be taken of the part that was asked for; None with a board."""
    limits = arguments.max_lut, arguments.max_block_ram
    if arguments.part is not None:
        return find_part(arguments.part).at_most(lut4=limits[0], block_ram=limits[1])
    if limits != (None, None):
        raise InputError("--max-lut and --max-block-ram limit a --part: a board's design has the whole part for itself")
    return None


def estimate_text(estimate: dict[str, Any]) -> str:
    """Layers with their folding, and the whole."""
    header = ("layer", "MW", "MH", "PE", "SIMD", "cycles", "LUT4", "block RAM")
    keys = ("name", "mw", "mh", "pe", "simd", "cycles", "lut4", "block_ram")
    layers = table(header, [[layer[key] for key in keys] for layer in estimate["layers"]])
    used = estimate["utilization"]
    share_of_limit = estimate["macs_per_cycle"] / min(estimate["limit"].values())
    whole = {
        "board": f"{estimate['board'] or 'none'} ({estimate['part']})",
        "cycles per inference": estimate["cycles_per_inference"],
        "latency": f"{estimate['latency_cycles']:,} cycles",
        "inferences per second": f"{estimate['inferences_per_second']:,.0f} at {estimate['clock_mhz']:g} MHz",
        "MACs per cycle": f"{estimate['macs_per_cycle']:,.0f}, {percent(share_of_limit)} of the part's limit",
        "LUT4 (estimated)": share(used["lut4"]),
        "block RAM": share(used["block_ram"]),
    }
    return f"{layers}\n\n{facts(whole)}"
