"""Bus ``stream``: the accelerator's own two streams, field by field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from bnnhw.dataflow import Network, Plan
from bnnhw.generate.accelerator import Accelerator
from bnnhw.generate.wrappers.base import Beat, Channel, Signal, StreamBus, lanes_of, packed, placed


class Stream(StreamBus):
    """Handshakes with valid and ready, a beat of the accelerator to a beat of the bus."""

    name: ClassVar[str] = "stream"
    clock: ClassVar[Signal] = Signal("clk", 1, "input", "clock, rising edge")
    reset: ClassVar[Signal] = Signal("rst", 1, "input", "synchronous reset, active high")
    reset_active: ClassVar[int] = 1

    @property
    def input(self) -> Channel:
        fields = self.ports.input.fields
        return Channel(
            Signal("i_valid", 1, "input", "a beat is offered"),
            Signal("i_ready", 1, "output", "it is taken at the next edge"),
            (
                Signal("i_data", fields["data"], "input", "elements of the frame, the first in the low bits"),
                Signal("i_last", 1, "input", "the frame's last beat"),
            ),
        )

    @property
    def output(self) -> Channel:
        fields = self.ports.output.fields
        return Channel(
            Signal("o_valid", 1, "output", "a beat is offered"),
            Signal("o_ready", 1, "input", "it is taken at the next edge"),
            (
                Signal("o_data", fields["data"], "output", "integers of the last layer, the first in the low bits"),
                Signal("o_label", fields["label"], "output", "with `o_last`: the class"),
                Signal("o_error", fields["error"], "output", "with `o_last`: the frame was too short or too long"),
                Signal("o_last", 1, "output", "the result's last beat"),
            ),
        )

    def sent(self, values: NDArray[np.integer]) -> list[list[int]]:
        port = self.ports.input
        return [port.payloads(frame) for frame in port.pack(values)]

    def answered(self, integers: NDArray[np.integer], label: int, *, error: bool = False) -> list[Beat]:
        port, beats = self.ports.output, []
        rows = lanes_of(integers, port.lanes)
        for k, row in enumerate(rows):
            last = k == len(rows) - 1
            word = self.output.word(packed(row, port.width), label if last else 0, error and last, last)
            seen = 0 if error else (1 << len(row) * port.width) - 1
            every = (1 << port.fields["label"]) - 1
            beats.append(Beat(word, self.output.word(seen, every if last and not error else 0, last, 1)))
        return beats

    @property
    def frame_layout(self) -> str:
        port = self.ports.input
        where = placed("element", port.lanes, port.dtype.bits, "i_data")
        return f"Beat `b` carries {where}. Lanes past element {port.elements - 1} are ignored."

    @property
    def result_layout(self) -> str:
        port = self.ports.output
        where = placed("integer", port.lanes, port.width, "o_data")
        return (
            f"Beat `b` carries {where}. Lanes past integer {port.elements - 1} mean nothing, as do `o_label` and "
            "`o_error` without `o_last`."
        )


class StreamWrapper(wiring.Component):
    """The accelerator with the signals of `Stream`.

    Timing
    ------
    Wires: latency and interval are those of the accelerator.
    """

    def __init__(self, plan: Plan, network: Network) -> None:
        self._accelerator: Any = Accelerator(plan, network)
        self.bus = Stream(self._accelerator.ports)
        super().__init__(members((*self.bus.input.signals, *self.bus.output.signals)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = self._accelerator
        i, o = accelerator.i, accelerator.o
        m.d.comb += [
            i.payload.data.eq(self.i_data),
            i.payload.last.eq(self.i_last),
            i.valid.eq(self.i_valid),
            self.i_ready.eq(i.ready),
            self.o_data.eq(o.payload.data),
            self.o_label.eq(o.payload.label),
            self.o_error.eq(o.payload.error),
            self.o_last.eq(o.payload.last),
            self.o_valid.eq(o.valid),
            o.ready.eq(self.o_ready),
        ]
        return m


def members(signals: Iterable[Signal]) -> dict[str, Any]:
    """The members of a component with these `signals`."""
    return {s.name: (In if s.direction == "input" else Out)(s.bits) for s in signals}
