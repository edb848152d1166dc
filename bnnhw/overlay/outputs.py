"""What becomes of a sum: codes by thresholds, or the bits of the integer itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import PlanError
from bnnhw.overlay.encoding import Encoding
from bnnhw.overlay.products import Product
from bnnhw.overlay.slots import PassBuilder
from bnnhw.overlay.store import Store

Array = NDArray[np.int64]

# Thresholds that all sums reach, and that none does.
ALWAYS, NEVER = -(1 << 40), 1 << 40


@dataclass(frozen=True, eq=False)
class Codes:
    """The value that a table has for the number of thresholds that a sum reaches.

    Each plane of the values is a bit that changes at some of the thresholds, and so begins as 0 and is turned round at
    these, one after the other: any table will do.

    Parameters
    ----------
    thresholds
        (channels, n) ascending.
    table
        (channels, n + 1), or (1, n + 1) where all channels have the same values.
    """

    thresholds: Array
    table: Array

    def levels(self, encoding: Encoding) -> list[list[Array]]:
        """For each plane, the thresholds (channels,) at which it changes, some of them `NEVER`."""
        planes = np.broadcast_to(
            encoding.bits(self.table), (encoding.planes, len(self.thresholds), self.table.shape[1])
        )
        every = np.concatenate([np.full((len(self.thresholds), 1), ALWAYS), self.thresholds], axis=1)
        found = []
        for bits in planes:
            changes = np.diff(bits.astype(np.int8), axis=1, prepend=0) != 0
            most = max(1, int(changes.sum(axis=1).max()))
            rows = np.full((len(every), most), NEVER)
            for row, (level, change) in enumerate(zip(every, changes, strict=True)):
                rows[row, : int(change.sum())] = level[change]
            found.append(list(rows.T))
        return found

    def emit(
        self, builder: PassBuilder, product: Product, store: Store, channels: NDArray[np.intp], where: str
    ) -> None:
        """The slots; `channels` (passes, rows) are those of the rows, -1 for none."""
        width = builder.shape.width
        # Sums wrap: only what is compared must be right, which is the sum less a level that it can reach.
        needed = int((product.high - product.low).max()).bit_length() + 1
        if needed > width:
            raise PlanError(
                f"layer {where}: sums of {needed} bits, and the engine's accumulators have {width}: use fewer bits for "
                f"its input, or an engine with wider ones"
            )
        builder.count(product.counts)
        for plane, levels in enumerate(self.levels(store.encoding)):
            of_rows = [np.where(channels < 0, NEVER, level[channels]) for level in levels]
            builder.toggles([product.reached(level) for level in of_rows], store.offset(plane, 0))


@dataclass(frozen=True)
class Integers:
    """The sum itself, as a binary number."""

    def emit(
        self, builder: PassBuilder, product: Product, store: Store, channels: NDArray[np.intp], where: str
    ) -> None:
        """The slots; see `Codes`."""
        planes, width = store.encoding.planes, builder.shape.width
        if planes + 1 > width:
            raise PlanError(
                f"layer {where}: integers of {planes} bits, and the engine's accumulators hold {width - 1} of them: "
                "use fewer bits for its input, or an engine with wider ones"
            )
        builder.count(product.counts)
        # Sums are twice the integer: as the lowest bit of the constant allows, it is added before some doublings.
        low = int(np.bitwise_or.reduce(product.constant, axis=None))
        early = min(product.unit, (low & -low).bit_length() - 1 if low else product.unit)
        for _ in range(product.unit - early):
            builder.double()
        builder.add(product.constant >> early)
        for _ in range(early + width - 1 - planes):
            builder.double()
        signed = store.encoding.dtype.kind == "int"
        builder.bits([store.offset(plane, 0) for plane in reversed(range(planes))], signed=signed)


Output = Codes | Integers
