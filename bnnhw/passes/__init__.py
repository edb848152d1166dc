"""Graph -> Graph: from the imported float network to integers and thresholds, with the same meaning."""

from __future__ import annotations

from collections.abc import Callable

from bnnhw.ir.graph import Graph
from bnnhw.ir.spec import Stage, verify
from bnnhw.passes import (
    arrange,
    clip_first,
    find_groups,
    flip_decreasing,
    lower,
    select_label,
    share_input,
    sink_windows,
)

Pass = Callable[[Graph], Graph]

# In this order; each with the stage that its result must keep the rules of.
PIPELINE: tuple[tuple[Pass, Stage], ...] = (
    (clip_first.run, "imported"),
    (find_groups.run, "imported"),
    (arrange.run, "imported"),
    (sink_windows.run, "imported"),
    (lower.run, "lowered"),
    (share_input.run, "lowered"),
    (flip_decreasing.run, "lowered"),
    (select_label.run, "integer"),
)


def to_integers(graph: Graph) -> Graph:
    """The integer-stage graph of an imported one.

    Raises
    ------
    ModelError
        If the network has no exact integer form; it names the layer and the reason.
    """
    verify(graph, "imported")
    for step, stage in PIPELINE:
        graph = verify(step(graph), stage)
    return graph
