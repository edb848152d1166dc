"""Groups of vectors: of a fixed size, the last of a frame smaller; and groups given several times."""

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


def count_repeats(m, moving, beats, repeats):
    """Counts `beats`, and these `repeats` times over, one in each cycle with `moving`. Gives the beat, and a value that
    tells whether it is the last of all.

    What tells where a count ends stands in registers, as `moving` comes late in its cycle.
    """
    beat, ends_repeat = Signal(range(beats)), Signal(init=beats == 1)
    repeat, ends_last = Signal(range(repeats)), Signal(init=repeats == 1)
    with m.If(moving):
        m.d.sync += [
            beat.eq(Mux(ends_repeat, 0, beat + 1)),
            ends_repeat.eq((beat == beats - 2) if beats > 1 else 1),
        ]
    with m.If(moving & ends_repeat):
        m.d.sync += [
            repeat.eq(Mux(ends_last, 0, repeat + 1)),
            ends_last.eq((repeat == repeats - 2) if repeats > 1 else 1),
        ]
    return beat, ends_repeat & ends_last
