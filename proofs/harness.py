"""A circuit around any unit with streams that says what the unit has to do, for a solver to look for an exception.

The environment does whatever the rules of a stream allow: inputs offer beats or not, with any data, outputs are taken or
not. What the unit does is cut into *periods*: a fixed number of beats of each input makes a fixed number of each
output. One period is tracked, any of them (the solver chooses): its beats are remembered when they come in, and each
beat of the same period that comes out must be what `Spec.expected` makes of them. So a beat that is lost, doubled,
changed or out of place shows in some period, and no model needs the unit's states.

Three families of properties, each one bit that must never be set:

* `rules`: a beat that is offered and not taken is still offered in the next cycle, and is the same.
* `data`: every beat that is offered is the one that is due; a unit that offers one before its data came shows as well, as
  what has not come in yet may be anything.
* `progress`: when all beats of a period are in, each of its beats is offered within `Spec.hang_cycles` cycles, whether it
  would be taken or not; and when every input offers and every output takes, some beat moves in that time.

To show that none of them is idle, `faults` puts a saboteur behind each output, which breaks one beat in one way; the
solver must then reach each violation that `FAULTS` names.
"""

from amaranth.asserts import AnyConst
from amaranth.hdl import Array, Assert, Assume, Cat, ClockDomain, Const, Cover, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib.wiring import In

# What a saboteur does to a beat, and the family of properties that tells.
FAULTS = {
    "withdraws a beat": "rules",
    "changes a beat that waits": "rules",
    "flips a bit": "data",
    "flips last": "data",
    "loses a beat": "data",
    "doubles a beat": "data",
    "hangs": "progress",
}
FAMILIES = ("rules", "data", "progress")


class Any:
    """Bits of an expected beat that may be anything."""

    def __init__(self, width):
        self.width = width


class Spec:
    """What a unit does with a period.

    Parameters
    ----------
    i_beats, o_beats : dict of str to int
        Streams of the unit with their beats in a period.
    expected : function
        From the name of an output, the beat's number in its period, and a dict of the payloads that came in during the
        period (lists, in order), to the beat: a list of Values and `Any` for its data, lane 0 first, and its other fields
        by name, as ``(data, {"last": 1})``.
    hang_cycles : int
        See the family `progress`.
    i_last : function or None
        Whether beat k of an input's period has `last`; None leaves that to the solver.
    legal : function or None
        A condition on an input's payload that the environment keeps: name and payload to a Value, or None.
    """

    def __init__(self, i_beats, o_beats, expected, *, hang_cycles, i_last=None, legal=None):
        self.i_beats = i_beats
        self.o_beats = o_beats
        self.expected = expected
        self.hang_cycles = hang_cycles
        self.i_last = i_last
        self.legal = legal


def streams(unit, flow):
    """Names of a unit's inputs (`In`) or outputs (`Out`)."""
    return [name for name, member in unit.signature.members.items() if member.flow == flow]


def field(payload, name):
    """A field of a payload; one that is no layout is its `data`."""
    if isinstance(payload, Value):
        assert name == "data"
        return payload
    return Value.cast(payload[name])


def has_last(payload):
    """Whether a payload is that of a stream of frames."""
    return not isinstance(payload, Value)


