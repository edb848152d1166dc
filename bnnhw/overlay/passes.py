"""A job's passes: one for each group of output channels; those with the same slots together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import PlanError
from bnnhw.layer_table import EngineShape
from bnnhw.overlay.lowering import Job
from bnnhw.overlay.products import Block, Count, product_of
from bnnhw.overlay.slots import Part, PassBuilder


@dataclass(frozen=True, eq=False)
class Passes:
    """Passes with the same slots.

    Parameters
    ----------
    groups
        The groups of output channels.
    shifts
        How many words of a pixel further on each of them reads than the first one.
    parts
        What the array does, in one pass or one after the other.
    """

    groups: tuple[int, ...]
    shifts: tuple[int, ...]
    parts: tuple[Part, ...]


def passes_of(job: Job, shape: EngineShape) -> list[Passes]:
    """The passes of a job.

    Raises
    ------
    PlanError
        If they have more slots, or words, than the engine has room for, and there are several groups of pixels.
    """
    found: list[list[int]] = []
    for group, blocks in enumerate(job.groups):
        if found and _signature(job.groups[found[-1][0]]) == _signature(blocks):
            found[-1].append(group)
        else:
            found.append([group])
    return [_together(job, groups, shape) for groups in found]


def _signature(blocks: Sequence[Block]) -> Hashable:
    """What passes with the same slots have in common."""
    start = blocks[0].group
    return tuple(
        (
            block.store, block.down, block.across, block.group - start, block.own,
            # A pixel's last word has lanes that are not used.
            (not block.own or block.padding != 0) and block.group == block.store.groups - 1,
        )
        for block in blocks
    )  # fmt: skip


def _together(job: Job, groups: Sequence[int], shape: EngineShape) -> Passes:
    first = job.groups[groups[0]]
    blocks = [
        replace(block, weight=np.stack([job.groups[group][k].weight for group in groups]))
        for k, block in enumerate(first)
    ]
    builder = PassBuilder(shape, len(groups), job.sources[0].base)
    channels = job.channels[list(groups)]
    if job.output is not None:
        product = product_of(blocks, job.extra[list(groups)])
        job.output.emit(builder, product, job.store, channels, job.layer)
    else:
        assert job.minimum is not None
        _largest(builder, job, blocks, job.minimum[list(groups)])
    shifts = tuple(job.groups[group][0].group - first[0].group for group in groups)
    return Passes(tuple(groups), shifts, _fitting(job, builder))


def _fitting(job: Job, builder: PassBuilder) -> tuple[Part, ...]:
    """A builder's slots in as many passes as it takes."""
    shape, store, whole = builder.shape, job.store, builder.finish()
    for what, needed, there in (
        ("slots", len(whole.slots), shape.slots),
        ("words of weights", whole.words.shape[1], shape.weights),
    ):
        if needed > there:
            if store.height == 1 and store.width <= shape.together(job.geometry.strides[1]):
                return tuple(builder.split())
            raise PlanError(
                f"layer {job.layer}: a pass takes {needed} {what}, and the engine has {there}: use fewer bits for its "
                "input or its output, or an engine with more"
            )
    return (whole,)


def _largest(builder: PassBuilder, job: Job, blocks: Sequence[Block], minimum: NDArray[np.bool_]) -> None:
    """The largest value of a window: a plane in unary is set if it is in any of the taps, or in all for the
    smallest. The planes of the output are those, or change with them."""
    source, target = job.sources[0].encoding, job.store.encoding
    values = np.arange(source.planes + 1) + source.dtype.min
    if source.dtype.kind == "bipolar":
        values = np.array([-1, 1])
    one = np.ones(minimum.shape, np.bool_)
    needed = np.where(minimum, len(blocks), 1)
    for plane, bits in enumerate(target.bits(values)):
        # Those of the source's planes at which the output's bit changes; -1 where it is 1 to begin with.
        changes = [*([-1] if bits[0] else []), *np.flatnonzero(bits[1:] != bits[:-1]).tolist()]
        for k, change in enumerate(changes):
            builder.count([Count(block, max(change, 0), 0, one) for block in blocks])
            place = job.store.offset(plane, 0) if k == len(changes) - 1 else None
            levels = np.zeros_like(needed) if change < 0 else needed
            builder.toggle(-levels, fresh=k == 0, place=place)
