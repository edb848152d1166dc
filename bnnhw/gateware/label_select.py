"""Label select: the class with the highest score."""

from amaranth.hdl import Array, Const, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bnnhw.gateware.streams import frame_layout


def result_layout(width, classes):
    """Payload of the accelerator's output: one element per beat; label and error count on the last beat."""
    return data.StructLayout({"data": signed(width), "label": bits_for(classes - 1), "error": 1, "last": 1})


class LabelSelect(wiring.Component):
    """Passes a frame's elements on, one per beat, and adds the index of the highest score to the last one.

    The score of element c is ``scale[c] * element + bias[c]``; on a tie the lowest index wins.

    Parameters
    ----------
    width : int
        Bits of an element (two's complement).
    scales, biases : list of int
        One per element.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``
    status : In(stream), payload 1 bit per frame
        Whether the frame was damaged; taken with the frame's last element.
    o : Out(stream), payload ``{data: signed(width), label, error: 1, last: 1}``

    Timing
    ------
    Latency `latency` cycles (1, or 2 where scores are not the elements), one element per cycle.

    Raises
    ------
    ValueError
        If there is not one scale and one bias per element, or none at all.
    """

    def __init__(self, width, scales, biases):
        if not scales or len(scales) != len(biases):
            raise ValueError(f"one scale and one bias per element are needed, not {scales!r:.60}, {biases!r:.60}")
        self._width = width
        self._scales = scales
        self._biases = biases
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(width))),
                "status": In(stream.Signature(1)),
                "o": Out(stream.Signature(result_layout(width, len(scales)))),
            }
        )

    @property
    def latency(self):
        return 2 if self._affine else 1

    @property
    def _affine(self):
        return any(s != 1 for s in self._scales) or any(self._biases)

    def elaborate(self, platform):
        m = Module()
        ready = Signal()
        index = Signal(range(len(self._scales)))
        element, valid, last = self.i.payload.data.as_signed(), self.i.valid, self.i.payload.last
        score = element
        if self._affine:
            # The product gets a register of its own: it is the longest path of small designs.
            reach = max(
                abs(s) * (1 << (self._width - 1)) + abs(b) for s, b in zip(self._scales, self._biases, strict=True)
            )
            scales = Array(Const(s, signed(bits_for(s, require_sign_bit=True))) for s in self._scales)
            biases = Array(Const(b, signed(bits_for(b, require_sign_bit=True))) for b in self._biases)
            score = Signal(signed(1 + bits_for(reach)))
            staged = Signal(frame_layout(self._width))
            staged_valid = Signal()
            following = Signal(range(len(self._scales)))
            with m.If(ready):
                m.d.sync += [
                    staged_valid.eq(valid),
                    staged.eq(self.i.payload),
                    index.eq(following),
                    score.eq(scales[following] * element + biases[following]),
                ]
                with m.If(valid):
                    m.d.sync += following.eq(following + 1)
                    with m.If(last):
                        m.d.sync += following.eq(0)
            element, valid, last = staged.data.as_signed(), staged_valid, staged.last
        best = Signal.like(score)
        label = Signal(bits_for(len(self._scales) - 1))
        better = Signal()
        m.d.comb += [
            better.eq((index == 0) | (score > best)),
            # A frame's status is there long before its last element; waiting for it costs nothing.
            ready.eq((self.o.ready | ~self.o.valid) & (~(valid & last) | self.status.valid)),
            self.i.ready.eq(ready),
            self.status.ready.eq((self.o.ready | ~self.o.valid) & valid & last),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(ready):
            m.d.sync += [
                self.o.valid.eq(valid),
                self.o.payload.data.eq(element),
                self.o.payload.label.eq(label),
                self.o.payload.error.eq(self.status.payload & last),
                self.o.payload.last.eq(last),
            ]
            with m.If(valid):
                with m.If(better):
                    m.d.sync += [best.eq(score), label.eq(index), self.o.payload.label.eq(index)]
                if not self._affine:
                    m.d.sync += index.eq(index + 1)
                    with m.If(last):
                        m.d.sync += index.eq(0)
        return m
