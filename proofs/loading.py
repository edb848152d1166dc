"""What fills memories at power-up: the loader takes whole images of its own design alone, the reader gives what a flash
holds."""

from amaranth.asserts import AnyConst
from amaranth.hdl import Array, Assert, Cat, ClockDomain, Const, Cover, Elaboratable, Module, Mux, Signal
from amaranth.lib.crc.catalog import CRC8_ROHC

from bnnhw.gateware.loading.flash_reader import FlashReader
from bnnhw.gateware.loading.image_loader import ImageLoader
from proofs.case import RunCase
from proofs.harness import chosen

HEAD = b"\xa5"
# As the format has it: bytes of the number of words and of a word. The checksum is a short one here, since solvers are
# slow at long ones: that CRC-32 is what it should be is for the tests to show.
COUNT, WORD, CHECKSUM = 3, 2, 1


def crc8(register, octet):
    """CRC-8/ROHC with one byte more, bit by bit, as the division by its polynomial that it is."""
    for k in range(8):
        out = register[0] ^ octet[k]
        register = Cat(register[1:], Const(0, 1)) ^ Mux(out, Const(0xE0, 8), Const(0, 8))
    return register


class LoaderCheck(Elaboratable):
    """An image is loaded exactly when the bytes since the last one that was first are those of a right image."""

    def __init__(self, faults, words):
        self._faults, self._words = faults, words
        self._clock = ClockDomain("sync", reset_less=True)
        self.inputs = {name: Signal(bits, name=name) for name, bits in (("byte", 8), ("first", 1), ("valid", 1))}
        self.ports = [self._clock.clk, *self.inputs.values()]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self._clock
        m.submodules.unit = unit = ImageLoader(HEAD, self._words, self._words, checksum=CRC8_ROHC)
        byte, first, valid = self.inputs.values()
        fault = chosen(m, "fault", 6) if self._faults else Const(7, 3)
        # Under a fault, the unit sees another byte, or a byte less or more.
        m.d.comb += [
            unit.i.payload.data.eq(byte ^ (fault == 0)),
            unit.i.payload.first.eq(first ^ (fault == 1)),
            unit.i.valid.eq(valid ^ (fault == 2)),
        ]
        length = len(HEAD) + COUNT + WORD * self._words + CHECKSUM
        seen = Array(Signal(8, name=f"seen{k}") for k in range(length))
        count, begun = Signal(range(length + 2)), Signal()
        checked = Signal(8)  # the checksum of all bytes before the last one that an image has
        with m.If(valid & first):
            m.d.sync += [seen[0].eq(byte), count.eq(1), begun.eq(1), checked.eq(crc8(Const(0xFF, 8), byte))]
        with m.Elif(valid & begun & (count <= length)):
            m.d.sync += count.eq(count + 1)
            with m.If(count < length):
                m.d.sync += seen[count].eq(byte)
            with m.If(count < length - CHECKSUM):
                m.d.sync += checked.eq(crc8(checked, byte))
        right = seen[length - CHECKSUM] == checked
        for k, value in enumerate(HEAD + self._words.to_bytes(COUNT, "little")):
            right = right & (seen[k] == value)
        # The verdict comes a cycle after the last byte was seen, unless another image has begun by then.
        whole, expected = Signal(), Signal()
        m.d.comb += whole.eq(begun & (count >= length) & right)
        m.d.sync += expected.eq(whole & ~(valid & first))
        # A word is whole with its second byte; it is the one that the bytes say.
        at = len(HEAD) + COUNT
        gives = Const(0, 1)
        for k in range(self._words):
            gives = gives | (count == at + WORD * k + 1)
        good = Const(1, 1)
        for k, value in enumerate(HEAD + self._words.to_bytes(COUNT, "little")):
            good = good & (seen[k] == value)
        word = Mux(fault == 3, 0, Cat(seen[(count - 1)[: len(count)]], byte))
        wrong, ever = Signal(), Signal()
        m.d.comb += wrong.eq(
            (unit.loaded != (expected ^ (fault == 4)))
            | (unit.loaded & unit.failed)
            | (unit.begin != ((valid & first) ^ (fault == 5)))
            | (unit.o.valid != (valid & ~first & begun & gives & good))
            | (unit.o.valid & (unit.o.payload != word))
        )
        m.d.sync += ever.eq(ever | wrong)
        m.d.comb += Cover(ever) if self._faults else Assert(~ever)
        return m


class ReaderCheck(Elaboratable):
    """A flash that puts out any two bytes when it was woken and then asked to read from the address has them given, the
    first one as such; what comes later or otherwise is none."""

    ADDRESS = 0x5AC396

    def __init__(self, faults, depth):
        self._faults, self._depth = faults, depth
        self._clock = ClockDomain("sync", reset_less=True)
        self.ready = Signal(name="ready")
        self.ports = [self._clock.clk, self.ready]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self._clock
        m.submodules.unit = unit = FlashReader(self.ADDRESS, 40_000)
        data = AnyConst(16)  # the first byte in the high bits, as it comes
        fault = chosen(m, "fault", 4) if self._faults else Const(7, 3)
        was, bits, command, woken, reads = Signal(), Signal(6), Signal(32), Signal(), Signal()
        out = Signal()
        m.d.sync += was.eq(unit.clk)
        copi = unit.copi ^ (fault == 0)
        with m.If(~unit.select):
            m.d.sync += [bits.eq(0), reads.eq(0)]
            with m.If((bits == 8) & (command[:8] == 0xAB)):
                m.d.sync += woken.eq(1)
        with m.Elif(unit.clk & ~was):
            m.d.sync += command.eq(Cat(copi, command))
            with m.If(bits < 48):
                m.d.sync += bits.eq(bits + 1)
            with m.If(bits == 31):
                m.d.sync += reads.eq(woken & (Cat(copi, command[:31]) == (0x03 << 24 | self.ADDRESS)))
        with m.Elif(~unit.clk & was & (bits >= 32)):
            m.d.sync += out.eq(reads & data.bit_select((47 - bits)[:4], 1))
        m.d.comb += [unit.cipo.eq(out ^ (fault == 1)), unit.o.ready.eq(self.ready)]
        number, wrong = Signal(2), Signal()
        taken = unit.o.valid & unit.o.ready
        byte = Mux(number == 0, data[8:], data[:8])
        with m.If(taken & (number != 2)):
            m.d.sync += number.eq(number + 1)
        cycle = Signal(range(self._depth + 1))
        m.d.sync += cycle.eq(Mux(cycle == self._depth, cycle, cycle + 1))
        late = (cycle == self._depth - 2) & (number == 0) & ~unit.o.valid
        now = (
            (unit.o.valid & (number != 2) & (~reads | (unit.o.payload.data != byte ^ (fault == 2))))
            | (unit.o.valid & (unit.o.payload.first != ((number == 0) ^ (fault == 3))))
            | late
        )
        m.d.sync += wrong.eq(wrong | now)
        m.d.comb += Cover(wrong) if self._faults else Assert(~wrong)
        return m


def loader(words, depth, *, fast=False):
    return RunCase(
        "ImageLoader", f"{words} words" if words > 1 else "a word", "loaded: a whole right image, and nothing else",
        lambda faults: LoaderCheck(faults, words), depth, fast,
    )  # fmt: skip


def reader(depth):
    return RunCase(
        "FlashReader", "2 cycles to wake", "the bytes of the flash from the address on",
        lambda faults: ReaderCheck(faults, depth), depth,
    )  # fmt: skip


CASES = [loader(1, 9, fast=True), loader(2, 12), reader(124)]
