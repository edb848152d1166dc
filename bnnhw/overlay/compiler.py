"""Network -> Program: schedule, memory map, layer table, slots and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType, signed_width
from bnnhw.dataflow.layers import INPUT, Layer, MatrixLayer, PoolLayer
from bnnhw.dataflow.network import Network
from bnnhw.errors import PlanError
from bnnhw.ir.nodes import MaxPool
from bnnhw.layer_table import ADDRESS_BITS, ENTRIES, MAX_SIDE, SLOT, EngineShape, Fields, Opcode, pack
from bnnhw.overlay.encoding import Encoding
from bnnhw.overlay.lowering import Job, lowered, scored
from bnnhw.overlay.memory import Need, place
from bnnhw.overlay.passes import Passes, passes_of
from bnnhw.overlay.program import Program, header, line_words
from bnnhw.overlay.store import Store

# Steps of the schedule: the frame comes first, the jobs follow.
ARRIVAL = 0


def make_program(network: Network, shape: EngineShape) -> Program:
    """The program that runs `network` on an engine of `shape`.

    Raises
    ------
    PlanError
        If a layer has no way to run on it, or its memories are too small.
    """
    stores = _stores(network, shape)
    scores = _scores(network, stores[-1], shape)
    jobs = _jobs(network, stores, scores)
    lines = _lines(network, shape, jobs, stores, scores)
    needs = _needs(network, stores, scores)
    start, memory = 0, 0
    while start < len(lines):
        # Where maps lie decides a little about how long the program is, and that where maps lie.
        start = len(lines)
        memory = place(needs, shape, start)
        *placed, ranked = [store.at(need.base) for store, need in zip([*stores, scores], needs, strict=True)]
        ranked = ranked if network.affine_scores else placed[-1]
        lines = _lines(network, shape, _jobs(network, placed, ranked), placed, ranked)
    return Program(shape, network.model, network.digest, lines, placed[0], placed[-1], memory)


# ---- stores ----------------------------------------------------------------------------------------


def _stores(network: Network, shape: EngineShape) -> list[Store]:
    """The map of the frame, and of each layer's output; without places."""
    found = []
    for index in (INPUT, *range(len(network.layers))):
        readers = [network.layers[k] for k, _ in network.readers(index)]
        if index == INPUT:
            name, size, dtype = "input", network.i_shape, network.i_dtype
        else:
            layer = network.layers[index]
            final = index == len(network.layers) - 1
            name, size, dtype = layer.name, layer.o_shape, layer.result if final else layer.dtype
        encoding = _encoding(dtype, readers)
        height, width, channels = _sides(name, size)
        if index == len(network.layers) - 1 and height * width > 1:
            raise PlanError(f"layer {name}: gives {size} integers: an engine ends with one vector")
        store = Store(shape, height, width, channels, encoding, ranked=index == len(network.layers) - 1)
        if index == INPUT:
            store = replace(store, taps=_taps(readers, store))
        found.append(replace(store, defined=not encoding.binary or index == INPUT))
    return _aligned(network, found)


def _sides(name: str, size: tuple[int, ...]) -> tuple[int, int, int]:
    if len(size) == 3:
        return size
    if len(size) == 1:
        return 1, 1, size[0]
    raise PlanError(f"{name}: of shape {size}: an engine takes maps (height, width, channels) and vectors")


def _encoding(dtype: DataType, readers: Sequence[Layer]) -> Encoding:
    compared = [layer for layer in readers if isinstance(layer, PoolLayer) and isinstance(layer.node, MaxPool)]
    if not compared:
        return Encoding(dtype)
    encoding = Encoding.comparable(dtype)
    if encoding is None:
        raise PlanError(
            f"layer {compared[0].name}: the largest of {dtype} values: an engine compares up to 4 bits: put the pool "
            "behind the quantiser, or use fewer bits"
        )
    return encoding


