"""``bnnhw quantize``: what it prints, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import CLI
from tests.quantisation.test_network import lenet


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path, inputs = lenet(tmp_path)
    np.savez(tmp_path / "x.npz", inputs=inputs, labels=np.zeros(len(inputs), np.int64))
    np.savez(tmp_path / "unlabelled.npz", inputs=inputs)
    return path


def test_tables(cli: CLI, model: Path) -> None:
    output = model.parent / "q.onnx"
    told = cli("quantize", model, "--calibrate", model.parent / "x.npz", "--weights", "int4", "-o", output)
    assert (told.status, told.complaints) == (0, "")
    assert "calibrating on 20 samples ... " in told.err
    for words in ("Gemm_", "int4", "their error", "range seen", "clipped", "accuracy before", "accuracy after"):
        assert words in told.out
    assert cli("check", output).status == 0
    assert cli("compare", output, "--inputs", model.parent / "x.npz", "--levels", "source,reference").status == 0


def test_without_labels_classes_are_compared(cli: CLI, model: Path) -> None:
    arguments = ("--calibrate", model.parent / "unlabelled.npz", "-o", model.parent / "q.onnx")
    told = cli("quantize", model, *arguments)
    assert "same class" in told.out
    assert "accuracy" not in told.out
    found = cli("quantize", model, *arguments, "--json").json
    assert found["accuracy"]["before"] is None
    assert found["accuracy"]["same_class"] > 0.5
    assert {"layers", "activations", "notes", "file", "model", "samples", "inputs"} <= {*found}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--weights", "int12"), "option --weights is 'int12'"),
        (("--activations", "int1"), "option --activations is 'int1'"),
        (("--method", "max"), "use minmax, percentile, mse"),
        (("--correction", "sclae"), "did you mean scale?"),
        (("--config", "gone.json"), "gone.json: cannot be read"),
        (("--config", "typo.json"), "did you mean weights?"),
        (("--config", "name.json"), "did you mean Gemm_"),
        (("--calibrate", "gone.npz"), "gone.npz: cannot be read"),
        (("--calibrate", "shape.npz"), "must have the shape (N, 1, 8, 8), not (3, 8, 8)"),
        (("--calibrate", "none.npz"), "no samples"),
        (("--calibrate", "labels.npz"), "labels"),
        (("--calibrate", "nan.npz"), "NaN"),
        (("--wieghts", "int4"), "did you mean --weights?"),
        (("-o", "q.bin"), "ends in .onnx"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_refused(
    refused: CLI, model: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(model.parent)
    right = np.zeros((3, 1, 8, 8), np.float32)
    np.savez("shape.npz", inputs=right[:, 0])
    np.savez("none.npz", inputs=right[:0])
    np.savez("labels.npz", inputs=right, labels=np.zeros(2, np.int64))
    np.savez("nan.npz", inputs=np.full_like(right, np.nan))
    Path("typo.json").write_text('{"wieghts": "int4"}')
    Path("name.json").write_text('{"layers": {"Gem_9": {}}}')
    before = {*model.parent.iterdir()}
    assert words in refused("quantize", model, "--calibrate", "x.npz", "-o", "q.onnx", *options).err
    assert {*model.parent.iterdir()} == before


def test_files_that_are_no_models(refused: CLI, model: Path) -> None:
    rest = ("--calibrate", model.parent / "x.npz", "-o", model.parent / "q.onnx")
    assert "gone.onnx" in refused("quantize", model.parent / "gone.onnx", *rest).err
    assert "no ONNX file" in refused("quantize", "digits-binary", *rest).err
    (model.parent / "bad.onnx").write_bytes(b"no model")
    assert "bad.onnx" in refused("quantize", model.parent / "bad.onnx", *rest).err


def test_a_folder_that_cannot_be_written(refused: CLI, model: Path) -> None:
    (model.parent / "file").write_text("in the way")
    output = model.parent / "file" / "q.onnx"
    assert "cannot be written" in refused("quantize", model, "--calibrate", model.parent / "x.npz", "-o", output).err
