"""How many weights a plan fetches: what decides whether memory or logic bounds it."""

from __future__ import annotations

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.plan import LayerPlan, Plan


def weight_bits_read(plan: Plan) -> float:
    """Bits of weights that the block RAMs of `plan` give per inference, those of lanes beyond a row's end included.

    Weights in LUTs are not fetched. A fetch for several frames counts for each of them with its share.
    """
    return sum(_layer_bits(layer) for layer in plan.layers)


def _layer_bits(layer: LayerPlan) -> float:
    if layer.kind != "matrix" or layer.weight_memory != "block":
        return 0.0
    once = layer.nf * layer.sf * layer.pe * layer.simd * DataType.parse(layer.weight).bits
    return once * (-(-layer.vectors // layer.reuse) if layer.vectors > 1 else 1 / layer.reuse)
