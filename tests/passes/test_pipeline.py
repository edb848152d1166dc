"""Every pass keeps the meaning, and thresholds decide as the float32 chain does for every reachable accumulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, Float32
from bnnhw.errors import ModelError
from bnnhw.frontend import load_qonnx
from bnnhw.ir.bounds import reach
from bnnhw.ir.elementwise import apply
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import ArgMax, Clip, Dense, Encode, MatMul, Sigmoid, Softmax, Sum, Threshold
from bnnhw.ir.spec import verify
from bnnhw.passes import PIPELINE, lower, select_label, to_integers
from bnnhw.resources import folder
from campaigns.random_graphs import (
    QUANTISERS,
    arithmetic,
    batch_norm,
    bipolar,
    graph_of,
    matmul,
    multi_threshold,
    quant,
    random_graph,
)
from tests.data import DENSE_MODELS, shared

SHIPPED = sorted(path.parent.name for path in folder("models").glob("*/model.onnx"))


def samples(graph: Graph, count: int = 60) -> Any:
    rng = np.random.default_rng(3)
    return rng.uniform(-1.2, 1.2, (count, *graph.tensors[graph.input].shape)).astype(np.float32)


def check_every_pass(graph: Graph, x: Any) -> Graph:
    before = reference.run(graph, x)
    for step, stage in PIPELINE:
        graph = verify(step(graph), stage)
        after = reference.run(graph, x)
        np.testing.assert_allclose(after["outputs"], before["outputs"], rtol=1e-5, atol=1e-5)
        assert (after["prediction"] == before["prediction"]).all(), step.__module__
    return graph


@pytest.mark.parametrize("quantiser", QUANTISERS)
@pytest.mark.parametrize("seed", range(3))
def test_random_graphs(seed: int, quantiser: str) -> None:
    graph = random_graph(seed, quantiser)
    check_every_pass(graph, samples(graph))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models(name: str) -> None:
    path = folder("models") / name
    x = np.load(path / "golden.npz")["inputs"][:40]
    check_every_pass(load_qonnx(path / "model.onnx"), x)


@pytest.mark.parametrize("name", DENSE_MODELS)
def test_real_models(name: str) -> None:
    graph = load_qonnx(shared(DENSE_MODELS[name][0]))
    rng = np.random.default_rng(1)
    check_every_pass(graph, rng.uniform(0, 1, (40, 1, 28, 28)).astype(np.float32))


@pytest.mark.parametrize("quantiser", QUANTISERS)
def test_thresholds_for_every_reachable_accumulator(quantiser: str) -> None:
    floats = verify(random_graph(5, quantiser), "imported")
    steps = [step for step, _ in PIPELINE]
    first, last = steps.index(lower.run), steps.index(select_label.run)
    for step in steps[:first]:
        floats = step(floats)
    integers = floats
    for step in steps[first:last]:
        integers = step(integers)
    x = np.random.default_rng(0).uniform(0, 1, (40, *floats.tensors[floats.input].shape)).astype(np.float32)
    values, codes = reference.run_all(floats, x), reference.run_all(integers, x)
    layers = [node for node in integers.nodes if isinstance(node, Threshold)]
    assert layers
    for threshold in layers:
        dense = integers.producer(threshold.inputs[0])
        assert isinstance(dense, Dense)
        source = integers.tensors[dense.inputs[0]].format
        assert not isinstance(source, Float32)
        low, high = reach(dense.weight, source)
        start, layer = next((k, node) for k, node in enumerate(floats.nodes) if node.name == dense.name)
        assert isinstance(layer, MatMul)
        # What one is worth in front of the layer, and behind its thresholds.
        source_codes = codes[dense.inputs[0]]
        unit = float((values[layer.inputs[0]][source_codes != 0] / source_codes[source_codes != 0]).max())
        following = next(node for node in floats.nodes[start + 1 :] if isinstance(node, MatMul))
        for channel in range(len(low)):
            accumulators = np.arange(low[channel], high[channel] + 1)
            sign = -1 if dense.flip[channel] else 1
            scale = np.float64(np.broadcast_to(layer.weight_scale, low.shape)[channel]) * unit
            value: Any = np.repeat((sign * accumulators * scale).astype(np.float32)[:, None], len(low), axis=1)
            for node in floats.nodes[start + 1 : floats.nodes.index(following)]:
                value = apply(node, value)
            count = (accumulators[:, None] >= threshold.thresholds[channel][None]).sum(axis=1)
            code = threshold.table[0][count]
            worth = value[:, channel].max() / code.max() if code.max() else value[:, channel].min() / (code.min() or 1)
            np.testing.assert_allclose(value[:, channel], code * worth, rtol=1e-5, atol=1e-6)
        assert (threshold.thresholds >= low[:, None]).all()
        assert (threshold.thresholds <= high[:, None] + 1).all()


def test_ties_and_sign_of_zero() -> None:
    """x >= 0 at the very accumulator, from both sides: even inputs make the sum zero reachable."""
    rng = np.random.default_rng(0)
    nodes = [bipolar(), matmul(rng, 4, 3, BIPOLAR), arithmetic("mul", [1.0, -1.0, 0.0]), bipolar()]
    graph = graph_of([*nodes, matmul(rng, 3, 2, BIPOLAR)], (4,))
    x = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T.astype(np.float32)
    done = check_every_pass(graph, x)
    dense = next(node for node in done.nodes if isinstance(node, Dense))
    assert dense.flip.tolist() == [False, True, False]


def test_accumulators_keep_the_sign_of_the_model() -> None:
    rng = np.random.default_rng(0)
    weights = matmul(rng, 4, 3, TERNARY)
    graph = graph_of(
        [bipolar(), weights, arithmetic("mul", [1.0, -1.0, -1.0]), bipolar(), matmul(rng, 3, 2, BIPOLAR)], (4,)
    )
    x = np.where(rng.random((20, 4)) < 0.5, -1.0, 1.0).astype(np.float32)
    trace = reference.trace(to_integers(graph), x)
    assert (trace["acc0"] == x.astype(int) @ weights.weight.T).all()  # type: ignore[attr-defined]


def test_quantised_output() -> None:
    rng = np.random.default_rng(2)
    graph = graph_of(
        [bipolar(), matmul(rng, 9, 5, BIPOLAR), *batch_norm(rng, 5), bipolar(0.5), arithmetic("add", 1.0)], (9,)
    )
    done = check_every_pass(graph, samples(graph))
    assert isinstance(done.producer(done.outputs["integers"]), Threshold)


@pytest.mark.parametrize("ending", [[Softmax], [Sigmoid], [ArgMax], [Softmax, ArgMax]])
def test_endings(ending: list[Any]) -> None:
    rng = np.random.default_rng(2)
    tail = [kind(name="", inputs=(), output="") for kind in ending]
    graph = graph_of([bipolar(), matmul(rng, 9, 5, BIPOLAR), arithmetic("mul", 0.1), *tail], (9,))
    check_every_pass(graph, samples(graph))


@pytest.mark.parametrize("seed", range(6))
def test_scores_keep_the_order_of_per_class_affines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gain, bias = rng.normal(0.5, 0.5, 6), rng.normal(0, 3, 6)
    graph = graph_of([bipolar(), matmul(rng, 15, 6, BIPOLAR), arithmetic("mul", gain), arithmetic("add", bias)], (15,))
    done = to_integers(graph)
    x = np.where(rng.random((4000, 15)) < 0.5, -1.0, 1.0).astype(np.float32)
    found = reference.run(done, x)
    assert (found["prediction"] == found["outputs"].argmax(axis=1)).all()


def test_first_layer_of_a_declared_input_format() -> None:
    from dataclasses import replace

    rng = np.random.default_rng(1)
    graph = graph_of([arithmetic("add", 1.0), arithmetic("mul", 0.5), matmul(rng, 8, 3, BIPOLAR)], (8,))
    graph = replace(graph, input_format=BIPOLAR)
    x = np.where(rng.random((20, 8)) < 0.5, -1.0, 1.0).astype(np.float32)
    done = check_every_pass(graph, x)
    encode = next(node for node in done.nodes if isinstance(node, Encode))
    assert encode.dtype.name == "uint1"


def test_scales_per_channel_go_into_the_weights() -> None:
    rng = np.random.default_rng(1)
    nodes = [quant(3, 0.25), arithmetic("mul", [1.0] * 7 + [-2.0]), matmul(rng, 8, 2, BIPOLAR)]
    done = check_every_pass(graph_of(nodes, (8,)), rng.uniform(-2, 2, (40, 8)).astype(np.float32))
    dense = next(node for node in done.nodes if isinstance(node, Dense))
    assert (np.abs(dense.weight) == [1] * 7 + [2]).all()


@pytest.mark.parametrize("most", [8, 16])
def test_weights_wider_than_a_layer_takes_are_layers_of_their_digits(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bnnhw.passes.layers.MAX_WEIGHT_BITS", most)
    rng = np.random.default_rng(1)
    nodes = [quant(3, 0.25), arithmetic("mul", [1.0] * 7 + [-0.317]), matmul(rng, 8, 2, BIPOLAR)]
    done = check_every_pass(graph_of(nodes, (8,)), rng.uniform(-2, 2, (40, 8)).astype(np.float32))
    digits = [node for node in done.nodes if isinstance(node, Dense)]
    sums = [node.coefficients for node in done.nodes if isinstance(node, Sum)]
    factors = sums[0][:, 0] if most == 8 else np.array([1])
    weight = sum(factor * digit.weight.astype(np.int64) for factor, digit in zip(factors, digits, strict=True))
    ratio = np.abs(weight[:, 7] / weight[:, 0])
    np.testing.assert_allclose(ratio, 0.317, rtol=1e-5)
    assert all(digit.weight_dtype.bits <= most for digit in digits)
    assert (len(digits), len(sums)) == ((2, 1) if most == 8 else (1, 0))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (lambda rng: [matmul(rng, 8, 3, BIPOLAR)], "not quantised"),
        (
            lambda rng: [quant(13, 0.1), matmul(rng, 8, 4, BIPOLAR), Clip(name="", inputs=(), output="", low=0, high=np.inf), matmul(rng, 4, 2, BIPOLAR)],
            "not quantised",
        ),
        (lambda rng: [bipolar(), matmul(rng, 8, 4, BIPOLAR), quant(17, 0.1), matmul(rng, 4, 2, BIPOLAR)], "17 bits"),
        (lambda rng: [multi_threshold([[0.0]], 1.0, 0.3141), matmul(rng, 8, 2, BIPOLAR)], "no whole multiples, up to 255"),
        (
            lambda rng: [bipolar(), matmul(rng, 8, 4, BIPOLAR), Softmax(name="", inputs=(), output=""), bipolar(), matmul(rng, 4, 2, BIPOLAR)],
            "between layers",
        ),
        (lambda rng: [bipolar(), matmul(rng, 8, 4, BIPOLAR), arithmetic("mul", 0.0)], "constant or infinite"),
    ],
)  # fmt: skip
def test_refusals(nodes: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        to_integers(graph_of(nodes(np.random.default_rng(1)), (8,)))
    assert "MatMul" in str(caught.value) or "Arithmetic" in str(caught.value)


def test_negated_weights_that_need_another_bit() -> None:
    from bnnhw.arithmetic.formats import DataType

    rng = np.random.default_rng(1)
    nodes = [bipolar(), matmul(rng, 30, 4, DataType("int", 2)), arithmetic("mul", [-1.0] * 4), bipolar()]
    graph = graph_of([*nodes, matmul(rng, 4, 2, BIPOLAR)], (30,))
    done = check_every_pass(graph, samples(graph))
    dense = next(node for node in done.nodes if isinstance(node, Dense))
    assert dense.weight_dtype.name == "int3"
