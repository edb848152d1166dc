"""Fork: one stream to several readers."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.frame_layout import frame_layout


class Fork(wiring.Component):
    """Gives each beat to all of `readers`, to each in its own time.

    Parameters
    ----------
    width : int
        Bits per beat.
    readers : int
        Outputs.

    Members
    -------
    i : In(stream), payload ``{data: width, last: 1}``
    o0, o1, .. : Out(stream), payload ``{data: width, last: 1}``

    Timing
    ------
    Combinational, a beat per cycle. A beat is offered to every reader at once and taken from `i` in the cycle in which
    the last reader takes it; no `valid` depends on a `ready`.

    Raises
    ------
    ValueError
        If `readers` is not a positive integer.
    """

    def __init__(self, width, readers):
        if not isinstance(readers, int) or readers < 1:
            raise ValueError(f"readers must be a positive integer, not {readers!r}")
        self._readers = readers
        layout = frame_layout(width)
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                **{f"o{k}": Out(stream.Signature(layout)) for k in range(readers)},
            }
        )

    def elaborate(self, platform):
        m = Module()
        outputs = [getattr(self, f"o{k}") for k in range(self._readers)]
        done, now = Signal(self._readers), Signal(self._readers)  # readers that have the beat, and with this cycle
        m.d.comb += [
            now.eq(done | Cat(o.valid & o.ready for o in outputs)),
            self.i.ready.eq((done | Cat(o.ready for o in outputs)).all()),
        ]
        for k, o in enumerate(outputs):
            m.d.comb += [o.payload.eq(self.i.payload), o.valid.eq(self.i.valid & ~done[k])]
        if self._readers > 1:
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += done.eq(0)
            with m.Else():
                m.d.sync += done.eq(now)
        return m
