"""The trainer, on synthetic tasks of the shapes of jet tagging and intrusion detection: needs the extra `train`."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: it is part of the extra `train`")

from models.datasets import Split  # noqa: E402
from models.lookup.layers import LookupTables, finite_differences  # noqa: E402
from models.lookup.recipe import Recipe  # noqa: E402
from models.lookup.training import accuracy, held_out, sensitivity, train  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
FEATURES, CLASSES = 16, 5
RECIPE = Recipe(title="jets", sizes=(50,), levels=3, epochs=6, batch=50, temperature=1.0)


def jets(samples: int, *, seed: int, features: int = FEATURES, classes: int = CLASSES) -> Split:
    """A class's features lie about its centre."""
    centres = np.random.default_rng(0).normal(size=(classes, features))
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, samples)
    return Split((centres[y] + random.normal(size=(samples, features))).astype(np.float32), y.astype(np.int64))


@pytest.mark.parametrize(("features", "classes"), [(FEATURES, CLASSES), (42, 2)], ids=["JSC", "UNSW-NB15"])
def test_learns_what_its_network_of_integers_says(features: int, classes: int) -> None:
    shape = {"features": features, "classes": classes}
    network = train(RECIPE, jets(1500, seed=1, **shape), classes)
    assert network.layers[0].tables.shape == (50, 16) and network.head.shape == (50, classes)
    assert accuracy(network, jets(1000, seed=2, **shape)) > 0.85  # chance is a half at most


@pytest.mark.parametrize("sizes", [(50,), (60, 30)])
def test_a_seed_repeats(sizes: tuple[int, ...]) -> None:
    recipe = Recipe(title="jets", sizes=sizes, levels=2, epochs=1, batch=50, entropy=0.1, teacher=(8,))
    one, other = (train(recipe, jets(300, seed=1), CLASSES) for _ in range(2))
    for a, b in zip(one.layers, other.layers, strict=True):
        assert np.array_equal(a.wiring, b.wiring) and np.array_equal(a.tables, b.tables)
    assert len(one.layers) == len(sizes)


def test_gradients_are_those_of_the_multilinear_extension() -> None:
    """At corners; of tables straight through the sign, of scores the product of an input's gradient and the bit."""
    torch.manual_seed(1)
    layer = LookupTables(inputs=5, nodes=3, k=3)
    bits = torch.randint(0, 2, (5, 7)).double().float().requires_grad_()
    upstream = torch.randn(3, 7)
    (layer(bits) * upstream).sum().backward()

    tables = (layer.tables.detach() >= 0).float().requires_grad_()
    again = bits.detach().clone().requires_grad_()
    chosen = again[layer.index.view(-1)].view(3, 3, 7)
    chosen.retain_grad()
    out = torch.zeros(3, 7)
    for corner in itertools.product((0, 1), repeat=3):
        share = torch.ones(3, 7)
        for j, bit in enumerate(corner):
            share = share * (chosen[:, j] if bit else 1 - chosen[:, j])
        out = out + share * tables[:, sum(bit << j for j, bit in enumerate(corner)), None]
    assert torch.equal(out, layer(bits))
    (out * upstream).sum().backward()
    torch.testing.assert_close(bits.grad, again.grad)
    torch.testing.assert_close(layer.tables.grad, tables.grad)
    wanted = chosen.grad.view(9, 7) @ bits.detach().t()
    torch.testing.assert_close(layer.scores.grad, wanted, rtol=0.05, atol=0.05)  # half precision


def test_area_regulariser_is_nothing_for_tables_that_read_nothing() -> None:
    constant = torch.full((4, 16), 0.7)
    assert sensitivity(constant) == 0
    parity = torch.tensor([[1.0, -1.0, -1.0, 1.0]])
    assert sensitivity(parity) == 2  # each of its two inputs matters everywhere
    assert [d.tolist() for d in finite_differences(torch.tensor([[0.0, 1.0, 0.0, 1.0]]))] == [
        [[1, 1, 1, 1]],
        [[0, 0, 0, 0]],
    ]


def test_regulariser_frees_inputs() -> None:
    def share(entropy: float) -> float:
        recipe = Recipe(title="jets", sizes=(50,), levels=2, epochs=5, batch=50, rate=0.1, entropy=entropy)
        (layer,) = train(recipe, jets(500, seed=1), CLASSES).layers
        return sum(float(d.abs().mean()) for d in finite_differences(torch.from_numpy(layer.tables).float()))

    assert share(30.0) < 0.7 * share(0.0)


def test_held_out_samples_are_not_learnt() -> None:
    split = Split(np.arange(60, dtype=np.float32)[:, None], np.arange(60))
    training, validation = held_out(split, seed=1)
    assert len(validation.y) == 10 and not set(training.y) & set(validation.y)


def test_command_line_trains_on_a_table(tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    split = jets(600, seed=3)
    header = ",".join([*(f"f{k}" for k in range(FEATURES)), "jet"])
    rows = [",".join([*map(str, x), "qgtwz"[y]]) for x, y in zip(split.x, split.y, strict=True)]
    file = tmp_path / "jets.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    options = ["--label", "jet", "-o", tmp_path, "--nodes", "10", "--bits", "2", "--epochs", "4"]
    done = subprocess.run(
        [sys.executable, "-m", "models.lookup", file, *options], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["classes"] == sorted("qgtwz") and told["samples"] == 120 and told["accuracy"] > 0.6
    session = onnxruntime.InferenceSession(onnx.load(told["model"]).SerializeToString())
    assert session.run(None, {"x": split.x[:1]})[0].shape == (1, CLASSES)
    failed = subprocess.run(
        [sys.executable, "-m", "models.lookup", file, "--label", "jets", "-o", tmp_path],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert failed.returncode != 0 and "no column 'jets'" in failed.stderr and "Traceback" not in failed.stderr
