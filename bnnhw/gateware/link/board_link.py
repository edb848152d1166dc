"""The accelerator's way out: packets over a UART, and the crossing into the accelerator's clock domain."""

from amaranth.hdl import DomainRenamer, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.frame_layout import frame_layout, result_layout
from bnnhw.gateware.link.answer import answer_layout, short_status
from bnnhw.gateware.link.answer_sender import AnswerSender
from bnnhw.gateware.link.crossing import Crossing
from bnnhw.gateware.link.frame_buffer import FrameBuffer
from bnnhw.gateware.link.line_rate import LineRate
from bnnhw.gateware.link.request_receiver import RequestReceiver
from bnnhw.gateware.link.uart import UARTReceiver, UARTTransmitter
from bnnhw.gateware.loading.image_loader import IMAGE_BYTE
from bnnhw.gateware.streams.shift_queue import ShiftQueue
from bnnhw.gateware.streams.width_converter import WidthConverter
from bnnhw.line import rates_of
from bnnhw.packets import MAX_PAYLOAD, RESULT_TRAILER, Identity, Status

MAX_DEPTH = 4
"""Requests that wait: while one is received, another is computed and a third answered."""

MAX_BLOCK = 16
"""Frames of a request: more would gain nothing against its header."""


class BoardLink(wiring.Component):
    """Feeds the accelerator from a serial line, and sends back its results: see ``docs/link.md``.

    Requests are stored and checked before anything of them reaches the accelerator; the next one is received while it
    computes. Answers come in the order of the requests. The link itself is clocked by `sync`; with `cross_domain` the
    streams of the accelerator are clocked by `accel`, which must be reset together with `sync`.

    Parameters
    ----------
    clk_hz : int or float
        Frequency of `sync`.
    fast_baud : int or None
        Bits per second to which the line can go from `BASE_BAUD`; None for none.
    digest : bytes
        8 bytes that identify the model.
    input_elements, input_bits, input_simd : int
        Elements of a frame, bits of each, elements per beat of `o`.
    output_elements, output_width : int
        Elements of a result, bits of each.
    cross_domain : bool
        Whether the accelerator has a clock domain of its own, `accel`.
    buffer_bytes : int
        Block RAM to spend on frames that wait: room for a power of two of them if they fit, else for two, whatever that
        takes. Up to four are requests of one frame each; with room for more, requests come in blocks of frames.
    loads : bool
        Whether the accelerator has memories to load.

    Attributes
    ----------
    identity : Identity
        What the link answers to IDENTIFY.
    frames_per_second : float
        What the line can carry in both directions at once, at its fastest, in blocks; escapes not counted.

    Members
    -------
    rx : In(1), tx : Out(1)
        The line. `rx` need not be synchronised.
    o : Out(stream), payload ``{data: input_simd * input_bits, last: 1}``
        Frames for the accelerator. The tail of the last beat holds zeros, as long as the host sent zeros.
    i : In(stream), payload `result_layout`
        Results of the accelerator.
    busy : Out(1)
        A request is on its way in or waits for its answer.
    activity : Out(1)
        Changes with every answer.
    error : Out(1)
        The last request was refused.
    loaded, loading, load
        Only with `loads`; see `RequestReceiver`.

    Timing
    ------
    A frame goes to `o` once the checksum of its packet was right, one byte per 2 cycles, or per 4 to 5 cycles of `sync`
    and of `accel` each across domains. Frames come in as fast as the line carries them. A stall of `o` fills the
    buffer; requests that come then are not answered. `i` is taken at the speed of the line.

    Raises
    ------
    ValueError
        If `clk_hz` does not give the line's rates, the digest does not have 8 bytes, or a number does not fit the
        protocol.
    """

    def __init__(
        self,
        *,
        clk_hz,
        fast_baud=None,
        digest,
        input_elements,
        input_bits,
        input_simd,
        output_elements,
        output_width,
        cross_domain=True,
        buffer_bytes=512,
        loads=False,
    ):
        self._clk_hz = clk_hz
        self._divider = rates_of(clk_hz, fast_baud)
        frame_bytes = -(-input_elements * input_bits // 8)
        output_bytes = -(-output_width // 8)
        self._slots = max(2, buffer_bytes >> ceil_log2(frame_bytes))
        depth = min(MAX_DEPTH, self._slots)
        block = min(MAX_BLOCK, self._slots // depth)
        result_bytes = output_elements * output_bytes + RESULT_TRAILER.size
        while block > 1 and block * max(frame_bytes, result_bytes) > MAX_PAYLOAD:
            block //= 2
        self._slots = depth * block
        self.identity = Identity(
            digest=digest,
            input_elements=input_elements,
            input_bits=input_bits,
            input_lanes=input_simd,
            output_elements=output_elements,
            output_bytes=output_bytes,
            depth=depth,
            block=block,
            fast_baud=fast_baud or 0,
        )
        self.identity.pack()  # raises where something does not fit
        baud = clk_hz * self._divider.steps[-1] / self._divider.period
        self.frames_per_second = self.identity.frames_per_second(baud)
        self._output_width = output_width
        self._cross_domain = cross_domain
        self._loads = loads
        image = stream.Signature(IMAGE_BYTE, always_ready=True)
        loading = {"loaded": In(1), "loading": In(1), "load": Out(image)} if loads else {}
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "o": Out(stream.Signature(frame_layout(input_simd * input_bits))),
                "i": In(stream.Signature(result_layout(output_width, output_elements))),
                "busy": Out(1),
                "activity": Out(1),
                "error": Out(1),
                **loading,
            }
        )

    def elaborate(self, platform):
        m = Module()
        identity = self.identity
        has_fast = bool(identity.fast_baud)
        m.submodules.uart_rx = uart_rx = UARTReceiver(self._divider)
        m.submodules.uart_tx = uart_tx = UARTTransmitter(self._divider)
        m.submodules.receiver = receiver = RequestReceiver(
            identity.frame_bytes, block=identity.block, fast=has_fast, loads=self._loads
        )
        m.submodules.buffer = buffer = FrameBuffer(identity.frame_bytes, self._slots)
        m.submodules.queue = queue = ShiftQueue(answer_layout(loads=self._loads), identity.depth)
        m.submodules.sender = sender = AnswerSender(identity, self._output_width, loads=self._loads)
        bits, beat = identity.input_elements * identity.input_bits, identity.input_lanes * identity.input_bits
        if bits == beat:  # a frame is a beat: as it has whole bytes, so do its beats until the end
            bits = beat = 8 * identity.frame_bytes
        converter = WidthConverter(1, bits, 8, beat)

        wiring.connect(m, uart_rx.o, receiver.i)
        wiring.connect(m, queue.o, sender.answer)
        wiring.connect(m, sender.o, uart_tx.i)
        m.d.comb += [
            uart_rx.rx.eq(self.rx),
            self.tx.eq(uart_tx.tx),
            receiver.i_error.eq(uart_rx.error),
            # Every request that waits has a place in the queue, so there are never more frames than slots.
            receiver.room.eq(queue.i.ready),
            queue.i.valid.eq(receiver.finish),
            queue.i.payload.eq(receiver.answer),
            buffer.offset.eq(receiver.offset),
            buffer.data.eq(receiver.data),
            buffer.write.eq(receiver.write),
            buffer.begin.eq(receiver.begin),
            buffer.commit.eq(receiver.commit),
        ]
        if has_fast:
            m.submodules.rate = rate = LineRate(self._divider.period / self._divider.steps[0])
            m.d.comb += [
                rate.line.eq(uart_rx.line),
                rate.goes_fast.eq(sender.goes_fast),
                rate.idle.eq(uart_tx.i.ready),
                uart_rx.fast.eq(rate.fast),
                uart_tx.fast.eq(rate.fast),
            ]

        if self._cross_domain:
            m.submodules.inward = inward = Crossing(frame_layout(8), i_domain="sync", o_domain="accel")
            m.submodules.outward = outward = Crossing(self.i.payload.shape(), i_domain="accel", o_domain="sync")
            m.submodules.converter = DomainRenamer("accel")(converter)
            wiring.connect(m, buffer.o, inward.i)
            wiring.connect(m, inward.o, converter.i)
            wiring.connect(m, wiring.flipped(self.i), outward.i)
            wiring.connect(m, outward.o, sender.result)
        else:
            m.submodules.converter = converter
            wiring.connect(m, buffer.o, converter.i)
            wiring.connect(m, wiring.flipped(self.i), sender.result)
        m.d.comb += [
            self.o.valid.eq(converter.o.valid),
            self.o.payload.data.eq(converter.o.payload.data[: len(self.o.payload.data)]),
            self.o.payload.last.eq(converter.o.payload.last),
            converter.o.ready.eq(self.o.ready),
        ]

        m.d.comb += self.busy.eq(receiver.receiving | queue.o.valid)
        with m.If(queue.o.valid & queue.o.ready):
            m.d.sync += self.activity.eq(~self.activity)
        refusals = [Status.BAD_CHECKSUM, Status.BAD_LENGTH, Status.UNKNOWN_KIND]
        if self._loads:
            refusals += [Status.LOADING, Status.NOT_LOADED]
            m.d.comb += [receiver.loaded.eq(self.loaded), receiver.loading.eq(self.loading)]
            wiring.connect(m, receiver.load, wiring.flipped(self.load))
        with m.If(receiver.finish):
            m.d.sync += self.error.eq(receiver.answer.status.matches(*map(short_status, refusals)))
        return m
