"""The overlay: cycles of programs, and cells of engines.

Cycles are those of the layer table, which a test holds against simulation. Cells are those that synthesis gives for an
engine alone, between shift registers for its pins, which are counted; nothing is placed or routed. Writes
``benchmarks/overlay.json`` and ``benchmarks/engine.json``, and two tables of docs/overlay.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.commands import add_again, add_only
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from benchmarks.units import Framed
from bnnhw.compiler import import_model
from bnnhw.dataflow import Network
from bnnhw.dataflow.layers import WeightedLayer
from bnnhw.gateware.engine.engine import Engine
from bnnhw.generate.rtlil import rtlil
from bnnhw.layer_table import SHAPES, EngineShape
from bnnhw.overlay.compiler import make_program
from bnnhw.overlay.cycles import program_cycles, steps
from bnnhw.overlay.encoding import Encoding
from bnnhw.parts import find_part
from bnnhw.toolchain import flow, tools

PROGRAMS, ENGINES = ROOT / "benchmarks" / "overlay.json", ROOT / "benchmarks" / "engine.json"
PAGE = "docs/overlay.md"
MODELS = ("digits-binary", "digits-ternary", "mnist-binary", "mnist-ternary", "mnist-cnn", "cifar-cnv-small")
PART = "ice40-up5k"
# Pixels side by side, and bits of an accumulator.
SIZES = ((1, 16), (1, 22), (2, 16), (2, 22))
CELLS = {"lut4": "SB_LUT4", "carry": "SB_CARRY", "block_ram": "SB_RAM40_4K", "spram": "SB_SPRAM256KA"}


def measure_program(name: str, shape: str) -> Row:
    """Cycles and memory of a network."""
    network = import_model(name, None, None).network
    engine = SHAPES[shape]
    program = make_program(network, engine)
    cycles = program_cycles(program)
    return {
        "model": name,
        "shape": shape,
        "cycles": cycles,
        "fetching": sum(step.fetching for step in steps(program)),
        "memory": round(program.memory / engine.lines, 3),
        "used": round(bit_products(network) / (cycles * engine.macs_per_cycle), 3),
    }


def bit_products(network: Network) -> int:
    """Products of one bit by one bit that a network asks for."""
    layers = [layer for layer in network.layers if isinstance(layer, WeightedLayer)]
    return sum(layer.macs * Encoding(layer.input).planes * layer.weight.bits for layer in layers)


def measure_engine(pixels: int, width: int) -> Row:
    """Cells of an engine."""
    engine: Any = Engine(replace(SHAPES["up5k"], pixels=pixels, width=width))
    streams = engine.program, engine.i
    framed = Framed(
        engine,
        [stream.payload for stream in streams],
        [engine.o.payload, engine.o.valid, engine.stopped, engine.refused, *(stream.ready for stream in streams)],
        [engine.o.ready, *(stream.valid for stream in streams)],
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "top.il").write_text(rtlil(framed, "top"))
        script = flow.synthesis_steps(find_part(PART), "top", folder)
        flow.run_yosys(folder, "read_rtlil top.il", *script, f"tee -q -o {flow.STATISTICS} stat -json")
        found = flow.read_json(folder / flow.STATISTICS)["design"]["num_cells_by_type"]
    flip_flops = sum(count for kind, count in found.items() if kind.startswith("SB_DFF"))
    row = {name: found.get(cell, 0) for name, cell in CELLS.items()}
    return {"pixels": pixels, "width": width, **row, "ff": flip_flops, "tool": tools.version(tools.YOSYS)}


def programs() -> Rows:
    """What is known of programs."""
    return Rows(PROGRAMS, ("model", "shape"), ((name, shape) for name in MODELS for shape in SHAPES))


def engines() -> Rows:
    """What is known of engines."""
    return Rows(ENGINES, ("pixels", "width"), SIZES)


def programs_table(rows: Sequence[Row]) -> str:
    """Cycles of each network on each engine."""
    header = ("model", "engine", "cycles", "of them fetching", "inferences/s at 24 MHz", "memory", "array in use")
    lines = [
        [
            row["model"], row["shape"], f"{row['cycles']:,}", f"{row['fetching']:,}", f"{24e6 / row['cycles']:,.0f}",
            f"{row['memory']:.0%}", f"{row['used']:.0%}",
        ]
        for row in rows
    ]  # fmt: skip
    return markdown(header, lines)


def engines_table(rows: Sequence[Row]) -> str:
    """Cells of each engine."""
    header = ("pixels", "products a cycle", "accumulator, bits", "LUT4", "carry", "FF", "block RAM", "SPRAM")
    lines = [
        [
            f"{row['pixels']}", f"{_products(row['pixels'])}", f"{row['width']}",
            f"{row['lut4']:,} ({row['lut4'] / find_part(PART).lut4:.0%})", f"{row['carry']:,}", f"{row['ff']:,}",
            f"{row['block_ram']}", f"{row['spram']}",
        ]
        for row in rows
    ]  # fmt: skip
    return f"{markdown(header, lines)}\n{', '.join(sorted({row['tool'] for row in rows}))}.\n"


def _products(pixels: int) -> int:
    shape: EngineShape = replace(SHAPES["up5k"], pixels=pixels)
    return shape.macs_per_cycle


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "models")


def run(options: argparse.Namespace) -> int:
    known = programs()
    pairs = [(name, shape) for name in MODELS for shape in SHAPES if options.only in name]
    known.fill(((pair, partial(measure_program, *pair)) for pair in pairs), again=options.again)
    built, sizes = engines(), () if options.only else SIZES
    built.fill(((size, partial(measure_engine, *size)) for size in sizes), again=options.again)
    put(PAGE, "programs", programs_table(known.all))
    put(PAGE, "engines", engines_table(built.all))
    return 0
