"""Plan: every layer with its folding and memories, for one part. Written as plan.json, edited, fed back."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from math import lcm
from pathlib import Path
from typing import Any, get_type_hints

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.layers import LAYERS, LayerPlan
from bnnhw.errors import InputError
from bnnhw.parts import PARTS, Part
from bnnhw.reading import conforms, read_json

SCHEMA = 6

# The folding of each kind of layer, by the kind's name.
LAYER_PLANS: dict[str, type[LayerPlan]] = {layer.plan_type.kind: layer.plan_type for layer in LAYERS}
# What a folding file may ask of layers of some kind.
FOLDING_KEYS = tuple(dict.fromkeys(key for plan in LAYER_PLANS.values() for key in plan.choices))


@dataclass(frozen=True)
class Frames:
    """How the elements of a frame lie in the beats of a stream.

    Parameters
    ----------
    elements
        Of a frame.
    lanes
        Elements per beat.
    """

    elements: int
    lanes: int

    @property
    def beats(self) -> int:
        """Beats of a frame."""
        return -(-self.elements // self.lanes)

    @property
    def tail_lanes(self) -> int:
        """Elements of a frame's last beat."""
        return self.elements - (self.beats - 1) * self.lanes


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return f"<Plan {self.model} on {self.board or self.part}: {len(self.layers)} layers, digest {self.digest}>"

    @property
    def device(self) -> Part:
        return PARTS[self.part]

    @property
    def input_dtype(self) -> DataType:
        return DataType.parse(self.input)

    @property
    def input_frames(self) -> Frames:
        """The frames on the accelerator's input."""
        return Frames(self.input_elements, self.input_simd)

    @property
    def group(self) -> int:
        """Frames after which all groups of frames are whole."""
        return lcm(*(layer.frames for layer in self.layers))

    @property
    def loads(self) -> bool:
        """Whether memories of it are loaded after the configuration, see `bnnhw.memory_image`."""
        return any(layer.spram for layer in self.layers)

    @property
    def output_frames(self) -> Frames:
        """The frames of integers on the accelerator's output."""
        return Frames(self.layers[-1].mh * self.layers[-1].vectors, self.output_lanes)

    def entries(self) -> dict[str, Any]:
        """What plan.json holds."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"schema": SCHEMA, **values, "layers": [layer.entry() for layer in self.layers]}

    def to_json(self) -> str:
        return json.dumps(self.entries(), indent=2) + "\n"


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
        layers = tuple(_layer(entry) for entry in data["layers"])
        names = (field.name for field in fields(Plan) if field.name != "layers")
        plan = Plan(layers=layers, **{name: data[name] for name in names})
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a plan ({shown(str(error))}): compile again") from None
    parts: tuple[Plan | LayerPlan, ...] = (plan, *layers)
    for k, part in enumerate(parts):
        hints = get_type_hints(type(part))
        for field in fields(part):
            if not conforms(getattr(part, field.name), hints[field.name]):
                where = f"layer {k}: {field.name}" if k else field.name
                raise InputError(f"{path}: {where} cannot be {shown(getattr(part, field.name))}: compile again")
    if plan.part not in PARTS or not layers:
        raise InputError(f"{path}: unknown part {shown(plan.part)} or no layers: compile again")
    for layer in layers:
        layer.check(str(path))
    return plan


def _layer(entry: dict[str, Any]) -> LayerPlan:
    """A layer as plan.json has it."""
    values = dict(entry)
    plan = LAYER_PLANS[values.pop("kind")]
    return plan(**{**values, "fifos": tuple(values["fifos"])})


def lanes_within(layer: LayerPlan, interval: float) -> int:
    """Integers that the last layer has to give at a time to be done in `interval` cycles: an even part of its rows, or
    one where that will do."""
    if layer.vectors > 1:
        return 1
    enough = (n for n in range(1, layer.pe) if layer.pe % n == 0 and -(-layer.mh // n) <= interval)
    return next(enough, layer.pe)


def shown(value: object) -> str:
    """A value of a foreign file, in a few words."""
    try:
        text = repr(value)
    except RecursionError:
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:56]} ..."
