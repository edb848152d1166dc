"""The engine's one memory: banks that are read or written, a word each per cycle."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.memory import ram_attributes

SPRAM_WIDTH, SPRAM_DEPTH = 16, 1 << 14


class EngineMemory(wiring.Component):
    """Banks of words with one port each.

    Parameters
    ----------
    lanes : int
        Bits of a word.
    banks, lines : int
        How many banks, and the words of each.
    kind : str
        ``"block"``, or ``"spram"``: the single-port RAMs of iCE40 UltraPlus, which are not known to Amaranth's
        simulator.

    Members
    -------
    addr : In, an address for each bank
    write : In(banks)
        Which banks are written.
    i : In, a word for each bank
    o : Out, a word for each bank
        What was read with the address of the cycle before; means nothing where that wrote.

    Raises
    ------
    ValueError
        If the kind is unknown, or single-port RAMs cannot be banks of that size.
    """

    def __init__(self, lanes, banks, lines, *, kind):
        if kind not in ("block", "spram"):
            raise ValueError(f"an engine's memory must be block or spram, not {kind!r}")
        if kind == "spram" and (lanes % SPRAM_WIDTH or lines != SPRAM_DEPTH):
            raise ValueError(f"a bank of single-port RAM has {SPRAM_DEPTH} words of {SPRAM_WIDTH}, not {lines!r}")
        self._lanes = lanes
        self._banks = banks
        self._lines = lines
        self._kind = kind
        super().__init__(
            {
                "addr": In(data.ArrayLayout(ceil_log2(lines), banks)),
                "write": In(banks),
                "i": In(data.ArrayLayout(lanes, banks)),
                "o": Out(data.ArrayLayout(lanes, banks)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for bank in range(self._banks):
            if self._kind == "spram":
                self._spram(m, bank)
            else:
                self._block(m, bank)
        return m

    def _block(self, m, bank):
        memory = Memory(
            shape=self._lanes, depth=self._lines, init=[], attrs=ram_attributes("block") | {"no_rw_check": 1}
        )
        m.submodules[f"bank_{bank}"] = memory
        write, read = memory.write_port(), memory.read_port(domain="sync")
        m.d.comb += [
            write.en.eq(self.write[bank]),
            write.addr.eq(self.addr[bank]),
            write.data.eq(self.i[bank]),
            read.en.eq(~self.write[bank]),
            read.addr.eq(self.addr[bank]),
            self.o[bank].eq(read.data),
        ]

    def _spram(self, m, bank):
        for part in range(self._lanes // SPRAM_WIDTH):
            bits = slice(part * SPRAM_WIDTH, (part + 1) * SPRAM_WIDTH)
            found = Signal(SPRAM_WIDTH, name=f"bank_{bank}_{part}_data")
            m.submodules[f"bank_{bank}_{part}"] = Instance(
                "SB_SPRAM256KA",
                i_ADDRESS=self.addr[bank],
                i_DATAIN=self.i[bank][bits],
                i_MASKWREN=Const(0xF, 4),
                i_WREN=self.write[bank],
                i_CHIPSELECT=Const(1),
                i_CLOCK=ClockSignal(),
                i_STANDBY=Const(0),
                i_SLEEP=Const(0),
                i_POWEROFF=Const(1),
                o_DATAOUT=found,
            )
            m.d.comb += self.o[bank][bits].eq(found)
