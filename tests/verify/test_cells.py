"""The model of ECP5's block RAM: memories that yosys maps to it do what they did before."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from bnnhw.parts import PARTS
from bnnhw.toolchain import flow
from bnnhw.verify import netlist

pytestmark = [pytest.mark.sim, pytest.mark.synth]

# Bits and words of each memory: every width of a port, words wider than that, and several blocks one behind the other.
SHAPES = ((1, 9000), (2, 5000), (4, 3000), (9, 1500), (18, 700), (36, 400), (50, 300))

MEMORY = """\
module {name}(input clk, input we, input re, input [13:0] wa, input [13:0] ra, input [63:0] wd, output reg [63:0] rd);
  (* ram_style = "block" *) reg [{top}:0] mem[0:{last}];
  initial begin
{init}
  end
  always @(posedge clk) if (we) mem[wa] <= wd[{top}:0];
  always @(posedge clk) if (re) rd <= mem[ra];
endmodule
"""
# Nothing is read that is being written: what comes of that, no model says.
BENCH = """\
module bench;
  reg clk = 0, we = 0, re = 0;
  reg [13:0] wa = 0, ra = 0;
  reg [63:0] wd = 0;
  wire [63:0] {wires};
  integer k, wrong = 0;
{instances}
  initial begin
    for (k = 0; k < 20000; k = k + 1) begin
      we = $random; re = $random; wd = {{$random, $random}};
      wa = $unsigned($random) % {words}; ra = k < 2000 ? k % {words} : $unsigned($random) % {words};
      if (wa == ra) we = 0;
      if (k < 2000) we = 0;
      #1 clk = 1; #1 clk = 0;
{checks}
    end
    $display("wrong: %0d of %0d", wrong, k);
    $finish;
  end
endmodule
"""


@pytest.mark.parametrize(("bits", "words"), SHAPES)
def test_block_ram(bits: int, words: int, tmp_path: Path) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    rng = random.Random(bits)
    init = "\n".join(f"    mem[{k}] = {bits}'h{rng.getrandbits(bits):x};" for k in range(words))
    written = MEMORY.format(name="memory", top=bits - 1, last=words - 1, init=init)
    (tmp_path / "memory.v").write_text(written)
    steps = flow.synthesis_steps(PARTS["ecp5-85f"], "memory", tmp_path)
    flow.run_yosys(tmp_path, "read_verilog memory.v", *steps, "rename memory mapped", "write_verilog -noattr mapped.v")
    mapped = (tmp_path / "mapped.v").read_text()
    assert "DP16KD" in mapped
    mask = (1 << bits) - 1
    bench = BENCH.format(
        words=words,
        wires="was, now",
        instances="  memory a(clk, we, re, wa, ra, wd, was);\n  mapped b(clk, we, re, wa, ra, wd, now);",
        checks=f"      if (k > 50 && ((was ^ now) & 64'h{mask:x}) !== 0) wrong = wrong + 1;",
    )
    (tmp_path / "bench.v").write_text("\n".join((netlist.models(PARTS["ecp5-85f"]), written, mapped, bench)))
    subprocess.run(["iverilog", "-g2012", "-o", "bench", "-s", "bench", "bench.v"], cwd=tmp_path, check=True)
    said = subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert "wrong: 0 of 20000" in said
