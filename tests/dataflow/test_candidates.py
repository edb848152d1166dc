"""Candidates are put together from parts that were reckoned once: each costs what its units cost."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.formats import TERNARY, DataType
from bnnhw.dataflow import Network
from bnnhw.dataflow.area import cost
from bnnhw.dataflow.candidates import Candidates
from bnnhw.dataflow.layers import LAYERS
from bnnhw.parts import PARTS
from bnnhw.passes import to_integers
from campaigns.random_maps import random_map_network
from campaigns.random_networks import random_network


def networks() -> list[Network]:
    rng = np.random.default_rng(1)
    vectors = random_network(rng, [24, 12, 6], weight=TERNARY, x=DataType("uint", 2), activation=DataType("uint", 4))
    return [vectors, *(Network.of(to_integers(random_map_network(np.random.default_rng(seed)))) for seed in (2, 14))]


@pytest.mark.parametrize("part", ["ice40-up5k", "ecp5-85f"])
def test_cost_is_that_of_the_units(part: str) -> None:
    device, kinds = PARTS[part], set()
    for network in networks():
        for layer in network.layers:
            # Those of one interval use again what those of another left.
            options = {"joins": (True, True), "deep": True, "share": device.dsp, "loads": device.spram > 0}
            candidates = Candidates(layer, device, {}, **options)
            for interval in (2 * layer.work, max(1, layer.work // 3), max(1, layer.work // 7)):
                for batch in layer.batches({}, (1, 2, 3), (1, 2)):
                    for found in candidates.within(interval, batch):
                        plan, opens, closes = found.plan, found.head.frames == 1, int(found.tail.frames == 1)
                        units = layer.units(plan, device.family, opens=opens, closes=closes)
                        luts, used, single = cost(device, (unit for _, unit in units))
                        assert (found.luts, found.block_ram, found.spram) == (pytest.approx(luts), used, single)
                        assert single == plan.spram
                        assert (found.head.lanes, found.tail.pe) == (plan.i_lanes, plan.pe)
                        assert plan.cycles <= interval
                        kinds.add(type(layer))
    assert kinds == set(LAYERS)


@pytest.mark.parametrize("loads", [False, True])
def test_none_beats_another(loads: bool) -> None:
    """In LUTs, block RAMs and single-port RAMs, where the neighbours see no difference."""
    layer, part = networks()[0].layers[0], PARTS["ice40-up5k"]
    found = Candidates(layer, part, {}, joins=(False, False), deep=True, share=0, loads=loads).within(40, 1)
    costs = [(c.head, c.tail, c.luts, c.block_ram, c.spram) for c in found]
    assert len(costs) > 3
    assert {bool(cost[4]) for cost in costs} == {False, loads}
    for head, tail, *own in costs:
        rivals = [entry[2:] for entry in costs if entry[:2] == (head, tail) and list(entry[2:]) != own]
        assert not any(all(a <= b for a, b in zip(other, own, strict=True)) for other in rivals)
