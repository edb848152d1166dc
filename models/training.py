"""What the four train.py share: quantised perceptrons in Brevitas, their training, export and golden outputs.

Needs the extra ``train`` (torch, brevitas). Training is seeded; on one machine and one version of torch it repeats
exactly.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from brevitas.core.bit_width import BitWidthImplType
from brevitas.core.quant import QuantType
from brevitas.core.restrict_val import FloatToIntImplType, RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.export import export_qonnx
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import nn
from torch.nn import functional


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


@dataclass(frozen=True)
class Recipe:
    """A model and how to train it."""

    title: str
    sizes: tuple[int, ...]
    weight_bits: int
    activation_bits: int
    input_bits: int
    input_scale: float  # the graph computes 2 * input / input_scale - 1 before the first quantiser
    epochs: int
    batch: int = 256
    rate: float = 4e-3
    seed: int = 1
    teacher: tuple[int, ...] = ()
    shift: int = 0


class Perceptron(nn.Module):
    """Quantised dense layers with batch normalisation; the last one's outputs are scaled by one factor."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        weight = quantiser(WeightQuantSolver, recipe.weight_bits, scaling_const=1.0)
        activation = quantiser(ActQuantSolver, recipe.activation_bits, min_val=-1.0, max_val=1.0)
        first = quantiser(ActQuantSolver, recipe.input_bits, min_val=-1.0, max_val=1.0)
        self.input_scale = recipe.input_scale
        layers: list[nn.Module] = [QuantIdentity(act_quant=first)]
        for k, (fan_in, fan_out) in enumerate(zip(recipe.sizes, recipe.sizes[1:], strict=False)):
            layers.append(QuantLinear(fan_in, fan_out, bias=False, weight_quant=weight))
            nn.init.uniform_(layers[-1].weight, -1, 1)
            if k < len(recipe.sizes) - 2:
                layers += [nn.BatchNorm1d(fan_out), QuantIdentity(act_quant=activation)]
        self.layers = nn.Sequential(*layers)
        self.gain = nn.Parameter(torch.tensor(3.0 / recipe.sizes[-2] ** 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.flatten(x, 1)
        if self.input_scale != 1:
            x = x / self.input_scale
        return self.layers(2.0 * x - 1.0) * self.gain

    def clip(self) -> None:
        """Keeps the latent weights where their gradient still reaches them."""
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, QuantLinear):
                    module.weight.clamp_(-1, 1)


@dataclass(frozen=True)
class Data:
    """Images as the model takes them, and labels; the test set is looked at once, at the end."""

    train_x: torch.Tensor
    train_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor


def mnist(folder: Path) -> Data:
    """MNIST from the four idx files, pixels / 255, shape (N, 1, 28, 28)."""

    def read(name: str, header: int, *shape: int) -> np.ndarray:
        with gzip.open(folder / f"{name}.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header).reshape(-1, *shape)

    def images(name: str) -> torch.Tensor:
        return torch.tensor(read(f"{name}-images-idx3-ubyte", 16, 1, 28, 28).astype(np.float32) / np.float32(255))

    def labels(name: str) -> torch.Tensor:
        return torch.tensor(read(f"{name}-labels-idx1-ubyte", 8).astype(np.int64))

    return Data(images("train"), labels("train"), images("t10k"), labels("t10k"))


def digits() -> Data:
    """scikit-learn's digits, raw pixels 0..16, shape (N, 64); every fifth sample is for the test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x, y = torch.tensor(bunch.data, dtype=torch.float32), torch.tensor(bunch.target, dtype=torch.int64)
    test = torch.arange(len(x)) % 5 == 0
    return Data(x[~test], y[~test], x[test], y[test])


def teacher_logits(recipe: Recipe, data: Data, epochs: int = 25) -> nn.Module:
    """A float network whose outputs soften the labels (Hinton et al. 2015, arXiv:1503.02531)."""
    layers: list[nn.Module] = [nn.Flatten()]
    sizes = (recipe.sizes[0], *recipe.teacher)
    for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.BatchNorm1d(fan_out), nn.ReLU(), nn.Dropout(0.3)]
    net = nn.Sequential(*layers, nn.Linear(sizes[-1], recipe.sizes[-1]))
    fit(net, recipe, data, epochs=epochs, rate=2e-3, teacher=None, name="teacher")
    return net.eval()


def shifted(x: torch.Tensor, most: int) -> torch.Tensor:
    """Images moved by up to `most` pixels, each by its own distance."""
    if most == 0:
        return x
    padded = functional.pad(x, (most,) * 4)
    size = x.shape[-1]
    moved = torch.empty_like(x)
    where = torch.randint(0, (2 * most + 1) ** 2, (len(x),))
    for place in range((2 * most + 1) ** 2):
        down, right = divmod(place, 2 * most + 1)
        chosen = where == place
        moved[chosen] = padded[chosen][..., down : down + size, right : right + size]
    return moved


def fit(
    net: nn.Module, recipe: Recipe, data: Data, *, epochs: int, rate: float, teacher: nn.Module | None, name: str
) -> None:
    """Adam with a cosine schedule; the loss is cross entropy, averaged with the distance to the teacher."""
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    steps = -(-len(data.train_x) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps, pct_start=0.1)
    started = time.time()
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for chosen in torch.randperm(len(data.train_x)).split(recipe.batch):
            x, y = shifted(data.train_x[chosen], recipe.shift), data.train_y[chosen]
            logits = net(x)
            loss = functional.cross_entropy(logits, y, label_smoothing=0.0 if teacher else 0.05)
            if teacher is not None:
                with torch.no_grad():
                    soft = functional.softmax(teacher(x) / 2, 1)
                loss = 0.3 * loss + 0.7 * 4 * functional.kl_div(
                    functional.log_softmax(logits / 2, 1), soft, reduction="batchmean"
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if isinstance(net, Perceptron):
                net.clip()
            total += float(loss.detach())
        print(f"{name} epoch {epoch + 1}/{epochs} loss {total / steps:.4f} {time.time() - started:.0f} s", flush=True)


def accuracy(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Share of right answers."""
    net.eval()
    with torch.no_grad():
        return float((torch.cat([net(part).argmax(1) for part in x.split(1000)]) == y).float().mean())


def train(recipe: Recipe, data: Data, folder: Path) -> None:
    """Trains, exports and measures one model into `folder`."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)  # layers this small lose more to a second thread than they gain
    teacher = teacher_logits(recipe, data) if recipe.teacher else None
    if teacher is not None:
        print(f"teacher: {accuracy(teacher, data.test_x, data.test_y):.4f}", flush=True)
    net = Perceptron(recipe)
    fit(net, recipe, data, epochs=recipe.epochs, rate=recipe.rate, teacher=teacher, name=recipe.title)
    found = accuracy(net, data.test_x, data.test_y)
    print(f"{recipe.title}: {found:.4f} on {len(data.test_x)} test images", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    example = data.test_x[:1]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        export_qonnx(net.eval(), args=example, export_path=str(path))
        # The exporter may leave the weights in a second file; one file is easier to hand on.
        onnx.save(onnx.load(path), folder / "model.onnx", save_as_external_data=False)


def main(recipe: Recipe, folder: Path, *, needs_mnist: bool) -> None:
    """The command line of a train.py."""
    parser = argparse.ArgumentParser(description=f"Trains {recipe.title}.")
    parser.add_argument("-o", "--output", type=Path, default=folder, help="folder for model.onnx (default: this one)")
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--seed", type=int, default=recipe.seed)
    if needs_mnist:
        default = folder.parents[1].parent / "shared" / "data" / "mnist"
        parser.add_argument("--data", type=Path, default=default, help="folder of MNIST's four .gz files")
    options = parser.parse_args()
    chosen = Recipe(**{**recipe.__dict__, "epochs": options.epochs, "seed": options.seed})
    try:
        train(chosen, mnist(options.data) if needs_mnist else digits(), options.output)
    except FileNotFoundError as error:
        sys.exit(f"train: {error}")
    print(json.dumps({"model": str(options.output / "model.onnx"), "seed": chosen.seed, "epochs": chosen.epochs}))
