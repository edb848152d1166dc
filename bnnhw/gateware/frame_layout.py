"""The payloads of streams as Amaranth has them: see `bnnhw.gateware.payloads`."""

from amaranth.hdl import signed
from amaranth.lib import data

from bnnhw.gateware.payloads import frame_fields, result_fields


def frame_layout(shape):
    """Payload of a stream of frames: one beat of `data`, and whether it is the frame's `last`.

    Parameters
    ----------
    shape : ShapeLike
        One beat: bits, or a layout of lanes with lane 0 in the low bits.
    """
    return data.StructLayout(frame_fields(shape))


def result_layout(width, classes, lanes=1):
    """Payload of the accelerator's output: `lanes` elements per beat; label and error count on the last beat."""
    elements = signed(width) if lanes == 1 else data.ArrayLayout(signed(width), lanes)
    return data.StructLayout({**result_fields(width, classes, lanes), "data": elements})
