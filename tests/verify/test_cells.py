"""The model of ECP5's block RAM: memories that yosys maps to it do what they did before."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from bnnhw.parts import PARTS
from bnnhw.toolchain import flow
from bnnhw.verify import netlist

pytestmark = [pytest.mark.sim, pytest.mark.synth]

# Bits and words of each memory: every width of a port, words wider than that, and several blocks one behind the other.
# One synthesis and one simulation do for all of them, side by side.
SHAPES = ((1, 9000), (2, 5000), (4, 3000), (9, 1500), (18, 700), (36, 400), (50, 300))
LAST = len(SHAPES) - 1

PORTS = f"""\
  input clk, input [{LAST}:0] we, input [{LAST}:0] re, input [14*{LAST}+13:0] wa, input [14*{LAST}+13:0] ra,
  input [63:0] wd, output reg [64*{LAST}+63:0] rd"""
MEMORY = """\
  (* ram_style = "block" *) reg [{top}:0] mem{k}[0:{last}];
  initial $readmemh("{k}.hex", mem{k});
  always @(posedge clk) if (we[{k}]) mem{k}[wa[14*{k}+:14]] <= wd[{top}:0];
  always @(posedge clk) if (re[{k}]) rd[64*{k}+:{bits}] <= mem{k}[ra[14*{k}+:14]];
"""
# Nothing is read that is being written: what comes of that, no model says.
BENCH = f"""\
module bench;
  reg clk = 0;
  reg [{LAST}:0] we = 0, re = 0;
  reg [14*{LAST}+13:0] wa = 0, ra = 0;
  reg [63:0] wd = 0;
  wire [64*{LAST}+63:0] was, now;
  integer k, i;
  integer wrong [0:{LAST}], words [0:{LAST}], bits [0:{LAST}];
  memories a(clk, we, re, wa, ra, wd, was);
  mapped b(clk, we, re, wa, ra, wd, now);
  initial begin
{{shapes}}
    for (k = 0; k < 6000; k = k + 1) begin
      wd = {{{{$random, $random}}}};
      for (i = 0; i <= {LAST}; i = i + 1) begin
        wa[14*i+:14] = $unsigned($random) % words[i];
        ra[14*i+:14] = k < 2000 ? k % words[i] : $unsigned($random) % words[i];
        re[i] = $random;
        we[i] = $random;
        if (k < 2000 || wa[14*i+:14] == ra[14*i+:14]) we[i] = 0;
      end
      #1 clk = 1; #1 clk = 0;
      for (i = 0; i <= {LAST}; i = i + 1)
        if (k > 50 && ((was[64*i+:64] ^ now[64*i+:64]) & (65'd1 << bits[i]) - 1) !== 0) wrong[i] = wrong[i] + 1;
    end
    for (i = 0; i <= {LAST}; i = i + 1) $display("wrong: %0d of %0d", wrong[i], k);
    $finish;
  end
endmodule
"""


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the simulation says of each memory."""
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    folder = tmp_path_factory.mktemp("memories")
    rng = random.Random(1)
    written = f"module memories({PORTS});\n"
    for k, (bits, words) in enumerate(SHAPES):
        (folder / f"{k}.hex").write_text("\n".join(f"{rng.getrandbits(bits):x}" for _ in range(words)))
        written += MEMORY.format(k=k, bits=bits, top=bits - 1, last=words - 1)
    (folder / "memories.v").write_text(written + "endmodule\n")
    steps = flow.synthesis_steps(PARTS["ecp5-85f"], "memories", folder)
    flow.run_yosys(
        folder, "read_verilog memories.v", *steps, "rename memories mapped", "write_verilog -noattr mapped.v"
    )
    shapes = "\n".join(
        f"    wrong[{k}] = 0; bits[{k}] = {bits}; words[{k}] = {words};" for k, (bits, words) in enumerate(SHAPES)
    )
    (folder / "bench.v").write_text(netlist.models(PARTS["ecp5-85f"]) + BENCH.format(shapes=shapes))
    sources = ["bench.v", "memories.v", "mapped.v"]
    subprocess.run(["iverilog", "-g2012", "-o", "bench", "-s", "bench", *sources], cwd=folder, check=True)
    # A block for each, and two for what is wider than a port.
    assert (folder / "mapped.v").read_text().count("DP16KD ") == len(SHAPES) + 1
    return subprocess.run(["vvp", "bench"], cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}-{shape[1]}")
def test_block_ram(shape: tuple[int, int], differences: list[str]) -> None:
    assert differences[SHAPES.index(shape)] == "wrong: 0 of 6000"
