"""FINN's folding files: its words for units, keys and memories.

FINN numbers its nodes by the type of operator, in the order of the data: ``MVAU_hls_0``, ``MVAU_hls_1``. What it makes
a node of and is part of a layer here, such as a sliding window, its thresholds or a FIFO, the plan sizes to suit the
layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnnhw.dataflow.layers import Layer
from bnnhw.errors import PlanError

KEYS = {"PE": "pe", "SIMD": "simd", "ram_style": "weight_memory"}
MEMORIES = {"block": "block", "distributed": "lut"}
DEFAULTS = "Defaults"
# Of a node that computes a layer: how FINN implements it, which has no counterpart here.
IMPLEMENTATION = frozenset(
    {
        "resType", "mem_mode", "ram_style_thresholds", "runtime_writeable_weights", "depth_trigger_uram",
        "depth_trigger_bram", "preferred_impl_style", "pumpedCompute", "pumpedMemory", "inFIFODepths", "outFIFODepths",
    }
)  # fmt: skip
WRITEABLE = "runtime_writeable_weights"

# By the kind of a layer here, the operators of FINN that compute one.
OPERATORS = {
    "matrix": ("MVAU", "MatrixVectorActivation", "StreamingFCLayer"),
    "grouped": ("VVAU", "VectorVectorActivation"),
}
SIZED_BY_THE_PLAN = frozenset(
    {
        "Thresholding", "ConvolutionInputGenerator", "ConvolutionInputGenerator1D", "FMPadding", "FMPadding_Pixel",
        "StreamingMaxPool", "Pool", "GlobalAccPool", "LabelSelect", "AddStreams", "DuplicateStreams",
        "StreamingConcat", "StreamingSplit", "ChannelwiseOp", "StreamingFIFO", "StreamingDataWidthConverter",
        "Reshape", "DownSampler", "IODMA", "TLastMarker", "CheckSum",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A node by its name in FINN.

    Parameters
    ----------
    type
        With what FINN makes it in, such as ``MVAU_hls``: nodes of each type are counted apart.
    operator
        Without.
    index
        Its number.
    """

    type: str
    operator: str
    index: int

    @classmethod
    def of(cls, name: str) -> Node | None:
        """The node that `name` is one of, if FINN would name one so."""
        found = re.fullmatch(r"((\w+?)(?:_Batch)?(?:_hls|_rtl)?)_(\d{1,6})", name, re.ASCII)
        return None if found is None else cls(found[1], found[2], int(found[3]))


def sized_by_the_plan(name: str) -> bool:
    """Whether a node of FINN is no layer of its own here."""
    node = Node.of(name)
    return node is not None and node.operator in SIZED_BY_THE_PLAN


def defaults_matter(defaults: Any) -> bool:
    """Whether FINN's ``Defaults``, a value and a list of operators by key, say anything of layers."""
    if not isinstance(defaults, Mapping):
        return True
    for entry in defaults.values():
        operators = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
        if not isinstance(operators, list) or not all(sized_by_the_plan(f"{operator}_0") for operator in operators):
            return True
    return False


def by_layer(folding: Mapping[str, Any], layers: Sequence[Layer]) -> dict[str, Any]:
    """`folding` with the layers' names in the place of FINN's, where a name is none of a layer.

    Raises
    ------
    PlanError
        If it is not known which layers FINN's names mean, or a layer is named twice.
    """
    names = {layer.name for layer in layers}
    found: dict[str, Any] = {}
    types: dict[str, str] = {}
    for name, asked in folding.items():
        node = None if name in names else Node.of(name)
        kind = next((kind for kind, known in OPERATORS.items() if node and node.operator in known), None)
        layer = name
        if node is not None and kind is not None:
            if types.setdefault(kind, node.type) != node.type:
                raise PlanError(
                    f"--folding: FINN counts {types[kind]} and {node.type} apart, so which layers are meant is not "
                    "known: use the names that `bnnhw check` lists"
                )
            own = [layer.name for layer in layers if layer.kind == kind]
            if node.index >= len(own):
                raise PlanError(
                    f"--folding: {name}: there are {len(own)} such layers, counted from 0: {', '.join(own)}"
                )
            layer = own[node.index]
        if layer in found:
            raise PlanError(f"--folding: {name}: layer {layer} is named twice: keep one of them")
        found[layer] = asked
    return found
