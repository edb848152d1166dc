"""Matrix: a matrix-vector product with the thresholds after it, on the input vector or on each window of a map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import Any

from bnnhw.arithmetic.adder_graphs import Netlist
from bnnhw.dataflow.layers.base import LOGIC, MEMORIES, LayerPlan, NamedUnit, Section
from bnnhw.dataflow.layers.matrix_contents import (
    constant_netlist,
    element_order,
    matrix_contents,
)
from bnnhw.dataflow.layers.matrix_foldings import matrix_foldings
from bnnhw.dataflow.layers.matrix_plan import MatrixPlan
from bnnhw.dataflow.layers.thresholded import threshold_cycles_of, threshold_memories
from bnnhw.dataflow.layers.weighted import WeightedLayer
from bnnhw.dataflow.layers.window import sliding_window
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import Dense
from bnnhw.units import (
    ConstantMatrixUnit,
    Contents,
    FrameGather,
    FrameScatter,
    VectorBuffer,
    VectorScatter,
    WidthConverter,
)
from bnnhw.units.memories import written_kind
from bnnhw.units.stream_fifo import skid_buffer


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixLayer(WeightedLayer):
    """A matrix-vector product with the thresholds after it, on the input vector or on each window of a map."""

    plan_type = MatrixPlan
    nodes = (Dense,)
    loads = True

    @property
    def mw(self) -> int:
        return int(self.node.weight.shape[1])

    @property
    def framed(self) -> bool:
        return self.vectors == 1

    @cached_property
    def netlist(self) -> Netlist:
        """The matrix folded into adders. It takes seconds to find."""
        return constant_netlist(self.node.weight, self.input, self._cuts, self.divisor)

    def unfolded(self) -> MatrixPlan:
        return MatrixPlan(**self._given(), batch=1, lanes=1 if self.windowed else 0, window_rows=1)

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

    def sections(self, plan: LayerPlan, family: str) -> tuple[Section, ...]:
        assert isinstance(plan, MatrixPlan)
        windows = Section(self._windows, (plan.simd, plan.lanes, plan.window_rows), {"window_memory": MEMORIES})
        memories = self.memories(plan)
        if memories["weight_memory"] == (LOGIC,) and self._constant(plan, family).prefers_lut_ram:
            memories = {**memories, "buffer_memory": ("lut",)}
        multiplied = Section(self._multiplied, (plan.pe, plan.simd, plan.batch), memories)
        return (windows, multiplied) if self.windowed else (multiplied,)

    def memories(self, plan: LayerPlan) -> Mapping[str, tuple[str, ...]]:
        """Of what multiplies and of the thresholds."""
        assert isinstance(plan, MatrixPlan)
        choices: dict[str, tuple[str, ...]] = {"weight_memory": MEMORIES}
        if plan.nf * plan.sf == plan.batch == 1:
            # Each weight has a multiplier of its own: it becomes part of it, and is not read from anywhere.
            choices = {"weight_memory": (LOGIC,), "buffer_memory": MEMORIES}
        if kinds := threshold_memories(self.thresholds, plan.nf, scaled=self.multiplies):
            choices["threshold_memory"] = kinds  # where starting values lie as well
        return choices

    def within(self, plan: LayerPlan, interval: int) -> bool:
        assert isinstance(plan, MatrixPlan)
        searches = self.vectors * plan.nf * threshold_cycles_of(self.thresholds, plan.threshold_memory)
        if plan.cycles > interval or searches > plan.frames * interval:
            return False
        # The width converter between the window and the PEs.
        return not plan.lanes or self.vectors * -(-self.mw // gcd(plan.window_lanes, plan.simd)) <= interval

    def fits(self, plan: LayerPlan) -> bool:
        assert isinstance(plan, MatrixPlan)
        if not super().fits(plan):
            return False
        if self.window is None:
            return (plan.lanes, plan.window_rows) == (0, 1)
        rows, channels = self.window.geometry.kernel[0], self.i_shapes[0][-1]
        return plan.window_rows in (1, rows) and plan.lanes > 0 and channels % plan.lanes == 0

    def completed(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"pe": self.mh, "simd": self.mw, **wanted} if wanted.get("weight_memory") == LOGIC else wanted

    def check_folding(self, wanted: Mapping[str, Any]) -> None:
        super().check_folding(wanted)
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

    def _windows(self, plan: LayerPlan, family: str) -> Iterator[NamedUnit]:
        assert isinstance(plan, MatrixPlan)
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

    def _multiplied(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        assert isinstance(plan, MatrixPlan)
        if plan.weight_memory == LOGIC:
            yield "mvu", self._constant(plan, family)
        else:
            yield "mvu", self._folded(plan, family, vectors=plan.batch)
        yield from self._thresholded(plan, final=final)

    def _held_after(self, plan: MatrixPlan, family: str, *, closes: int, final: bool) -> Iterator[NamedUnit]:
        width, kind = plan.pe * self.given(final=final).bits, written_kind(plan.buffer_memory, family)
        if plan.frames > 1:
            if closes:
                # In each layer a group is being computed; others wait at the ends.
                yield "scatter", FrameScatter(width, plan.nf, plan.frames, closes + 3, kind)
                # The stall of a width converter does not reach through it to the counters of the scatter.
                yield "scatter_skid", skid_buffer(width)
        elif plan.batch > 1:
            yield "scatter", VectorScatter(width, plan.nf, plan.batch, self.vectors, kind)

    def _constant(self, plan: MatrixPlan, family: str) -> ConstantMatrixUnit:
        return ConstantMatrixUnit(
            netlist=self.netlist,
            input_dtype=self.input,
            width=self.width,
            # The element that is each column's, where the table has the column that is each element's.
            order=tuple(element_order(self.mw, self._geometry, plan).argsort().tolist()),
            lanes=self.mw,
            levels=plan.popcount_levels,
            registered=True,
            kind=written_kind(plan.buffer_memory, family),
            family=family,
            signs=self.thresholds == 1,
        )

    # ---- contents ------------------------------------------------------------------------------

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        assert isinstance(plan, MatrixPlan)
        found: dict[str, Contents] = {}
        if plan.weight_memory != LOGIC:
            columns = self.node.weight[:, element_order(self.mw, self._geometry, plan)]
            found["mvu"] = matrix_contents(columns, self.product, self._cuts, self.divisor, plan, family)
        return found | self._threshold_contents(plan, final=final)
