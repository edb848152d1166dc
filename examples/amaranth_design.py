"""An accelerator inside a design in Amaranth: pixels of a camera go in one at a time, and a seven-segment display shows
the digit.

    python examples/amaranth_design.py [--samples N]

simulates the design in Amaranth's simulator on handwritten digits, and holds what the display shows against the
reference. Three components are connected by streams:

    pixels, 0 to 16 ──▶ PixelCodes ──beats of codes──▶ accelerator ──class──▶ segments
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from numpy.typing import NDArray

import bnnhw
from bnnhw.design import Design
from bnnhw.inputs import inputs_for
from bnnhw.reference import encode_inputs, run

MODEL, PART, FPS = "digits-binary", "ice40-up5k", 100_000
PIXELS = range(17)  # what the model was trained on: sixteen steps of grey above black
PIXEL_STREAM = stream.Signature(5)
# Segments g to a of the digits 0 to 9.
SEGMENTS = (0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F)


class PixelCodes(wiring.Component):
    """Makes a frame of the accelerator of pixels: looks up the code of each, and gathers the lanes of a beat.

    Parameters
    ----------
    codes
        The storage code of each value of a pixel.
    port
        The accelerator's input: its lanes, elements and bits.
    payload
        Shape of the accelerator's input.

    Members
    -------
    i : In(PIXEL_STREAM)
    o : Out(stream.Signature(payload))

    Timing
    ------
    Takes a pixel in each cycle, unless a beat waits; a beat is offered in the cycle after its last pixel.
    """

    def __init__(self, codes: NDArray[np.uint32], port: Any, payload: Any) -> None:
        self._codes = Array(codes.tolist())
        self._port = port
        super().__init__({"i": In(PIXEL_STREAM), "o": Out(stream.Signature(payload))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, elements, bits = self._port.lanes, self._port.elements, self._port.dtype.bits
        lane, element = Signal(range(lanes)), Signal(range(elements))
        held = [Signal(bits, name=f"held{k}") for k in range(lanes)]
        whole, final = Signal(), Signal()
        m.d.comb += [
            final.eq(element == elements - 1),
            whole.eq(final | (lane == lanes - 1)),
            # What is offered stays until it is taken.
            self.i.ready.eq(~self.o.valid | self.o.ready),
            self.o.payload.data.eq(Cat(held)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            with m.Switch(lane):
                for k in range(lanes):
                    with m.Case(k):
                        m.d.sync += held[k].eq(self._codes[self.i.payload])
            m.d.sync += [
                lane.eq(Mux(whole, 0, lane + 1)),
                element.eq(Mux(final, 0, element + 1)),
                self.o.valid.eq(whole),
                self.o.payload.last.eq(final),
            ]
        return m


class DigitReader(wiring.Component):
    """Shows on seven segments which digit the last image was.

    Parameters
    ----------
    design
        A network of ten classes, whose inputs are `PIXELS`, each encoded alike.

    Members
    -------
    i : In(PIXEL_STREAM)
        Pixels, row by row.
    segments : Out(7)
        a in bit 0 to g in bit 6; dark before the first image.
    images : Out(8)
        How many were read, modulo 256.
    """

    def __init__(self, design: Design) -> None:
        super().__init__({"i": In(PIXEL_STREAM), "segments": Out(7), "images": Out(8)})
        self._net = design.component()
        elements = self._net.ports.input.elements
        every = np.repeat(np.array(PIXELS, np.float32)[:, None], elements, axis=1)
        self._codes = self._net.ports.input.codes(encode_inputs(design.graph, every))[:, 0]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.net = net = self._net
        m.submodules.codes = codes = PixelCodes(self._codes, net.ports.input, net.i.payload.shape())
        wiring.connect(m, wiring.flipped(self.i), codes.i)
        wiring.connect(m, codes.o, net.i)
        m.d.comb += net.o.ready.eq(1)
        with m.If(net.o.valid & net.o.payload.last):
            m.d.sync += [self.segments.eq(Array(SEGMENTS)[net.o.payload.label]), self.images.eq(self.images + 1)]
        return m


def simulate(reader: DigitReader, images: NDArray[np.float32]) -> list[int]:
    """The digits that the display shows one after the other, of `images` (N, 64) of `PIXELS`."""
    shown: list[int] = []

    async def camera(ctx: Any) -> None:
        ctx.set(reader.i.valid, 1)
        for pixel in images.astype(int).flatten().tolist():
            ctx.set(reader.i.payload, pixel)
            await ctx.tick().until(reader.i.ready)
        ctx.set(reader.i.valid, 0)

    async def eye(ctx: Any) -> None:
        while len(shown) < len(images):
            await ctx.tick()
            if ctx.get(reader.images) == len(shown) + 1:
                shown.append(SEGMENTS.index(ctx.get(reader.segments)))

    simulator = Simulator(reader)
    simulator.add_clock(1e-6)
    simulator.add_testbench(camera, background=True)
    simulator.add_testbench(eye)
    simulator.run()
    return shown


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--samples", type=int, default=5, help="images to simulate (default: %(default)s)")
    arguments = options.parse_args()
    design = bnnhw.compile(MODEL, part=PART, fps=FPS)
    images = inputs_for(design.graph, None, arguments.samples).values
    expected = run(design.graph, images)["prediction"].tolist()
    shown = simulate(DigitReader(design), images)
    print(f"the display shows {shown}, the reference says {expected}")
    if shown != expected:
        raise SystemExit("they differ")


if __name__ == "__main__":
    main()
