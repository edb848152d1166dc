"""A simulated board: a link with a small stand-in for the accelerator, behind a port that the host's driver takes."""

from collections import deque

from amaranth.hdl import DomainRenamer, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.link.board_link import BoardLink
from bnnhw.gateware.loading.image_loader import ImageLoader
from bnnhw.line import BASE_BAUD
from bnnhw.memory_image import head
from tests.gateware.bench import add_clock

CLOCK_MHZ = 4.0  # the slowest there is: short simulations
BIT = 1 / BASE_BAUD
DIGEST = b"a digest"
SHAPE = {"input_elements": 21, "input_bits": 1, "input_simd": 5, "output_elements": 3, "output_width": 9}
# Room for four frames of this shape: four requests of one each.
SINGLE = {"buffer_bytes": 16}
LOADED_WORDS = 20


class Summing(wiring.Component):
    """Stands in for the accelerator: element j of the result is the sum of the frame's codes minus 9 j.

    The label is the number of beats modulo 4, the error flag says that the frame's first code was odd. While `hang` is
    high it does not take frames.
    """

    def __init__(self, link):
        shape = link.identity
        self._lanes, self._bits, self._elements = shape.input_lanes, shape.input_bits, shape.output_elements
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(self._lanes * self._bits))),
                "o": Out(stream.Signature(link.i.payload.shape())),
                "hang": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        total, beats, index, sending, odd = Signal(20), Signal(2), Signal(8), Signal(), Signal()
        first = Signal(init=1)
        m.d.comb += [
            self.i.ready.eq(~sending & ~self.hang),
            self.o.valid.eq(sending),
            self.o.payload.data.eq(total - 9 * index),
            self.o.payload.last.eq(index == self._elements - 1),
            self.o.payload.label.eq(beats),
            self.o.payload.error.eq(odd),
        ]
        with m.If(self.i.valid & self.i.ready):
            lanes = [self.i.payload.data.word_select(k, self._bits) for k in range(self._lanes)]
            m.d.sync += [
                total.eq(total + sum(lanes)),
                beats.eq(beats + 1),
                sending.eq(self.i.payload.last),
                first.eq(0),
            ]
            with m.If(first):
                m.d.sync += odd.eq(lanes[0][0])
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += index.eq(index + 1)
            with m.If(self.o.payload.last):
                m.d.sync += [total.eq(0), beats.eq(0), index.eq(0), sending.eq(0), first.eq(1)]
        return m


class SimulatedBoard:
    """A port (see `bnnhw.host.Port`) to a link in the simulator; `timeout` counts simulated seconds.

    Parameters
    ----------
    clk_mhz : float
        Clock of the link.
    accel_mhz : float or None
        Clock of the accelerator, if it has one of its own.
    skew : float
        By how much the host's bits are longer than the board's.
    shape : int
        Parameters of `BoardLink` other than those of SHAPE. With `loads`, its images go to an `ImageLoader` of
        `LOADED_WORDS` words.
    """

    def __init__(self, *, clk_mhz=CLOCK_MHZ, accel_mhz=None, skew=0.0, **shape):
        shape = SHAPE | SINGLE | shape
        self.link = BoardLink(
            clk_hz=clk_mhz * 1e6,
            digest=DIGEST,
            cross_domain=accel_mhz is not None,
            **shape,
        )
        self.timeout = 300e-6
        self.baudrate = BASE_BAUD
        self.hang = Signal()
        self._skew = skew
        self._sending = deque()  # bits
        self._received = bytearray()
        self.broken = 0  # bytes of the board without a stop bit
        self._seconds = 0.0

        accelerator = Summing(self.link)
        top = Module()
        top.submodules.link = self.link
        top.submodules.accelerator = DomainRenamer("accel" if accel_mhz else "sync")(accelerator)
        wiring.connect(top, self.link.o, accelerator.i)
        wiring.connect(top, accelerator.o, self.link.i)
        top.d.comb += accelerator.hang.eq(self.hang)
        self.loading = Signal()  # from a flash
        if shape.get("loads"):
            top.submodules.loader = self.loader = loader = ImageLoader(head(DIGEST), LOADED_WORDS, LOADED_WORDS)
            wiring.connect(top, self.link.load, loader.i)
            top.d.comb += [self.link.loaded.eq(loader.loaded), self.link.loading.eq(self.loading)]
        self.simulator = Simulator(top)
        add_clock(self.simulator, clk_mhz)
        if accel_mhz:
            add_clock(self.simulator, accel_mhz, "accel", phase=1e-9)
        self._hang_next = self._loading_next = 0
        self.simulator.add_testbench(self._drive, background=True)
        self.simulator.add_testbench(self._listen, background=True)

    @property
    def _bit(self):
        return (1 + self._skew) / self.baudrate

    async def _drive(self, ctx):
        while True:
            ctx.set(self.link.rx, self._sending.popleft() if self._sending else 1)
            ctx.set(self.hang, self._hang_next)
            ctx.set(self.loading, self._loading_next)
            await ctx.delay(self._bit)

    async def _listen(self, ctx):
        while True:
            await ctx.negedge(self.link.tx)
            await ctx.delay(self._bit / 2)
            byte = 0
            for k in range(8):
                await ctx.delay(self._bit)
                byte |= ctx.get(self.link.tx) << k
            await ctx.delay(self._bit)
            self.broken += not ctx.get(self.link.tx)
            self._received.append(byte)

    def run(self, seconds):
        self._seconds += seconds
        self.simulator.run_until(self._seconds)

    def set_hang(self, hang):
        self._hang_next = int(hang)

    def set_loading(self, loading):
        self._loading_next = int(loading)

    @property
    def in_waiting(self):
        return len(self._received)

    def read(self, size=1):
        deadline = self._seconds + self.timeout + len(self._sending) * self._bit
        while len(self._received) < size and self._seconds < deadline:
            self.run(10 * BIT)
        received, self._received = bytes(self._received[:size]), self._received[size:]
        return received

    def write(self, content):
        for byte in content:
            self.write_bits(0, *((byte >> k) & 1 for k in range(8)), 1)
        return len(content)

    def write_bits(self, *bits):
        """Puts bits on the line as they are."""
        self._sending.extend(bits)

    def read_all(self):
        """Whatever comes until the board is silent for `timeout`."""
        received = b""
        while more := self.read(1):
            received += more + self.read(self.in_waiting)
        return received


def expected(codes, elements):
    """Integers, label and error of `Summing` for frames of codes (N, MW), with 5 lanes to a beat."""
    sums = codes.astype(int).sum(axis=1)
    integers = [[int(s) - 9 * j for j in range(elements)] for s in sums]
    label = -(-codes.shape[1] // 5) % 4
    return integers, [label] * len(codes), [bool(c & 1) for c in codes[:, 0]]
