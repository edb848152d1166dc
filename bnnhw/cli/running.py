"""``simulate``, ``compare`` and ``infer``: a model's answers at several levels."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import bnnhw
from bnnhw.artifacts import is_design
from bnnhw.cli import options
from bnnhw.cli.terminal import facts, percent, shortened, table, warn, write
from bnnhw.errors import InputError
from bnnhw.files import write_npz
from bnnhw.progress import shown

MISMATCH = 1
LEVELS_TEXT = "source, reference, rtl, netlist, bitstream and board"


def add_commands(commands: options.Commands) -> None:
    parser = options.add_command(commands, "simulate", simulate, "runs the generated Verilog under cocotb")
    options.add_model(parser)
    options.add_board(parser)
    options.add_inputs(parser, samples=10)
    options.add_simulator(parser)
    parser.add_argument("--waves", type=Path, metavar="FILE", help="waveform to write, for GTKWave or Surfer")

    parser = options.add_command(
        commands, "compare", compare, "computes samples at several levels and counts differences"
    )
    options.add_model(parser)
    options.add_board(parser)
    options.add_inputs(parser, samples=None)
    options.add_simulator(parser)
    parser.add_argument(
        "--levels", default="reference,rtl", metavar="L,L", help=f"of {LEVELS_TEXT} (default: %(default)s)"
    )
    parser.add_argument(
        "--trace", type=Path, metavar="FILE.npz", help="write the tensors of each level, as <level>.<name>"
    )

    options.add_port(parser)

    parser = options.add_command(commands, "infer", infer, "the model's answers for a file of inputs")
    options.add_model(parser)
    options.add_board(parser)
    parser.add_argument("--inputs", type=Path, required=True, metavar="X.npz", help="file with `inputs` (N, ...)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.npz", help="file to write")
    parser.add_argument("--level", default="reference", help=f"one of {LEVELS_TEXT} (default: %(default)s)")
    parser.add_argument("--all-tensors", action="store_true", help="accumulators acc<i> and activations act<i> as well")
    options.add_port(parser)


def simulate(arguments: Namespace) -> int:
    result = bnnhw.simulate(
        arguments.work,
        inputs=arguments.inputs,
        samples=arguments.samples,
        board=arguments.board,
        simulator=arguments.simulator,
        waves=arguments.waves,
        input_format=arguments.input_format,
        output_tensor=arguments.output_tensor,
        progress=shown,
    )
    text = facts(
        {
            "model": f"{result['model']} on {result['part']}, simulated with {result['simulator']}",
            "inputs": f"{result['samples']:,} of {result['inputs']}",
            "predictions": shortened(result["prediction"]),
            "accuracy": percent(result["accuracy"]),
            "latency": f"{result['latency_cycles']:,} cycles",
            "cycles per inference": result["cycles_per_inference"],
            "simulated": f"{result['cycles']:,} cycles in {result['seconds']:.1f} s",
        }
    )
    if arguments.waves is not None:
        text += f"\n\nwaveform in {arguments.waves}"
    write(arguments.json, result, text)
    return 0


def compare(arguments: Namespace) -> int:
    result = bnnhw.compare(
        arguments.work,
        inputs=arguments.inputs,
        samples=arguments.samples,
        levels=arguments.levels.split(","),
        board=arguments.board,
        folder=arguments.work if is_design(Path(arguments.work)) else None,
        simulator=arguments.simulator,
        trace=arguments.trace,
        port=arguments.port,
        input_format=arguments.input_format,
        output_tensor=arguments.output_tensor,
        progress=shown,
    )
    unwritten = result.pop("not_written", None)
    write(arguments.json, result, comparison_text(result))
    if unwritten is not None:
        warn(unwritten)
    if not result["mismatches"] and result["undecided"]:
        raise InputError(
            f"--levels {','.join(result['undecided'])}: nothing was compared: samples differ, and float32's rounding "
            "may decide all of them; give other --inputs, or use levels that compare integers (reference, rtl, netlist)"
        )
    return MISMATCH if result["mismatches"] else 0


def comparison_text(result: dict[str, Any]) -> str:
    """One line per level, and the first difference where there is one."""
    header = (
        "level", "samples", "values", "differ", "classes differ", "rounding", "accuracy", "cycles", "seconds",
        "held against",
    )  # fmt: skip
    rows = []
    differences = []
    for name, level in result["levels"].items():
        mismatches = level["mismatches"]
        rows.append(
            (
                name,
                level["samples"],
                level["values"],
                mismatches["logits"],
                mismatches["class"],
                level["rounding"],
                percent(level["accuracy"]),
                level["cycles"] or None,
                level["seconds"],
                level["against"],
            )
        )
        if (first := level["first_difference"]) is not None:
            differences.append(f"{name}: {difference_text(first)}")
        if level["rounding"] and level["doubtful"] == level["samples"]:
            differences.append(
                f"{name}: {level['rounding']} of {level['samples']} samples differ from a float executor, and "
                "float32's rounding may decide every one: their outputs were not compared"
            )
    return "\n\n".join((f"{result['model']} on {result['inputs']}", table(header, rows), *differences, verdict(result)))


def difference_text(first: dict[str, Any]) -> str:
    """Where the first difference is, and both values."""
    place = f"{first['tensor']}, sample {first['sample']}, element {first['element']}"
    if "layer" in first:
        place = f"layer {first['layer']}, {place}, channel {first['channel']}"
    if "cycle" in first:
        place += f", cycle {first['cycle']:,}"
    lines = [f"{place}: expected {first['expected']}, found {first['found']}"]
    lines += [first["note"]] if "note" in first else []
    lines += [f"waveform in {first['waveform']}"] if "waveform" in first else []
    return "\n  ".join(lines)


def verdict(result: dict[str, Any]) -> str:
    """The comparison in one line."""
    count, undecided = result["mismatches"], result["undecided"]
    if not count and undecided:
        return f"nothing was compared at {', '.join(undecided)}"
    return "no mismatch" if count == 0 else f"{count:,} mismatches"


def infer(arguments: Namespace) -> int:
    arrays = bnnhw.infer(
        arguments.work,
        arguments.inputs,
        level=arguments.level,
        all_tensors=arguments.all_tensors,
        port=arguments.port,
        board=arguments.board,
        input_format=arguments.input_format,
        output_tensor=arguments.output_tensor,
        progress=shown,
    )
    write_npz(arguments.output, arrays)
    listed = [{"name": name, "shape": array.shape, "dtype": array.dtype.name} for name, array in arrays.items()]
    text = table(("array", "shape", "dtype"), [(name, str(a.shape), a.dtype.name) for name, a in arrays.items()])
    write(arguments.json, {"file": str(arguments.output), "arrays": listed}, f"{text}\n\nwritten to {arguments.output}")
    return 0
