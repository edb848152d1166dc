"""Bytes of an image -> checked words for the memories that the bitstream does not fill."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from bnnhw.memory_image import COUNT_BYTES, WORD_BITS

IMAGE_BYTE = data.StructLayout({"data": 8, "first": 1})
"""A byte of an image, and whether the image begins with it."""


class _State(enum.Enum, shape=3):
    """What the next byte is."""

    HEAD = 0
    COUNT = 1
    LOW = 2
    HIGH = 3
    CHECKSUM = 4
    VERIFY = 5
    END = 6


class ImageLoader(wiring.Component):
    """Takes an image apart (see `bnnhw.memory_image`): its words go to the memories, its head and checksum decide.

    Words are given before the checksum is known, since no memory could hold all of them apart. So nothing may use the
    memories unless `loaded`.

    Parameters
    ----------
    head : bytes
        What an image must begin with.
    min_words, max_words : int
        Words that an image has; one of fewer or more fails.
    checksum : amaranth.lib.crc.Algorithm
        What the image ends with.

    Members
    -------
    i : In(stream, always ready), payload `IMAGE_BYTE`
        A byte that is `first` begins an image, whatever came before.
    begin : Out(1)
        An image begins: the next word is its first one.
    o : Out(stream, always ready), payload `WORD_BITS` bits
        The words, in their order.
    loaded : Out(1)
        A whole image came, with the right head and checksum, and no other has begun since.
    failed : Out(1)
        The image was refused: nothing more of it is of use.

    Timing
    ------
    `begin` comes in the cycle of the first byte, a word in that of its second byte. `loaded` or `failed` comes 2 cycles
    after the last byte; `failed` 1 cycle after a byte that is wrong in the head or makes the number of words wrong.

    Raises
    ------
    ValueError
        If the head is empty, or no image can have such numbers of words.
    """

    def __init__(self, head, min_words, max_words, *, checksum=CRC32_ISO_HDLC):
        if not head or not 0 < min_words <= max_words < 1 << 8 * COUNT_BYTES:
            raise ValueError(f"an image needs a head and words, not {head!r} and {min_words!r} to {max_words!r}")
        self._head = head
        self._words = min_words, max_words
        self._checksum = checksum
        super().__init__(
            {
                "i": In(stream.Signature(IMAGE_BYTE, always_ready=True)),
                "begin": Out(1),
                "o": Out(stream.Signature(WORD_BITS, always_ready=True)),
                "loaded": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.checksum = checksum = self._checksum(8).create()
        checksum_bytes = len(checksum.crc) // 8
        byte, take = self.i.payload.data, self.i.valid
        state = Signal(_State, init=_State.END)
        index = Signal(range(max(len(self._head), COUNT_BYTES, checksum_bytes)))  # within head, count or checksum
        low = Signal(8, reset_less=True)
        # Number of words as it comes in, the lowest byte first; then how many are left.
        left = Signal(8 * COUNT_BYTES, reset_less=True)
        count = Cat(left[8:], byte)
        least, most = self._words
        wrong_count = count != most if least == most else (count < least) | (count > most)
        begins = Signal()
        m.d.comb += [
            begins.eq(take & self.i.payload.first),
            self.begin.eq(begins),
            checksum.start.eq(begins),
            checksum.data.eq(byte),
            checksum.valid.eq(take),
            self.o.payload.eq(Cat(low, byte)),
            self.o.valid.eq(take & (state == _State.HIGH) & ~begins),
        ]
        with m.If(take):
            m.d.sync += [low.eq(byte), index.eq(index + 1)]

        def follow(following):
            m.d.sync += [state.eq(following), index.eq(0)]

        def fail():
            m.d.sync += [state.eq(_State.END), self.failed.eq(1)]

        with m.If(begins):
            m.d.sync += [self.loaded.eq(0), self.failed.eq(0), state.eq(_State.HEAD), index.eq(1)]
            with m.If(byte != self._head[0]):
                fail()
            if len(self._head) == 1:
                with m.Else():
                    follow(_State.COUNT)
        with m.Else(), m.Switch(state):
            with m.Case(_State.HEAD), m.If(take):
                wanted = Signal(8)
                with m.Switch(index):
                    for k, value in enumerate(self._head):
                        with m.Case(k):
                            m.d.comb += wanted.eq(Const(value, 8))
                with m.If(byte != wanted):
                    fail()
                with m.Elif(index == len(self._head) - 1):
                    follow(_State.COUNT)
            with m.Case(_State.COUNT), m.If(take):
                m.d.sync += left.eq(count)
                with m.If(index == COUNT_BYTES - 1):
                    follow(_State.LOW)
                    with m.If(wrong_count):
                        fail()
            with m.Case(_State.LOW), m.If(take):
                m.d.sync += [state.eq(_State.HIGH), left.eq(left - 1)]
            with m.Case(_State.HIGH), m.If(take):
                m.d.sync += state.eq(_State.LOW)
                with m.If(left == 0):
                    follow(_State.CHECKSUM)
            with m.Case(_State.CHECKSUM), m.If(take):
                with m.If(index == checksum_bytes - 1):
                    follow(_State.VERIFY)
            with m.Case(_State.VERIFY):
                m.d.sync += [
                    state.eq(_State.END),
                    self.loaded.eq(checksum.match_detected),
                    self.failed.eq(~checksum.match_detected),
                ]
        return m
