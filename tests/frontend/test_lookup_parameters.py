"""Parameters of DWN, difflogic and WiSARD: what they compute by their own arithmetic, and what is refused."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.errors import ModelError
from bnnhw.frontend import inspect, load
from bnnhw.passes import to_integers

pytestmark = pytest.mark.unit

GATES = [
    lambda a, b: 0 * a,
    lambda a, b: a * b,
    lambda a, b: a - a * b,
    lambda a, b: a,
    lambda a, b: b - a * b,
    lambda a, b: b,
    lambda a, b: a + b - 2 * a * b,
    lambda a, b: a + b - a * b,
    lambda a, b: 1 - (a + b - a * b),
    lambda a, b: 1 - (a + b - 2 * a * b),
    lambda a, b: 1 - b,
    lambda a, b: 1 - b + a * b,
    lambda a, b: 1 - a,
    lambda a, b: 1 - a + a * b,
    lambda a, b: 1 - a * b,
    lambda a, b: 1 + 0 * a,
]


def groups(bits, classes):
    return bits.reshape(len(bits), classes, -1).sum(axis=2)


def dwn(rng, features=7, levels=3, sizes=(30, 20), k=6):
    arrays = {
        "thresholds": np.sort(rng.normal(size=(features, levels)), axis=1).astype(np.float32),
        "classes": np.int64(4),
    }
    before = features * levels
    for n, nodes in enumerate(sizes):
        arrays[f"{n}.mapping"] = rng.integers(0, before, (nodes, k)).astype(np.int32)
        arrays[f"{n}.luts"] = rng.uniform(-1, 1, (nodes, 1 << k)).astype(np.float32)
        before = nodes
    return arrays


def run_dwn(arrays, x):
    bits = (x[:, :, None] > arrays["thresholds"]).reshape(len(x), -1).astype(int)
    for n in range(2):
        mapping, luts = arrays[f"{n}.mapping"], arrays[f"{n}.luts"]
        address = sum(bits[:, mapping[:, j]] << j for j in range(mapping.shape[1]))
        bits = (luts[np.arange(len(luts)), address] > 0).astype(int)
    return groups(bits, int(arrays["classes"]))


def saved(path, arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("k", [2, 4, 6])
def test_dwn(tmp_path, k):
    rng = np.random.default_rng(k)
    arrays = dwn(rng, k=k)
    path = saved(tmp_path / "net.npz", arrays)
    x = rng.normal(size=(200, 7)).astype(np.float32)
    x[::2] = arrays["thresholds"][np.arange(7), rng.integers(0, 3, (100, 7))]
    expected = run_dwn(arrays, x)
    for graph in (load(path), to_integers(load(path))):
        np.testing.assert_array_equal(reference.run(graph, x)["outputs"], expected)
    assert [row.becomes for row in inspect(path)] == [
        f"layer 0: 30 tables of {k} inputs",
        f"layer 1: 20 tables of {k} inputs",
    ]
    assert all(row.op == "DWN" and row.ok for row in inspect(path))


def test_difflogic(tmp_path):
    """All 16 gates, by the numbers that difflogic gives them; sums divided by tau."""
    rng = np.random.default_rng(1)
    arrays = {"inputs": np.int64(10), "classes": np.int64(4), "tau": np.float32(4)}
    before = 10
    for n, nodes in enumerate((48, 32, 16)):
        weights = rng.normal(size=(nodes, 16)).astype(np.float32)
        weights[np.arange(nodes), np.arange(nodes) % 16] += 9
        arrays[f"{n}.indices"], arrays[f"{n}.weights"] = rng.integers(0, before, (2, nodes)), weights
        before = nodes
    x = rng.integers(0, 2, (200, 10))
    bits = x
    for n in range(3):
        a, b = (bits[:, wires] for wires in arrays[f"{n}.indices"])
        gates = arrays[f"{n}.weights"].argmax(axis=1)
        bits = np.stack([GATES[gate](a[:, m], b[:, m]) for m, gate in enumerate(gates)], axis=1)
    graph = to_integers(load(saved(tmp_path / "net.npz", arrays)))
    np.testing.assert_array_equal(reference.run(graph, x)["outputs"], groups(bits, 4) / np.float32(4))


def test_wisard(tmp_path):
    """A discriminator of each class reads the same bits; what was seen less than `bleach` times does not count."""
    rng = np.random.default_rng(2)
    mapping = np.tile(rng.permutation(16).reshape(4, 4), (3, 1))
    counts = rng.integers(0, 6, (12, 16))
    arrays = {
        "0.mapping": mapping,
        "0.counts": counts,
        "bleach": np.int64(3),
        "classes": np.int64(3),
        "inputs": np.int64(16),
    }
    x = rng.integers(0, 2, (100, 16))
    address = sum(x[:, mapping[:, j]] << j for j in range(4))
    expected = groups((counts[np.arange(12), address] >= 3).astype(int), 3)
    graph = to_integers(load(saved(tmp_path / "net.npz", arrays)))
    np.testing.assert_array_equal(reference.run(graph, x)["outputs"], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": None}, "classes: a whole number above 0 is needed, the array is missing"),
        ({"classes": np.int64(3)}, "classes: 20 nodes do not come in 3 groups"),
        ({"0.luts": np.zeros((30, 8))}, "layer 0: mapping of shape (30, 4) and luts of (30, 8) do not fit each other"),
        ({"1.mapping": np.full((20, 4), 30)}, "layer layer1: places that a tensor of shape (30,) has not"),
        (
            {"1.luts": None},
            "layer 1: 1.mapping and 1.luts, or 1.indices and 1.weights, or 1.mapping and 1.counts are needed",
        ),
        ({"0.luts": np.full((30, 16), np.nan)}, "layer 0: luts that are NaN or infinite"),
        ({"thresholds": np.zeros(7)}, "thresholds: of shape (7,), not (features, levels) of finite numbers"),
        ({"thresholds": None}, "inputs: a whole number above 0 is needed, the array is missing"),
        ({"tau": np.float32(0)}, "tau: not a positive number"),
        ({f"{n}.{part}": None for n in (0, 1) for part in ("mapping", "luts")}, "no layers 0, 1, ..: arrays 0.mapping"),
    ],
)
def test_refusals(tmp_path, change, message):
    arrays = {name: array for name, array in (dwn(np.random.default_rng(1), k=4) | change).items() if array is not None}
    path = saved(tmp_path / "net.npz", arrays)
    with pytest.raises(ModelError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_python_objects_are_refused(tmp_path):
    path = tmp_path / "net.npz"
    np.savez(path, **{"0.luts": np.array([{}], object)})
    with pytest.raises(ModelError, match="Python objects"):
        load(path)


NAMES = {"b1": "BOOL", "i4": "I32", "i8": "I64", "u1": "U8", "f4": "F32", "f8": "F64"}


def safetensors(path, arrays, **entries):
    """Writes `arrays` as the format's own library does; `entries` of the header are added or replaced."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        array = np.asarray(array)
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": NAMES[array.dtype.str[1:]], "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps({**header, **entries}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_safetensors(tmp_path):
    arrays = {**dwn(np.random.default_rng(4)), "0.luts": np.random.default_rng(4).integers(0, 2, (30, 64)) == 1}
    np.savez(tmp_path / "net.npz", **arrays)
    x = np.random.default_rng(1).normal(size=(200, 7)).astype(np.float32)
    found, expected = (
        reference.run(to_integers(load(path)), x)["outputs"]
        for path in (safetensors(tmp_path / "net.safetensors", arrays), tmp_path / "net.npz")
    )
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found, run_dwn(arrays, x))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}, "is of type 'BF16': save it as BOOL, I8"),
        ({"dtype": "I32", "shape": [-1], "data_offsets": [0, 4]}, "has no shape and data_offsets of whole numbers"),
        ({"dtype": "I32", "shape": [1.5], "data_offsets": [0, 4]}, "has no shape and data_offsets of whole numbers"),
        ({"dtype": "I32", "shape": [1], "data_offsets": [0]}, "has no shape and data_offsets of whole numbers"),
        ({"dtype": "I32", "shape": [2], "data_offsets": [0, 4]}, "is not what bytes 0 to 4 hold"),
        ({"dtype": "I32", "shape": [1], "data_offsets": [1 << 30, (1 << 30) + 4]}, "is not what bytes"),
        (7, "is of type None"),
    ],
)
def test_damaged_safetensors(tmp_path, entry, message):
    path = safetensors(tmp_path / "net.safetensors", dwn(np.random.default_rng(4)), classes=entry)
    with pytest.raises(ModelError, match=f"net.safetensors: cannot be read as .safetensors: .*classes.* {message}"):
        load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "header is longer than the file"),
        (struct.pack("<Q", 1 << 40) + b"{}", "header is longer than the file"),
        (struct.pack("<Q", 2) + b"[]", "header is no JSON object"),
        (struct.pack("<Q", 2) + b"{,", "Expecting property name"),
        (struct.pack("<Q", 200_000) + b"[" * 200_000, "nested too deeply"),
    ],
    ids=range(5),
)
def test_files_that_are_no_safetensors(tmp_path, content, message):
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load(path)


def test_sizes_of_the_published_example(tmp_path):
    """DWN's own example for MNIST: 3 thresholds of each pixel, layers of 2,000 and 1,000 nodes of 6 inputs."""
    arrays = {
        **dwn(np.random.default_rng(0), 784, 3, (2000, 1000), 6),
        "classes": np.int64(10),
        "tau": np.float64(1 / 0.3),
    }
    x = np.random.default_rng(1).normal(size=(300, 784)).astype(np.float32)
    np.savez(tmp_path / "net.npz", **arrays)
    graph = load(tmp_path / "net.npz")
    found = reference.run(to_integers(graph), x)
    np.testing.assert_array_equal(found["integers"], run_dwn(arrays, x))
    np.testing.assert_array_equal(found["outputs"], reference.run(graph, x)["outputs"])
    assert [row.becomes for row in inspect(tmp_path / "net.npz")] == [
        "layer 0: 2000 tables of 6 inputs",
        "layer 1: 1000 tables of 6 inputs",
    ]
