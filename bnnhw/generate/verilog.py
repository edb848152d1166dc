"""Accelerator -> Verilog."""

from __future__ import annotations

import gc

from amaranth.back import verilog as amaranth_verilog

from bnnhw.dataflow.layers import Network
from bnnhw.dataflow.plan import Plan
from bnnhw.generate.accelerator import Accelerator


def verilog(plan: Plan, network: Network) -> str:
    """The module ``accelerator`` as Verilog 2005: ports ``clk``, ``rst``, ``i__payload``, ``i__valid``, ``i__ready``
    and so on.

    Raises
    ------
    ToolError
        If Yosys, which writes the Verilog, is not installed.
    """
    collecting = gc.isenabled()
    # A netlist is millions of small objects that all stay: looking for garbage among them takes half the time.
    gc.disable()
    try:
        # Without source locations from the start, which would be stripped from the Verilog with the other attributes.
        return amaranth_verilog.convert(
            Accelerator(plan, network), name="accelerator", strip_internal_attrs=True, emit_src=False
        )
    finally:
        if collecting:
            gc.enable()
