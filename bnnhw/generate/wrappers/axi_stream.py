"""Bus ``axi-stream``: AMBA AXI4-Stream of whole bytes, one packet per frame and one per result.

The signals and their rules are those of Arm's IHI 0051A, "AMBA 4 AXI4-Stream Protocol Specification".
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Cat, ClockDomain, DomainRenamer, Module, Mux, signed
from amaranth.hdl import Signal as Net
from amaranth.lib import wiring
from numpy.typing import NDArray

from bnnhw.dataflow import Network, Plan
from bnnhw.generate.accelerator import Accelerator
from bnnhw.generate.wrappers.base import Beat, Channel, Signal, StreamBus, counted, lanes_of, packed, placed
from bnnhw.generate.wrappers.stream import members

# Of `aclk`: a domain around the wrapper must not have the same name.
DOMAIN = "bnnhw_axis"


class AxiStream(StreamBus):
    """A beat of the accelerator to a transfer: elements of a frame stay packed, integers are whole bytes.

    Members
    -------
    input_bytes, output_bytes : int
        Of a transfer.
    integer_bytes : int
        Of an integer of the result: 1, 2 or 4, so that a result in memory is an array of C.
    """

    name: ClassVar[str] = "axi-stream"
    clock: ClassVar[Signal] = Signal("aclk", 1, "input", "clock, rising edge")
    reset: ClassVar[Signal] = Signal("aresetn", 1, "input", "synchronous reset, active low")
    reset_active: ClassVar[int] = 0

    @property
    def input_bytes(self) -> int:
        return -(-self.ports.input.fields["data"] // 8)

    @property
    def integer_bytes(self) -> int:
        return next(count for count in (1, 2, 4) if self.ports.output.width <= 8 * count)

    @property
    def output_bytes(self) -> int:
        return self.integer_bytes * self.ports.output.lanes

    @property
    def input(self) -> Channel:
        return Channel(
            Signal("s_axis_tvalid", 1, "input", "a transfer is offered"),
            Signal("s_axis_tready", 1, "output", "it is taken at the next edge"),
            (
                Signal("s_axis_tdata", 8 * self.input_bytes, "input", "elements of the frame, first in the low bits"),
                Signal("s_axis_tkeep", self.input_bytes, "input", "which bytes of it are part of the frame"),
                Signal("s_axis_tlast", 1, "input", "the frame's last transfer"),
            ),
        )

    @property
    def output(self) -> Channel:
        label = self.ports.output.fields["label"]
        return Channel(
            Signal("m_axis_tvalid", 1, "output", "a transfer is offered"),
            Signal("m_axis_tready", 1, "input", "it is taken at the next edge"),
            (
                Signal("m_axis_tdata", 8 * self.output_bytes, "output", "integers of the last layer, sign-extended"),
                Signal("m_axis_tkeep", self.output_bytes, "output", "which bytes of it are part of the result"),
                Signal(
                    "m_axis_tuser",
                    label + 1,
                    "output",
                    f"with `m_axis_tlast`: bits {label - 1}:0 the class, bit {label} that the frame was damaged",
                ),
                Signal("m_axis_tlast", 1, "output", "the result's last transfer"),
            ),
        )

    @property
    def tail_bytes(self) -> int:
        """Bytes of the last transfer of a frame that hold elements."""
        port = self.ports.input
        return -(-port.tail_lanes * port.dtype.bits // 8)

    def sent(self, values: NDArray[np.integer]) -> list[list[int]]:
        full, tail = (1 << self.input_bytes) - 1, (1 << self.tail_bytes) - 1
        return [
            [*(self.input.word(data, full, 0) for data in frame[:-1]), self.input.word(frame[-1], tail, 1)]
            for frame in self.ports.input.pack(values)
        ]

    def answered(self, integers: NDArray[np.integer], label: int, *, error: bool = False) -> list[Beat]:
        port, size, beats = self.ports.output, self.integer_bytes, []
        rows = lanes_of(integers, port.lanes)
        bits = port.fields["label"]
        for k, row in enumerate(rows):
            last = k == len(rows) - 1
            keep = (1 << size * len(row)) - 1
            user = (label | error << bits) if last else 0
            word = self.output.word(packed(row, 8 * size), keep, user, last)
            seen = 0 if error else (1 << 8 * size * len(row)) - 1
            user_seen = (1 << bits | (0 if error else (1 << bits) - 1)) if last else 0
            beats.append(Beat(word, self.output.word(seen, (1 << self.output_bytes) - 1, user_seen, 1)))
        return beats

    @property
    def frame_layout(self) -> str:
        port, bits = self.ports.input, self.ports.input.dtype.bits
        dense = port.lanes * bits == 8 * self.input_bytes
        of = counted(bits, "bit")
        memory = (
            f"in memory a frame is the string of its codes, {of} each, from the low bit of byte 0 on, without gaps"
            if dense
            else f"in memory each group of {counted(port.lanes, 'element')} begins at a new byte"
        )
        return (
            f"A frame is a packet of {counted(port.beats, 'transfer')} of {counted(self.input_bytes, 'byte')}; its "
            f"last one needs only {self.tail_bytes}. Transfer `b` carries "
            f"{placed('element', port.lanes, bits, 's_axis_tdata')}; bits above, and those past element "
            f"{port.elements - 1}, are ignored. So {memory}."
            + "\n\nAll bytes of `s_axis_tkeep` must be set but in the last transfer, where those that hold elements "
            "must be. A frame with other bytes left out, or of another length, is damaged: it is answered with the "
            "error bit of `m_axis_tuser`, and the frames after it are not touched."
        )

    @property
    def result_layout(self) -> str:
        port = self.ports.output
        return (
            f"A result is a packet of {counted(port.beats, 'transfer')}: {counted(port.elements, 'integer')} of "
            f"{counted(self.integer_bytes, 'byte')}, little-endian, sign-extended, which in memory is an array "
            f"`int{8 * self.integer_bytes}_t[{port.elements}]`. `m_axis_tkeep` marks the bytes of integers. "
            "`m_axis_tuser` counts with `m_axis_tlast`."
        )


class AxiStreamWrapper(wiring.Component):
    """The accelerator with the signals of `AxiStream`.

    Timing
    ------
    Combinational: latency and interval are those of the accelerator. A damaged frame may take a cycle more.
    """

    def __init__(self, plan: Plan, network: Network) -> None:
        self._accelerator: Any = Accelerator(plan, network)
        self.bus = AxiStream(self._accelerator.ports)
        super().__init__(members(self.bus.signals))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains += (domain := ClockDomain(DOMAIN, local=True))
        m.d.comb += [domain.clk.eq(self.aclk), domain.rst.eq(~self.aresetn)]
        m.submodules.accelerator = DomainRenamer(DOMAIN)(self._accelerator)
        self._take(m)
        self._give(m)
        return m

    def _take(self, m: Module) -> None:
        """Transfers as beats. A frame with bytes left out gets a wrong length, which is how the accelerator finds
        damage: its last beat goes twice where it would be in its place."""
        bus, i = self.bus, self._accelerator.i
        last = self.s_axis_tlast
        beats = self._accelerator.ports.input.beats
        # Beats of the frame that have gone, and all that are one too many.
        beat = Net(range(beats + 1))
        incomplete, damaged, again, repeat = Net(), Net(), Net(), Net()
        every = (1 << bus.input_bytes) - 1
        optional = Mux(last, every & ~((1 << bus.tail_bytes) - 1), 0)
        m.d.comb += [
            incomplete.eq(~(self.s_axis_tkeep | optional).all()),
            repeat.eq(last & (damaged | incomplete) & (beat == beats - 1) & ~again),
            i.payload.data.eq(self.s_axis_tdata),
            i.payload.last.eq(last & ~repeat),
            i.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(i.ready & ~repeat),
        ]
        with m.If(i.valid & i.ready):
            m.d[DOMAIN] += again.eq(repeat)
            with m.If(~repeat):
                m.d[DOMAIN] += damaged.eq((damaged | incomplete) & ~last)
                with m.If(last):
                    m.d[DOMAIN] += beat.eq(0)
                with m.Elif(beat != beats):
                    m.d[DOMAIN] += beat.eq(beat + 1)

    def _give(self, m: Module) -> None:
        """Beats of results as transfers of whole bytes."""
        bus, o = self.bus, self._accelerator.o
        port, size = bus.ports.output, bus.integer_bytes
        data = o.payload.data
        integers = [data] if port.lanes == 1 else [data[k] for k in range(port.lanes)]
        wide = [Net(signed(8 * size), name=f"integer{k}") for k in range(port.lanes)]
        kept = (1 << size * port.tail_lanes) - 1
        every = (1 << bus.output_bytes) - 1
        m.d.comb += [
            *(net.eq(integer) for net, integer in zip(wide, integers, strict=True)),
            self.m_axis_tdata.eq(Cat(*wide)),
            self.m_axis_tkeep.eq(every),
            self.m_axis_tuser.eq(Cat(o.payload.label, o.payload.error)),
            self.m_axis_tlast.eq(o.payload.last),
            self.m_axis_tvalid.eq(o.valid),
            o.ready.eq(self.m_axis_tready),
        ]
        with m.If(o.payload.last):
            m.d.comb += self.m_axis_tkeep.eq(kept)