def _taps(readers: Sequence[Layer], store: Store) -> int:
    """Pixels of a row that a word of the frame holds: those of a window, if the only reader takes windows that fit."""
    if len(readers) == 1 and isinstance(layer := readers[0], MatrixLayer) and layer.window is not None:
        geometry = layer.window.geometry
        taps = geometry.kernel[1]
        no_padding = geometry.pads[1] == geometry.pads[3] == 0
        if geometry.dilations[1] == 1 and no_padding and taps * store.channels <= store.shape.lanes:
            # A word of all lanes comes at once, without those on its left.
            return taps if store.channels < store.shape.lanes else 1
    return 1


def _aligned(network: Network, stores: list[Store]) -> list[Store]:
    """Stores that are read together have rows of the same length."""
    found = list(stores)
    for _ in network.layers:
        for layer in network.layers:
            together = [source + 1 for source in layer.inputs]
            pitch = max(found[k].row_lines for k in together)
            for k in together:
                if len(together) > 1 and found[k].height > 1:
                    found[k] = replace(found[k], pitch=pitch)
    if stores[0].row_lines != found[0].row_lines:
        # A frame comes row by row without gaps.
        layer = next(layer for layer in network.layers if INPUT in layer.inputs and len(layer.inputs) > 1)
        raise PlanError(
            f"layer {layer.name}: an engine cannot yet join the network's input, of {stores[0].encoding.planes} "
            "planes, with a map of more: use the streaming architecture, --architecture streaming"
        )
    return found


def _scores(network: Network, result: Store, shape: EngineShape) -> Store:
    """What is ranked: the integers themselves, or scores that differ from them."""
    if not network.affine_scores:
        return result
    dtype = network.result
    ends = [
        scale * end + bias
        for scale, bias in zip(network.score_scales, network.score_biases, strict=True)
        for end in (dtype.min, dtype.max)
    ]
    bits = max(2, signed_width(min(ends), max(ends)))
    if bits > shape.width - 1:
        raise PlanError(
            f"{network.model}: classes are ranked by scores of {bits} bits, and the engine's accumulators hold "
            f"{shape.width - 1}: use an engine with wider ones"
        )
    return replace(result, encoding=Encoding(DataType("int", bits)))


def _needs(network: Network, stores: Sequence[Store], scores: Store) -> list[Need]:
    """How long each store is needed, in the order of the stores; the scores last."""
    names = ["the input", *(layer.name for layer in network.layers)]
    last = len(network.layers) + 2
    needs = []
    for k, (name, store) in enumerate(zip(names, stores, strict=True)):
        readers = [reader + 1 for reader, _ in network.readers(k - 1)]
        ends = last if k == len(stores) - 1 else max(readers, default=k)
        needs.append(Need(name, store.lines, k, ends))
    needs.append(Need("the scores", scores.lines if scores is not stores[-1] else 0, last - 1, last))
    return needs


# ---- jobs ------------------------------------------------------------------------------------------


def _jobs(network: Network, stores: Sequence[Store], scores: Store) -> list[Job]:
    found: list[Job] = []
    for index, layer in enumerate(network.layers):
        sources = [stores[k + 1] for k in layer.inputs]
        found += lowered(layer, sources, stores[index + 1])
    if network.affine_scores:
        found.append(scored("scores", stores[-1], network.score_scales, network.score_biases, scores))
    return found


# ---- lines -----------------------------------------------------------------------------------------


