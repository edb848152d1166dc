"""cocotb bench of any unit with one stream in and one out: `i` and `o`, as all units of a layer have them.

The job comes as a JSON file, named by the environment variable BNNHW_JOB:

    beats, expected    payloads in hexadecimal, one per line: what to send, and what must come back, in order
    i_stall, o_stall, seed   stall patterns, see `streams.stalls`

The bench checks the rules of a stream as well: a beat that is offered stays as it is until it is taken.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from streams import reset, stalls

# The unit hangs if no beat goes in or out for this number of cycles.
HANG_CYCLES = 10_000


@cocotb.test()
async def beats_come_back(dut) -> None:
    job = json.loads(Path(os.environ["BNNHW_JOB"]).read_text())
    beats, expected = ([int(line, 16) for line in Path(job[key]).read_text().split()] for key in ("beats", "expected"))
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
    await reset(dut)

    i_stalls, o_stalls = stalls(job["seed"], job["i_stall"]), stalls(job["seed"] + 1, job["o_stall"])
    sent = received = idle = 0
    offered = taking = False
    held: int | None = None
    while received < len(expected):
        await RisingEdge(dut.clk)
        idle += 1
        if offered and dut.i__ready.value == 1:
            sent, offered, idle = sent + 1, False, 0
        if dut.o__valid.value == 1:
            payload = int(dut.o__payload.value)
            assert held is None or payload == held, f"beat {received}: the payload changed before it was taken"
            held = payload
            if taking:
                assert payload == expected[received], f"beat {received}: {payload:x} instead of {expected[received]:x}"
                received, held, idle = received + 1, None, 0
        else:
            assert held is None, f"beat {received}: valid dropped before the beat was taken"
        if not offered and sent < len(beats) and not next(i_stalls):
            offered = True
            dut.i__payload.value = beats[sent]
        dut.i__valid.value = offered
        taking = not next(o_stalls)
        dut.o__ready.value = taking
        assert idle < HANG_CYCLES, f"nothing moved for {idle} cycles; {received} of {len(expected)} beats came"