class StreamHarness(Elaboratable):
    """See the module.

    Parameters
    ----------
    unit : wiring.Component
        All its members are streams, except other outputs, which are left alone.
    spec : Spec
    depth : int
        Cycles that are looked at: so much has to be counted.
    families : sequence of str
        The families to assert.
    faults : bool
        Whether to look for violations behind saboteurs instead of asserting that there are none.
    sticky : bool
        Whether what is asserted in a cycle is that nothing was wrong up to it.
    """

    def __init__(self, unit, spec, depth, *, families=FAMILIES, faults=False, sticky=True):
        self._unit = unit
        self._sticky = sticky
        self._spec = spec
        self._depth = depth
        self._families = families
        self._faults = faults
        self._inputs = streams(unit, In)
        self._outputs = [name for name in unit.signature.members if name not in self._inputs]
        self._clock = ClockDomain("sync", reset_less=True)
        self._free = {}
        for name in self._inputs:
            self._free[name] = (
                Signal(name=f"{name}_valid"),
                Signal(len(Value.cast(getattr(unit, name).payload)), name=f"{name}_payload"),
            )
        for name in self._outputs:
            self._free[name] = (Signal(name=f"{name}_ready"),)
        self.ports = [self._clock.clk, *(signal for signals in self._free.values() for signal in signals)]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self._clock
        m.submodules.unit = self._unit
        self._fault = chosen(m, "fault", len(FAULTS).bit_length())
        self._at = chosen(m, "fault_at", 3)
        period = chosen(m, "tracked", self._depth.bit_length())
        outputs = {name: self._sabotaged(m, name) for name in self._outputs}

        track = "data" in self._families or "progress" in self._families
        came, gone, handshakes = {}, {}, []
        payloads = {}
        for name in self._inputs:
            port = self._environment(m, name)
            came[name], payloads[name], moved = self._input(m, name, port, period, track)
            handshakes.append(moved)
        bad = {family: [] for family in FAMILIES}
        for name, (valid, ready, payload) in outputs.items():
            self._rules(m, name, valid, ready, payload, bad["rules"])
            gone[name] = self._output(m, name, valid, ready, payload, payloads, period, bad["data"], track)
            handshakes.append(valid & ready)
        if track:
            self._progress(m, outputs, came, gone, handshakes, bad["progress"])
        if not self._faults:
            violations = Cat(violation for family in self._families for violation in bad[family])
            if self._sticky:
                # One question at the last cycle instead of one at each: it must say what ever happened.
                before = Signal()
                m.d.sync += before.eq(before | violations.any())
                m.d.comb += Assert(~before & ~violations.any())
            else:
                m.d.comb += Assert(~violations.any())
            return m
        for k, (fault, family) in enumerate(FAULTS.items(), 1):
            if fault == "flips last" and not any(has_last(payload) for _, _, payload in outputs.values()):
                continue
            m.d.comb += Cover((self._fault == k) & Cat(bad[family]).any())
        # And with no fault, the end of a second period is reached on every output.
        m.d.comb += Cover((self._fault == 0) & Cat(count > 1 for count in gone.values()).all())
        return m

    def _environment(self, m, name):
        """An input whose beats are free, but wait until they are taken."""
        port = getattr(self._unit, name)
        valid, payload = self._free[name]
        m.d.comb += [port.valid.eq(valid), Value.cast(port.payload).eq(payload)]
        waits, held = Signal(name=f"{name}_waits"), Signal.like(payload, name=f"{name}_held")
        m.d.sync += [waits.eq(valid & ~port.ready), held.eq(payload)]
        m.d.comb += Assume(~waits | (valid & (payload == held)))
        if self._spec.legal is not None:
            legal = self._spec.legal(name, port.payload)
            if legal is not None:
                m.d.comb += Assume(legal)
        return port

    def _count(self, m, name, beats, moved):
        """Beat of the period and number of the period, of a stream."""
        beat = Signal(range(max(2, beats)), name=f"{name}_beat")
        period = Signal(self._depth.bit_length(), name=f"{name}_period")
        with m.If(moved):
            m.d.sync += beat.eq(beat + 1)
            with m.If(beat == beats - 1):
                m.d.sync += [beat.eq(0), period.eq(period + 1)]
        return beat, period

    def _input(self, m, name, port, period, track):
        """Periods that are in, the tracked period's payloads, and whether a beat comes."""
        beats = self._spec.i_beats[name]
        moved = Signal(name=f"{name}_moved")
        m.d.comb += moved.eq(port.valid & port.ready)
        beat, periods = self._count(m, name, beats, moved)
        if self._spec.i_last is not None and has_last(port.payload):
            ends = Array(Const(int(self._spec.i_last(name, k)), 1) for k in range(beats))[beat]
            m.d.comb += Assume(port.payload.last == ends)
        if not track:
            return periods, [], moved
        payloads = []
        for k in range(beats):
            bits = Value.cast(port.payload)
            kept, there = Signal(len(bits), name=f"{name}_kept{k}"), Signal(name=f"{name}_there{k}")
            now = port.valid & (periods == period) & (beat == k)
            with m.If(now & moved):
                m.d.sync += [kept.eq(bits), there.eq(1)]
            value = Signal(port.payload.shape(), name=f"{name}_payload{k}")
            m.d.comb += Value.cast(value).eq(
                Mux(now, bits, Mux(there, kept, chosen(m, f"{name}_unknown{k}", len(bits))))
            )
            payloads.append(value)
        return periods, payloads, moved

    def _sabotaged(self, m, name):
        """An output as the environment sees it: valid, ready and payload."""
        port = getattr(self._unit, name)
        (ready,) = self._free[name]
        if not self._faults:
            m.d.comb += port.ready.eq(ready)
            return port.valid, ready, port.payload
        valid, payload = Signal(name=f"{name}_valid"), Signal(port.payload.shape(), name=f"{name}_payload")
        beat, waits, twice = Signal(4, name=f"{name}_at"), Signal(name=f"{name}_waits"), Signal(name=f"{name}_twice")
        here = beat == self._at
        withdraw, change, flip, last, lose, double, hang = (self._fault == k + 1 for k in range(len(FAULTS)))
        bits = field(payload, "data")
        m.d.comb += [
            payload.eq(port.payload),
            bits[0].eq(field(port.payload, "data")[0] ^ ((flip & here) | (change & waits))),
            valid.eq(port.valid & ~(withdraw & waits) & ~((lose | hang) & here)),
            port.ready.eq((ready & ~((double & here) & ~twice) & ~(hang & here)) | (lose & here)),
        ]
        if has_last(payload):
            m.d.comb += payload.last.eq(port.payload.last ^ (last & here))
        with m.If(port.valid & port.ready & (beat != 15)):
            m.d.sync += beat.eq(beat + 1)
        with m.If(valid & ready & here):
            m.d.sync += twice.eq(1)
        m.d.sync += waits.eq(port.valid & ~ready)
        return valid, ready, payload

    def _rules(self, m, name, valid, ready, payload, bad):
        waits, held = Signal(name=f"{name}_waited"), Signal(len(Value.cast(payload)), name=f"{name}_waiting")
        m.d.sync += [waits.eq(valid & ~ready), held.eq(payload)]
        wrong = Signal(name=f"{name}_breaks_rules")
        m.d.comb += wrong.eq(waits & (~valid | (Value.cast(payload) != held)))
        bad.append(wrong)

    def _output(self, m, name, valid, ready, payload, payloads, period, bad, track):
        """Periods that are out; says where a beat is not the one that is due."""
        beats = self._spec.o_beats[name]
        beat, periods = self._count(m, name, beats, valid & ready)
        if not track:
            return periods
        wrong = Signal(name=f"{name}_wrong")
        with m.If(valid & (periods == period)):
            with m.Switch(beat):
                for k in range(beats):
                    with m.Case(k):
                        m.d.comb += wrong.eq(differs(payload, *self._spec.expected(name, k, payloads)))
        bad.append(wrong)
        return periods

    def _progress(self, m, outputs, came, gone, handshakes, bad):
        hang_cycles = self._spec.hang_cycles
        complete = Signal(self._depth.bit_length())
        periods = list(came.values())
        fewest = periods[0]
        for count in periods[1:]:
            fewest = Mux(count < fewest, count, fewest)
        m.d.comb += complete.eq(fewest)
        for name, (valid, _, _) in outputs.items():
            others = Cat(ready for other, (_, ready, _) in outputs.items() if other != name)
            late = Signal(range(hang_cycles + 2), name=f"{name}_late")
            with m.If((gone[name] < complete) & ~valid & others.all()):
                m.d.sync += late.eq(late + (late <= hang_cycles))
            with m.Else():
                m.d.sync += late.eq(0)
            bad.append(late > hang_cycles)
        idle = Signal(range(hang_cycles + 2))
        offered = Cat(getattr(self._unit, name).valid for name in came).all()
        taking = Cat(ready for _, ready, _ in outputs.values()).all()
        with m.If(offered & taking & ~Cat(handshakes).any()):
            m.d.sync += idle.eq(idle + (idle <= hang_cycles))
        with m.Else():
            m.d.sync += idle.eq(0)
        bad.append(idle > hang_cycles)


def chosen(m, name, width):
    """A number that the solver chooses once."""
    signal = Signal(width, name=name)
    # Each mention of an AnyConst is another one, so there is one mention.
    m.d.comb += signal.eq(AnyConst(width))
    return signal


def differs(payload, lanes, fields):
    """Whether a payload is not what is expected."""
    found, at, wrong = field(payload, "data"), 0, []
    for lane in lanes:
        if isinstance(lane, Any):
            at += lane.width
            continue
        bits = Value.cast(lane)
        wrong.append(found[at : at + len(bits)] != bits)
        at += len(bits)
    assert at == len(found), f"{at} bits are expected, the unit gives {len(found)}"
    wrong += [field(payload, name) != value for name, value in fields.items()]
    return Cat(wrong).any()
