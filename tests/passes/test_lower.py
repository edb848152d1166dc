"""The lowering, kind by kind, against qonnx's executor: forks, positions, formats that meet, an input coded once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.frontend import load
from bnnhw.inputs import random_inputs
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Concat, Dense, Encode, Reshape, Threshold
from bnnhw.passes import to_integers
from tests.onnx_models import Net, executor_outputs

Build = Callable[[], Net]


def flat(net: Net, x: str, features: int, outputs: int = 3) -> Net:
    net.dense(net.node("Flatten", x, axis=1), features, outputs)
    return net


def positional(shape: tuple[int, ...], op: str = "Add", *, flatten: bool = False) -> Build:
    """A parameter of `shape` between a convolution to (3, 3, 3) and its quantiser: sizes agree whatever it is."""

    def build() -> Net:
        net = Net((1, 2, 3, 3))
        x = net.conv(net.bipolar("x"), 2, 3, (1, 1))
        if flatten:
            x = net.node("Flatten", x, axis=1)
        values = net.random.choice([-1.5, -0.5, 0.5, 1.5], shape)
        x = net.quant(net.node(op, x, net.constant(values.astype(np.float32))))
        return flat(net, x, 27)

    return build


def thresholds_along(layout: str) -> Build:
    def build() -> Net:
        net = Net((1, 2, 3, 3))
        x = net.conv(net.bipolar("x"), 2, 3, (1, 1))
        x = net.thresholds(x, [[-1.0], [0.0], [0.5]], out_scale=2.0, out_bias=-1.0, data_layout=layout)
        return flat(net, x, 27)

    return build


def two_quantisers_of_the_input(per_channel: bool) -> Build:
    def build() -> Net:
        net = Net((1, 12))
        shift = np.linspace(-1, 1, 12) if per_channel else np.array(0.25)
        first = net.bipolar(net.node("Sub", net.constant(np.float32(0.3)), "x"))
        second = net.quant(net.node("Add", "x", net.constant(shift.astype(np.float32))), scale=0.5, bits=3.0)
        x = net.node("Concat", *(net.bipolar(net.dense(y)) for y in (first, second)), axis=1)
        net.dense(x, 16, 3)
        return net

    return build


def requantised_skip() -> Net:
    net = Net((1, 12))
    x = net.quant(net.dense(net.bipolar("x"), 12, 8), bits=3.0, narrow=0)
    once = net.quant(net.dense(x, 8, 8), narrow=0)
    twice = net.quant(net.node("Relu", net.node("Mul", x, net.constant(0.5))), bits=2.0, narrow=0)
    net.dense(net.node("Add", once, twice), 8, 3)
    return net


def formats_that_meet() -> Net:
    net = Net((1, 2, 4, 4))
    x = net.bipolar(net.conv(net.bipolar("x"), 2, 3, (1, 1)))
    y = net.quant(net.conv(x, 3, 3, pads=[1, 1, 1, 1]), scale=1.0, bits=3.0, narrow=0)
    return flat(net, net.node("Concat", x, y, axis=1), 96)


def pool_of_the_input() -> Net:
    net = Net((1, 2, 6, 6))
    x = net.node("MaxPool", net.bipolar("x"), kernel_shape=[2, 2], strides=[2, 2])
    return flat(net, net.bipolar(net.conv(x, 2, 3)), 3)


def padded_input() -> Net:
    net = Net((1, 2, 4, 4))
    pads = net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    x = net.quant(net.node("Pad", "x", pads), scale=0.5, bits=3.0, narrow=0)
    return flat(net, net.bipolar(net.conv(x, 2, 3)), 48)


def shared_sum() -> Net:
    """A sum of layers that two quantisers and another sum read, with factors per channel."""
    net = Net((1, 12))
    x = net.bipolar("x")
    factors = net.constant(np.array([1, 2, -1, 0.5, 1, 1, 4, 1], np.float32))
    total = net.node("Add", net.node("Mul", net.dense(x), factors), net.dense(x))
    parts = [net.bipolar(total), net.quant(total, scale=2.0, bits=3.0)]
    net.dense(net.node("Add", *parts), 8, 3)
    return net


def mean_at_the_end() -> Net:
    net = Net((1, 2, 5, 5))
    x = net.batch_norm(net.conv(net.bipolar("x"), 2, 3), 3)
    net.node("Flatten", net.node("GlobalAveragePool", x), axis=1)
    return net


def sum_of_any_ratio() -> Net:
    net = Net((1, 12))
    x = net.bipolar("x")
    parts = [net.node("Mul", net.dense(x), net.constant(scale)) for scale in (0.43, 0.21, 0.113)]
    return flat(net, net.bipolar(net.batch_norm(net.node("Sum", *parts), 8)), 8)


def residual_chain() -> Net:
    """Sums that stay integers from block to block, and a mean of them."""
    net = Net((1, 4, 4, 4))
    total = net.quant("x", scale=0.1, bits=4.0, narrow=0)
    for _ in range(3):
        sums = net.conv(net.bipolar(total), 4, 4, pads=[1, 1, 1, 1])
        total = net.node("Add", total, net.batch_norm(sums, 4))
    net.dense(net.quant(net.node("Flatten", net.node("GlobalAveragePool", total), axis=1)), 4, 3)
    return net


def scale_per_channel() -> Net:
    net = Net((1, 3, 4, 4))
    scales = net.constant(np.array([0.261, 0.203, 0.157], np.float32).reshape(1, 3, 1, 1))
    x = net.node("Mul", net.quant("x", scale=0.5, bits=3.0, narrow=0), scales)
    return flat(net, net.bipolar(net.conv(x, 3, 2)), 8)


def clipped_between_levels() -> Net:
    net = Net((1, 12))
    x = net.node("Clip", net.quant("x", scale=0.5, bits=3.0), net.constant(-0.4), net.constant(1.2))
    net.dense(net.bipolar(net.dense(x)), 8, 3)
    return net


def flattened_ways() -> Net:
    """Two quantisers of one map, each of which is flattened on its own."""
    net = Net((1, 2, 2, 2))
    shift = net.constant(np.linspace(-0.5, 0.5, 8, dtype=np.float32))
    first = net.bipolar(net.node("Add", net.node("Flatten", "x", axis=1), shift))
    second = net.node("Flatten", net.quant("x", scale=0.5, bits=3.0), axis=1)
    x = net.node("Concat", *(net.bipolar(net.dense(y, 8, 5)) for y in (first, second)), axis=1)
    net.dense(x, 10, 3)
    return net


def mean_of_relu() -> Net:
    """Sums with a bias per channel that a Relu cuts off between two integers, then a mean and a sign."""
    net = Net((1, 2, 4, 4))
    sums = net.conv(net.bipolar("x"), 2, 3, (1, 1))
    cut = net.node("Relu", net.node("Add", sums, net.constant(np.array([0.3, -0.7, 1.1], np.float32).reshape(3, 1, 1))))
    mean = net.node("AveragePool", cut, kernel_shape=[2, 2], strides=[2, 2])
    return flat(net, net.bipolar(net.batch_norm(mean, 3)), 12)


def sum_of_prelu() -> Net:
    net = Net((1, 12))
    x = net.bipolar("x")
    slopes = net.constant(np.linspace(0.1, 0.8, 8, dtype=np.float32))
    total = net.node("Add", net.node("PRelu", net.dense(x), slopes), net.dense(x))
    net.dense(net.bipolar(net.batch_norm(total, 8)), 8, 3)
    return net


def padded_sum() -> Net:
    """Padding that no window takes, of quantised values and of a layer's sums."""
    net = Net((1, 2, 3, 3))
    pads = net.constant(np.array([0, 0, 1, 0, 0, 0, 0, 1], np.int64))
    x = net.bipolar("x")
    parts = [net.node("Pad", x, pads), net.node("Pad", net.conv(x, 2, 2, (1, 1)), pads)]
    return flat(net, net.bipolar(net.node("Add", *parts)), 32)


