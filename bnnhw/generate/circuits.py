"""Units -> circuits: the one place that knows both."""

from amaranth.lib import wiring

from bnnhw import units
from bnnhw.gateware.arithmetic.add_streams import AddStreams
from bnnhw.gateware.arithmetic.code_table import CodeTable
from bnnhw.gateware.arithmetic.constant_mvu import ConstantMatrixUnit
from bnnhw.gateware.arithmetic.label_select import LabelSelect
from bnnhw.gateware.arithmetic.mvu import MatrixVectorUnit
from bnnhw.gateware.arithmetic.scale import ScaleUnit
from bnnhw.gateware.arithmetic.threshold import ThresholdUnit
from bnnhw.gateware.arithmetic.threshold_difference import ThresholdDifference
from bnnhw.gateware.streams.concat import Concat
from bnnhw.gateware.streams.fork import Fork
from bnnhw.gateware.streams.frame_gather import FrameGather
from bnnhw.gateware.streams.frame_guard import FrameGuard
from bnnhw.gateware.streams.frame_scatter import FrameScatter
from bnnhw.gateware.streams.frame_status import FrameStatus
from bnnhw.gateware.streams.slice import Slice
from bnnhw.gateware.streams.stream_fifo import StreamFifo
from bnnhw.gateware.streams.vector_buffer import VectorBuffer
from bnnhw.gateware.streams.vector_marks import VectorJoin, VectorSplit
from bnnhw.gateware.streams.vector_scatter import VectorScatter
from bnnhw.gateware.streams.width_converter import WidthConverter
from bnnhw.gateware.windows.pool import Pool
from bnnhw.gateware.windows.sliding_window import SlidingWindow

CIRCUITS: dict[type[units.Unit], type[wiring.Component]] = {
    units.FrameGuard: FrameGuard,
    units.FrameStatus: FrameStatus,
    units.VectorSplit: VectorSplit,
    units.VectorJoin: VectorJoin,
    units.Fork: Fork,
    units.StreamFifo: StreamFifo,
    units.WidthConverter: WidthConverter,
    units.SlidingWindow: SlidingWindow,
    units.Pool: Pool,
    units.VectorBuffer: VectorBuffer,
    units.FrameGather: FrameGather,
    units.MatrixVectorUnit: MatrixVectorUnit,
    units.ConstantMatrixUnit: ConstantMatrixUnit,
    units.AddStreams: AddStreams,
    units.Concat: Concat,
    units.Slice: Slice,
    units.ThresholdDifference: ThresholdDifference,
    units.ThresholdUnit: ThresholdUnit,
    units.CodeTable: CodeTable,
    units.ScaleUnit: ScaleUnit,
    units.VectorScatter: VectorScatter,
    units.FrameScatter: FrameScatter,
    units.LabelSelect: LabelSelect,
}


def circuit(unit: units.Unit, contents: units.Contents | None = None) -> wiring.Component:
    """The circuit of `unit`, its memories holding `contents`; None for a unit without numbers of a model."""
    numbers = {} if contents is None else contents.numbers()
    return CIRCUITS[type(unit)](**unit.parameters(), **numbers)
