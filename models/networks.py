"""The networks that are shipped, in Brevitas: dense and convolutional ones, and the float ones that teach them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from brevitas.core.bit_width import BitWidthImplType
from brevitas.core.quant import QuantType
from brevitas.core.restrict_val import FloatToIntImplType, RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import nn

KERNEL = 3
FLOAT = 0  # bits of weights that are not quantised
SMALLEST_SCALE = 0.01  # of a batch normalisation before a pool

# Output channels of convolutions; a pool of 2 x 2 lies between two groups.
Stages = tuple[tuple[int, ...], ...]


def quantiser(solver: type, bits: int, **settings: object) -> type:
    """A Brevitas quantiser with constant scale: one bit is bipolar, two bits narrow are ternary."""

    class Quantiser(solver):  # type: ignore[misc, valid-type]
        quant_type = QuantType.BINARY if bits == 1 else QuantType.INT
        bit_width = bits
        bit_width_impl_type = BitWidthImplType.CONST
        scaling_impl_type = ScalingImplType.CONST
        restrict_scaling_type = RestrictValueType.FP
        zero_point_impl = ZeroZeroPoint
        float_to_int_impl_type = FloatToIntImplType.ROUND
        scaling_per_output_channel = False
        narrow_range = True
        signed = True

    return Quantiser.let(**settings)


def weights(bits: int) -> type:
    """Weights -1 and +1, or -1, 0 and +1."""
    return quantiser(WeightQuantSolver, bits, scaling_const=1.0)


def activations(bits: int) -> type:
    """Levels from -1 to +1, as many below zero as above."""
    return quantiser(ActQuantSolver, bits, min_val=-1.0, max_val=1.0)


def fixed_point(bits: int) -> type:
    """All codes of a signed number with `bits` - 1 bits after the point: sums of them are exact in float32."""
    return quantiser(ActQuantSolver, bits, min_val=-1.0, max_val=1 - 2.0 ** (1 - bits), narrow_range=False)


class Sign(torch.autograd.Function):
    """-1 or +1; the gradient passes where the input is between them."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, x: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(x)
        return (x >= 0).to(x.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten.hardtanh_backward(gradient, *context.saved_tensors, -1, 1)


class Bipolar(nn.Module):
    """What `activations(1)` does, in a fourth of its time, which large maps make worth having."""

    def __init__(self) -> None:  # Brevitas looks at its arguments
        super().__init__()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, scale, zero point and bits."""
        one = torch.ones(())
        return Sign.apply(x), one, torch.zeros(()), one


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a model is trained, whatever its layers are."""

    title: str
    epochs: int
    batch: int = 256
    rate: float = 4e-3
    seed: int = 1
    shift: int = 0  # images move by up to so many pixels
    mirror: bool = False  # every other image is mirrored
    teacher_epochs: int = 25


@dataclass(frozen=True, kw_only=True)
class Recipe(Training):
    """A dense network and how to train it."""

    sizes: tuple[int, ...]
    weight_bits: int
    activation_bits: int
    input_bits: int
    input_scale: float  # the graph computes 2 * input / input_scale - 1 before the first quantiser
    teacher: tuple[int, ...] = ()
    fan_in: int = 0  # so many weights of each hidden neuron stay, the others become zero; 0 for all
    pruning_epochs: int = 25

    def network(self) -> Perceptron:
        return Perceptron(self)

    def dense_network(self) -> Perceptron:
        """The network before its weights are pruned and quantised."""
        return Perceptron(replace(self, weight_bits=FLOAT))

    def float_network(self) -> nn.Module | None:
        """A float network whose outputs soften the labels (Hinton et al. 2015, arXiv:1503.02531)."""
        if not self.teacher:
            return None
        layers: list[nn.Module] = [nn.Flatten()]
        sizes = (self.sizes[0], *self.teacher)
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), nn.BatchNorm1d(fan_out), nn.ReLU(), nn.Dropout(0.3)]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], self.sizes[-1]))


@dataclass(frozen=True, kw_only=True)
class ConvRecipe(Training):
    """A convolutional network with binary weights and activations, and how to train it."""

    shape: tuple[int, int, int]  # channels, height and width of an image; it is square
    stages: Stages
    sizes: tuple[int, ...]  # outputs of the dense layers
    input_bits: int
    input_scale: float  # as in Recipe
    teacher: Stages = ()

    def network(self) -> Quantised:
        return ConvNet(self)

    def float_network(self) -> nn.Module | None:
        """As in Recipe; its convolutions are padded."""
        if not self.teacher:
            return None
        channels, side, _ = self.shape
        # The middle of the range is 0, as it is for the quantised network.
        layers: list[nn.Module] = [Centred(self.input_scale)]
        for k, stage in enumerate(self.teacher):
            if k:
                layers.append(nn.MaxPool2d(2))
                side //= 2
            for width in stage:
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
        return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels * side**2, self.sizes[-1]))


