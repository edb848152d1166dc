"""How yosys turns memories into block RAM of iCE40.

The rules that come with yosys rearrange the initial content by a Verilog function, which takes most of a synthesis: 18
of 27 seconds for 28 block RAMs, against none with the rules here, where the order is written out. The result is the
same.
"""

from __future__ import annotations

WIDTHS = (2, 4, 8, 16)
PINS = 16
ROWS = 256


def _reversed4(value: int) -> int:
    """The 4 bits of `value` in reverse."""
    return int(f"{value:04b}"[::-1], 2)


def _pins(width: int) -> list[int]:
    """The data pins of a port of `width` bits, bit 0 first."""
    first = {16: 0, 8: 0, 4: 1, 2: 3}[width]
    return [_reversed4(bit) + first for bit in range(width)]


def ice40_techmap() -> str:
    """A techmap file for the cells that ``memory_libmap -lib +/ice40/brams.txt`` makes.

    Both clocks of a memory must be rising edges, as Amaranth's are unless asked for otherwise.
    """
    words = (f"localparam [15:0] W{row} = INIT[{PINS * row} +: {PINS}];" for row in range(ROWS))
    parameters = []
    for k in range(16):
        bits = (f"W{PINS * k + bit // PINS}[{_reversed4(bit % PINS)}]" for bit in range(ROWS))
        parameters.append(f".INIT_{k:X}({{{', '.join(reversed(list(bits)))}}})")
    reads, writes = [], []
    for width in WIDTHS:
        pins = _pins(width)
        reads += [
            f"if (PORT_R_WIDTH == {width}) assign PORT_R_RD_DATA[{bit}] = RDATA[{pin}];" for bit, pin in enumerate(pins)
        ]
        writes += [
            f"if (PORT_W_WIDTH == {width}) assign WDATA[{pin}] = PORT_W_WR_DATA[{bit}];" for bit, pin in enumerate(pins)
        ]
    masks = (f"if (PORT_W_WIDTH == 16) assign MASK[{pin}] = !PORT_W_WR_BE[{bit}];" for bit, pin in enumerate(_pins(16)))
    lines = "\n".join((*words, "generate", *reads, *writes, *masks, "endgenerate"))
    return f"""\
module \\$__ICE40_RAM4K_ (
    input PORT_R_CLK, PORT_R_RD_EN, PORT_W_CLK, PORT_W_WR_EN,
    input [10:0] PORT_R_ADDR, PORT_W_ADDR,
    input [15:0] PORT_W_WR_BE,
    input [PORT_W_WIDTH-1:0] PORT_W_WR_DATA,
    output [PORT_R_WIDTH-1:0] PORT_R_RD_DATA
);
parameter [4095:0] INIT = 0;
parameter OPTION_HAS_BE = 1;
parameter PORT_R_WIDTH = 16;
parameter PORT_W_WIDTH = 16;
parameter PORT_W_WR_BE_WIDTH = 16;
parameter PORT_R_CLK_POL = 1;
parameter PORT_W_CLK_POL = 1;
wire _TECHMAP_FAIL_ = !PORT_R_CLK_POL || !PORT_W_CLK_POL;
wire [15:0] RDATA, WDATA, MASK;
{lines}
SB_RAM40_4K #(
    {", ".join(parameters)},
    .READ_MODE(PORT_R_WIDTH == 16 ? 2'd0 : PORT_R_WIDTH == 8 ? 2'd1 : PORT_R_WIDTH == 4 ? 2'd2 : 2'd3),
    .WRITE_MODE(PORT_W_WIDTH == 16 ? 2'd0 : PORT_W_WIDTH == 8 ? 2'd1 : PORT_W_WIDTH == 4 ? 2'd2 : 2'd3)
) _TECHMAP_REPLACE_ (
    .RCLK(PORT_R_CLK), .RCLKE(PORT_R_RD_EN), .RE(1'b1), .RDATA(RDATA),
    .RADDR({{PORT_R_ADDR[0], PORT_R_ADDR[1], PORT_R_ADDR[2], PORT_R_ADDR[10:3]}}),
    .WCLK(PORT_W_CLK), .WCLKE(PORT_W_WR_EN), .WE(1'b1), .WDATA(WDATA), .MASK(MASK),
    .WADDR({{PORT_W_ADDR[0], PORT_W_ADDR[1], PORT_W_ADDR[2], PORT_W_ADDR[10:3]}})
);
endmodule
"""
