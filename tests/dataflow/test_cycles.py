"""The model of cycles: what it skips, and how deep it makes FIFOs. Tests of the gateware hold it against the circuit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.dataflow import Network, cycles, measure
from bnnhw.passes import to_integers
from campaigns.random_maps import random_map_network
from campaigns.random_networks import random_folding, random_network, random_plan


def planned(seed: int):
    network = Network.of(to_integers(random_map_network(np.random.default_rng(seed))))
    return random_folding(np.random.default_rng(seed), network, most_cycles=600), network


@pytest.mark.parametrize("seed", range(20))
def test_leaps_change_nothing(seed: int) -> None:
    """Cycles taken at once are those that would have come one by one."""
    plan, network = planned(seed)
    single = cycles.Run(plan, network)
    for place in single._work:
        place.leap = lambda *_: 1
    assert single.settle() == measure(plan, network)


@pytest.mark.parametrize("seed", range(20))
def test_what_came_once_goes_on(seed: int) -> None:
    """A run that ends as soon as all units are as they were, tells what goes on for ever."""
    plan, network = planned(seed)
    ends = cycles.Run(plan, network).ends(24)
    assert measure(plan, network) == cycles.Cycles(ends[0], (ends[23] - ends[11]) / 12)


def test_a_state_that_comes_again_ends_the_run() -> None:
    """Before the ends of frames are in the same pattern three times, which four of them would tell."""
    runs = []
    for seed in range(20):
        run = cycles.Run(*planned(seed))
        run.settle()
        runs.append(len(run._ends[run._last]))
    assert min(runs) < 4


@pytest.mark.parametrize("seed", range(12))
def test_interval_of_frames_side_by_side(seed: int) -> None:
    """It is what frames take in the long run, however irregular groups are; and leaps change nothing either."""
    rng = np.random.default_rng(seed)
    sizes = [int(v) for v in rng.integers(4, 24, 4)]
    network = random_network(rng, sizes, weight=BIPOLAR, x=BIPOLAR, activation=BIPOLAR)
    plan = random_plan(rng, network, frames=4)
    found = measure(plan, network)
    frames = 1600
    ends = cycles.Run(plan, network).ends(frames)
    # Of half of them, since the first ones may fill buffers; one group more or less may have come out.
    assert (ends[-1] - ends[frames // 2 - 1]) / (frames // 2) == pytest.approx(found.interval, rel=5e-3)
    single = cycles.Run(plan, network)
    for place in single._work:
        place.leap = lambda *_: 1
    assert single.ends(60) == ends[:60]


@pytest.mark.parametrize("seed", [2, 3, 7, 8])
def test_fifos_are_as_deep_as_they_are_used(seed: int) -> None:
    """Deeper ones change no cycle; in use, each gets as full as it is deep."""
    plan, network = planned(seed)
    assert any(any(layer.fifos) for layer in plan.layers)
    deeper = tuple(replace(layer, fifos=tuple(10 * depth for depth in layer.fifos)) for layer in plan.layers)
    assert measure(replace(plan, layers=deeper), network) == measure(plan, network)
    run = cycles.Run(plan, network)
    run.settle()
    assert run.fifo_levels() == [depth for layer in plan.layers for depth in layer.fifos if depth]
