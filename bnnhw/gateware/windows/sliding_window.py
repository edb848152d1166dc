"""Sliding window: from the pixels of a map to the pixels of its windows, over a buffer of a few lines."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from bnnhw.gateware.data_register import data_register
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.memory import ram_attributes
from bnnhw.gateware.windows.line_banks import LineBanks


def taps_layout(width):
    """Payload of a stream of taps: `skip` marks one outside the map, `last` closes those of one result."""
    return data.StructLayout({"data": width, "skip": 1, "last": 1})


class SlidingWindow(wiring.Component):
    """Takes every pixel of a map once and gives the pixels of each window.

    Pixels come in raster order, ``channels / lanes`` beats each, and go through a ring of lines. A row of windows is
    read as soon as the lines that it needs are complete; meanwhile the lines that the next row needs besides come in,
    also those of the next frame. No address is ever multiplied: each level of the loop over rows, columns, taps and
    channels adds a constant. The lines are in one memory, and a window comes tap by tap; or each is in a memory of its
    own (`tall`), and all taps of a column come at once.

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
    fill : int or None
        Storage code of every channel outside the map; None where taps outside are marked instead (for pools).
    channels_outer : bool
        Order within a window: all taps for one beat's channels, then for the next (for what works channel by channel),
        instead of all channels of one tap, then of the next (the columns of a matrix).
    depth : int
        Beats that the memory holds at least; 0, or one that is too small, stands for as few as will do.
    kind : str
        Kind of memory, see `VectorBuffer`.

    Members
    -------
    i : In(stream), payload ``{data: lane_bits * lanes, last: 1}``
        `last` is not needed: pixels are counted.
    o : Out(stream), payload ``{data: lane_bits * lanes, last: 1}``, `data` a kernel's height wider where `tall`
        `last` closes each window, or with `channels_outer` the taps of the same channels. Without a `fill` the payload
        is ``{data, skip: 1, last: 1}``: `skip` marks a tap outside the map, whose data mean nothing.

    Timing
    ------
    The first beat of a row of windows goes out 2 cycles after the last beat of the last line that it needs came in,
    if the rows before are gone; then one beat per cycle, ``taps * channels / lanes`` cycles per window, or as many as
    its columns have where `tall`. Input, a beat per cycle, stalls while the line that comes next has no place: see
    `capacity`.

    Raises
    ------
    ValueError
        If no window fits, `lanes` does not divide `channels`, `fill` has too many bits, the kind of memory is
        unknown, both orders are asked for, or a mark for all taps of a column.
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
        tall=False,
        depth=0,
        kind="block",
    ):
        if tall and channels_outer:
            raise ValueError("a tall window has the channels of a column together, not outside")
        if tall and fill is None:
            raise ValueError("a tall window needs a fill: one mark is not enough for a column")
        if channels % lanes:
            raise ValueError(f"lanes must divide the {channels!r} channels, not {lanes!r}")
        if fill is not None and (fill < 0 or fill >> lane_bits):
            raise ValueError(f"fill must be a code of {lane_bits!r} bits, not {fill!r}")
        self._windows = geometry.output(height, width)
        self._schedule = geometry.schedule(height)
        self._lane_bits = lane_bits
        self._lanes = lanes
        self._chunks = channels // lanes
        self._height = height
        self._width = width
        self._line = width * self._chunks
        self._capacity = geometry.capacity(height, self._line, depth, tall=tall)
        self._depth = geometry.depth(height, self._line, depth)
        self._geometry = geometry
        self._fill = fill
        self._channels_outer = channels_outer
        self._tall = tall
        self._kind = kind
        ram_attributes(kind)
        layout = taps_layout if fill is None else frame_layout
        rows = geometry.kernel[0] if tall else 1
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(lane_bits * lanes))),
                "o": Out(stream.Signature(layout(lane_bits * lanes * rows))),
            }
        )

    @property
    def capacity(self):
        """Lines that the memory holds."""
        return self._capacity

    def elaborate(self, platform):
        m = Module()
        room = Signal(range(self.capacity + 1), init=self.capacity)  # lines that may come
        column = Signal(range(self._line))
        taken, came = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(room != 0),
            taken.eq(self.i.valid & self.i.ready),
            came.eq(taken & (column == self._line - 1)),
        ]
        with m.If(taken):
            m.d.sync += column.eq(Mux(came, 0, column + 1))
        gone = self._read(m, self._lines(m, taken, came, column), room)
        m.d.sync += room.eq(room - came + gone)
        return m

    def _lines(self, m, taken, came, column):
        """The memory, beats being `taken` into it; gives the ports of its reads: enable, line, place and data."""
        width = self._lane_bits * self._lanes
        if self._tall:
            rows, down = self._geometry.kernel[0], self._geometry.dilations[0]
            m.submodules.memory = banks = LineBanks(width, self._line, self.capacity, rows, down, kind=self._kind)
            m.d.comb += [
                banks.w_data.eq(self.i.payload.data),
                banks.w_place.eq(column),
                banks.w_en.eq(taken),
                banks.w_closes.eq(came),
            ]
            return banks.r_en, banks.r_line, banks.r_place, banks.r_data
        m.submodules.memory = memory = Memory(shape=width, depth=self._depth, init=[], attrs=ram_attributes(self._kind))
        write, read = memory.write_port(), memory.read_port(domain="sync")
        place = Signal(range(self._depth))
        m.d.comb += [write.addr.eq(place), write.data.eq(self.i.payload.data), write.en.eq(taken)]
        with m.If(taken):
            m.d.sync += place.eq(place + 1)
        return read.en, None, read.addr, read.data

    def _levels(self):
        """The loop over a frame's reads, innermost level first: its name, its steps, and what a step adds to the
        coordinates: x and y on the map, and where that is in the memory, line and place."""
        (kh, kw), (sy, sx), (dy, dx) = self._geometry.kernel, self._geometry.strides, self._geometry.dilations
        rows, columns = self._windows
        channel = ("channel", self._chunks, {"place": 1})
        across = ("tap_x", kw, {"place": dx * self._chunks, "x": dx})
        down = ("tap_y", kh, {"place": dy * self._line, "y": dy})
        inner = [channel, across] if self._tall else [channel, across, down]
        # In memories of their own, lines are not behind each other.
        line = 0 if self._tall else self._line
        return [
            *([across, down, channel] if self._channels_outer else inner),
            ("column", columns, {"place": sx * self._chunks, "x": sx}),
            ("row", rows, {"place": sy * line, "y": sy, "line": sy}),
            ("frame", 1, {"place": self._height * line, "line": self._height}),
        ]

    def _read(self, m, port, room):
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
        window = "tap_x" if self._tall else "tap_y"

        needs, frees = zip(*self._schedule, strict=True)
        most_room = _by_row(m, row, "most_room", [self.capacity - need for need in needs])
        free = _by_row(m, row, "free", frees)
        m.d.comb += [
            enough.eq(room <= most_room),
            moving.eq(enough & ready),
        ]

        above, left = self._geometry.pads[:2]
        r_en, r_line, r_place, r_data = port
        if self._tall:
            line = self._counter(m, moving, closes, "line", -above, self.capacity)
            place = self._counter(m, moving, closes, "place", -left * self._chunks, 1 << ceil_log2(self._line))
            m.d.comb += r_line.eq(line)
        else:
            first = -(above * self._width + left) * self._chunks
            place = self._counter(m, moving, closes, "place", first, self._depth)
        m.d.comb += [r_place.eq(place), r_en.eq(moving), self.o.payload.data.eq(r_data)]
        skips = self._outside(m, moving, closes)
        last = data_register(m, self.o.payload.last)
        with m.If(ready):
            m.d.sync += self.o.valid.eq(enough)
        with m.If(moving):
            m.d.sync += last.eq(closes[window])
        if self._fill is None:
            skip = data_register(m, self.o.payload.skip)
            with m.If(moving):
                m.d.sync += skip.eq(Cat(skips).any())
            return Mux(closes["column"], free, 0)
        bits = self._lane_bits * self._lanes
        filled = sum(self._fill << (self._lane_bits * lane) for lane in range(self._lanes))
        for k, outside in enumerate(skips):
            if isinstance(outside, Const):
                continue  # always on the map
            skip = Signal(name=f"skip{k}", reset_less=True)
            with m.If(moving):
                m.d.sync += skip.eq(outside)
            with m.If(skip):
                m.d.comb += self.o.payload.data.word_select(k, bits).eq(filled)
        return Mux(closes["column"], free, 0)

    def _outside(self, m, moving, closes):
        """For each tap of the beat that is being read, whether it is outside the map."""
        taps = [self._geometry.dilations[0] * k for k in range(self._geometry.kernel[0])] if self._tall else [0]
        aside = Const(0)
        before, span = self._span(1, self._width)
        if span:
            aside = self._counter(m, moving, closes, "x", -before, span) >= self._width
        before, span = self._span(0, self._height)
        if not span:
            return [aside for _ in taps]
        y = self._counter(m, moving, closes, "y", -before, span)
        return [((y + down)[: len(y)] >= self._height) | aside for down in taps]

    def _span(self, axis, size):
        """Positions before the map, and a power of two of positions from there on; 0 where all are in the map."""
        before = self._geometry.pads[axis]
        reach = (self._windows[axis] - 1) * self._geometry.strides[axis] + self._geometry.extent[axis] - before
        return before, 1 << ceil_log2(max(reach, size) + before) if before or reach > size else 0

    def _counter(self, m, moving, closes, name, first, span):
        """A place or position of the read, modulo the power of two `span`: positions before the map are behind it."""
        counter, step = Signal(range(span), name=name, init=first % span), Signal(range(span), name=f"{name}_step")
        back = 0  # from the first step of all levels within to their last
        levels = self._levels()
        for k, (_, steps, strides) in enumerate(levels):
            delta = Const((strides.get(name, 0) - back) % span, range(span))
            if k == 0:
                m.d.comb += step.eq(delta)
            else:
                with m.If(closes[levels[k - 1][0]]):
                    m.d.comb += step.eq(delta)
            back += (steps - 1) * strides.get(name, 0)
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
