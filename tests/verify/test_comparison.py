from __future__ import annotations

import numpy as np
import pytest

import bnnhw
from bnnhw.compiler import make_design
from bnnhw.design import Design
from bnnhw.errors import InputError
from bnnhw.resources import folder
from bnnhw.verify import compare
from tests.data import DENSE_MODELS, golden, shared


@pytest.fixture(scope="module")
def digits() -> Design:
    return make_design("digits-ternary", board="icebreaker", fps=20_000)


@pytest.fixture(scope="module")
def known() -> dict[str, np.ndarray]:
    return dict(np.load(folder("models") / "digits-ternary" / "golden.npz"))


def test_reference_agrees_with_source_and_golden_values(digits: Design, known: dict[str, np.ndarray]) -> None:
    values = {key: known[key] for key in known if key not in ("inputs", "labels")}
    found = compare(digits, known["inputs"], known["labels"], levels=["reference"], source=digits.source, golden=values)
    level = found.levels["reference"]
    assert found.mismatches == 0
    assert level.against == "plain arithmetic, the imported float graph, golden values"
    assert level.accuracy == pytest.approx(0.9722, abs=1e-4)
    assert level.first_difference is None


@pytest.mark.parametrize("key", ["acc1", "act2", "outputs", "prediction"])
def test_a_planted_difference_is_found(digits: Design, known: dict[str, np.ndarray], key: str) -> None:
    values = {key: known[key].copy()}
    place = (7,) + (3,) * (known[key].ndim - 1)
    values[key][place] += 1
    found = compare(digits, known["inputs"], levels=["reference"], golden=values)
    assert found.mismatches == 1
    first = found.levels["reference"].first_difference
    assert first is not None
    assert first["sample"] == 7
    assert found.to_dict()["mismatches"] == 1


def test_golden_values_of_another_model(digits: Design, known: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="of another model"):
        compare(digits, known["inputs"], levels=["reference"], golden={"acc9": known["acc0"]})
    with pytest.raises(InputError, match="of another model"):
        compare(digits, known["inputs"], levels=["reference"], golden={"acc0": known["acc0"][:, :5]})


def test_levels_that_do_not_exist(digits: Design, known: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="--levels silicon: no such level; there are source, reference, rtl, netlist"):
        compare(digits, known["inputs"], levels=["silicon"])


@pytest.mark.sim
def test_rtl_of_a_shipped_model(digits: Design, known: dict[str, np.ndarray]) -> None:
    found = compare(digits, known["inputs"], known["labels"])
    assert found.mismatches == 0
    rtl = found.levels["rtl"]
    assert rtl.samples == len(known["inputs"])
    assert rtl.accuracy == found.levels["reference"].accuracy
    estimate = digits.estimate
    assert rtl.facts["cycles_per_inference"] == estimate["cycles_per_inference"]
    assert rtl.facts["latency_cycles"] == estimate["latency_cycles"]


@pytest.mark.end2end
@pytest.mark.parametrize(
    ("name", "board", "samples"),
    [("TFC_1W1A", "icebreaker", 100), ("TFC_2W2A", "icebreaker", 100), ("LFC_1W1A", "ulx3s-85f", 5)],
)
def test_rtl_of_published_models(name: str, board: str, samples: int) -> None:
    """Golden values at every layer, then the hardware; cycles as estimated; on UP5K at most 160 for TFC_1W1A."""
    model, file = DENSE_MODELS[name]
    known = golden(file)
    images = known["images_u8"][:samples].astype(np.float32) / np.float32(255)
    values = {key: known[key][:samples] for key in known if key[:3] in ("acc", "act")}
    design = bnnhw.compile(shared(model), board=board)
    found = compare(design, images, source=design.source, golden=values)
    assert found.mismatches == 0
    assert found.levels["rtl"].samples == samples
    assert found.levels["rtl"].facts["cycles_per_inference"] == design.estimate["cycles_per_inference"]
    if name == "TFC_1W1A":
        assert design.estimate["cycles_per_inference"] <= 160
