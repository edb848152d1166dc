"""Twins of the gateware's units: their handshakes without their data, cycle by cycle.

A twin knows only when its unit offers a beat and when it takes one. Tests hold each against its unit, to the cycle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from math import gcd

from bnnhw.ir.geometry import Geometry

Beat = tuple[bool, bool]  # whether one is offered, and whether it closes a vector

NONE: Beat = (False, False)
MORE: Beat = (True, False)
LAST: Beat = (True, True)

# Nothing changes any more, unless something else does.
ENDLESS = 1 << 60

# What is handed out is made once: callers read it and leave it as it is.
_NONE, _MORE, _LAST = [NONE], [MORE], [LAST]
_TAKEN, _STALLED = [True], [False]


class Twin(ABC):
    """One unit's control. Within a cycle: `offers` forwards, then `accepts` backwards, then `step`."""

    __slots__ = ()

    # Whether nothing changes in a unit with one input and one output while neither has a beat.
    reactive = False

    @abstractmethod
    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        """What each output offers, given what each input is offered."""

    @abstractmethod
    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        """Whether each input takes the beat offered to it, if there is one, given whether each output's is taken."""

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        """How many clock edges like this one may come at once, since offers and accepts stay as they are till then."""
        return 1 if True in took or True in gave else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        """The clock edge, given the inputs and outputs over which a beat went; `times` edges alike, see `leap`."""


class Source(Twin):
    """Frames of `beats` beats without a gap; the frame guard adds nothing to whole frames."""

    __slots__ = ("_beat", "_beats")

    def __init__(self, beats: int) -> None:
        self._beats = beats
        self._beat = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return _LAST if self._beat == self._beats else _MORE

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ()

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return max(1, self._beats - self._beat) if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._beat = 1 if self._beat == self._beats else self._beat + times


class Wire(Twin):
    """A unit without registers: one threshold."""

    __slots__ = ()
    reactive = True

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return ENDLESS


