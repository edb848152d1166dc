"""Random QONNX files against qonnx's executor: nothing wrong, nothing crashed, every refusal a known one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw.errors import ModelError
from tests.onnx_models import executor_outputs, save
from tests.random_files.executor import Executor
from tests.random_files.generator import make
from tests.random_files.intervals import Intervals, _log_softmax, _softmax
from tests.random_files.judge import compared, judge, outside
from tests.random_files.refusals import excused

CHUNK = 10
SLOW_CHUNK = 100


def assert_right(first: int, count: int, folder: Path) -> None:
    """The files of `count` seeds are mapped right, or refused for a known reason."""
    verdicts = [judge(make(seed), folder) for seed in range(first, first + count)]
    bad = [f"{verdict.seed}: {verdict.kind}: {verdict.detail}" for verdict in verdicts if verdict.bad]
    assert not bad, "\n".join([*bad, f"study: python -m tests.random_files --seed {first} --count {count} --save DIR"])


@pytest.mark.parametrize("first", range(0, 100, CHUNK))
def test_files(first: int, tmp_path: Path) -> None:
    assert_right(first, CHUNK, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 3100, SLOW_CHUNK))
def test_many_files(first: int, tmp_path: Path) -> None:
    assert_right(first, SLOW_CHUNK, tmp_path)


def assert_same_in_verilog(seed: int, folder: Path) -> None:
    """The Verilog of a file computes the integers of the reference, at the cycles of the cycle model."""
    file = make(seed)
    path = save(file.model, folder)
    try:
        found = bnnhw.compare(path, inputs=file.inputs, samples=6, levels=["rtl"], board="ulx3s-85f")
    except ModelError as error:
        assert excused(str(error), file.traits), error
        pytest.skip(f"refused: {error}")
    assert found["mismatches"] == 0, found["levels"]["rtl"]["first_difference"]


@pytest.mark.sim
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_verilog(seed: int, tmp_path: Path) -> None:
    assert_same_in_verilog(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.parametrize("seed", range(100, 160))
def test_verilog_of_many(seed: int, tmp_path: Path) -> None:
    assert_same_in_verilog(seed, tmp_path)


def test_a_seed_makes_one_file() -> None:
    for seed in range(5):
        first, second = make(seed), make(seed)
        assert first.model.SerializeToString() == second.model.SerializeToString()
        np.testing.assert_array_equal(first.inputs, second.inputs)


def test_the_executor_is_qonnx(tmp_path: Path) -> None:
    """What runs a batch at once gives what qonnx's own executor gives sample by sample."""
    checked = 0
    for seed in range(200):
        file = make(seed, samples=3)
        dims = file.model.graph.input[0].type.tensor_type.shape.dim
        known = all(entry.domain != "finn.custom_op.general" for entry in file.model.opset_import)
        if dims[0].dim_value == 4 or not known or len(file.ending.outputs) > 1:
            continue
        (tmp_path / "model.onnx").write_bytes(file.model.SerializeToString())
        try:
            theirs = executor_outputs(tmp_path / "model.onnx", file.inputs)
        except TypeError:  # of a shape that qonnx does not infer
            continue
        mine = Executor(file.model).run(file.inputs)
        labels = mine[file.ending.scores].reshape(len(theirs), -1).argmax(1)
        # Sums of a batch may be added in another order than those of a sample.
        kind, detail = compared(file, {"outputs": theirs, "prediction": labels}, mine)
        assert kind in ("equal", "tie"), f"seed {seed}: {detail}"
        checked += 1
        if checked == 20:
            return
    raise AssertionError("hardly any file fits")


def test_bounds_hold_what_the_executor_gives() -> None:
    for seed in range(25):
        file = make(seed)
        theirs = Executor(file.model).run(file.inputs)
        assert not outside(Intervals(file.model).ends(file.inputs), theirs), f"seed {seed}"


def test_the_judge_finds_one_wrong_value(tmp_path: Path) -> None:
    """Right answers are equal; a value just beyond what rounding may make of it is wrong."""
    found = 0
    for seed in range(40):
        file = make(seed)
        theirs = Executor(file.model).run(file.inputs)
        answer, scores = theirs[file.ending.outputs[-1]], theirs[file.ending.scores]
        labels = scores.reshape(len(scores), -1).argmax(1)
        if file.ending.index or np.ptp(answer) == 0:
            continue
        assert compared(file, {"outputs": answer, "prediction": labels}, theirs)[0] == "equal"
        _, high = Intervals(file.model).ends(file.inputs)[file.ending.outputs[-1]]
        other = answer.copy()
        other.reshape(-1)[0] = high.reshape(-1)[0] + 1e-4 * np.abs(answer).max()
        assert compared(file, {"outputs": other, "prediction": labels}, theirs)[0] == "wrong", f"seed {seed}"
        found += 1
    assert found > 10


def test_bounds_of_a_softmax_of_scores_far_apart() -> None:
    """Exponentials of differences beyond what floats hold."""
    low, high = np.float32([[-4000, 250, 0]]), np.float32([[-3900, 4300, 10]])
    for bounds, scores in ((_softmax, lambda x: np.exp(x)), (_log_softmax, lambda x: x)):
        least, most = bounds(low, high, 1)
        for values in (low, high, np.float32([[-3900, 250, 10]]), np.float32([[-4000, 4300, 0]])):
            found = scores(np.float64(values) - np.logaddexp.reduce(np.float64(values), 1, keepdims=True))
            assert ((least <= found) & (found <= most)).all()
    assert _softmax(low, high, 1)[1][0, 0] < 1e-20 and _softmax(low, high, 1)[0][0, 1] > 1 - 1e-5
