"""The carry cells of ECP5 with open ends, which `bnnhw.gateware.adder_chain` makes.

A chain's first carry-in and its last carry-out go nowhere. Neither yosys nor nextpnr leaves them open where a CCU2C is
written without them: each then costs another CCU2C, to bring in a constant or to take out what nobody reads. So chains
are made of a cell of our own, which becomes a CCU2C after all steps that would close the ends.
"""

from __future__ import annotations

# As `bnnhw.gateware.adder_chain` calls it.
CELL = "bnnhw_ccu2c"

_PINS = [f"{name}{half}" for half in (0, 1) for name in "ABCD"]
_HEAD = f"""\
module {CELL}(input CIN, {", ".join(_PINS)}, output S0, S1, COUT);
parameter INIT0 = 16'd0;
parameter INIT1 = 16'd0;
parameter FIRST = 0;
parameter LAST = 0;
"""


def declaration() -> str:
    """The cell as a black box, for all steps of a synthesis."""
    return f"(* blackbox *)\n{_HEAD}endmodule\n"


def ecp5_techmap() -> str:
    """A techmap file from the cell to CCU2C, for the end of a synthesis."""
    pins = ", ".join(f".{pin}({pin})" for pin in (*_PINS, "S0", "S1"))
    return f"""\
{_HEAD}
if (LAST) assign COUT = 1'bx;
CCU2C #(.INIT0(INIT0), .INIT1(INIT1), .INJECT1_0("NO"), .INJECT1_1("NO")) _TECHMAP_REPLACE_ (
    .CIN(FIRST ? 1'bx : CIN), .COUT(COUT), {pins}
);
endmodule
"""
