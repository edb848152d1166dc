"""Inputs for a model: from a user's .npz, from a shipped model's own file, or at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnnhw.arithmetic.floats import LAST, first_where, numbered
from bnnhw.errors import InputError
from bnnhw.ir.graph import Graph
from bnnhw.reading import read_npz
from bnnhw.reference import check_inputs, encode_inputs
from bnnhw.shipped import shipped_model

# Cuts of the input's quantiser that random samples lie on, and the two at the ends.
MAX_CUTS = 30


@dataclass(frozen=True, eq=False)
class Inputs:
    """Samples for one model.

    Parameters
    ----------
    source
        Where they come from, in words.
    values
        float32 (N, ...), as the model's own input takes them.
    labels
        (N,) int64 classes, or None.
    golden
        What else the file holds: arrays of another executor, for the first samples.
    """

    source: str
    values: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None
    golden: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def first(self, count: int | None) -> Inputs:
        """The first `count` samples, or all."""
        labels = None if self.labels is None else self.labels[:count]
        golden = {name: array[:count] for name, array in self.golden.items()}
        return Inputs(self.source, self.values[:count], labels, golden)


def inputs_for(graph: Graph, given: Path | str | ArrayLike | None, samples: int | None) -> Inputs:
    """The inputs that a user means.

    Parameters
    ----------
    graph
        The integer-stage network.
    given
        Path of an .npz with ``inputs`` and maybe ``labels``; an array; None for a shipped model's own, or random ones.
    samples
        How many samples to take, from the first on; None for all.

    Raises
    ------
    InputError
        If they cannot be read, or do not fit the model.
    """
    if isinstance(given, (str, Path)):
        found = read_inputs(graph, Path(given))
    elif given is not None:
        found = Inputs("array", check_inputs(graph, given))
    elif (shipped := shipped_model(graph.name)) is not None:
        found = read_inputs(graph, shipped.golden)
    else:
        found = random_inputs(graph, samples or 100)
    if not len(found.values):
        raise InputError(f"{found.source}: no samples: `inputs` must be (N, ...) with N of at least 1")
    return found.first(samples)


def read_inputs(graph: Graph, path: Path) -> Inputs:
    """What the .npz file `path` holds.

    Raises
    ------
    InputError
        If it cannot be read, has no ``inputs``, or they or the ``labels`` do not fit the model.
    """
    arrays = read_npz(path)
    if "inputs" not in arrays:
        raise InputError(f"{path}: has no array `inputs`, only {', '.join(arrays) or 'nothing'}")
    try:
        values = check_inputs(graph, arrays.pop("inputs"))
        labels = check_labels(graph, arrays.pop("labels"), len(values)) if "labels" in arrays else None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    golden = {name: array for name, array in arrays.items() if array.ndim and array.dtype.kind in "fiub"}
    return Inputs(str(path), values, labels, golden)


def check_labels(graph: Graph, labels: ArrayLike, count: int) -> NDArray[np.int64]:
    """`labels` as int64 (count,).

    Raises
    ------
    InputError
        If they are not that many whole numbers.
    """
    array = np.asarray(labels)
    if array.shape != (count,) or array.dtype.kind not in "iub":
        raise InputError(f"labels of model {graph.name} must be {count} integers, not {array.dtype} {array.shape}")
    return array.astype(np.int64)


def random_inputs(graph: Graph, count: int, *, seed: int = 1) -> Inputs:
    """Values that reach every code of the network's input, evenly, and the edges between two of them.

    Of an input with a format every value is drawn alike. Of real values, half of the samples are spread over the range
    in which codes change; in the others each value is a cut of the input's quantiser, or the float just below it.
    """
    rng = np.random.default_rng(seed)
    shape = (count, *graph.tensors[graph.input].shape)
    dtype = graph.input_format
    if dtype is not None:
        codes = rng.integers(0, 1 << dtype.bits, shape)
        return Inputs(f"random {dtype} values", np.asarray(dtype.decode(codes), np.float32))
    cuts = _cuts(graph, rng)
    span = max(float(cuts[-1]) - float(cuts[0]), float(np.finfo(np.float32).tiny))
    values = (float(cuts[0]) - span / 8 + 1.25 * span * rng.random(shape)).astype(np.float32)
    edges = np.concatenate([cuts, np.nextafter(cuts, np.float32(-np.inf))])
    values[1::2] = rng.choice(edges, values[1::2].shape)
    return Inputs("random values, every other sample on cuts of the input's quantiser", values)


def _cuts(graph: Graph, rng: np.random.Generator) -> NDArray[np.float32]:
    """Some of the values at which codes of the network's input change, ascending, the first and the last among them.

    All elements of the input get the same value, and how far all codes are from those of the lowest value ascends with
    it: the smallest value of a distance is found by bisection.
    """
    shape = (1, *graph.tensors[graph.input].shape)

    def distance(value: NDArray[np.float32]) -> int:
        with np.errstate(over="ignore", invalid="ignore"):
            codes = encode_inputs(graph, np.full(shape, value, np.float32))
        return int(np.abs(codes.astype(np.int64) - lowest).sum())

    lowest = encode_inputs(graph, np.full(shape, numbered(np.array(-LAST)), np.float32)).astype(np.int64)
    whole = distance(numbered(np.array(LAST)))
    if not whole:
        return np.array([-1, 1], np.float32)  # whatever comes in, it is the same
    wanted = {1, whole, *(int(k) for k in rng.integers(1, whole + 1, MAX_CUTS))}

    def cut(least: int) -> NDArray[np.float32]:
        return numbered(first_where(lambda value: np.array(distance(value) >= least), ()))

    return np.unique([cut(least) for least in wanted]).astype(np.float32)
