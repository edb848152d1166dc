"""Files that strangers brought and that went wrong once: each gives what qonnx's executor gives, or one clear refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import bnnhw
from bnnhw import reference
from bnnhw.frontend import load
from bnnhw.passes import to_integers
from tests.data import FOLDER, shared
from tests.random_files.executor import Executor

FAULTS = sorted(str(path.relative_to(FOLDER)) for path in (FOLDER / "faults").rglob("*.onnx"))
PROBES = (
    "two_convs_of_the_input_min",
    "zero_sum_min",
    "half_step_alpha_quant",
    "tie_of_classes_scale_third",
    "zero_sum_alpha_sign_input_power_of_two",
    "pool3_last_conv_bn_gap",
    "concat_bn_sign",
    "pool3_conv_gap_dense_unquantised",
)
# Files in which float32 decides by its rounding: check has to say so.
ROUNDING = (
    "zero_sum_min",
    "half_step_alpha_quant",
    "zero_sum_alpha_sign_input_power_of_two",
    "tie_of_classes_scale_third",
    "pool3_conv_gap_dense_unquantised",
)


def samples(path: Path) -> np.ndarray:
    rng = np.random.default_rng(5)
    graph = load(path)
    shape = graph.tensors[graph.input].shape
    if graph.input_format is not None:
        return np.asarray(graph.input_format.decode(rng.integers(0, 1 << graph.input_format.bits, (16, *shape))))
    x = np.concatenate([rng.normal(0, spread, (8, *shape)) for spread in (0.7, 2.5)])
    x[0] = 0
    return (np.round(x * 64) / 64).astype(np.float32)


@pytest.mark.parametrize("name", [*FAULTS, *(f"families/probes/{probe}.onnx" for probe in PROBES)])
def test_outputs(name: str) -> None:
    path = shared(name)
    x = samples(path)
    model = onnx.load(path)
    source = model.graph.input[0].type.tensor_type.elem_type
    theirs = Executor(model).run(x.astype(onnx.helper.tensor_dtype_to_np_dtype(source)))
    graph = to_integers(load(path))
    mine = reference.run(graph, x)
    answer = mine["outputs"].reshape(len(x), -1)
    names = [value.name for value in model.graph.output]
    expected = next(theirs[name] for name in names if theirs[name].reshape(len(x), -1).shape == answer.shape)
    if answer.dtype.kind in "iu":
        expected = theirs[names[-1]]
    expected = expected.reshape(len(x), -1)
    aside = reference.doubtful(graph, x)
    assert aside.sum() <= (8 if path.stem in ROUNDING else 0)
    np.testing.assert_allclose(answer[~aside], expected[~aside], rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("probe", ROUNDING)
def test_check_tells_where_rounding_decides(probe: str) -> None:
    notes = bnnhw.check(shared(f"families/probes/{probe}.onnx"))["notes"]
    assert any("float32" in note for note in notes)