class _Registered(Twin):
    """A unit with one output, from a register; its inputs stall while a beat waits there."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        self._out = _NONE

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return _TAKEN if ready[0] or self._out is _NONE else _STALLED


class Register(_Registered):
    """A beat per cycle through one register: thresholds compared at once, offsets, label select."""

    __slots__ = ()
    reactive = True

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return ENDLESS if gave[0] and self._out is _MORE and not inputs[0][1] else 1
        return 1 if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if took[0]:
            self._out = _LAST if inputs[0][1] else _MORE
        elif gave[0]:
            self._out = _NONE


class Collect(_Registered):
    """The half of a width converter that collects chunks into beats of `per_beat`."""

    __slots__ = ("_index", "_per_beat")
    reactive = True

    def __init__(self, per_beat: int) -> None:
        super().__init__()
        self._per_beat = per_beat
        self._index = 0

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return 1 if inputs[0][1] or self._out is not _NONE else max(1, self._per_beat - self._index - 1)
        return 1 if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._out = _NONE
        if took[0]:
            self._index += times
            if inputs[0][1]:
                self._index, self._out = 0, _LAST
            elif self._index == self._per_beat:
                self._index, self._out = 0, _MORE


class Pool(_Registered):
    """One beat of each group of taps, `chunks` of them a pixel."""

    __slots__ = ("_chunk", "_chunks")
    reactive = True

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self._chunks = chunks
        self._chunk = 0

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return 1 if inputs[0][1] or self._out is not _NONE else ENDLESS
        return 1 if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._out = _NONE
        if took[0] and inputs[0][1]:
            self._chunk += 1
            self._out = _MORE
            if self._chunk == self._chunks:
                self._chunk, self._out = 0, _LAST


class Add(_Registered):
    """A beat of `inputs` streams at a time through one register."""

    __slots__ = ("_stalled", "_taken")

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self._taken, self._stalled = [True] * inputs, [False] * inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        if not ready[0] and self._out is not _NONE:
            return self._stalled
        for valid, _ in inputs:
            if not valid:
                return self._stalled
        return self._taken

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return ENDLESS if gave[0] and self._out is _MORE and not inputs[0][1] else 1
        return 1 if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if took[0]:
            self._out = _LAST if inputs[0][1] else _MORE
        elif gave[0]:
            self._out = _NONE


class VectorBuffer(Twin):
    """Two groups of `vectors` vectors of `beats` beats, side by side `repeats` times; a frame has `total` vectors."""

    __slots__ = ("_beats", "_filled", "_frame", "_full", "_group", "_out", "_read", "_reads", "_taken")

    def __init__(self, beats: int, repeats: int, *, vectors: int = 1, total: int = 1) -> None:
        self._beats, self._reads = beats, beats * repeats
        self._group, self._frame = beats * vectors, beats * (total if total % vectors else vectors)
        self._full = self._filled = self._read = self._taken = 0
        self._out = _NONE

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return _TAKEN if self._full < 2 else _STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        most = ENDLESS
        if took[0]:
            most = max(1, min(self._group - self._filled, self._frame - self._taken) - 1)
        if gave[0] or self._out is _NONE:
            if self._full:
                return min(most, max(1, self._reads - self._read - 1)) if self._out is _MORE else 1
            if self._out is not _NONE:
                return 1
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        full = self._full
        if took[0]:
            self._filled += times
            self._taken += times
            if self._taken == self._frame:
                self._taken, self._filled = 0, self._group
            if self._filled == self._group:
                self._filled, self._full = 0, full + 1
        if gave[0] or self._out is _NONE:
            self._out = _NONE
            if full:
                self._out = _MORE
                self._read += times
                if self._read == self._reads:
                    self._read, self._out = 0, _LAST
                    self._full -= 1


class VectorScatter(Twin):
    """Two groups of `vectors` vectors of `beats` beats, given one after the other; a frame has `total` vectors."""

    __slots__ = ("_beat", "_beats", "_filled", "_full", "_out", "_total", "_vector", "_vectors", "_whole")

    def __init__(self, beats: int, vectors: int, total: int) -> None:
        self._beats, self._vectors = beats, vectors
        self._total = total if total % vectors else vectors
        self._full = self._filled = self._beat = self._vector = self._whole = 0
        self._out = _NONE

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return _TAKEN if self._full < 2 else _STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        most = max(1, self._beats - self._filled - 1) if took[0] else ENDLESS
        if gave[0] or self._out is _NONE:
            if self._full:
                return min(most, max(1, self._beats - self._beat - 1)) if self._out is _MORE else 1
            if self._out is not _NONE:
                return 1
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        full = self._full
        if took[0]:
            self._filled += times
            if self._filled == self._beats:
                self._filled, self._full = 0, full + 1
        if gave[0] or self._out is _NONE:
            self._out = _NONE
            if full:
                self._out = _MORE
                self._beat += times
                if self._beat == self._beats:
                    self._beat, self._out = 0, _LAST
                    self._vector += 1
                    self._whole += 1
                    if self._whole == self._total:
                        self._whole, self._vector = 0, self._vectors
                    if self._vector == self._vectors:
                        self._vector = 0
                        self._full -= 1


class SlidingWindow(Twin):
    """The windows of a map of `height` x `width` pixels of `chunks` beats."""

    __slots__ = (
        "_capacity", "_column", "_group", "_in_group", "_in_row", "_line", "_lines", "_out", "_per_row", "_row",
        "_schedule",
    )  # fmt: skip

    def __init__(
        self, chunks: int, height: int, width: int, geometry: Geometry, *, channels_outer: bool, depth: int = 0
    ) -> None:
        self._line = width * chunks
        beats = max(geometry.lines(height) * self._line, depth)
        self._capacity = (1 << (beats - 1).bit_length()) // self._line
        self._schedule = geometry.schedule(height)
        self._group = geometry.taps * (1 if channels_outer else chunks)  # beats that `last` closes
        self._per_row = geometry.output(height, width)[1] * geometry.taps * chunks
        self._column = self._lines = self._row = self._in_row = self._in_group = 0
        self._out = _NONE

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return _TAKEN if self._lines < self._capacity else _STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        most = max(1, self._line - self._column - 1) if took[0] else ENDLESS
        if gave[0] or self._out is _NONE:
            if self._lines < self._schedule[self._row][0]:
                return most if self._out is _NONE else 1
            if self._out is not _MORE:
                return 1
            return min(most, max(1, min(self._group - self._in_group, self._per_row - self._in_row) - 1))
        return most

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        lines = self._lines
        if took[0]:
            self._column += times
            if self._column == self._line:
                self._column, self._lines = 0, lines + 1
        if gave[0] or self._out is _NONE:
            needed, freed = self._schedule[self._row]
            if lines < needed:
                self._out = _NONE
                return
            self._out = _MORE
            self._in_group += times
            if self._in_group == self._group:
                self._in_group, self._out = 0, _LAST
            self._in_row += times
            if self._in_row == self._per_row:
                self._in_row = 0
                self._lines -= freed
                self._row = (self._row + 1) % len(self._schedule)


class StreamFifo(Twin):
    """`depth` beats, and one at the output; `most` is the least depth with which none had to wait."""

    __slots__ = ("_depth", "_held", "_out", "most")

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self.most = 0
        self._held: deque[list[Beat]] = deque()
        self._out = _NONE

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return _TAKEN if len(self._held) < self._depth else _STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return 1 if took[0] or gave[0] or (self._held and self._out is _NONE) else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if took[0]:
            self.most = max(self.most, len(self._held) + 1)
        if gave[0] or self._out is _NONE:
            self._out = self._held.popleft() if self._held else _NONE
        if took[0]:
            self._held.append(_LAST if inputs[0][1] else _MORE)


class MatrixVectorUnit(Twin):
    """`nf` passes of `sf` beats a vector; `stages` registers from a pass's last beat to its sums."""

    __slots__ = ("_beat", "_nf", "_out", "_pass", "_pipe", "_sf")

    def __init__(self, sf: int, nf: int, stages: int) -> None:
        self._sf, self._nf = sf, nf
        self._beat = self._pass = 0
        self._pipe = [_NONE] * stages  # ends of passes, the oldest last
        self._out = _NONE

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return _TAKEN if ready[0] or self._out is _NONE or self._pipe[-1] is _NONE else _STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        stalled = not gave[0] and self._out is not _NONE
        if any(entry is not _NONE for entry in self._pipe):
            return ENDLESS if stalled and self._pipe[-1] is not _NONE else 1
        if gave[0]:
            return 1
        return max(1, self._sf - self._beat - 1) if took[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        done = self._pipe[-1]
        if gave[0] or self._out is _NONE:
            self._out = done
        elif done is not _NONE:
            return
        entry = _NONE
        if took[0]:
            self._beat += times
            if self._beat == self._sf:
                self._beat, entry = 0, _MORE
                self._pass += 1
                if self._pass == self._nf:
                    self._pass, entry = 0, _LAST
        self._pipe.insert(0, entry)
        self._pipe.pop()


class Search(Twin):
    """The threshold unit that searches, `steps` cycles a beat."""

    __slots__ = ("_last", "_left", "_out", "_steps")

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._left = 0  # steps to go; 0 is idle
        self._last = False
        self._out = _NONE

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        return self._out

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        idle = self._left == 0 or (self._left == 1 and (ready[0] or self._out is _NONE))
        return _TAKEN if idle else _STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0] or gave[0]:
            return 1
        if self._left == 1:
            return 1 if self._out is _NONE else ENDLESS
        return max(1, self._left - 1) if self._left else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] or self._out is _NONE:
            self._out = _NONE
            if self._left == 1:
                self._out, self._left = _LAST if self._last else _MORE, 0
        if self._left > 1:
            self._left -= times
        if took[0]:
            self._left, self._last = self._steps, inputs[0][1]


