"""cocotb bench of a whole accelerator: frames in, frames out, every cycle counted.

The job comes as a JSON file, named by the environment variable BNNHW_JOB:

    beats    file with the payload of one input beat per line, in hexadecimal
    answers  file to write, one output beat per line: cycle and payload in hexadecimal
    i_last, o_last   which bit of an input's and of an output's payload closes a frame
    image    file with the image of memories that the accelerator loads after each reset, or nothing
    starts   file to write, one line per frame: the cycle that took its first beat
    frames   how many frames come out
    i_stall, o_stall, seed   stall patterns, see `streams.stalls`
    reset_at beat before which the accelerator is reset in mid-frame, for one cycle, or -1; counting restarts with the
             beats after it
    hang_cycles   cycles without a handshake on either stream after which the accelerator hangs
    watch    streams to record, see `recorder`; none for full speed
    record   file to write what was recorded to, even where the bench fails

One coroutine drives and watches both streams: a second one would double the time spent outside the simulator.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from recorder import Recorder
from streams import reset, stalls


@cocotb.test()
async def frames(dut) -> None:
    job = json.loads(Path(os.environ["BNNHW_JOB"]).read_text())
    beats = [int(line, 16) for line in Path(job["beats"]).read_text().split()]
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
    await reset(dut)
    await _load(dut, job)
    i_stalls, o_stalls = stalls(job["seed"], job["i_stall"]), stalls(job["seed"] + 1, job["o_stall"])
    if job["reset_at"] >= 0:
        await _feed(dut, beats[: job["reset_at"]], i_stalls, o_stalls)
        await reset(dut, cycles=1)
        await _load(dut, job)
        beats = beats[job["reset_at"] :]

    recorder = Recorder(dut, job["watch"]) if job["watch"] else None
    try:
        await _run(dut, job, beats, i_stalls, o_stalls, recorder)
    finally:
        if recorder is not None:
            Path(job["record"]).write_text("".join(recorder.lines()))


async def _run(
    dut,
    job: dict[str, Any],
    beats: list[int],
    i_stalls: Iterator[bool],
    o_stalls: Iterator[bool],
    recorder: Recorder | None,
) -> None:
    """Sends `beats` and waits for all frames."""
    i_last, o_last = job["i_last"], job["o_last"]
    edge = RisingEdge(dut.clk)
    steady = job["i_stall"] <= 0 and job["o_stall"] <= 0
    i_valid, i_ready, i_payload = dut.i__valid, dut.i__ready, dut.i__payload
    o_valid, o_ready, o_payload = dut.o__valid, dut.o__ready, dut.o__payload
    answers: list[str] = []
    starts: list[str] = []
    sent, ended, cycle, idle = 0, 0, 0, 0
    offered = bool(beats) and (steady or not next(i_stalls))
    taking = steady or not next(o_stalls)
    i_valid.value = offered
    if offered:
        i_payload.value = beats[0]
    o_ready.value = taking
    first = True
    held: int | None = None
    while ended < job["frames"]:
        await edge
        if recorder is not None:
            recorder.sample(cycle)
        idle += 1
        if offered and i_ready.value == 1:
            if first:
                starts.append(f"{cycle}\n")
            first = bool(beats[sent] >> i_last & 1)
            sent += 1
            idle = 0
            offered = sent < len(beats) and (steady or not next(i_stalls))
            i_valid.value = offered
            if offered:
                i_payload.value = beats[sent]
        elif not offered and sent < len(beats):
            # A beat that is offered stays so until it is taken; only the start of an offer may wait.
            offered = not next(i_stalls)
            if offered:
                i_valid.value = 1
                i_payload.value = beats[sent]
        if o_valid.value == 1:
            if taking or not steady:
                payload = int(o_payload.value)
                assert held is None or payload == held, f"cycle {cycle}: the payload changed before it was taken"
                held = payload
            if taking:
                answers.append(f"{cycle:x} {payload:x}\n")
                ended += payload >> o_last & 1
                held = None
                idle = 0
        else:
            assert held is None, f"cycle {cycle}: valid dropped before the beat was taken"
        if not steady:
            taking = not next(o_stalls)
            o_ready.value = taking
        cycle += 1
        assert idle < job["hang_cycles"], (
            f"cycle {cycle}: nothing moved for {idle} cycles, {ended} of {job['frames']} frames are out"
        )
    Path(job["answers"]).write_text("".join(answers))
    Path(job["starts"]).write_text("".join(starts))


async def _load(dut, job: dict[str, Any]) -> None:
    """Loads the memories; an image that is refused leaves the accelerator waiting."""
    if not job["image"]:
        return
    edge = RisingEdge(dut.clk)
    dut.image__valid.value = 1
    for k, byte in enumerate(Path(job["image"]).read_bytes()):
        dut.image__payload.value = byte | (k == 0) << 8
        await edge
    dut.image__valid.value = 0
    for _ in range(job["hang_cycles"]):
        await edge
        if dut.loaded.value == 1 or dut.failed.value == 1:
            return
    raise AssertionError(f"nothing moved for {job['hang_cycles']} cycles, and the image is neither loaded nor refused")


async def _feed(dut, beats: list[int], i_stalls: Iterator[bool], o_stalls: Iterator[bool]) -> None:
    """Offers `beats` and lets what comes out go."""
    sent, offered = 0, False
    while sent < len(beats):
        offered = offered or not next(i_stalls)
        dut.i__valid.value = offered
        dut.i__payload.value = beats[sent]
        dut.o__ready.value = not next(o_stalls)
        await RisingEdge(dut.clk)
        if offered and dut.i__ready.value == 1:
            sent, offered = sent + 1, False
