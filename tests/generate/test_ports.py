"""The description of an accelerator's streams, against Amaranth's layouts and against packing by hand."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.lib import data

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.gateware.frame_layout import frame_layout, result_layout
from bnnhw.generate.ports import InputPort, OutputPort


def places(layout: data.StructLayout) -> dict[str, tuple[int, int]]:
    return {name: (layout[name].offset, layout[name].width) for name in layout.members}


@pytest.mark.parametrize("dtype", [BIPOLAR, TERNARY, DataType("int", 8), DataType("uint", 32)], ids=str)
@pytest.mark.parametrize(("elements", "lanes"), [(6, 3), (7, 3), (1, 1), (5, 8)])
def test_input(elements: int, lanes: int, dtype: DataType) -> None:
    port = InputPort(elements, lanes, dtype)
    layout = frame_layout(lanes * dtype.bits)
    assert {name: (port.position(name), bits) for name, bits in port.fields.items()} == places(layout)
    values = np.random.default_rng(1).choice([dtype.min, dtype.max], (3, 1, elements))
    frames = port.pack(values)
    assert [len(frame) for frame in frames] == [port.beats] * 3
    assert (port.beats - 1) * lanes + port.tail_lanes == elements
    for frame, sent in zip(values.reshape(3, -1), frames, strict=True):
        codes = [int(dtype.encode(value)) for value in frame] + [0] * (port.beats * lanes - elements)
        for beat, word in enumerate(sent):
            lane_codes = codes[beat * lanes : (beat + 1) * lanes]
            assert word == sum(code << (k * dtype.bits) for k, code in enumerate(lane_codes))
    payloads = port.payloads(frames[0])
    assert [port.take(payload, "last") for payload in payloads] == [0] * (port.beats - 1) + [1]
    assert [port.take(payload, "data") for payload in payloads] == frames[0]


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="a frame has 6 elements, not 5"):
        InputPort(6, 2, BIPOLAR).pack(np.ones((2, 5), np.int64))
    with pytest.raises(ValueError, match="values outside ternary: 0..2"):
        InputPort(3, 2, TERNARY).pack(np.array([[0, 1, 2]]))


@pytest.mark.parametrize("width", [2, 9, 32])
@pytest.mark.parametrize(("elements", "lanes"), [(10, 1), (10, 4), (3, 3), (1, 1)])
def test_output(elements: int, lanes: int, width: int) -> None:
    port = OutputPort(elements, lanes, width)
    layout = result_layout(width, elements, lanes)
    assert {name: (port.position(name), bits) for name, bits in port.fields.items()} == places(layout)
    rng = np.random.default_rng(2)
    integers = rng.integers(-(1 << (width - 1)), 1 << (width - 1), (4, elements))
    labels, errors = rng.integers(0, elements, 4), rng.integers(0, 2, 4).astype(bool)
    payloads = []
    for frame, label, error in zip(integers.tolist(), labels.tolist(), errors.tolist(), strict=True):
        for start in range(0, elements, lanes):
            last = start + lanes >= elements
            row = frame[start : start + lanes]
            row += [-1] * (lanes - len(row))  # these lanes mean nothing
            fields = {
                "data": row[0] if lanes == 1 else row,
                "label": label if last else 0,
                "error": error,
                "last": last,
            }
            payloads.append(layout.const(fields).as_bits())
    found = port.unpack(payloads)
    assert (found.integers == integers).all()
    assert (found.labels == labels).all() and (found.errors == errors).all()
