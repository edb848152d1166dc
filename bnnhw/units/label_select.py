"""Label select: the class with the highest score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnhw.parts import Part
from bnnhw.units.base import Contents, Features, Unit, surroundings
from bnnhw.units.cycle_model import CLOSING, ENDLESS, GOING, NOTHING, Beat, CycleModel, Direct
from bnnhw.units.memories import block_rams, power_of_two


@dataclass(frozen=True, eq=False)
class ScoreContents(Contents):
    """The score of class c is ``scales[c] * element + biases[c]``."""

    scales: list[int]
    biases: list[int]


@dataclass(frozen=True)
class LabelSelect(Unit):
    """Passes the `classes` elements of a frame on, `lanes` of `width` bits a beat, and adds the best one's index.

    Parameters
    ----------
    affine
        Whether scores differ from the elements.
    scale_bits
        Bits of the largest scale.
    kind
        Where the elements wait for the label: ``registers``, or a kind of memory.
    """

    width: int
    classes: int
    lanes: int
    affine: bool
    scale_bits: int = surroundings()
    kind: str = "registers"

    contents = ScoreContents

    @property
    def latency(self) -> int:
        return 1 + self.affine + (self.lanes - 1).bit_length()

    def cycle_model(self) -> CycleModel:
        return ComparedBeats(self.latency)

    def features(self) -> Features:
        bits = self.width * self.lanes
        features: Features = {"output_bit" if self.kind == "registers" else "compared_bit": bits}
        if self.affine:
            features["score_bit"] = bits * self.scale_bits
        return features

    def block_rams(self, part: Part) -> int:
        return block_rams(part, self.width * self.lanes, power_of_two(self.latency)) if self.kind == "block" else 0


class ComparedBeats(Direct):
    """A beat per cycle through `latency` registers, all of which stand still while the last one waits.

    The status of a frame has always come before its last beat, and stands for nothing here.
    """

    __slots__ = ("_pipe",)

    def __init__(self, latency: int) -> None:
        super().__init__()
        self._pipe = [NOTHING] * latency  # the output's register last

    def leap(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool]) -> int:
        moves = took[0] or gave[0] or (self._out is NOTHING and any(beat is not NOTHING for beat in self._pipe))
        return 1 if moves else ENDLESS

    def step(self, took: Sequence[bool], inputs: Sequence[Beat], gave: Sequence[bool], times: int = 1) -> None:
        if gave[0] or self._out is NOTHING:
            self._pipe.insert(0, (CLOSING if inputs[0][1] else GOING) if took[0] else NOTHING)
            self._pipe.pop()
            self._out = self._pipe[-1]
