"""Accelerator -> Verilog, and other gateware by way of RTLIL."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bnnhw.dataflow import Network, Plan
from bnnhw.toolchain import flow

ELABORATED, WRITTEN = "elaborated.il", "written.v"
# What Amaranth says of a netlist to the tools; Verilog is for readers.
NOTES = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding")


def accelerator_verilog(plan: Plan, network: Network) -> str:
    """The module ``accelerator`` as Verilog 2005: ports ``clk``, ``rst``, ``i__payload``, ``i__valid``, ``i__ready``
    and so on.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    from bnnhw.generate.accelerator import Accelerator  # Amaranth takes long to import
    from bnnhw.generate.rtlil import rtlil

    return verilog(rtlil(Accelerator(plan, network), "accelerator"))


def verilog(rtlil: str) -> str:
    """The modules of `rtlil` as Verilog 2005.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    without = "attrmap " + " ".join(f"-remove {note}" for note in NOTES)
    with tempfile.TemporaryDirectory(prefix="bnnhw-verilog-") as name:
        folder = Path(name)
        (folder / ELABORATED).write_text(rtlil)
        flow.run_yosys(
            folder,
            f"read_rtlil {ELABORATED}",
            "proc -nomux -norom",
            "memory_collect",
            without,
            without.replace("attrmap", "attrmap -modattr"),
            f"write_verilog -norename {WRITTEN}",
        )
        return (folder / WRITTEN).read_text()
