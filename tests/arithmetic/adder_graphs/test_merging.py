"""Small tables put together to LUTs."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.adder_graphs import Builder, Lut, constant_products, netlist
from bnnhw.arithmetic.adder_graphs.merging import merge_tables

pytestmark = pytest.mark.unit


def gates(seed: int, inputs: int, layers: int, nodes: int, k: int, classes: int):
    """Layers of random tables of k bits, each signal read as often as another, and counts of the last."""
    rng = np.random.default_rng(seed)
    builder = Builder(inputs)
    bits = [2 * n + 2 for n in range(inputs)]
    for _ in range(layers):
        wires = np.stack([rng.permutation(max(nodes, len(bits)))[:nodes] % len(bits) for _ in range(k)], axis=1)
        bits = [builder.table([bits[w] for w in row], rng.integers(0, 2, 1 << k).tolist()) for row in wires.tolist()]
    head = np.repeat(np.eye(classes, dtype=np.int64), nodes // classes, axis=1)
    return netlist(builder, constant_products(builder, bits, head, [0] * classes))


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_they_say_the_same(layers, k):
    made = gates(layers, 60, layers, 120, k, 4)
    merged = merge_tables(made)
    x = np.random.default_rng(1).integers(0, 2, (2000, 60)) == 1
    assert np.array_equal(made.evaluate(x), merged.evaluate(x))
    assert merged.luts <= (0.9 if k == 2 and layers > 1 else 1) * made.luts
    assert max(len(gate.signals) for gate in merged.gates if isinstance(gate, Lut)) <= 4


def test_what_is_read_elsewhere_stays():
    builder = Builder(4)
    inner = builder.table([2, 4], [0, 0, 0, 1])
    outer = builder.table([inner, 6, 8], [0, 1, 1, 0, 1, 0, 0, 1])
    both = netlist(builder, [(outer,), (inner,)])
    assert [gate.signals for gate in merge_tables(both).gates] == [gate.signals for gate in both.gates]
    (one,) = merge_tables(netlist(builder, [(outer,)])).gates
    assert isinstance(one, Lut) and one.signals == (1, 2, 3, 4)
