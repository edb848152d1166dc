"""The hardware's units, without their circuits: what each is parametrised with, its cycles, its area, its latency.

A unit has the parameters of its circuit in `bnnhw.gateware`, by the same names. What its memories hold, the numbers
that a model brings, is apart, in its `contents`: so units are small and can be compared, and what is known of one is
computed once.
"""

from bnnhw.units.add_streams import AddStreams
from bnnhw.units.base import Contents, Features, Unit
from bnnhw.units.code_table import CodeTable
from bnnhw.units.concat import Concat
from bnnhw.units.constant_matrix import ConstantMatrixUnit
from bnnhw.units.fork import Fork
from bnnhw.units.frame_gather import FrameGather
from bnnhw.units.frame_guard import FrameGuard
from bnnhw.units.frame_scatter import FrameScatter
from bnnhw.units.frame_status import FrameStatus
from bnnhw.units.label_select import LabelSelect
from bnnhw.units.matrix_vector import MatrixVectorUnit
from bnnhw.units.pool import Pool
from bnnhw.units.scale import ScaleUnit
from bnnhw.units.slice import Slice
from bnnhw.units.sliding_window import SlidingWindow
from bnnhw.units.stream_fifo import StreamFifo
from bnnhw.units.threshold import ThresholdUnit
from bnnhw.units.threshold_difference import ThresholdDifference
from bnnhw.units.vector_buffer import VectorBuffer
from bnnhw.units.vector_join import VectorJoin
from bnnhw.units.vector_scatter import VectorScatter
from bnnhw.units.vector_split import VectorSplit
from bnnhw.units.width_converter import WidthConverter

__all__ = [
    "UNITS",
    "AddStreams",
    "CodeTable",
    "Concat",
    "ConstantMatrixUnit",
    "Contents",
    "Features",
    "Fork",
    "FrameGather",
    "FrameGuard",
    "FrameScatter",
    "FrameStatus",
    "LabelSelect",
    "MatrixVectorUnit",
    "Pool",
    "ScaleUnit",
    "Slice",
    "SlidingWindow",
    "StreamFifo",
    "ThresholdDifference",
    "ThresholdUnit",
    "Unit",
    "VectorBuffer",
    "VectorJoin",
    "VectorScatter",
    "VectorSplit",
    "WidthConverter",
]

UNITS: tuple[type[Unit], ...] = (
    FrameGuard,
    FrameStatus,
    VectorSplit,
    VectorJoin,
    Fork,
    StreamFifo,
    WidthConverter,
    SlidingWindow,
    Pool,
    VectorBuffer,
    FrameGather,
    MatrixVectorUnit,
    ConstantMatrixUnit,
    AddStreams,
    Concat,
    Slice,
    ThresholdDifference,
    ThresholdUnit,
    CodeTable,
    ScaleUnit,
    VectorScatter,
    FrameScatter,
    LabelSelect,
)