class Centred(nn.Module):
    """Moves inputs from 0..scale to -1..1."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.scale != 1:
            x = x / self.scale
        return 2.0 * x - 1.0


class Quantised(nn.Module):
    """Quantised layers; the last one's outputs are scaled by one factor."""

    def __init__(self, input_scale: float, layers: list[nn.Module], fan_in: int) -> None:
        super().__init__()
        self.centred = Centred(input_scale)
        self.layers = nn.Sequential(*layers)
        self.gain = nn.Parameter(torch.tensor(3.0 / fan_in**0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(self.centred(x)) * self.gain

    def clip(self) -> None:
        """Keeps the latent weights where their gradient still reaches them."""
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, QuantLinear | QuantConv2d):
                    module.weight.clamp_(-1, 1)
                elif isinstance(module, ConvBlock):
                    module.clip()


class Perceptron(Quantised):
    """Quantised dense layers with batch normalisation. Those of the hidden neurons can be pruned."""

    def __init__(self, recipe: Recipe) -> None:
        first = QuantIdentity(act_quant=activations(recipe.input_bits))
        super().__init__(
            recipe.input_scale,
            [first, *dense(recipe.sizes, recipe.weight_bits, recipe.activation_bits)],
            recipe.sizes[-2],
        )
        *self._hidden, _ = (module for module in self.layers if isinstance(module, QuantLinear))
        self._kept: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.flatten(x, 1))

    def clip(self) -> None:
        super().clip()
        with torch.no_grad():
            for layer, kept in zip(self._hidden, self._kept, strict=False):
                layer.weight.mul_(kept)

    def prune(self, fan_in: int) -> None:
        """Keeps the `fan_in` largest weights of each hidden neuron."""
        self._kept = []
        for layer in self._hidden:
            sizes = layer.weight.detach().abs()
            least = sizes.topk(min(fan_in, sizes.shape[1]), dim=1).values[:, -1:]
            self._kept.append((sizes >= least) & (sizes > 0))
        self.clip()

    def start_from(self, dense: Perceptron) -> None:
        """Takes over a pruned network; its weights are scaled to lie between those that become 0 and 1."""
        self.load_state_dict(dense.state_dict())
        self._kept = dense._kept
        with torch.no_grad():
            for module in self.layers:
                if isinstance(module, QuantLinear):
                    sizes = module.weight.abs()
                    module.weight.mul_(0.75 * (sizes > 0).sum(1, keepdim=True) / sizes.sum(1, keepdim=True))
        self.clip()


class ConvBlock(nn.Module):
    """A binary convolution, batch normalisation, the sign, and maybe a pool on its bits.

    Scales of the normalisation are kept positive, so that the largest accumulator gives the largest bit. Training
    therefore pools accumulators: the gradient then knows which of the four decided.
    """

    def __init__(self, channels: int, width: int, *, pooled: bool) -> None:
        super().__init__()
        self.conv = drawn(QuantConv2d(channels, width, KERNEL, bias=False, weight_quant=weights(1)))
        self.norm = nn.BatchNorm2d(width)
        self.sign = QuantIdentity(
            act_quant=quantiser(ActQuantSolver, 1, min_val=-1.0, max_val=1.0, tensor_quant=Bipolar)
        )
        self.pool = nn.MaxPool2d(2) if pooled else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return self.sign(self.norm(self.pool(self.conv(x))))
        return self.pool(self.sign(self.norm(self.conv(x))))

    def clip(self) -> None:
        self.norm.weight.clamp_(min=SMALLEST_SCALE)


class ConvNet(Quantised):
    """Binary convolutions without padding, pools between the stages, then dense layers."""

    def __init__(self, recipe: ConvRecipe) -> None:
        channels, side, _ = recipe.shape
        layers: list[nn.Module] = [QuantIdentity(act_quant=fixed_point(recipe.input_bits))]
        for number, stage in enumerate(recipe.stages, 1):
            for k, width in enumerate(stage, 1):
                pooled = number < len(recipe.stages) and k == len(stage)
                layers.append(ConvBlock(channels, width, pooled=pooled))
                channels, side = width, (side - KERNEL + 1) // (2 if pooled else 1)
        sizes = (channels * side**2, *recipe.sizes)
        layers += [nn.Flatten(), *dense(sizes, weight_bits=1, activation_bits=1)]
        super().__init__(recipe.input_scale, layers, sizes[-2])


def dense(sizes: tuple[int, ...], weight_bits: int, activation_bits: int) -> list[nn.Module]:
    """Dense layers with `sizes` values before, between and after them; the last one is bare."""
    layers: list[nn.Module] = []
    for k, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        if weight_bits == FLOAT:
            layers.append(QuantLinear(fan_in, fan_out, bias=False, weight_quant=None))
            nn.init.normal_(layers[-1].weight, std=fan_in**-0.5)
        else:
            layers.append(drawn(QuantLinear(fan_in, fan_out, bias=False, weight_quant=weights(weight_bits))))
        if k < len(sizes) - 2:
            layers += [nn.BatchNorm1d(fan_out), QuantIdentity(act_quant=activations(activation_bits))]
    return layers


def drawn(layer: QuantLinear | QuantConv2d) -> QuantLinear | QuantConv2d:
    """`layer` with latent weights anywhere between -1 and +1."""
    nn.init.uniform_(layer.weight, -1, 1)
    return layer
