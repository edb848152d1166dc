"""Quantisers of weights, with the gradients of their papers and the form in which they are exported."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.families.estimators import bipolar, fixed, through
from models.families.writer import Writer

Place = Callable[[NDArray[np.float32]], NDArray[np.float32]]
TWN_THRESHOLD = 0.7


def channels(w: torch.Tensor) -> tuple[int, ...]:
    """The axes of `w` (outputs first) that one output channel spans."""
    return tuple(range(1, w.ndim))


class Weights(nn.Module):
    """Float weights as they are; others say what becomes of them.

    Attributes
    ----------
    limit
        Latent weights are kept between -limit and +limit; None where they are free.
    """

    limit: float | None = None

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return w

    def drawn(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Weights to start from."""
        w = torch.empty(shape)
        nn.init.kaiming_uniform_(w, a=5**0.5)
        return w

    def write(self, writer: Writer, w: torch.Tensor, place: Place) -> str:
        """Writes the quantised weights; `place` brings an array to the order of axes that the layer needs.

        Most exporters fold the quantiser: the file then holds its values.
        """
        with torch.no_grad():
            return writer.constant(place(self(w).numpy()))

    def parts(self, writer: Writer, w: torch.Tensor, place: Place) -> list[str]:
        """Writes the weights as a sum of tensors, each of which gets a layer of its own."""
        return [self.write(writer, w, place)]


class Binary(Weights):
    """-1 and +1 (BinaryConnect, arXiv:1511.00363)."""

    limit = 1.0

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return through(w, bipolar(w))

    def drawn(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape).uniform_(-0.1, 0.1)  # near the cut: signs change easily in the beginning


class LarqSign(Binary):
    """-1 and +1 as tf2onnx writes Larq's ``ste_sign``: Sign, Add 0.1, Sign, on kernels in TensorFlow's order."""

    def write(self, writer: Writer, w: torch.Tensor, place: Place) -> str:
        convolution = w.ndim == 4
        stored = w.permute(2, 3, 1, 0) if convolution else w.T
        signs = writer.node("Sign", writer.constant(stored.numpy()))
        signs = writer.node("Sign", writer.by("Add", signs, 0.1))
        return writer.node("Transpose", signs, perm=[3, 2, 0, 1]) if convolution else signs


class Scaled(Weights):
    """Signs times the mean size of the channel's weights (XNOR-Net, arXiv:1603.05279)."""

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        alpha = w.abs().mean(channels(w), keepdim=True)
        return through(w.clamp(-1, 1), bipolar(w) * alpha)


class Integer(Weights):
    """Signed multiples of a scale, with a ``Quant`` node on the latent weights.

    Parameters
    ----------
    scale
        One for the tensor; None for the largest weight of each channel over the largest code.
    """

    def __init__(self, bits: int, scale: float | None = 2.0**-6) -> None:
        super().__init__()
        self.bits, self.scale = bits, scale

    def _scale(self, w: torch.Tensor) -> torch.Tensor:
        if self.scale is not None:
            return torch.tensor(self.scale)
        return w.detach().abs().amax(channels(w), keepdim=True) / (2 ** (self.bits - 1) - 1)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        scale, high = self._scale(w), 2 ** (self.bits - 1) - 1
        codes = (w / scale).round().clamp(-high - (self.scale is not None), high)
        return through(w, codes * scale)

    def write(self, writer: Writer, w: torch.Tensor, place: Place) -> str:
        scale = self._scale(w).numpy()
        stored = writer.constant(place(w.numpy()))
        return writer.quant(stored, place(scale) if scale.ndim else scale, self.bits, narrow=scale.ndim > 0)


class DoReFa(Weights):
    """k-bit weights from -1 to 1 after a tanh; one bit: signs times the layer's mean (arXiv:1606.06160)."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.steps = 2**bits - 1

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        if self.steps == 1:
            return through(w, bipolar(w) * w.abs().mean())
        bent = w.tanh()
        share = bent / (2 * bent.detach().abs().max()) + 0.5
        return 2 * fixed(share, 1 / self.steps, 0, self.steps) - 1


class Ternary(Weights):
    """-a, 0, +a: zero below 0.7 of the mean size, a the mean of the others (TWN, arXiv:1605.04711)."""

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        size = w.abs()
        kept = size > TWN_THRESHOLD * size.mean()
        scale = (size * kept).sum() / kept.sum().clamp(min=1)
        return through(w, bipolar(w) * kept * scale)


class TernaryConnect(Binary):
    """-1, 0, +1, drawn in training with the weight as expectation (arXiv:1510.03009); rounded afterwards."""

    def drawn(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape).uniform_(-1, 1)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        size = w.abs()
        kept = torch.rand_like(size) < size if self.training else size >= 0.5
        return through(w, bipolar(w) * kept)


class PowerOfTwo(Weights):
    """Signs times powers of two, so that a product is a shift.

    Parameters
    ----------
    low, high
        The smallest and largest exponent.
    """

    def __init__(self, low: int = -3, high: int = 0) -> None:
        super().__init__()
        self.low, self.high = low, high
        self.limit = 2.0**high

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        exponent = w.abs().clamp(min=2.0**self.low).log2().round().clamp(self.low, self.high)
        return through(w, bipolar(w) * 2**exponent)


class TrainedTernary(Weights):
    """-n, 0, +p with both magnitudes learned (TTQ, arXiv:1612.01064), here as multiples of 1/16 of the layer's unit."""

    def __init__(self) -> None:
        super().__init__()
        self.positive = nn.Parameter(torch.tensor(1.0))
        self.negative = nn.Parameter(torch.tensor(1.0))

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        cut = 0.05 * w.detach().abs().max()
        above, below = (w > cut).to(w.dtype), (w < -cut).to(w.dtype)
        magnitudes = [fixed(size, 1 / 16, 1, 31) for size in (self.positive, self.negative)]
        value = above * magnitudes[0] - below * magnitudes[1]
        # A weight's gradient is scaled by the magnitude that it takes; a magnitude's is the sum over its weights.
        factor = (above * magnitudes[0] + below * magnitudes[1] + (1 - above - below)).detach()
        latent = w * factor
        return value + latent - latent.detach() if torch.is_grad_enabled() else value


