"""The kinds of layers: what each computes, how it may be folded, its units, and what their memories hold."""

from bnnhw.dataflow.layers.add import AddLayer
from bnnhw.dataflow.layers.base import INPUT, LOGIC, MAX_BEATS, MEMORIES, MULTIPLIERS, Layer, LayerPlan
from bnnhw.dataflow.layers.concat import ConcatLayer
from bnnhw.dataflow.layers.grouped import GroupedLayer
from bnnhw.dataflow.layers.grouped_plan import GroupedPlan
from bnnhw.dataflow.layers.lookup import LookupLayer, LookupPlan
from bnnhw.dataflow.layers.matrix import MatrixLayer
from bnnhw.dataflow.layers.matrix_plan import MAX_FRAMES, MatrixPlan
from bnnhw.dataflow.layers.pool import PoolLayer
from bnnhw.dataflow.layers.scale import ScaleLayer
from bnnhw.dataflow.layers.slice import SliceLayer
from bnnhw.dataflow.layers.threshold import ThresholdLayer
from bnnhw.dataflow.layers.weighted import WeightedLayer

__all__ = [
    "INPUT",
    "LAYERS",
    "LOGIC",
    "MAX_BEATS",
    "MAX_FRAMES",
    "MEMORIES",
    "MULTIPLIERS",
    "AddLayer",
    "ConcatLayer",
    "GroupedLayer",
    "GroupedPlan",
    "Layer",
    "LayerPlan",
    "LookupLayer",
    "LookupPlan",
    "MatrixLayer",
    "MatrixPlan",
    "PoolLayer",
    "ScaleLayer",
    "SliceLayer",
    "ThresholdLayer",
    "WeightedLayer",
]

LAYERS: tuple[type[Layer], ...] = (
    MatrixLayer,
    GroupedLayer,
    LookupLayer,
    PoolLayer,
    AddLayer,
    ConcatLayer,
    SliceLayer,
    ThresholdLayer,
    ScaleLayer,
)
