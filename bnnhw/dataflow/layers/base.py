"""What the layers of all kinds share: their description, their folding, and what the search asks of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, ClassVar, NamedTuple

from bnnhw.arithmetic.formats import DataType, Integers, value_width
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import Node
from bnnhw.reading import conforms
from bnnhw.units import Contents, Unit

# What reads the network's input names it as the layer before the first.
INPUT = -1

MEMORIES = ("block", "lut")
# What multiplies in place of thresholds, or for a scale: the part's multipliers, or adders.
MULTIPLIERS = ("hard", "lut")
# The same, as a choice beside the memories of thresholds.
MULTIPLIED = {"multiplier": "hard", "adders": "lut"}
# Where weights lie that are not read from a memory, but folded into the logic that multiplies by them.
LOGIC = "logic"
# Where weights lie that are loaded after the configuration: single-port RAM, where a part has it.
SPRAM = "spram"
# Of a FIFO or a line buffer: more than fit any part.
MAX_BEATS = 1 << 16

# A unit, and its name among those of its layer.
NamedUnit = tuple[str, Unit]


class Section(NamedTuple):
    """Some units of a layer whose memories are chosen apart from those of the others.

    `sizes` is all of a folding that they depend on, memories apart. `memories` are the choices that make a difference.
    """

    units: Callable[[LayerPlan, str], Iterator[NamedUnit]]
    sizes: tuple[int, ...]
    memories: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """One layer's hardware: what the network gives, and with each kind of layer, what a folding chooses.

    Parameters
    ----------
    name
        The layer's name in the graph.
    elements, vectors
        Elements of an input, and vectors of the output, per inference.
    mw, mh
        Elements of an input and an output vector; where there are windows, one with all its taps is the input vector.
    input, output
        Formats; `output` is empty for sums that go on as they are.
    fifos
        Beats that may wait in front of each input; 0 for none.
    pe
        Outputs at a time.
    """

    name: str
    elements: int
    vectors: int
    mw: int
    mh: int
    input: str
    output: str
    fifos: tuple[int, ...]
    pe: int

    # The kind of layer, as plan.json names it.
    kind: ClassVar[str] = ""
    # What a folding file may ask of such a layer.
    choices: ClassVar[tuple[str, ...]] = ("pe",)

    @property
    def columns(self) -> int:
        """Inputs that are worked on at a time."""
        return self.pe

    @property
    def i_lanes(self) -> int:
        """Elements of an input beat."""
        return self.columns

    @property
    def nf(self) -> int:
        """Output beats of a vector."""
        return -(-self.mh // self.pe)

    @property
    def side_by_side(self) -> int:
        """Vectors that are worked on side by side."""
        return 1

    @property
    def frames(self) -> int:
        """Frames with vectors that are worked on side by side."""
        return self.side_by_side if self.vectors == 1 else 1

    @property
    def cycles(self) -> int:
        """Cycles per inference, nothing stalling, and groups of frames being full."""
        return self.vectors * self.nf

    @property
    def bounds(self) -> frozenset[str]:
        """What of it may bound the clock: see `bnnhw.dataflow.layers.bounds`."""
        return frozenset()

    @property
    def spram(self) -> int:
        """Single-port RAMs that it takes."""
        return 0

    @property
    def loadable(self) -> bool:
        """Whether single-port RAMs are deep enough for what it keeps in them."""
        return True

    @property
    def weight_bits_read(self) -> float:
        """Bits of weights that block RAMs give per inference, see `bnnhw.dataflow.traffic`."""
        return 0.0

    def entry(self) -> dict[str, Any]:
        """As plan.json has it."""
        values = asdict(self)
        return {"name": values.pop("name"), "kind": self.kind, **values}

    @property
    def folding(self) -> dict[str, Any]:
        """What a folding file may ask, as it is here."""
        return {key: getattr(self, key) for key in self.choices}

    def check(self, where: str) -> None:
        """Refuses a folding that is not one.

        Raises
        ------
        PlanError
            Naming the file `where`, the layer and the key.
        """
        for key, (low, high) in self._ranges().items():
            value = getattr(self, key)
            if not conforms(value, int) or not low <= value <= high:
                raise PlanError(f"{where}: layer {self.name}: {key} must be {low} to {high}, not {value!r}")
        for key, kinds in self._memories().items():
            if getattr(self, key) not in kinds:
                known = f"{', '.join(kinds[:-1])} or {kinds[-1]}"
                raise PlanError(f"{where}: layer {self.name}: {key} must be {known}, not {getattr(self, key)!r}")

    def _ranges(self) -> dict[str, tuple[int, int]]:
        """The lowest and the highest value of each number that a folding chooses."""
        return {"pe": (1, self.mh)}

    def _memories(self) -> dict[str, tuple[str, ...]]:
        """What each memory may be."""
        return {key: MEMORIES for key in self.choices if key.endswith("_memory")}


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer(ABC):
    """One step of the hardware.

    Parameters
    ----------
    name
        Of the graph's node.
    inputs
        The layers that it reads, by index; INPUT for the network's input.
    i_shapes, o_shape
        Of its inputs and its output: (height, width, channels), or (elements,) where it takes a vector.
    i_dtypes
        Storage formats of its inputs.
    format
        What its output can be.
    node
        The operation of the graph that begins it.
    """

    name: str
    inputs: tuple[int, ...]
    i_shapes: tuple[tuple[int, ...], ...]
    o_shape: tuple[int, ...]
    i_dtypes: tuple[DataType, ...]
    format: Integers
    node: Node

    # Its folding, and the operations of the graph that begin such a layer.
    plan_type: ClassVar[type[LayerPlan]]
    nodes: ClassVar[tuple[type[Node], ...]]

    # Whether its weights can lie in memories that are loaded.
    loads: ClassVar[bool] = False
    # Whether it takes windows of a map.
    windowed: ClassVar[bool] = False

    @property
    def multiplies(self) -> bool:
        """Whether it has products for hard multipliers."""
        return False

    @property
    def kind(self) -> str:
        """As plan.json names it."""
        return self.plan_type.kind

    @property
    def input(self) -> DataType:
        """Storage format of the (first) input."""
        return self.i_dtypes[0]

    @property
    def dtype(self) -> DataType:
        """Storage format of the output on its way to the next layer."""
        return self.format.storage

    @property
    def result(self) -> DataType:
        """Format of the output where it is the network's own: two's complement numbers."""
        return DataType("int", value_width(self.dtype))

    @property
    def vectors(self) -> int:
        """Output vectors of an inference: one for each position of a map."""
        return prod(self.o_shape[:-1])

    @property
    def mw(self) -> int:
        """Elements of an input vector, without the taps of windows that are taken channel by channel."""
        return self.i_shapes[0][-1]

    @property
    def mh(self) -> int:
        """Elements of an output vector."""
        return self.o_shape[-1]

    @property
    def taps(self) -> int:
        """Taps of each window that is taken channel by channel."""
        return 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference."""
        return 0

    @property
    def work(self) -> int:
        """Cycles per inference with everything done one by one."""
        return prod(self.o_shape) * self.taps

    @property
    def framed(self) -> bool:
        """Whether it has weights and one vector per frame, so that only frames can share a fetched weight."""
        return False

    def unfolded(self) -> LayerPlan:
        """The plan that takes one element at a time, everything but weights in LUTs."""
        return self.plan_type(**self._given(), pe=1)

    def _given(self) -> dict[str, Any]:
        """What of a plan is the network's to say."""
        return {
            "name": self.name,
            "elements": prod(self.i_shapes[0]),
            "vectors": self.vectors,
            "mw": self.mw * self.taps,
            "mh": self.mh,
            "input": self.input.name,
            "output": self.dtype.name,
            "fifos": (0,) * len(self.inputs),
        }

    # ---- what the search asks ------------------------------------------------------------------

    def batches(self, wanted: Mapping[str, Any], frames: tuple[int, ...], vectors: tuple[int, ...]) -> tuple[int, ...]:
        """Vectors that may share a fetched weight: of `frames` frames, or `vectors` of one frame."""
        return (1,)

    def foldings(self, interval: int, wanted: Mapping[str, Any], batch: int) -> Iterable[dict[str, Any]]:
        """Parallelism that is worth a look, within `interval` cycles; `wanted` fixes what the user asks for."""
        per_vector = interval // self.vectors
        found = {wanted["pe"]} if "pe" in wanted else divisors(self._even)
        return [{"pe": n} for n in found if self.mh * self.taps <= n * per_vector]

    def sections(self, plan: LayerPlan, family: str) -> tuple[Section, ...]:
        """The units that compute, in the order of `inner_units`."""
        return (Section(self.inner_units, (plan.pe, plan.columns), self.memories(plan)),)

    def memories(self, plan: LayerPlan) -> Mapping[str, tuple[str, ...]]:
        """What each memory may be that makes a difference where the layer computes, see `inner_units`."""
        return {}

    def within(self, plan: LayerPlan, interval: int) -> bool:
        """Whether all its units keep within `interval` cycles per inference."""
        return plan.cycles <= interval

    def completed(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the user asks for, and what follows from it."""
        return wanted

    def check_folding(self, wanted: Mapping[str, Any]) -> None:
        """Refuses what no plan of this layer can have.

        Raises
        ------
        PlanError
            Naming the layer and the key.
        """
        for key in wanted:
            if key not in self.plan_type.choices:
                raise PlanError(
                    f"--folding: layer {self.name}: a layer of kind {self.kind} has no {key}; "
                    f"it has {', '.join(self.plan_type.choices)}"
                )

    def fits(self, plan: LayerPlan) -> bool:
        """Whether a plan of its kind and sizes suits its shapes."""
        return self._even % plan.pe == 0

    @property
    def _even(self) -> int:
        """What the elements of a beat have to divide."""
        return self.mh

    # ---- units ---------------------------------------------------------------------------------

    def units(
        self, plan: LayerPlan, family: str, *, opens: bool = True, closes: int = 1, final: bool = False
    ) -> Iterator[NamedUnit]:
        """The units of the layer, one behind the other.

        Parameters
        ----------
        plan, family
            Its folding, and the family of the part.
        opens, closes
            Where it works on several frames side by side, it `opens` or is joined to the layer before, and it `closes`
            that number of joined layers, or (0) is joined to the layer behind.
        final
            Whether the output is the network's own.
        """
        yield from self.inner_units(plan, family, final=final)

    @abstractmethod
    def inner_units(self, plan: LayerPlan, family: str, *, final: bool = False) -> Iterator[NamedUnit]:
        """Those that compute."""

    def outer_units(
        self, plan: LayerPlan, family: str, *, opens: bool = True, closes: int = 1, final: bool = False
    ) -> Iterator[NamedUnit]:
        """Those that hold vectors before and after they are multiplied."""
        return iter(())

    def contents(self, plan: LayerPlan, family: str, *, final: bool = False) -> dict[str, Contents]:
        """What the memories of its units hold, by the names of the units."""
        return {}

    def given(self, *, final: bool) -> DataType:
        """Format of what it gives."""
        return self.result if final else self.dtype


def divisors(number: int) -> set[int]:
    return {n for n in range(1, number + 1) if number % n == 0}
