import torch
from torch import nn

from models.families.activations import Fixed, Sign
from models.families.estimators import polynomial_sign
from models.families.family import WIDTH, Family, Images
from models.families.layers import Chain, Conv, Layer, Norm, Residual
from models.families.residual import STEP, residual_network
from models.families.weights import Scaled
from models.families.writer import Writer


class Shift(Layer):
    """An offset per channel, learned."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(WIDTH, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.offset

    def write(self, writer: Writer, x: str) -> str:
        return writer.by("Add", x, self.offset[None].detach().numpy())


class PRelu(Layer):
    """A slope below zero per channel, learned."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.full((WIDTH, 1, 1), 0.25))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x >= 0, x, x * self.slope)

    def write(self, writer: Writer, x: str) -> str:
        return writer.node("PRelu", x, writer.constant(self.slope.detach().numpy()))

    def clip(self) -> None:
        self.slope.clamp_(min=0)


def block(kernel: int) -> list[Layer]:
    """RSign, a binary convolution, the shortcut, RPReLU."""
    conv = Conv(WIDTH, WIDTH, kernel, Scaled, pad=kernel // 2)
    body = Chain(Shift(), Sign("Sign", polynomial_sign), conv, Norm(WIDTH), Fixed(8, STEP, relu=False))
    return [Residual(body), Shift(), PRelu(), Shift(), Fixed(8, STEP, relu=False)]


def network(images: Images) -> Chain:
    """A block of 3x3 and one of 1x1, between 8-bit layers."""
    return residual_network(images, lambda: [*block(3), *block(1)])


FAMILY = Family(
    title="ReActNet",
    paper="Liu et al. 2020, arXiv:2003.03488",
    idea="Bi-Real blocks of 3x3 and 1x1 with learned offsets before each sign and around a PReLU. "
    "Offsets are thresholds; the PReLU requantises the residual.",
    dialect="Add, Sign; Add, PRelu, Add; residuals as Quant of 8 bits",
    network=network,
)
