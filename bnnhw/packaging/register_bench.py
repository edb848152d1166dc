"""The bench of a package with registers in memory: a master that does what its driver does, in plain Verilog-2001."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.generate.wrappers.registers import (
    ADDRESS_BITS,
    CLASS,
    DIGEST_HIGH,
    DIGEST_LOW,
    INPUT,
    INPUT_READY,
    LOST,
    RESULT,
    RESULT_READY,
    STATUS,
    WORD,
    RegisterBus,
)
from bnnhw.generate.wrappers.wishbone import Wishbone
from bnnhw.packaging.memories import frames_file, hang_cycles, results_file, run_comment
from bnnhw.packets import Results


def files(
    prefix: str, bus: Wishbone, values: NDArray[np.integer], expected: Results, *, digest: str, latency: int
) -> dict[str, str]:
    """The bench, and the files that it reads, by name.

    Parameters
    ----------
    values
        (N, ...) integers, a frame each.
    expected
        What the reference computes of them.
    """
    return {
        f"{prefix}_tb.v": _bench(prefix, bus, len(values), digest=digest, latency=latency),
        **vectors(prefix, bus, values, expected),
    }


def vectors(prefix: str, bus: RegisterBus, values: NDArray[np.integer], expected: Results) -> dict[str, str]:
    """The words of all frames and the numbers of all results, by the names of their files."""
    words = [word for frame in bus.sent(values) for word in frame]
    mask = (1 << WORD) - 1
    answers = [
        number & mask
        for integers, label in zip(expected.integers.tolist(), expected.labels.tolist(), strict=True)
        for number in (*integers, label)
    ]
    return {
        frames_file(prefix): "".join(f"{word:x}\n" for word in words),
        results_file(prefix): "".join(f"{answer:x}\n" for answer in answers),
    }


def _bench(prefix: str, bus: Wishbone, frames: int, *, digest: str, latency: int) -> str:
    elements = bus.ports.output.elements
    nets = "\n".join(
        f"  {'reg ' if s.direction == 'input' else 'wire'} {f'[{s.bits - 1}:0] ' if s.bits > 1 else ''}{s.name};"
        for s in bus.signals
    )
    ports = ",\n".join(f"    .{s.name}({s.name})" for s in bus.signals)
    registers = "\n".join(
        f"  localparam [{ADDRESS_BITS - 1}:0] {r.name} = {ADDRESS_BITS}'d{r.index};"
        for r in (DIGEST_LOW, DIGEST_HIGH, STATUS, INPUT, RESULT, CLASS)
    )
    return f"""\
// Self-checking bench of the module {prefix}: a master of the bus, with the reference's vectors. It ends with PASS and
// exit status 0, or with FAIL and $stop, which is another one with `vvp -N` and in Verilator. Run it here:
//
{run_comment(prefix)}

module {prefix}_tb;
  localparam WORDS = {frames * bus.frame_words};  // of all frames
  localparam NUMBERS = {frames * (elements + 1)};  // of all results: their integers, and the class
  localparam EACH = {elements + 1};  // of one result
  localparam HANG = {hang_cycles(latency)};  // accesses without a word or an integer
{registers}

{nets}

  {prefix} dut (
{ports}
  );

  reg [{WORD - 1}:0] frames [0:WORDS-1];
  reg [{WORD - 1}:0] results [0:NUMBERS-1];
  reg [{WORD - 1}:0] found;
  integer sent, got, idle;

  always #5 clk_i = ~clk_i;

  task access(input we, input [{ADDRESS_BITS - 1}:0] register, input [{WORD - 1}:0] value);
    begin
      @(negedge clk_i);
      cyc_i = 1'b1;
      stb_i = 1'b1;
      we_i = we;
      adr_i = register;
      dat_i = value;
      @(negedge clk_i);
      while (!ack_o) @(negedge clk_i);
      found = dat_o;
      cyc_i = 1'b0;
      stb_i = 1'b0;
    end
  endtask

  task expect_found(input [{WORD - 1}:0] wanted);
    if (found !== wanted) begin
      $display("FAIL: register %0d gave %h, not %h, after %0d words and %0d numbers", adr_i, found, wanted, sent, got);
      $stop;
    end
  endtask

  initial begin
    $readmemh("{frames_file(prefix)}", frames);
    $readmemh("{results_file(prefix)}", results);
    clk_i = 1'b0;
    rst_i = 1'b1;
    cyc_i = 1'b0;
    stb_i = 1'b0;
    we_i = 1'b0;
    adr_i = STATUS;
    sel_i = 4'b1111;
    dat_i = 0;
    sent = 0;
    got = 0;
    idle = 0;
    #95 rst_i = 1'b0;
    access(1'b0, DIGEST_LOW, 0);
    expect_found(32'h{digest[8:]});
    access(1'b0, DIGEST_HIGH, 0);
    expect_found(32'h{digest[:8]});
    // What is lost is told: an integer that is not there, and half a word. Then a frame is begun and given up.
    access(1'b0, RESULT, 0);
    access(1'b0, STATUS, 0);
    expect_found({INPUT_READY | LOST});
    access(1'b1, STATUS, 1);
    access(1'b0, STATUS, 0);
    expect_found({INPUT_READY});
    sel_i = 4'b0011;
    access(1'b1, INPUT, 0);
    sel_i = 4'b1111;
    access(1'b0, STATUS, 0);
    expect_found({INPUT_READY | LOST});
    access(1'b1, INPUT, ~frames[0]);
    access(1'b1, STATUS, 1);
    while (got < NUMBERS) begin
      access(1'b0, STATUS, 0);
      idle = idle + 1;
      if (found[2] !== 1'b0 || idle == HANG) begin
        $display("FAIL: status %h, %0d accesses after the last word or integer", found, idle);
        $stop;
      end
      // As many words as it takes, then what has come out.
      if ((found & {INPUT_READY}) != 0 && sent < WORDS) begin
        access(1'b1, INPUT, frames[sent]);
        sent = sent + 1;
        idle = 0;
      end else if ((found & {RESULT_READY}) != 0) begin
        access(1'b0, RESULT, 0);
        expect_found(results[got]);
        got = got + 1;
        idle = 0;
        if (got % EACH == EACH - 1) begin
          access(1'b0, CLASS, 0);
          expect_found(results[got]);
          got = got + 1;
        end
      end
    end
    $display("PASS: {frames} frames");
    $finish;
  end
endmodule
"""
