"""Layers of a network as sums of products, for one group of output channels after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.dataflow.layers import (
    AddLayer,
    ConcatLayer,
    GroupedLayer,
    Layer,
    MatrixLayer,
    PoolLayer,
    SliceLayer,
    ThresholdLayer,
)
from bnnhw.errors import PlanError
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import MaxPool, Threshold, Window
from bnnhw.layer_table import MAX_ORIGIN, MAX_SIDE, TAP_BITS
from bnnhw.overlay.outputs import Codes, Integers, Output
from bnnhw.overlay.products import Block
from bnnhw.overlay.store import Store

Array = NDArray[np.int64]
POINT = Geometry((1, 1))


@dataclass(frozen=True, eq=False)
class Job:
    """What makes a map, or some groups of channels of one, from others.

    Parameters
    ----------
    layer
        Its name.
    geometry
        The windows.
    store
        What is written.
    groups
        For each group of output channels of `store`, from `first` on, the products that are summed.
    channels
        (groups, rows) the output channel of each row; -1 for none.
    extra
        (groups, rows) what is added to the sums.
    output
        What becomes of the sums; None for the largest value of the windows.
    minimum
        (groups, rows) whether it is the smallest.
    first
        The first group of `store` that is written.
    """

    layer: str
    geometry: Geometry
    store: Store
    groups: tuple[tuple[Block, ...], ...]
    channels: NDArray[np.intp]
    extra: Array
    output: Output | None
    minimum: NDArray[np.bool_] | None = None
    first: int = 0

    @property
    def sources(self) -> tuple[Store, ...]:
        """What is read."""
        return tuple(dict.fromkeys(block.store for blocks in self.groups for block in blocks))


def lowered(layer: Layer, sources: Sequence[Store], store: Store) -> list[Job]:
    """The jobs that make `store` of `sources` as `layer` does.

    Raises
    ------
    PlanError
        If an engine has no way to do it.
    """
    if isinstance(layer, MatrixLayer):
        return [_matrix(layer, sources[0], store)]
    if isinstance(layer, GroupedLayer):
        return [_grouped(layer, sources[0], store)]
    if isinstance(layer, PoolLayer):
        return [_pool(layer, sources[0], store)]
    if isinstance(layer, AddLayer):
        weights = np.broadcast_to(layer.node.coefficients, (len(sources), layer.mh))
        return [_own(layer.name, list(zip(sources, weights, strict=True)), store, _same(store))]
    if isinstance(layer, ThresholdLayer):
        signs = layer.signs.astype(np.int64)
        return [_own(layer.name, [(sources[0], signs)], store, _codes(layer.node))]
    if isinstance(layer, SliceLayer):
        return [_slice(layer, sources[0], store)]
    if isinstance(layer, ConcatLayer):
        return _concat(layer, sources, store)
    raise PlanError(
        f"layer {layer.name}: an engine cannot run a {layer.kind} layer yet: use the streaming architecture, "
        "--architecture streaming"
    )


def scored(name: str, source: Store, scales: Sequence[int], biases: Sequence[int], store: Store) -> Job:
    """The scores of classes: a scale and a bias for each of the integers of `source`."""
    return _own(name, [(source, np.array(scales))], store, Integers(), extra=np.array(biases))


def channels_of(shape_lanes: int, channels: int) -> NDArray[np.intp]:
    """The channel of each row of each group of `channels`, -1 for none."""
    groups = -(-channels // shape_lanes)
    places = np.arange(groups * shape_lanes).reshape(groups, shape_lanes)
    return np.where(places < channels, places, -1).astype(np.intp)


def check_geometry(name: str, geometry: Geometry, source: Store, store: Store) -> None:
    """Refuses windows that the layer table has no room for.

    Raises
    ------
    PlanError
        Naming the layer.
    """
    sides = (source.height, source.width, store.height, store.width)
    if max(sides) > MAX_SIDE:
        raise PlanError(f"layer {name}: a map of {max(sides)} rows or columns; an engine goes to {MAX_SIDE}")
    reach = [(k - 1) * d for k, d in zip(geometry.kernel, geometry.dilations, strict=True)]
    if max(reach) + source.taps > 1 << TAP_BITS:
        raise PlanError(f"layer {name}: windows of {max(reach) + 1} rows or columns; an engine goes to {1 << TAP_BITS}")
    if max(*geometry.pads[:2], *geometry.strides) > MAX_ORIGIN:
        raise PlanError(f"layer {name}: {geometry}; an engine goes to strides and padding of {MAX_ORIGIN}")


def _matrix(layer: MatrixLayer, source: Store, store: Store) -> Job:
    weight = layer.node.weight.astype(np.int64)
    geometry, padding = _windows(layer.window, layer.i_shapes[0], source)
    taps = weight.reshape(len(weight), geometry.taps, -1)
    return _dense(layer, geometry, padding, taps, np.ones(taps.shape, np.bool_), source, store)


def _grouped(layer: GroupedLayer, source: Store, store: Store) -> Job:
    groups, mh, channels = layer.node.groups, layer.mh, source.channels
    weight = layer.node.weight.astype(np.int64)
    geometry, padding = _windows(layer.window, layer.i_shapes[0], source)
    taps = weight.reshape(mh, geometry.taps, -1)
    if groups == channels == mh:
        rows = channels_of(source.shape.lanes, channels)
        blocks = tuple(
            tuple(
                Block(source, *place, group, taps[_some(rows[group]), tap, 0], padding)
                for tap, place in enumerate(_places(geometry))
            )
            for group in range(source.groups)
        )
        return _job(layer.name, geometry, store, blocks, _output(layer.threshold, store))
    whole = np.zeros((mh, geometry.taps, channels), np.int64)
    seen = np.zeros(whole.shape, np.bool_)
    size, each = channels // groups, mh // groups
    for group in range(groups):
        block = slice(group * each, (group + 1) * each), slice(None), slice(group * size, (group + 1) * size)
        whole[block], seen[block] = taps[block[0]], True
    return _dense(layer, geometry, padding, whole, seen, source, store)


def _dense(
    layer: MatrixLayer | GroupedLayer, geometry: Geometry, padding: int, taps: Array, seen: NDArray[np.bool_],
    source: Store, store: Store,
) -> Job:  # fmt: skip
    """Weights (outputs, taps, channels), of which some are `seen`: those of an output's own group."""
    places = _places(geometry)
    if source.taps > 1:
        # A word has the taps of a row: that of the rightmost column first.
        rows = geometry.kernel[0]
        apart = len(taps), rows, source.taps, -1
        taps = taps.reshape(apart)[:, :, ::-1].reshape(len(taps), rows, -1)
        seen = seen.reshape(apart)[:, :, ::-1].reshape(len(taps), rows, -1)
        places = [(place, 0) for place, _ in places[:: source.taps]]
    lanes = source.shape.lanes
    wide = [(0, 0), (0, 0), (0, source.groups * lanes - taps.shape[2])]
    taps, seen = np.pad(taps, wide), np.pad(seen, wide)
    blocks = []
    for rows_of in channels_of(lanes, layer.mh):
        some = _some(rows_of)
        blocks.append(
            tuple(
                Block(source, *place, group, taps[some, tap, group * lanes :][:, :lanes], padding)
                for tap, place in enumerate(places)
                for group in range(source.groups)
                if seen[some, tap, group * lanes :][:, :lanes].any()
            )
        )
    return _job(layer.name, geometry, store, tuple(blocks), _output(layer.threshold, store))


