"""cocotb bench of bus ``wishbone``: the master of cocotbext-wishbone, which shares no code with bnnhw, with random idle
cycles. The file named by BNNHW_FRAMES holds the words of each frame, its integers and its class."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.wishbone import driver
from cocotbext.wishbone.driver import WBOp, WishboneMaster

STATUS, INPUT, RESULT, CLASS = 2, 3, 4, 5
SIGNALS = {
    "cyc": "cyc_i",
    "stb": "stb_i",
    "we": "we_i",
    "adr": "adr_i",
    "sel": "sel_i",
    "datwr": "dat_i",
    "datrd": "dat_o",
    "ack": "ack_o",
}


@cocotb.test()
async def frames(dut) -> None:
    job = json.loads(Path(os.environ["BNNHW_FRAMES"]).read_text())
    cocotb.start_soon(Clock(dut.clk_i, 10, unit="ns").start())
    # Its immediate values leave X behind in Icarus Verilog 11; all of these signals are set below.
    driver.set_immediate = lambda signal, value: None
    master = WishboneMaster(dut, None, dut.clk_i, timeout=50, signals_dict=SIGNALS)
    pattern = random.Random(1)
    dut.rst_i.value = 1
    for name in ("cyc_i", "stb_i", "we_i", "adr_i", "dat_i"):
        getattr(dut, name).value = 0
    await ClockCycles(dut.clk_i, 4)
    dut.rst_i.value = 0

    async def access(*words: tuple[int, int | None]) -> list[int]:
        done = await master.send_cycle(
            [WBOp(adr, dat, acktimeout=50, idle=pattern.choice([0, 0, 1, 4])) for adr, dat in words]
        )
        return [int(one.datrd) for one in done]

    words = [word for frame in job for word in frame["words"]]
    numbers = [(RESULT, k, n) for k, f in enumerate(job) for n in f["integers"]]
    sent = got = idle = 0
    while got < len(numbers):
        (status,) = await access((STATUS, None))
        assert not status & 4, "an access was lost"
        idle += 1
        assert idle < 1000, f"no word and no integer: status {status}, {sent} of {len(words)} words, {got} integers"
        if status & 1 and sent < len(words) and pattern.random() < 0.8:
            await access((INPUT, words[sent]))
            sent += 1
            idle = 0
        elif status & 2:
            register, frame, wanted = numbers[got]
            got += 1
            idle = 0
            closing = got == len(numbers) or numbers[got][1] != frame
            found = await access((register, None), *([(CLASS, None)] if closing else []))
            assert found[0] == wanted & 0xFFFFFFFF, f"frame {frame}: {found[0]:x}, not {wanted}"
            assert not closing or found[1] == job[frame]["label"], f"frame {frame}: class {found[1]}"
    (status,) = await access((STATUS, None))
    assert status == 1, "results that nobody asked for"
