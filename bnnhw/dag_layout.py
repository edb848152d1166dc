"""Where the boxes of a directed graph without circles go: in layers from top to bottom, with few crossings.

Sugiyama's way: each box is in the layer below the last one that leads to it, long edges are cut at every layer that
they pass, and boxes are ordered and moved to be near those that they are connected with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Pixels between boxes of a layer, between layers, and that an edge takes which passes a layer.
GAP, BETWEEN, PASSAGE = 24, 34, 12
SWEEPS = 12

Point = tuple[float, float]
Key = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Where everything goes.

    Parameters
    ----------
    width, height
        Of all.
    boxes
        Upper left corner of each box.
    edges
        For each edge the points that it goes through, from the lower side of its first box to the upper one of its
        last.
    """

    width: float
    height: float
    boxes: Mapping[str, Point]
    edges: Sequence[Sequence[Point]]


def lay_out(sizes: Mapping[str, tuple[float, float]], edges: Sequence[tuple[str, str]]) -> Layout:
    """Lays out boxes of these `sizes` (width, height), each of which stands behind all that lead to it."""
    layer = _layers(sizes, edges)
    routes = [_route(k, edge, layer) for k, edge in enumerate(edges)]
    widths: dict[Key, float] = {(name,): size[0] for name, size in sizes.items()}
    depth: dict[Key, int] = {(name,): layer[name] for name in sizes}
    for route in routes:
        for key in route[1:-1]:
            widths[key], depth[key] = PASSAGE, depth[route[0]] + route.index(key)
    order: list[list[Key]] = [[] for _ in range(max(depth.values()) + 1)]
    for key, k in depth.items():
        order[k].append(key)
    neighbours: tuple[dict[Key, list[Key]], dict[Key, list[Key]]] = {}, {}
    for route in routes:
        for above, below in zip(route, route[1:], strict=False):
            neighbours[0].setdefault(below, []).append(above)
            neighbours[1].setdefault(above, []).append(below)
    middles = _across(order, widths, neighbours)
    left = min(middles[key] - widths[key] / 2 for key in middles)
    right = max(middles[key] + widths[key] / 2 for key in middles)
    heights = [max(sizes[key[0]][1] if len(key) == 1 else 0.0 for key in keys) for keys in order]
    tops = [sum(heights[:k]) + BETWEEN * k for k in range(len(order))]
    boxes = {name: (middles[name,] - left - size[0] / 2, tops[layer[name]]) for name, size in sizes.items()}
    lines = []
    for route in routes:
        first, *passed, last = route
        name = first[0]
        line = [(middles[first] - left, boxes[name][1] + sizes[name][1])]
        for key in passed:
            line += [(middles[key] - left, tops[depth[key]] + end * heights[depth[key]]) for end in (0, 1)]
        lines.append([*line, (middles[last] - left, tops[depth[last]])])
    return Layout(right - left, tops[-1] + heights[-1], boxes, lines)


def _layers(names: Mapping[str, object], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The number of the layer of each box."""
    above: dict[str, list[str]] = {}
    for first, last in edges:
        above.setdefault(last, []).append(first)
    layer: dict[str, int] = {}
    for name in names:
        layer[name] = max((layer[other] + 1 for other in above.get(name, ())), default=0)
    return layer


def _route(k: int, edge: tuple[str, str], layer: Mapping[str, int]) -> list[Key]:
    """An edge with the places where it passes layers."""
    first, last = edge
    passed = [(first, last, f"{k}", f"{at}") for at in range(layer[first] + 1, layer[last])]
    return [(first,), *passed, (last,)]


def _across(
    order: list[list[Key]], widths: Mapping[Key, float], neighbours: tuple[Mapping[Key, list[Key]], ...]
) -> dict[Key, float]:
    """The middle of everything: layers are sorted, and moved, to where their neighbours above and below are."""
    middles: dict[Key, float] = {}
    for keys in order:
        middles.update(_apart(keys, dict.fromkeys(keys, 0.0), widths))
    for sweep in range(SWEEPS):
        near = neighbours[sweep % 2]
        for keys in order if sweep % 2 == 0 else reversed(order):
            wanted = {key: _mean([middles[other] for other in near.get(key, ())], middles[key]) for key in keys}
            keys.sort(key=lambda key: wanted[key])
            middles.update(_apart(keys, wanted, widths))
    return middles


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _apart(keys: Sequence[Key], wanted: Mapping[Key, float], widths: Mapping[Key, float]) -> dict[Key, float]:
    """Middles in this order without overlaps, in all as near as can be to those `wanted`.

    What has to be pushed apart moves as one block, to the mean of what its members want.
    """
    offsets: list[float] = []
    for k, key in enumerate(keys):
        offsets.append(0.0 if not k else offsets[-1] + (widths[keys[k - 1]] + widths[key]) / 2 + GAP)
    blocks: list[tuple[float, int]] = []
    for key, offset in zip(keys, offsets, strict=True):
        place, members = wanted[key] - offset, 1
        while blocks and blocks[-1][0] >= place:
            before, count = blocks.pop()
            place, members = (before * count + place * members) / (count + members), count + members
        blocks.append((place, members))
    places = [place for place, members in blocks for _ in range(members)]
    return {key: place + offset for key, place, offset in zip(keys, places, offsets, strict=True)}
