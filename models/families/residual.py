"""The network around blocks with shortcuts: 8-bit layers at both ends, maps of 8 bits between the blocks."""

from __future__ import annotations

from collections.abc import Callable

from models.families.activations import Fixed, Input
from models.families.family import CLASSES, WIDTH, Images
from models.families.layers import Chain, Conv, Dense, Flatten, Layer, Norm, Pool
from models.families.weights import Integer

STEP = 2.0**-4


def residual_network(images: Images, blocks: Callable[[], list[Layer]]) -> Chain:
    """The blocks between 8-bit layers. They are made in their place, so that seeds give the same weights."""
    side = (images.side - 2) // 2
    return Chain(
        Input(images.full),
        Conv(1, WIDTH, 3, lambda: Integer(8)),
        Norm(WIDTH),
        Fixed(8, STEP, relu=False),
        *blocks(),
        Pool("AveragePool"),
        Fixed(8, STEP, relu=False),
        Flatten(),
        Dense(WIDTH * side**2, CLASSES, lambda: Integer(8), bias=True),
    )
