"""SlidingWindow against numpy's windows: order, padding, frames, lines, cycles."""

import numpy as np
import pytest

from bnnhw.dataflow import twins
from bnnhw.gateware.sliding_window import SlidingWindow
from bnnhw.ir.geometry import Geometry
from bnnhw.reference.kernels import windows
from tests.gateware.bench import run_stream, stalls

FILL = 5

# height, width, geometry
CASES = {
    "3x3": (6, 5, Geometry((3, 3))),
    "3x3 padded": (4, 4, Geometry((3, 3), pads=(1, 1, 1, 1))),
    "2x2 by 2": (6, 6, Geometry((2, 2), (2, 2))),
    "2x2 by 2, lines left over": (7, 7, Geometry((2, 2), (2, 2))),
    "stride beyond the kernel": (9, 8, Geometry((2, 1), (4, 3))),
    "stride beyond the map": (3, 3, Geometry((1, 1), (5, 5))),
    "many lines left over": (11, 3, Geometry((1, 1), (6, 2))),
    "dilated": (7, 6, Geometry((2, 3), dilations=(3, 2))),
    "dilated and padded": (5, 5, Geometry((2, 2), (2, 1), (2, 3), (1, 2, 1, 0))),
    "padded above and left": (3, 4, Geometry((2, 3), pads=(1, 2, 0, 0))),
    "padded below and right": (3, 4, Geometry((2, 3), pads=(0, 0, 1, 2))),
    "windows in the padding alone": (3, 3, Geometry((1, 2), pads=(2, 3, 1, 2))),
    "one line": (1, 7, Geometry((1, 3), (1, 2), pads=(0, 1, 0, 1))),
    "one line, windows around it": (1, 4, Geometry((3, 3), pads=(1, 1, 1, 1))),
    "one column": (7, 1, Geometry((3, 1), (2, 1))),
    "one pixel": (1, 1, Geometry((1, 1))),
    "pixels": (3, 3, Geometry((1, 1))),
    "pixels by 2": (5, 5, Geometry((1, 1), (2, 2))),
    "whole map": (3, 4, Geometry((3, 4))),
}


def unit(case, cf, lanes, *, channels_outer=False, kind="registers"):
    height, width, geometry = CASES[case]
    dut = SlidingWindow(
        3, cf * lanes, lanes, height, width, geometry, fill=FILL, channels_outer=channels_outer, kind=kind
    )  # fmt: skip
    return dut, twins.SlidingWindow(cf, height, width, geometry, channels_outer=channels_outer)


def maps(case, frames, channels):
    height, width, _ = CASES[case]
    return np.random.default_rng(1).integers(0, 8, (frames, height, width, channels))


def pack(lanes):
    return sum(int(code) << (3 * k) for k, code in enumerate(lanes))


