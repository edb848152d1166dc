"""cocotb bench of bus ``axi-stream``: packets of cocotbext-axi, which shares no code with bnnhw, with random pauses.

The file named by BNNHW_PACKETS holds a list of packets: their bytes and TKEEP bits (null for all of them), the bytes of
the result, the class, and whether the packet is damaged; of a damaged one only the flag and the length count.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

# Packets that wait in the source at the most.
AHEAD = 20


def pauses(seed: int):
    source = random.Random(seed)
    while True:
        busy = source.random() < 0.5  # long waits and long bursts, both
        for _ in range(source.randint(1, 30)):
            yield source.random() < (0.1 if busy else 0.7)


@cocotb.test()
async def packets(dut) -> None:
    job = json.loads(Path(os.environ["BNNHW_PACKETS"]).read_text())
    cocotb.start_soon(Clock(dut.aclk, 10, unit="ns").start())
    reset = {"reset": dut.aresetn, "reset_active_level": False}
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, **reset)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **reset)
    source.set_pause_generator(pauses(1))
    sink.set_pause_generator(pauses(2))
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 4)
    dut.aresetn.value = 1

    async def send() -> None:
        for packet in job["packets"]:
            while source.count() > AHEAD:
                await ClockCycles(dut.aclk, 10)
            source.send_nowait(AxiStreamFrame(bytes(packet["bytes"]), tkeep=packet["keep"]))

    cocotb.start_soon(send())
    error_bit = job["error_bit"]
    for k, packet in enumerate(job["packets"]):
        found = await sink.recv(compact=True)
        # Its value on every byte: only that of the last transfer counts.
        user = int(found.tuser[-1]) if isinstance(found.tuser, list) else int(found.tuser)
        assert user >> error_bit == packet["damaged"], f"packet {k}: error flag {user >> error_bit}"
        assert len(found.tdata) == len(packet["result"]), f"packet {k}: {len(found.tdata)} bytes"
        if not packet["damaged"]:
            assert list(found.tdata) == packet["result"], f"packet {k}: {list(found.tdata)}, not {packet['result']}"
            assert user == packet["label"], f"packet {k}: class {user}, not {packet['label']}"
    await ClockCycles(dut.aclk, 200)
    assert sink.empty(), "results that nobody asked for"
