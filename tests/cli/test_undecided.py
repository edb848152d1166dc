"""What `compare` says where float32's rounding may decide all that it compares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import bnnhw
from bnnhw import reference
from bnnhw.frontend import load_qonnx
from bnnhw.passes import to_integers
from tests.cli.conftest import CLI
from tests.onnx_models import Net


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """A model whose float32 sums lie on a cut of their quantiser, and inputs: samples where qonnx decides by rounding,
    and the same with one where it does not."""
    pytest.importorskip("qonnx")
    folder = tmp_path_factory.mktemp("noisy")
    net = Net()
    sums = net.dense(net.quant("x", scale=0.1, bits=4.0, narrow=0), scale=0.3)
    net.dense(net.bipolar(net.node("Sub", sums, net.constant(np.float32(0.21)))), 8, 4)
    path = net.save(folder / "noisy.onnx")
    values = np.random.default_rng(1).integers(-8, 8, (200, 12)).astype(np.float32) * np.float32(0.1)
    doubtful = reference.doubtful(to_integers(load_qonnx(path)), values)
    differs = (answers(path, values, "source") != answers(path, values, "reference")).any(axis=1)
    assert differs.any() and not (differs & ~doubtful).any()
    written = {}
    for name, chosen in (("all", differs), ("some", differs | (np.arange(200) == np.flatnonzero(~doubtful)[0]))):
        written[name] = folder / f"{name}.npz"
        np.savez(written[name], inputs=values[chosen])
    return path, written


def answers(path: Path, values: NDArray[np.float32], level: str) -> NDArray[np.generic]:
    return bnnhw.infer(path, values, level=level)["outputs"].reshape(len(values), -1)


def test_nothing_compared_is_no_success(cli: CLI, noisy: tuple[Path, dict[str, Path]]) -> None:
    path, inputs = noisy
    found = cli("compare", path, "--levels", "source", "--inputs", inputs["all"])
    assert found.status == 2
    assert "nothing was compared at source" in found.out and "no mismatch" not in found.out
    assert "samples differ from a float executor, and float32's rounding may decide every one" in found.out
    assert "bnnhw: error: --levels source: nothing was compared" in found.err and "--inputs" in found.err
    result = cli("compare", path, "--levels", "source", "--inputs", inputs["all"], "--json").json
    level = result["levels"]["source"]
    assert result["undecided"] == ["source"] and result["mismatches"] == 0
    assert level["rounding"] == level["doubtful"] == level["samples"] > 0


def test_integers_are_compared_all_the_same(cli: CLI, noisy: tuple[Path, dict[str, Path]]) -> None:
    """The packed integers are held against plain ones, whatever float32 decides."""
    path, inputs = noisy
    found = cli("compare", path, "--levels", "reference", "--inputs", inputs["all"], "--json")
    level = found.json["levels"]["reference"]
    assert found.status == 0 and found.json["undecided"] == []
    assert level["doubtful"] == level["samples"] and level["values"] > 0


def test_one_sample_that_exact_sums_decide(cli: CLI, noisy: tuple[Path, dict[str, Path]]) -> None:
    path, inputs = noisy
    found = cli("compare", path, "--levels", "source", "--inputs", inputs["some"], "--json")
    level = found.json["levels"]["source"]
    assert found.status == 0 and found.json["undecided"] == []
    assert level["samples"] == level["doubtful"] + 1 == level["rounding"] + 1
