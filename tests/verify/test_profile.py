"""Which layer waits for whom: from records made by hand, and from a simulation of a plan with a slow layer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bnnhw.compiler import make_design
from bnnhw.dataflow import measure, pipeline
from bnnhw.verify.profile import BUSY, HELD, IDLE, STARVED, links, make_profile, states
from bnnhw.verify.record import Change, Record, Stream
from tests.browser import opened
from tests.cli.conftest import CLI, cli, refused

__all__ = ["cli", "refused"]


def test_states() -> None:
    shown = [(0, "0", "0"), (2, "0", "1"), (3, "1", "1"), (5, "1", "0"), (6, "x", "1")]
    stream = Stream("s", 1, [Change(cycle, valid, ready, None) for cycle, valid, ready in shown])
    assert states(stream, 8).tolist() == [IDLE, IDLE, STARVED, BUSY, BUSY, HELD, STARVED, STARVED]


def folding(path: Path, **pes: int) -> Path:
    layers = [{"name": name, "pe": pe, "simd": 8, "batch": 1} for name, pe in pes.items()]
    path.write_text(json.dumps({"layers": layers}))
    return path


def test_shares_of_a_record_made_by_hand(tmp_path: Path) -> None:
    """All streams busy but two: the last layer takes nothing for some cycles, and then has nothing to take."""
    chosen = folding(tmp_path / "f.json", node_linear=8, node_linear_1=8, node_linear_2=8)
    design = make_design("digits-binary", board="icebreaker", folding=chosen)
    stages = pipeline(design.plan, design.network)
    known = {link.name: link for link in links(stages)}
    assert "status.i" not in known and "label_select.status" not in known
    changes = {name: [(0, "1", "1")] for name in known}
    names = [stage.name for stage in stages if stage.layer == 2]
    worker = next(stage.name for stage in stages if stage.layer == 2 and stage.unit.gives)
    changes[f"{names[0]}.i"] = [(0, "1", "1"), (10, "1", "0"), (16, "1", "1")]
    changes[f"{worker}.i"] = [(0, "1", "1"), (10, "1", "0"), (16, "0", "1"), (20, "1", "1")]
    changes["guard.i"] = [(0, "1", "1"), (20, "0", "1")]
    streams = {
        name: Stream(name, 1, [Change(cycle, valid, ready, 0) for cycle, valid, ready in shown])
        for name, shown in changes.items()
    }
    profile = make_profile(design.plan, design.network, Record(streams, 40), [5, 30])
    told = profile.to_dict()
    assert (told["first"], told["last"], told["slowest"]) == (5, 19, "node_linear")
    first, second, third = told["layers"]
    assert first == {
        "name": "node_linear", "busy": 1.0, "starved": 0.0, "waits_for": [], "held": 0.0, "held_by": [],
    }  # fmt: skip
    assert (second["busy"], second["held_by"], second["waits_for"]) == (1.0, [], [])
    assert (third["busy"], third["held"], third["starved"]) == (round(5 / 15, 4), round(6 / 15, 4), round(4 / 15, 4))
    assert third["waits_for"] == ["node_linear_1"]
    edge = next(row for row in told["streams"] if row["name"] == f"{names[0]}.i")
    assert (edge["from"], edge["to"], edge["held"]) == ("node_linear_1", "node_linear_2", 0.4)
    assert told["streams"][-1] == {
        "name": "o", "from": "output", "to": "output", "busy": 1.0, "held": 0.0, "starved": 0.0,
    }  # fmt: skip
    # Without a result before the last input, all cycles count.
    assert make_profile(design.plan, design.network, Record(streams, 40), [30]).to_dict()["last"] == 39


@pytest.mark.sim
def test_a_slow_layer_holds_the_one_before_and_starves_the_one_behind(cli: CLI, tmp_path: Path) -> None:
    chosen = folding(tmp_path / "f.json", node_linear=16, node_linear_1=2, node_linear_2=5)
    design = make_design("digits-binary", board="icebreaker", folding=chosen)
    design.save(tmp_path / "work")
    picture = tmp_path / "stalls.svg"
    result = cli("simulate", tmp_path / "work", "--samples", "6", "--profile", picture, "--json").json
    profile = result["profile"]
    # To watch changes nothing.
    cycles = measure(design.plan, design.network)
    assert (result["latency_cycles"], result["cycles_per_inference"]) == (cycles.latency, cycles.interval)
    first, second, third = profile["layers"]
    assert profile["slowest"] == "node_linear_1" and second["busy"] > 0.99
    assert first["held"] > 0.5 and first["held_by"] == ["node_linear_1"]
    assert third["starved"] > 0.5 and third["waits_for"] == ["node_linear_1"]
    # Busy cycles are those of the plan, frame by frame.
    interval = result["cycles_per_inference"]
    for layer, folded in zip(profile["layers"], design.plan.layers, strict=True):
        assert layer["busy"] == pytest.approx(folded.cycles / interval, abs=0.15), layer
        assert layer["busy"] + layer["starved"] + layer["held"] <= 1.0001
    page = opened(picture, width=1300)
    assert not page.complaints() and page.unreadable() == []
    assert {"node_linear_1", "into matrix vector unit", "held: a beat is there and not taken"} <= {*page.texts()}
    text = cli("simulate", tmp_path / "work", "--samples", "6", "--profile", picture).out
    assert "node_linear_1 sets the pace" in text and str(picture) in text
    assert np.count_nonzero([line.startswith("node_linear") for line in text.splitlines()]) == 3


def test_profiles_are_svg_files(refused: CLI, tmp_path: Path) -> None:
    message = refused("simulate", "digits-binary", "--profile", tmp_path / "stalls.png").err
    assert "--profile" in message and ".svg" in message


def test_a_join_waits_for_the_branch_that_is_not_there() -> None:
    """The sum takes of both or of none: what is there is held for the other, and that is no fault of what follows."""
    design = make_design("families/birealnet", board="icebreaker")
    stages = pipeline(design.plan, design.network)
    index = next(k for k, layer in enumerate(design.plan.layers) if layer.name == "add10_node")
    worker = next(stage.name for stage in stages if stage.layer == index and stage.unit.gives)
    changes = {link.name: [(0, "1", "1")] for link in links(stages)}
    changes[f"{worker}.i0"] = [(0, "0", "0"), (10, "1", "1")]
    changes[f"{worker}.i1"] = [(0, "1", "0"), (10, "1", "1")]
    streams = {
        name: Stream(name, 1, [Change(cycle, valid, ready, 0) for cycle, valid, ready in shown])
        for name, shown in changes.items()
    }
    layer = make_profile(design.plan, design.network, Record(streams, 40), [0]).to_dict()["layers"][index]
    assert (layer["busy"], layer["starved"], layer["held"]) == (0.75, 0.25, 0.0)
    assert len(layer["waits_for"]) == 1 and layer["waits_for"][0] in {"conv7_node", "conv3_node"}
    assert layer["held_by"] == []
