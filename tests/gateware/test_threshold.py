"""A threshold unit alone: how many thresholds a sum reaches, in every way of comparing them, narrow and wide."""

import numpy as np
import pytest

from bnnhw.arithmetic.thresholds import threshold_cycles, threshold_latency
from bnnhw.gateware.arithmetic.threshold import ThresholdUnit
from tests.gateware.bench import run_stream, stalls


def cases(rng, width, count, rows):
    """Rows of thresholds, the first zero, among them such as no sum reaches; and sums at and beside thresholds."""
    most = (1 << (width - 1)) - 1
    thresholds = np.sort(rng.integers(0, most + 2, (rows, count)), axis=1)
    thresholds[:, 0] = 0
    if count > 1:
        thresholds[0, -1] = most + 1
    beside = rng.choice(thresholds.reshape(-1), (24, rows)) + rng.integers(-1, 2, (24, rows))
    sums = np.clip(beside, -most - 1, most)
    sums[0], sums[1] = -most - 1, most
    return thresholds, sums


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("width", [4, 18, 33])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 9])
def test_counts_thresholds(count, width, rate):
    rng = np.random.default_rng(count)
    pe, beats, tail = 2, 3, 1
    thresholds, sums = cases(rng, width, count, pe * beats)
    codes, bits = rng.permutation(count + 1).tolist(), 4
    dut = ThresholdUnit(
        pe=pe, nf=beats, width=width, count=count, thresholds=thresholds.reshape(beats, pe, -1).tolist(),
        codes=codes, bits=bits, tail=tail,
    )  # fmt: skip
    given = [{"data": row.tolist(), "last": int(k % beats == beats - 1)} for k, row in enumerate(sums.reshape(-1, pe))]
    seen = run_stream(dut, given, i_stall=stalls(1, rate), o_stall=stalls(2, rate))
    reached = (sums[:, :, None] >= thresholds).sum(axis=-1)
    wanted = np.array(codes)[reached]
    wanted[:, pe * (beats - 1) + tail :] = 0
    found = [[beat["data"] >> (bits * p) & ((1 << bits) - 1) for p in range(pe)] for beat in seen.beats]
    assert (np.array(found).reshape(wanted.shape) == wanted).all()
    assert [beat["last"] for beat in seen.beats] == [beat["last"] for beat in given]
    if not rate:
        assert dut.latency == threshold_latency(count)
        assert [out - taken for taken, out in zip(seen.accept_cycles, seen.emit_cycles, strict=True)] == (
            [dut.latency] * len(given)
        )
        assert set(np.diff(seen.accept_cycles)) == {threshold_cycles(count)}


def test_thresholds_must_fit_their_memory():
    def unit(last):
        return ThresholdUnit(pe=1, nf=1, width=4, count=2, thresholds=[[[0, last]]], codes=[0, 1, 2], bits=2, tail=1)

    unit(15)
    with pytest.raises(ValueError, match="reach no threshold of 2"):
        unit(16)
