"""Makes tables of fewer inputs, and one of those that are equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import FLOAT32
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Encode, Lookup, Node, Reshape, Threshold
from bnnhw.passes.known_bits import KnownBits, Whole, compared_bits, encoded_bits
from bnnhw.passes.rewrite import rebuild

Tables = NDArray[np.bool_]


def run(graph: Graph) -> Graph:
    """The tables of integers, from the input on.

    An input that makes no difference at any address that can occur is wired to another one of its table, or where none
    makes a difference, to one of another's: so what nothing reads any more shows. Addresses that cannot occur are those
    that constants, bits that are equal or complements of each other, and thermometer codes leave out. Tables that are
    equal or complements of one before are read no more; their readers take that one.
    """
    known: dict[str, KnownBits] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Encode):
            known[node.output] = encoded_bits(graph, node)
        elif isinstance(node, Threshold) and node.compares:
            known[node.output] = compared_bits(graph, node)
        elif isinstance(node, Reshape) and node.inputs[0] in known:
            known[node.output] = known[node.inputs[0]]
        elif isinstance(node, Lookup) and graph.tensors[node.output].format != FLOAT32:
            before = known.get(node.inputs[0]) or KnownBits.nothing(graph.tensors[node.inputs[0]].shape[0])
            node = _simplified(node, before)
            known[node.output] = _known(node)
        nodes.append(node)
    return rebuild(graph, nodes)


def _simplified(node: Lookup, known: KnownBits) -> Lookup:
    wiring, tables = _representatives(node, known)
    nodes, k = wiring.shape
    apart = (nodes, *[2] * k)  # axis k - j is input j
    entries, reached = tables.reshape(apart), known.reachable(wiring).reshape(apart)
    matters = np.ones((nodes, k), np.bool_)
    for j in range(k):
        low, high = (entries.take(bit, axis=k - j) for bit in (0, 1))
        some, others = (reached.take(bit, axis=k - j) for bit in (0, 1))
        same = ((low == high) | ~some | ~others).reshape(nodes, -1).all(axis=1)
        matters[:, j] = ~same
        pick = same.reshape(-1, *[1] * k)
        merged, either = (np.expand_dims(part, k - j) for part in (np.where(some, low, high), some | others))
        entries, reached = np.where(pick, merged, entries), np.where(pick, either, reached)
    spare = wiring[matters].min(initial=int(wiring.max()))
    first = np.where(matters.any(axis=1), wiring[np.arange(nodes), matters.argmax(axis=1)], spare)
    return replace(node, wiring=np.where(matters, wiring, first[:, None]), tables=entries.reshape(tables.shape))


def _representatives(node: Lookup, known: KnownBits) -> tuple[Whole, Tables]:
    """Wiring and tables that read the first of equal bits, and of complements."""
    size, k = len(known.source), node.wiring.shape[1]
    keys = np.stack([known.source.astype(np.float64), known.level], axis=1)
    _, firsts, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    first = firsts[group.reshape(-1)]
    turned = known.negated ^ known.negated[first]
    words = np.arange(1 << k)
    flips = turned[node.wiring] @ (1 << np.arange(k))  # (M,)
    assert len(first) == size
    return first[node.wiring], node.tables[np.arange(len(node.tables))[:, None], words ^ flips[:, None]]


def _known(node: Lookup) -> KnownBits:
    """What is known of the bits of simplified tables."""
    found = KnownBits.nothing(len(node.tables))
    seen: dict[object, int] = {}
    for m, (wires, table) in enumerate(zip(node.wiring, node.tables, strict=True)):
        key, entries = _function(wires.tolist(), table)
        if not key:
            found.constant[m] = int(entries[0])
            continue
        turned = bool(entries[0])
        found.source[m] = seen.setdefault((key, (entries ^ turned).tobytes()), m)
        found.negated[m] = turned
    return found


def _function(wires: list[int], table: Tables) -> tuple[tuple[int, ...], Tables]:
    """The bits that a table depends on, ascending, and its entries for these alone."""
    bits = sorted(set(wires))
    words = np.arange(1 << len(bits))
    addresses = sum(((words >> bits.index(wire)) & 1) << j for j, wire in enumerate(wires))
    entries = table[addresses]
    for k in reversed(range(len(bits))):
        low, high = entries[(np.arange(len(entries)) >> k) & 1 == 0], entries[(np.arange(len(entries)) >> k) & 1 == 1]
        if (low == high).all():
            entries = low
            del bits[k]
    return tuple(bits), entries
