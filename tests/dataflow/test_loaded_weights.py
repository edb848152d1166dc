"""Weights in single-port RAM: when a plan has them there, what it refuses, and the words that fill them."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnnhw import memory_image as images
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.dataflow import Plan, check_belongs, estimate, load_folding, load_plan, make_plan, measure, memory_image
from bnnhw.dataflow.network import Network
from bnnhw.errors import InputError, PlanError
from bnnhw.generate.wrappers import BUSES, wrapper
from bnnhw.parts import PARTS
from campaigns.random_networks import random_network

UP5K = PARTS["ice40-up5k"]
SPRAM = {"weight_memory": "spram"}


def network(*sizes: int, weight: DataType = BIPOLAR) -> Network:
    return random_network(np.random.default_rng(1), list(sizes), weight=weight, x=BIPOLAR, activation=BIPOLAR)


def fits(plan: Plan, net: Network) -> bool:
    used = estimate(plan, net)["utilization"]
    return all(entry["used"] <= entry["available"] for entry in used.values())


def test_what_does_not_fit_block_ram_is_loaded() -> None:
    net = network(784, 256, 256, 10)
    plan = make_plan(net, UP5K, board="icebreaker")
    assert plan.loads and fits(plan, net)
    used = estimate(plan, net)["utilization"]["spram"]
    assert used == {"used": sum(layer.spram for layer in plan.layers), "available": 4}
    assert 1 <= used["used"] <= 4
    slow = make_plan(net, UP5K, board="icebreaker", fps=500)
    assert slow.loads and fits(slow, net)
    assert measure(slow, net).interval <= slow.clock_mhz * 1e6 / 500


def test_nothing_is_loaded_in_vain() -> None:
    """Of what fits block RAM, where that gains little; without a board, whose link loads; on parts without such RAM."""
    small = network(64, 64, 10)
    assert not make_plan(small, UP5K, board="icebreaker").loads
    assert not make_plan(small, UP5K, board="icebreaker", fps=20_000).loads
    large = network(784, 256, 256, 10)
    with pytest.raises(PlanError, match="does not fit ice40-up5k"):
        make_plan(large, UP5K)
    assert not make_plan(large, PARTS["ecp5-25f"], board="colorlight-i5").loads


def test_a_folding_decides(tmp_path: Path) -> None:
    net = network(48, 20, 10)
    names = [layer.name for layer in net.layers]
    (tmp_path / "f.json").write_text(json.dumps({"layers": [{"name": name, **SPRAM} for name in names]}))
    plan = make_plan(net, UP5K, board="icebreaker", folding=load_folding(tmp_path / "f.json"))
    assert [layer.folding["weight_memory"] for layer in plan.layers] == ["spram", "spram"]
    (tmp_path / "plan.json").write_text(plan.to_json())
    read = load_plan(tmp_path / "plan.json")
    assert read == plan
    check_belongs(read, net, "here")
    # And it can be asked for without a board.
    assert make_plan(net, UP5K, folding={names[0]: SPRAM}).loads


@pytest.mark.parametrize(
    ("folding", "part", "message"),
    [
        ({"fc0": SPRAM}, "ice40-hx8k", "layer fc0: ice40-hx8k has no single-port RAM for weight_memory spram: take"),
        ({"fc0": SPRAM}, "ecp5-25f", "ecp5-25f has no single-port RAM for weight_memory spram"),
        (
            {"fc0": {**SPRAM, "pe": 1, "simd": 1, "batch": 1}},
            "ice40-up5k",
            "layer fc0: weight_memory spram has room for 16,384 words, and pe 1 with simd 1 makes 50,176 of them: take",
        ),
        (
            {"fc0": {**SPRAM, "pe": 8, "simd": 8}, "fc1": {**SPRAM, "pe": 1, "simd": 16}},
            "ice40-up5k",
            r"its folding takes 5 single-port RAMs \(weight_memory spram\), 16 bits of weights per cycle each, and there",
        ),
    ],
)
def test_refusals(folding: dict[str, dict[str, object]], part: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make_plan(network(784, 64, 16), PARTS[part], board="b", folding=folding)


def test_a_plan_that_was_edited_is_refused() -> None:
    net = network(784, 64, 16)
    plan = make_plan(net, UP5K, board="icebreaker", folding={"fc0": {**SPRAM, "pe": 4, "simd": 16}})
    with pytest.raises(
        PlanError, match="here: layer fc0: weight_memory spram has room for 16,384 words, and pe 1 with"
    ):
        replace(plan.layers[0], pe=1, simd=1).check("here")
    too_wide = replace(plan, layers=(replace(plan.layers[0], pe=64, simd=16), plan.layers[1]))
    with pytest.raises(
        InputError, match=r"here: takes 64 single-port RAMs \(weight_memory spram\), and ice40-up5k has 4"
    ):
        check_belongs(too_wide, net, "here")


@pytest.mark.parametrize("bus", BUSES)
def test_a_bus_loads_nothing(bus: str) -> None:
    net = network(48, 20, 10)
    plan = make_plan(net, UP5K, folding={"fc0": SPRAM})
    with pytest.raises(PlanError, match=r"the weights of fc0 are loaded \(weight_memory spram\), which only the link"):
        wrapper(bus, plan, net)


def test_the_image_is_the_matrix() -> None:
    """Row after row as passes read it, each in words of 16 bits; written down here from the matrix itself."""
    net = network(12, 6, 10, weight=TERNARY)
    folding = {"fc0": {**SPRAM, "pe": 2, "simd": 5, "batch": 1}, "fc1": {"weight_memory": "block"}}
    plan = make_plan(net, UP5K, folding=folding)
    matrix = net.layers[0].node.weight  # type: ignore[attr-defined]
    words = []
    for first in range(0, 6, 2):
        for beat in range(0, 12, 5):
            row = 0
            for k, (pe, lane) in enumerate((pe, lane) for pe in range(2) for lane in range(5)):
                weight = int(matrix[first + pe, beat + lane]) if beat + lane < 12 else 0
                row |= int(TERNARY.encode(weight)) << 2 * k
            words += [row & 0xFFFF, row >> 16]
    content = memory_image(plan, net)
    assert content is not None
    assert content == images.image(bytes.fromhex(plan.digest), words)
    assert content[:5] == b"bnnw\1" and content[5:13].hex() == plan.digest
    assert int.from_bytes(content[13:16], "little") == len(words) == 18
    assert zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], "little")
    assert memory_image(make_plan(net, UP5K), net) is None


@pytest.mark.parametrize("words", [[], [1 << 16], [-1]])
def test_images_of_impossible_words(words: list[int]) -> None:
    with pytest.raises(ValueError, match="image"):
        images.image(bytes(8), words)
    with pytest.raises(ValueError, match="a digest must have 8 bytes"):
        images.head(bytes(7))
