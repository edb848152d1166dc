"""Every operation and every unit of the hardware is everywhere it has to be: meaning, widths, cycles, area, circuit."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.dataflow import cost, structure, timing
from bnnhw.dataflow.layers import Network
from bnnhw.generate import accelerator
from bnnhw.ir.nodes import Encode, Node
from bnnhw.ir.spec import HARDWARE
from bnnhw.passes import to_integers
from campaigns.random_maps import random_map_network
from campaigns.random_networks import random_folding

UNITS = {unit for unit in vars(structure).values() if isinstance(unit, type) and issubclass(unit, structure.Unit)} - {
    structure.Unit
}


@pytest.mark.parametrize(
    "table", [timing._TWINS, cost._FEATURES, accelerator._BUILDERS], ids=["cycles", "area", "circuit"]
)
def test_every_unit_is_in_every_table(table: dict[type, object]) -> None:
    assert set(table) == UNITS


def test_random_networks_use_every_operation_and_every_unit() -> None:
    """What the tests with random networks prove, they prove for all of the hardware."""
    operations: set[type[Node]] = set()
    units: set[type] = set()
    for seed in range(40):
        graph = to_integers(random_map_network(np.random.default_rng(seed)))
        inside = False
        for node in graph.nodes:
            inside |= isinstance(node, Encode)
            operations |= {type(node)} if inside else set()
        network = Network.of(graph)
        plan = random_folding(np.random.default_rng(seed), network, most_cycles=1000)
        units |= {type(stage.unit) for stage in structure.structure(plan, network)}
    assert operations >= set(HARDWARE)
    assert units == UNITS


def test_hardware_layers_have_a_meaning() -> None:
    graph = to_integers(random_map_network(np.random.default_rng(4)))
    x = np.random.default_rng(1).normal(0, 2, (3, *graph.tensors["x"].shape)).astype(np.float32)
    for name, values in reference.run_all(graph, x, packed=False).items():
        assert values.shape == (3, *graph.tensors[name].shape), name
