"""A code table alone: each channel's own code for a count, with stalls, and frames back to back."""

import numpy as np
import pytest

from bnnhw.gateware.arithmetic.code_table import CodeTable
from tests.gateware.bench import run_stream, stalls


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize(("count", "bits"), [(1, 1), (2, 4), (6, 3), (15, 8)])
@pytest.mark.parametrize("memory", ["lut", "block"])
def test_looks_codes_up(memory, count, bits, rate):
    rng = np.random.default_rng(count)
    pe, beats, vectors, frames = 2, 3, 2, 5
    tables = rng.integers(0, 1 << bits, (beats, pe, count + 1))
    counts = rng.integers(0, count + 1, (frames, beats, vectors, pe))
    width = count.bit_length()
    dut = CodeTable(pe=pe, nf=beats, count=count, codes=tables.tolist(), bits=bits, vectors=vectors, memory=memory)

    def word(values, size):
        return sum(int(value) << (size * k) for k, value in enumerate(values.reshape(-1)))

    given = [
        {"data": word(counts[frame, beat], width), "last": int(beat == beats - 1)}
        for frame in range(frames)
        for beat in range(beats)
    ]
    seen = run_stream(dut, given, i_stall=stalls(1, rate), o_stall=stalls(2, rate))
    row, column = np.mgrid[:beats, :pe]
    wanted = tables[row[:, None], column[:, None], counts]
    assert [beat["data"] for beat in seen.beats] == [word(beat, bits) for beat in wanted.reshape(-1, vectors, pe)]
    assert [beat["last"] for beat in seen.beats] == [beat["last"] for beat in given]
    if not rate:
        pairs = zip(seen.accept_cycles, seen.emit_cycles, strict=True)
        assert [out - taken for taken, out in pairs] == [1] * len(given)
        assert set(np.diff(seen.accept_cycles)) == {1}
