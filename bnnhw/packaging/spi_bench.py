"""The bench of a package behind SPI: a master that does what its drivers do, in plain Verilog-2001."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.generate.wrappers.registers import (
    CLASS,
    DIGEST_HIGH,
    DIGEST_LOW,
    INPUT,
    INPUT_READY,
    RESULT,
    RESULT_READY,
    STATUS,
    WORD,
)
from bnnhw.generate.wrappers.spi import CLOCK_RATIO, Spi
from bnnhw.packaging.memories import frames_file, hang_cycles, results_file, run_comment
from bnnhw.packaging.register_bench import vectors
from bnnhw.packets import Results


def files(
    prefix: str, bus: Spi, values: NDArray[np.integer], expected: Results, *, digest: str, latency: int
) -> dict[str, str]:
    """The bench, and the files that it reads, by name; see `bnnhw.packaging.register_bench.files`."""
    return {
        f"{prefix}_tb.v": _bench(prefix, bus, len(values), digest=digest, latency=latency),
        **vectors(prefix, bus, values, expected),
    }


def _bench(prefix: str, bus: Spi, frames: int, *, digest: str, latency: int) -> str:
    elements = bus.ports.output.elements
    ports = ",\n".join(f"    .{s.name}({s.name})" for s in bus.signals)
    registers = "\n".join(
        f"  localparam [6:0] {r.name} = 7'd{r.index};" for r in (DIGEST_LOW, DIGEST_HIGH, STATUS, INPUT, RESULT, CLASS)
    )
    return f"""\
// Self-checking bench of the module {prefix}: a master of the bus, with the reference's vectors, in mode 0 and again in
// mode 3, as fast as the bus may be. It ends with PASS and exit status 0, or with FAIL and $stop, which is another one
// with `vvp -N` and in Verilator. Run it here:
//
{run_comment(prefix)}

module {prefix}_tb;
  localparam WORDS = {frames * bus.frame_words};  // of all frames
  localparam NUMBERS = {frames * (elements + 1)};  // of all results: their integers, and the class
  localparam EACH = {elements + 1};  // of one result
  localparam HANG = {hang_cycles(latency) // (CLOCK_RATIO * (8 + WORD))};  // transfers without a word or an integer
  localparam HALF = {CLOCK_RATIO // 2 * 10};  // of a bit, in units of time; a cycle of clk has 10
{registers}

  reg clk, rst, cs_n, sck, mosi;
  wire miso, miso_oe;

  {prefix} dut (
{ports}
  );

  reg [{WORD - 1}:0] frames [0:WORDS-1];
  reg [{WORD - 1}:0] results [0:NUMBERS-1];
  reg [{WORD - 1}:0] found;
  reg [7:0] status;
  reg rest;  // the level of sck between transactions: 0 in mode 0, 1 in mode 3
  integer sent, got, idle, bits, passes;

  always #5 clk = ~clk;

  // Both ends change their bit at the falling edge and take the other's at the rising one.
  task transfer(input integer count, input [{WORD - 1}:0] value);
    for (bits = count - 1; bits >= 0; bits = bits - 1) begin
      sck = 1'b0;
      mosi = value[bits];
      #HALF sck = 1'b1;
      found = {{found[{WORD - 2}:0], miso}};
      #HALF sck = rest;
    end
  endtask

  task begin_transaction(input [7:0] command);
    begin
      #HALF cs_n = 1'b0;
      #HALF transfer(8, {{24'd0, command}});
    end
  endtask

  task word(input [{WORD - 1}:0] value);
    begin
      transfer(8, 0);
      status = found[7:0];
      transfer({WORD}, value);
      if (miso_oe !== 1'b1) begin
        $display("FAIL: miso is not driven");
        $stop;
      end
    end
  endtask

  task end_transaction;
    begin
      #HALF cs_n = 1'b1;
      #HALF sck = rest;
    end
  endtask

  task access(input [7:0] command, input [{WORD - 1}:0] value);
    begin
      begin_transaction(command);
      word(value);
      end_transaction;
    end
  endtask

  task expect_found(input [6:0] register, input [{WORD - 1}:0] wanted);
    if (found !== wanted) begin
      $display("FAIL: register %0d gave %h, not %h, after %0d words, %0d numbers", register, found, wanted, sent, got);
      $stop;
    end
  endtask

  task frames_through;
    begin
      sent = 0;
      got = 0;
      idle = 0;
      access({{1'b1, STATUS}}, 1);
      access({{1'b0, DIGEST_LOW}}, 0);
      expect_found(DIGEST_LOW, 32'h{digest[8:]});
      access({{1'b0, DIGEST_HIGH}}, 0);
      expect_found(DIGEST_HIGH, 32'h{digest[:8]});
      // An integer that is not there, a word that is cut off, a frame that is begun and given up: none does any harm.
      access({{1'b0, RESULT}}, 0);
      begin_transaction({{1'b1, INPUT}});
      transfer(20, 32'd12345);
      end_transaction;
      access({{1'b0, STATUS}}, 0);
      expect_found(STATUS, {INPUT_READY});
      access({{1'b1, INPUT}}, ~frames[0]);
      access({{1'b1, STATUS}}, 1);
      while (got < NUMBERS) begin
        // As many words as it takes, then what has come out.
        status = {INPUT_READY};
        if (sent < WORDS) begin
          begin_transaction({{1'b1, INPUT}});
          while (sent < WORDS && (status & {INPUT_READY}) != 0) begin
            word(frames[sent]);
            if ((status & {INPUT_READY}) != 0) begin
              sent = sent + 1;
              idle = 0;
            end
          end
          end_transaction;
        end
        begin_transaction({{1'b0, RESULT}});
        word(0);
        end_transaction;
        idle = idle + 1;
        if ((status & {RESULT_READY}) != 0) begin
          expect_found(RESULT, results[got]);
          got = got + 1;
          idle = 0;
          if (got % EACH == EACH - 1) begin
            access({{1'b0, CLASS}}, 0);
            expect_found(CLASS, results[got]);
            got = got + 1;
          end
        end else if (idle == HANG) begin
          $display("FAIL: %0d transfers after the last word or integer", idle);
          $stop;
        end
      end
    end
  endtask

  initial begin
    $readmemh("{frames_file(prefix)}", frames);
    $readmemh("{results_file(prefix)}", results);
    clk = 1'b0;
    rst = 1'b1;
    cs_n = 1'b1;
    mosi = 1'b0;
    found = 0;
    rest = 1'b0;
    sck = 1'b0;
    #95 rst = 1'b0;
    for (passes = 0; passes < 2; passes = passes + 1) begin
      rest = passes == 1;
      sck = rest;
      #(4 * HALF) frames_through;
    end
    $display("PASS: {frames} frames twice");
    $finish;
  end
endmodule
"""
