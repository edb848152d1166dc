"""The file of ``--folding``: what a user asks of single layers.

It is a plan.json or a report.json, all or part of it, or is spelled as FINN spells foldings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from bnnhw.dataflow import finn
from bnnhw.dataflow.plan import FOLDING_KEYS, LAYER_PLANS, Plan, shown
from bnnhw.errors import InputError, PlanError
from bnnhw.hints import did_you_mean
from bnnhw.reading import conforms, read_json

Folding = Mapping[str, Mapping[str, Any]]
"""By the name of a layer: what is chosen of its `LayerPlan`."""

# Of a layer in a plan.json: what is not a matter of folding is left to the plan.
_HINTS: dict[str, Any] = {
    field.name: get_type_hints(plan)[field.name] for plan in LAYER_PLANS.values() for field in fields(plan)
}
_OF_A_LAYER = ("kind", *_HINTS)
_OF_A_PLAN = ("schema", *(field.name for field in fields(Plan)))
# A report.json has it, beside a list of layers.
_OF_A_REPORT = "bitstream"


def load_folding(path: Path) -> Folding:
    """Reads what a user asks of layers.

    Parameters
    ----------
    path
        A plan.json; or ``{"layers": [{"name": ..., "pe": ..., "simd": ...}]}``, with only what is to be fixed; or
        FINN's ``{"NAME": {"PE": ..., "SIMD": ..., "ram_style": ...}}``, with names of either side, see `finn.by_layer`.

    Raises
    ------
    InputError
        If the file cannot be read, a layer has no name or appears twice, or a key is unknown or cannot have its value.
    """
    remedy = "give a file that `bnnhw compile` wrote"
    data = read_json(path, remedy=remedy)
    if not isinstance(data, dict):
        raise InputError(f"{path}: holds no JSON object: {remedy}")
    folding: dict[str, dict[str, Any]] = {}
    for name, entry in _named(path, data):
        if name in folding:
            raise InputError(f"{path}: layer {shown(name)} appears twice: keep one of them")
        folding[name] = _options(path, name, entry)
    return folding


def check_names(folding: Folding, names: list[str], model: str) -> None:
    """Refuses a folding of layers that a model does not have.

    Raises
    ------
    PlanError
        Naming the first one.
    """
    for name in folding:
        if name not in names:
            hint = did_you_mean(name, names)
            known = ", ".join(names)
            raise PlanError(f"--folding: no layer {shown(name)} in model {model}{hint or ';'} it has {known}")


def _named(path: Path, data: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Layers with their names, in either spelling."""
    if "layers" not in data:
        return _named_by_finn(path, data)
    layers = data["layers"]
    if not isinstance(layers, list) or not all(isinstance(entry, dict) and "name" in entry for entry in layers):
        raise InputError(f'{path}: a folding needs "layers", a list of objects with a "name" each')
    for key in data:
        if key not in _OF_A_PLAN and _OF_A_REPORT not in data:
            raise InputError(f"{path}: unknown key {shown(key)}{did_you_mean(key, _OF_A_PLAN)}")
    for entry in layers:
        if not isinstance(entry["name"], str):
            raise InputError(f"{path}: layer {shown(entry['name'])}: name cannot be {shown(entry['name'])}")
    return [(entry["name"], entry) for entry in layers]


def _named_by_finn(path: Path, data: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if not data or not all(isinstance(entry, dict) for entry in data.values()):
        raise InputError(f'{path}: a folding needs "layers", a list of objects with a "name" each')
    if finn.defaults_matter(data.get(finn.DEFAULTS, {})):
        raise InputError(f"{path}: {finn.DEFAULTS} are not read: give each layer its own, or leave them to the plan")
    found = []
    for name, entry in data.items():
        if name == finn.DEFAULTS or finn.sized_by_the_plan(name):
            continue
        if entry.get(finn.WRITEABLE):
            raise InputError(f"{path}: {shown(name)}: {finn.WRITEABLE} cannot be had: weights are part of the design")
        found.append((name, {key: value for key, value in entry.items() if key not in finn.IMPLEMENTATION}))
    return found


def _options(path: Path, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """What is asked of one layer, under the names of the layers' plans."""
    where = f"{path}: layer {shown(name)}"
    found: dict[str, Any] = {}
    for given, value in entry.items():
        key = finn.KEYS.get(given, given)
        if key not in _OF_A_LAYER:
            hint = did_you_mean(given, FOLDING_KEYS)
            raise InputError(f"{where}: unknown key {shown(given)}{hint or ';'} there are {', '.join(FOLDING_KEYS)}")
        if given == "ram_style":
            if value == "auto":
                continue
            value = finn.MEMORIES.get(value, value) if isinstance(value, str) else value
        if key not in FOLDING_KEYS:
            continue
        if key in found:
            raise InputError(f"{where}: {key} appears twice, once as {given}: keep one of them")
        if not conforms(value, _HINTS[key]):
            raise InputError(f"{where}: {key} cannot be {shown(value)}")
        found[key] = value
    return found
