"""Sliding window: from the pixels of a map to the pixels of its windows, over a buffer of a few lines."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.memory import ram_attributes
from bnnhw.gateware.streams import frame_layout


def taps_layout(width):
    """Payload of a stream of taps: `skip` marks one outside the map, `last` closes those of one result."""
    return data.StructLayout({"data": width, "skip": 1, "last": 1})


class SlidingWindow(wiring.Component):
    """Takes every pixel of a map once and gives the pixels of each window.

    Pixels come in raster order, ``channels / lanes`` beats each, and go through a ring of lines in one memory. A row
    of windows is read as soon as the lines that it needs are complete; meanwhile the lines that the next row needs
    besides come in, also those of the next frame. No address is ever multiplied: each level of the loop over rows,
    columns, taps and channels adds a constant.

    Parameters
    ----------
    lane_bits : int
        Bits of one channel.
    channels : int
        Channels of a pixel.
    lanes : int
        Channels per beat, a divisor of `channels`.
    height, width : int
        Rows and columns of the map.
    geometry : Geometry
        Where the windows lie.
    fill : int
        Storage code of every channel outside the map.
    channels_outer : bool
        Order within a window: all taps for one beat's channels, then for the next (for pools), instead of all
        channels of one tap, then of the next (the columns of a matrix).
    depth : int
        Beats that the memory holds, a power of two; 0, or one that is too small, stands for as few as will do.
    kind : str
        Kind of memory, see `VectorBuffer`.

    Members
    -------
    i : In(stream), payload ``{data: lane_bits * lanes, last: 1}``
        `last` is not needed: pixels are counted.
    o : Out(stream), payload ``{data: lane_bits * lanes, last: 1}``
        `last` closes each window. With `channels_outer` the payload is ``{data, skip: 1, last: 1}``: `last` closes
        the taps of the same channels, `skip` marks a tap outside the map, whose data mean nothing.

    Timing
    ------
    The first beat of a row of windows goes out 2 cycles after the last beat of the last line that it needs came in,
    if the rows before are gone; then one beat per cycle, ``taps * channels / lanes`` cycles per window. Input, a beat
    per cycle, stalls while the line that comes next has no place: see `capacity`.

    Raises
    ------
    ValueError
        If no window fits, `lanes` does not divide `channels`, `fill` has too many bits, or the kind of memory is
        unknown.
    """

    def __init__(
        self,
        lane_bits,
        channels,
        lanes,
        height,
        width,
        geometry,
        *,
        fill=0,
        channels_outer=False,
        depth=0,
        kind="block",
    ):
        if channels % lanes:
            raise ValueError(f"lanes must divide the {channels!r} channels, not {lanes!r}")
        if fill < 0 or fill >> lane_bits:
            raise ValueError(f"fill must be a code of {lane_bits!r} bits, not {fill!r}")
        self._windows = geometry.output(height, width)
        self._schedule = geometry.schedule(height)
        self._lane_bits = lane_bits
        self._lanes = lanes
        self._chunks = channels // lanes
        self._height = height
        self._width = width
        self._line = width * self._chunks
        self._depth = geometry.depth(height, self._line, depth)
        self._geometry = geometry
        self._fill = fill
        self._channels_outer = channels_outer
        self._attrs = ram_attributes(kind)
        layout = taps_layout if channels_outer else frame_layout
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(lane_bits * lanes))),
                "o": Out(stream.Signature(layout(lane_bits * lanes))),
            }
        )

    @property
    def capacity(self):
        """Lines that the memory holds."""
        return self._depth // self._line

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self._lane_bits * self._lanes, depth=self._depth, init=[], attrs=self._attrs
        )
        room = Signal(range(self.capacity + 1), init=self.capacity)  # lines that may come
        came = self._write(m, memory.write_port(), room)
        gone = self._read(m, memory.read_port(domain="sync"), room)
        m.d.sync += room.eq(room - came + gone)
        return m

    def _write(self, m, write, room):
        """Writes beats one behind the other, modulo the depth; says when a line is complete."""
        place, column = Signal(range(self._depth)), Signal(range(self._line))
        came = Signal()
        m.d.comb += [
            self.i.ready.eq(room != 0),
            write.addr.eq(place),
            write.data.eq(self.i.payload.data),
            write.en.eq(self.i.valid & self.i.ready),
            came.eq(write.en & (column == self._line - 1)),
        ]
        with m.If(write.en):
            m.d.sync += [place.eq(place + 1), column.eq(Mux(came, 0, column + 1))]
        return came

    def _levels(self):
        """The loop over a frame's reads, innermost level first: name, steps, and what one adds to place, x and y."""
        (kh, kw), (sy, sx), (dy, dx) = self._geometry.kernel, self._geometry.strides, self._geometry.dilations
        rows, columns = self._windows
        channel = ("channel", self._chunks, (1, 0, 0))
        taps = [("tap_x", kw, (dx * self._chunks, dx, 0)), ("tap_y", kh, (dy * self._line, 0, dy))]
        return [
            *([*taps, channel] if self._channels_outer else [channel, *taps]),
            ("column", columns, (sx * self._chunks, sx, 0)),
            ("row", rows, (sy * self._line, 0, sy)),
            ("frame", 1, (self._height * self._line, 0, 0)),
        ]

    def _read(self, m, read, room):
        """Reads windows row by row; says how many lines are given up."""
        ready = self.o.ready | ~self.o.valid
        enough, moving = Signal(), Signal()
        levels = self._levels()
        closes = {}  # whether a read is the last of all steps of a level
        inner = moving
        for name, steps, _ in levels[:-1]:
            index = Signal(range(steps), name=name)
            closes[name] = Signal(name=f"closes_{name}")
            m.d.comb += closes[name].eq(inner & (index == steps - 1))
            with m.If(inner):
                m.d.sync += index.eq(Mux(closes[name], 0, index + 1))
            if name == "row":
                row = index
            inner = closes[name]

        needs, frees = zip(*self._schedule, strict=True)
        most_room = _by_row(m, row, "most_room", [self.capacity - need for need in needs])
        free = _by_row(m, row, "free", frees)
        m.d.comb += [
            enough.eq(room <= most_room),
            moving.eq(enough & ready),
        ]

        above, left = self._geometry.pads[:2]
        first = -(above * self._width + left) * self._chunks
        place = self._counter(m, moving, closes, "place", first, self._depth)
        outside = [
            self._counter(m, moving, closes, name, -before, span) >= size
            for name, axis, size in (("x", 1, self._width), ("y", 0, self._height))
            for before, span in [self._span(axis, size)]
            if span
        ]
        m.d.comb += [read.addr.eq(place), read.en.eq(moving), self.o.payload.data.eq(read.data)]
        skip = self.o.payload.skip if self._channels_outer else Signal()
        with m.If(ready):
            m.d.sync += self.o.valid.eq(enough)
        with m.If(moving):
            m.d.sync += [self.o.payload.last.eq(closes["tap_y"]), skip.eq(Cat(outside).any())]
        if outside and not self._channels_outer:
            with m.If(skip):
                m.d.comb += self.o.payload.data.eq(
                    sum(self._fill << (self._lane_bits * lane) for lane in range(self._lanes))
                )
        return Mux(closes["column"], free, 0)

    def _span(self, axis, size):
        """Positions before the map, and a power of two of positions from there on; 0 where all are in the map."""
        before = self._geometry.pads[axis]
        reach = (self._windows[axis] - 1) * self._geometry.strides[axis] + self._geometry.extent[axis] - before
        return before, 1 << ceil_log2(max(reach, size) + before) if before or reach > size else 0

    def _counter(self, m, moving, closes, name, first, span):
        """A place or position of the read, modulo the power of two `span`: positions before the map are behind it."""
        counter, step = Signal(range(span), name=name, init=first % span), Signal(range(span), name=f"{name}_step")
        coordinate = ("place", "x", "y").index(name)
        back = 0  # from the first step of all levels within to their last
        levels = self._levels()
        for k, (_, steps, strides) in enumerate(levels):
            delta = Const((strides[coordinate] - back) % span, range(span))
            if k == 0:
                m.d.comb += step.eq(delta)
            else:
                with m.If(closes[levels[k - 1][0]]):
                    m.d.comb += step.eq(delta)
            back += (steps - 1) * strides[coordinate]
        with m.If(moving):
            m.d.sync += counter.eq(counter + step)
        return counter


def _by_row(m, row, name, values):
    """`values` by the row of windows: few of them differ from the rest."""
    usual = max(values, key=values.count)
    value = Signal(range(max(values) + 1), name=name, init=usual)
    with m.Switch(row):
        for other in sorted({*values} - {usual}):
            with m.Case(*(k for k, found in enumerate(values) if found == other)):
                m.d.comb += value.eq(other)
    return value
