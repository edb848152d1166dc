"""Walk: goes over a map, a group of pixels at a time, and through the slots of a pass for each of them."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.engine.array import CONTROLS
from bnnhw.gateware.engine.fields import ENTRY, SLOT_LAYOUT, lanes_up_to
from bnnhw.gateware.memory import ram_attributes
from bnnhw.layer_table import EMIT_DISTANCE, HANDOVER, Opcode

# Bits of places in a map: they may be left of it, or above, and past its end.
PLACE = 11


class Walk(wiring.Component):
    """The addresses and controls of a pass.

    Parameters
    ----------
    lanes, pixels, banks : int
        Of the engine.
    address : int
        Bits of a line's number.
    slots : int
        Words of the slot memory.
    weights : int
        Words of each weight cache.

    Members
    -------
    start : In(1)
        Begins a pass in the next cycle.
    read, write : In, fields of such entries
    base : In(16)
        The line that results are written to.
    slots : In(16)
        How many slots there are.
    fill, fill_slot, fill_data : In
        Writes a slot.
    line : In(address)
        What all banks are asked for while no slot reads and no word is written.
    addr : Out, an address for each bank
    writes : Out(banks)
        Which of them are written, with what the array gives two cycles later.
    word, controls : Out
        For the array, a cycle after the addresses.
    bank, inside : Out, for each pixel
        Where in what was read its word is, and whether it is in the map; two cycles after the address.
    outside : Out(lanes)
        The word outside of the map, at the same time.
    done : Out(1)
        Nothing more is read. Words are written until `HANDOVER` cycles later, the last of them then.

    Timing
    ------
    A slot per cycle and group of pixels, then `EMIT_DISTANCE` cycles, with the last of which the last word is written;
    `done` is `HANDOVER` cycles before.
    """

    def __init__(self, lanes, pixels, banks, *, address, slots, weights):
        self._lanes = lanes
        self._pixels = pixels
        self._banks = banks
        self._address = address
        self._slots = slots
        which = ceil_log2(banks)
        super().__init__(
            {
                "start": In(1),
                "read": In(ENTRY[Opcode.READ]),
                "write": In(ENTRY[Opcode.WRITE]),
                "base": In(16),
                "slots": In(16),
                "fill": In(1),
                "fill_slot": In(range(slots)),
                "fill_data": In(SLOT_LAYOUT),
                "line": In(address),
                "addr": Out(data.ArrayLayout(address, banks)),
                "writes": Out(banks),
                "word": Out(range(weights)),
                "controls": Out(data.StructLayout(dict.fromkeys(CONTROLS, 1))),
                "bank": Out(data.ArrayLayout(which, pixels)),
                "inside": Out(pixels),
                "outside": Out(lanes),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        busy, flush = Signal(), Signal(range(EMIT_DISTANCE + 1))
        index, run = Signal(range(self._slots)), Signal(7)
        slot = self._slot(m, index_next := Signal.like(index))

        # Through the slots, and from group to group.
        run_done, slots_done, row_done, map_done = (Signal(name=name) for name in ("run", "slots", "row", "map"))
        column, row = Signal(9), Signal(8)
        step = Mux(self.write.single, 1, self._pixels)
        following = Signal(9)
        m.d.comb += [
            following.eq(column + step),
            run_done.eq(run == slot.run),
            slots_done.eq(run_done & (index == (self.slots - 1)[: len(index)])),
            row_done.eq(following > self.write.width),
            map_done.eq(row == self.write.height),
            index_next.eq(Mux(run_done & busy, Mux(slots_done, 0, index + 1), index)),
            self.done.eq(flush == 1 + HANDOVER),
        ]
        with m.If(busy):
            m.d.sync += [index.eq(index_next), run.eq(Mux(run_done, 0, run + 1))]
            with m.If(slots_done):
                m.d.sync += column.eq(Mux(row_done, 0, following))
                with m.If(row_done):
                    m.d.sync += row.eq(row + 1)
                    with m.If(map_done):
                        m.d.sync += [busy.eq(0), flush.eq(EMIT_DISTANCE)]
        with m.If(flush != 0):
            m.d.sync += flush.eq(flush - 1)
        with m.If(self.start):
            m.d.sync += [busy.eq(1), index.eq(0), run.eq(0), column.eq(0), row.eq(0)]

        self._places(m, slot, run, column, slots_done, row_done, busy, flush)
        active = busy.replicate(len(CONTROLS))
        m.d.sync += [
            self.word.eq(slot.word + Mux(slot.same, 0, run)),
            self.controls.eq(Cat(slot[name] for name in CONTROLS) & active),
        ]
        return m

    def _slot(self, m, index):
        """The slot that is on; `index` is that of the next cycle's."""
        m.submodules.memory = memory = Memory(
            shape=SLOT_LAYOUT.size, depth=self._slots, init=[], attrs=ram_attributes("block") | {"no_rw_check": 1}
        )
        write, read = memory.write_port(), memory.read_port(domain="sync")
        m.d.comb += [
            write.en.eq(self.fill),
            write.addr.eq(self.fill_slot),
            write.data.eq(self.fill_data.as_value()),
            read.addr.eq(index),
            read.en.eq(1),
        ]
        return data.View(SLOT_LAYOUT, read.data)

    def _places(self, m, slot, run, column, slots_done, row_done, busy, flush):
        """What is read and written."""
        y = Signal(signed(PLACE))
        xs = [Signal(signed(PLACE), name=f"x{pixel}") for pixel in range(self._pixels)]
        line_in, line_out = Signal(self._address), Signal(self._address)
        step, left = self.read.step_x, self.read.left
        single = self.write.single

        # A row's first places are there a cycle after the row before, or the start.
        with m.If(busy & slots_done):
            with m.If(row_done):
                m.d.sync += [
                    y.eq(y + self.write.step_y),
                    line_in.eq(line_in + self.read.row_step),
                    line_out.eq(line_out + self.write.row_step),
                ]
            advance = Mux(single, step, step << ceil_log2(self._pixels))
            for pixel, x in enumerate(xs):
                m.d.sync += x.eq(Mux(row_done, self._first(single, step, left, pixel), x + advance))
        with m.If(self.start):
            m.d.sync += [
                y.eq(-self.read.top),
                line_in.eq(self.read.base),
                line_out.eq(self.base),
                *(x.eq(self._first(single, step, left, pixel)) for pixel, x in enumerate(xs)),
            ]

        # The line of the slot, in either map.
        line = Signal(self._address)
        m.d.comb += line.eq(Mux(slot.emit, line_out, line_in) + (slot.offset + run)[: self._address])
        below = Signal(PLACE)
        m.d.comb += below.eq(y + slot.down)
        row_inside = below <= self.read.height
        selected = []
        for pixel, x in enumerate(xs):
            across, addr = Signal(PLACE, name=f"across{pixel}"), Signal(self._address, name=f"addr{pixel}")
            which = across[: ceil_log2(self._banks)]
            m.d.comb += [
                across.eq(x + slot.across),
                addr.eq(line + across.as_signed()[ceil_log2(self._banks) :].as_signed()),
            ]
            selected.append((which, addr, row_inside & (across <= self.read.width)))

        # Words wait for the next slot that gives one, which reads nothing.
        waiting, place, mask = Signal(), Signal(self._address), Signal(self._banks)
        to_bank = column[: ceil_log2(self._banks)]
        first = to_bank >> ceil_log2(self._pixels)
        writes = Signal()
        m.d.comb += writes.eq(waiting & ((busy & slot.emit) | (flush == 1)))
        with m.If(busy & slot.emit):
            m.d.sync += [waiting.eq(1), place.eq(line + (column >> ceil_log2(self._banks)))]
            for bank in range(self._banks):
                pixel = bank % self._pixels
                together = (first == bank // self._pixels) & (column + pixel <= self.write.width)
                m.d.sync += mask[bank].eq(Mux(single, to_bank == bank, together))
        with m.If(self.start | (flush == 1)):
            m.d.sync += waiting.eq(0)
        alike = Signal(self._address)
        m.d.comb += alike.eq(Mux(writes, place, self.line))
        for bank in range(self._banks):
            found = Const(0, self._address)
            for which, addr, _ in selected:
                found = found | (addr & (which == bank).replicate(self._address))
            m.d.comb += [
                self.addr[bank].eq(Mux(writes | ~busy, alike, found)),
                self.writes[bank].eq(writes & mask[bank]),
            ]
        self._choices(m, slot, selected)

    def _first(self, single, step, left, pixel):
        """The first place of a pixel in a row."""
        return Mux(single, 0, step * pixel) - left

    def _choices(self, m, slot, selected):
        """What tells the word of each pixel, two cycles after its address."""
        banks = [Signal.like(which, name=f"bank{k}", reset_less=True) for k, (which, _, _) in enumerate(selected)]
        inside, fill, edge = Signal(self._pixels, reset_less=True), Signal(reset_less=True), Signal(reset_less=True)
        outside = lanes_up_to(m, self.write.tail, self._lanes)
        m.d.sync += [
            *(held.eq(which) for held, (which, _, _) in zip(banks, selected, strict=True)),
            *(self.bank[k].eq(held) for k, held in enumerate(banks)),
            inside.eq(Cat(found for _, _, found in selected)),
            self.inside.eq(inside),
            fill.eq(slot.fill),
            edge.eq(slot.edge),
            self.outside.eq((outside | (~edge).replicate(self._lanes)) & fill.replicate(self._lanes)),
        ]  # fmt: skip
