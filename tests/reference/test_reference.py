from __future__ import annotations

import numpy as np
import onnx
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.errors import InputError
from bnnhw.frontend import load_qonnx
from bnnhw.ir.nodes import Lookup
from bnnhw.passes import to_integers
from bnnhw.reference import packed
from bnnhw.resources import folder
from campaigns.random_graphs import random_graph
from campaigns.random_networks import random_values
from tests.data import DENSE_MODELS, golden, shared

FORMATS = [BIPOLAR, TERNARY, *(DataType("uint", n) for n in (1, 3, 8)), *(DataType("int", n) for n in (2, 5, 8, 16))]
SHIPPED = sorted(path.parent.name for path in folder("models").glob("*/model.onnx"))
ACCURACY = {
    "TFC_1W1A": 0.9296,
    "TFC_1W1A_clean": 0.9296,
    "TFC_2W2A": 0.9660,
    "TFC_2W2A_clean": 0.9660,
    "LFC_1W1A": 0.9834,
}


@pytest.mark.parametrize("x", FORMATS, ids=str)
@pytest.mark.parametrize("weight", [*FORMATS[:-1], DataType("int", 10)], ids=str)
def test_packed_product_is_the_plain_one(weight: DataType, x: DataType) -> None:
    rng = np.random.default_rng(1)
    for mw in (1, 63, 64, 65, 130):
        w, values = random_values(rng, weight, (7, mw)).astype(np.int16), random_values(rng, x, (9, mw))
        assert (packed.dense(values, x, w, weight) == values @ w.T.astype(np.int64)).all()


def test_packed_product_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "STEP_WORDS", 40)
    rng = np.random.default_rng(1)
    w, values = random_values(rng, TERNARY, (7, 100)).astype(np.int16), random_values(rng, TERNARY, (23, 100))
    assert (packed.dense(values, TERNARY, w, TERNARY) == values @ w.T.astype(np.int64)).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_golden_files(name: str) -> None:
    """Every accumulator, activation, output and class that qonnx's executor found."""
    path = folder("models") / name
    known = dict(np.load(path / "golden.npz"))
    graph = to_integers(load_qonnx(path / "model.onnx"))
    trace, found = reference.trace(graph, known["inputs"]), reference.run(graph, known["inputs"])
    layers = [key for key in known if key[:3] in ("acc", "act") and key[3:].isdigit()]
    assert len(layers) >= 2
    if any(isinstance(node, Lookup) for node in graph.nodes):
        layers = []  # tables lose what makes no difference, and with them go bits between the layers
    for key in layers:
        # Feature maps are there for some of the samples.
        assert (trace[key][: len(known[key])] == known[key]).all(), key
    assert (found["outputs"] == known["outputs"]).all()
    assert (found["prediction"] == known["prediction"]).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files_say_nothing_of_where_they_were_made(name: str) -> None:
    """Exporters write call stacks, with the folders of a computer, beside every node."""
    model = onnx.load(folder("models") / name / "model.onnx")
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.initializer):
        assert not part.metadata_props and not part.doc_string


@pytest.mark.parametrize("name", DENSE_MODELS)
def test_real_golden_files(name: str) -> None:
    known = golden(DENSE_MODELS[name][1])
    graph = to_integers(load_qonnx(shared(DENSE_MODELS[name][0])))
    x = known["images_u8"].astype(np.float32) / np.float32(255)
    trace, found = reference.trace(graph, x), reference.run(graph, x)
    lfc = name.startswith("LFC")
    for key, values in known.items():
        if key[:3] in ("acc", "act"):
            # The golden file of LFC does not count the quantised input.
            mine = f"act{int(key[3:]) + 1}" if lfc and key.startswith("act") else key
            assert (trace[mine] == values).all(), key
    assert (found["outputs"] == known["margin" if lfc else "logits"]).all()
    assert (found["prediction"] == known["pred_argmax_margin" if lfc else "pred"]).all()


@pytest.mark.parametrize("name", DENSE_MODELS)
def test_whole_mnist_test_set(name: str) -> None:
    import gzip

    pixels = gzip.decompress(shared("mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    classes = np.frombuffer(gzip.decompress(shared("mnist/t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    x = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
    graph = to_integers(load_qonnx(shared(DENSE_MODELS[name][0])))
    found = reference.run(graph, x)["prediction"]
    assert (found == golden(DENSE_MODELS[name][1])["pred_all_10000"]).all()
    assert (found == classes).mean() == pytest.approx(ACCURACY[name], abs=1e-9)


def test_encode_and_finish_are_the_two_ends() -> None:
    graph = to_integers(random_graph(1, "ternary"))
    x = np.random.default_rng(1).uniform(-1, 1, (20, *graph.tensors["x"].shape)).astype(np.float32)
    found = reference.run(graph, x)
    ends = reference.finish(graph, found["integers"])
    assert (ends["outputs"] == found["outputs"]).all()
    assert (ends["prediction"] == found["prediction"]).all()
    assert (reference.encode_inputs(graph, x) == reference.trace(graph, x)["act0"]).all()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((3, 2), np.float32), r"must have the shape \(N, \d+\), not \(3, 2\)"),
        (np.float32(1), "must have the shape"),
        (np.array([["a"]]), "must be numbers"),
    ],
)
def test_bad_inputs(inputs: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reference.run(random_graph(1, "bipolar"), inputs)


def test_nan_is_refused() -> None:
    graph = random_graph(1, "bipolar")
    x = np.full((1, *graph.tensors["x"].shape), np.nan)
    with pytest.raises(InputError, match="NaN or infinity"):
        reference.run(graph, x)
