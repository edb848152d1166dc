"""Matrix: a matrix-vector product with the thresholds after it, on the input vector or on each window of a map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.adder_graphs import Netlist
from bnnhw.arithmetic.formats import DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.thresholds import (
    FoldedThresholds,
    fold_thresholds,
    total_width,
)
from bnnhw.dataflow.layers.base import LOGIC, MEMORIES, MULTIPLIED, Layer, LayerPlan, NamedUnit
from bnnhw.dataflow.layers.matrix_contents import (
    constant_netlist,
    element_order,
    matrix_contents,
)
from bnnhw.dataflow.layers.matrix_foldings import matrix_foldings
from bnnhw.dataflow.layers.matrix_plan import MatrixPlan
from bnnhw.dataflow.layers.scaled import scale_contents, scale_unit, stand_in
from bnnhw.dataflow.layers.thresholded import (
    check_stand_in,
    threshold_contents,
    threshold_cycles_of,
    threshold_memories,
    threshold_unit,
)
from bnnhw.dataflow.layers.window import sliding_window
from bnnhw.errors import PlanError
from bnnhw.ir.bounds import reach
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import Dense, Scale, Threshold, Window
from bnnhw.units import (
    ConstantMatrixUnit,
    Contents,
    FrameGather,
    FrameScatter,
    MatrixVectorUnit,
    StreamFifo,
    VectorBuffer,
    VectorScatter,
    WidthConverter,
)
from bnnhw.units.memories import written_kind

# Adders between the registers of a popcount. Two levels of carry chains are about what the rest of a PE, an
# accumulator, takes.
POPCOUNT_LEVELS = 2
# So many lanes freeze together when their sums have to wait. That takes most of a cycle, so whether they do must not
# depend on what stands behind, unit after unit: registers tell, those of a skid buffer.
MANY_LANES = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixLayer(Layer):
    """A matrix-vector product with the thresholds after it, on the input vector or on each window of a map.

    Parameters
    ----------
    node
        The product.
    threshold
        What follows it; None where its sums go on as they are.
    window
        What makes the vectors; None where they come.
    """

    node: Dense
    threshold: Threshold | None
    window: Window | None

    plan_type = MatrixPlan
    nodes = (Dense,)

    @property
    def windowed(self) -> bool:  # type: ignore[override]
        return self.window is not None

    @property
    def dtype(self) -> DataType:
        # Sums are two's complement numbers, be none of them negative.
        return DataType("int", self.width) if self.threshold is None else self.threshold.dtype

    @property
    def mh(self) -> int:
        return int(self.node.weight.shape[0])

    @property
    def mw(self) -> int:
        return int(self.node.weight.shape[1])

    @property
    def weight(self) -> DataType:
        """Format of the weights."""
        return self.node.weight_dtype

    @property
    def product(self) -> Product:
        """How lanes are multiplied."""
        return Product(self.input, self.weight)

    @property
    def macs(self) -> int:
        return self.mh * self.mw * self.vectors

    @property
    def work(self) -> int:
        return self.macs

    @property
    def framed(self) -> bool:
        return self.vectors == 1

    @property
    def thresholds(self) -> int:
        """Thresholds per channel."""
        return 0 if self.threshold is None else int(self.threshold.thresholds.shape[1])

    @property
    def divisor(self) -> int:
        """What the weights of all counts have in common; sums that go on as they are stay whole."""
        return 1 if self.threshold is None else self.product.divisor

    @cached_property
    def reach(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lowest and highest accumulator of each channel, (MH,) each."""
        return reach(self.node.weight, self.input)

    @cached_property
    def width(self) -> int:
        """Bits of what the PEs accumulate: the accumulator, less its first threshold."""
        low, high = self.reach
        return total_width(low, high, self._cuts, self.divisor)

    @cached_property
    def scaled(self) -> Scale | None:
        """What may stand in for its thresholds, of what PEs accumulate."""
        if self.threshold is None:
            return None
        folded = self.folded()
        start = folded.constant - folded.divisor * folded.bias
        low, high = ((end - start) // folded.divisor for end in self.reach)
        return stand_in(self.threshold, folded.relative, low, high, np.ones(self.mh, np.int64))

    @property
    def multiplies(self) -> bool:
        return self.scaled is not None

    @property
    def _cuts(self) -> NDArray[np.int64] | None:
        return None if self.threshold is None else self.threshold.thresholds

    def folded(self) -> FoldedThresholds:
        """The thresholds, and what the sums of PEs start from."""
        return fold_thresholds(self._cuts, self.product.constant(self.node.weight, padding=0), self.divisor)

    @cached_property
    def fill(self) -> int:
        """Storage code outside the map."""
        value = 0 if self.window is None else self.window.fill
        return int(self.input.encode(value)) if self.input.contains(value) else 0

    @cached_property
    def netlist(self) -> Netlist:
        """The matrix folded into adders. It takes seconds to find."""
        return constant_netlist(self.node.weight, self.input, self._cuts, self.divisor)

    @property
    def _geometry(self) -> Geometry | None:
        return None if self.window is None else self.window.geometry

    def unfolded(self) -> MatrixPlan:
        return MatrixPlan(
            **{**self._given(), "output": "" if self.threshold is None else self.dtype.name},
            weight=self.weight.name,
            pe=1,
            simd=1,
            batch=1,
            lanes=1 if self.windowed else 0,
            window_rows=1,
            window_depth=0,
            weight_memory="block",
            buffer_memory="lut",
            threshold_memory="lut",
            window_memory="lut",
            weight_latency=1,
            popcount_levels=POPCOUNT_LEVELS,
        )

    # ---- what the search asks ------------------------------------------------------------------

    def batches(self, wanted: Mapping[str, Any], frames: tuple[int, ...], vectors: tuple[int, ...]) -> tuple[int, ...]:
        if "batch" in wanted:
            return (wanted["batch"],)
        if wanted.get("weight_memory") == LOGIC:
            return (1,)
        return frames if self.framed else vectors

    def foldings(self, interval: int, wanted: Mapping[str, Any], batch: int) -> Iterable[dict[str, Any]]:
        return matrix_foldings(
            self.mh, self.mw, self.i_shapes[0], self._geometry, interval, wanted, vectors=self.vectors, batch=batch
        )

    def memories(self, plan: LayerPlan, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        assert isinstance(plan, MatrixPlan)
        choices: dict[str, tuple[str, ...]] = {"weight_memory": MEMORIES}
        whole = plan.nf * plan.sf == plan.batch == 1
        if whole:
            # Each weight has a multiplier of its own: it becomes part of it, and is not read from anywhere.
            choices = {"weight_memory": (LOGIC,), "buffer_memory": MEMORIES}
        if kinds := threshold_memories(self.thresholds, plan.nf, scaled=self.multiplies):
            choices["threshold_memory"] = kinds  # where starting values lie as well
        if self.windowed:
            choices["window_memory"] = MEMORIES
        free = {key: some for key, some in choices.items() if key not in wanted}
        return [dict(zip(free, choice, strict=True)) for choice in product(*free.values())]

    def within(self, plan: LayerPlan, interval: int) -> bool:
        assert isinstance(plan, MatrixPlan)
        searches = self.vectors * plan.nf * threshold_cycles_of(self.thresholds, plan.threshold_memory)
        if plan.cycles > interval or searches > plan.frames * interval:
            return False
        # The width converter between the window and the PEs.
        return not plan.lanes or self.vectors * -(-self.mw // gcd(plan.window_lanes, plan.simd)) <= interval

    def fits(self, plan: LayerPlan) -> bool:
        assert isinstance(plan, MatrixPlan)
        if plan.threshold_memory in MULTIPLIED and not self.multiplies:
            return False
        if self.window is None:
            return (plan.lanes, plan.window_rows) == (0, 1)
        rows, channels = self.window.geometry.kernel[0], self.i_shapes[0][-1]
        return plan.window_rows in (1, rows) and plan.lanes > 0 and channels % plan.lanes == 0

    def check_folding(self, wanted: Mapping[str, Any]) -> None:
        super().check_folding(wanted)
        check_stand_in(self.name, wanted, scaled=self.multiplies)
        if self.window is not None and "window_rows" in wanted:
            possible = {1, self.window.geometry.kernel[0]}
            if wanted["window_rows"] not in possible:
                some = " or ".join(str(n) for n in sorted(possible))
                raise PlanError(
                    f"--folding: layer {self.name}: window_rows must be {some}, not {wanted['window_rows']!r}"
                )

    # ---- units ---------------------------------------------------------------------------------

    def units(
        self, plan: LayerPlan, family: str, *, opens: bool = True, closes: int = 1, final: bool = False
    ) -> Iterator[NamedUnit]:
        assert isinstance(plan, MatrixPlan)
        yield from self._windows(plan, family)
        yield from self._held_before(plan, family, opens=opens)
        yield from self._multiplied(plan, family, final=final)
        yield from self._held_after(plan, family, closes=closes, final=final)

    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        assert isinstance(plan, MatrixPlan)
        yield from self._windows(plan, family)
        yield from self._multiplied(plan, family, final=final)

    def outer_units(
        self, plan: LayerPlan, family: str, *, opens: bool = True, closes: int = 1, final: bool = False
    ) -> Iterator[NamedUnit]:
        assert isinstance(plan, MatrixPlan)
        yield from self._held_before(plan, family, opens=opens)
        yield from self._held_after(plan, family, closes=closes, final=final)

    def _windows(self, plan: MatrixPlan, family: str) -> Iterator[NamedUnit]:
        if self.window is None:
            return
        yield (
            "window",
            sliding_window(
                self.input, self.i_shapes[0], self.window.geometry, family, lanes=plan.lanes, fill=self.fill,
                tall=plan.window_rows > 1, depth=plan.window_depth, memory=plan.window_memory,
            ),
        )  # fmt: skip
        yield "window_lanes", WidthConverter(self.input.bits, self.mw, plan.window_lanes, plan.simd)

    def _held_before(self, plan: MatrixPlan, family: str, *, opens: bool) -> Iterator[NamedUnit]:
        width, kind = plan.simd * self.input.bits, written_kind(plan.buffer_memory, family)
        if plan.frames > 1 and opens:
            yield "gather", FrameGather(width, plan.sf, plan.nf, plan.frames, kind)
        elif plan.frames > 1 and plan.nf > 1:
            yield "buffer", VectorBuffer(width * plan.frames, plan.sf, plan.nf, 1, 1, kind)
        elif plan.frames == 1 and (plan.nf > 1 or plan.batch > 1):
            yield "buffer", VectorBuffer(width, plan.sf, plan.nf, plan.batch, self.vectors, kind)

    def _multiplied(self, plan: MatrixPlan, family: str, *, final: bool) -> Iterator[NamedUnit]:
        yield "mvu", self._constant(plan, family) if plan.weight_memory == LOGIC else self._folded(plan, family)
        if self.threshold is None:
            return
        given = self.given(final=final)
        if plan.threshold_memory in MULTIPLIED:
            assert self.scaled is not None
            yield (
                "scale",
                scale_unit(
                    self.scaled, DataType("int", max(2, self.width)), given, pe=plan.pe, nf=plan.nf,
                    vectors=plan.batch, memory="lut", multiplier=MULTIPLIED[plan.threshold_memory],
                ),
            )  # fmt: skip
        else:
            yield (
                "thresholds",
                threshold_unit(
                    self.threshold, given, pe=plan.pe, nf=plan.nf, width=self.width, vectors=plan.batch,
                    memory=plan.threshold_memory,
                ),
            )  # fmt: skip
        if plan.pe * plan.batch * plan.simd * self.product.terms >= MANY_LANES:
            yield "skid", StreamFifo(plan.pe * plan.batch * given.bits, 2, "registers")

    def _held_after(self, plan: MatrixPlan, family: str, *, closes: int, final: bool) -> Iterator[NamedUnit]:
        width, kind = plan.pe * self.given(final=final).bits, written_kind(plan.buffer_memory, family)
        if plan.frames > 1:
            if closes:
                # In each layer a group is being computed; others wait at the ends.
                yield "scatter", FrameScatter(width, plan.nf, plan.frames, closes + 3, kind)
        elif plan.batch > 1:
            yield "scatter", VectorScatter(width, plan.nf, plan.batch, self.vectors, kind)

    def _folded(self, plan: MatrixPlan, family: str) -> MatrixVectorUnit:
        return MatrixVectorUnit(
            pe=plan.pe,
            simd=plan.simd,
            sf=plan.sf,
            nf=plan.nf,
            input_dtype=self.input,
            weight_dtype=self.weight,
            width=self.width,
            divisor=self.divisor,
            levels=plan.popcount_levels,
            vectors=plan.batch,
            weight_memory=plan.weight_memory,
            # A single row is a constant, read by nobody.
            weight_latency=plan.weight_latency if plan.nf * plan.sf > 1 else 1,
            bias_memory="lut" if plan.threshold_memory in MULTIPLIED else plan.threshold_memory,
            # Not before thresholds that have registers; a single one has none.
            registered=self.thresholds <= 1,
            family=family,
            read_bits=self.width if self.threshold is None else 1,
        )

    def _constant(self, plan: MatrixPlan, family: str) -> ConstantMatrixUnit:
        return ConstantMatrixUnit(
            netlist=self.netlist,
            input_dtype=self.input,
            width=self.width,
            # The element that is each column's, where the table has the column that is each element's.
            order=tuple(element_order(self.mw, self._geometry, plan).argsort().tolist()),
            levels=plan.popcount_levels,
            kind=written_kind(plan.buffer_memory, family),
            family=family,
        )

    # ---- contents ------------------------------------------------------------------------------

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        assert isinstance(plan, MatrixPlan)
        found: dict[str, Contents] = {}
        if plan.weight_memory != LOGIC:
            columns = self.node.weight[:, element_order(self.mw, self._geometry, plan)]
            found["mvu"] = matrix_contents(columns, self.product, self._cuts, self.divisor, plan, family)
        if self.threshold is not None:
            given, relative = self.given(final=final), self.folded().relative
            if plan.threshold_memory in MULTIPLIED:
                assert self.scaled is not None
                found["scale"] = scale_contents(self.scaled, pe=plan.pe, nf=plan.nf)
            else:
                found["thresholds"] = threshold_contents(self.threshold, relative, given, pe=plan.pe, nf=plan.nf)
        return found
