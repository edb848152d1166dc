"""What every unit has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from bnnhw.parts import Part
from bnnhw.units.cycle_model import CycleModel

# What the area of a unit is linear in: how much of each term there is.
Features = dict[str, float]


def surroundings() -> Any:
    """A field that the circuit does not have: what stands around a unit and decides what synthesis makes of it."""
    return field(metadata={"circuit": False})


@dataclass(frozen=True, eq=False)
class Contents:
    """The numbers that a model brings to a unit: what its memories hold, or constants in its logic.

    Apart from the circuit, so that they can go into a netlist, into a file, or over a link.
    """

    def numbers(self) -> dict[str, Any]:
        """By the names of the circuit's parameters."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


@dataclass(frozen=True)
class Unit(ABC):
    """One unit of the hardware: the parameters of its circuit, all but its `contents`."""

    # What its memories hold; None for a unit without numbers of a model.
    contents: ClassVar[type[Contents] | None] = None

    def parameters(self) -> dict[str, Any]:
        """By the names of the circuit's parameters."""
        return {part.name: getattr(self, part.name) for part in fields(self) if part.metadata.get("circuit", True)}

    @property
    def gives(self) -> Literal["", "sums", "codes"]:
        """What it gives of the network: a layer's ``"sums"`` or its ``"codes"``, or neither."""
        return ""

    @property
    @abstractmethod
    def latency(self) -> int:
        """Cycles from the beat in that a beat out waits for to that beat out, nothing being in the way."""

    @abstractmethod
    def cycle_model(self) -> CycleModel:
        """Its handshakes without its data, to the cycle."""

    @abstractmethod
    def features(self) -> Features:
        """What its LUTs are linear in."""

    def block_rams(self, part: Part) -> int:
        """Block RAMs that it takes of `part`."""
        return 0

    def spram(self) -> int:
        """Single-port RAMs that it takes, which are loaded: `load_words` of what they hold."""
        return 0

    def load_words(self, contents: Contents) -> list[int]:
        """The words of `bnnhw.memory_image` that fill its single-port RAMs with `contents`, in their order."""
        return []

    def multipliers(self, part: Part) -> int:
        """Hard multipliers that it takes of `part`."""
        return 0
