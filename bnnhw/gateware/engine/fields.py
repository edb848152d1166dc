"""Lines of the layer table as layouts of bits."""

from amaranth.hdl import Signal, Value
from amaranth.lib import data
from amaranth.utils import ceil_log2

from bnnhw.layer_table import ENTRIES, HEADER, LINE_BITS, SLOT, Opcode


def layout(fields):
    """The layout of a line with these fields."""
    return data.StructLayout(dict(fields))


ENTRY = {opcode: layout(ENTRIES[opcode]) for opcode in Opcode}
SLOT_LAYOUT = layout(SLOT)


def lanes_up_to(m, last, lanes):
    """A word with ones in all lanes up to number `last`: a table, which takes fewer LUTs than comparisons."""
    word = Signal(lanes)
    with m.Switch(last[: ceil_log2(lanes)]):
        for lane in range(lanes):
            with m.Case(lane):
                m.d.comb += word.eq((2 << lane) - 1)
    return word


def header_words(lanes):
    """The fields of a program's header by the words of `lanes` bits that they are in."""
    words, place = [{} for _ in range(LINE_BITS // lanes)], 0
    for name, bits in HEADER.items():
        assert place // lanes == (place + bits - 1) // lanes, name
        words[place // lanes][name] = bits
        place += bits
    return [layout(fields) for fields in words]


def fields_of(line, shape):
    """The fields of a `shape` in a line, be it words or bits."""
    return data.View(shape, Value.cast(line)[: shape.size])
