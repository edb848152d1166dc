"""The payload that every stream between units carries."""

from amaranth.lib import data


def frame_layout(shape):
    """Payload of a stream of frames: one beat of `data`, and whether it is the frame's `last`.

    Parameters
    ----------
    shape : ShapeLike
        One beat: bits, or a layout of lanes with lane 0 in the low bits.
    """
    return data.StructLayout({"data": shape, "last": 1})
