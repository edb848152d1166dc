"""The verbs, as a notebook calls them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw.arithmetic.formats import DataType
from bnnhw.design import Design, load_design
from bnnhw.errors import InputError, PlanError
from bnnhw.inputs import inputs_for, random_inputs
from bnnhw.passes import to_integers
from bnnhw.reference import encode_inputs
from bnnhw.shipped import find_model, model_name, shipped_models
from tests.data import LFC, shared
from tests.onnx_models import Net

MODEL = "digits-ternary"


@pytest.fixture(scope="module")
def design() -> Design:
    return bnnhw.compile(MODEL, board="icebreaker")


def test_designs_are_shown_in_a_line(design: Design) -> None:
    for shown in (design, design.plan, design.network):
        assert MODEL in repr(shown)
        assert len(repr(shown)) < 120


def test_import_loads_little_and_keeps_the_verb_build() -> None:
    code = (
        "import sys, bnnhw; assert not {'onnx', 'amaranth', 'cocotb', 'serial'} & set(sys.modules);"
        "import bnnhw.toolchain.boards; assert callable(bnnhw.build)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_models_are_known_by_name_and_by_path(tmp_path: Path) -> None:
    name, path = find_model(MODEL)
    assert (name, path.name) == (MODEL, "model.onnx")
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(path.read_bytes())
    assert find_model(copy) == ("mine", copy)
    assert bnnhw.load(copy).name == "mine"
    assert bnnhw.load(MODEL).name == MODEL
    assert model_name(Path("a/b.c.onnx.gz")) == "b.c"
    with pytest.raises(InputError, match="digits-binary"):
        find_model("digits")


def test_compile_takes_a_graph_as_well(design: Design) -> None:
    again = bnnhw.compile(bnnhw.load(MODEL), board="icebreaker")
    assert again.plan == design.plan


def test_design_comes_back_from_its_folder(design: Design, tmp_path: Path) -> None:
    design.save(tmp_path)
    again = load_design(tmp_path)
    assert again.plan == design.plan
    assert again.estimate == design.estimate
    assert again.verilog == design.verilog
    assert bnnhw.infer(tmp_path, shipped_models()[MODEL].golden)["prediction"].shape == (360,)


def test_without_a_board_the_smallest_that_fits() -> None:
    assert bnnhw.compile(MODEL).plan.board == "icebreaker"
    # 2.9 million weight bits go into none of the iCE40 parts.
    assert bnnhw.compile(shared(f"{LFC}/lfcW1A1_mnist_qonnx.onnx.gz"), fps=100).plan.board == "ulx3s-85f"


def test_that_does_not_fit_anywhere() -> None:
    with pytest.raises(PlanError, match="ecp5-85f|--fps"):
        bnnhw.compile(MODEL, fps=1e9)


def test_progress_is_told() -> None:
    steps: list[str] = []

    def progress(step: str) -> object:
        steps.append(step)
        return bnnhw.progress.silent(step)

    bnnhw.compile(MODEL, board="icebreaker", progress=progress)
    assert steps == [f"planning {MODEL}"]


def test_inputs_as_an_array(design: Design) -> None:
    values = np.load(shipped_models()[MODEL].golden)["inputs"][:7]
    np.testing.assert_array_equal(bnnhw.infer(design, values)["prediction"], bnnhw.infer(MODEL, values)["prediction"])


def test_inputs_of_a_shipped_model_are_its_own(design: Design) -> None:
    found = inputs_for(design.graph, None, 5)
    assert found.values.shape == (5, 64)
    assert found.labels is not None
    assert found.labels.tolist() == np.load(shipped_models()[MODEL].golden)["labels"][:5].tolist()
    assert all(len(array) == 5 for array in found.golden.values())
    assert len(inputs_for(design.graph, None, None).values) == 360


def test_random_inputs_reach_every_code_and_its_edges(design: Design) -> None:
    found = random_inputs(design.graph, 50)
    counts = np.unique(encode_inputs(design.graph, found.values), return_counts=True)[1]
    assert len(counts) == 7
    assert counts.min() > counts.sum() / 14
    exact = found.values[1::2]
    below = np.nextafter(exact, np.float32(np.inf))
    codes, above = (encode_inputs(design.graph, values) for values in (exact, below))
    assert 0.2 < (codes != above).mean() < 0.8  # the other values are on the cut itself


def test_random_inputs_of_a_small_signed_quantiser(tmp_path: Path) -> None:
    """Codes of a quantiser whose range is far from whole numbers come alike."""
    net = Net((1, 12))
    net.dense(net.quant("x", scale=0.013, bits=4.0, narrow=0))
    graph = to_integers(bnnhw.load(net.save(tmp_path)))
    codes = encode_inputs(graph, random_inputs(graph, 200).values)
    counts = np.unique(codes, return_counts=True)[1]
    assert len(counts) == 16
    assert counts.max() < 4 * counts.min()


@pytest.mark.parametrize("name", ["bipolar", "ternary", "uint3", "int4"])
def test_random_inputs_of_a_declared_format(design: Design, name: str) -> None:
    from dataclasses import replace

    dtype = DataType.parse(name)
    values = random_inputs(replace(design.graph, input_format=dtype), 100).values
    assert dtype.contains(values)
    assert {values.min(), values.max()} == {dtype.min, dtype.max}