def pixels(x, lanes):
    beats = x.reshape(-1, x.shape[-1] // lanes, lanes)
    return [{"data": pack(b), "last": int(k == len(pixel) - 1)} for pixel in beats for k, b in enumerate(pixel)]


def expected_beats(x, geometry, lanes, *, channels_outer):
    """Taps of all windows; None stands for one outside the map."""
    found = windows(x, geometry, -1)
    found = found.reshape(-1, geometry.taps, x.shape[-1] // lanes, lanes)
    if channels_outer:
        found = found.transpose(0, 2, 1, 3)
    groups = found.reshape(-1, geometry.taps, lanes) if channels_outer else found.reshape(len(found), -1, lanes)
    return [
        (None if beat[0] < 0 else pack(beat), int(k == len(group) - 1))
        for group in groups
        for k, beat in enumerate(group)
    ]


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.4, 0.3)])
@pytest.mark.parametrize("channels_outer", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_windows(case, channels_outer, rates):
    cf, lanes = [(1, 2), (2, 1), (3, 2)][len(case) % 3]
    x = maps(case, 3, cf * lanes)
    expected = expected_beats(x, CASES[case][2], lanes, channels_outer=channels_outer)
    dut, twin = unit(case, cf, lanes, channels_outer=channels_outer)
    seen = run_stream(
        dut, pixels(x, lanes), i_stall=stalls(1, rates[0]), o_stall=stalls(2, rates[1]), count=len(expected), twin=twin
    )
    if channels_outer:
        found = [(None if beat["skip"] else beat["data"], beat["last"]) for beat in seen.beats]
    else:
        expected = [(pack([FILL] * lanes) if data is None else data, last) for data, last in expected]
        found = [(beat["data"], beat["last"]) for beat in seen.beats]
    assert found == expected


@pytest.mark.parametrize("seed", range(30))
def test_random_windows(seed):
    rng = np.random.default_rng(seed)
    while True:
        height, width = (int(v) for v in rng.integers(1, 9, 2))
        draw = [tuple(int(v) for v in rng.integers(1, 4, 2)) for _ in range(3)]
        geometry = Geometry(*draw, tuple(int(v) for v in rng.integers(0, 3, 4)))
        try:
            geometry.output(height, width)
            break
        except ValueError:
            continue
    lanes, cf = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    x = rng.integers(0, 8, (3, height, width, lanes * cf))
    dut = SlidingWindow(3, lanes * cf, lanes, height, width, geometry, fill=FILL, kind="lutram")
    twin = twins.SlidingWindow(cf, height, width, geometry, channels_outer=False)
    expected = expected_beats(x, geometry, lanes, channels_outer=False)
    i_stall, o_stall = (stalls(seed + k, float(rng.choice([0, 0.3]))) for k in range(2))
    seen = run_stream(
        dut, pixels(x, lanes), i_stall=i_stall, o_stall=o_stall, count=len(expected), twin=twin
    )  # fmt: skip
    filled = pack([FILL] * lanes)
    assert [(b["data"], b["last"]) for b in seen.beats] == [(filled if d is None else d, n) for d, n in expected]


def test_timing():
    """Two cycles from the last beat of the third line to the first window, then a beat per cycle: the lines of the
    next row come in meanwhile, and those of the next frame, but for the first row's lines that have no place yet."""
    case, cf = "3x3", 2
    x = maps(case, 3, cf)
    dut, _ = unit(case, cf, 1)
    assert dut.capacity == 6
    seen = run_stream(dut, pixels(x, 1), count=3 * 4 * 3 * 9 * cf)
    assert seen.emit_cycles[0] - seen.accept_cycles[3 * 5 * cf - 1] == 2
    assert (np.diff(seen.emit_cycles) == 1).all()


def test_takes_a_beat_per_cycle_where_it_gives_less():
    case = "2x2 by 2"
    x = maps(case, 4, 1)
    seen = run_stream(unit(case, 1, 1)[0], pixels(x, 1))
    assert (np.diff(seen.accept_cycles) == 1).all()


@pytest.mark.parametrize(
    ("height", "geometry", "lines"),
    [
        (32, Geometry((3, 3), pads=(1, 1, 1, 1)), 4),
        (30, Geometry((3, 3)), 4),
        (28, Geometry((2, 2), (2, 2)), 4),
        (7, Geometry((7, 7)), 14),
        (32, Geometry((1, 1)), 2),
        (16, Geometry((3, 3), (2, 2), pads=(1, 1, 1, 1)), 5),
    ],
)
def test_lines(height, geometry, lines):
    assert geometry.lines(height) == lines


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "disk"}, "must be one of block, lutram, registers, not 'disk'"),
        ({"lanes": 3}, "lanes must divide the 4 channels, not 3"),
        ({"fill": 8}, "fill must be a code of 3 bits, not 8"),
        ({"height": 2}, "do not fit a map"),
    ],
)
def test_parameters_are_checked(change, message):
    given = {"lane_bits": 3, "channels": 4, "lanes": 2, "height": 5, "width": 5, "geometry": Geometry((3, 3)), **change}
    with pytest.raises(ValueError, match=message):
        SlidingWindow(**given)
