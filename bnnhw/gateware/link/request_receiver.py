"""Takes requests out of the bytes from the line."""

from amaranth.hdl import Const, Module, Mux, ResetInserter, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.crc.catalog import CRC16_XMODEM
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.link.answer import answer_layout, short_status
from bnnhw.gateware.loading.image_loader import IMAGE_BYTE
from bnnhw.packets import ESCAPE, ESCAPE_MASK, START, Request, Status


class _State(enum.Enum, shape=4):
    """What the next byte is. From PAYLOAD on (bit 3), the request has an answer, whatever comes."""

    NOTHING = 0
    KIND = 1
    SEQUENCE = 2
    LENGTH_LOW = 3
    LENGTH_HIGH = 4
    PAYLOAD = 8
    CHECKSUM_HIGH = 9
    CHECKSUM_LOW = 10
    VERIFY = 11


class RequestReceiver(wiring.Component):
    """Takes requests out of the bytes from the line, and decides on the answer of each.

    START begins a request wherever it occurs, and occurs nowhere else: whatever was damaged before, the next request is
    found. Bytes between requests are ignored, and so is a request for which there is no room.

    Parameters
    ----------
    frame_bytes : int
        Payload of an INFER.
    block : int
        Frames of an INFER_BLOCK; 1 for no such request.
    fast : bool
        Whether there is a fast rate to go to.
    loads : bool
        Whether there are memories to load.

    Members
    -------
    i : In(stream, always ready), payload 8 bits
    i_error : In(1)
        A byte was damaged.
    room : In(1)
        There is room for one more answer, and for its frames.
    answer : Out(answer_layout), finish : Out(1)
        The answer to be, for one cycle.
    offset : Out(ceil_log2(frame_bytes)), data : Out(8), write : Out(1)
        The frames of a request, a byte at a time; `offset` is that in a frame.
    begin : Out(1)
        The frames of another request follow.
    commit : Out(1)
        With `finish`: they were whole and undamaged.
    receiving : Out(1)
        In the middle of a request.
    loaded, loading : In(1); load : Out(stream, always ready), payload `IMAGE_BYTE`
        Only with `loads`. Frames are refused unless the memories are `loaded`; an image is taken while they are neither
        that nor `loading` from elsewhere. It is given byte by byte as it comes, since it has a checksum of its own.

    Timing
    ------
    `finish` comes one cycle after the request's last byte, or in the cycle of the byte that shows that the request is
    bad. Bytes must be at least two cycles apart.
    """

    def __init__(self, frame_bytes, *, block=1, fast=False, loads=False):
        self._frame_bytes = frame_bytes
        self._block = block
        self._fast = fast
        self._loads = loads
        image = stream.Signature(IMAGE_BYTE, always_ready=True)
        loading = {"loaded": In(1), "loading": In(1), "load": Out(image)} if loads else {}
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "i_error": In(1),
                "room": In(1),
                "answer": Out(answer_layout(loads=loads)),
                "finish": Out(1),
                "offset": Out(ceil_log2(frame_bytes)),
                "data": Out(8),
                "write": Out(1),
                "begin": Out(1),
                "commit": Out(1),
                "receiving": Out(1),
                **loading,
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.checksum = checksum = ResetInserter(is_start := Signal())(CRC16_XMODEM(8).create())
        state = Signal(_State)
        escaped, is_escape, take = Signal(), Signal(), Signal()
        m.d.comb += [
            is_start.eq(self.i.valid & (self.i.payload == START)),
            is_escape.eq(self.i.valid & (self.i.payload == ESCAPE)),
            take.eq(self.i.valid & ~is_start & ~is_escape),
            self.data.eq(self.i.payload ^ Mux(escaped, ESCAPE_MASK, 0)),
            checksum.data.eq(self.data),
            checksum.valid.eq(take),
            self.receiving.eq(state != _State.NOTHING),
        ]
        with m.If(self.i.valid):
            m.d.sync += escaped.eq(is_escape)

        status = Signal(len(self.answer.status))  # the answer, if nothing else goes wrong
        sequence = Signal(8)
        is_single = status == short_status(Status.RESULT)
        is_block = status == short_status(Status.RESULT_BLOCK) if self._block > 1 else Const(0, 1)
        is_infer = is_single | is_block
        is_load = status == short_status(Status.TAKEN) if self._loads else Const(0, 1)
        is_long = is_block | is_load
        length = Mux(is_single, self._frame_bytes, Mux(is_long, self._block * self._frame_bytes, 0))
        frames_left = Signal(range(self._block))
        low_differs = Signal()
        m.d.comb += [self.answer.status.eq(status), self.answer.sequence.eq(sequence)]

        def finish(status=None):
            m.d.sync += state.eq(_State.NOTHING)
            m.d.comb += self.finish.eq(1)
            if status is not None:
                m.d.comb += self.answer.status.eq(short_status(status))

        if self._loads:
            first = Signal()
            m.d.comb += [
                self.load.payload.data.eq(self.data),
                self.load.payload.first.eq(first),
                self.load.valid.eq(take & (state == _State.PAYLOAD) & is_load),
            ]
            with m.If(self.load.valid):
                m.d.sync += first.eq(0)

        with m.If(take), m.Switch(state):
            with m.Case(_State.KIND):
                m.d.sync += [state.eq(_State.SEQUENCE), status.eq(short_status(Status.UNKNOWN_KIND))]
                with m.Switch(self.data):
                    with m.Case(Request.IDENTIFY):
                        m.d.sync += status.eq(short_status(Status.IDENTITY))
                    with m.Case(Request.INFER):
                        m.d.sync += status.eq(short_status(Status.RESULT))
                    if self._block > 1:
                        with m.Case(Request.INFER_BLOCK):
                            m.d.sync += status.eq(short_status(Status.RESULT_BLOCK))
                    if self._fast:
                        with m.Case(Request.GO_FAST):
                            m.d.sync += status.eq(short_status(Status.GOES_FAST))
                    if self._loads:
                        for request in (Request.LOAD, Request.LOAD_MORE):
                            with m.Case(request):
                                m.d.sync += [status.eq(short_status(Status.TAKEN)), first.eq(request == Request.LOAD)]
            with m.Case(_State.SEQUENCE):
                m.d.sync += [state.eq(_State.LENGTH_LOW), sequence.eq(self.data)]
            with m.Case(_State.LENGTH_LOW):
                m.d.sync += [state.eq(_State.LENGTH_HIGH), low_differs.eq(self.data != length[:8])]
            with m.Case(_State.LENGTH_HIGH):
                m.d.comb += self.begin.eq(1)
                m.d.sync += [
                    state.eq(Mux(is_infer | is_load, _State.PAYLOAD, _State.CHECKSUM_HIGH)),
                    self.offset.eq(0),
                    frames_left.eq(Mux(is_long, self._block - 1, 0)),
                ]
                with m.If(~self.room):
                    m.d.sync += state.eq(_State.NOTHING)
                with m.Elif(status == short_status(Status.UNKNOWN_KIND)):
                    finish()
                with m.Elif(low_differs | (self.data != length[8:])):
                    finish(Status.BAD_LENGTH)
                if self._loads:
                    with m.Elif((is_infer | is_load) & self.loading):
                        finish(Status.LOADING)
                    with m.Elif(is_infer & ~self.loaded):
                        finish(Status.NOT_LOADED)
                    with m.Elif(is_load & self.loaded):
                        finish(Status.LOADED)
            with m.Case(_State.PAYLOAD):
                m.d.comb += self.write.eq(is_infer)
                m.d.sync += self.offset.eq(self.offset + 1)
                with m.If(self.offset == self._frame_bytes - 1):
                    m.d.sync += [self.offset.eq(0), frames_left.eq(frames_left - 1)]
                    with m.If(frames_left == 0):
                        m.d.sync += state.eq(_State.CHECKSUM_HIGH)
            with m.Case(_State.CHECKSUM_HIGH):
                m.d.sync += state.eq(_State.CHECKSUM_LOW)
            with m.Case(_State.CHECKSUM_LOW):
                m.d.sync += state.eq(_State.VERIFY)
        with m.If(state == _State.VERIFY):
            # The register is zero once a packet and its checksum went through it.
            finish()
            m.d.comb += self.commit.eq(is_infer & (checksum.crc == 0))
            with m.If(checksum.crc != 0):
                finish(Status.BAD_CHECKSUM)
        with m.If(self.i_error | is_start):
            with m.If(state.as_value()[3]):
                finish(Status.BAD_CHECKSUM)
                with m.If(is_start):
                    finish(Status.BAD_LENGTH)
            m.d.sync += state.eq(Mux(is_start, _State.KIND, _State.NOTHING))
        return m
