"""Faults in tables: every table of the small lookup design has some, and each is one that an input tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import rtlil

from bnnhw.arithmetic.adder_graphs import Lut, Netlist, schedule
from bnnhw.dataflow.layers import LookupLayer
from campaigns.mutation.designs import lookups
from campaigns.mutation.faults import FaultyAccelerator, planted

pytestmark = pytest.mark.unit


def swapped(table: int, size: int) -> int:
    """A table with its two low inputs swapped."""
    return sum((table >> (word & ~3 | (word & 1) << 1 | word >> 1 & 1) & 1) << word for word in range(size))


def test_each_is_told_by_some_input() -> None:
    small = lookups()
    (layer,) = small.network.layers
    assert isinstance(layer, LookupLayer)
    made, x = layer.netlist, small.many.values == 1
    assert np.array_equal(made.evaluate(x), small.many.integers)
    kinds = []
    plan = schedule(made, small.plan.layers[0].folding["popcount_levels"])
    # In the order in which they are built.
    for k in sorted(range(len(made.gates)), key=lambda k: (plan.depth[k], plan.of_gate[k])):
        gate = made.gates[k]
        if not isinstance(gate, Lut):
            continue
        size = 1 << len(gate.signals)
        count = 1 + kinds.count("table bit flipped")
        faults = {"table bit flipped": gate.table ^ 1 << count * 5 % size}
        if swapped(gate.table, size) != gate.table:
            faults["table inputs swapped"] = swapped(gate.table, size)
        for kind, table in faults.items():
            kinds.append(kind)
            faulty = Netlist(
                made.inputs, (*made.gates[:k], replace(gate, table=table), *made.gates[k + 1 :]), made.sums
            )
            assert not np.array_equal(faulty.evaluate(x), small.many.integers), (kind, count)
    top = FaultyAccelerator(small.plan, small.network)
    with planted(top.plant):
        rtlil.convert(top, name="accelerator", emit_src=False)
    found = [mutant.kind for mutant in top.plant.mutants if mutant.kind.startswith("table")]
    assert found == kinds and len(found) > 60
