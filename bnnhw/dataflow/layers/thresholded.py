"""Layers that end in thresholds: the units that count them, or multiply in their place, and what these hold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import SMALL_TABLE
from bnnhw.arithmetic.thresholds import MAX_PARALLEL_THRESHOLDS, threshold_cycles
from bnnhw.dataflow.layers.base import MEMORIES, MULTIPLIED, Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.scaled import scale_contents, scale_unit, table_memory
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import Scale, Threshold
from bnnhw.units import CodeTable, Contents, ThresholdUnit
from bnnhw.units.code_table import TableContents
from bnnhw.units.threshold import ThresholdContents


def threshold_units(
    node: Threshold, given: DataType, *, pe: int, nf: int, width: int, vectors: int, memory: str
) -> Iterator[NamedUnit]:
    """The units that count the thresholds of `node` in sums of `width` bits and give codes of the format `given`.

    Codes that are the same for all channels are those of the unit that counts; else a table behind it has them.
    """
    channels, count = node.thresholds.shape
    tail = channels - (nf - 1) * pe
    apart = _apart(node)
    bits = count.bit_length() if apart else given.bits
    yield "thresholds", ThresholdUnit(pe, nf, tail, width, count, bits, vectors, memory)
    if apart:
        yield "codes", CodeTable(pe, nf, count, given.bits, vectors, memory)


def threshold_contents(
    node: Threshold, relative: NDArray[np.int64], given: DataType, *, pe: int, nf: int
) -> dict[str, Contents]:
    """What these units hold, by name: `relative` thresholds (channels, count), each row ascending from zero."""
    channels, count = node.thresholds.shape
    rows = np.zeros((nf * pe, count), dtype=np.int64)
    rows[:channels] = relative
    thresholds = rows.reshape(nf, pe, count).tolist()
    codes = given.encode(node.table).astype(np.int64)
    if not _apart(node):
        return {"thresholds": ThresholdContents(thresholds, codes[0].tolist())}
    tables = np.zeros((nf * pe, count + 1), np.int64)
    tables[:channels] = codes
    return {
        "thresholds": ThresholdContents(thresholds, list(range(count + 1))),
        "codes": TableContents(tables.reshape(nf, pe, count + 1).tolist()),
    }


def _apart(node: Threshold) -> bool:
    """Whether channels have codes of their own."""
    return len(node.table) > 1


def threshold_cycles_of(count: int, memory: str) -> int:
    """Cycles between two beats of what gives the codes: thresholds, or a multiplication."""
    return 1 if memory in MULTIPLIED else threshold_cycles(count)


def threshold_memories(count: int, nf: int, *, scaled: bool) -> tuple[str, ...]:
    """The choices that make a difference for `count` thresholds a row, and `nf` beats of rows."""
    # Small tables of thresholds compared at once never are better in block RAM.
    memories = MEMORIES if nf > SMALL_TABLE or count > MAX_PARALLEL_THRESHOLDS else ()
    return (*memories, *MULTIPLIED) if scaled else memories


class ThresholdedLayer(Layer):
    """A layer that ends in thresholds, or in a multiplication that takes their place."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Bits of what is compared."""

    @property
    @abstractmethod
    def scaled(self) -> Scale | None:
        """What may stand in for the thresholds; None for nothing."""

    @property
    def multiplies(self) -> bool:
        return self.scaled is not None

    def check_folding(self, wanted: Mapping[str, Any]) -> None:
        super().check_folding(wanted)
        if wanted.get("threshold_memory") in MULTIPLIED and not self.multiplies:
            raise PlanError(
                f"--folding: layer {self.name}: no multiplication gives the codes of its thresholds, or there are too "
                f"few: threshold_memory must be {' or '.join(MEMORIES)}"
            )

    def _code_units(
        self, node: Threshold, x: DataType, plan: LayerPlan, memory: str, *, final: bool
    ) -> Iterator[NamedUnit]:
        """The units that give the codes of `node` for numbers of the format `x`, whose thresholds lie in a
        `memory` or are a multiplication."""
        given = self.given(final=final)
        if memory in MULTIPLIED:
            assert self.scaled is not None
            unit = scale_unit(
                self.scaled, x, given, pe=plan.pe, nf=plan.nf, vectors=plan.side_by_side, memory="lut",
                multiplier=MULTIPLIED[memory],
            )  # fmt: skip
            yield "scale", replace(unit, memory=table_memory(plan.pe * unit.word * plan.nf))
            return
        yield from threshold_units(
            node, given, pe=plan.pe, nf=plan.nf, width=self.width, vectors=plan.side_by_side,
            memory=memory,
        )  # fmt: skip

    def _code_contents(
        self, node: Threshold, relative: NDArray[np.int64], plan: LayerPlan, memory: str, *, final: bool
    ) -> dict[str, Contents]:
        """What these units hold, by name: see `threshold_contents`."""
        if memory in MULTIPLIED:
            assert self.scaled is not None
            return {"scale": scale_contents(self.scaled, pe=plan.pe, nf=plan.nf)}
        return threshold_contents(node, relative, self.given(final=final), pe=plan.pe, nf=plan.nf)
