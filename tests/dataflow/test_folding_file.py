"""What a user asks of layers: both spellings, and every mistake in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bnnhw.dataflow import load_folding, make_plan
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
        ({"fc0": {"PE": "8"}}, "layer 'fc0': pe cannot be '8'"),
        ({"fc0": {"ram_style": ["block"]}}, "layer 'fc0': weight_memory cannot be ['block']"),
        ({"fc0": 8}, 'a folding needs "layers"'),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        load_folding(written(tmp_path, content))
    assert str(refused.value).startswith(f"{tmp_path / 'f.json'}: ")


@pytest.mark.parametrize(("name", "hint"), [("FC0", ", did you mean fc0?"), ("MatrixVectorActivation_0", ";")])
def test_names_of_no_layer(tmp_path: Path, name: str, hint: str) -> None:
    folding = load_folding(written(tmp_path, {name: {"PE": 8}}))
    with pytest.raises(
        PlanError, match=re.escape(f"--folding: no layer '{name}' in model random{hint} it has fc0, fc1")
    ):
        make_plan(network(64, 32, 10), UP5K, folding=folding)


def test_what_is_nearest() -> None:
    assert nearest("Simdd", ["pe", "simd"]) == "simd"
    assert nearest("something", ["pe", "simd"]) is None
    assert (did_you_mean("PE", ["pe"]), did_you_mean("x", ["pe"])) == (", did you mean pe?", "")
