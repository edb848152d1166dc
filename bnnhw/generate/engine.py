"""Engine -> RTLIL, ready for synthesis and simulation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bnnhw.gateware.engine.engine import Engine
from bnnhw.generate.rtlil import rtlil
from bnnhw.layer_table import EngineShape


def engine_rtlil(shape: EngineShape, *, simulated: bool = False) -> str:
    """The module ``engine``: ports ``clk``, ``rst``, and those of `Engine`.

    Parameters
    ----------
    simulated
        Whether it is to be simulated without the models of a vendor's cells: single-port RAMs are memories then, which
        do the same.
    """
    circuit: Any = Engine(replace(shape, memory="block") if simulated else shape)
    return rtlil(circuit, "engine")