class Cut(Twin):
    """The half of a width converter that cuts beats of `per_beat` chunks; a vector is `chunks` chunks."""

    __slots__ = ("_final", "_index", "_per_beat")
    reactive = True

    def __init__(self, per_beat: int, chunks: int) -> None:
        self._per_beat, self._final = per_beat, (chunks - 1) % per_beat + 1
        self._index = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        if not inputs[0][1]:
            return inputs
        return _LAST if self._index == self._final else _MORE

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        ends = self._index == (self._final if inputs[0][1] else self._per_beat)
        return ready if ends else _STALLED

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._index = 1 if took[0] else self._index + 1


class Chain(Twin):
    """Two units of one input and one output each, one behind the other, as one."""

    __slots__ = ("_between", "_first", "_ready", "_second")

    def __init__(self, first: Twin, second: Twin) -> None:
        self._first, self._second = first, second
        self._between: Sequence[Beat] = _NONE
        self._ready: Sequence[bool] = _STALLED

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        self._between = self._first.offers(inputs)
        return self._second.offers(self._between)

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        self._ready = self._second.accepts(self._between, ready)
        return self._first.accepts(inputs, self._ready)

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        moved = _TAKEN if self._ready[0] and self._between[0][0] else _STALLED
        return min(self._first.leap(took, inputs, moved), self._second.leap(moved, self._between, gave))

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        moved = _TAKEN if self._ready[0] and self._between[0][0] else _STALLED
        between = self._between
        self._first.step(took, inputs, moved, times)
        self._second.step(moved, between, gave, times)


