"""Our rules for block RAM of iCE40 give the very cells that the rules of yosys give."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, ClockSignal, Module, Signal
from amaranth.lib.memory import Memory

from bnnhw.toolchain import tools
from bnnhw.toolchain.block_ram import ice40_techmap


def memories() -> tuple[Module, list[Signal]]:
    """One memory for each port width, with random content; the widest with an enable for every four bits."""
    m = Module()
    m.domains.write = ClockDomain()  # of its own: what is read while it is written does not matter here
    ports = [ClockSignal("write")]
    source = random.Random(1)
    for depth, width, granularity in ((256, 16, 4), (512, 8, 8), (1024, 4, 4), (2048, 2, 2)):
        content = [source.getrandbits(width) for _ in range(depth)]
        m.submodules[f"memory_{width}"] = memory = Memory(
            shape=width, depth=depth, init=content, attrs={"ram_style": "block"}
        )
        r_port, w_port = memory.read_port(), memory.write_port(domain="write", granularity=granularity)
        data = Signal(width, name=f"read_{width}")
        m.d.comb += data.eq(r_port.data)
        ports.append(data)
        for prefix, port, names in (("r", r_port, ("addr", "en")), ("w", w_port, ("addr", "en", "data"))):
            for name in names:
                wire = Signal.like(getattr(port, name), name=f"{prefix}_{width}_{name}")
                m.d.comb += getattr(port, name).eq(wire)
                ports.append(wire)
    return m, ports


def block_rams(folder: Path, rules: str) -> list[Any]:
    """Parameters and connections of every block RAM, nets named after the top's ports."""
    script = f"""\
read_rtlil top.il
synth_ice40 -top top -run begin:map_ram
memory_libmap -lib +/ice40/brams.txt
techmap -map {rules}
simplemap
opt_clean
blackbox =A:whitebox
write_json out.json
"""
    (folder / "top.ys").write_text(script)
    tools.run(tools.YOSYS, ["-q", "top.ys"], folder)
    top = json.loads((folder / "out.json").read_text())["modules"]["top"]
    nets = {bit: f"{name}[{k}]" for name, port in top["ports"].items() for k, bit in enumerate(port["bits"])}
    for cell in top["cells"].values():
        if cell["type"] == "$_NOT_":
            ((source,), (result,)) = cell["connections"]["A"], cell["connections"]["Y"]
            nets[result] = f"not {nets[source]}"
    return [
        (cell["parameters"], {pin: [nets.get(bit, bit) for bit in bits] for pin, bits in cell["connections"].items()})
        for _, cell in sorted(top["cells"].items())
        if cell["type"] == "SB_RAM40_4K"
    ]


def named(connections: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Without the numbers of nets that no port sees and without undefined inputs: those are open."""
    return {
        pin: [bit if isinstance(bit, str) and bit != "x" else None for bit in bits] for pin, bits in connections.items()
    }


@pytest.mark.synth
def test_same_cells_as_yosys(tmp_path: Path) -> None:
    module, ports = memories()
    (tmp_path / "top.il").write_text(rtlil.convert(module, name="top", ports=ports))
    (tmp_path / "own.v").write_text(ice40_techmap())
    own, theirs = block_rams(tmp_path, "own.v"), block_rams(tmp_path, "+/ice40/brams_map.v")
    assert {parameters["READ_MODE"] for parameters, _ in own} == {"00", "01", "10", "11"}
    assert [parameters for parameters, _ in own] == [parameters for parameters, _ in theirs]
    assert [named(connections) for _, connections in own] == [named(connections) for _, connections in theirs]
    assert any("not" in str(connections["MASK"]) for _, connections in own)
