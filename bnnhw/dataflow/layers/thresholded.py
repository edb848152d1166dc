"""Layers that end in thresholds: the units that count them, or multiply in their place, and what these hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import SMALL_TABLE
from bnnhw.arithmetic.thresholds import MAX_PARALLEL_THRESHOLDS, threshold_cycles
from bnnhw.dataflow.layers.base import MEMORIES, MULTIPLIED, NamedUnit
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import Threshold
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


def check_stand_in(name: str, wanted: Mapping[str, Any], *, scaled: bool) -> None:
    """Refuses a multiplication where it gives other codes than the thresholds.

    Raises
    ------
    PlanError
        Naming the layer.
    """
    if wanted.get("threshold_memory") in MULTIPLIED and not scaled:
        raise PlanError(
            f"--folding: layer {name}: no multiplication gives the codes of its thresholds, or there are too few: "
            f"threshold_memory must be {' or '.join(MEMORIES)}"
        )