def flattened_join(op: str) -> Build:
    """A map, flattened, and the sums of a layer."""

    def build() -> Net:
        net = Net((1, 2, 3, 3))
        x = net.node("Flatten", net.bipolar(net.conv(net.bipolar("x"), 2, 2, (1, 1))), axis=1)
        shift = net.constant(np.linspace(-1, 1, 18, dtype=np.float32))
        y = (
            net.node("Add", net.quant(net.dense(x, 18, 18), scale=2.0), shift)
            if op == "Add"
            else net.bipolar(net.dense(x, 18, 5))
        )
        made = net.node(op, x, y, **({"axis": 1} if op == "Concat" else {}))
        net.dense(net.bipolar(made) if op == "Add" else made, 18 if op == "Add" else 23, 3)
        return net

    return build


KINDS: dict[str, Build] = {
    "row": positional((3,)),
    "column": positional((3, 1)),
    "channel": positional((3, 1, 1)),
    "whole map": positional((3, 3, 3)),
    "batched channel": positional((1, 3, 1, 1)),
    "factor of a row": positional((3,), "Mul"),
    "divisor of a map": positional((3, 3), "Div"),
    "feature": positional((27,), flatten=True),
    "thresholds of channels": thresholds_along("NCHW"),
    "thresholds of columns": thresholds_along("NHWC"),
    "two quantisers": two_quantisers_of_the_input(False),
    "two quantisers with offsets": two_quantisers_of_the_input(True),
    "requantised skip": requantised_skip,
    "formats that meet": formats_that_meet,
    "pool of the input": pool_of_the_input,
    "padded input": padded_input,
    "shared sum": shared_sum,
    "mean at the end": mean_at_the_end,
    "sum of any ratio": sum_of_any_ratio,
    "residual chain": residual_chain,
    "scale per channel": scale_per_channel,
    "clipped between levels": clipped_between_levels,
    "flattened ways": flattened_ways,
    "mean of relu": mean_of_relu,
    "sum of prelu": sum_of_prelu,
    "padded sum": padded_sum,
    "flattened map in a sum": flattened_join("Add"),
    "flattened map in a concatenation": flattened_join("Concat"),
}


