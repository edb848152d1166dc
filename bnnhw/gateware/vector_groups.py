"""Groups of vectors: so many at a time, and what is left at the end of a frame."""

from amaranth.hdl import Mux, Signal


def count_groups(m, ends_vector, vectors, total):
    """Counts the vectors of a stream in groups of `vectors`, in frames of `total`; the last group may be smaller.

    `ends_vector` is high in the cycle of a vector's last beat. Gives the vector's index in its group, and a value that
    tells whether it is the group's last.
    """
    vector = Signal(range(vectors))
    closes = vector == vectors - 1
    if total % vectors:
        count = Signal(range(total))
        ends_frame = count == total - 1
        closes = closes | ends_frame
        with m.If(ends_vector):
            m.d.sync += count.eq(Mux(ends_frame, 0, count + 1))
    if vectors > 1:
        with m.If(ends_vector):
            m.d.sync += vector.eq(Mux(closes, 0, vector + 1))
    return vector, closes
