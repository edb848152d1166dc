"""What a user asks of layers: both spellings, and every mistake in them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bnnhw.dataflow import load_folding, make_plan
from bnnhw.dataflow.finn import by_layer
from bnnhw.errors import InputError, PlanError
from bnnhw.hints import did_you_mean, nearest
from bnnhw.parts import PARTS
from tests.dataflow.test_search import network

UP5K = PARTS["ice40-up5k"]


def written(folder: Path, content: Any) -> Path:
    path = folder / "f.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    [
        {"layers": [{"name": "fc0", "pe": 8, "simd": 4, "weight_memory": "lut"}]},
        {"layers": [{"name": "fc0", "PE": 8, "SIMD": 4, "ram_style": "distributed"}]},
        {"Defaults": {}, "fc0": {"PE": 8, "SIMD": 4, "ram_style": "distributed"}},
        {"fc0": {"pe": 8, "simd": 4, "weight_memory": "lut"}},
        {"schema": 5, "model": "m", "layers": [{"name": "fc0", "mw": 64, "pe": 8, "simd": 4, "weight_memory": "lut"}]},
        {"bitstream": "icebreaker.bin", "layers": [{"name": "fc0", "pe": 8, "simd": 4, "weight_memory": "lut"}]},
    ],
)
def test_all_spellings_say_the_same(tmp_path: Path, content: dict[str, Any]) -> None:
    folding = load_folding(written(tmp_path, content))
    assert folding == {"fc0": {"pe": 8, "simd": 4, "weight_memory": "lut"}}
    layer = make_plan(network(64, 32, 10), UP5K, folding=folding).layers[0]
    assert (layer.pe, layer.simd, layer.weight_memory) == (8, 4, "lut")


def test_memory_may_be_left_to_the_plan(tmp_path: Path) -> None:
    assert load_folding(written(tmp_path, {"fc0": {"PE": 8, "ram_style": "auto"}})) == {"fc0": {"pe": 8}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "holds no JSON object"),
        ({}, 'a folding needs "layers"'),
        ({"layers": 3}, 'a folding needs "layers", a list of objects with a "name" each'),
        ({"layers": [{}]}, 'a folding needs "layers", a list of objects with a "name" each'),
        ({"layers": [{"name": ["fc0"]}]}, "name cannot be ['fc0']"),
        (
            {"layers": [{"name": "fc0", "pes": 8}]},
            "layer 'fc0': unknown key 'pes', did you mean pe? there are pe, simd",
        ),
        (
            {"layers": [{"name": "fc0", "weigth_memory": "lut"}]},
            "unknown key 'weigth_memory', did you mean weight_memory?",
        ),
        ({"layers": [{"name": "fc0", "resType": "lut"}]}, "layer 'fc0': unknown key 'resType'"),
        ({"layers": [{"name": "fc0", "mem_mode": "internal_decoupled"}]}, "layer 'fc0': unknown key 'mem_mode'"),
        (
            {"layers": [{"name": "fc0", "pe": 8, "PE": 8}]},
            "layer 'fc0': pe appears twice, once as PE: keep one of them",
        ),
        ({"layers": [{"name": "fc0"}, {"name": "fc0"}]}, "layer 'fc0' appears twice: keep one of them"),
        ('{"fc0": {"PE": 1}, "fc0": {"PE": 2}}', "'fc0' appears twice"),
        ('{"layers": [{"name": "fc0", "pe": 1, "pe": 2}]}', "'pe' appears twice"),
        ({"layers": [], "clock_mzh": 12}, "unknown key 'clock_mzh', did you mean clock_mhz?"),
        ({"layers": [], "fc0": {"PE": 8}}, "unknown key 'fc0'"),
        ({"Defaults": {"PE": [8, ["all"]]}, "fc0": {"SIMD": 4}}, "Defaults are not read: give each layer its own"),
        ({"Defaults": {"depth": [32, ["all"]]}, "fc0": {"SIMD": 4}}, "Defaults are not read"),
        ({"Defaults": [], "fc0": {"SIMD": 4}}, 'a folding needs "layers"'),
        ({"MVAU_0": {"runtime_writeable_weights": 1}}, "'MVAU_0': runtime_writeable_weights cannot be had"),
        ({"MVAU_0": {"PE": 1, "impl_style": "rtl"}}, "layer 'MVAU_0': unknown key 'impl_style'"),
        ({"fc0": {"PE": "8"}}, "layer 'fc0': pe cannot be '8'"),
        ({"fc0": {"ram_style": ["block"]}}, "layer 'fc0': weight_memory cannot be ['block']"),
        ({"fc0": 8}, 'a folding needs "layers"'),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        load_folding(written(tmp_path, content))
    assert str(refused.value).startswith(f"{tmp_path / 'f.json'}: ")


@pytest.mark.parametrize(("name", "hint"), [("FC0", ", did you mean fc0?"), ("ElementwiseAdd_hls_0", ";")])
def test_names_of_no_layer(tmp_path: Path, name: str, hint: str) -> None:
    folding = load_folding(written(tmp_path, {name: {"PE": 8}}))
    with pytest.raises(
        PlanError, match=re.escape(f"--folding: no layer '{name}' in model random{hint} it has fc0, fc1")
    ):
        make_plan(network(64, 32, 10), UP5K, folding=folding)


# As FINN writes them, with its nodes and all of their keys.
NODE = {"ram_style": "auto", "ram_style_thresholds": "auto", "resType": "lut", "mem_mode": "internal_decoupled"}
OF_FINN = {
    "Defaults": {"depth": [32, ["StreamingFIFO"]]},
    "Reshape_rtl_0": {"PE": 1},
    "Thresholding_rtl_0": {"PE": 1, "runtime_writeable_weights": 0, "depth_trigger_uram": 0},
    "MVAU_hls_0": {"PE": 8, "SIMD": 4, "runtime_writeable_weights": 0, **NODE},
    "StreamingFIFO_rtl_0": {"depth": 32, "impl_style": "rtl"},
    "MVAU_hls_1": {"PE": 5, "SIMD": 2, **NODE, "ram_style": "distributed"},
    "LabelSelect_hls_0": {"PE": 1},
}


@pytest.mark.parametrize(
    "operator", ["MVAU_hls", "MVAU_rtl", "MVAU", "MatrixVectorActivation", "StreamingFCLayer_Batch"]
)
def test_a_file_of_finn(tmp_path: Path, operator: str) -> None:
    content = {name.replace("MVAU_hls", operator): entry for name, entry in OF_FINN.items()}
    plan = make_plan(network(64, 32, 10), UP5K, folding=load_folding(written(tmp_path, content)))
    assert [(layer.pe, layer.simd) for layer in plan.layers] == [(8, 4), (5, 2)]
    assert plan.layers[1].weight_memory == "lut"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("MVAU_hls_2",), "--folding: MVAU_hls_2: there are 2 such layers, counted from 0: fc0, fc1"),
        (("VVAU_hls_0",), "--folding: VVAU_hls_0: there are 0 such layers"),
        (("MVAU_hls_0", "MVAU_rtl_0"), "--folding: FINN counts MVAU_hls and MVAU_rtl apart"),
        (("fc1", "MVAU_hls_1"), "--folding: MVAU_hls_1: layer fc1 is named twice"),
    ],
)
def test_nodes_of_finn_that_are_no_layer(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    folding = load_folding(written(tmp_path, {name: {"PE": 2} for name in names}))
    with pytest.raises(PlanError, match=re.escape(message)):
        make_plan(network(64, 32, 10), UP5K, folding=folding)


def test_a_layer_that_is_called_as_finn_calls_nodes(tmp_path: Path) -> None:
    net = network(64, 32, 10)
    layers = tuple(replace(layer, name=name) for layer, name in zip(net.layers, ("MVAU_1", "MVAU_0"), strict=True))
    folding = load_folding(written(tmp_path, {"MVAU_1": {"PE": 8}}))
    assert by_layer(folding, layers) == {"MVAU_1": {"pe": 8}}


def test_what_is_nearest() -> None:
    assert nearest("Simdd", ["pe", "simd"]) == "simd"
    assert nearest("something", ["pe", "simd"]) is None
    assert (did_you_mean("PE", ["pe"]), did_you_mean("x", ["pe"])) == (", did you mean pe?", "")
