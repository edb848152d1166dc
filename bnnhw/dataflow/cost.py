"""Area of a plan before synthesis: block RAMs by counting, LUTs by a linear model.

The model's terms follow what the gateware builds (lanes, accumulator bits, registers, multiplexers, table columns); its
coefficients are fitted per family to routed designs by ``benchmarks/calibrate.py``, which writes `cost_table.json`. A
LUT here is a logic cell of iCE40 (a LUT with its flip-flop and carry) or a TRELLIS_COMB of ECP5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from math import gcd, prod
from pathlib import Path
from typing import Any

from bnnhw.dataflow.layers import Layer, Network, value_width
from bnnhw.dataflow.plan import LayerPlan, Plan
from bnnhw.dataflow.structure import (
    MOST_PARALLEL_THRESHOLDS,
    Add,
    Buffer,
    Concat,
    Convert,
    Fifo,
    Fork,
    Join,
    Matrix,
    Offset,
    Pool,
    Scatter,
    Slide,
    Split,
    Thresholds,
    Unit,
    final_bits,
    layer_units,
    popcount_latency,
    search_steps,
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
    if isinstance(unit, Thresholds) and unit.plan.threshold_memory == "block":
        if unit.layer.thresholds <= MOST_PARALLEL_THRESHOLDS:
            return 0
        depth = unit.plan.nf << search_steps(unit.layer.thresholds)
        return unit.plan.pe * unit.plan.reuse * block_rams(part, unit.layer.width + 1, depth)
    if isinstance(unit, Buffer) and unit.memory == "block":
        return unit.vectors * block_rams(part, unit.width, 2 * power_of_two(unit.beats))
    if isinstance(unit, Scatter) and unit.memory == "block":
        return block_rams(part, unit.width * unit.vectors, 2 * power_of_two(unit.beats))
    if isinstance(unit, Slide) and unit.memory == "block":
        banks, depth = window_memories(unit)
        return banks * block_rams(part, unit.lanes * unit.bits, depth)
    if isinstance(unit, Fifo) and fifo_memory(part.family, unit) == "block":
        return block_rams(part, unit.width + 1, unit.depth)
    return 0


def layer_block_rams(part: Part, layer: Layer, plan: LayerPlan) -> int:
    """Block RAMs of one layer, without what brings its inputs."""
    return sum(unit_block_rams(part, unit) for _, unit in layer_units(layer, plan))


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
        return unit.geometry.capacity(unit.height, line, tall=True), power_of_two(line)
    return 1, unit.geometry.depth(unit.height, line, unit.depth)


def free_depth(part: Part, unit: Slide) -> int:
    """Beats that a line buffer may hold in the block RAMs that it takes anyway: lines that come early stall nobody."""
    (_, depth), width = window_memories(unit), unit.lanes * unit.bits
    count = block_rams(part, width, depth)
    while block_rams(part, width, 2 * depth) == count:
        depth *= 2
    return depth


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


def layer_features(layer: Layer, plan: LayerPlan) -> Features:
    """What the LUTs of one layer are linear in, without what brings its inputs."""
    return _summed(unit_features(unit) for _, unit in layer_units(layer, plan))


def _matrix(unit: Matrix) -> Features:
    layer, plan = unit.layer, unit.plan
    sums = plan.pe * plan.reuse
    lanes = sums * plan.simd * layer.plane_products
    stages = popcount_latency(plan.simd, plan.popcount_levels)
    features = {
        "layer": 1.0,
        "lane": lanes,
        "registered_lane": lanes * min(stages, 2) / 2,
        "accumulator_bit": sums * layer.width,
        "input_bit": plan.reuse * plan.simd * layer.input.bits,
    }
    if layer.threshold is None:
        features["sum_bit"] = sums * layer.width
    if plan.nf > 1:
        features["bias_bit"] = plan.pe * layer.width
        if plan.threshold_memory == "lut":
            features["table"] = plan.pe * layer.width * table_luts(plan.nf)
    if plan.weight_memory == "lut":
        features["weight_table"] = plan.pe * plan.simd * layer.weight.bits * table_luts(plan.nf * plan.sf)
    return features


def _thresholds(unit: Thresholds) -> Features:
    layer, plan = unit.layer, unit.plan
    sums = plan.pe * plan.reuse
    features: Features = {}
    if layer.thresholds > MOST_PARALLEL_THRESHOLDS:
        features["search_bit"] = sums * (layer.width + 4 * search_steps(layer.thresholds))
        if plan.threshold_memory == "lut":
            depth = plan.nf << search_steps(layer.thresholds)
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


def _convert(unit: Convert) -> Features:
    chunk = gcd(unit.i_lanes, unit.o_lanes)
    features: Features = {}
    if unit.i_lanes > chunk:
        features["cut_bit"] = unit.bits * unit.i_lanes
    if unit.o_lanes > chunk:
        features["collect_bit"] = unit.bits * unit.o_lanes
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
    Thresholds: _thresholds,
    Buffer: _buffer,
    Scatter: _scatter,
    Convert: _convert,
    Slide: _slide,
    Pool: _pool,
    Add: _add,
    Concat: _concat,
    Offset: _offset,
    Fork: _fork,
    Fifo: _fifo,
    Split: _counter,
    Join: _counter,
}


def fixed_features(network: Network) -> Features:
    """What no folding changes: input guard, status, label select."""
    out = final_bits(network.layers[-1])
    features: Features = {"accelerator": 1.0, "output_bit": out}
    if network.affine_scores:
        features["score_bit"] = out * max(abs(s) for s in network.score_scales).bit_length()
    return features


def network_features(plan: Plan, network: Network) -> Features:
    """All features of an accelerator, summed up."""
    units = (unit_features(stage.unit) for stage in structure(plan, network))
    return _summed([fixed_features(network), *units])


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
