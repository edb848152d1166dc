"""``check`` and ``compile``: what a model file holds, and what hardware becomes of it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.terminal import facts, percent, share, table, write
from bnnhw.errors import InputError, ModelError
from bnnhw.parts import Part, find_part
from bnnhw.progress import shown

# Listed of an input that is no straight line.
MAX_CUTS = 8


def add_commands(commands: options.Commands) -> None:
    parser = options.add_command(
        commands, "check", check, "what a model file holds, what maps to hardware, what not and why"
    )
    options.add_model(parser, or_folder=False)
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="picture of the graph to draw")
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
        help="clock assumed for --fps (default: one that such designs reach)",
    )
    parser.add_argument(
        "--encoder",
        choices=("host", "chip"),
        default="host",
        help="where an input of a known integer format is compared with thresholds (default: host)",
    )


def check(arguments: Namespace) -> int:
    options.check_suffix("--plot", arguments.plot, ".svg")
    found = bnnhw.check(
        arguments.model,
        input_format=arguments.input_format,
        output_tensor=arguments.output_tensor,
        plot=arguments.plot,
    )
    write(arguments.json, found, check_text(found))
    if not found["maps"]:
        raise ModelError(f"{found['file']}: {found['problem']}")
    return 0


def check_text(found: dict[str, Any]) -> str:
    """The nodes of the file, the layers of the hardware, and the remarks."""
    rows = [(n["node"], n["op"], n["becomes"] if n["ok"] else f"NOT POSSIBLE: {n['becomes']}") for n in found["nodes"]]
    parts = [table(("node", "operator", "becomes"), rows)]
    if found["input"]:
        parts.append(input_text(found["input"]))
    if found["layers"]:
        header = ("layer", "inputs", "outputs", "weights", "takes", "gives")
        keys = ("name", "inputs", "outputs", "weight", "input", "output")
        parts.append(table(header, [[layer[key] for key in keys] for layer in found["layers"]]))
    parts += [f"note: {note}" for note in found["notes"]]
    if found["maps"]:
        macs, bits = (sum(layer[key] for layer in found["layers"]) for key in ("macs", "weight_bits"))
        name = f"{found['model']} ({found['format']})"
        parts.append(f"{name} maps to hardware: {macs:,} multiply-accumulates, {bits:,} weight bits")
    if found["plot"]:
        parts.append(f"picture in {found['plot']}")
    return "\n\n".join(parts)


def input_text(found: dict[str, Any]) -> str:
    """The input of the hardware, and how it comes from real values."""
    shape = " x ".join(str(size) for size in found["shape"])
    lines, cuts = found["lines"], found["cuts"]
    text = f"input: {shape} values x; the hardware takes {found['format']}, {found['low']} to {found['high']}"
    if found["given"]:
        return f"{text}, which are the values themselves"
    if len(lines) == 1:
        return f"{text}: round(scale * x + offset), clipped, with scale {lines[0][0]:g} and offset {lines[0][1]:g}"
    if lines:
        scales, offsets = ([pair[k] for pair in lines] for k in range(2))
        return (
            f"{text}: round(scale * x + offset), clipped, with {len(lines):,} different pairs of scale "
            f"({min(scales):g} to {max(scales):g}) and offset ({min(offsets):g} to {max(offsets):g}) by element"
        )
    if cuts and len(cuts) <= MAX_CUTS:
        sign = "<=" if found["falling"] else ">="
        return f"{text}, a step further for each that holds of x {sign} {', '.join(f'{cut:g}' for cut in cuts)}"
    return f"{text}, by no single scale: `bnnhw export` lists where each begins"


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
        progress=shown,
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
    if used["spram"]["used"]:
        whole["single-port RAM"] = f"{share(used['spram'])}, loaded at power-up"
    return f"{layers}\n\n{facts(whole)}"
