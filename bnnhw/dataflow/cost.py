"""Area of a plan before synthesis: block RAMs by counting, LUTs by a linear model.

The model's terms follow what the gateware builds (lanes, accumulator bits, registers, multiplexers, table columns); its
coefficients are fitted per family to routed designs by ``benchmarks/calibrate.py``, which writes `cost_table.json`. A
LUT here is a logic cell of iCE40 (a LUT with its flip-flop and carry) or a TRELLIS_COMB of ECP5.
"""

from __future__ import annotations

import json
from functools import cache
from math import gcd
from pathlib import Path

from bnnhw.dataflow.layers import Layer, Network
from bnnhw.dataflow.plan import LayerPlan
from bnnhw.dataflow.timing import MOST_PARALLEL_THRESHOLDS, popcount_latency, search_steps
from bnnhw.parts import Part

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


def layer_block_rams(part: Part, layer: Layer, plan: LayerPlan) -> int:
    """Block RAMs of one layer: weights, repeated input, biases and thresholds."""
    count = 0
    rows = plan.nf * plan.sf
    if plan.weight_memory == "block" and rows > 1:
        count += block_rams(part, plan.pe * plan.simd * layer.weight.bits, rows)
    if plan.nf > 1 and plan.buffer_memory == "block":
        count += block_rams(part, plan.simd * layer.input.bits, 2 * power_of_two(plan.sf))
    if plan.threshold_memory == "block":
        if plan.nf > 1:
            count += block_rams(part, plan.pe * layer.width, plan.nf)
        if layer.thresholds > MOST_PARALLEL_THRESHOLDS:
            depth = plan.nf << search_steps(layer.thresholds)
            count += plan.pe * block_rams(part, layer.width + 1, depth)
    return count


def power_of_two(value: int) -> int:
    """The smallest power of two that is not below `value`."""
    return 1 << (value - 1).bit_length()


def table_luts(rows: int) -> float:
    """LUTs of one column of a table of `rows` arbitrary bits: 16 bits each, and multiplexers to choose among them."""
    return 0.0 if rows < 2 else 1.0 if rows <= 16 else rows / 16 * 4 / 3


def layer_features(layer: Layer, plan: LayerPlan) -> Features:
    """What the LUTs of one layer, without its width converter, are linear in."""
    rows = plan.nf * plan.sf
    lanes = plan.pe * plan.simd * layer.plane_products
    stages = popcount_latency(plan.simd, plan.popcount_levels)
    features = {
        "layer": 1.0,
        "lane": lanes,
        "registered_lane": lanes * min(stages, 2) / 2,
        "accumulator_bit": plan.pe * layer.width,
        "input_bit": plan.simd * layer.input.bits,
    }
    if layer.threshold is None:
        features["sum_bit"] = plan.pe * layer.width
    if layer.thresholds > MOST_PARALLEL_THRESHOLDS:
        features["search_bit"] = plan.pe * (layer.width + 4 * search_steps(layer.thresholds))
        if plan.threshold_memory == "lut":
            depth = plan.nf << search_steps(layer.thresholds)
            features["table"] = plan.pe * (layer.width + 1) * table_luts(depth)
    elif layer.thresholds > 1:
        features["comparator_bit"] = plan.pe * (layer.thresholds - 1) * (layer.width + 1)
        features["table"] = features["comparator_bit"] * table_luts(plan.nf)
    if plan.nf > 1:
        features["bias_bit"] = plan.pe * layer.width
        if plan.threshold_memory == "lut":
            features["table"] = features.get("table", 0.0) + plan.pe * layer.width * table_luts(plan.nf)
        if plan.buffer_memory == "lut":
            features["buffer_bit"] = 2 * power_of_two(plan.sf) * plan.simd * layer.input.bits
    if plan.weight_memory == "lut":
        features["weight_table"] = plan.pe * plan.simd * layer.weight.bits * table_luts(rows)
    return features


def converter_features(bits: int, i_lanes: int, o_lanes: int) -> Features:
    """What the LUTs of a width converter are linear in."""
    chunk = gcd(i_lanes, o_lanes)
    features: Features = {}
    if i_lanes > chunk:
        features["cut_bit"] = bits * i_lanes
    if o_lanes > chunk:
        features["collect_bit"] = bits * o_lanes
    return features


def element_bits(layer: Layer) -> int:
    """Bits of one element that a layer gives: a storage code, or an integer of the last layer."""
    return layer.width if layer.threshold is None else layer.threshold.dtype.bits


def fixed_features(network: Network) -> Features:
    """What no folding changes: input guard, status, label select."""
    out = element_bits(network.layers[-1])
    features: Features = {"accelerator": 1.0, "output_bit": out}
    if network.affine_scores:
        features["score_bit"] = out * max(abs(s) for s in network.score_scales).bit_length()
    return features


def network_features(network: Network, layers: tuple[LayerPlan, ...]) -> Features:
    """All features of an accelerator, summed up."""
    total = fixed_features(network)
    lanes = [*(layer.simd for layer in layers[1:]), 1]
    for layer, folded, o_lanes in zip(network.layers, layers, lanes, strict=True):
        converter = converter_features(element_bits(layer), folded.pe, o_lanes)
        for features in (layer_features(layer, folded), converter):
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
