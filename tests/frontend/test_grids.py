"""Weights whose values tell the grid, without a quantiser that could."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from bnnhw.frontend.refusal import Refusal
from bnnhw.frontend.weights import split
from bnnhw.ir.nodes import MatMul
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import Net, inputs_for, quantised_input

Weights = Callable[[Net], str]
ROWS = np.float32([0.5, 0.3, 1.7, 0.11, 0.9, 1, 4, 0.25])


def masked(net: Net) -> str:
    """A pruned layer: a mask behind the quantiser."""
    mask = net.constant(net.random.integers(0, 2, (12, 8)).astype(np.float32))
    return net.node("Mul", net.bipolar(net.weights(12, 8), 0.3), mask)


def scaled_by_input(net: Net) -> str:
    return net.quant(net.weights(12, 8), scale=np.array([0.25, 0.5] * 6)[:, None])


def dorefa(net: Net) -> str:
    """2 round(3 (tanh w / 2 max |tanh w| + 1/2)) / 3 - 1, two bits."""
    tanh = net.node("Tanh", net.weights(12, 8))
    most = net.node("ReduceMax", net.node("Abs", tanh), keepdims=0)
    unit = net.node("Add", net.node("Div", tanh, net.node("Mul", most, net.constant(2.0))), net.constant(0.5))
    rounded = net.node("Round", net.node("Mul", unit, net.constant(3.0)))
    doubled = net.node("Mul", net.node("Div", rounded, net.constant(3.0)), net.constant(2.0))
    return net.node("Sub", doubled, net.constant(1.0))


def powers_of_two(net: Net) -> str:
    signs = net.random.choice([-1, 1], (12, 8))
    powers = 2.0 ** net.random.integers(-4, 1, (12, 8))
    powers[0] = 1 / 16, 1 / 8, 1, 1, 1 / 2, 1, 1, 1
    return net.constant((signs * powers).astype(np.float32))


def two_magnitudes(net: Net) -> str:
    """Trained ternary quantisation, with magnitudes that have a common unit."""
    return net.constant(net.random.choice(np.float32([-0.6, 0, 0.9]), (12, 8)))


def sums_of_signs(net: Net) -> str:
    first = net.node("Mul", net.node("Sign", net.weights(12, 8)), net.constant(0.375))
    return net.node("Add", first, net.node("Mul", net.node("Sign", net.weights(12, 8)), net.constant(0.125)))


def row_scales(net: Net) -> str:
    return net.constant(net.random.choice([-1, 1], (12, 8)).astype(np.float32) * ROWS)


def chosen(net: Net) -> str:
    positive = net.node("Greater", net.weights(12, 8), net.constant(0.0))
    return net.node("Where", positive, net.constant(0.7), net.constant(-0.7))


GRIDS: dict[Weights, tuple[DataType, object]] = {
    masked: (TERNARY, np.float32(0.3)),
    scaled_by_input: (DataType("int", 3), 0.25),
    dorefa: (DataType("int", 3), 1 / 3),
    powers_of_two: (DataType("int", 6), 1 / 16),
    two_magnitudes: (DataType("int", 3), 0.3),
    sums_of_signs: (DataType("int", 3), 0.25),
    row_scales: (BIPOLAR, ROWS),
    chosen: (BIPOLAR, np.float32(0.7)),
}


@pytest.mark.parametrize("weights", GRIDS, ids=lambda body: body.__name__)
def test_grids(weights: Weights, tmp_path: Path) -> None:
    net, x = quantised_input()
    path = net.save(tmp_path, net.node("MatMul", x, weights(net)))
    graph = assert_as_executed(path, inputs_for(net), tolerance=1e-6)
    (layer,) = (node for node in graph.nodes if isinstance(node, MatMul))
    dtype, scale = GRIDS[weights]
    assert layer.weight_dtype == dtype
    np.testing.assert_allclose(layer.weight_scale, scale, rtol=1e-7)


@pytest.mark.parametrize("top", [1, 3, 7, 100, 127, 255, 4095, 32767])
def test_every_grid_is_found(top: int) -> None:
    """Float32 products of integers and a scale give back both, to the last bit of the scale."""
    random = np.random.default_rng(top)
    for scale in np.abs(random.normal(size=40)).astype(np.float32):
        integers = random.integers(0, top + 1, (3, 30))
        integers[:, :2] = top, 1
        found, _, unit = split(integers.astype(np.float32) * scale, None)
        np.testing.assert_array_equal(found, integers)
        assert unit == scale


def test_one_scale_for_all_where_that_takes_no_more_bits() -> None:
    weights = np.float32([[3, 1, -3], [2, -2, 2]]) * np.float32(0.1)
    integers, dtype, scale = split(weights, None)
    assert integers.tolist() == [[3, 1, -3], [2, -2, 2]]
    assert (dtype, scale) == (DataType("int", 3), np.float32(0.1))


def test_negative_scale_where_the_format_is_smaller() -> None:
    integers, dtype, scale = split(np.float32([[128, -127, 1]]), None)
    assert (integers.tolist(), dtype, scale) == ([[-128, 127, -1]], DataType("int", 8), -1)


def test_merged_bases_are_a_fine_grid() -> None:
    """Sums of three scaled sign matrices, as ABC-Net has them: rounded more than once."""
    random = np.random.default_rng(4)
    signs = random.integers(0, 2, (3, 6, 20)) * 2 - 1
    first, second, third = (np.float32(alpha) * part for alpha, part in zip((0.43, 0.21, 0.113), signs, strict=True))
    found, dtype, scale = split(np.float32(first) + np.float32(second) + np.float32(third), None)
    np.testing.assert_array_equal(found, 430 * signs[0] + 210 * signs[1] + 113 * signs[2])
    assert dtype == DataType("int", 11) and scale == pytest.approx(0.001)


def test_two_magnitudes_of_any_ratio() -> None:
    """TTQ's positive and negative ones: float32 cannot tell them from multiples of a fine scale."""
    weights = np.random.default_rng(2).choice(np.float32([-0.7313, 0, 0.4142]), (4, 12))
    found, dtype, scale = split(weights, None)
    assert dtype.bits <= 16
    np.testing.assert_array_equal(np.float32(found * scale), weights)


def test_weights_wider_than_sixteen_bits() -> None:
    with pytest.raises(Refusal, match="weights of 17 bits with their sign; quantise them to 16"):
        split(np.float32([[40000.0, 1.0]]), np.ones((1, 2)))


@pytest.mark.parametrize(
    "weights",
    [
        np.random.default_rng(0).normal(size=(3, 12)),
        # Tiny, but no rounding of a zero.
        [[1.0, -1.0, 1e-9]],
        # 32768 steps.
        [[32768.0, 1.0, 32767.0]],
        [[1.0, 0.5000005]],
    ],
)
def test_floats_are_no_grid(weights: NDArray[np.float64]) -> None:
    with pytest.raises(Refusal, match="not quantised: no whole multiples of a scale; quantise them with BipolarQuant"):
        split(np.asarray(weights, np.float32), None)


def test_unknown_operators_on_constants(tmp_path: Path) -> None:
    net, x = quantised_input()
    path = net.save(tmp_path, net.node("MatMul", x, net.node("Hardmax", net.weights(12, 8))))
    with pytest.raises(ModelError, match="Hardmax.*fold the constants before the export"):
        load_qonnx(path)
