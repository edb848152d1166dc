import random

import pytest

from bnnhw.gateware.streams.frame_status import FrameStatus
from tests.gateware.bench import run_stream, stalls


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (0.3, 0.3)], ids=str)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("frames", [1, 4, 11])
def test_each_frame_keeps_its_mark(frames, share, rates):
    source = random.Random(frames)
    marks = [int(source.random() < share) for _ in range(60)]
    seen = run_stream(FrameStatus(frames), marks, i_stall=stalls(1, rates[0]), o_stall=stalls(2, rates[1]), count=60)
    assert seen.beats == marks


def test_takes_a_frame_per_cycle_until_it_is_full():
    wait = [True] * 30 + [False] * 40
    seen = run_stream(FrameStatus(8), [0] * 20, o_stall=wait, count=20)
    assert seen.accept_cycles[:8] == list(range(8))
    assert seen.accept_cycles[8] >= 30
    assert run_stream(FrameStatus(8), [0] * 20, count=20).accept_cycles == list(range(20))


def test_a_marked_frame_lets_none_after_it_in():
    seen = run_stream(FrameStatus(8), [0, 1, 0], o_stall=[True] * 10 + [False], count=3)
    assert seen.accept_cycles[:2] == [0, 1]
    assert seen.accept_cycles[2] > 10
