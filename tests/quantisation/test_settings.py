"""What is asked for: which part of it counts for which layer, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bnnhw.errors import InputError
from bnnhw.quantisation.settings import settings


def written(tmp_path: Path, data: Any) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(data))
    return path


def test_defaults() -> None:
    found = settings(None).choice("a")
    assert (found.weights, found.activations, found.method) == ("int8", "uint8", "mse")


def test_the_input_has_8_bits_unless_asked_otherwise(tmp_path: Path) -> None:
    assert settings(None, activations="uint4").choice("a", first=True).activations == "uint8"
    assert settings(None, activations="int4").choice("a", first=True).activations == "int8"
    config = written(tmp_path, {"first": {"activations": "uint2"}})
    assert settings(config, activations="uint4").choice("a", first=True).activations == "uint2"


def test_single_layers_count_most_and_the_command_line_more_than_the_general_part(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        {
            "weights": "int3",
            "method": "minmax",
            "first": {"weights": "int6"},
            "last": {"weights": "int8"},
            "layers": {"b": {"weights": "binary", "method": "percentile", "percentile": 99}},
        },
    )
    found = settings(config, weights="ternary", method=None)
    assert found.choice("a").weights == "ternary"
    assert found.choice("a").method == "minmax"
    assert found.choice("a", first=True).weights == "int6"
    assert found.choice("a", first=True, last=True).weights == "int8"
    assert found.choice("b", last=True).weights == "binary"
    assert found.choice("b").percentile == 99


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([1], "no JSON object"),
        ({"weight": "int4"}, "unknown key 'weight', did you mean weights?"),
        ({"layers": {"a": {"actvations": "int4"}}}, "a: unknown key 'actvations', did you mean activations?"),
        ({"layers": {"a": "int4"}}, "a is 'int4'"),
        ({"first": 4}, "first is 4"),
        ({"weights": "int1"}, "weights is 'int1': use binary, ternary or int2 to int8"),
        ({"weights": "int9"}, "weights is 'int9'"),
        ({"weights": 4}, "weights is 4"),
        ({"last": {"activations": "uint0"}}, "last: activations is 'uint0': use uint1 to uint8 or int2 to int8"),
        ({"activations": "binary"}, "activations is 'binary'"),
        ({"method": "percentil"}, "did you mean percentile?"),
        ({"percentile": 20}, "percentile is 20"),
        ({"percentile": True}, "percentile is True"),
        ({"percentile": "99"}, "percentile is '99'"),
        ({"batch_norm": "drop"}, "batch_norm is 'drop': use 'fold' or 'keep'"),
    ],
)  # fmt: skip
def test_what_is_no_setting_is_refused(tmp_path: Path, data: Any, words: str) -> None:
    path = written(tmp_path, data)
    with pytest.raises(InputError) as caught:
        settings(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_options_are_checked_alike() -> None:
    with pytest.raises(InputError, match="option --weights is 'int99'"):
        settings(None, weights="int99")


def test_layers_that_are_not_there_are_refused_with_the_nearest_name(tmp_path: Path) -> None:
    found = settings(written(tmp_path, {"layers": {"conv2": {"weights": "int4"}}}))
    found.check_names(["conv1", "conv2"])
    with pytest.raises(InputError, match="no layer 'conv2', did you mean conv1?"):
        found.check_names(["conv1", "fc"])
