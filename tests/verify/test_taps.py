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
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import MatMul, MaxPool, Reshape, Sum
from bnnhw.verify.taps import taps
from campaigns.random_maps import UNNAMED, Maker

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
    make = Maker(np.random.default_rng(1), (6, 6, 2))
    start = name = make.quantiser("x", "ternary")
    name = make.quantiser(make.convolution(name, 2, (3, 3), same=True), "ternary")
    name = make.add(Sum(**UNNAMED, coefficients=np.ones((2, 1), np.int64)), name, start)
    name = make.quantiser(name, "int3")
    name = make.add(MaxPool(**UNNAMED, geometry=Geometry((2, 2), (2, 2)), minimum=np.array(False)), name)
    name = make.quantiser(make.convolution(name, 4, (2, 2), same=True, groups=2), "uint2")
    name = make.add(Reshape(**UNNAMED, shape=(36,)), name)
    last = MatMul(**UNNAMED, **{**make.weights((3, 36)), "weight_scale": np.array(1.0)})
    check(make_design(make.graph(make.add(last, name)), board="icebreaker", fps=20_000), 4)


@pytest.mark.parametrize(("quantiser", "seen"), [("bipolar", {"act1", "acc1"}), ("int3", {"acc0", "act1", "acc1"})])
def test_a_matrix_in_logic_of_which_only_signs_are_left(quantiser: str, seen: set[str], tmp_path: Path) -> None:
    """Then no stream carries its sums."""
    make = Maker(np.random.default_rng(1), (6,))
    weights = [{**make.weights(shape), "weight_scale": np.array(1.0)} for shape in ((4, 6), (3, 4))]
    name = make.add(MatMul(**UNNAMED, **weights[0]), make.quantiser("x", "ternary"))
    graph = make.graph(make.add(MatMul(**UNNAMED, **weights[1]), make.quantiser(name, quantiser)))
    first = next(node.name for node in graph.nodes if isinstance(node, MatMul))
    path = folding(tmp_path, **{first: '"weight_memory": "logic"'})
    design = make_design(graph, board="ulx3s-85f", folding=path)
    assert {tap.name for tap in taps(design.graph, design.plan, design.network)} == seen
