"""The networks of published families: what is checked in, and the same answers at every level."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import onnx
import pytest

import bnnhw
from bnnhw import reference
from bnnhw.compiler import load_model
from bnnhw.passes import to_integers
from bnnhw.shipped import family_models, shipped_model, shipped_models

FAMILIES = family_models()
ROOT = Path(bnnhw.__file__).parents[1]
RECIPES = {path.stem: path for path in (ROOT / "models" / "families" / "recipes").glob("[a-z]*.py")}
LARGEST = 80_000  # bytes of a folder: all of them are part of the wheel

# In every run of the suite: one for each way of joining, padding and pooling; the others with the slow tests.
SIMULATED = ("bnn", "hwgq", "ebnn")


def test_every_recipe_has_its_files() -> None:
    assert {name.split("/")[1] for name in FAMILIES} == set(RECIPES)
    assert not set(FAMILIES) & set(shipped_models())
    assert shipped_model("families/none") is None
    for model in FAMILIES.values():
        assert sum(path.stat().st_size for path in model.folder.iterdir()) < LARGEST


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_what_its_model_says(name: str) -> None:
    """Read, not imported: torch is not part of the test environment."""
    tree = ast.parse(RECIPES[name].read_text())
    (call,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FAMILY"
    )
    told = {
        word.arg: ast.literal_eval(word.value)
        for word in call.keywords
        if word.arg in ("title", "paper", "idea", "dialect")
    }
    facts = FAMILIES[f"families/{name}"].facts
    assert told == {key: facts[key] for key in told}
    assert "arXiv:" in told["paper"] or "doi:" in told["paper"]


@pytest.mark.parametrize("name", FAMILIES)
def test_golden_values_are_of_this_file(name: str) -> None:
    """qonnx's executor, on the file as it lies here."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = FAMILIES[name]
    with np.load(model.golden) as golden:
        x = golden["inputs"][:2].astype(np.float32)
        outputs, prediction = golden["outputs"], golden["prediction"]
    file = ModelWrapper(onnx.load(model.file)).transform(InferShapes())
    found = np.concatenate([execute_onnx(file, {"x": sample[None]})["y"] for sample in x])
    np.testing.assert_allclose(found, outputs[:2], rtol=1e-5, atol=1e-5)
    assert (outputs.argmax(1) == prediction).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_source_and_reference(name: str) -> None:
    """The integers give what another executor gave for the file."""
    with np.load(FAMILIES[name].golden) as golden:
        x, outputs = golden["inputs"].astype(np.float32), golden["outputs"]
    found = reference.run(to_integers(load_model(name, None)), x)
    scale = np.abs(outputs).max()
    np.testing.assert_allclose(found["outputs"].reshape(outputs.shape) / scale, outputs / scale, atol=1e-5)
    # Of two classes that tie, the executor's float32 may take either.
    chosen = np.take_along_axis(outputs, found["prediction"].reshape(-1, 1), 1)[:, 0]
    np.testing.assert_allclose(chosen / scale, outputs.max(1) / scale, atol=1e-5)


@pytest.mark.sim
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name.split("/")[1] in SIMULATED else pytest.mark.slow) for name in FAMILIES]
)
def test_rtl(name: str) -> None:
    design = bnnhw.compile(name, board="ulx3s-85f", fps=30_000)
    found = bnnhw.compare(design, levels=("source", "reference", "rtl"), samples=2)
    assert found["mismatches"] == 0 and found["levels"]["rtl"]["samples"] == 2


@pytest.mark.parametrize("name", RECIPES)
def test_torch_and_the_file_agree(name: str) -> None:
    """An untrained network, as torch computes it and as another executor reads its file."""
    torch = pytest.importorskip("torch", reason="the extra train is not installed")
    from models.families import golden
    from models.families.family import CLASSES, Images, families
    from models.families.training import logits
    from models.families.writer import Writer

    torch.manual_seed(3)
    net = families()[name].network(Images(8, 16.0))
    x = np.random.default_rng(3).integers(0, 17, (16, 1, 8, 8)).astype(np.float32)
    net.train()(torch.from_numpy(x))  # so that batch normalisation has seen something
    trained = logits(net, x)
    writer = Writer((1, 1, 8, 8))
    found = golden.outputs(writer.model(name, net.write(writer, "x"), CLASSES), x)
    if np.allclose(np.exp(found).sum(1), 1, atol=1e-4):  # LogSoftmax, of a quarter of the logits
        found, trained = found * 4, trained - trained.max(1, keepdims=True)
        found = found - found.max(1, keepdims=True)
    elif np.allclose(found.sum(1), 1, atol=1e-4):
        found, trained = np.log(found), trained - np.log(np.exp(trained).sum(1, keepdims=True))
    np.testing.assert_allclose(found, trained, atol=2e-3 * max(1.0, np.abs(trained).max()))
