"""Graph -> Graph: from the imported float network to integers and thresholds, with the same meaning."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bnnhw.ir.graph import Graph
from bnnhw.ir.spec import Stage, verify
from bnnhw.passes import (
    arrange,
    clip_first,
    compose_wiring,
    drop_unread,
    find_groups,
    flip_decreasing,
    lower,
    narrow_comparisons,
    select_label,
    share_input,
    simplify_tables,
    sink_windows,
)

Pass = Callable[[Graph], Graph]
Encoder = lower.Encoder

# In this order; each with the stage that its result must keep the rules of.
PIPELINE: tuple[tuple[Pass, Stage], ...] = (
    (clip_first.run, "imported"),
    (find_groups.run, "imported"),
    (arrange.run, "imported"),
    (sink_windows.run, "imported"),
    (lower.run, "lowered"),
    (share_input.run, "lowered"),
    (flip_decreasing.run, "lowered"),
    (compose_wiring.run, "lowered"),
    (simplify_tables.run, "lowered"),
    (narrow_comparisons.run, "lowered"),
    (drop_unread.run, "lowered"),
    (select_label.run, "integer"),
)


def to_integers(graph: Graph, *, encoder: Encoder = "host") -> Graph:
    """The integer-stage graph of an imported one.

    Parameters
    ----------
    encoder
        Where an input whose integer format is known is compared with the thresholds that make bits of it: on the
        ``host``, or on the ``chip``, which then takes the integers.

    Raises
    ------
    ModelError
        If the network has no exact integer form; it names the layer and the reason.
    """
    verify(graph, "imported")
    for step, stage in PIPELINE:
        step = partial(lower.run, encoder=encoder) if step is lower.run else step
        graph = verify(step(graph), stage)
    return graph
