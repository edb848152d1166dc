"""Plan: every layer with its folding and memories, for one part. Written as plan.json, edited, fed back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bnnhw.dtypes import DataType
from bnnhw.errors import InputError, PlanError
from bnnhw.parts import PARTS, Part

SCHEMA = 1
MEMORIES = ("block", "lut")


@dataclass(frozen=True)
class LayerPlan:
    """One layer's hardware.

    Parameters
    ----------
    name
        The layer's name in the graph.
    mw, mh
        Inputs and outputs.
    pe, simd
        Outputs and inputs at a time; they need not divide `mh` and `mw`.
    weight_memory, buffer_memory, threshold_memory
        ``block`` or ``lut``: where the weights, the repeated input vector, and the biases with the thresholds lie.
    popcount_levels
        Adders between two registers of the popcount; None for no registers.
    input, weight, output
        Formats; `output` is empty for the integers of the last layer.
    """

    name: str
    mw: int
    mh: int
    pe: int
    simd: int
    weight_memory: str
    buffer_memory: str
    threshold_memory: str
    popcount_levels: int | None
    input: str
    weight: str
    output: str

    @property
    def sf(self) -> int:
        """Beats per vector pass."""
        return -(-self.mw // self.simd)

    @property
    def nf(self) -> int:
        """Passes per vector."""
        return -(-self.mh // self.pe)

    @property
    def cycles(self) -> int:
        """Cycles per vector, nothing stalling."""
        return self.sf * self.nf

    @property
    def macs_per_cycle(self) -> float:
        return self.mw * self.mh / self.cycles


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
    layers
        In order of the data.
    """

    model: str
    digest: str
    board: str
    part: str
    clock_mhz: float
    layers: tuple[LayerPlan, ...]

    @property
    def device(self) -> Part:
        return PARTS[self.part]

    @property
    def input_dtype(self) -> DataType:
        return DataType.parse(self.layers[0].input)

    @property
    def input_elements(self) -> int:
        return self.layers[0].mw

    @property
    def input_simd(self) -> int:
        return self.layers[0].simd

    @property
    def input_beats(self) -> int:
        """Beats of one frame on the accelerator's input."""
        return self.layers[0].sf

    @property
    def output_elements(self) -> int:
        """Beats of one frame on the accelerator's output."""
        return self.layers[-1].mh

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference, padding not counted."""
        return sum(layer.mw * layer.mh for layer in self.layers)

    def to_json(self) -> str:
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2) + "\n"


def load_plan(path: Path) -> Plan:
    """Reads a plan.json.

    Raises
    ------
    InputError
        If the file is missing, is no JSON, or is not a plan of this version.
    """
    data = _read(path)
    if data.get("schema") != SCHEMA:
        raise InputError(f"{path}: plan schema {data.get('schema')!r}, this bnnhw reads {SCHEMA}: compile again")
    try:
        layers = tuple(LayerPlan(**layer) for layer in data["layers"])
        fields = {key: data[key] for key in ("model", "digest", "board", "part", "clock_mhz")}
        plan = Plan(layers=layers, **fields)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not a plan ({error}): compile again") from None
    if plan.part not in PARTS or not layers:
        raise InputError(f"{path}: unknown part {plan.part!r} or no layers: compile again")
    for layer in layers:
        check_layer(layer, str(path))
    return plan


Folding = Mapping[str, Mapping[str, Any]]
FOLDING_KEYS = ("pe", "simd", "weight_memory", "buffer_memory", "threshold_memory", "popcount_levels")


def load_folding(path: Path) -> Folding:
    """Reads what a user asks of layers: a plan.json, or only ``{"layers": [{"name": ..., "pe": ..., "simd": ...}]}``.

    Raises
    ------
    InputError
        If the file cannot be read or a layer has no name; keys that are not part of a folding are left to the plan.
    """
    layers = _read(path).get("layers")
    if not isinstance(layers, list) or not all(isinstance(entry, dict) and "name" in entry for entry in layers):
        raise InputError(f'{path}: a folding needs "layers", a list of objects with a "name" each')
    return {str(entry["name"]): {k: entry[k] for k in FOLDING_KEYS if k in entry} for entry in layers}


def check_layer(layer: LayerPlan, where: str) -> None:
    """Refuses a folding that is not one.

    Raises
    ------
    PlanError
        Naming the file, the layer and the key.
    """
    for key, most in (("pe", layer.mh), ("simd", layer.mw)):
        value = getattr(layer, key)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise PlanError(f"{where}: layer {layer.name}: {key} must be 1 to {most}, not {value!r}")
    for key in ("weight_memory", "buffer_memory", "threshold_memory"):
        if getattr(layer, key) not in MEMORIES:
            raise PlanError(f"{where}: layer {layer.name}: {key} must be block or lut, not {getattr(layer, key)!r}")
    levels = layer.popcount_levels
    if levels is not None and (not isinstance(levels, int) or isinstance(levels, bool) or levels < 1):
        raise PlanError(f"{where}: layer {layer.name}: popcount_levels must be null or 1 and more, not {levels!r}")


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}): give a file that `bnnhw compile` wrote") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: holds no JSON object: give a file that `bnnhw compile` wrote")
    return data
