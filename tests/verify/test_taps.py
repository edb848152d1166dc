"""Tensors inside the hardware, as they go by on its streams, are those of the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw import reference
from bnnhw.compiler import make_design
from bnnhw.design import Design
from bnnhw.inputs import inputs_for

pytestmark = pytest.mark.sim


def check(design: Design, samples: int) -> None:
    values = inputs_for(design.graph, None, samples).values
    trace = bnnhw.infer(design, values, level="rtl", all_tensors=True)
    expected = reference.trace(design.graph, values)
    assert set(trace) == {*expected, "outputs", "integers", "prediction"}
    for name, array in expected.items():
        np.testing.assert_array_equal(trace[name], array, err_msg=name)


def folding(tmp_path: Path, **layers: str) -> Path:
    path = tmp_path / "folding.json"
    path.write_text('{"layers": [' + ", ".join(f'{{"name": "{k}", {v}}}' for k, v in layers.items()) + "]}")
    return path


def test_sequential_layers() -> None:
    check(make_design("digits-ternary", board="icebreaker", fps=20_000), 5)


def test_frames_side_by_side_and_uneven_foldings(tmp_path: Path) -> None:
    """Groups of frames, two layers joined; rows that do not divide the matrix; logits wrapped up by lanes."""
    uneven = folding(
        tmp_path,
        node_linear='"pe": 7, "simd": 9, "batch": 3',
        node_linear_1='"pe": 5, "simd": 11, "batch": 3',
        node_linear_2='"pe": 3, "simd": 7, "batch": 1',
    )
    check(make_design("digits-binary", board="icebreaker", folding=uneven), 8)


def test_maps_and_pools() -> None:
    check(make_design("mnist-cnn", board="icebreaker", fps=400, clock_mhz=24), 1)
