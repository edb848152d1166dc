"""Layers with weights: all units of one, against the definition of a matrix-vector product and its thresholds."""

from dataclasses import replace

import numpy as np
from amaranth.hdl import Array, Const, signed

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.dataflow.layers import LOGIC
from bnnhw.dataflow.layers.base import SPRAM
from bnnhw.generate.circuits import circuit
from campaigns.random_networks import grouped_layer, layer_plan, random_layer
from proofs.case import StreamCase
from proofs.harness import Any, Spec
from proofs.models import Chain, Loaded, counted, lanes, legal_codes, number

UINT2, INT3 = DataType("uint", 2), DataType("int", 3)


def layer(
    x,
    weight,
    out,
    mw,
    mh,
    depth,
    *,
    pe=0,
    simd=0,
    levels=None,
    latency=1,
    constant=False,
    loaded=False,
    fast=False,
    seed=1,
):
    """Case of all units of a random layer: `mh` numbers of `mw`, without thresholds where `out` is None."""
    made = random_layer(np.random.default_rng(seed), "layer", mw, mh, weight, x, out)
    plan = replace(layer_plan(made, pe or mh, simd or mw, levels, "lut"), weight_latency=latency)
    if constant:
        plan = replace(plan, weight_memory=LOGIC)
    if loaded:
        plan = replace(plan, weight_memory=SPRAM)
    what = ", registers behind the weights" if latency > 1 else ", weights loaded" if loaded else ""
    return case(made, plan, depth, what, fast=fast)


def grouped(x, weight, out, groups, channels, outputs, depth, *, pe, simd):
    """Case of all units of a random layer of `groups` matrices of their own."""
    made = grouped_layer(np.random.default_rng(1), weight, x, out, groups, channels, outputs)
    plan = replace(made.unfolded(), pe=pe, simd=simd, popcount_levels=None, weight_memory="lut")
    return case(made, plan, depth, f", {groups} groups")


def case(made, plan, depth, what, *, fast=False):
    """Case of all units of a layer."""
    x, mw, mh, pe, simd = made.input, made.mw, made.mh, plan.pe, plan.simd
    channels = made.node.weight.shape[1]  # that a row sees
    rows = mh * channels // mw  # that see the same ones
    out = None if made.threshold is None else made.threshold.dtype
    parts, held = dict(made.units(plan, "ecp5")), made.contents(plan, "ecp5")
    matrix, thresholds = made.node.weight, made.threshold
    i_beats, o_beats, width = -(-mw // plan.i_lanes), plan.nf, made.dtype.bits

    def expected(name, k, seen):
        codes = [code for beat in seen["i"] for code in lanes(beat, x.bits)][:mw]
        found = []
        for row in range(k * pe, (k + 1) * pe):
            if row >= mh:
                found.append(Any(width) if thresholds is None else Const(0, width))
                continue
            first = row // rows * channels
            own = codes[first : first + channels]
            total = sum(int(w) * number(x, code) for w, code in zip(matrix[row], own, strict=True))
            if thresholds is None:
                # As a number of more bits than the sum has, so that its sign goes along.
                found.append((total + Const(0, signed(16)))[:width])
            else:
                count = counted([int(t) for t in thresholds.thresholds[row]], total)
                values = thresholds.offset + thresholds.step * np.arange(made.thresholds + 1)
                found.append(looked_up([int(c) for c in out.encode(values)], count, width))
        return found, {"last": k == o_beats - 1}

    def legal(name, payload):
        codes, tail = lanes(payload, x.bits), mw - (i_beats - 1) * plan.i_lanes
        known = legal_codes(x, payload.data)
        for code in codes[tail:]:
            known = known & (~payload.last | (code == 0))
        return known

    spec = Spec(
        {"i": i_beats}, {"o": o_beats}, expected, hang_cycles=i_beats * o_beats + 5,
        i_last=lambda name, k: k == i_beats - 1, legal=legal,
    )  # fmt: skip
    what = (f"{made.thresholds} thresholds" if out else "sums") + what
    sizes = f"{x} x {made.weight}, {mh} of {mw}, PE {pe}, SIMD {simd}, {what}"
    return StreamCase(
        ", ".join(type(unit).__name__ for unit in parts.values()), sizes,
        lambda: Chain([_circuit(unit, held.get(part)) for part, unit in parts.items()]), spec, depth,
        covers=tuple(type(unit) for unit in parts.values()), fast=fast,
    )  # fmt: skip


def _circuit(unit, contents):
    """The circuit of a unit, its memories loaded where that is not done by the bitstream."""
    made = circuit(unit, contents)
    return Loaded(made, unit.load_words(contents)) if unit.spram() else made


def looked_up(codes, count, width):
    """The code for a count."""
    return Array(Const(code, width) for code in codes)[count]


CASES = [
    layer(BIPOLAR, BIPOLAR, None, 4, 2, 20, simd=2),
    layer(BIPOLAR, BIPOLAR, None, 4, 2, 22, simd=2, latency=2),
    layer(BIPOLAR, BIPOLAR, None, 4, 2, 24, simd=2, loaded=True),
    layer(BIPOLAR, BIPOLAR, None, 9, 2, 22, simd=9, loaded=True),
    layer(TERNARY, BIPOLAR, None, 3, 2, 18),
    layer(TERNARY, TERNARY, None, 3, 2, 18),
    layer(UINT2, INT3, None, 3, 1, 20, simd=2),
    layer(BIPOLAR, BIPOLAR, BIPOLAR, 4, 3, 28, pe=2, simd=2, levels=1),
    layer(TERNARY, TERNARY, UINT2, 3, 2, 22, pe=1, simd=2),
    grouped(BIPOLAR, BIPOLAR, BIPOLAR, 4, 1, 1, 22, pe=2, simd=1),
    grouped(TERNARY, BIPOLAR, None, 2, 2, 2, 17, pe=1, simd=2),
    grouped(TERNARY, BIPOLAR, None, 2, 2, 2, 14, pe=4, simd=2),
    layer(BIPOLAR, BIPOLAR, None, 6, 3, 18, constant=True),
    layer(TERNARY, TERNARY, None, 4, 2, 18, constant=True),
]
