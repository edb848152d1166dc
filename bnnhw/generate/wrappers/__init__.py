"""The accelerator behind the buses of other people's designs: one file per bus."""

from __future__ import annotations

from typing import Any

from bnnhw.dataflow import Network, Plan
from bnnhw.errors import InputError, PlanError
from bnnhw.hints import did_you_mean

# Names of the buses; the circuits, and Amaranth with them, are imported when one is wanted.
BUSES = ("stream", "axi-stream", "wishbone", "spi")


def check_bus(bus: str) -> None:
    """Refuses a bus that there is not.

    Raises
    ------
    InputError
        Naming it and those that there are.
    """
    if bus not in BUSES:
        raise InputError(f"--bus {bus}: no such bus{did_you_mean(bus, BUSES) or ';'} there are {', '.join(BUSES)}")


def wrapper(bus: str, plan: Plan, network: Network) -> Any:
    """The accelerator as a component with the signals of `bus`, one of `BUSES`; its attribute `bus` describes them.

    Raises
    ------
    InputError
        As `check_bus`.
    PlanError
        If weights of the plan have to be loaded, which no bus does.
    """
    check_bus(bus)
    if plan.loads:
        names = ", ".join(layer.name for layer in plan.layers if layer.spram)
        raise PlanError(
            f"model {plan.model}: the weights of {names} are loaded (weight_memory spram), which only the link of a "
            "board does: compile it for a part (--part), or give these layers another weight_memory (--folding)"
        )
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
