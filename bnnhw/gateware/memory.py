"""Read-only tables beside the logic that uses them, in block RAM or in LUTs."""

from amaranth.hdl import Const, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

# What each kind of memory asks of synthesis. A table in LUTs is logic, not LUT RAM: iCE40 has no LUT RAM, and
# on ECP5 constants fold into fewer LUTs than a RAM of the same size takes.
RAM_STYLE = {"block": "block", "lut": "logic"}


# What each kind of memory asks of synthesis that is written as well as read.
WRITTEN_RAM_STYLE = {"block": "block", "lutram": "distributed", "registers": "logic"}


def ram_attributes(kind, styles=WRITTEN_RAM_STYLE):
    """The attributes of a memory of `kind`.

    Raises
    ------
    ValueError
        If the kind is none of `styles`.
    """
    if kind not in styles:
        raise ValueError(f"memory kind must be one of {', '.join(styles)}, not {kind!r}")
    return {"ram_style": styles[kind]}


class Bank(wiring.Component):
    """A read-only table with a registered output: a weight bank, or the thresholds of a layer.

    Parameters
    ----------
    width : int
        Bits per word.
    init : list of int
        The words, first row first.
    kind : str
        ``"block"`` (block RAM) or ``"lut"`` (logic).

    Members
    -------
    addr : In(ceil_log2(len(init)))
    en : In(1)
    data : Out(width)

    Timing
    ------
    `data` holds the word of `addr` one cycle after a cycle with `en`, and keeps it while `en` is low. A table of one
    word
    is a constant: `data` is valid at once.

    Raises
    ------
    ValueError
        If the table is empty, a word does not fit, or the kind is unknown.
    """

    def __init__(self, width, init, *, kind="block"):
        if not init or min(init) < 0 or max(init) >> width:
            raise ValueError(f"a bank needs words of {width!r} bits, not {init!r:.60}")
        self._width = width
        self._init = list(init)
        self._attrs = ram_attributes(kind, RAM_STYLE)
        super().__init__({"addr": In(ceil_log2(len(init))), "en": In(1), "data": Out(width)})

    def elaborate(self, platform):
        m = Module()
        if len(self._init) == 1:
            m.d.comb += self.data.eq(Const(self._init[0], self._width))
            return m
        m.submodules.memory = memory = Memory(
            shape=self._width, depth=len(self._init), init=self._init, attrs=self._attrs
        )
        port = memory.read_port(domain="sync")
        m.d.comb += [port.addr.eq(self.addr), port.en.eq(self.en), self.data.eq(port.data)]
        return m
