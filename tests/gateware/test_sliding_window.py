"""SlidingWindow against numpy's windows: order, padding, frames, lines, cycles."""

import numpy as np
import pytest

from bnnhw import units
from bnnhw.gateware.windows.sliding_window import SlidingWindow
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


# What a window gives in a beat, and in which order.
ORDERS = {
    "tap by tap": {"fill": FILL, "channels_outer": False, "tall": False},
    "channel by channel": {"fill": FILL, "channels_outer": True, "tall": False},
    "channel by channel, marked": {"fill": None, "channels_outer": True, "tall": False},
    "column by column": {"fill": FILL, "channels_outer": False, "tall": True},
}
TAPS, _, _, COLUMNS = ORDERS.values()


def window(*sizes, fill, channels_outer, tall):
    return units.SlidingWindow(*sizes, fill, channels_outer, tall, 0, "registers")


def unit(case, cf, lanes, order=TAPS, *, kind="registers"):
    height, width, geometry = CASES[case]
    dut = SlidingWindow(3, cf * lanes, lanes, height, width, geometry, kind=kind, **order)
    return dut, window(3, cf * lanes, lanes, height, width, geometry, **order).cycle_model()


def maps(case, frames, channels):
    height, width, _ = CASES[case]
    return np.random.default_rng(1).integers(0, 8, (frames, height, width, channels))


def pack(lanes):
    return sum(int(code) << (3 * k) for k, code in enumerate(lanes))


def pixels(x, lanes):
    beats = x.reshape(-1, x.shape[-1] // lanes, lanes)
    return [{"data": pack(b), "last": int(k == len(pixel) - 1)} for pixel in beats for k, b in enumerate(pixel)]


def expected_beats(x, geometry, lanes, order):
    """The beats of all windows: the codes of their taps with None for one outside the map, and `last`."""
    found = windows(x, geometry, -1)
    kh, kw = geometry.kernel
    found = found.reshape(-1, kh, kw, x.shape[-1] // lanes, lanes)
    if order is COLUMNS:
        found = found.transpose(0, 2, 3, 1, 4)  # columns, then chunks; each beat a column
        found = found.reshape(len(found), -1, kh, lanes)
    elif order["channels_outer"]:
        found = found.transpose(0, 3, 1, 2, 4).reshape(-1, geometry.taps, 1, lanes)
    else:
        found = found.reshape(len(found), -1, 1, lanes)
    return [
        ([None if tap[0] < 0 else pack(tap) for tap in beat], int(k == len(group) - 1))
        for group in found
        for k, beat in enumerate(group)
    ]


def seen_beats(seen, order, geometry, lanes):
    """As `expected_beats`; taps outside the map have their fill but where `skip` marks them."""
    taps = geometry.kernel[0] if order is COLUMNS else 1
    mask = (1 << (3 * lanes)) - 1
    return [
        (
            [None if beat.get("skip") else (beat["data"] >> (3 * lanes * k)) & mask for k in range(taps)],
            beat["last"],
        )
        for beat in seen.beats
    ]


def filled(beats, order, lanes):
    """`beats` with the fill for taps outside the map, where the unit puts it there."""
    if order["fill"] is None:
        return beats
    return [([pack([FILL] * lanes) if tap is None else tap for tap in taps], last) for taps, last in beats]


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.4, 0.3)])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", CASES)
def test_windows(case, order, rates):
    order = ORDERS[order]
    cf, lanes = [(1, 2), (2, 1), (3, 2)][len(case) % 3]
    geometry = CASES[case][2]
    x = maps(case, 3, cf * lanes)
    expected = expected_beats(x, geometry, lanes, order)
    dut, model = unit(case, cf, lanes, order)
    seen = run_stream(
        dut,
        pixels(x, lanes),
        i_stall=stalls(1, rates[0]),
        o_stall=stalls(2, rates[1]),
        count=len(expected),
        model=model,
    )
    assert seen_beats(seen, order, geometry, lanes) == filled(expected, order, lanes)


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_random_windows(seed, tall):
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
    order = COLUMNS if tall else TAPS
    lanes, cf = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    x = rng.integers(0, 8, (3, height, width, lanes * cf))
    dut = SlidingWindow(3, lanes * cf, lanes, height, width, geometry, kind="lutram", **order)
    model = window(3, lanes * cf, lanes, height, width, geometry, **order).cycle_model()
    expected = expected_beats(x, geometry, lanes, order)
    i_stall, o_stall = (stalls(seed + k, float(rng.choice([0, 0.3]))) for k in range(2))
    seen = run_stream(dut, pixels(x, lanes), i_stall=i_stall, o_stall=o_stall, count=len(expected), model=model)
    assert seen_beats(seen, order, geometry, lanes) == filled(expected, order, lanes)


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
    ("height", "geometry", "lines", "unbroken"),
    [
        (32, Geometry((3, 3), pads=(1, 1, 1, 1)), 4, 4),
        (30, Geometry((3, 3)), 4, 6),
        (28, Geometry((2, 2), (2, 2)), 4, 4),
        (7, Geometry((7, 7)), 14, 14),
        (32, Geometry((1, 1)), 2, 2),
        (16, Geometry((3, 3), (2, 2), pads=(1, 1, 1, 1)), 5, 5),
        (6, Geometry((5, 5)), 6, 10),
    ],
)
def test_lines(height, geometry, lines, unbroken):
    assert geometry.lines(height) == lines
    assert geometry.unbroken_lines(height) == unbroken


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("size", [5, 6, 8])
def test_no_gap_with_unbroken_lines(size, tall):
    """Where a line comes in just as many cycles as a row of windows takes, nothing waits once it has begun."""
    geometry = Geometry((3, 3))
    least = geometry.unbroken_lines(size) * size
    dut = SlidingWindow(3, 1, 1, size, size, geometry, tall=tall, depth=least, kind="registers")
    assert dut.capacity >= geometry.unbroken_lines(size)
    per_frame = (size - 2) ** 2 * (3 if tall else 9)
    x = np.random.default_rng(1).integers(0, 8, (5, size, size, 1))
    seen = run_stream(dut, pixels(x, 1), count=5 * per_frame)
    if per_frame >= size * size:
        assert (np.diff(seen.emit_cycles) == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "disk"}, "must be one of block, lutram, registers, not 'disk'"),
        ({"lanes": 3}, "lanes must divide the 4 channels, not 3"),
        ({"fill": 8}, "fill must be a code of 3 bits, not 8"),
        ({"height": 2}, "do not fit a map"),
        ({"tall": True, "channels_outer": True}, "a tall window has the channels of a column together"),
        ({"tall": True, "fill": None}, "a tall window needs a fill"),
    ],
)
def test_parameters_are_checked(change, message):
    given = {"lane_bits": 3, "channels": 4, "lanes": 2, "height": 5, "width": 5, "geometry": Geometry((3, 3)), **change}
    with pytest.raises(ValueError, match=message):
        SlidingWindow(**given)
