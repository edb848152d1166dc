"""What fills memories that the bitstream does not: the reader of the flash, the loader of images, and the banks."""

import random

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.sim import Simulator

from bnnhw import memory_image, units
from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.gateware.loading.flash_reader import WAKE_SECONDS, FlashReader
from bnnhw.gateware.loading.image_loader import ImageLoader
from bnnhw.gateware.memory import LoadedBank
from bnnhw.generate.circuits import circuit
from bnnhw.units.matrix_vector import MatrixContents
from tests.gateware.bench import add_clock, run_stream, stalls

DIGEST = bytes(range(8))
HEAD = memory_image.head(DIGEST)
WORDS = [0x1234, 0, 0xFFFF, 0xAB00, 7]
IMAGE = memory_image.image(DIGEST, WORDS)
CLK_HZ = 1e6


def load(content, least=5, most=5, *, gap=0, firsts=(0,)):
    """What a loader makes of bytes: the words, and in each cycle after a byte (begin, loaded, failed)."""
    dut = ImageLoader(HEAD, least, most)
    words, states = [], []

    async def bench(ctx):
        for k, byte in enumerate(content):
            ctx.set(dut.i.payload, {"data": byte, "first": k in firsts})
            ctx.set(dut.i.valid, 1)
            if ctx.get(dut.o.valid):
                words.append(ctx.get(dut.o.payload))
            begin = ctx.get(dut.begin)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            assert not ctx.get(dut.o.valid)
            states.append((begin, ctx.get(dut.loaded), ctx.get(dut.failed)))
            for _ in range(gap):
                await ctx.tick()
        await ctx.tick()
        states.append((0, ctx.get(dut.loaded), ctx.get(dut.failed)))

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    return words, states


@pytest.mark.parametrize("gap", [0, 3])
def test_a_whole_image_is_loaded(gap):
    words, states = load(IMAGE, gap=gap)
    assert words == WORDS
    assert states[0] == (1, 0, 0)
    assert all(state == (0, 0, 0) for state in states[1 : -1 - bool(gap)])
    assert states[-1] == (0, 1, 0), "2 cycles after the last byte"