class Masked(Binary):
    """-1 and +1, of which the smallest are cut while training goes on (arXiv:1506.02626): a mask in the file.

    Parameters
    ----------
    keep
        The share that is left in the end.
    """

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = self.share = keep

    def mask(self, w: torch.Tensor) -> torch.Tensor:
        """1 where a weight is left."""
        size = w.detach().abs().flatten()
        left = max(1, round(self.share * size.numel()))
        return (w.detach().abs() >= size.topk(left).values[-1]).to(w.dtype)

    def prune(self, done: float) -> None:
        """Goes on to the share that is due when `done` of the training is over: all are cut at half time."""
        left = max(0.0, 1 - 2 * done)
        self.share = self.keep + (1 - self.keep) * left**3

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return through(w, bipolar(w)) * self.mask(w)

    def write(self, writer: Writer, w: torch.Tensor, place: Place) -> str:
        self.share = self.keep
        signs = writer.constant(place(bipolar(w).numpy()))
        return writer.by("Mul", signs, place(self.mask(w).numpy()))


class Clustered(Weights):
    """Each weight is one of a few values, the centroids of its layer (Deep Compression, arXiv:1510.00149).

    The file gathers them from the codebook, in which they are multiples of 1/64.
    """

    def __init__(self, values: int = 4) -> None:
        super().__init__()
        self.values = values

    def _codebook(self, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = w.detach().flatten()
        centroids = torch.linspace(float(flat.min()), float(flat.max()), self.values)
        for _ in range(10):
            index = (flat[:, None] - centroids).abs().argmin(1)
            counts = torch.bincount(index, minlength=self.values)
            sums = torch.zeros(self.values).index_add_(0, index, flat)
            centroids = torch.where(counts > 0, sums / counts.clamp(min=1), centroids)
        centroids = (centroids * 64).round() / 64
        return centroids, (flat[:, None] - centroids).abs().argmin(1).reshape(w.shape)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        centroids, index = self._codebook(w)
        return through(w, centroids[index])

    def write(self, writer: Writer, w: torch.Tensor, place: Place) -> str:
        centroids, index = self._codebook(w)
        codes = writer.constant(place(index.numpy()), np.int64)
        return writer.node("Gather", writer.constant(centroids.numpy()), codes, axis=0)


class Hashed(Weights):
    """A hash of its place says which of a few shared parameters a weight is, and its sign (arXiv:1504.04788).

    Parameters
    ----------
    share
        Parameters for each weight of the layer.
    """

    def __init__(self, share: float = 0.125) -> None:
        super().__init__()
        self.share = share
        self.shared = Integer(8)

    def drawn(self, shape: tuple[int, ...]) -> torch.Tensor:
        count = int(np.prod(shape))
        places = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: it wraps
        bucket = torch.from_numpy((places >> np.uint64(33)).astype(np.int64)) % max(2, round(count * self.share))
        signs = torch.from_numpy((places >> np.uint64(20)).astype(np.int64)) % 2 * 2 - 1
        self.bucket, self.signs = bucket.reshape(shape), signs.reshape(shape).float()
        bound = float(np.prod(shape[1:])) ** -0.5
        return torch.empty(int(bucket.max()) + 1).uniform_(-bound, bound)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return self.shared(w)[self.bucket] * self.signs

    def write(self, writer: Writer, w: torch.Tensor, place: Place) -> str:
        shared = self.shared.write(writer, w, lambda array: array)
        gathered = writer.node("Gather", shared, writer.constant(place(self.bucket.numpy()), np.int64), axis=0)
        return writer.by("Mul", gathered, place(self.signs.numpy()))


class Salient(Weights):
    """The largest weights in 8 bits, the others as signs times their mean size (PB-LLM, arXiv:2310.00034).

    Two layers in the file: their sum is the layer.

    Parameters
    ----------
    share
        Of the weights that keep 8 bits.
    """

    STEP = 2.0**-6

    def __init__(self, share: float = 0.1) -> None:
        super().__init__()
        self.share = share

    def _parts(self, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        size = w.detach().abs()
        salient = (size >= size.flatten().topk(max(1, round(self.share * size.numel()))).values[-1]).to(w.dtype)
        alpha = (size * (1 - salient)).sum() / (1 - salient).sum()
        alpha = (alpha / self.STEP).round().clamp(min=1) * self.STEP
        return bipolar(w) * alpha * (1 - salient), fixed(w.detach(), self.STEP, -128, 127) * salient

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        binary, salient = self._parts(w)
        return through(w, binary + salient)

    def parts(self, writer: Writer, w: torch.Tensor, place: Place) -> list[str]:
        binary, salient = self._parts(w)
        stored = writer.constant(place(salient.numpy()))
        return [writer.constant(place(binary.numpy())), writer.quant(stored, self.STEP, 8)]
