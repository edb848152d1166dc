"""Faults that we know by name: in what memories hold, and in the streams between units."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from unittest import mock

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bnnhw.dataflow import Network, Plan
from bnnhw.gateware.arithmetic.constant_mvu import Logic
from bnnhw.gateware.memory import Bank
from bnnhw.generate import accelerator
from bnnhw.generate.accelerator import Accelerator
from bnnhw.units import Contents, FrameGuard, FrameStatus, LabelSelect, Unit

BITS = 12  # of the number that chooses a mutant; 0 chooses none

STREAM_FAULTS = (
    "valid inverted",
    "valid stuck at one",
    "valid dropped in a stall",
    "stall ignored",
    "ready stuck at zero",
    "last inverted",
    "last stuck at zero",
    "payload bit inverted",
    "lanes swapped",
    "beat lost",
    "beat doubled",
)


@dataclass(frozen=True)
class Mutant:
    """One fault: its number in its design, its kind, and where it is."""

    number: int
    kind: str
    place: str


@dataclass
class Plant:
    """Collects the faults while a design is elaborated; `select` chooses one of them."""

    select: Any = field(default_factory=lambda: Signal(BITS, name="mutant"))
    mutants: list[Mutant] = field(default_factory=list)

    def add(self, kind: str, place: str) -> Any:
        """A value that is one while a new mutant is chosen."""
        number = len(self.mutants) + 1
        self.mutants.append(Mutant(number, kind, place))
        return self.select == number


# What is around the layers and has no fault of its own: frames that are damaged look for those.
AROUND = (FrameGuard, FrameStatus, LabelSelect)


def _members(unit: Any) -> dict[str, Any]:
    """The members of a component, for one around it."""
    return {
        name: member if member.is_port else In(member.signature.flip()) if member.flow == In else Out(member.signature)
        for name, member in unit.signature.members.items()
    }


def _pass(m: Module, member: Any, inner: Any, outer: Any) -> None:
    """Connects a member of a component inside to that of the one around it."""
    if member.is_port:
        m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
    elif member.flow == In:
        wiring.connect(m, wiring.flipped(outer), inner)
    else:
        wiring.connect(m, inner, wiring.flipped(outer))


class FaultyAccelerator(wiring.Component):  # type: ignore[misc]
    """An accelerator with another input, which chooses its fault."""

    def __init__(self, plan: Plan, network: Network) -> None:
        self._inner: Any = Accelerator(plan, network)
        self.plant = Plant()
        super().__init__({"mutant": In(BITS), **_members(self._inner)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner = self._inner
        m.d.comb += self.plant.select.eq(self.mutant)
        for name, member in self._inner.signature.members.items():
            _pass(m, member, getattr(self._inner, name), getattr(self, name))
        return m


@contextmanager
def planted(plant: Plant) -> Iterator[None]:
    """Elaborates with faults."""
    build, names, banks = accelerator.circuit, count(), count()

    def circuit(unit: Unit, contents: Contents | None = None) -> Any:
        built = build(unit, contents)
        if isinstance(unit, AROUND):
            return built
        return Saboteur(built, plant, f"{type(unit).__name__} {next(names)}")

    def bank(*arguments: Any, **options: Any) -> FaultyBank:
        return FaultyBank(plant, next(banks), *arguments, **options)

    def logic(*arguments: Any) -> FaultyLogic:
        return FaultyLogic(plant, *arguments)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(accelerator, "circuit", circuit))
        for module in ("mvu", "threshold", "code_table", "scale"):
            stack.enter_context(mock.patch(f"bnnhw.gateware.arithmetic.{module}.Bank", bank))
        stack.enter_context(mock.patch("bnnhw.gateware.arithmetic.constant_mvu.Logic", logic))
        yield


class FaultyBank(wiring.Component):  # type: ignore[misc]
    """A bank whose words may be wrong: the same as other contents."""

    def __init__(self, plant: Plant, number: int, width: int, init: list[int], *, kind: str) -> None:
        self._plant = plant
        self._number = number
        self._inner: Any = Bank(width, init, kind=kind)
        self._words, self._width = len(init), width
        super().__init__(
            {"addr": In(self._inner.addr.shape()), "en": In(1), "data": Out(width)}
        )  # fmt: skip

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner = inner = self._inner
        shown = Signal.like(self.addr)
        with m.If(self.en):
            m.d.sync += shown.eq(self.addr)
        place = f"bank {self._number}, {self._words} words of {self._width} bits"
        value: Any = inner.data
        # Spread over the words and their bits.
        for word, bit in sorted({(k * 5 % self._words, k * 7 % self._width) for k in range(6)}):
            here = self._plant.add("memory bit flipped", f"{place}, word {word}, bit {bit}") & (shown == word)
            value = value ^ (here << bit)
        word = self._words // 2
        for name, delta in (("one more", 1), ("one less", -1)):
            here = self._plant.add(f"memory word {name}", f"{place}, word {word}") & (shown == word)
            value = Mux(here, inner.data + delta, value)
        half = self._width // 2
        if half:
            swap = self._plant.add("memory halves swapped", place)
            value = Mux(swap, Cat(inner.data[half:], inner.data[:half]), value)
        if self._words > 1:
            late = self._plant.add("address off by one", place)
            m.d.comb += inner.addr.eq(Mux(late & (self.addr != self._words - 1), self.addr + 1, self.addr))
        m.d.comb += [inner.en.eq(self.en), self.data.eq(value)]
        return m


class FaultyLogic(Logic):  # type: ignore[misc]
    """Tables, each of which may have an entry flipped, or two inputs swapped where that makes a difference."""

    def __init__(self, plant: Plant, *arguments: Any) -> None:
        self._plant, self._count = plant, 0
        super().__init__(*arguments)

    def _table(self, signals: list[Any], entries: int) -> Any:
        value, self._count = super()._table(signals, entries), self._count + 1
        place = f"table {self._count} of {len(signals)} bits"
        entry = self._count * 5 % (1 << len(signals))
        value = value ^ (self._plant.add("table bit flipped", f"{place}, entry {entry}") & (Cat(signals) == entry))
        if any(
            (entries >> word & 1) != (entries >> (word ^ 3) & 1) for word in range(1 << len(signals)) if word & 3 == 1
        ):
            here = self._plant.add("table inputs swapped", place)
            value = Mux(here, super()._table([signals[1], signals[0], *signals[2:]], entries), value)
        return value


class Saboteur(wiring.Component):  # type: ignore[misc]
    """A unit, with what may go wrong on each of its outputs."""

    def __init__(self, unit: Any, plant: Plant, name: str) -> None:
        self._unit, self._plant, self._name = unit, plant, name
        super().__init__(_members(unit))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = self._unit
        for name, member in self._unit.signature.members.items():
            inner, outer = getattr(self._unit, name), getattr(self, name)
            if member.flow == In or name == "rest":  # which is no stream of frames, and never stalls
                _pass(m, member, inner, outer)
            else:
                self._spoil(m, inner, outer, {k: self._plant.add(k, f"{self._name}.{name}") for k in STREAM_FAULTS})
        return m

    def _spoil(self, m: Module, i: Any, o: Any, on: dict[str, Any]) -> None:
        """From the unit's own output `i` to the one that is seen, with one of the faults."""
        waits, beat, doubled = Signal(), Signal(4), Signal()
        third = beat == 3
        moved = i.valid & i.ready
        m.d.sync += waits.eq(o.valid & ~o.ready)
        with m.If(moved):
            m.d.sync += beat.eq(beat + (beat != 15))
        with m.If(o.valid & o.ready & third):
            m.d.sync += doubled.eq(1)
        lose, double = on["beat lost"] & third, on["beat doubled"] & third & ~doubled
        m.d.comb += [
            o.valid.eq(
                ((i.valid ^ on["valid inverted"]) | on["valid stuck at one"])
                & ~(on["valid dropped in a stall"] & waits)
                & ~lose
            ),
            i.ready.eq(
                ((o.ready | on["stall ignored"]) & ~on["ready stuck at zero"] & ~double) | lose
            ),
            o.payload.last.eq((i.payload.last ^ on["last inverted"]) & ~on["last stuck at zero"]),
        ]  # fmt: skip
        found, given = Value.cast(i.payload.data), Value.cast(o.payload.data)
        half = len(found) // 2
        swapped = Cat(found[half : 2 * half], found[:half], found[2 * half :])
        m.d.comb += given.eq(Mux(on["lanes swapped"], swapped, found) ^ on["payload bit inverted"])
        if "skip" in o.payload.shape().members:
            m.d.comb += o.payload.skip.eq(i.payload.skip)


class Faulty(wiring.Component):  # type: ignore[misc]
    """A unit with one kind of fault on all of its outputs, from the start."""

    def __init__(self, unit: Any, kind: str) -> None:
        self._plant = Plant(Const(1 + STREAM_FAULTS.index(kind), BITS))
        self._inner = Saboteur(unit, self._plant, "unit")
        super().__init__(dict(self._inner.signature.members))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner = self._inner
        for name, member in self._inner.signature.members.items():
            _pass(m, member, getattr(self._inner, name), getattr(self, name))
        return m
