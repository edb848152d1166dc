import torch
from torch import nn

from models.families.activations import Input, Sign
from models.families.estimators import bipolar, through
from models.families.family import CLASSES, WIDTH, Family, Images
from models.families.layers import Chain, Conv, Dense, Flatten, Layer, Norm, Pool
from models.families.weights import Integer
from models.families.writer import Writer

BASES = 3


class Bases(Layer):
    """A convolution of a few signs of its input with a few signs of its weights, each pair with a factor.

    Weights are sum(a[m] * sign(w - mean + u[m] * std)) with the factors of least squares, inputs
    sum(b[n] * sign(clip(x + v[n], 0, 1) - 1/2)) with learned factors and offsets.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) * 0.1)
        self.shifts = torch.linspace(-1, 1, BASES)
        self.offsets = nn.Parameter(torch.linspace(-0.6, 0.7, BASES))
        self.factors = nn.Parameter(torch.ones(BASES))

    def bases(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The weights' signs (bases, ...), and their factors."""
        w = self.weight.detach()
        signs = torch.stack([bipolar(w - w.mean() + shift * w.std()) for shift in self.shifts])
        return signs, torch.linalg.lstsq(signs.flatten(1).T, w.flatten()[:, None]).solution[:, 0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        signs, sizes = self.bases()
        weight = through(self.weight, torch.tensordot(sizes, signs, 1))
        inputs = 0.0
        for factor, offset in zip(self.factors, self.offsets, strict=True):
            share = (x + offset).clamp(0, 1)
            inputs = inputs + factor * through(2 * share - 1, bipolar(share - 0.5))
        return nn.functional.conv2d(inputs, weight)

    def write(self, writer: Writer, x: str) -> str:
        signs, sizes = self.bases()
        names = [writer.constant(sign.numpy()) for sign in signs]
        kernel = list(signs.shape[3:])
        terms = []
        for factor, offset in zip(self.factors.tolist(), self.offsets.tolist(), strict=True):
            share = writer.node("Clip", writer.by("Add", x, offset), writer.constant(0.0), writer.constant(1.0))
            bits = writer.bipolar(writer.by("Sub", share, 0.5))
            for sign, size in zip(names, sizes.tolist(), strict=True):
                conv = writer.node("Conv", bits, sign, kernel_shape=kernel)
                terms.append(writer.by("Mul", conv, factor * size))
        return writer.node("Sum", *terms)


def network(images: Images) -> Chain:
    """The hidden convolution in bases, between 8-bit layers."""
    side = (images.side - 4) // 2
    return Chain(
        Input(images.full),
        Conv(1, WIDTH, 3, lambda: Integer(8)),
        Norm(WIDTH),
        Bases(WIDTH, WIDTH, 3),
        Norm(WIDTH),
        Sign(),
        Pool("MaxPool"),
        Flatten(),
        Dense(WIDTH * side**2, CLASSES, lambda: Integer(8)),
    )


FAMILY = Family(
    title="ABC-Net",
    paper="Lin et al. 2017, arXiv:1711.11294",
    idea="Weights and activations are sums of three signs each, with factors: nine binary convolutions. "
    "Nine arrays, and adders for their sums.",
    dialect="nine convolutions, each with a Mul, and a Sum; Add, Clip, Sub, BipolarQuant for each base of activations",
    network=network,
)
