"""Puts answers on the line."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.crc.catalog import CRC16_XMODEM
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.frame_layout import result_layout
from bnnhw.gateware.link.answer import answer_layout, short_status
from bnnhw.packets import ESCAPE, ESCAPE_MASK, RESULT_TRAILER, START, Status


class _State(enum.Enum, shape=4):
    """What the next byte is."""

    START = 0
    STATUS = 1
    SEQUENCE = 2
    LENGTH_LOW = 3
    LENGTH_HIGH = 4
    IDENTITY = 5
    ELEMENT = 6
    TRAILER = 7
    CHECKSUM_HIGH = 8
    CHECKSUM_LOW = 9


class AnswerSender(wiring.Component):
    """Writes answers as packets: identities from a table, results as the accelerator delivers them.

    Parameters
    ----------
    identity : Identity
        What an IDENTITY says, and the shape of a RESULT.
    output_width : int
        Bits of an element.
    loads : bool
        Whether there are the answers of memories that are loaded.

    Members
    -------
    answer : In(stream), payload `answer_layout`
        Taken when the answer is sent.
    result : In(stream), payload `result_layout`
        One frame for each answer that is a RESULT, `identity.block` for a RESULT_BLOCK.
    o : Out(stream), payload 8 bits
        The bytes for the line.
    goes_fast : Out(1)
        The last byte of a GOES_FAST is taken in this cycle.

    Timing
    ------
    One byte per cycle, without latency from `answer` and `result` to `o`. A result's beat stays at the input until its
    last byte is taken, so that nothing is buffered here: a slow line stalls the accelerator.
    """

    def __init__(self, identity, output_width, *, loads=False):
        self._identity = identity
        self._element_bits = 8 * identity.output_bytes
        super().__init__(
            {
                "answer": In(stream.Signature(answer_layout(loads=loads))),
                "result": In(stream.Signature(result_layout(output_width, identity.output_elements))),
                "o": Out(stream.Signature(8)),
                "goes_fast": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        state = Signal(_State)
        byte = Signal(8)
        step = Signal()  # this byte is done
        at_start = state == _State.START

        # START is the only byte that is sent as it is; of the others, two need an ESCAPE.
        masked, needs_escape = Signal(), Signal()
        m.d.comb += [
            needs_escape.eq(~at_start & ~masked & ((byte == START) | (byte == ESCAPE))),
            self.o.valid.eq(self.answer.valid & ((state != _State.ELEMENT) | self.result.valid)),
            self.o.payload.eq(Mux(needs_escape, ESCAPE, byte ^ Mux(masked, ESCAPE_MASK, 0))),
            step.eq(self.o.valid & self.o.ready & ~needs_escape),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += masked.eq(needs_escape)

        m.submodules.checksum = checksum = ResetInserter(at_start)(CRC16_XMODEM(8).create())
        m.d.comb += [checksum.data.eq(byte), checksum.valid.eq(step)]

        status = self.answer.payload.status
        is_identity = status == short_status(Status.IDENTITY)
        block, result_bytes = self._identity.block, self._identity.result_bytes
        is_single = status == short_status(Status.RESULT)
        is_block = status == short_status(Status.RESULT_BLOCK) if block > 1 else Const(0, 1)
        is_result = is_single | is_block
        identity = self._identity.pack()
        length = Mux(is_identity, len(identity), Mux(is_single, result_bytes, Mux(is_block, block * result_bytes, 0)))
        results_left = Signal(range(block))
        element = Signal(self._element_bits)
        trailer = Signal(8 * RESULT_TRAILER.size)
        index = Signal(range(max(len(identity), self._identity.output_bytes, RESULT_TRAILER.size)))
        m.d.comb += [
            element.eq(self.result.payload.data),
            trailer[:16].eq(self.result.payload.label),
            trailer[16:].eq(self.result.payload.error),  # FLAG_DAMAGED
        ]

        following, stay = Signal(_State), Signal()
        m.d.comb += following.eq(state.as_value() + 1)
        with m.If(step & ~stay):
            m.d.sync += state.eq(following)

        def follow(table):
            """Steps through a table, staying in the state up to its end; returns whether this is the end."""
            at_end = index == len(table) - 1
            m.d.comb += stay.eq(~at_end)
            with m.If(step):
                m.d.sync += index.eq(Mux(at_end, 0, index + 1))
            with m.Switch(index):
                for k, entry in enumerate(table):
                    with m.Case(k):
                        m.d.comb += byte.eq(entry)
            return at_end

        def octets(value):
            return [value.word_select(k, 8) for k in range(len(value) // 8)]

        with m.Switch(state):
            with m.Case(_State.START):
                m.d.comb += byte.eq(START)
            with m.Case(_State.STATUS):
                m.d.comb += byte.eq(Cat(status, Const(Status.IDENTITY >> len(status), 8 - len(status))))
            with m.Case(_State.SEQUENCE):
                m.d.comb += byte.eq(self.answer.payload.sequence)
            with m.Case(_State.LENGTH_LOW):
                m.d.comb += byte.eq(length[:8])
            with m.Case(_State.LENGTH_HIGH):
                m.d.sync += results_left.eq(Mux(is_block, block - 1, 0))
                m.d.comb += [
                    byte.eq(length >> 8),
                    following.eq(
                        Mux(is_identity, _State.IDENTITY, Mux(is_result, _State.ELEMENT, _State.CHECKSUM_HIGH))
                    ),
                ]
            with m.Case(_State.IDENTITY):
                follow(identity)
                m.d.comb += following.eq(_State.CHECKSUM_HIGH)
            with m.Case(_State.ELEMENT):
                at_end = follow(octets(element))
                # The last beat stays where it is for the trailer.
                m.d.comb += self.result.ready.eq(step & at_end & ~self.result.payload.last)
                with m.If(~self.result.payload.last):
                    m.d.comb += stay.eq(1)
            with m.Case(_State.TRAILER):
                at_end = follow(octets(trailer))
                m.d.comb += self.result.ready.eq(step & at_end)
                with m.If(results_left != 0):
                    m.d.comb += following.eq(_State.ELEMENT)
                with m.If(step & at_end):
                    m.d.sync += results_left.eq(results_left - 1)
            with m.Case(_State.CHECKSUM_HIGH):
                # Its own high byte shifts the register by 8, so that the low byte comes from the same place.
                m.d.comb += byte.eq(checksum.crc[8:])
            with m.Case(_State.CHECKSUM_LOW):
                m.d.comb += [
                    byte.eq(checksum.crc[8:]),
                    self.answer.ready.eq(step),
                    self.goes_fast.eq(step & (status == short_status(Status.GOES_FAST))),
                    following.eq(_State.START),
                ]
        return m
