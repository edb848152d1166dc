"""Lines of the layer table as layouts of bits."""

from amaranth.hdl import Value
from amaranth.lib import data

from bnnhw.layer_table import ENTRIES, HEADER, LINE_BITS, SLOT, Opcode


def layout(fields):
    """The layout of a line with these fields."""
    return data.StructLayout(dict(fields))


ENTRY = {opcode: layout(ENTRIES[opcode]) for opcode in Opcode}
SLOT_LAYOUT = layout(SLOT)


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
