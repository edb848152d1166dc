"""Lines of the layer table as layouts of bits."""

from amaranth.hdl import Value
from amaranth.lib import data

from bnnhw.layer_table import ENTRIES, HEADER, SLOT, Opcode


def layout(fields):
    """The layout of a line with these fields."""
    return data.StructLayout(dict(fields))


ENTRY = {opcode: layout(ENTRIES[opcode]) for opcode in Opcode}
SLOT_LAYOUT = layout(SLOT)
HEADER_LAYOUT = layout(HEADER)


def fields_of(line, shape):
    """The fields of a `shape` in a line, be it words or bits."""
    return data.View(shape, Value.cast(line)[: shape.size])
