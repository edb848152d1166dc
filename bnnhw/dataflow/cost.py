"""Area of a plan before synthesis: block RAMs by counting, LUTs by a linear model.

The model's terms follow what the gateware builds (lanes, accumulator bits, registers, multiplexers, table columns); its
coefficients are fitted per family to routed designs by ``python -m benchmarks calibrate``, which writes
`cost_table.json`. A LUT here is a logic cell of iCE40 (a LUT with its flip-flop and carry) or a TRELLIS_COMB of ECP5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from math import gcd, prod
from pathlib import Path
from typing import Any

from bnnhw.arithmetic.formats import value_width
from bnnhw.arithmetic.plane_products import SMALL_TABLE
from bnnhw.arithmetic.popcount_tree import popcount_latency
from bnnhw.arithmetic.thresholds import MAX_PARALLEL_THRESHOLDS, threshold_cycles
from bnnhw.dataflow import constant
from bnnhw.dataflow.layers import Layer, Network
from bnnhw.dataflow.plan import LayerPlan, Plan
from bnnhw.dataflow.structure import (
    Add,
    Buffer,
    Concat,
    Constant,
    Convert,
    Fifo,
    Fork,
    FrameGather,
    FrameScatter,
    Join,
    Matrix,
    Offset,
    Pool,
    Scatter,
    Slack,
    Slide,
    Split,
    Thresholds,
    Unit,
    final_bits,
    layer_units,
    structure,
)
from bnnhw.parts import Part

# What the host link has at least for frames that wait.
LINK_BYTES = 512

TABLE = Path(__file__).with_name("cost_table.json")

Features = dict[str, float]


def block_rams(part: Part, width: int, depth: int) -> int:
    """Block RAMs of a memory of `depth` words, in the best of the port widths that a block RAM can take."""
    best = 0
    w, d = part.block_ram_width, part.block_ram_depth
    while w:
        count = -(-width // w) * -(-depth // d)
        best = min(best or count, count)
        w, d = w // 2, d * 2
    return best


def unit_block_rams(part: Part, unit: Unit) -> int:
    """Block RAMs of one unit."""
    if isinstance(unit, Matrix):
        layer, plan = unit.layer, unit.plan
        rows, count = plan.nf * plan.sf, 0
        if plan.weight_memory == "block" and rows > 1:
            count += block_rams(part, plan.pe * plan.simd * layer.weight.bits, rows)
        if plan.threshold_memory == "block" and plan.nf > 1:
            count += block_rams(part, plan.pe * layer.width, plan.nf)
        return count
    if isinstance(unit, Constant) and unit.plan.buffer_memory == "block":
        return block_rams(part, *_waiting(unit))
    if isinstance(unit, Thresholds) and unit.plan.threshold_memory == "block":
        if unit.layer.thresholds <= MAX_PARALLEL_THRESHOLDS:
            return 0
        depth = unit.plan.nf << threshold_cycles(unit.layer.thresholds)
        return unit.plan.pe * unit.plan.reuse * block_rams(part, unit.layer.width + 1, depth)
    if isinstance(unit, Buffer) and unit.memory == "block":
        return unit.vectors * block_rams(part, unit.width, 2 * power_of_two(unit.beats))
    if isinstance(unit, Scatter) and unit.memory == "block":
        return block_rams(part, unit.width * unit.vectors, 2 * power_of_two(unit.beats))
    if isinstance(unit, FrameGather) and unit.memory == "block":
        return unit.frames * block_rams(part, unit.width, 2 * power_of_two(unit.beats))
    if isinstance(unit, FrameScatter) and unit.memory == "block":
        return block_rams(part, unit.width * unit.frames, 2 * power_of_two(unit.beats))
    if isinstance(unit, Slide) and unit.memory == "block":
        banks, depth = window_memories(unit)
        return banks * block_rams(part, unit.lanes * unit.bits, depth)
    if isinstance(unit, Fifo) and fifo_memory(part.family, unit) == "block":
        return block_rams(part, unit.width + 1, unit.depth)
    return 0


def layer_block_rams(part: Part, layer: Layer, plan: LayerPlan, *, opens: bool = True, closes: int = 1) -> int:
    """Block RAMs of one layer, without what brings its inputs; see `layer_units`."""
    return sum(unit_block_rams(part, unit) for _, unit in layer_units(layer, plan, opens=opens, closes=closes))


def network_block_rams(part: Part, plan: Plan, network: Network) -> int:
    """Block RAMs of an accelerator."""
    return sum(unit_block_rams(part, stage.unit) for stage in structure(plan, network))


def link_block_rams(part: Part, network: Network) -> int:
    """Block RAMs of the host link, which holds frames in 512 bytes, or two of them where that is too little."""
    frame = power_of_two(-(-prod(network.i_shape) * network.i_dtype.bits // 8))
    return block_rams(part, 8, max(LINK_BYTES, 2 * frame))


def window_memories(unit: Slide) -> tuple[int, int]:
    """Memories of the line buffer of a sliding window, and beats that each holds."""
    line = unit.width * (unit.channels // unit.lanes)
    if unit.tall:
        return unit.geometry.capacity(unit.height, line, unit.depth, tall=True), power_of_two(line)
    return 1, unit.geometry.depth(unit.height, line, unit.depth)


def window_depths(part: Part, unit: Slide) -> list[int]:
    """Depths of a line buffer that are worth a look: as few beats as will do, or, where that costs nothing, as many as
    go into the same block RAMs; and so many that no row ever waits for its lines."""
    line = unit.width * (unit.channels // unit.lanes)
    least, unbroken = 0, unit.geometry.unbroken_lines(unit.height)
    if unit.memory == "block" and not unit.tall:
        (_, least), width = window_memories(unit), unit.lanes * unit.bits
        count = block_rams(part, width, least)
        while block_rams(part, width, 2 * least) == count:
            least *= 2
    if unit.geometry.capacity(unit.height, line, least, tall=unit.tall) >= unbroken:
        return [least]
    return [least, unbroken * line]


def window_wait(unit: Slide, interval: int, *, first: bool) -> int:
    """Cycles per frame that windows may have to wait for lines for which there was no place before, if a frame comes
    in `interval` cycles, or a beat per cycle to the `first` layer."""
    line = unit.width * (unit.channels // unit.lanes)
    held = unit.geometry.capacity(unit.height, line, unit.depth, tall=unit.tall)
    missing = max(0, unit.geometry.unbroken_lines(unit.height) - held)
    return missing * (line if first else interval // unit.height)


def fifo_memory(family: str, unit: Fifo) -> str:
    """Block RAM for what would take many flip-flops, or many LUTs."""
    bits = unit.depth * (unit.width + 1)
    return "block" if bits > (64 if family == "ice40" else 1024) else "lut"


def power_of_two(value: int) -> int:
    """The smallest power of two that is not below `value`."""
    return 1 << (value - 1).bit_length()


def table_luts(rows: int) -> float:
    """LUTs of one column of a table of `rows` arbitrary bits: 16 bits each, and multiplexers to choose among them."""
    return 0.0 if rows < 2 else 1.0 if rows <= 16 else rows / 16 * 4 / 3


def unit_features(unit: Unit) -> Features:
    """What the LUTs of one unit are linear in."""
    return _FEATURES[type(unit)](unit)


def layer_features(layer: Layer, plan: LayerPlan, *, opens: bool = True, closes: int = 1) -> Features:
    """What the LUTs of one layer are linear in, without what brings its inputs; see `layer_units`."""
    return _summed(unit_features(unit) for _, unit in layer_units(layer, plan, opens=opens, closes=closes))


def _matrix(unit: Matrix) -> Features:
    layer, plan = unit.layer, unit.plan
    sums = plan.pe * plan.reuse
    # A count that all PEs share is one for each vector.
    lanes = plan.simd * (sums * len(layer.product.weights) + plan.reuse * bool(layer.product.shared))
    stages = popcount_latency(plan.simd, plan.popcount_levels)
    features = {
        "layer": 1.0,
        "lane": lanes,
        "registered_lane": lanes * min(stages, 2) / 2,
        "accumulator_bit": sums * layer.width,
        "input_bit": plan.reuse * plan.simd * layer.input.bits,
    }
    if not layer.product.matches:
        features["masked_lane"] = lanes
    if unit.registered:
        # Of sums with a single threshold, nothing but the sign is read.
        features["sum_bit"] = sums * (layer.width if layer.threshold is None else 1)
    if plan.nf > SMALL_TABLE or (plan.nf > 1 and plan.threshold_memory == "block"):
        features["bias_bit"] = plan.pe * layer.width
        if plan.threshold_memory == "lut":
            features["table"] = plan.pe * layer.width * table_luts(plan.nf)
    if plan.weight_memory == "lut":
        features["weight_table"] = plan.pe * plan.simd * layer.weight.bits * table_luts(plan.nf * plan.sf)
    return features


def _constant(unit: Constant) -> Features:
    sums = constant.netlist(unit.layer)
    registers = constant.pipeline(unit.layer, unit.plan.popcount_levels).registers(sums)
    features: Features = {"constant_lut": sums.luts, "constant_register": registers, "input_bit": sums.inputs}
    if unit.plan.buffer_memory == "lut":
        width, depth = _waiting(unit)
        features["buffer_bit"] = width * depth
    return features


def _waiting(unit: Constant) -> tuple[int, int]:
    """Bits of a word, and words, of the FIFO behind the adders."""
    words = constant.netlist(unit.layer).sums
    return 1 + sum(len(word) for word in words), constant.pipeline(unit.layer, unit.plan.popcount_levels).held


def _thresholds(unit: Thresholds) -> Features:
    layer, plan = unit.layer, unit.plan
    sums = plan.pe * plan.reuse
    features: Features = {}
    if layer.thresholds > MAX_PARALLEL_THRESHOLDS:
        features["search_bit"] = sums * (layer.width + 4 * threshold_cycles(layer.thresholds))
        if plan.threshold_memory == "lut":
            depth = plan.nf << threshold_cycles(layer.thresholds)
            features["table"] = sums * (layer.width + 1) * table_luts(depth)
    elif layer.thresholds > 1:
        features["comparator_bit"] = sums * (layer.thresholds - 1) * (layer.width + 1)
        features["table"] = features["comparator_bit"] * table_luts(plan.nf)
    return features


def _buffer(unit: Buffer) -> Features:
    bits = 2 * power_of_two(unit.beats) * unit.width * unit.vectors
    return {"buffer_bit": bits} if unit.memory == "lut" else {}


def _scatter(unit: Scatter) -> Features:
    bits = 2 * power_of_two(unit.beats) * unit.width * unit.vectors
    features: Features = {"cut_bit": unit.width * unit.vectors}
    if unit.memory == "lut":
        features["buffer_bit"] = bits
    return features


def _frame_gather(unit: FrameGather) -> Features:
    features: Features = {"fork": 3.0}
    if unit.memory == "lut":
        features["buffer_bit"] = 2 * power_of_two(unit.beats) * unit.width * unit.frames
    return features


def _frame_scatter(unit: FrameScatter) -> Features:
    bits = 2 * power_of_two(unit.beats) * unit.width * unit.frames
    features: Features = {"cut_bit": unit.width * unit.frames, "fork": 3.0}
    if unit.memory == "lut":
        features["buffer_bit"] = bits
    return features


def _convert(unit: Convert) -> Features:
    chunk = gcd(unit.i_lanes, unit.o_lanes)
    features: Features = {}
    if unit.i_lanes > chunk:
        features["cut_bit"] = unit.vectors * unit.bits * unit.i_lanes
    if unit.o_lanes > chunk:
        features["collect_bit"] = unit.vectors * unit.bits * unit.o_lanes
    return features


def _slide(unit: Slide) -> Features:
    bits = unit.lanes * unit.bits
    banks, depth = window_memories(unit)
    features = {"window": 1.0, "window_bit": bits}
    if unit.tall:
        features["window_choice"] = bits * unit.geometry.kernel[0] * (banks - 1)
    if unit.memory == "lut":
        features["buffer_bit"] = banks * depth * bits
    return features


def _pool(unit: Pool) -> Features:
    assert unit.layer.dtype is not None
    bits = value_width(unit.layer.input) if unit.layer.operation == "max" else value_width(unit.layer.dtype)
    return {"pool_bit": unit.plan.pe * bits}


def _add(unit: Add) -> Features:
    assert unit.layer.dtype is not None
    return {"pool_bit": unit.plan.pe * value_width(unit.layer.dtype)}


def _concat(unit: Concat) -> Features:
    return {"cut_bit": unit.plan.pe * unit.layer.input.bits}


def _offset(unit: Offset) -> Features:
    return {"comparator_bit": unit.plan.pe * unit.layer.width}


def _fork(unit: Fork) -> Features:
    return {"fork": float(unit.readers)}


def _fifo(unit: Fifo) -> Features:
    return {"fifo": 1.0, "fifo_bit": unit.width, "buffer_bit": unit.depth * unit.width if unit.depth <= 2 else 0.0}


def _counter(unit: Unit) -> Features:
    return {"fork": 1.0}


_FEATURES: dict[type[Unit], Callable[[Any], Features]] = {
    Matrix: _matrix,
    Constant: _constant,
    Thresholds: _thresholds,
    Buffer: _buffer,
    Scatter: _scatter,
    FrameGather: _frame_gather,
    FrameScatter: _frame_scatter,
    Convert: _convert,
    Slide: _slide,
    Pool: _pool,
    Add: _add,
    Concat: _concat,
    Offset: _offset,
    Fork: _fork,
    Fifo: _fifo,
    Slack: lambda unit: _fifo(Fifo(unit.width, 2)),
    Split: _counter,
    Join: _counter,
}


def fixed_features(network: Network, lanes: int) -> Features:
    """What is around the layers: input guard, status, label select of so many lanes."""
    out = final_bits(network.layers[-1]) * lanes
    features: Features = {"accelerator": 1.0, "output_bit": out}
    if network.affine_scores:
        features["score_bit"] = out * max(abs(s) for s in network.score_scales).bit_length()
    return features


def network_features(plan: Plan, network: Network) -> Features:
    """All features of an accelerator, summed up."""
    units = (unit_features(stage.unit) for stage in structure(plan, network))
    return _summed([fixed_features(network, plan.output_lanes), *units])


def _summed(parts: Iterable[Features]) -> Features:
    total: Features = {}
    for features in parts:
        for name, value in features.items():
            total[name] = total.get(name, 0.0) + value
    return total


@cache
def coefficients(family: str) -> dict[str, float]:
    """LUTs per unit of each feature; ``board`` is the link and the clock around an accelerator."""
    table: dict[str, dict[str, float]] = json.loads(TABLE.read_text())
    return table[family]


def luts(part: Part, features: Features) -> float:
    """LUTs that the model gives to `features`."""
    weights = coefficients(part.family)
    return sum(weights[name] * value for name, value in features.items())
