"""Matrix-vector unit with weights that are logic: a vector goes in and all its sums come out, every cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from bnnhw.arithmetic.adder_graphs import Netlist, Schedule, schedule
from bnnhw.arithmetic.formats import DataType
from bnnhw.parts import Part
from bnnhw.units.base import Features, Unit, surroundings
from bnnhw.units.cycle_model import CLOSING, ENDLESS, NOTHING, STALLED, TAKEN, Beat, CycleModel, Registered
from bnnhw.units.memories import block_rams, has_lut_ram

# Netlists with schedules that are remembered: planning asks for the same few again and again.
REMEMBERED = 64
# Vectors of a FIFO that LUT RAM holds without many LUTs that choose among its words.
SHALLOW = 32


@dataclass(frozen=True)
class ConstantMatrixUnit(Unit):
    """A matrix folded into adders, and a FIFO for what they give.

    Its weights are its circuit, so it has no contents.

    Parameters
    ----------
    netlist
        The sums of the planes of an input vector.
    input_dtype
        Format of the activations.
    width
        Bits of a sum.
    order
        Which element of a beat is each element of the netlist.
    lanes
        Elements of a beat; what is behind those of the netlist means nothing.
    levels
        LUTs or carry chains between two registers.
    registered
        Whether an input vector is held in registers first.
    kind
        Kind of memory of the FIFO.
    family
        The part's.
    signs
        Whether the netlist has only the sign of each sum.
    """

    netlist: Netlist
    input_dtype: DataType
    width: int
    order: tuple[int, ...]
    lanes: int
    levels: int | None
    registered: bool
    kind: str
    family: str
    signs: bool = surroundings()

    @property
    def gives(self) -> Literal["", "sums"]:
        """The layer's sums, unless nothing but their signs is left of them."""
        return "" if self.signs else "sums"

    @property
    def pipeline(self) -> Schedule:
        """The stages of the adders."""
        return _schedule(self.netlist, self.levels)

    @property
    def latency(self) -> int:
        return self.pipeline.stages + 1 + self.registered

    @property
    def depth(self) -> int:
        """Vectors that it can hold."""
        return self.pipeline.held - (not self.registered)

    @property
    def prefers_lut_ram(self) -> bool:
        """Whether its FIFO belongs in LUT RAM, whatever that takes: block RAM gives its words so late in the cycle that
        it would bound the clock of everything else."""
        return has_lut_ram(self.family) and self.depth <= SHALLOW

    @cached_property
    def _word(self) -> int:
        """Bits of a word of the FIFO."""
        return 1 + sum(len(word) for word in self.netlist.sums)

    def cycle_model(self) -> CycleModel:
        return VectorPipeline(self.latency - 2, self.depth)

    def features(self) -> Features:
        netlist = self.netlist
        registers = self.pipeline.registers(netlist)
        features: Features = {
            "constant_lut": netlist.luts, "constant_register": registers, "input_bit": netlist.inputs * self.registered
        }  # fmt: skip
        if self.kind != "block":
            features["buffer_bit"] = self._word * self.depth
        return features

    def block_rams(self, part: Part) -> int:
        return block_rams(part, self._word, self.depth) if self.kind == "block" else 0


@lru_cache(maxsize=REMEMBERED)
def _schedule(netlist: Netlist, levels: int | None) -> Schedule:
    return schedule(netlist, levels)


class VectorPipeline(Registered):
    """The pipeline of a matrix folded into logic, of so many `registers`, and the FIFO at its end; only vectors for
    which there is one of `places` come in."""

    __slots__ = ("_held", "_most", "_pipe", "_waiting")

    def __init__(self, registers: int, places: int) -> None:
        super().__init__()
        self._most = places
        self._pipe = [False] * registers  # vectors on their way, the oldest last
        self._held = self._waiting = 0  # vectors in the unit, and of these in the FIFO's memory

    def accepts(self, inputs: Sequence[Beat], ready: Sequence[bool]) -> Sequence[bool]:
        return TAKEN if self._held < self._most else STALLED

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        moves = took[0] or gave[0] or True in self._pipe or (self._waiting and self._out is NOTHING)
        return 1 if moves else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] or self._out is NOTHING:
            self._out = CLOSING if self._waiting else NOTHING
            self._waiting -= self._out is CLOSING
        self._pipe.insert(0, took[0])
        self._waiting += self._pipe.pop()
        self._held += took[0] - gave[0]
