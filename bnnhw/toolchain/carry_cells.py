"""What becomes of carry chains behind synthesis.

On ECP5 `bnnhw.gateware.arithmetic.adder_chain` makes carry cells with open ends. A chain's first carry-in and its
last carry-out go nowhere. Neither yosys nor nextpnr leaves them open where a CCU2C is written without them: each then
costs another CCU2C, to bring in a constant or to take out what nobody reads. So chains are made of a cell of our own,
which becomes a CCU2C after all steps that would close the ends.

On iCE40 the last position of a chain adds a bit to itself, so that its LUT gives the carry from below. Synthesis leaves
the LUT as it is. It needs no input but the carry; and where one net goes to two inputs of a LUT, nextpnr's router may
take turns with the two for ever.
"""

from __future__ import annotations

# As `bnnhw.gateware.arithmetic.adder_chain` calls it.
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


def ice40_techmap() -> str:
    """A techmap file that takes the bits from the LUTs of last positions, for the end of a synthesis."""
    return """\
module SB_LUT4(output O, input I0, I1, I2, I3);
parameter LUT_INIT = 16'd0;
parameter _TECHMAP_CONNMAP_I1_ = 0;
parameter _TECHMAP_CONNMAP_I2_ = 0;
wire _TECHMAP_FAIL_ = LUT_INIT != 16'h6996 || _TECHMAP_CONNMAP_I1_ != _TECHMAP_CONNMAP_I2_;
SB_LUT4 #(.LUT_INIT(16'hff00)) _TECHMAP_REPLACE_ (.I0(1'b0), .I1(1'b0), .I2(1'b0), .I3(I3), .O(O));
endmodule
"""