def _pool(layer: PoolLayer, source: Store, store: Store) -> Job:
    geometry, node = layer.node.geometry, layer.node
    padded = any(geometry.pads)
    dtype = source.encoding.dtype
    padding = 0
    if isinstance(node, MaxPool):
        smallest = np.broadcast_to(node.minimum, (layer.mh,))
        if padded and smallest.any() and not smallest.all():
            raise PlanError(
                f"layer {layer.name}: padding of a pool of maxima and minima: an engine has one value for it: use the "
                "streaming architecture, --architecture streaming"
            )
        padding = dtype.max if smallest.any() else dtype.min
    elif padded and not dtype.contains(0):
        raise PlanError(f"layer {layer.name}: padding of a sum of {dtype} values: there is no zero among them")
    rows = channels_of(source.shape.lanes, source.channels)
    one = np.ones(source.shape.lanes, np.int64)
    blocks = tuple(
        tuple(Block(source, *place, group, one, padding) for place in _places(geometry))
        for group in range(source.groups)
    )
    if not isinstance(node, MaxPool):
        return _job(layer.name, geometry, store, blocks, _same(store))
    chosen = np.where(rows < 0, False, smallest[rows])
    return _job(layer.name, geometry, store, blocks, None, minimum=chosen)


def _own(
    name: str, terms: Sequence[tuple[Store, Array]], store: Store, output: Output, extra: Array | None = None
) -> Job:
    """The sum of some maps' values, channel by channel, each times its weights (channels,)."""
    rows = channels_of(store.shape.lanes, store.channels)
    blocks = tuple(
        tuple(Block(source, 0, 0, group, weight[_some(rows[group])]) for source, weight in terms)
        for group in range(store.groups)
    )
    return _job(name, POINT, store, blocks, output, extra=extra)


