"""What units mean, written down from their descriptions: small models of numbers, windows and groups for a solver."""

from itertools import pairwise, product

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

# Of formats of so few bits, all codes are looked up.
LOOKED_UP = 8


def number(dtype, code):
    """The number that a storage code means: looked up, or of many bits, read."""
    if dtype.bits > LOOKED_UP:
        return Cat(code, code[-1] if dtype.kind == "int" else Const(0, 1)).as_signed()
    values = [int(v) for v in dtype.decode(range(1 << dtype.bits))]
    return Array(Const(v, signed(dtype.bits + 2)) for v in values)[code]


def storage(dtype, value):
    """The storage code of a number of the format: looked up, or of many bits, cut."""
    if dtype.bits > LOOKED_UP:
        return (value + Const(0, signed(dtype.bits + 1)))[: dtype.bits]
    values = range(dtype.min, dtype.max + 1, 2 if dtype.kind == "bipolar" else 1)
    found = Const(0, dtype.bits)
    for v in values:
        found = Mux(value == v, Const(int(dtype.encode(v)), dtype.bits), found)
    return found[: dtype.bits]


def legal_codes(dtype, word):
    """Whether a word of codes has only such as mean a number in one way: not a ternary zero with a sign."""
    legal = Const(1)
    if dtype.kind == "ternary":
        for at in range(0, len(word), 2):
            legal = legal & (word[at + 1] | ~word[at])
    return legal


def lanes(payload, width):
    """The lanes of a payload's data."""
    data = payload.data
    return [data[at : at + width] for at in range(0, len(data), width)]


def windows(height, width, geometry):
    """The windows of a map, each a list of taps row by row: (row, column), or None for one that is outside."""
    (kh, kw), (sy, sx), (dy, dx) = geometry.kernel, geometry.strides, geometry.dilations
    rows, columns = geometry.output(height, width)
    for top, left in product(range(rows), range(columns)):
        taps = []
        for ty, tx in product(range(kh), range(kw)):
            y, x = top * sy + ty * dy - geometry.pads[0], left * sx + tx * dx - geometry.pads[1]
            taps.append((y, x) if 0 <= y < height and 0 <= x < width else None)
        yield taps


def counted(thresholds, total):
    """How many of the thresholds a number reaches."""
    return sum((total >= Const(t, signed(34)) for t in thresholds), Const(0, 1))


class Chain(wiring.Component):
    """Units of one input and one output each, one behind the other."""

    def __init__(self, units):
        self._units = units
        shapes = units[0].i.payload.shape(), units[-1].o.payload.shape()
        super().__init__({"i": In(stream.Signature(shapes[0])), "o": Out(stream.Signature(shapes[1]))})

    def elaborate(self, platform):
        m = Module()
        for k, unit in enumerate(self._units):
            m.submodules[f"unit{k}"] = unit
        wiring.connect(m, wiring.flipped(self.i), self._units[0].i)
        for before, after in pairwise(self._units):
            wiring.connect(m, before.o, after.i)
        wiring.connect(m, self._units[-1].o, wiring.flipped(self.o))
        return m


class Loaded(wiring.Component):
    """A matrix-vector unit whose weights are loaded, with `words` that are, before a beat can come in."""

    def __init__(self, unit, words):
        self._unit, self._words = unit, words
        shapes = unit.i.payload.shape(), unit.o.payload.shape()
        super().__init__({"i": In(stream.Signature(shapes[0])), "o": Out(stream.Signature(shapes[1]))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = self._unit
        step = Signal(range(len(self._words) + 2))
        loaded = step == len(self._words) + 1
        with m.If(~loaded):
            m.d.sync += step.eq(step + 1)
        with m.Switch(step):
            with m.Case(0):
                m.d.comb += unit.begin.eq(1)
            for k, word in enumerate(self._words):
                with m.Case(k + 1):
                    m.d.comb += [unit.load.valid.eq(1), unit.load.payload.eq(word)]
        m.d.comb += [
            unit.i.payload.eq(self.i.payload),
            unit.i.valid.eq(self.i.valid & loaded),
            self.i.ready.eq(unit.i.ready & loaded),
        ]
        wiring.connect(m, unit.o, wiring.flipped(self.o))
        return m
