"""How many weights a plan fetches: what decides whether memory or logic bounds it."""

from __future__ import annotations

from bnnhw.dataflow.plan import Plan


def weight_bits_read(plan: Plan) -> float:
    """Bits of weights that the block RAMs of `plan` give per inference, those of lanes beyond a row's end included.

    Weights in LUTs are not fetched. A fetch for several frames counts for each of them with its share.
    """
    return sum(layer.weight_bits_read for layer in plan.layers)