def _concat(layer: ConcatLayer, sources: Sequence[Store], store: Store) -> list[Job]:
    """Copies of each input's channels; those that share a word with channels of another one come together."""
    lanes = store.shape.lanes
    ends = np.cumsum([0, *(source.channels for source in sources)])
    rows = channels_of(lanes, store.channels)
    blocks: list[tuple[Block, ...]] = []
    for of_group in rows:
        found: list[Block] = []
        for source, start in zip(sources, ends, strict=False):
            places = of_group - start
            mine = (of_group >= 0) & (places >= 0) & (places < source.channels)
            found += _copies(source, np.where(mine, places, -1))
        blocks.append(tuple(found))
    return [_job(layer.name, POINT, store, tuple(blocks), _same(store))]


def _slice(layer: SliceLayer, source: Store, store: Store) -> Job:
    """A copy of some channels, of rows and columns that are the same steps apart."""
    if len(layer.i_shapes[0]) == 1 and source.pixels > 1:
        raise PlanError(
            f"layer {layer.name}: a part of a flattened map: an engine takes parts of maps and of vectors: use the "
            "streaming architecture, --architecture streaming"
        )
    kept = layer.node.kept.reshape(source.height, source.width, source.channels)
    rows, columns, channels = (np.flatnonzero(kept.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    starts, strides = [], []
    for places in (rows, columns):
        steps = set(np.diff(places).tolist()) or {1}
        if len(steps) > 1:
            raise PlanError(
                f"layer {layer.name}: rows or columns {', '.join(map(str, places))} of a map: an engine takes those "
                "that are the same steps apart: use the streaming architecture, --architecture streaming"
            )
        starts.append(int(places[0]))
        strides.append(steps.pop())
    if max(starts) + source.taps > 1 << TAP_BITS:
        raise PlanError(
            f"layer {layer.name}: a part of a map that begins at {max(starts)}; an engine goes to {(1 << TAP_BITS) - 1}"
        )
    of_rows = channels_of(store.shape.lanes, store.channels)
    blocks = tuple(
        tuple(_copies(source, np.where(of_group < 0, -1, channels[of_group]), *starts)) for of_group in of_rows
    )
    geometry = Geometry((1, 1), (strides[0], strides[1]))
    return _job(layer.name, geometry, store, blocks, _same(store))


def _copies(source: Store, channels: NDArray[np.intp], down: int = 0, across: int = 0) -> list[Block]:
    """Products that give each row the value of one of the `channels`, -1 for none."""
    lanes = source.shape.lanes
    found = []
    for group in sorted(set((channels[channels >= 0] // lanes).tolist())):
        weight = np.zeros((lanes, lanes), np.int64)
        here = (channels >= 0) & (channels // lanes == group)
        weight[np.flatnonzero(here), channels[here] % lanes] = 1
        found.append(Block(source, down, across, group, weight))
    return found


def _same(store: Store) -> Output:
    """A sum that is a value already."""
    dtype = store.encoding.dtype
    if store.encoding.binary:
        return Integers()
    values = np.array([-1, 1]) if dtype.kind == "bipolar" else np.arange(dtype.min, dtype.max + 1)
    return Codes(np.tile(values[1:], (store.channels, 1)), values[None])


def _job(
    name: str, geometry: Geometry, store: Store, blocks: tuple[tuple[Block, ...], ...], output: Output | None, *,
    extra: Array | None = None, minimum: NDArray[np.bool_] | None = None,
) -> Job:  # fmt: skip
    rows = channels_of(store.shape.lanes, store.channels)
    check_geometry(name, geometry, blocks[0][0].store, store)
    added = np.zeros(rows.shape, np.int64) if extra is None else extra[_some(rows)]
    return Job(name, geometry, store, blocks, rows, added, output, minimum)


def _windows(window: Window | None, shape: tuple[int, ...], source: Store) -> tuple[Geometry, int]:
    """The windows of a product, and the value outside of the map."""
    if window is not None:
        return window.geometry, window.fill
    if len(shape) == 1 and source.pixels > 1:
        return Geometry((source.height, source.width)), 0
    return POINT, 0


def _places(geometry: Geometry) -> list[tuple[int, int]]:
    """Down and across, tap by tap."""
    (rows, columns), (down, across) = geometry.kernel, geometry.dilations
    return [(row * down, column * across) for row in range(rows) for column in range(columns)]


def _some(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """A channel for each row, those without one included."""
    return np.where(rows < 0, rows.max(axis=-1, keepdims=True), rows)


def _output(threshold: Threshold | None, store: Store) -> Output:
    return _same(store) if threshold is None else _codes(threshold)


def _codes(node: Threshold) -> Codes:
    return Codes(node.thresholds.astype(np.int64), np.asarray(node.table, np.int64))
