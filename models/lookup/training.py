"""Trains a lookup-table network by its recipe. Seeded: on one machine and one version of torch it repeats exactly."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.datasets import Split
from models.lookup.encoding import distributive, live
from models.lookup.layers import LookupTables, Network
from models.lookup.network import Encoder, LookupLayer, LookupNetwork, groups
from models.lookup.recipe import Recipe

MOMENTUM = 0.9
LEAST = 0.01  # of a rate, at the end of its cosine
WIRED = 0.8  # of the steps: then the wiring stays, and tables alone are learnt, in a quarter of the time
SOFTNESS = 2.0  # temperature of what the teacher says
TAUGHT = 0.7  # of the loss is the distance to the teacher


class Samples:
    """Training samples as bits, moved about where they are images.

    Parameters
    ----------
    split
        (N, ...) samples; those of images end in rows and columns.
    """

    def __init__(self, split: Split, recipe: Recipe, teacher: nn.Module | None) -> None:
        self._shift, self._noise, self._teacher = recipe.shift, recipe.noise, teacher
        self._x, self._labels = torch.from_numpy(split.x), torch.from_numpy(split.y)
        features = split.x.reshape(len(split.x), -1)
        if isinstance(recipe.levels, int):
            self.thresholds = distributive(features, recipe.levels)
        else:
            self.thresholds = np.tile(np.array(recipe.levels, np.float32), (features.shape[1], 1))
        self._cuts = torch.from_numpy(self.thresholds)
        self.used = live(features[:, :, None] >= self.thresholds)

    def __len__(self) -> int:
        return len(self._labels)

    def batch(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Bits (B, n), labels (n,), and what the teacher says of the samples `chosen`, (n, classes)."""
        x, soft = self._x[chosen], None
        if self._shift:
            x = moved(x, torch.randint(0, (2 * self._shift + 1) ** 2, (len(chosen),)), self._shift)
        if self._noise:
            x = x + self._noise * torch.randn(x.shape)
        if self._teacher is not None:
            with torch.no_grad():
                soft = functional.softmax(self._teacher(x) / SOFTNESS, 1)
        return self.bits(x), self._labels[chosen], soft

    def bits(self, x: torch.Tensor) -> torch.Tensor:
        """The used bits of samples (n, ...), as (B, n) float32."""
        bits = x.reshape(len(x), -1, 1) >= self._cuts
        return bits.view(len(x), -1)[:, self.used].t().float().contiguous()


def moved(images: torch.Tensor, moves: torch.Tensor, shift: int) -> torch.Tensor:
    """Images (n, .., rows, columns), each by its own of the (2 * shift + 1)**2 moves; edges wrap round."""
    result = torch.empty_like(images)
    for move in range((2 * shift + 1) ** 2):
        those = moves == move
        down, right = divmod(move, 2 * shift + 1)
        result[those] = images[those].roll((down - shift, right - shift), (-2, -1))
    return result


