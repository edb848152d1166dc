"""Operators that move values: from maps to vectors, and to other layouts."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from tests.random_files.builder import Builder, Value


def flat(b: Builder, x: Value) -> Value:
    """A map as a vector, by Flatten, Reshape, Squeeze of a map of one pixel, or the shape arithmetic of old exports."""
    if not x.is_map:
        return x
    shape = (prod(x.shape),)
    x = replace(x, flattened=x.line is None and prod(x.spatial) > 1)
    single = x.size == x.channels
    if not single and x.channels > 1:
        b.traits.add("flattened map")
    batch = b.batch if isinstance(b.batch, int) else None
    kind = b.weighted(
        Flatten=4, Reshape=3, transposed=1.5, computed=1 if b.opset < 16 else 0, Squeeze=2 if single else 0
    )
    b.tell(f"{kind} {x.shape}")
    if kind == "transposed" and not single:
        # The other order of the same elements.
        rank = len(x.shape) + 1
        first = x.axis % len(x.shape) == 0
        perm = [0, *range(2, rank), 1] if first else [0, rank - 1, *range(1, rank - 1)]
        other = tuple(x.shape[k - 1] for k in perm[1:])
        x = b.put("Transpose", x, perm=perm, shape=other, axis=len(other) - 1 if first else 0)
        kind = "Flatten"
    if kind == "Squeeze":
        axes = [k + 1 for k in range(len(x.shape)) if k != x.axis % len(x.shape)]
        if b.opset < 13:
            return b.put("Squeeze", x, axes=axes, shape=shape, axis=0)
        return b.put("Squeeze", x, b.whole(*axes), shape=shape, axis=0)
    if kind == "computed":
        return _computed(b, x, shape)
    if kind in ("Reshape", "transposed"):
        target = b.pick((batch or -1, -1 if batch else shape[0]), (0, -1), (-1, shape[0]))
        return b.put("Reshape", x, b.whole(*target), shape=shape, axis=0)
    return b.put("Flatten", x, shape=shape, axis=0)


def _computed(b: Builder, x: Value, shape: tuple[int, ...]) -> Value:
    """Shape -> Gather -> Unsqueeze -> Concat -> Reshape, as torch once exported `view`."""
    sizes = b.net.node("Shape", x.name)
    batch = b.net.node("Gather", sizes, b.net.constant(np.array(0, np.int64)), axis=0)
    if b.opset < 13:
        batch = b.net.node("Unsqueeze", batch, axes=[0])
    else:
        batch = b.net.node("Unsqueeze", batch, b.whole(0))
    target = b.net.node("Concat", batch, b.whole(-1), axis=0)
    return b.put("Reshape", x, target, shape=shape, axis=0)


def part(b: Builder, x: Value) -> Value:
    """A part of a tensor along one of its axes, by Slice, Split or Gather."""
    axes = [axis for axis, size in enumerate(x.shape) if size > 1]
    if not axes:
        return x
    axis = b.pick(*axes)
    size = x.shape[axis]
    kind = b.pick("Slice", "Split", "Gather")
    start = b.between(0, size - 1)
    length = b.between(1, size - start)
    b.traits.add("part")
    b.tell(f"{kind} {x.shape} along axis {axis}")
    if kind == "Split" and (size % 2 == 0 or b.opset < 18):
        sizes = [size // 2, size - size // 2]
        given = [b.whole(*sizes)] if b.opset >= 13 else []
        options = {"split": sizes} if b.opset < 13 else {}
        name = b.net.node("Split", x.name, *given, outputs=2, axis=axis + 1, **options)
        chosen = b.pick(0, 1)
        name, length = name + ".1" * chosen, sizes[chosen]
    elif kind == "Gather":
        places = sorted(b.rng.permutation(size)[:length].tolist())
        name = b.net.node("Gather", x.name, b.whole(*places), axis=b.pick(axis + 1, axis - len(x.shape)))
    else:
        step = b.pick(1, 1, 2)
        ranges = {"starts": [start], "ends": [start + length], "axes": [axis + 1]}
        if b.opset < 10:
            step, name = 1, b.net.node("Slice", x.name, **ranges)
        else:
            name = b.net.node("Slice", x.name, *(b.whole(*values) for values in ranges.values()), b.whole(step))
        length = -(-length // step)
    shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
    return replace(x, name=name, shape=shape)


def as_map(b: Builder, x: Value) -> Value:
    """A vector as a map, or a sequence as a map of one column."""
    if len(x.shape) == 2:
        b.tell("Unsqueeze")
        shape = (*x.shape, 1)
        if b.opset < 13:
            return b.put("Unsqueeze", x, axes=[3], shape=shape)
        return b.put("Unsqueeze", x, b.whole(3), shape=shape)
    rows = [size for size in (2, 3, 4) if x.size % size == 0]
    if not rows:
        return x
    side = b.pick(*rows)
    shape = b.pick((1, side, x.size // side), (side, x.size // side, 1), (x.size // side, 1, side))
    b.tell(f"Reshape {x.shape} to {shape}")
    return b.put("Reshape", x, b.whole(b.pick(-1, 0), *shape), shape=shape, axis=0)


def channels_last(b: Builder, x: Value) -> Value:
    """A map with its channels first, the other way round."""
    rank = len(x.shape) + 1
    shape = (*x.shape[1:], x.shape[0])
    return b.put("Transpose", x, perm=[0, *range(2, rank), 1], shape=shape, axis=len(shape) - 1)
