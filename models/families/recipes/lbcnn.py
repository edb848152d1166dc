import torch

from models.families.activations import Fixed, Input
from models.families.family import CLASSES, WIDTH, Family, Images
from models.families.layers import Chain, Conv, Dense, Flatten, Layer, Norm, Pool, Residual
from models.families.weights import Integer, Weights

STEP = 2.0**-4
DENSITY = 0.5


class Anchors(Weights):
    """Ternary filters that are drawn once and never trained."""

    def drawn(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(shape).sign() * (torch.rand(shape) < DENSITY)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return w.detach()


def block() -> list[Layer]:
    """Fixed filters, ReLU, learned sums of their maps, the shortcut."""
    body = (
        Norm(WIDTH),
        Fixed(8, STEP, relu=False),
        Conv(WIDTH, WIDTH, 3, Anchors, pad=1),
        Fixed(8, 2 * STEP),
        Conv(WIDTH, WIDTH, 1, lambda: Integer(8), bias=True),
        Fixed(8, STEP, relu=False),
    )
    return [Residual(Chain(*body)), Fixed(8, STEP, relu=False)]


def network(images: Images) -> Chain:
    """A block between 8-bit layers."""
    side = (images.side - 2) // 2
    return Chain(
        Input(images.full),
        Conv(1, WIDTH, 3, lambda: Integer(8)),
        Norm(WIDTH),
        Fixed(8, STEP),
        *block(),
        Pool("AveragePool"),
        Fixed(8, STEP, relu=False),
        Flatten(),
        Dense(WIDTH * side**2, CLASSES, lambda: Integer(8)),
    )


FAMILY = Family(
    title="LBCNN",
    paper="Juefei-Xu et al. 2017, arXiv:1608.06049",
    idea="3x3 filters of -1, 0 and +1 are drawn once and stay; only the 1x1 sums of their maps are learned. "
    "What is fixed could be logic; what is learned has 8 bits.",
    dialect="QONNX: anchors as values, Quant of 8 bits on 1x1 weights and maps, Add for the shortcut",
    network=network,
)
