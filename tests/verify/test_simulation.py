"""The cycles of a few frames: those of what goes on for ever."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.compiler import make_design
from bnnhw.dataflow import Cycles, Network, measure
from bnnhw.passes import to_integers
from bnnhw.progress import silent
from bnnhw.verify import simulation
from bnnhw.verify.simulation import simulated_cycles
from campaigns.random_graphs import batch_norm, graph_of, matmul, quant

pytestmark = pytest.mark.sim


def test_the_pattern_of_groups_that_are_not_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer of 40 cycles a frame feeds one that takes 60 for one frame or two: its last two results tell nothing of
    the 40 cycles."""
    rng = np.random.default_rng(1)
    nodes = [quant(2, narrow=True), matmul(rng, 24, 10, BIPOLAR), *batch_norm(rng, 10), quant(3, 0.5)]
    graph = graph_of([*nodes, matmul(rng, 10, 6, BIPOLAR)], (24,))
    names = [layer.name for layer in Network.of(to_integers(graph)).layers]
    folding = [
        {"name": names[0], "pe": 1, "simd": 6, "batch": 1},
        {"name": names[1], "pe": 1, "simd": 1, "batch": 2},
    ]
    (tmp_path / "folding.json").write_text(json.dumps({"layers": folding}))
    design = make_design(graph, board="icebreaker", folding=tmp_path / "folding.json")
    known = measure(design.plan, design.network)
    assert known.interval == 40
    assert simulated_cycles(design, silent) == (known, True)
    # Where a frame ends at another time than the model says, what was simulated counts.
    ends = simulation.Run.ends
    monkeypatch.setattr(simulation.Run, "ends", lambda run, frames: [*ends(run, frames)[:-1], 1])
    found, simulated = simulated_cycles(design, silent)
    assert simulated and found.latency == known.latency
    assert found != known and isinstance(found, Cycles)
