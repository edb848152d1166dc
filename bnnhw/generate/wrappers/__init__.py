"""The accelerator behind the buses of other people's designs: one file per bus."""

from __future__ import annotations

from typing import Any

from bnnhw.dataflow import Network, Plan

# Names of the buses; the circuits, and Amaranth with them, are imported when one is wanted.
BUSES = ("stream", "axi-stream", "wishbone", "spi")


def wrapper(bus: str, plan: Plan, network: Network) -> Any:
    """The accelerator as a component with the signals of `bus`, one of `BUSES`; its attribute `bus` describes them."""
    from bnnhw.generate.wrappers.axi_stream import AxiStream, AxiStreamWrapper
    from bnnhw.generate.wrappers.spi import Spi, SpiWrapper
    from bnnhw.generate.wrappers.stream import Stream, StreamWrapper
    from bnnhw.generate.wrappers.wishbone import Wishbone, WishboneWrapper

    circuits = {
        Stream.name: StreamWrapper,
        AxiStream.name: AxiStreamWrapper,
        Wishbone.name: WishboneWrapper,
        Spi.name: SpiWrapper,
    }
    return circuits[bus](plan, network)
