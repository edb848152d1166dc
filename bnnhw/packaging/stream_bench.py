"""The bench of a package with streams: plain Verilog-2001 that sends frames, holds the results against the
reference's, and says PASS or stops. It needs no Python: frames and results lie beside it as hexadecimal numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.generate.wrappers.base import StreamBus
from bnnhw.packaging.memories import frames_file, hang_cycles, masks_file, results_file, run_comment
from bnnhw.packets import Results


def files(
    prefix: str, bus: StreamBus, values: NDArray[np.integer], expected: Results, *, latency: int
) -> dict[str, str]:
    """The bench, and the files that it reads, by name.

    Parameters
    ----------
    values
        (N, ...) integers, a frame each.
    expected
        What the reference computes of them.
    latency
        Cycles from a frame's first beat to its result's last one, on an idle accelerator without stalls.
    """
    content = _vectors(bus, values, expected)
    return {f"{prefix}_tb.v": _bench(prefix, bus, content, latency=latency), **_memory_files(prefix, bus, content)}


@dataclass(frozen=True)
class _Vectors:
    """What a bench sends, and what it has to get.

    Parameters
    ----------
    words
        Of the beats of the input, frame by frame.
    beats
        Word and mask of the beats of the output.
    first
        Beats of the output until the first result is whole.
    frames
        Frames, with the damaged one.
    """

    words: list[int]
    beats: list[tuple[int, int]]
    first: int
    frames: int


def _vectors(bus: StreamBus, values: NDArray[np.integer], expected: Results) -> _Vectors:
    """The frames of integers `values` (N, ...), then a damaged one, then the first again.

    Parameters
    ----------
    expected
        What the reference computes of them.
    """
    frames = bus.sent(values)
    results = [
        bus.answered(integers, int(label))
        for integers, label in zip(expected.integers, expected.labels.tolist(), strict=True)
    ]
    # Too short by all but the last of its beats, or twice as long as it should be.
    one = len(frames[0]) == 1
    last = 1 << bus.input.bits - 1
    damaged = [frames[0][0] & ~last, frames[0][0]] if one else frames[0][-1:]
    flagged = bus.answered(expected.integers[0], 0, error=True)
    sent = [*frames, damaged, frames[0]]
    given = [*results, flagged, results[0]]
    return _Vectors(
        [word for frame in sent for word in frame],
        [(beat.word, beat.mask) for result in given for beat in result],
        len(results[0]),
        len(sent),
    )


def _memory_files(prefix: str, bus: StreamBus, content: _Vectors) -> dict[str, str]:
    """The files that the bench reads, by name: for ``$readmemh``, a beat a line."""
    digits = -(-bus.output.bits // 4)
    return {
        frames_file(prefix): "".join(f"{word:x}\n" for word in content.words),
        results_file(prefix): "".join(f"{word:x}\n" for word, _ in content.beats),
        masks_file(prefix): "".join(f"{mask:0{digits}x}\n" for _, mask in content.beats),
    }


def _bench(prefix: str, bus: StreamBus, content: _Vectors, *, latency: int) -> str:
    """The module ``<prefix>_tb``.

    Parameters
    ----------
    latency
        Cycles from a frame's first beat to its result's last one, on an idle accelerator without stalls.
    """
    i, o = bus.input, bus.output
    nets = [
        f"  {'reg ' if s in (i.valid, o.ready) else 'wire'} {_range(s.bits)}{s.name};" for s in (*i.signals, *o.signals)
    ]
    ports = ",\n".join(f"    .{s.name}({s.name})" for s in bus.signals)
    sent = ", ".join(s.name for s in reversed(i.fields))
    given = ", ".join(s.name for s in reversed(o.fields))
    clock, reset = bus.clock.name, bus.reset.name
    lines = "\n".join(nets)
    return f"""\
// Self-checking bench of the module {prefix}: the reference's vectors, first without stalls, then with. It ends with
// PASS and exit status 0, or with FAIL and $stop, which is another one with `vvp -N` and in Verilator. Run it here:
//
{run_comment(prefix)}

module {prefix}_tb;
  localparam WORDS = {len(content.words)};  // beats of all frames
  localparam BEATS = {len(content.beats)};  // beats of all results
  localparam FIRST = {content.first};  // beats of the first result
  localparam LATENCY = {latency};  // cycles from a frame's first beat to its result's last
  localparam HANG = {hang_cycles(latency)};  // cycles without a beat

  reg {clock};
  reg {reset};
{lines}

  {prefix} dut (
{ports}
  );

  reg [{i.bits - 1}:0] frames [0:WORDS-1];
  reg [{o.bits - 1}:0] results [0:BEATS-1];
  reg [{o.bits - 1}:0] masks [0:BEATS-1];
  initial begin
    $readmemh("{frames_file(prefix)}", frames);
    $readmemh("{results_file(prefix)}", results);
    $readmemh("{masks_file(prefix)}", masks);
  end

  integer sent, got;  // beats
  integer cycle, start, idle;
  reg stalling;
  reg [31:0] random;
  initial begin
    sent = 0;
    got = 0;
    cycle = 0;
    start = 0;
    idle = 0;
    stalling = 1'b0;
    random = 32'd1;
    {i.valid.name} = 1'b0;
    {o.ready.name} = 1'b0;
    {clock} = 1'b0;
    {reset} = 1'b{bus.reset_active};
    #95 {reset} = 1'b{1 - bus.reset_active};
  end
  always #5 {clock} = ~{clock};

  wire taken = {i.valid.name} && {i.ready.name};
  wire given = {o.valid.name} && {o.ready.name};
  wire [31:0] next = taken ? sent + 1 : sent;
  wire [{o.bits - 1}:0] word = {{{given}}};
  wire [{o.bits - 1}:0] wrong = (word ^ results[got]) & masks[got];
  assign {{{sent}}} = frames[sent < WORDS ? sent : 0];

  always @(posedge {clock}) if ({reset} != 1'b{bus.reset_active}) begin
    cycle <= cycle + 1;
    random <= {{random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]}};
    // A beat that is offered stays until it is taken.
    if (taken || !{i.valid.name}) {i.valid.name} <= next < WORDS && !(stalling && random[4]);
    {o.ready.name} <= !(stalling && random[9]);
    sent <= next;
    if (taken && sent == 0) start <= cycle;
    idle <= taken || given ? 0 : idle + 1;
    if (idle == HANG) begin
      $display("FAIL: no beat for %0d cycles, after %0d of %0d beats", HANG, got, BEATS);
      $stop;
    end
    if (given) begin
      // Unknown bits are wrong as well.
      if (wrong !== {{{o.bits}{{1'b0}}}}) begin
        $display("FAIL: beat %0d is %h, not %h in the bits of %h", got, word, results[got], masks[got]);
        $stop;
      end
      if (!stalling && got == FIRST - 1 && cycle - start > LATENCY) begin
        $display("FAIL: the first result took %0d cycles, more than %0d", cycle - start, LATENCY);
        $stop;
      end
      got <= got + 1;
      if (got == BEATS - 1) begin
        if (stalling) begin
          $display("PASS: {content.frames} frames twice, one of them damaged, in %0d cycles", cycle);
          $finish;
        end
        stalling <= 1'b1;
        sent <= 0;
        got <= 0;
      end
    end
  end
endmodule
"""


def _range(bits: int) -> str:
    return f"[{bits - 1}:0] " if bits > 1 else ""
