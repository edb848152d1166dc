"""The module of a package for LiteX: a Python file beside its Verilog, which needs LiteX only where it is built in."""

from __future__ import annotations

from bnnhw.generate.wrappers.base import Bus, Channel, StreamBus
from bnnhw.generate.wrappers.wishbone import ADDRESS_BITS, REGISTERS, WORD, Wishbone

# What LiteX calls the signals of a slave, by Wishbone's own names.
WISHBONE = {
    "cyc_i": "bus.cyc",
    "stb_i": "bus.stb",
    "we_i": "bus.we",
    "adr_i": f"bus.adr[:{ADDRESS_BITS}]",
    "sel_i": "bus.sel",
    "dat_i": "bus.dat_w",
    "dat_o": "bus.dat_r",
    "ack_o": "bus.ack",
}


def files(prefix: str, bus: Bus, *, digest: str) -> dict[str, str]:
    """``<prefix>_litex.py`` by name; nothing for a bus that LiteX has no interface of."""
    if isinstance(bus, Wishbone):
        parts = _wishbone(bus)
    elif isinstance(bus, StreamBus):
        parts = _streams(bus)
    else:
        return {}
    meaning, facts, imports, interfaces, ports = parts
    clock, reset = bus.clock, bus.reset
    active = "" if bus.reset_active else "~"
    lines = "\n".join(
        f"            {line},"
        for line in (
            f'i_{clock.name}=ClockSignal("sys")',
            f'i_{reset.name}={active}ResetSignal("sys")',
            *ports,
        )
    )
    port, output = bus.ports.input, bus.ports.output
    text = f'''\
"""The module {prefix} for LiteX. The file can be imported without LiteX; an Accelerator cannot be made without."""

from pathlib import Path

VERILOG = Path(__file__).resolve().with_name("{prefix}.v")


class Accelerator:
    """The module {prefix} in clock domain ``sys``. To make one gives a LiteXModule, which has the Verilog among the
    sources of the platform; ClockDomainsRenamer puts it into another domain.

{meaning}
    """

    DIGEST = 0x{digest}
    ELEMENTS = {port.elements}  # of a frame
    LANES = {port.lanes}  # elements of a beat, {port.dtype}
    INTEGERS = {output.elements}  # of a result
{facts}
    def __new__(cls, platform):
        from litex.gen import LiteXModule
        {imports}
        from migen import ClockSignal, Instance, ResetSignal

        module = LiteXModule()
{interfaces}
        module.specials += Instance(
            "{prefix}",
{lines}
        )
        platform.add_source(str(VERILOG))
        return module
'''
    return {f"{prefix}_litex.py": text}


Parts = tuple[str, str, str, str, list[str]]


def _streams(bus: StreamBus) -> Parts:
    """Docstring, facts, import, interfaces and connections of a bus of streams."""
    meaning = f"""\
    sink
        A ``stream.Endpoint`` that takes frames: {_meanings(bus.input)}.
    source
        One that gives results: {_meanings(bus.output)}."""
    interfaces = "\n".join(
        f"        module.{name} = {name} = stream.Endpoint([{_layout(channel)}])"
        for name, channel in (("sink", bus.input), ("source", bus.output))
    )
    ports = [
        f"{'i' if s.direction == 'input' else 'o'}_{s.name}={name}.{_field(channel, s.name)}"
        for name, channel in (("sink", bus.input), ("source", bus.output))
        for s in channel.signals
    ]
    return meaning, "", "from litex.soc.interconnect import stream", interfaces, ports


def _field(channel: Channel, name: str) -> str:
    """What an Endpoint calls a signal: without the stream's own name, and without the T of AXI4-Stream."""
    return name.removeprefix(channel.valid.name.removesuffix("valid"))


def _layout(channel: Channel) -> str:
    """The layout of an Endpoint, which has ``last`` in any case."""
    fields = ((_field(channel, s.name), s.bits) for s in channel.fields)
    return ", ".join(f'("{name}", {bits})' for name, bits in fields if name != "last")


def _meanings(channel: Channel) -> str:
    return ", ".join(f"``{_field(channel, s.name)}`` ({s.bits})" for s in channel.fields)


def _wishbone(bus: Wishbone) -> Parts:
    registers = ", ".join(f'"{register.name}": 0x{register.offset:02x}' for register in REGISTERS)
    facts = f"""\
    FRAME_WORDS = {bus.frame_words}
    # Offsets in bytes.
    REGISTERS = {{{registers}}}
    SIZE = {WORD // 8 << ADDRESS_BITS}  # bytes of the region
"""
    meaning = """\
    bus
        A slave, ``wishbone.Interface`` of 32 bits, at an address that the processor does not cache:
        ``soc.bus.add_slave("net", net.bus, SoCRegion(origin=0x90000000, size=Accelerator.SIZE, cached=False))``."""
    interface = f'        module.bus = bus = wishbone.Interface(data_width={WORD}, adr_width=30, addressing="word")'
    ports = [f"{'i' if s.direction == 'input' else 'o'}_{s.name}={WISHBONE[s.name]}" for s in bus.signals[2:]]
    return meaning, facts, "from litex.soc.interconnect import wishbone", interface, ports
