"""Chains of vendor cells, as ECP5 gets them, add what the plain sums add."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bnnhw.gateware.arithmetic.adder_chain import (
    BIT,
    BOTH,
    CELL,
    DIFFER,
    MASKED,
    MATCH,
    SELECT,
    AdderChain,
    evaluated,
    truth_table,
)
from bnnhw.toolchain import carry_cells, tools

FIRSTS = (BIT, MATCH, BOTH)
SECONDS = (BIT, DIFFER, BOTH, MASKED, SELECT)
ALL = [pair for pair in itertools.product(FIRSTS, SECONDS) if sum(kind.arity for kind in pair) <= 4]


class Board:
    """Stands for the platform of a board."""


def ccu2c_half(table: int, bits: tuple[int, ...], carry: int) -> tuple[int, int]:
    """Sum and carry of half a CCU2C, as Lattice's primitive has them."""
    propagate = table >> sum(bit << k for k, bit in enumerate(bits)) & 1
    generate = table >> (bits[0] + 2 * bits[1]) & 1
    return propagate ^ carry, carry if propagate else generate


@pytest.mark.parametrize("kinds", ALL, ids=lambda kinds: "-".join(str(kind.arity) for kind in kinds))
def test_half_a_cell_adds_two_operands(kinds: tuple) -> None:
    table = truth_table(kinds)
    for bits in itertools.product((0, 1), repeat=4):
        for carry in (0, 1):
            total = sum(evaluated(kinds, bits)) + carry
            assert ccu2c_half(table, bits, carry) == (total & 1, total >> 1)


@pytest.mark.parametrize("kind", FIRSTS)
def test_half_a_cell_takes_out_and_puts_in(kind) -> None:
    for a, b, carry in itertools.product((0, 1), repeat=3):
        assert ccu2c_half(truth_table((kind,)), (a, b, 1, 1), carry) == (carry, kind.rule(*(a, b)[: kind.arity]))


def test_operands_that_do_not_fit_are_noticed() -> None:
    with pytest.raises(AssertionError):
        truth_table((BIT, MATCH))


def test_the_cell_has_one_name() -> None:
    assert carry_cells.CELL == CELL


class Sums(wiring.Component):
    """A chain, and what its output means."""

    def __init__(self, positions) -> None:
        self._chain = AdderChain(positions, vendor=True)
        super().__init__({"i": In(4 * len(positions)), "o": Out(len(positions) - 1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.chain = self._chain
        m.d.comb += [self._chain.i.eq(self.i), self.o.eq(self._chain.o[1:])]
        return m


@pytest.mark.synth
@pytest.mark.parametrize("length", [2, 5, 12])
def test_vendor_cells_equal_the_sum(tmp_path: Path, length: int) -> None:
    """Proved by yosys for all inputs, and for whatever an open carry-in may be."""
    rest = itertools.islice(itertools.cycle([*ALL[:3], (MATCH,), *ALL[3:], (BIT,), (BOTH,)]), length - 1)
    positions = [(MATCH,), *rest]
    for name, platform in (("gold", None), ("gate", Board())):
        text = rtlil.convert(Sums(positions), name=name, platform=platform)
        (tmp_path / f"{name}.il").write_text(text)
    (tmp_path / "cells.v").write_text(carry_cells.declaration())
    (tmp_path / "map.v").write_text(carry_cells.ecp5_techmap())
    script = """\
read_rtlil gate.il
read_verilog cells.v
hierarchy -top gate
proc
flatten
techmap -map map.v
opt_clean
tee -q -o stat.json stat -json
setundef -anyconst
techmap -map +/lattice/cells_sim_ecp5.v
techmap
clean
read_rtlil gold.il
proc
flatten gold
miter -equiv -flatten gold gate miter
sat -verify -prove trigger 0 miter
"""
    (tmp_path / "prove.ys").write_text(script)
    tools.run(tools.YOSYS, ["-q", "-l", "prove.log", "prove.ys"], tmp_path)
    cells = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    assert cells["CCU2C"] == -(-length // 2)
    assert "SUCCESS" in (tmp_path / "prove.log").read_text()
