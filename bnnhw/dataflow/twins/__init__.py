"""Twins of the gateware's units: their handshakes without their data, cycle by cycle.

A twin knows only when its unit offers a beat and when it takes one. Tests hold each against its unit, to the cycle.
"""

from bnnhw.dataflow.twins.base import ENDLESS, LAST, NONE, Beat, Chain, Source, Twin, Wire
from bnnhw.dataflow.twins.frames import FrameGather, FrameScatter
from bnnhw.dataflow.twins.memories import SlidingWindow, StreamFifo, VectorBuffer, VectorScatter
from bnnhw.dataflow.twins.passing import Concat, Cut, Fork, VectorJoin, VectorSplit, width_converter
from bnnhw.dataflow.twins.registers import Add, Collect, ConstantMatrixUnit, MatrixVectorUnit, Pool, Register, Search

__all__ = [
    "ENDLESS",
    "LAST",
    "NONE",
    "Add",
    "Beat",
    "Chain",
    "Collect",
    "Concat",
    "ConstantMatrixUnit",
    "Cut",
    "Fork",
    "FrameGather",
    "FrameScatter",
    "MatrixVectorUnit",
    "Pool",
    "Register",
    "Search",
    "SlidingWindow",
    "Source",
    "StreamFifo",
    "Twin",
    "VectorBuffer",
    "VectorJoin",
    "VectorScatter",
    "VectorSplit",
    "Wire",
    "width_converter",
]