def lowered(name: str, folder: Path) -> tuple[Graph, Path]:
    path = KINDS[name]().save(folder)
    return to_integers(load(path)), path


@pytest.mark.parametrize("name", KINDS)
def test_outputs_are_those_of_the_executor(name: str, tmp_path: Path) -> None:
    graph, path = lowered(name, tmp_path)
    inputs = random_inputs(graph, 24).values
    found, expected = reference.run(graph, inputs)["outputs"], executor_outputs(path, inputs)
    aside = reference.doubtful(graph, inputs)
    assert aside.sum() < 12
    np.testing.assert_allclose(found[~aside], expected.reshape(found.shape)[~aside], rtol=1e-5, atol=1e-5)
    plain = reference.run(graph, inputs, packed=False)
    np.testing.assert_array_equal(plain["integers"], reference.run(graph, inputs)["integers"])


def test_a_parameter_per_position_gets_thresholds_per_position(tmp_path: Path) -> None:
    for name, channels in (("channel", 3), ("row", 27), ("whole map", 27), ("thresholds of columns", 27)):
        graph, _ = lowered(name, tmp_path)
        assert [len(node.thresholds) for node in graph.nodes if isinstance(node, Threshold)] == [channels], name


def test_the_input_is_coded_once(tmp_path: Path) -> None:
    for name in KINDS:
        graph, _ = lowered(name, tmp_path)
        assert sum(isinstance(node, Encode) for node in graph.nodes) == 1, name


def test_codes_are_made_at_the_fork_and_shared(tmp_path: Path) -> None:
    graph, _ = lowered("requantised skip", tmp_path)
    first = next(node for node in graph.nodes if isinstance(node, Threshold))
    readers = graph.consumers(first.output)
    assert {type(node) for node in readers} == {Dense, Threshold}


def test_joined_formats_have_one_that_holds_both(tmp_path: Path) -> None:
    graph, _ = lowered("formats that meet", tmp_path)
    join = next(node for node in graph.nodes if isinstance(node, Concat))
    names = [graph.tensors[name].format.name for name in (*join.inputs, join.output)]
    assert names == ["ternary", "int3", "int3"]  # ternary, since a convolution pads with zeros


def test_several_readers_leave_the_weights_as_they_are(tmp_path: Path) -> None:
    graph, _ = lowered("shared sum", tmp_path)
    assert not any(node.flip.any() for node in graph.nodes if isinstance(node, Dense))


def test_shapes_between_layers_only_count_differently(tmp_path: Path) -> None:
    graph, _ = lowered("row", tmp_path)
    shapes = [graph.tensors[node.output].shape for node in graph.nodes if isinstance(node, Reshape)]
    assert shapes == [(27,), (3, 3, 3), (27,)]