def test_no_image_with_a_wrong_bit_is_loaded():
    damaged = []
    for place in range(8 * len(IMAGE)):
        content = bytearray(IMAGE)
        content[place // 8] ^= 1 << place % 8
        # A byte that nobody needs, for the verdict to come in.
        damaged.append(bytes(content) + b"\0")
    length = len(damaged[0])
    _, states = load(b"".join(damaged), firsts=range(0, len(damaged) * length, length))
    assert not any(loaded for _, loaded, _ in states)
    ends = states[length - 1 :: length][: len(damaged)]
    # One that says that it has more words than it has is refused for that, or waits for them.
    count = range(8 * len(HEAD), 8 * len(HEAD) + 24)
    assert all(failed for k, (_, _, failed) in enumerate(ends) if k not in count)


def test_a_wrong_head_is_refused_at_once():
    damaged = bytearray(IMAGE)
    damaged[3] ^= 1
    words, states = load(bytes(damaged))
    assert not words
    assert [failed for _, _, failed in states[:5]] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("least, most, right", [(5, 5, True), (4, 6, True), (1, 5, True), (6, 6, False), (1, 4, False)])
def test_the_number_of_words(least, most, right):
    assert load(IMAGE, least, most)[1][-1] == (0, right, not right)


@pytest.mark.parametrize("cut", [1, len(HEAD), len(HEAD) + 4, len(IMAGE) - 1])
def test_an_image_begins_again_wherever_another_one_broke_off(cut):
    words, states = load(IMAGE[:cut] + IMAGE, firsts=(0, cut))
    assert words[-5:] == WORDS
    assert states[cut][0] == 1
    assert states[-1] == (0, 1, 0)
    assert not any(loaded or failed for _, loaded, failed in states[:-1])


def test_what_follows_an_image_is_nothing():
    words, states = load(IMAGE + bytes(40))
    assert words == WORDS
    assert states[-1] == (0, 1, 0)


def test_another_image_unloads():
    _, states = load(IMAGE + IMAGE[:20], firsts=(0, len(IMAGE)))
    assert states[-1] == (0, 0, 0)


@pytest.mark.parametrize("head, words", [(b"", (1, 1)), (b"a", (0, 1)), (b"a", (2, 1)), (b"a", (1, 1 << 24))])
def test_loader_needs_possible_sizes(head, words):
    with pytest.raises(ValueError, match="an image needs a head and words, not"):
        ImageLoader(head, *words)


class Flash:
    """A flash that sleeps, with `content` from `address` on and ones elsewhere; `wake` cycles to wake."""

    def __init__(self, dut, content, address, wake):
        self._dut, self._content, self._address, self._wake = dut, content, address, wake
        self.commands = []

    async def run(self, ctx):
        bits, was, cycle, awake, hears = [], 0, 0, None, False
        async for _, _, select, clk, copi in ctx.tick().sample(self._dut.select, self._dut.clk, self._dut.copi):
            cycle += 1
            if not select:
                if bits:
                    self.commands.append((cycle, self._value(bits[:8]), len(bits)))
                    if self._value(bits) == 0xAB and len(bits) == 8:
                        awake = cycle
                bits = []
            elif clk and not was:
                if not bits:
                    hears = awake is not None and cycle - awake >= self._wake
                bits.append(copi)
            elif was and not clk and len(bits) >= 32 and hears:
                assert self._value(bits[:8]) == 0x03
                byte, bit = divmod(len(bits) - 32, 8)
                place = self._value(bits[8:32]) + byte - self._address
                found = self._content[place] if 0 <= place < len(self._content) else 0xFF
                ctx.set(self._dut.cipo, found >> (7 - bit) & 1)
            was = clk

    @staticmethod
    def _value(bits):
        return int("".join(map(str, bits)) or "0", 2)


def read(count, *, content=IMAGE, address=0x20000, stall=0.0, wake=30, stop_at=None):
    """The first `count` bytes of a flash as the reader gives them, with the cycles, `done`, and the flash's commands."""
    dut = FlashReader(address, CLK_HZ)
    flash = Flash(dut, content, address, wake)
    seen, done = [], []

    async def take(ctx):
        pauses = stalls(3, stall) if stall else [False]
        cycle = 0
        while len(seen) < count and cycle < 20_000:
            ctx.set(dut.o.ready, not pauses[cycle % len(pauses)])
            ctx.set(dut.stop, stop_at is not None and len(seen) >= stop_at)
            if ctx.get(dut.o.valid) and ctx.get(dut.o.ready):
                seen.append((ctx.get(dut.o.payload.data), ctx.get(dut.o.payload.first), cycle))
            if ctx.get(dut.done):
                done.append(cycle)
                if len(done) == 5:
                    return
            await ctx.tick()
            cycle += 1

    top = Module()
    top.submodules.dut = dut
    sim = Simulator(top)
    add_clock(sim, CLK_HZ / 1e6)
    sim.add_testbench(flash.run, background=True)
    sim.add_testbench(take)
    sim.run()
    return seen, done, flash.commands


@pytest.mark.parametrize("stall", [0.0, 0.5, 0.95])
def test_reader_gives_what_the_flash_holds(stall):
    seen, _, _ = read(len(IMAGE) + 2, stall=stall)
    assert bytes(byte for byte, _, _ in seen) == IMAGE + b"\xff\xff"
    assert [first for _, first, _ in seen] == [1] + [0] * (len(IMAGE) + 1)


def test_reader_timing():
    cycles = [cycle for _, _, cycle in read(6)[0]]
    assert cycles[0] == round(CLK_HZ * WAKE_SECONDS) + 98
    assert [b - a for a, b in zip(cycles, cycles[1:], strict=False)] == [17] * 5


def test_reader_wakes_the_flash_first():
    """A flash that is still asleep gives nothing, so the reader must wait for it."""
    assert bytes(byte for byte, _, _ in read(4, wake=49)[0]) == IMAGE[:4]
    assert bytes(byte for byte, _, _ in read(4, wake=60)[0]) != IMAGE[:4]


def test_reader_stops():
    seen, done, commands = read(9, stop_at=3)
    assert len(seen) == 4, "the byte that was on its way still comes"
    assert done
    assert [(command, bits) for _, command, bits in commands] == [(0xAB, 8), (0x03, 32 + 4 * 8)]


@pytest.mark.parametrize("address, clk_hz", [(-1, 1e6), (1 << 24, 1e6), (0, 0), (0, 100e6)])
def test_reader_needs_a_possible_flash(address, clk_hz):
    with pytest.raises(ValueError, match="cannot read a flash from"):
        FlashReader(address, clk_hz)


@pytest.mark.parametrize("width, depth", [(1, 1), (16, 3), (17, 5), (48, 4), (64, 2)])
def test_bank_gives_what_was_written(width, depth):
    dut = LoadedBank(width, depth)
    source = random.Random(width)
    rows = [source.getrandbits(width) for _ in range(depth)]
    cells = -(-width // 16)

    async def bench(ctx):
        for k, row in enumerate(rows):
            for cell in range(cells):
                ctx.set(dut.addr, k)
                ctx.set(dut.write, 1 << cell)
                ctx.set(dut.write_data, row >> 16 * cell & 0xFFFF)
                ctx.set(dut.en, source.randrange(2))
                await ctx.tick()
        ctx.set(dut.write, 0)
        for k in source.choices(range(depth), k=20):
            ctx.set(dut.addr, k)
            ctx.set(dut.en, 1)
            await ctx.tick()
            assert ctx.get(dut.data) == rows[k]
            ctx.set(dut.addr, source.randrange(depth))
            ctx.set(dut.en, 0)
            await ctx.tick()
            assert ctx.get(dut.data) == rows[k], "it is kept while nothing is read"

    sim = Simulator(dut)
    add_clock(sim)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("width, depth", [(0, 1), (8, 0), (8, 16385)])
def test_bank_needs_a_possible_size(width, depth):
    with pytest.raises(ValueError, match="a loaded bank has 1 to 16384 words, not"):
        LoadedBank(width, depth)


class Loaded:
    """A matrix-vector unit whose weights are loaded, beside one of the same weights in block RAM."""

    def __init__(self, pe, simd, sf, nf):
        shape = (pe, simd, sf, nf, BIPOLAR, BIPOLAR, 10, 1, None, 1, 1)
        self.unit = units.MatrixVectorUnit(*shape, "spram", 1, "lut", True, "ice40", 10)
        plain = units.MatrixVectorUnit(*shape, "block", 1, "lut", True, "ice40", 10)
        source = random.Random(pe * simd)
        self.contents = MatrixContents(
            [source.getrandbits(pe * simd) for _ in range(sf * nf)], [[k] * pe for k in range(nf)]
        )
        self.words = self.unit.load_words(self.contents)
        self.dut, self.plain = circuit(self.unit, self.contents), circuit(plain, self.contents)
        self.beats = [{"data": source.getrandbits(simd), "last": k % sf == sf - 1} for k in range(3 * sf * nf)]


class Filled(Elaboratable):
    """`dut` with a state machine that loads `words`, some of them in vain, before a beat can come in."""

    def __init__(self, dut, words, rest):
        self._dut, self._words, self._rest = dut, words, rest
        self.i, self.o = dut.i, dut.o

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._dut
        step = Signal(range(len(self._words) + 2))
        with m.If(step <= len(self._words)):
            m.d.sync += step.eq(step + 1)
        with m.Switch(step):
            for k, word in enumerate(self._words):
                with m.Case(k):
                    if word is None:
                        m.d.comb += dut.begin.eq(1)
                    else:
                        m.d.comb += [dut.load.valid.eq(1), dut.load.payload.eq(word)]
        with m.If(dut.rest.valid):
            m.d.sync += self._rest.eq(dut.rest.payload)
        return m


@pytest.mark.parametrize("pe, simd, sf, nf", [(2, 3, 2, 2), (4, 8, 3, 2), (3, 12, 2, 3), (1, 1, 1, 3), (2, 2, 1, 1)])
def test_a_loaded_unit_is_one_with_these_weights(pe, simd, sf, nf):
    case = Loaded(pe, simd, sf, nf)
    expected = run_stream(case.plain, case.beats).beats
    rest = Signal(16)
    # A load that breaks off, then a whole one, whose last word is for somebody else.
    words = [None, 0xFFFF, 0x1111, None, *case.words, 0xBEEF]
    dut = Filled(case.dut, words, rest)
    wait = [True] * (len(words) + 1) + [False] * 4000
    found = run_stream(dut, case.beats, i_stall=wait, model=None)
    assert found.beats == expected
    assert case.unit.spram() == -(-pe * simd // 16) and len(case.words) == case.unit.spram() * sf * nf
