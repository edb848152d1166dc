"""What is known of the floats that software computes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.elementwise import ELEMENTWISE, QUANTISERS, apply
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Gather, MaxPool, MultiThreshold, Node, Pad, Reshape, Round, Slice, Transpose
from bnnhw.passes.rewrite import label
from bnnhw.passes.values import all_codes, collapsed, one_way, positional, quantiser_levels, reached, whole_numbers

POSITIONAL = "a parameter that differs from position to position; use one per channel"

Floats = NDArray[np.float32]


class Software:
    """The values that tensors take in front of the first integers, and behind the last ones.

    Members
    -------
    levels
        Of tensors whose values are known: these, (levels,), or (levels, C) where they differ by channel.
    why
        Why those of others are not known, where there is more to say than that nothing quantises them.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.levels: dict[str, Floats] = {}
        self.why: dict[str, str] = {}
        # Between which values they lie, (2, 1), or (2, C).
        self._ends = {graph.input: np.array([[-np.inf], [np.inf]], np.float32)}
        # Behind the last integers.
        self._behind: set[str] = set()
        if graph.input_format is not None:
            self.levels[graph.input] = all_codes(graph.input_format).astype(np.float32)
            self._ends[graph.input] = self.levels[graph.input][[0, -1], None]

    def begin_again(self, node: Node) -> None:
        """Software behind integers, which has to be the last: `node` reads the first of its floats."""
        self.why[node.output] = (
            f"{label(node)} ({node.op}) between layers, which is neither a pool, a sum nor monotone, element by "
            "element; leave it out, or end the network with it"
        )
        self._behind.add(node.output)

    def follow(self, node: Node, source: str) -> None:
        """What `node` makes of the float tensor `source`, the first that it reads."""
        known = source in self._ends
        if known and isinstance(node, ELEMENTWISE) and not positional(node) and one_way((node,)) is not None:
            self._ends[node.output] = np.asarray(apply(node, self._ends[source]), np.float32)
        elif known and isinstance(node, Gather):
            low, high = self._ends[source]
            self._ends[node.output] = np.array([[low.min()], [high.max()]], np.float32)
        elif (
            known
            and isinstance(node, (Reshape, Transpose, Slice))
            and (ends := self._moved(node, source, self._ends[source])) is not None
        ):
            self._ends[node.output] = ends
        if source in self._behind:
            self.why[node.output] = self.why[source]
            self._behind.add(node.output)
            return
        found, why = self.levels.get(source), self.why.get(source)
        if isinstance(node, Pad) and found is not None:
            found = np.concatenate([found, np.full_like(found[:1], node.value)])
        elif isinstance(node, Gather):
            found = None if found is None else np.unique(found)  # of all channels, whatever their order
        elif isinstance(node, ELEMENTWISE):
            found, why = self._through(node, found, why)
        elif isinstance(node, (Reshape, Transpose, Slice)) and found is not None:
            found = self._moved(node, source, found)
            why = why if found is not None else f"{label(node)}: {POSITIONAL}"
        elif not isinstance(node, (Reshape, Transpose, Slice, MaxPool)):
            found = None
        if found is not None:
            self.levels[node.output] = found
        elif why is not None:
            self.why[node.output] = why

    def _moved(self, node: Reshape | Transpose | Slice, source: str, values: Floats) -> Floats | None:
        """`values` (n, C) of the channels of `source`, one row or many, in those of what `node` makes of it; None where
        they then differ by position."""
        if values.ndim == 1 or values.shape[1] == 1:
            return values
        shape = self._graph.tensors[source].shape
        channels = np.broadcast_to(np.arange(shape[-1]), shape)
        if isinstance(node, Transpose):
            channels = channels.transpose(node.perm)
        elif isinstance(node, Slice):
            channels = channels[node.kept]
        rows = channels.reshape(-1, self._graph.tensors[node.output].shape[-1])
        return values[:, rows[0]] if (rows == rows[0]).all() else None

    def _through(self, node: Node, found: Floats | None, why: str | None) -> tuple[Floats | None, str | None]:
        """The levels behind an elementwise node, given those before it."""
        if found is None and not isinstance(node, QUANTISERS):
            return None, why
        if isinstance(node, Round):
            rounded = whole_numbers(self._ends[node.output]) if node.output in self._ends else None
            if rounded is None:
                return None, f"{label(node)}: it rounds values of any size; clip them first"
            return rounded[:, 0], None
        if positional(node) and not isinstance(node, MultiThreshold):
            return None, f"{label(node)}: {POSITIONAL}"
        if isinstance(node, QUANTISERS):
            whole = collapsed(quantiser_levels(node))
            return (whole if found is None or positional(node) else reached((node,), found, whole)), None
        assert found is not None
        return collapsed(np.asarray(apply(node, found if found.ndim > 1 else found[:, None]), np.float32)), None