def width_converter(elements: int, i_lanes: int, o_lanes: int) -> Twin:
    """From `i_lanes` to `o_lanes` lanes a beat, `elements` a vector: a cut, a collection, both or none."""
    chunk = gcd(i_lanes, o_lanes)
    cut = Cut(i_lanes // chunk, -(-elements // chunk))
    collect = Collect(o_lanes // chunk)
    if i_lanes == chunk:
        return Wire() if o_lanes == chunk else collect
    return cut if o_lanes == chunk else Chain(cut, collect)


class Fork(Twin):
    """Each beat to `readers` readers, to each in its own time."""

    __slots__ = ("_done",)

    def __init__(self, readers: int) -> None:
        self._done = [False] * readers

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        beat = inputs[0]
        return [NONE if done else beat for done in self._done]

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        for done, takes in zip(self._done, ready, strict=True):
            if not (done or takes):
                return _STALLED
        return _TAKEN

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        if took[0]:
            return 1 if True in self._done else ENDLESS
        return 1 if True in gave else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        for k, given in enumerate(gave):
            if took[0]:
                self._done[k] = False
            elif given:
                self._done[k] = True


class Concat(Twin):
    """A vector of each of `inputs` streams in turn, made one."""

    __slots__ = ("_stalled", "_taken", "_turn")

    def __init__(self, inputs: int) -> None:
        self._turn = 0
        self._taken = [[k == turn for k in range(inputs)] for turn in range(inputs)]
        self._stalled = [False] * inputs

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        valid, last = inputs[self._turn]
        if not valid:
            return _NONE
        return _LAST if last and self._turn + 1 == len(self._taken) else _MORE

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return self._taken[self._turn] if ready[0] else self._stalled

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return 1 if gave[0] and inputs[self._turn][1] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] and inputs[self._turn][1]:
            self._turn = (self._turn + 1) % len(self._taken)


class VectorJoin(Twin):
    """Every `vectors` vectors made one."""

    __slots__ = ("_index", "_vectors")
    reactive = True

    def __init__(self, vectors: int) -> None:
        self._vectors = vectors
        self._index = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        if inputs[0][1]:
            return _LAST if self._index == self._vectors else _MORE
        return inputs

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return 1 if gave[0] and inputs[0][1] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] and inputs[0][1]:
            self._index = 1 if self._index == self._vectors else self._index + 1


class VectorSplit(Twin):
    """Every `beats` beats made a vector."""

    __slots__ = ("_beat", "_beats")
    reactive = True

    def __init__(self, beats: int) -> None:
        self._beats = beats
        self._beat = 1

    def offers(self, inputs: Sequence[Beat]) -> Sequence[Beat]:
        if inputs[0][0]:
            return _LAST if self._beat == self._beats else _MORE
        return _NONE

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return ready

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        return max(1, self._beats - self._beat) if gave[0] else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0]:
            self._beat = 1 if self._beat == self._beats else self._beat + times
