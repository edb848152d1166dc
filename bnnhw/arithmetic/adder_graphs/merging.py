"""Puts small tables together to LUTs of four inputs, as a LUT takes no less for two."""

from __future__ import annotations

from collections import defaultdict

from bnnhw.arithmetic.adder_graphs.netlist import MAX_LUT_INPUTS, Adder, Gate, Lut, Netlist


def merge_tables(netlist: Netlist) -> Netlist:
    """The same sums with fewer LUTs.

    A table goes into all that read it, where these are tables that have inputs to spare: then it is needed no more,
    however many they are. From the sums back to the inputs, since the first adders read three bits.
    """
    tables = {gate.output: gate for gate in netlist.gates if isinstance(gate, Lut)}
    readers: dict[int, set[int]] = defaultdict(set)
    for table in tables.values():
        for signal in table.signals:
            readers[signal].add(table.output)
    others = {literal >> 1 for word in netlist.sums for literal in word}
    for gate in netlist.gates:
        if isinstance(gate, Adder):
            others |= {literal >> 1 for literal in (*gate.a, *gate.b, gate.carry)}
    for gate in reversed(netlist.gates):
        inner = tables.get(gate.output) if isinstance(gate, Lut) else None
        if inner is None or inner.output in others or not readers[inner.output]:
            continue
        larger = [_composed(tables[output], inner) for output in readers[inner.output]]
        if any(len(table.signals) > MAX_LUT_INPUTS for table in larger):
            continue
        del tables[inner.output]
        for signal in inner.signals:
            readers[signal].discard(inner.output)
        for table in larger:
            tables[table.output] = table
            for signal in table.signals:
                readers[signal].add(table.output)
    gates: list[Gate] = []
    for gate in netlist.gates:
        kept = gate if isinstance(gate, Adder) else tables.get(gate.output)
        if kept is not None:
            gates.append(kept)
    return Netlist(netlist.inputs, tuple(gates), netlist.sums)


def _composed(outer: Lut, inner: Lut) -> Lut:
    """`outer` as a table of what `inner` reads, and of the rest of what it reads itself."""
    signals = tuple(sorted(({*outer.signals} - {inner.output}) | {*inner.signals}))
    if len(signals) > MAX_LUT_INPUTS:
        return Lut(signals, 0, outer.output)
    table = 0
    for word in range(1 << len(signals)):
        bits = {signal: word >> k & 1 for k, signal in enumerate(signals)}
        bits[inner.output] = inner.table >> _address(inner, bits) & 1
        table |= (outer.table >> _address(outer, bits) & 1) << word
    return Lut(signals, table, outer.output)


def _address(table: Lut, bits: dict[int, int]) -> int:
    return sum(bits[signal] << k for k, signal in enumerate(table.signals))
