"""Lookup: tables of bits one behind the other, and the sums that a network ends with, all of it logic.

Neurons that see a few bits only, since the other weights are zero, are tables as well: what weights and thresholds make
of each of their inputs is enumerated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import Any

import numpy as np

from bnnhw.arithmetic.adder_graphs import Bits, Builder, Literal, Netlist, Number, constant_products, netlist
from bnnhw.arithmetic.adder_graphs.merging import merge_tables
from bnnhw.arithmetic.adder_graphs.netlist import MAX_LUT_INPUTS, ZERO
from bnnhw.arithmetic.formats import BIT, DataType
from bnnhw.dataflow.layers.base import MEMORIES, Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.neurons import neurons, stored
from bnnhw.dataflow.layers.weighted import POPCOUNT_LEVELS
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import Dense, Gather, Lookup, Node, Threshold
from bnnhw.units import ConstantMatrixUnit, WidthConverter
from bnnhw.units.memories import power_of_two, written_kind


@dataclass(frozen=True, kw_only=True)
class LookupPlan(LayerPlan):
    """Folding of tables, which take a whole vector and give a whole one.

    Parameters
    ----------
    simd
        Inputs that come at a time; where these are not all, they are collected first.
    buffer_memory
        ``block`` or ``lut``: where results wait.
    popcount_levels
        LUTs or carry chains between two registers; None for no registers.
    """

    simd: int
    buffer_memory: str
    popcount_levels: int | None

    kind = "lookup"
    choices = ("simd", "buffer_memory", "popcount_levels")

    @property
    def columns(self) -> int:
        return self.simd

    @property
    def cycles(self) -> int:
        return -(-self.mw // self.simd)

    def check(self, where: str) -> None:
        super().check(where)
        levels = self.popcount_levels
        if levels is not None and levels < 1:
            raise PlanError(f"{where}: layer {self.name}: popcount_levels must be null or 1 and more, not {levels!r}")

    def _ranges(self) -> dict[str, tuple[int, int]]:
        return {"pe": (self.mh, self.mh), "simd": (1, self.mw)}


@dataclass(frozen=True, eq=False, kw_only=True)
class LookupLayer(Layer):
    """Tables of bits, and sums of what the last of them give.

    Parameters
    ----------
    chain
        The operations in their order: choices of elements, comparisons, tables, and products with the thresholds of
        their sums, see `neurons`; at the end maybe a product with constants.
    """

    chain: tuple[Node, ...]

    plan_type = LookupPlan
    nodes = (Lookup, Gather)

    @property
    def head(self) -> Dense | None:
        """What adds up the bits; None where they go on as they are."""
        last = self.chain[-1]
        return last if isinstance(last, Dense) else None

    @property
    def tables(self) -> int:
        """Nodes of all layers of tables, and neurons that become such."""
        neurons = sum(len(node.weight) for node in self.chain[:-1] if isinstance(node, Dense))
        return neurons + sum(len(node.tables) for node in self.chain if isinstance(node, Lookup))

    @property
    def dtype(self) -> DataType:
        # Sums are two's complement numbers, be none of them negative.
        storage = self.format.storage
        return DataType("int", max(2, self.result.bits)) if self.head is not None else storage

    @property
    def result(self) -> DataType:
        storage = self.format.storage
        return storage if storage.kind == "int" else DataType("int", storage.bits + 1)

    @property
    def macs(self) -> int:
        return 0 if self.head is None else int(np.count_nonzero(self.head.weight))

    @property
    def work(self) -> int:
        return self.mw

    @cached_property
    def netlist(self) -> Netlist:
        """All of it as logic, for the planes of an input vector."""
        dtype = self.input
        planes = len(dtype.plane_weights)
        builder = Builder(self.mw * planes)
        words: list[Bits] = [tuple(2 * (k * planes + j) + 2 for j in range(planes)) for k in range(self.mw)]
        for place, node in enumerate(self.chain):
            if isinstance(node, Gather):
                words = [words[k] for k in node.places.reshape(-1).tolist()]
            elif isinstance(node, Lookup):
                words = [
                    (builder.table([words[k][0] for k in wires], entries),)
                    for wires, entries in zip(node.wiring.tolist(), node.tables.tolist(), strict=True)
                ]
                dtype = BIT
            elif isinstance(node, Threshold) and not isinstance(self.chain[place - 1], Dense):
                rows = cycle(zip(*_cuts(node), strict=True))  # the channels are the last axis
                words = [(_compared(builder, dtype, word, *row),) for word, row in zip(words, rows, strict=False)]
                dtype = BIT
            elif isinstance(node, Threshold):
                product = self.chain[place - 1]
                assert isinstance(product, Dense)
                words = neurons(builder, dtype, words, product, node)
                dtype = node.dtype
            elif node is self.head:
                wide = node.weight.astype(np.int64)
                columns = (wide[:, :, None] * np.array(dtype.plane_weights)).reshape(len(wide), -1)
                biases = dtype.plane_offset * wide.sum(axis=1)
                words = constant_products(builder, [bit for word in words for bit in word], columns, biases.tolist())
        if self.head is None:
            words = [stored(builder, dtype, word) for word in words]
        made = netlist(builder, words)
        sizes = [node.wiring.shape[1] for node in self.chain if isinstance(node, Lookup)]
        # Gates and the like: those of four inputs fill a LUT as they are.
        return merge_tables(made) if sizes and max(sizes) < MAX_LUT_INPUTS else made

    def unfolded(self) -> LookupPlan:
        return LookupPlan(**self._given(), pe=self.mh, simd=1, buffer_memory="lut", popcount_levels=POPCOUNT_LEVELS)

    # ---- what the search asks ------------------------------------------------------------------

    def foldings(self, interval: int, wanted: Mapping[str, Any], batch: int) -> Iterable[dict[str, Any]]:
        least = -(-self.mw // interval)
        found = {wanted["simd"]} if "simd" in wanted else {least, power_of_two(least), self.mw}
        return [{"simd": n} for n in found if n <= self.mw <= n * interval]

    def memories(self, plan: LayerPlan) -> Mapping[str, tuple[str, ...]]:
        return {"buffer_memory": MEMORIES}

    def fits(self, plan: LayerPlan) -> bool:
        return True

    # ---- units ---------------------------------------------------------------------------------

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        assert isinstance(plan, LookupPlan)
        lanes = plan.cycles * plan.simd
        if plan.simd < self.mw:
            yield "collect", WidthConverter(self.input.bits, self.mw, plan.simd, lanes)
        given = self.given(final=final)
        yield (
            "tables",
            ConstantMatrixUnit(
                netlist=self._words(final),
                input_dtype=self.input,
                width=given.bits,
                order=tuple(range(self.mw)),
                lanes=lanes,
                levels=plan.popcount_levels,
                registered=False,
                kind=written_kind(plan.buffer_memory, family),
                family=family,
                signs=False,
            ),
        )

    def _words(self, final: bool) -> Netlist:
        return self._signed if final and self.head is None else self.netlist

    @cached_property
    def _signed(self) -> Netlist:
        """Its words as two's complement numbers, where they are none."""
        made = self.netlist
        if self.result == self.dtype:
            return made
        return Netlist(made.inputs, made.gates, tuple((*word, ZERO) for word in made.sums))


def _cuts(node: Threshold) -> tuple[list[int], list[bool]]:
    negated = np.broadcast_to(node.negate, len(node.thresholds))
    return node.thresholds[:, 0].tolist(), negated.tolist()


def _compared(builder: Builder, dtype: DataType, planes: Bits, cut: int, negated: bool) -> Literal:
    """Whether an element of `dtype` in its planes, or where `negated` its negative, is `cut` or more."""
    if negated:  # -x >= cut is not x >= 1 - cut
        return _compared(builder, dtype, planes, 1 - cut, False) ^ 1
    if dtype.kind in ("uint", "int"):
        bits = (*planes, ZERO) if dtype.kind == "uint" else planes
        return builder.at_least(Number(bits, dtype.min, dtype.max, 0), cut, ZERO)
    words = np.arange(1 << len(planes))[:, None] >> np.arange(len(planes)) & 1
    return builder.table(planes, (words @ dtype.plane_weights + dtype.plane_offset >= cut).tolist())
