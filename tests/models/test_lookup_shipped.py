"""The shipped lookup-table networks: what is checked in is one network, and it is as right as it says."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import onnx
import pytest

import bnnhw
from bnnhw.shipped import shipped_models
from models.datasets import Data, digits, mnist
from models.lookup.executor import LookupExecutor, has_tables
from tests.data import shared

ROOT = Path(bnnhw.__file__).parents[1]
MODELS = {name: model for name, model in shipped_models().items() if has_tables(model.file)}
LEAST = {"digits-lut": 0.96, "mnist-lut-up5k": 0.94, "mnist-lut-hx8k": 0.955, "mnist-lut-ecp5": 0.975}
LARGEST = 500_000  # bytes of a folder: all of them are part of the wheel


def data_of(name: str) -> Data:
    if name.startswith("digits"):
        return digits(Path())
    return mnist(shared("mnist/train-images-idx3-ubyte.gz").parent)


def test_all_are_here() -> None:
    assert set(MODELS) == set(LEAST)
    for model in MODELS.values():
        assert sum(path.stat().st_size for path in model.folder.iterdir()) < LARGEST


@pytest.mark.parametrize("name", LEAST)
def test_golden_values_are_of_this_file(name: str) -> None:
    model = MODELS[name]
    with np.load(model.golden) as golden:
        arrays = dict(golden)
    executor = LookupExecutor(model.file)
    x = arrays["inputs"].astype(np.float32)
    found = executor.outputs(x)
    np.testing.assert_array_equal(found, arrays["outputs"])
    np.testing.assert_array_equal(found.argmax(axis=1), arrays["prediction"])
    for key, bits in executor.integers(x).items():
        np.testing.assert_array_equal(bits, arrays[key])
    assert executor.layers == model.facts["layers"]


@pytest.mark.parametrize("name", LEAST)
def test_a_recipe_says_what_its_file_is(name: str) -> None:
    """Read, not imported: torch is not part of the test environment."""
    model = MODELS[name]
    tree = ast.parse((model.folder / "train.py").read_text())
    (call,) = (node.value for node in tree.body if isinstance(node, ast.Assign) and "RECIPE" in ast.unparse(node))
    assert isinstance(call, ast.Call)
    told = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert told["title"] == name
    assert list(told["sizes"]) == [layer["nodes"] for layer in model.facts["layers"]]
    assert {told.get("k", 4)} == {layer["k"] for layer in model.facts["layers"]}
    assert onnx.load(model.file).graph.name == name


@pytest.mark.parametrize("name", LEAST)
def test_accuracy_on_the_whole_test_set(name: str) -> None:
    model, test = MODELS[name], data_of(name).test
    found = LookupExecutor(model.file).outputs(test.x).argmax(axis=1)
    accuracy = float((found == test.y).mean())
    assert round(accuracy, 4) == model.facts["accuracy"] >= LEAST[name]
    assert len(test.y) == model.facts["samples"]
