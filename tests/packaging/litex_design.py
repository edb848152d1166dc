"""Run apart, as LiteX has warnings and settings of its own: makes a design in LiteX around the module of a package.

    python litex_design.py FOLDER PREFIX BUS

writes FOLDER/around.v, the module `around` with the ports of the package's module; with Wishbone, a SoC is made as well.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


class Sources:
    """What of a platform the module needs."""

    def __init__(self) -> None:
        self.sources: list[str] = []

    def add_source(self, path: str) -> None:
        self.sources.append(path)


def main(folder: Path, prefix: str, bus: str) -> None:
    sys.path.insert(0, str(folder))
    module = __import__(f"{prefix}_litex")
    assert not any(name.split(".")[0] in ("litex", "migen") for name in sys.modules), "imported before it is needed"

    from litex.gen import LiteXModule
    from litex.gen.fhdl import verilog
    from migen import ClockDomain, Signal

    platform = Sources()
    around = LiteXModule()
    around.net = net = module.Accelerator(platform)
    assert isinstance(net, LiteXModule)
    assert platform.sources == [str(folder / f"{prefix}.v")]
    around.cd_sys = domain = ClockDomain()
    ports: dict[str, Any] = {"clk": domain.clk, "rst": domain.rst}
    if bus == "wishbone":
        names = {"adr_i": net.bus.adr, "dat_i": net.bus.dat_w, "dat_o": net.bus.dat_r, "ack_o": net.bus.ack}
        names |= {f"{name}_i": getattr(net.bus, name) for name in ("cyc", "stb", "we", "sel")}
        ports = {"clk_i": domain.clk, "rst_i": domain.rst, **names}
    else:
        begin_in, begin_out = "i_", "o_"
        if bus == "axi-stream":
            begin_in, begin_out = "s_axis_t", "m_axis_t"
            aresetn = Signal()
            around.comb += domain.rst.eq(~aresetn)
            ports = {"aclk": domain.clk, "aresetn": aresetn}
        for begin, endpoint in ((begin_in, net.sink), (begin_out, net.source)):
            fields = [field for field, *_ in endpoint.payload.layout]
            ports |= {f"{begin}{field}": getattr(endpoint, field) for field in (*fields, "last", "valid", "ready")}
    for name, signal in ports.items():
        signal.name_override = name
    (folder / "around.v").write_text(verilog.convert(around, ios={*ports.values()}, name="around").main_source)
    if bus == "wishbone":
        add_to_a_soc(module)


def add_to_a_soc(module: Any) -> None:
    """As the docstring of the class has it."""
    from litex.build.generic_platform import Pins
    from litex.build.sim import SimPlatform
    from litex.soc.integration.soc import SoCRegion
    from litex.soc.integration.soc_core import SoCMini
    from litex.soc.interconnect import wishbone
    from migen import ClockDomain

    platform = SimPlatform("SIM", [("clock", 0, Pins(1))])
    soc = SoCMini(platform, clk_freq=1_000_000, ident_version=False)
    soc.cd_sys = ClockDomain()
    soc.bus.add_master("host", wishbone.Interface())
    soc.net = net = module.Accelerator(platform)
    soc.bus.add_slave("net", net.bus, SoCRegion(origin=0x90000000, size=module.Accelerator.SIZE, cached=False))
    soc.finalize()
    region = soc.bus.regions["net"]
    assert (region.origin, region.size, region.cached) == (0x90000000, module.Accelerator.SIZE, False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
