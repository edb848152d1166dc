"""Label select: the class with the highest score."""

from amaranth.hdl import Array, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from bnnhw.gateware.arithmetic.codes import lanes_of
from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout, result_layout
from bnnhw.gateware.memory import ram_attributes


class LabelSelect(wiring.Component):
    """Passes a frame's elements on and adds the index of the highest score to the last beat.

    The score of element c is ``scale[c] * element + bias[c]``; on a tie the lowest index wins. The elements of a beat
    are compared in a tree of registers, and the best of them with the best of the beats before.

    Parameters
    ----------
    width : int
        Bits of an element (two's complement).
    classes : int
        Elements of a frame.
    lanes : int
        Elements per beat. What is beyond the last one in the last beat is passed on, and does not count.
    affine : bool
        Whether scores differ from the elements.
    scales, biases : list of int
        One per element; 1 and 0 unless `affine`.
    kind : str
        Where the elements wait for the label: ``"registers"``, or a kind of memory, see `StreamFifo`, where that takes
        2 cycles at least.

    Members
    -------
    i : In(stream), payload ``{data: lanes * width, last: 1}``
    status : In(stream), payload 1 bit per frame
        Whether the frame was damaged; taken with the frame's last element.
    o : Out(stream), payload `result_layout`

    Timing
    ------
    Latency `latency` cycles: 1, one more where scores are not the elements, and ``ceil_log2(lanes)``; one beat per
    cycle.

    Raises
    ------
    ValueError
        If there is not one scale and one bias per element, they are not what `affine` says, `lanes` is not 1 to
        `classes`, or a memory is asked for a single cycle.
    """

    def __init__(self, width, classes, lanes, *, affine, scales, biases, kind="registers"):
        plain = not affine and (any(scale != 1 for scale in scales) or any(biases))
        if classes < 1 or not len(scales) == len(biases) == classes or plain:
            raise ValueError(
                f"a scale and a bias for each of {classes!r} elements are needed, 1 and 0 unless affine, "
                f"not {scales!r:.60}, {biases!r:.60}"
            )
        if not 1 <= lanes <= classes:
            raise ValueError(f"lanes must be 1 to the {classes!r} elements, not {lanes!r}")
        self._width = width
        self._scales = scales
        self._biases = biases
        self._lanes = lanes
        self._affine = affine
        self._beats = -(-len(scales) // lanes)
        self._kind = kind
        self._attrs = ram_attributes(kind)
        if kind != "registers" and self.latency < 2:
            raise ValueError(f"kind must be 'registers' where elements wait for one cycle, not {kind!r}")
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(lanes * width))),
                "status": In(stream.Signature(1)),
                "o": Out(stream.Signature(result_layout(width, len(scales), lanes))),
            }
        )

    @property
    def latency(self):
        return 1 + self._affine + ceil_log2(self._lanes)

    def elaborate(self, platform):
        m = Module()
        ready = Signal()
        beat = Signal(range(self._beats))
        with m.If(ready & self.i.valid):
            m.d.sync += beat.eq(Mux(self.i.payload.last, 0, beat + 1))

        # What goes through the registers with the scores: the elements, and where they stand in the frame.
        apart = self._kind != "registers"
        bits = 0 if apart else self._lanes * self._width
        flags = data.StructLayout({"last": 1, "beat": range(self._beats), "data": bits})
        valid, stage = self.i.valid, Signal(flags)
        m.d.comb += [
            stage.last.eq(self.i.payload.last),
            stage.beat.eq(beat),
            stage.data.eq(self.i.payload.data),
        ]
        scores = [element.as_signed() for element in lanes_of(self.i.payload.data, self._width)]
        if self._affine:
            # The product gets a register of its own: it is the longest path of small designs.
            scores = [self._score(m, ready, beat, lane, element) for lane, element in enumerate(scores)]
            valid, stage = self._next(m, ready, valid, stage)
        contest = [(score, lane, Const(lane, range(self._lanes))) for lane, score in enumerate(scores)]
        while len(contest) > 1:
            contest = self._round(m, ready, stage, contest)
            valid, stage = self._next(m, ready, valid, stage)

        (score, _, lane), *_ = contest
        # Nothing reads what the last beat leaves here, so that the label need not be one of its elements.
        best = Signal.like(score, reset_less=True)
        label = Signal(range((self._beats - 1) * self._lanes), reset_less=True)
        payload = data_register(m, self.o.payload)
        if apart:
            m.d.comb += self.o.payload.data.eq(self._delayed(m, ready, self.i.payload.data))
        better, index = Signal(), Signal.like(payload.label)
        free = self.o.ready | ~self.o.valid
        m.d.comb += [
            better.eq((stage.beat == 0) | _exceeds(score, best)),
            index.eq(Mux(better, stage.beat * self._lanes + lane, label)),
            # A frame's status is there long before its last element; waiting for it costs nothing.
            ready.eq(free & (~(valid & stage.last) | self.status.valid)),
            self.i.ready.eq(ready),
            self.status.ready.eq(free & valid & stage.last),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(ready):
            m.d.sync += [
                self.o.valid.eq(valid),
                payload.label.eq(index),
                payload.error.eq(self.status.payload & stage.last),
                payload.last.eq(stage.last),
            ]
            if not apart:
                m.d.sync += payload.data.eq(stage.data)
            with m.If(valid & better):
                m.d.sync += [best.eq(score), label.eq(index)]
        return m

    def _delayed(self, m, ready, value):
        """`value` behind `latency` registers, which are a memory that is written and read in a circle."""
        depth = 1 << ceil_log2(self.latency)
        m.submodules.memory = memory = Memory(
            shape=len(value), depth=depth, init=[], attrs={**self._attrs, "no_rw_check": 1}
        )
        write, read = memory.write_port(), memory.read_port(domain="sync")
        m.d.comb += [
            write.en.eq(ready),
            write.data.eq(value),
            read.en.eq(ready),
            read.addr.eq(write.addr - (self.latency - 1)),
        ]
        with m.If(ready):
            m.d.sync += write.addr.eq(write.addr + 1)
        return read.data

    def _next(self, m, ready, valid, stage):
        """The next stage, and whether there is anything in it."""
        after = Signal(name="valid")
        with m.If(ready):
            m.d.sync += after.eq(valid)
        return after, self._register(m, ready, stage)

    def _register(self, m, ready, value):
        register = Signal.like(value, name="held", reset_less=True)
        with m.If(ready):
            m.d.sync += register.eq(value)
        return register

    def _score(self, m, ready, beat, lane, element):
        """The registered score of the element in a lane."""
        # Lanes beyond the last element have any score: they do not count.
        places = [min(k * self._lanes + lane, len(self._scales) - 1) for k in range(self._beats)]
        scales, biases = [self._scales[p] for p in places], [self._biases[p] for p in places]
        reach = max(abs(s) * (1 << (self._width - 1)) + abs(b) for s, b in zip(self._scales, self._biases, strict=True))
        table = [Array(Const(v, signed(bits_for(v, require_sign_bit=True))) for v in row) for row in (scales, biases)]
        score = Signal(signed(1 + bits_for(reach)), name=f"score{lane}", reset_less=True)
        with m.If(ready):
            m.d.sync += score.eq(table[0][beat] * element + table[1][beat])
        return score

    def _round(self, m, ready, stage, contest):
        """Registers the winner of each two neighbours: score, the first lane that took part, the winner's lane."""
        tail = len(self._scales) - (self._beats - 1) * self._lanes
        winners = []
        for k in range(0, len(contest), 2):
            score, first, lane = contest[k]
            if k + 1 < len(contest):
                rival, lowest, other = contest[k + 1]
                exists = 1 if lowest < tail else ~stage.last
                better = exists & _exceeds(rival, score)
                score, lane = Mux(better, rival, score), Mux(better, other, lane)
            winners.append((self._register(m, ready, score), first, self._register(m, ready, lane)))
        return winners


def _exceeds(score, other):
    """Whether a score is the higher one: the sign of a difference, one carry chain without a test for equality."""
    return (other - score)[-1]
