"""Plan: every layer with its folding and memories, for one part. Written as plan.json, edited, fed back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from math import lcm
from pathlib import Path
from typing import get_type_hints

from bnnhw.arithmetic.formats import DataType
from bnnhw.errors import InputError, PlanError
from bnnhw.parts import PARTS, Part
from bnnhw.reading import conforms, read_json

SCHEMA = 5
MEMORIES = ("block", "lut")
# Where weights lie that are not read from a memory, but folded into the logic that multiplies by them.
LOGIC = "logic"
# Frames that may share a fetched weight.
MOST_FRAMES = 8
# Of a FIFO or a line buffer: more than fit any part.
MOST_BEATS = 1 << 16


@dataclass(frozen=True)
class LayerPlan:
    """One layer's hardware.

    Parameters
    ----------
    name, kind
        The layer's name in the graph, and ``matrix``, ``pool``, ``add``, ``concat`` or ``threshold``.
    elements, vectors
        Elements of an input, and vectors of the output, per inference.
    mw, mh
        Elements of an input and an output vector; where there are windows, one with all its taps is the input vector.
    pe, simd
        Outputs and inputs at a time. In a ``matrix`` they need not divide `mh` and `mw`; elsewhere they are equal, and
        divide the channels.
    reuse
        Vectors that each weight is used for when it is fetched, of one frame where it has several, else of several
        frames; above 1 only in a ``matrix``.
    lanes
        Channels that a window's pixels come and go in at a time, a divisor of the channels; 0 without a window.
    window_rows
        Taps of a window that come at a time: 1, or in a ``matrix`` all those of a column, one in each row.
    window_depth
        Beats that the lines of a map have room for; 0 for as few as will do.
    fifos
        Beats that may wait in front of each input; 0 for none.
    weight_memory, buffer_memory, threshold_memory, window_memory
        ``block`` or ``lut``: where the weights, the repeated input vector, the biases with the thresholds, and the
        lines of a map lie. `weight_memory` may also be ``logic``, which takes a whole matrix at a time: each vector is
        multiplied in one cycle by adders made for these weights, and `buffer_memory` is where results wait.
    weight_latency
        Cycles from the address of weights to the weights: 1, or 2 with registers behind the memory.
    popcount_levels
        Adders between two registers of the popcount; None for no registers.
    input, weight, output
        Formats; `weight` is empty without weights, `output` for sums that go on as they are.
    """

    name: str
    kind: str
    elements: int
    vectors: int
    mw: int
    mh: int
    pe: int
    simd: int
    reuse: int
    lanes: int
    window_rows: int
    window_depth: int
    fifos: tuple[int, ...]
    weight_memory: str
    buffer_memory: str
    threshold_memory: str
    window_memory: str
    weight_latency: int
    popcount_levels: int | None
    input: str
    weight: str
    output: str

    @property
    def i_lanes(self) -> int:
        """Elements of an input beat."""
        return self.lanes or self.simd

    @property
    def window_lanes(self) -> int:
        """Elements of a beat of its windows."""
        return self.lanes * self.window_rows

    @property
    def sf(self) -> int:
        """Beats per vector pass."""
        return -(-self.mw // self.simd)

    @property
    def nf(self) -> int:
        """Passes per vector."""
        return -(-self.mh // self.pe)

    @property
    def frames(self) -> int:
        """Frames whose vectors are worked on side by side."""
        return self.reuse if self.vectors == 1 else 1

    @property
    def cycles(self) -> int:
        """Cycles per inference, nothing stalling, and groups of frames being full."""
        work = self.vectors * self.nf
        if self.kind == "matrix":
            # One vector per frame: a group is of several frames, and each has its share of the cycles.
            passes = self.nf * self.sf
            groups = -(-self.vectors // self.reuse) * passes if self.vectors > 1 else -(-passes // self.reuse)
            work = max(groups, *((work, self.vectors * self.sf) if self.reuse > 1 else (0,)))
        if not self.lanes:
            return work
        return max(work, self.elements // self.lanes, self.vectors * (self.mw // self.window_lanes))


@dataclass(frozen=True)
class Plan:
    """The hardware of one network on one part.

    Parameters
    ----------
    model, digest
        The model's name, and 16 hexadecimal digits of its integers and this plan: what a board answers with.
    board, part
        The board's name ("" for none) and its part's.
    clock_mhz
        The clock that frames per second are reckoned with before a route tells the true one.
    input, input_elements, input_simd
        Format of the network's input, elements of a frame, and elements of one beat of it.
    output_lanes
        Integers of one beat of the output.
    macs
        Multiply-accumulates per inference, padding not counted.
    layers
        In order of the data.
    """

    model: str
    digest: str
    board: str
    part: str
    clock_mhz: float
    input: str
    input_elements: int
    input_simd: int
    output_lanes: int
    macs: int
    layers: tuple[LayerPlan, ...]

    @property
    def device(self) -> Part:
        return PARTS[self.part]

    @property
    def input_dtype(self) -> DataType:
        return DataType.parse(self.input)

    @property
    def input_beats(self) -> int:
        """Beats of one frame on the accelerator's input."""
        return -(-self.input_elements // self.input_simd)

    @property
    def group(self) -> int:
        """Frames after which all groups of frames are whole."""
        return lcm(*(layer.frames for layer in self.layers))

    @property
    def output_elements(self) -> int:
        """Integers of one frame on the accelerator's output."""
        return self.layers[-1].mh * self.layers[-1].vectors

    @property
    def output_beats(self) -> int:
        """Beats of one frame on the accelerator's output."""
        return -(-self.output_elements // self.output_lanes)

    def to_json(self) -> str:
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2) + "\n"


def load_plan(path: Path) -> Plan:
    """Reads a plan.json.

    Raises
    ------
    InputError
        If the file is missing, is no JSON, or is not a plan of this version.
    """
    remedy = "give a file that `bnnhw compile` wrote"
    data = read_json(path, remedy=remedy, links=False)
    if not isinstance(data, dict):
        raise InputError(f"{path}: holds no JSON object: {remedy}")
    if data.get("schema") != SCHEMA:
        raise InputError(f"{path}: plan schema {shown(data.get('schema'))}, this bnnhw reads {SCHEMA}: compile again")
    try:
        layers = tuple(LayerPlan(**{**layer, "fifos": tuple(layer["fifos"])}) for layer in data["layers"])
        names = (field.name for field in fields(Plan) if field.name != "layers")
        plan = Plan(layers=layers, **{name: data[name] for name in names})
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not a plan ({shown(str(error))}): compile again") from None
    for k, part in enumerate((plan, *layers)):
        for key, hint in get_type_hints(type(part)).items():
            if not conforms(getattr(part, key), hint):
                where = f"layer {k}: {key}" if k else key
                raise InputError(f"{path}: {where} cannot be {shown(getattr(part, key))}: compile again")
    if plan.part not in PARTS or not layers:
        raise InputError(f"{path}: unknown part {shown(plan.part)} or no layers: compile again")
    for layer in layers:
        check_layer(layer, str(path))
    return plan


def lanes_within(layer: LayerPlan, interval: float) -> int:
    """Integers that the last layer has to give at a time to be done in `interval` cycles: an even part of its rows, or
    one where that will do."""
    if layer.vectors > 1:
        return 1
    enough = (n for n in range(1, layer.pe) if layer.pe % n == 0 and -(-layer.mh // n) <= interval)
    return next(enough, layer.pe)


MEMORY_KEYS = ("weight_memory", "buffer_memory", "threshold_memory", "window_memory")
FOLDING_KEYS = (
    "pe",
    "simd",
    "reuse",
    "lanes",
    "window_rows",
    "window_depth",
    *MEMORY_KEYS,
    "weight_latency",
    "popcount_levels",
)


def check_layer(layer: LayerPlan, where: str) -> None:
    """Refuses a folding that is not one.

    Raises
    ------
    PlanError
        Naming the file, the layer and the key.
    """
    most = 1 if layer.kind != "matrix" else layer.vectors if layer.vectors > 1 else MOST_FRAMES
    ranges = {
        "pe": (1, layer.mh),
        "simd": (1, layer.mw),
        "reuse": (1, most),
        "window_depth": (0, MOST_BEATS),
        "weight_latency": (1, 2),
    }
    for key, (low, high) in ranges.items():
        value = getattr(layer, key)
        if not conforms(value, int) or not low <= value <= high:
            raise PlanError(f"{where}: layer {layer.name}: {key} must be {low} to {high}, not {value!r}")
    if layer.kind != "matrix" and layer.pe != layer.simd:
        raise PlanError(f"{where}: layer {layer.name}: pe and simd of a {layer.kind} must be equal")
    if layer.lanes < 0 or (layer.lanes and layer.mw % layer.lanes):
        raise PlanError(f"{where}: layer {layer.name}: lanes must divide {layer.mw}, not be {layer.lanes!r}")
    whole = layer.kind == "matrix" and (layer.pe, layer.simd, layer.reuse) == (layer.mh, layer.mw, 1)
    if layer.weight_memory == LOGIC and not whole:
        raise PlanError(
            f"{where}: layer {layer.name}: weight_memory logic is for a whole matrix: pe must be {layer.mh}, simd "
            f"{layer.mw} and reuse 1, or take another memory"
        )
    for key in MEMORY_KEYS:
        kinds = (*MEMORIES, LOGIC) if key == "weight_memory" else MEMORIES
        if getattr(layer, key) not in kinds:
            known = f"{', '.join(kinds[:-1])} or {kinds[-1]}"
            raise PlanError(f"{where}: layer {layer.name}: {key} must be {known}, not {getattr(layer, key)!r}")
    levels = layer.popcount_levels
    if levels is not None and levels < 1:
        raise PlanError(f"{where}: layer {layer.name}: popcount_levels must be null or 1 and more, not {levels!r}")


def shown(value: object) -> str:
    """A value of a foreign file, in a few words."""
    try:
        text = repr(value)
    except RecursionError:
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:56]} ..."