def train(recipe: Recipe, split: Split, classes: int) -> LookupNetwork:
    """The trained network of integers; progress goes to standard output."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)
    teacher = _teacher(recipe, split, classes) if recipe.teacher else None
    samples = Samples(split, recipe, teacher)
    net = Network(len(samples.used), recipe.sizes, recipe.k, classes, recipe.temperature)
    _fit(net, recipe, samples)
    first, *rest = (_layer(layer) for layer in net.layers)
    read, wiring = np.unique(first.wiring, return_inverse=True)
    return LookupNetwork(
        split.x.shape[1:],
        Encoder(samples.thresholds, samples.used[read]),
        (LookupLayer(wiring.reshape(first.wiring.shape), first.tables), *rest),
        groups(recipe.sizes[-1], classes),
    )


def _fit(net: Network, recipe: Recipe, samples: Samples) -> None:
    scores = [layer.scores for layer in net.layers]
    of_tables = torch.optim.Adam([layer.tables for layer in net.layers], lr=recipe.rate)
    of_wiring = torch.optim.SGD(scores, lr=recipe.wiring_rate, momentum=MOMENTUM)
    size = min(recipe.batch, len(samples))
    batches = len(samples) // size
    steps, step, started = recipe.epochs * batches, 0, time.time()
    for epoch in range(recipe.epochs):
        total = right = 0.0
        for chosen in torch.randperm(len(samples))[: batches * size].split(size):
            done = step / steps
            of_tables.param_groups[0]["lr"] = recipe.rate * _cosine(done)
            of_wiring.param_groups[0]["lr"] = recipe.wiring_rate * _cosine(done / WIRED)
            rewire = step % recipe.wiring_every == 0 and done < WIRED
            for score in scores:
                score.requires_grad_(rewire)
            bits, labels, soft = samples.batch(chosen)
            logits = net(bits)
            loss = functional.cross_entropy(logits, labels)
            if soft is not None:
                distance = functional.kl_div(functional.log_softmax(logits / SOFTNESS, 1), soft, reduction="batchmean")
                loss = (1 - TAUGHT) * loss + TAUGHT * SOFTNESS**2 * distance
            if recipe.entropy:
                loss = loss + recipe.entropy * sum(sensitivity(layer.tables) for layer in net.layers)
            net.zero_grad()
            loss.backward()
            of_tables.step()
            for layer in net.layers:
                layer.tables.data.clamp_(-1, 1)
            if rewire:
                of_wiring.step()
                for layer in net.layers:
                    layer.choose()
            total += float(loss.detach())
            right += float((logits.argmax(1) == labels).sum())
            step += 1
        name = f"{recipe.title} epoch {epoch + 1}/{recipe.epochs} loss {total / batches:.4f}"
        print(f"{name} right {right / batches / size:.2%} {time.time() - started:.0f} s", flush=True)


def _cosine(done: float) -> float:
    """What is left of a rate when a share of its steps is done."""
    return LEAST + (1 - LEAST) * (0.5 + 0.5 * math.cos(math.pi * min(done, 1.0)))


def sensitivity(tables: torch.Tensor) -> torch.Tensor:
    """How far latent tables (M, 2**k) are from ones that read none of their inputs: 0 for these.

    The mean over nodes of the sum over inputs of the mean square of half the latent finite difference.
    """
    addresses = torch.arange(tables.shape[1])
    k = tables.shape[1].bit_length() - 1
    return sum(
        ((tables[:, addresses | 1 << j] - tables[:, addresses & ~(1 << j)]) / 2).square().mean() for j in range(k)
    )


def _layer(layer: LookupTables) -> LookupLayer:
    tables = (layer.tables.detach() >= 0).numpy().astype(np.uint8)
    return LookupLayer(layer.index.numpy(), tables)


def _teacher(recipe: Recipe, split: Split, classes: int) -> nn.Module:
    """A float perceptron, trained on the samples, moved about as the network's are."""
    sizes = [int(np.prod(split.x.shape[1:])), *recipe.teacher]
    scale = 1 / max(1.0, float(np.abs(split.x).max()))
    parts: list[nn.Module] = [nn.Flatten()]
    for before, after in zip(sizes, sizes[1:], strict=False):
        parts += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()]
    net = nn.Sequential(*parts, nn.Linear(sizes[-1], classes))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    x, y = torch.from_numpy(split.x * np.float32(scale)), torch.from_numpy(split.y)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.teacher_epochs)
    for epoch in range(recipe.teacher_epochs):
        for chosen in torch.randperm(len(y)).split(recipe.batch):
            inputs = x[chosen]
            if recipe.shift:
                moves = torch.randint(0, (2 * recipe.shift + 1) ** 2, (len(chosen),))
                inputs = moved(inputs, moves, recipe.shift)
            loss = functional.cross_entropy(net(inputs), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        print(f"teacher epoch {epoch + 1}/{recipe.teacher_epochs} loss {float(loss.detach()):.4f}", flush=True)
    return _Scaled(net.eval(), scale)


class _Scaled(nn.Module):
    def __init__(self, net: nn.Module, scale: float) -> None:
        super().__init__()
        self._net, self._scale = net, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._net(x * self._scale)


def accuracy(network: LookupNetwork, split: Split) -> float:
    """Share of right answers; the first of several equal scores counts."""
    return float((network.scores(split.x).argmax(axis=1) == split.y).mean())


def held_out(split: Split, seed: int, share: int = 6) -> tuple[Split, Split]:
    """A training and a validation part, one in `share` samples, of the training samples."""
    order: NDArray[np.int64] = np.random.default_rng(seed).permutation(len(split.y))
    count = len(order) // share
    return Split(split.x[order[count:]], split.y[order[count:]]), Split(split.x[order[:count]], split.y[order[:count]])
