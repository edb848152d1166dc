"""Whether a fault in a netlist makes no difference, by a proof that both netlists give the same answers.

The netlist with the fault and the one without get the same inputs, whatever these are, and a reset in the first cycle
and whenever it comes. Their outputs are compared in every cycle: both handshakes, and of a payload that is valid what
means something. Signals that are equal, or always the same, are found by induction (ABC's `scorr`, which is part of
yosys); where this leaves no register in what the comparison depends on, and no gate, there is no difference.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from bnnhw.errors import ToolError
from bnnhw.generate.ports import Ports
from bnnhw.toolchain import tools
from campaigns.mutation.faults import BITS

# Registers start at zero, as what they start at does not count: the reset comes first.
SCRIPT = """\
read_verilog mutated.v
proc
setattr -unset init w:*
read_verilog miter.v
hierarchy -top miter
proc
flatten
opt -full
memory_map
opt -full
dffunmap
opt -full
techmap
dfflegalize -cell $_DFF_P_ 01
setundef -zero -undriven
setundef -init -zero
aigmap
opt_clean
write_aiger -zinit netlist.aig
"""
MITER = """
module miter(input clk, input rst, input i__valid, input [{i_top}:0] i__payload, input o__ready, output differs);
  reg started = 0;
  always @(posedge clk) started <= 1;
  wire reset = rst | ~started;
  wire gold_ready, gate_ready, gold_valid, gate_valid;
  wire [{o_top}:0] gold_payload, gate_payload;
  accelerator gold(.mutant({bits}'d0), .clk(clk), .rst(reset),
    .i__valid(i__valid), .i__payload(i__payload), .i__ready(gold_ready),
    .o__valid(gold_valid), .o__payload(gold_payload), .o__ready(o__ready));
  accelerator gate(.mutant({bits}'d{mutant}), .clk(clk), .rst(reset),
    .i__valid(i__valid), .i__payload(i__payload), .i__ready(gate_ready),
    .o__valid(gate_valid), .o__payload(gate_payload), .o__ready(o__ready));
  wire [{o_top}:0] meant = gold_payload[{o_last}] ? {width}'h{final:x} : {width}'h{early:x};
  assign differs = started & ((gold_ready ^ gate_ready) | (gold_valid ^ gate_valid)
    | (gold_valid & |((gold_payload ^ gate_payload) & meant)));
endmodule
"""
# ABC works inside yosys, on a module that is there only to run it, and gets the name that yosys looks for.
SOLVE = """\
read_verilog <<END
module nothing(input a, input b, output y); assign y = a & b; endmodule
END
simplemap
abc -script +read_aiger,netlist.aig;strash;scorr;write_aiger,solved.aig
"""


def equal(verilog: str, mutant: int, ports: Ports) -> bool:
    """Whether the accelerator `verilog`, with faults in it, answers the same with this one on as with none."""
    with tempfile.TemporaryDirectory(prefix="bnnhw-equal-") as scratch:
        folder = Path(scratch)
        (folder / "mutated.v").write_text(verilog)
        (folder / "miter.v").write_text(_miter(mutant, ports))
        (folder / "miter.ys").write_text(SCRIPT)
        tools.run(tools.YOSYS, ["-q", "miter.ys"], folder)
        return _solved(folder)


def _miter(mutant: int, ports: Ports) -> str:
    i, o = ports.input.fields, ports.output.fields
    early = sum(((1 << o[field]) - 1) << ports.output.position(field) for field in ("data", "last"))
    width = sum(o.values())
    return MITER.format(
        i_top=sum(i.values()) - 1, o_top=width - 1, o_last=ports.output.position("last"), width=width, early=early,
        final=(1 << width) - 1, bits=BITS, mutant=mutant,
    )  # fmt: skip


def _solved(folder: Path) -> bool:
    """Whether ``netlist.aig``, whose output tells a difference, is shown to be never one."""
    (folder / "solve.ys").write_text(SOLVE)
    with suppress(ToolError):  # of the module that is only there to run ABC, which is done
        tools.run(tools.YOSYS, ["-q", "solve.ys"], folder)
    header, output, *_ = (folder / "solved.aig").read_bytes().split(b"\n")
    _, _, _, latches, _, gates = header.split()
    return (latches, gates, output) == (b"0", b"0", b"0")
