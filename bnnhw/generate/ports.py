"""What goes over an accelerator's two streams: the one description, for its circuit and for all that speak to it.

A frame goes in as the storage codes of its elements, a map pixel by pixel and row by row with the channels of a pixel
together. A beat holds `lanes` of them, lane 0 in the low bits; lanes past the last element are zero. `last` comes with
the final beat.

A frame comes out as the integers of the last layer, in the same order, two's complement numbers of `width` bits,
`lanes` to a beat; lanes past the last element mean nothing. With the beat that has `last` come the label, and `error`
where the frame that went in was cut or filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.bits import as_signed, pack_words, unpack_words
from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.plan import Frames, Plan
from bnnhw.gateware.payloads import frame_fields, result_fields
from bnnhw.packets import Results


@dataclass(frozen=True)
class Port(Frames):
    """A stream of frames, and the fields of its payloads."""

    @property
    def fields(self) -> dict[str, int]:
        """Bits of each field of a payload, the lowest first."""
        raise NotImplementedError

    def position(self, field: str) -> int:
        """The lowest bit of a field."""
        names = list(self.fields)
        return sum(self.fields[name] for name in names[: names.index(field)])

    def take(self, payload: int, field: str) -> int:
        """What a field of a payload holds."""
        return payload >> self.position(field) & ((1 << self.fields[field]) - 1)


@dataclass(frozen=True)
class InputPort(Port):
    """The accelerator's input.

    Parameters
    ----------
    dtype
        Number format of the elements.
    """

    dtype: DataType

    @property
    def fields(self) -> dict[str, int]:
        return dict(frame_fields(self.lanes * self.dtype.bits))

    def codes(self, values: NDArray[np.integer]) -> NDArray[np.uint32]:
        """Storage codes (N, elements) of integers (N, ...).

        Raises
        ------
        ValueError
            If a value is not one of the format, or frames have another number of elements.
        """
        flat = values.reshape(len(values), -1)
        if flat.shape[1] != self.elements:
            raise ValueError(f"a frame has {self.elements} elements, not {flat.shape[1]}")
        return self.dtype.encode(flat)

    def pack(self, values: NDArray[np.integer]) -> list[list[int]]:
        """The data of each beat of each frame of integers (N, ...), without `last`."""
        codes = np.zeros((len(values), self.beats * self.lanes), np.uint32)
        codes[:, : self.elements] = self.codes(values)
        words = pack_words(codes.reshape(len(values) * self.beats, self.lanes), self.dtype.bits)
        return [words[k * self.beats : (k + 1) * self.beats] for k in range(len(values))]

    def payloads(self, frame: Sequence[int]) -> list[int]:
        """The payloads of a frame of such data, be it whole or not: the last of them has `last`."""
        return [*frame[:-1], frame[-1] | 1 << self.position("last")]


@dataclass(frozen=True)
class OutputPort(Port):
    """The accelerator's output.

    Parameters
    ----------
    width
        Bits of an integer.
    """

    width: int

    @property
    def fields(self) -> dict[str, int]:
        return dict(result_fields(self.width, self.elements, self.lanes))

    def unpack(self, payloads: Sequence[int]) -> Results:
        """The results in the payloads of whole frames."""
        data = unpack_words(payloads, self.width, self.lanes)
        integers = as_signed(data, self.width).reshape(-1, self.beats * self.lanes)[:, : self.elements]
        final = payloads[self.beats - 1 :: self.beats]
        return Results(
            integers,
            np.array([self.take(payload, "label") for payload in final], np.int64),
            np.array([bool(self.take(payload, "error")) for payload in final], np.bool_),
        )


@dataclass(frozen=True)
class Ports:
    """Both streams of an accelerator."""

    input: InputPort
    output: OutputPort

    @classmethod
    def of(cls, plan: Plan, network: Network) -> Ports:
        """The streams of the accelerator that `plan` makes of `network`."""
        i, o = plan.input_frames, plan.output_frames
        return cls(
            InputPort(i.elements, i.lanes, plan.input_dtype),
            OutputPort(o.elements, o.lanes, network.result.bits),
        )
