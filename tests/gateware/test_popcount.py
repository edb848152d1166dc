import random

import pytest
from amaranth.sim import Simulator

from bnnhw.arithmetic.popcount_tree import counted_lanes, popcount_latency
from bnnhw.arithmetic.weight_coding import MatchCoding
from bnnhw.gateware.arithmetic.adder_chain import BIT, BOTH, MASKED, MATCH
from bnnhw.gateware.arithmetic.popcount import Popcount
from tests.gateware.bench import add_clock

FAMILIES = ["ice40", "ecp5"]
KINDS = {"bit": BIT, "match": MATCH, "both": BOTH, "masked": MASKED}


def lanes_of(kind, width, words, *, spare, family):
    """The popcount's input that makes the lanes' bits those of the functions of `words`, one word for each input."""
    sides = [[word >> lane & 1 for lane in range(width)] for word in words]
    if kind is MATCH:
        coding = MatchCoding.of(width, family, spare=spare)
        sides = [coding.activations(sides[0]), coding.weights(sides[1])]
    return sum(side[lane] << (lane * kind.arity + k) for lane in range(width) for k, side in enumerate(sides))


def run(dut, inputs, en=None):
    """Outputs for each cycle's input: the count, and whether the spare lane is one."""
    seen = []

    async def bench(ctx):
        ctx.set(dut.en, 1)
        for cycle, word in enumerate(inputs):
            ctx.set(dut.i, word)
            if en is not None:
                ctx.set(dut.en, en[cycle])
            if dut.latency == 0:
                await ctx.delay(1e-7)
            spare = ctx.get(dut.spare)
            seen.append((ctx.get(dut.o), spare in (0, 3)))
            if dut.latency:
                await ctx.tick()

    sim = Simulator(dut)
    if dut.latency:
        add_clock(sim)
    sim.add_testbench(bench)
    sim.run()
    return seen


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels", [None, 1, 2])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 16, 27, 64])
def test_counts_with_its_latency(width, levels, kind, family):
    rng = random.Random(width)
    spare = width % 2 == 0
    kind = KINDS[kind]
    dut = Popcount(width, kind, levels=levels, spare=spare, family=family)
    ones = (1 << width) - 1
    words = [[rng.choice((0, ones)) for _ in range(kind.arity)] for _ in range(3)]
    words += [[rng.getrandbits(width) for _ in range(kind.arity)] for _ in range(12)]
    inputs = [lanes_of(kind, width, each, spare=spare, family=family) for each in words]
    counted = counted_lanes(width) if spare else width
    expected = []
    for each in words:
        bits = [kind.rule(*(word >> lane & 1 for word in each)) for lane in range(width)]
        expected.append((sum(bits[:counted]), counted < width and bits[-1] == 1))
    assert dut.latency == popcount_latency(counted, levels)
    seen = run(dut, inputs + inputs[-1:] * dut.latency)
    assert seen[dut.latency :] == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("width", [2, 3, 4, 7])
def test_counts_all_matches(width, family):
    """Every pair of words."""
    spare = width == 4
    dut = Popcount(width, MATCH, spare=spare, family=family)
    pairs = [(x, w) for x in range(1 << width) for w in range(0, 1 << width, 1 if width < 7 else 9)]
    seen = run(dut, [lanes_of(MATCH, width, pair, spare=spare, family=family) for pair in pairs])
    assert [count + extra for count, extra in seen] == [width - (x ^ w).bit_count() for x, w in pairs]


def test_registers_hold_without_enable():
    dut = Popcount(8, levels=1)
    cycles = dut.latency
    seen = run(dut, [0xFF] * cycles + [0] * 5, en=[1] * cycles + [0] * 5)
    assert [count for count, _ in seen[cycles:]] == [8] * 5


@pytest.mark.parametrize(("width", "levels"), [(0, None), (-1, None), ("8", None), (8, 0), (8, "x")])
def test_refuses(width, levels):
    with pytest.raises(TypeError, match="must be"):
        Popcount(width, levels=levels)
