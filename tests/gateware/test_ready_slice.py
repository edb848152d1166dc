"""The ready slice: every beat once, in order, at half the speed of the clock."""

import numpy as np
import pytest

from bnnhw.gateware.streams.ready_slice import ReadySlice
from tests.gateware.bench import run_stream, stalls

BEATS = [7 * k % 256 for k in range(40)]


@pytest.mark.parametrize(("i_rate", "o_rate"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.4, 0.4)])
def test_keeps_every_beat(i_rate, o_rate):
    seen = run_stream(ReadySlice(8), BEATS, i_stall=stalls(1, i_rate), o_stall=stalls(2, o_rate), count=len(BEATS))
    assert seen.beats == BEATS


def test_a_beat_every_other_cycle():
    seen = run_stream(ReadySlice(8), BEATS, count=len(BEATS))
    assert (np.diff(seen.emit_cycles) == 2).all()
    # The last one is seen at the output before it leaves the input.
    assert seen.accept_cycles == [cycle + 1 for cycle in seen.emit_cycles[:-1]]
