"""Parameters of a lookup-table network, an .npz or .safetensors file -> Graph: as DWN, difflogic and WiSARD have them.

The arrays are those of the published layers, by the layer's place, 0 first:

* DWN: ``0.mapping`` (M, k), the inputs of each node, and ``0.luts`` (M, 2^k), a one where they are above 0; input
  ``mapping[:, 0]`` is the low bit of the address.
* difflogic: ``0.indices`` (2, M), the inputs a and b of each gate, and ``0.weights`` (M, 16), of which the largest is
  the gate's: number 8 f(0, 0) + 4 f(0, 1) + 2 f(1, 0) + f(1, 1) of f(a, b).
* WiSARD: ``0.mapping`` (M, k) and ``0.counts`` (M, 2^k), a one where they are at least ``bleach``.

Layers of several kinds may follow each other. In front of them may be ``thresholds`` (F, T): bit f * T + t of an input
is ``x[f] > thresholds[f, t]``; without them the inputs are ``inputs`` bits. Behind them the nodes are added up in
``classes`` groups of consecutive ones, and divided by ``tau`` where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIT, DataType
from bnnhw.errors import InputError, ModelError
from bnnhw.frontend.importer import Row
from bnnhw.frontend.lookups import MAX_INPUTS
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import Arithmetic, Gather, Lookup, MatMul, MultiThreshold, Node
from bnnhw.ir.shapes import infer
from bnnhw.reading import read_npz, read_safetensors

# What the format is called.
LOOKUP = "lookup-table parameters"
READERS = {".npz": read_npz, ".safetensors": read_safetensors}
MAX_NODES = 1 << 20

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class _Layer:
    name: str
    kind: str
    wiring: NDArray[np.int64]
    tables: NDArray[np.bool_]


def has_lookup_parameters(path: Path) -> bool:
    """Whether the name of the file says that it is one of these."""
    return path.suffix in READERS


def load_lookup_parameters(path: Path) -> Graph:
    """The imported graph of the parameters in the file `path`.

    Raises
    ------
    ModelError
        If it cannot be read, an array is missing or of the wrong shape, or a layer reads what is not there.
    """
    arrays = _arrays(path)
    layers = _layers(path, arrays)
    made = _Chain(path, arrays)
    for layer in layers:
        made.add(Lookup, layer.name, wiring=layer.wiring, tables=layer.tables)
    nodes, classes = len(layers[-1].tables), _number(path, arrays, "classes")
    if classes < 1 or nodes % classes:
        raise ModelError(f"{path}: classes: {nodes} nodes do not come in {classes} groups")
    weight = np.repeat(np.eye(classes, dtype=np.int16), nodes // classes, axis=1)
    made.add(MatMul, "sums", weight=weight, weight_dtype=BIT, weight_scale=np.array(1.0))
    if "tau" in arrays:
        tau = np.asarray(arrays["tau"], np.float32)
        if tau.size != 1 or not np.isfinite(tau).all() or (tau <= 0).any():
            raise ModelError(f"{path}: tau: not a positive number")
        made.add(Arithmetic, "tau", operation="div", operand=tau.reshape(()))
    return made.graph(path.name.removesuffix(path.suffix))


def inspect_lookup_parameters(path: Path) -> list[Row]:
    """Every layer with what becomes of it.

    Raises
    ------
    ModelError
        As `load_lookup_parameters`.
    """
    graph = load_lookup_parameters(path)
    layers = {layer.name: layer for layer in _layers(path, _arrays(path))}
    rows = []
    for k, node in enumerate(node for node in graph.nodes if isinstance(node, Lookup)):
        becomes = f"layer {k}: {len(node.tables)} tables of {node.wiring.shape[1]} inputs"
        rows.append(Row(node.name, layers[node.name].kind, becomes, True))
    return rows


class _Chain:
    """A graph without branches, one node at a time, behind the bits of the input."""

    def __init__(self, path: Path, arrays: Arrays) -> None:
        self._path = path
        self._nodes: list[Node] = []
        self._last = "x"
        self._format: DataType | None = None
        if "thresholds" not in arrays:
            bits = _number(path, arrays, "inputs")
            self._tensors, self._format = {"x": TensorType((bits,))}, BIT
            return
        thresholds = np.asarray(arrays["thresholds"])
        if thresholds.ndim != 2 or thresholds.dtype.kind not in "fiu" or not np.isfinite(thresholds).all():
            raise ModelError(
                f"{path}: thresholds: of shape {thresholds.shape}, not (features, levels) of finite numbers"
            )
        features, levels = thresholds.shape
        self._tensors = {"x": TensorType((features,))}
        places = np.repeat(np.arange(features), levels)
        # x > t is x >= the next float32 after t.
        cuts = np.nextafter(thresholds.astype(np.float32), np.float32(np.inf)).reshape(1, -1)
        self.add(Gather, "features", places=places)
        self.add(MultiThreshold, "bits", thresholds=cuts, out_scale=1.0, out_bias=0.0)

    def add(self, kind: type[Node], name: str, **parameters: Any) -> None:
        """Appends a node, which reads what the one before it makes."""
        node = kind(name=name, inputs=(self._last,), output=name, **parameters)
        try:
            self._tensors[name] = infer(node, self._tensors[self._last])
        except ValueError as error:
            raise ModelError(f"{self._path}: layer {name}: {error}") from None
        self._nodes.append(node)
        self._last = name

    def graph(self, name: str) -> Graph:
        """What was built."""
        return Graph(name, "x", tuple(self._nodes), self._tensors, {"outputs": self._last}, input_format=self._format)


def _arrays(path: Path) -> Arrays:
    try:
        return READERS[path.suffix](path)
    except InputError as error:
        raise ModelError(str(error)) from None


def _number(path: Path, arrays: Arrays, name: str) -> int:
    found = arrays.get(name)
    if (
        found is None
        or found.size != 1
        or found.dtype.kind not in "iu"
        or not 0 < int(found.reshape(-1)[0]) < MAX_NODES
    ):
        raise ModelError(f"{path}: {name}: a whole number above 0 is needed, the array is {_shown(found)}")
    return int(found.reshape(-1)[0])


def _layers(path: Path, arrays: Arrays) -> list[_Layer]:
    numbers = sorted({int(match[1]) for name in arrays if (match := re.fullmatch(r"(\d{1,4})\.\w+", name))})
    if not numbers or numbers != list(range(len(numbers))):
        raise ModelError(
            f"{path}: no layers 0, 1, ..: arrays 0.mapping and 0.luts, or 0.indices and 0.weights, are needed"
        )
    return [_layer(path, arrays, str(number)) for number in numbers]


def _layer(path: Path, arrays: Arrays, name: str) -> _Layer:
    kinds = [kind for kind, parts in _KINDS.items() if all(f"{name}.{part}" in arrays for part in parts)]
    if len(kinds) != 1:
        wanted = ", or ".join(f"{name}.{wires} and {name}.{entries}" for wires, entries in _KINDS.values())
        raise ModelError(f"{path}: layer {name}: {wanted} are needed")
    (kind,) = kinds
    wires, entries = _KINDS[kind]
    wiring, values = arrays[f"{name}.{wires}"], arrays[f"{name}.{entries}"]
    wiring = wiring.T if kind == "difflogic" else wiring
    nodes, k = wiring.shape if wiring.ndim == 2 else (0, 0)
    size = 16 if kind == "difflogic" else 1 << min(k, MAX_INPUTS + 1)
    if not nodes or wiring.dtype.kind not in "iu" or values.dtype.kind not in "fiub" or values.shape != (nodes, size):
        raise ModelError(
            f"{path}: layer {name}: {wires} of shape {arrays[f'{name}.{wires}'].shape} and {entries} of "
            f"{values.shape} do not fit each other"
        )
    if k > MAX_INPUTS or (kind == "difflogic" and k != 2):
        raise ModelError(f"{path}: layer {name}: tables of {k} inputs: at most {MAX_INPUTS}, and 2 of a gate")
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all():
        raise ModelError(f"{path}: layer {name}: {entries} that are NaN or infinite")
    if kind == "difflogic":
        gate = numbers.argmax(axis=1)
        # Input a is bit 0 of an address: f(0, 0), f(1, 0), f(0, 1), f(1, 1).
        tables = gate[:, None] >> np.array((3, 1, 2, 0)) & 1 == 1
    elif kind == "WiSARD":
        tables = numbers >= _number(path, arrays, "bleach")
    else:
        tables = numbers > 0
    return _Layer(f"layer{name}", kind, wiring.astype(np.int64), tables)


_KINDS = {"DWN": ("mapping", "luts"), "difflogic": ("indices", "weights"), "WiSARD": ("mapping", "counts")}


def _shown(array: NDArray[np.generic] | None) -> str:
    return "missing" if array is None else f"of shape {array.shape} and type {array.dtype}"
