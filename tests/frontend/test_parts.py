"""Slice, Split and Gather at constant places, against qonnx's executor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from bnnhw.ir.nodes import Encode, Slice
from bnnhw.passes import to_integers
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import Net, inputs_for, quantised_input

SHAPE = (1, 4, 5, 6)


def numbers(net: Net, *values: int) -> str:
    return net.constant(np.array(values, np.int64))


def sliced(net: Net, x: str, starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> str:
    return net.node("Slice", x, *(numbers(net, *values) for values in (starts, ends, axes, steps)))


def assert_equal(net: Net, path: Path) -> int:
    """The executor's outputs from the graph and from its integers; how many slices the hardware has."""
    graph = assert_as_executed(path, inputs_for(net), tolerance=1e-6)
    made = to_integers(graph)
    np.testing.assert_array_equal(
        reference.run(made, inputs_for(net))["outputs"], reference.run(graph, inputs_for(net))["outputs"]
    )
    encode = next(k for k, node in enumerate(made.nodes) if isinstance(node, Encode))
    return sum(isinstance(node, Slice) for node in made.nodes[encode:])


PARTS: dict[str, tuple[Callable[[Net, str], str], int]] = {
    "channels": (lambda net, x: sliced(net, x, [1], [3], [1], [1]), 2 * 5 * 6),
    "rows and columns": (lambda net, x: sliced(net, x, [1, 0], [-1, 6], [2, -1], [1, 2]), 4 * 3 * 3),
    "everything": (lambda net, x: sliced(net, x, [0, -9], [1, 99], [0, 2], [1, 1]), 120),
    "every other channel": (lambda net, x: net.node("Gather", x, numbers(net, 0, 2), axis=1), 2 * 5 * 6),
    "one channel": (lambda net, x: net.node("Gather", x, net.constant(np.int64(-1)), axis=1), 5 * 6),
    "one row": (lambda net, x: net.node("Gather", x, net.constant(np.int64(2)), axis=2), 4 * 6),
    "half": (lambda net, x: net.node("Split", x, outputs=2, axis=1), 2 * 5 * 6),
    "sizes": (lambda net, x: net.node("Split", x, numbers(net, 1, 4), outputs=2, axis=-2) + ".1", 4 * 4 * 6),
}


@pytest.mark.parametrize("case", PARTS)
@pytest.mark.parametrize("behind", ["input", "convolution"])
def test_parts_of_maps(case: str, behind: str, tmp_path: Path) -> None:
    """Flattened afterwards: in the order of the file."""
    make, size = PARTS[case]
    net, x = quantised_input(shape=SHAPE, opset=13)
    if behind == "convolution":
        x = net.bipolar(net.batch_norm(net.conv(x, inputs=4, pads=[1, 1, 1, 1]), 4))
    net.dense(net.node("Flatten", make(net, x)), size)
    assert assert_equal(net, net.save(tmp_path)) == (case != "everything")


def test_parts_of_sums_and_layers_behind(tmp_path: Path) -> None:
    """A slice of a layer's sums, with its batch normalisation behind, and a convolution of a part of a map."""
    net, x = quantised_input(shape=SHAPE, opset=13)
    x = net.conv(x, inputs=4, outputs=6)
    x = net.bipolar(net.batch_norm(sliced(net, x, [1], [6], [1], [2]), 3))
    x = net.conv(sliced(net, x, [0], [2], [2], [1]), outputs=4, kernel=(2, 2))
    net.dense(net.node("Flatten", net.bipolar(x)), 4 * 3)
    assert assert_equal(net, net.save(tmp_path)) == 2


def test_halves_that_meet_again(tmp_path: Path) -> None:
    """As in ShuffleNet: one half passes by."""
    net, x = quantised_input(shape=SHAPE, opset=13)
    first = net.node("Split", x, outputs=2, axis=1)
    second = net.quant(net.conv(f"{first}.1", inputs=2, outputs=2, pads=[1, 1, 1, 1]), scale=0.5)
    x = net.node("Concat", second, first, axis=1)
    net.dense(net.node("Flatten", x), 120)
    assert assert_equal(net, net.save(tmp_path)) == 2


def test_steps_of_a_recurrence(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 3, 8), opset=13)
    state = ""
    for step in range(3):
        part = net.node("Squeeze", sliced(net, x, [step], [step + 1], [1], [1]), numbers(net, 1))
        state = net.bipolar(
            net.dense(net.node("Concat", part, state, axis=1) if state else part, 14 if state else 8, 6)
        )
    net.dense(state, 6)
    assert assert_equal(net, net.save(tmp_path)) == 3


@pytest.mark.parametrize("case", ["channels", "positions"])
def test_parts_of_the_input_of_one_dimension(case: str, tmp_path: Path) -> None:
    """A one-dimensional convolution reads a part: the input is arranged as it would be for the whole."""
    net, x = quantised_input(shape=(1, 4, 6), opset=13)
    if case == "channels":
        x = net.node("Split", x, numbers(net, 3, 1), outputs=2, axis=1)
        x, left = net.conv(x, inputs=3, kernel=(2,)), 5
    else:
        x, left = net.conv(net.node("Gather", x, numbers(net, 0, 2, 3, 5), axis=2), inputs=4, kernel=(2,)), 3
    net.dense(net.node("Flatten", net.bipolar(net.batch_norm(x, 4))), 4 * left)
    assert assert_equal(net, net.save(tmp_path)) == 1


def test_attributes_of_old_files(tmp_path: Path) -> None:
    net, x = quantised_input(shape=(1, 12), opset=9)
    x = net.node("Slice", x, starts=[2], ends=[100], axes=[1])
    net.dense(net.node("Split", x, outputs=2, axis=1, split=[4, 6]), 4)
    net.dense(net.bipolar(net.nodes[-1].output[0]), 8, 3)
    assert assert_equal(net, net.save(tmp_path)) == 2


REFUSED: dict[str, tuple[Callable[[Net, str], str], str]] = {
    "reverse": (lambda net, x: sliced(net, x, [3], [0], [1], [-1]), "places in reverse; slice with positive steps"),
    "twice": (lambda net, x: net.node("Gather", x, numbers(net, 2, 2), axis=1), "places of an axis several times"),
    "beyond": (lambda net, x: net.node("Gather", x, numbers(net, 4), axis=1), "places that an axis of 4 has not"),
    "samples": (lambda net, x: net.node("Gather", x, numbers(net, 0), axis=0), "along an axis behind the batch"),
    "no samples": (lambda net, x: sliced(net, x, [1], [2], [0], [1]), "a part of the samples"),
    "nothing": (lambda net, x: sliced(net, x, [3], [2], [1], [1]), "an empty part"),
    "axis": (lambda net, x: sliced(net, x, [0], [2], [7], [1]), "along axis 7"),
    "sizes": (lambda net, x: net.node("Split", x, numbers(net, 1, 2), outputs=2, axis=1), r"parts of \[1, 2\]"),
    "embedding": (
        lambda net, x: net.node("Gather", net.weights(4, 8), net.node("Cast", x, to=7), axis=0),
        "a table that the data looks up",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    make, message = REFUSED[case]
    net, x = quantised_input(shape=SHAPE, opset=13)
    make(net, x)
    with pytest.raises(ModelError, match=message):
        load_qonnx(net.save(tmp_path))
