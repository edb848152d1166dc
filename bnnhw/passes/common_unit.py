"""Scales as whole multiples of one unit."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from bnnhw.errors import ModelError

MAX_RATIO = 128  # between scales that have a common unit


def common_unit(scales: Sequence[float]) -> tuple[float, tuple[int, ...]]:
    """A positive unit of which all `scales` are whole multiples, and these multiples.

    Raises
    ------
    ModelError
        If there is none with multiples of up to `MAX_RATIO`.
    """
    sizes = [abs(scale) for scale in scales]
    smallest = min((size for size in sizes if size), default=1.0)
    for parts in range(1, MAX_RATIO + 1):
        unit = smallest / parts
        multiples = [round(scale / unit) for scale in scales]
        if all(abs(k * unit - scale) <= 1e-6 * abs(scale) for k, scale in zip(multiples, scales, strict=True)):
            common = gcd(*multiples) or 1
            if max(abs(k) for k in multiples) // common > MAX_RATIO:
                break
            return unit * common, tuple(k // common for k in multiples)
    shown = ", ".join(f"{scale:g}" for scale in list(scales)[:4])
    raise ModelError(f"scales {shown}, which have no common unit; use one quantiser, or scales with a small ratio")
