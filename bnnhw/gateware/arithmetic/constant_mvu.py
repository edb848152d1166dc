"""Matrix-vector unit whose weights are logic: a whole vector goes in and all its sums come out, every cycle."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bnnhw.arithmetic.adder_graphs import Adder, outputs_of, schedule
from bnnhw.gateware.arithmetic.adder_chain import bit, chain
from bnnhw.gateware.arithmetic.codes import lanes_of
from bnnhw.gateware.arithmetic.pe import activation_planes
from bnnhw.gateware.arithmetic.popcount import LONGEST_CHAIN
from bnnhw.gateware.frame_layout import frame_layout
from bnnhw.gateware.streams.stream_fifo import StreamFifo


class ConstantMatrixUnit(wiring.Component):
    """Multiplies vectors by a constant matrix that is folded into adders.

    The adders are a pipeline that never stops: a vector is let in only if the FIFO at its end has a place for
    it. So no register has an enable, and no stall has to reach more than a counter.

    Parameters
    ----------
    netlist : Netlist
        The sums of the planes of the inputs' bits, those of element 0 first.
    input_dtype : DataType
        Format of the activations.
    width : int
        Bits of a sum. Where the netlist has only the sign of it, it is -1 or 0.
    order : list of int or None
        Which element of a beat is each element of the netlist, where the order is another one.
    lanes : int or None
        Elements of a beat, where there are more than the netlist has: what is behind these means nothing.
    levels : int or None
        LUTs or carry chains between two registers; ``None`` for no registers between them.
    registered : bool
        Whether an input vector is held in registers first: not where registers give it.
    kind : str
        Kind of memory of the FIFO, see `StreamFifo`.
    family : str
        ``"ice40"`` or ``"ecp5"``: decides how long carry chains are, and of which cells.

    Members
    -------
    i : In(stream), payload ``{data: elements * input_dtype.bits, last: 1}``
        A vector each beat.
    o : Out(stream), payload ``{data: sums x signed(width), last: 1}``
        `last` is set: each beat is a vector.

    Timing
    ------
    Latency `latency` cycles, a vector per cycle. A stall of the output holds the input once the FIFO, which has
    room for all that the pipeline holds, is full.

    Raises
    ------
    ValueError
        If the netlist's inputs are no whole elements, a beat does not hold these, or a sum is wider than `width`.
    """

    def __init__(
        self,
        netlist,
        input_dtype,
        *,
        width,
        order=None,
        lanes=None,
        levels=None,
        registered=True,
        kind="lutram",
        family="ecp5",
    ):
        planes = len(input_dtype.plane_weights)
        if not netlist.inputs or netlist.inputs % planes or any(len(word) > width for word in netlist.sums):
            raise ValueError(
                f"a netlist of {netlist.inputs!r} inputs and sums of up to {max(map(len, netlist.sums))!r} bits does "
                f"not fit elements of {planes!r} planes and sums of {width!r} bits"
            )
        elements = netlist.inputs // planes
        if lanes is not None and lanes < elements:
            raise ValueError(f"beats of {lanes!r} elements do not hold the {elements!r} of a vector")
        self._netlist = netlist
        self._schedule = schedule(netlist, levels)
        self._input = input_dtype
        self._width = width
        self._order = list(range(elements)) if order is None else order
        self._registered = registered
        self._kind = kind
        self._family = family
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout((lanes or elements) * input_dtype.bits))),
                "o": Out(stream.Signature(frame_layout(data.ArrayLayout(signed(width), len(netlist.sums))))),
            }
        )

    @property
    def depth(self):
        """Vectors that the unit can hold."""
        return self._schedule.held - (not self._registered)

    @property
    def latency(self):
        return self._schedule.stages + 1 + self._registered

    def elaborate(self, platform):
        m = Module()
        words = self._netlist.sums
        m.submodules.fifo = fifo = StreamFifo(sum(map(len, words)), self.depth, kind=self._kind)
        held = Signal(range(self.depth + 1))
        accept, leave = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += self.i.ready.eq(held != self.depth)
        # Whether a vector leaves is known last: it chooses between two sums, and does not go through one.
        m.d.sync += held.eq(Mux(leave, held + accept - 1, held + accept))

        # What is on its way: the last register before the FIFO is at the end.
        valid = Signal(self.latency - 2)
        m.d.sync += valid.eq(Cat(accept, valid[:-1]))
        lanes = lanes_of(self.i.payload.data, self._input.bits)
        x = Signal(self._netlist.inputs, reset_less=True)
        planes = Cat(activation_planes(self._input, lanes[k]) for k in self._order)
        m.d["sync" if self._registered else "comb"] += x.eq(planes)
        logic = Logic(m, x, self._netlist, self._schedule, self._family)
        m.d.comb += [
            fifo.i.valid.eq(Cat(accept, valid)[-1]),
            fifo.i.payload.data.eq(Cat(logic.word(word) for word in words)),
            fifo.i.payload.last.eq(1),
            fifo.o.ready.eq(self.o.ready),
            self.o.valid.eq(fifo.o.valid),
            self.o.payload.last.eq(1),
        ]
        at = 0
        for word, target in zip(words, self.o.payload.data, strict=True):
            m.d.comb += target.eq(fifo.o.payload.data[at : at + len(word)].as_signed())
            at += len(word)
        return m


class Logic:
    """The gates of a netlist and the registers between them, built into one module."""

    def __init__(self, m, x, netlist, plan, family):
        self._m = m
        self._family = family
        self._stages = plan.stages
        # Each signal where it is made, then behind one register after the other.
        self._signals = {k + 1: [bit] for k, bit in enumerate(x)}
        self._made = dict.fromkeys(self._signals, 0)
        levels = {}
        for gate, stage, depth in zip(netlist.gates, plan.of_gate, plan.depth, strict=True):
            levels.setdefault((depth, stage), []).append(gate)
        for (_, stage), gates in sorted(levels.items()):
            self._level(gates, stage)

    def word(self, bits):
        """A number at the end of the last stage."""
        return Cat(self._literal(bit, self._stages - 1) for bit in bits)

    def _level(self, gates, stage):
        """Nodes none of which reads another; carry chains lie end to end, as far as they may."""
        limit = LONGEST_CHAIN[self._family]
        chains = [[]]
        for gate in gates:
            if not isinstance(gate, Adder):
                signals = [self._at(signal, stage) for signal in gate.signals]
                self._give(gate, stage, self._table(signals, gate.table))
            elif sum(1 + len(other.outputs) for other in (*chains[-1], gate)) <= limit:
                chains[-1].append(gate)
            else:
                chains.append([gate])
        for adders in filter(None, chains):
            positions = []
            for gate in adders:
                positions.append((bit(self._literal(gate.carry, stage)),))
                for pair in zip(gate.a, gate.b, strict=True):
                    positions.append(tuple(bit(self._literal(literal, stage)) for literal in pair))
            total = chain(self._m, positions, vendor=self._family == "ecp5")
            at = 0
            for gate in adders:
                self._give(gate, stage, total[at + 1 : at + 1 + len(gate.outputs)])
                at += 1 + len(gate.outputs)

    def _table(self, signals, entries):
        return function(signals, entries)

    def _give(self, gate, stage, value):
        word = Signal(len(value), name="sum" if isinstance(gate, Adder) else "bit")
        self._m.d.comb += word.eq(value)
        for output, made in zip(outputs_of(gate), word, strict=True):
            self._signals[output] = [made]
            self._made[output] = stage

    def _at(self, signal, stage):
        """A signal as it is in a later stage."""
        line = self._signals[signal]
        while len(line) <= stage - self._made[signal]:
            register = Signal(name="delay", reset_less=True)
            self._m.d.sync += register.eq(line[-1])
            line.append(register)
        return line[stage - self._made[signal]]

    def _literal(self, literal, stage):
        if literal < 2:
            return Const(literal, 1)
        value = self._at(literal >> 1, stage)
        return ~value if literal & 1 else value


def function(signals, table):
    """The function of some bits that is bit k of `table` where they read as the number k."""
    if not signals:
        return Const(table, 1)
    *rest, last = signals
    ones = (1 << (1 << len(rest))) - 1
    low, high = table & ones, table >> (1 << len(rest))
    if low == high:
        return function(rest, low)
    if low ^ high == ones:
        return last ^ function(rest, low) if low else last
    if low in (0, ones):
        return last & function(rest, high) if low == 0 else ~last | function(rest, high)
    if high in (0, ones):
        return ~last & function(rest, low) if high == 0 else last | function(rest, low)
    return Mux(last, function(rest, high), function(rest, low))