@dataclass
class _Image:
    """Lines in the making: the layer table, and behind it what its entries point to."""

    shape: EngineShape
    entries: list[tuple[Opcode, dict[str, int]]]
    data: list[NDArray[np.uint32]]
    lines: int = 0

    def add(self, opcode: Opcode, **values: int) -> None:
        self.entries.append((opcode, {"opcode": int(opcode), **values}))

    def put(self, words: NDArray[np.uint32]) -> int:
        """Lines (n, banks) that an entry points to: their place behind the table."""
        self.data.append(words)
        self.lines += len(words)
        return self.lines - len(words)

    def finish(self) -> NDArray[np.uint32]:
        """All lines, header first."""
        start = 1 + len(self.entries)
        total = start + self.lines
        if total > self.shape.lines:
            bits = self.shape.banks * self.shape.lanes
            raise PlanError(
                f"the engine's memory has {self.shape.lines * bits:,} bits, and weights and layer table take "
                f"{total * bits:,}: take a board with more memory"
            )
        table = [header(self.shape, total)]
        for opcode, values in self.entries:
            if opcode in (Opcode.SLOTS, Opcode.PASS):
                values = {**values, "source": values["source"] + start}
            table.append(_packed(ENTRIES[opcode], values))
        return np.concatenate([line_words(self.shape, table), *self.data])


def _packed(fields: Fields, values: dict[str, int]) -> int:
    modulo = 1 << ADDRESS_BITS
    wraps = {"base", "offset", "row_step"}
    return pack(fields, {name: value % modulo if name in wraps else value for name, value in values.items()})


def _lines(
    network: Network, shape: EngineShape, jobs: Sequence[Job], stores: Sequence[Store], scores: Store
) -> NDArray[np.uint32]:
    image = _Image(shape, [], [])
    frame = stores[0]
    if frame.width > MAX_SIDE or frame.height > MAX_SIDE:
        raise PlanError(f"{network.model}: an input of {frame.height} x {frame.width}; an engine goes to {MAX_SIDE}")
    groups = -(-frame.channels // shape.lanes)
    image.add(
        Opcode.INPUT, base=frame.base, width=frame.width, groups=groups,
        rows=frame.height * frame.encoding.planes * groups, keep=frame.tail,
        tail=frame.channels - (groups - 1) * shape.lanes,
    )  # fmt: skip
    for job in jobs:
        for passes in passes_of(job, shape):
            _put_passes(image, job, passes)
    result = stores[-1]
    if scores is not result:
        _put_output(image, scores, send=0, rank=1, final=0)
    _put_output(image, result, send=1, rank=int(scores is result), final=1)
    image.add(Opcode.END)
    return image.finish()


def _put_output(image: _Image, store: Store, **flags: int) -> None:
    planes = store.encoding.planes
    image.add(Opcode.OUTPUT, base=store.base, groups=store.groups, planes=planes, tail=store.tail, **flags)


def _put_passes(image: _Image, job: Job, passes: Passes) -> None:
    shape, geometry = image.shape, job.geometry
    source, store = job.sources[0], job.store
    slots = [line_words(shape, [_packed(SLOT, dict(slot)) for slot in part.slots]) for part in passes.parts]
    sources = [image.put(lines) for lines in slots]
    top, left, _, _ = geometry.pads
    image.add(
        Opcode.WRITE, step_y=geometry.strides[0], tail=source.tail, height=store.height, width=store.width,
        row_step=store.row_lines, single=int(shape.collides(geometry.strides[1])),
    )  # fmt: skip
    before, filled = None, None
    for k, group in enumerate(passes.groups):
        base = source.base + passes.shifts[k] * source.columns - top * source.row_lines
        if base != before:
            image.add(
                Opcode.READ, top=top, left=left, step_x=geometry.strides[1], base=base,
                row_step=geometry.strides[0] * source.row_lines, height=source.height, width=source.width,
            )  # fmt: skip
        before = base
        for number, part in enumerate(passes.parts):
            if number != filled:
                image.add(Opcode.SLOTS, source=sources[number], count=len(part.slots))
            filled = number
            # Word by word the rows, as many in a line as there are banks.
            lines = part.words[k].astype(np.uint32).reshape(-1, shape.banks)
            image.add(
                Opcode.PASS, source=image.put(lines), base=store.base + store.offset(0, group) - store.offset(0, 0),
                count=part.words.shape[1],
            )  # fmt: skip
