"""What a family is, and the network that most of them are tried on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
from torch.nn import functional

from models.families.activations import Input
from models.families.layers import Chain, Conv, Dense, Flatten, Layer, Norm, Pool
from models.families.weights import Weights

WIDTH = 16
CLASSES = 10
LATENT_RATE = 2e-2  # of latent weights that become signs: they move between -1 and +1
RECIPES = Path(__file__).resolve().parent / "recipes"

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""From logits, labels and inputs."""


@dataclass(frozen=True)
class Images:
    """What a network is for: square grey images.

    Parameters
    ----------
    side
        Pixels.
    full
        The value of a white pixel.
    """

    side: int
    full: float


def adam(net: Layer, rate: float) -> list[torch.optim.Optimizer]:
    """One optimiser for all parameters."""
    return [torch.optim.Adam((p for p in net.parameters() if p.requires_grad), lr=rate, fused=True)]


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The loss of a family that has no other."""
    return functional.cross_entropy(logits, labels, label_smoothing=0.05)


@dataclass(frozen=True, kw_only=True)
class Family:
    """A published idea, and how to train a small network by it.

    Parameters
    ----------
    title
        The name that the field knows it by.
    paper
        Authors, year, arXiv number.
    idea
        One sentence or two.
    dialect
        What its exporter writes, in words.
    network
        Makes the untrained network for images.
    optimisers
        Of a network and the learning rate.
    teacher
        Makes a float network that is trained first, and whose answers then soften the labels.
    each_step
        Called after every step with the network and the share of the training that is done.
    """

    title: str
    paper: str
    idea: str
    dialect: str
    network: Callable[[Images], Chain]
    epochs: int = 150
    batch: int = 128
    rate: float = 6e-3
    optimisers: Callable[[Layer, float], list[torch.optim.Optimizer]] = adam
    loss: Loss = cross_entropy
    teacher: Callable[[Images], Chain] | None = None
    each_step: Callable[[Layer, float], None] | None = None


def families() -> dict[str, Family]:
    """All of them by name, which is the name of the recipe's file."""
    names = sorted(path.stem for path in RECIPES.glob("*.py") if path.stem != "__init__")
    return {name: import_module(f"models.families.recipes.{name}").FAMILY for name in names}


Make = Callable[[], Weights]


def convnet(
    images: Images,
    *,
    first: Make,
    hidden: Make,
    last: Make,
    activation: Callable[[], Layer],
    pool: str = "sums",
    bias: bool = False,
    last_bias: bool = False,
    last_norm: bool = False,
    norm: Callable[[int], Layer] = Norm,
    source: Callable[[float], Layer] = Input,
    tail: Layer | None = None,
) -> Chain:
    """Two convolutions of 3x3 with 16 channels, a pool of 2x2, a dense layer: what ideas are compared on.

    Parameters
    ----------
    first, hidden, last
        Quantisers of the layers' weights.
    pool
        Behind what of the second convolution: its ``sums``, their ``norm``, or the ``codes`` of the activation.
    """
    side = (images.side - 4) // 2
    behind = {name: [Pool("MaxPool")] if name == pool else [] for name in ("sums", "norm", "codes")}
    layers = [
        source(images.full),
        Conv(1, WIDTH, 3, first, bias=bias),
        norm(WIDTH),
        activation(),
        Conv(WIDTH, WIDTH, 3, hidden, bias=bias),
        *behind["sums"],
        norm(WIDTH),
        *behind["norm"],
        activation(),
        *behind["codes"],
        Flatten(),
        Dense(WIDTH * side**2, CLASSES, last, bias=last_bias),
    ]
    layers += [Norm(CLASSES)] if last_norm else []
    return Chain(*layers, *([tail] if tail else []))
