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
            candidates = Candidates(layer, device, {}, joins=(True, True), deep=True, share=device.dsp)
            for interval in (2 * layer.work, max(1, layer.work // 3), max(1, layer.work // 7)):
                for batch in layer.batches({}, (1, 2, 3), (1, 2)):
                    for found in candidates.within(interval, batch):
                        plan, opens, closes = found.plan, found.head.frames == 1, int(found.tail.frames == 1)
                        units = layer.units(plan, device.family, opens=opens, closes=closes)
                        luts, used = cost(device, (unit for _, unit in units))
                        assert (found.luts, found.block_ram) == (pytest.approx(luts), used)
                        assert (found.head.lanes, found.tail.pe) == (plan.i_lanes, plan.pe)
                        assert plan.cycles <= interval
                        kinds.add(type(layer))
    assert kinds == set(LAYERS)


def test_none_beats_another() -> None:
    """In both LUTs and block RAMs, where the neighbours see no difference."""
    layer = networks()[0].layers[0]
    found = Candidates(layer, PARTS["ice40-up5k"], {}, joins=(False, False), deep=True, share=0).within(40, 1)
    costs = [(c.head, c.tail, c.luts, c.block_ram) for c in found]
    assert len(costs) > 3
    for head, tail, luts, used in costs:
        rivals = [entry[2:] for entry in costs if entry[:2] == (head, tail) and entry[2:] != (luts, used)]
        assert not any(other[0] <= luts and other[1] <= used for other in rivals)
