"""The models of ECP5's block RAM and multiplier: what yosys maps to them does what it did before."""

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


# Bits of both factors of each product, two's complement numbers or not: one multiplier, and several put together.
PRODUCTS = ((9, 12, "signed"), (18, 18, "signed"), (18, 18, ""), (20, 33, "signed"))


def test_multiplier(tmp_path: Path) -> None:
    """Random factors, the lowest and the highest among them."""
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian's package iverilog)")
    parts = "".join(
        f"  wire {sign} [{a - 1}:0] a{k} = a; wire {sign} [{b - 1}:0] b{k} = b;\n"
        f"  assign y[64*{k}+:64] = $signed(a{k} * b{k} + {a + b}'{'s' * (sign != '')}d0);\n"
        for k, (a, b, sign) in enumerate(PRODUCTS)
    )
    (tmp_path / "products.v").write_text(
        f"module products(input [39:0] a, b, output [{64 * len(PRODUCTS) - 1}:0] y);\n{parts}endmodule\n"
    )
    steps = flow.synthesis_steps(PARTS["ecp5-85f"], "products", tmp_path)
    flow.run_yosys(
        tmp_path, "read_verilog products.v", *steps, "rename products mapped", "write_verilog -noattr mapped.v"
    )
    (tmp_path / "bench.v").write_text(
        netlist.models(PARTS["ecp5-85f"])
        + f"""\
module bench;
  reg [39:0] a, b;
  wire [{64 * len(PRODUCTS) - 1}:0] was, now;
  integer k, wrong = 0;
  products p(a, b, was);
  mapped q(a, b, now);
  initial begin
    for (k = 0; k < 3000; k = k + 1) begin
      a = k < 64 ? {{40{{1'b1}}}} << k % 40 : {{$random, $random}};
      b = k < 64 ? ~({{40{{1'b1}}}} << k / 2) : {{$random, $random}};
      #1 if (was !== now) wrong = wrong + 1;
    end
    $display("wrong: %0d", wrong);
    $finish;
  end
endmodule
"""
    )
    sources = ["bench.v", "products.v", "mapped.v"]
    subprocess.run(["iverilog", "-g2012", "-o", "bench", "-s", "bench", *sources], cwd=tmp_path, check=True)
    assert (tmp_path / "mapped.v").read_text().count("MULT18X18D ") >= len(PRODUCTS)
    found = subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert found.split() == ["wrong:", "0"]
