"""Tables beside the logic that uses them: read-only ones in block RAM or in LUTs, and loaded ones in SPRAM."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.memory_image import WORD_BITS
from bnnhw.parts import SPRAM_WORDS

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


class LoadedBank(wiring.Component):
    """A table in single-port RAM of UP5K (SPRAM), which is empty until it is written.

    Each of its cells holds 16 bits of every word, the first cell the low ones. In simulations without a platform it is
    a memory of Amaranth.

    Parameters
    ----------
    width : int
        Bits per word.
    depth : int
        Words.

    Members
    -------
    addr : In(ceil_log2(depth))
    en : In(1)
    data : Out(width)
    write : In(number of cells)
        Which cells take `write_data` at `addr`; nothing is read then.
    write_data : In(16)

    Timing
    ------
    `data` holds the word of `addr` one cycle after a cycle with `en` and without `write`, and keeps it while both are
    low. After a write it is undefined until the next read.

    Raises
    ------
    ValueError
        If there are no words, or more than a cell has room for.
    """

    def __init__(self, width, depth):
        if width < 1 or not 1 <= depth <= SPRAM_WORDS:
            raise ValueError(f"a loaded bank has 1 to {SPRAM_WORDS} words, not {depth!r} of {width!r} bits")
        self._width = width
        self._depth = depth
        self._cells = -(-width // WORD_BITS)
        super().__init__(
            {
                "addr": In(ceil_log2(depth)),
                "en": In(1),
                "data": Out(width),
                "write": In(self._cells),
                "write_data": In(WORD_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        outputs = []
        for k in range(self._cells):
            cell = self._memory if platform is None else self._primitive
            outputs.append(cell(m, k, self.write[k], self.en & ~self.write.any()))
        m.d.comb += self.data.eq(Cat(*outputs))
        return m

    def _memory(self, m, k, write, read):
        m.submodules[f"cell{k}"] = memory = Memory(
            shape=WORD_BITS, depth=self._depth, init=[], attrs={"ram_style": "huge"}
        )
        w_port, r_port = memory.write_port(), memory.read_port()
        m.d.comb += [w_port.addr.eq(self.addr), w_port.data.eq(self.write_data), w_port.en.eq(write)]
        m.d.comb += [r_port.addr.eq(self.addr), r_port.en.eq(read)]
        return r_port.data

    def _primitive(self, m, k, write, read):
        output = Signal(WORD_BITS, name=f"cell{k}_data")
        m.submodules[f"cell{k}"] = Instance(
            "SB_SPRAM256KA",
            i_CLOCK=ClockSignal(),
            i_ADDRESS=Cat(self.addr, Const(0, ceil_log2(SPRAM_WORDS) - len(self.addr))),
            i_DATAIN=self.write_data,
            i_MASKWREN=Const(0b1111, 4),
            i_WREN=write,
            i_CHIPSELECT=write | read,
            i_STANDBY=Const(0, 1),
            i_SLEEP=Const(0, 1),
            i_POWEROFF=Const(1, 1),  # active low
            o_DATAOUT=output,
        )
        return output
