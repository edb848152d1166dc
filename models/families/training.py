"""The training loop, one for all families."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.datasets import Data
from models.families.family import Family, Images, Loss, adam
from models.families.layers import Chain, Layer

TEACHER_RATE, TEACHER_EPOCHS = 3e-3, 60
TEMPERATURE = 4.0


def shifted(x: torch.Tensor) -> torch.Tensor:
    """Each image moved by up to one pixel."""
    padded = functional.pad(x, (1, 1, 1, 1))
    side = x.shape[-1]
    down, right = torch.randint(0, 3, (2, len(x), 1))
    rows = (down + torch.arange(side))[:, None, :, None]
    columns = (right + torch.arange(side))[:, None, None, :]
    return padded[torch.arange(len(x))[:, None, None, None], 0, rows, columns]


def fit(
    net: Layer,
    data: Data,
    optimisers: Sequence[torch.optim.Optimizer],
    loss_of: Loss,
    *,
    epochs: int,
    batch: int,
    each_step: Callable[[Layer, float], None] | None = None,
) -> None:
    """A cosine schedule over all steps; one line when it is done."""
    inputs, labels = torch.from_numpy(data.train.x), torch.from_numpy(data.train.y)
    steps = epochs * -(-len(inputs) // batch)
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps) for optimiser in optimisers]
    layers = [module for module in net.modules() if isinstance(module, Layer)]
    started, done, total = time.monotonic(), 0, 0.0
    for _ in range(epochs):
        net.train()
        total = 0.0
        for chosen in torch.randperm(len(inputs)).split(batch):
            x, y = shifted(inputs[chosen]), labels[chosen]
            loss = loss_of(net(x), y, x)
            for optimiser in optimisers:
                optimiser.zero_grad()
            loss.backward()
            for optimiser, schedule in zip(optimisers, schedules, strict=True):
                optimiser.step()
                schedule.step()
            done += 1
            with torch.no_grad():
                for layer in layers:
                    layer.clip()
                if each_step is not None:
                    each_step(net, done / steps)
            total += float(loss.detach())
    print(f"loss {total * batch / len(inputs):.3f}, {time.monotonic() - started:.0f} s", flush=True)


def logits(net: Layer, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the trained network gives, (N, classes)."""
    net.eval()
    with torch.no_grad():
        return torch.cat([net(part) for part in torch.from_numpy(x).split(1000)]).numpy()


def train(family: Family, images: Images, data: Data, *, epochs: int | None, seed: int) -> Chain:
    """The trained network of a family. On one machine and one version of torch it repeats exactly."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # layers this small lose more to a second thread than they gain
    loss = family.loss
    if family.teacher is not None:
        teacher = family.teacher(images)
        fit(teacher, data, adam(teacher, TEACHER_RATE), loss, epochs=epochs or TEACHER_EPOCHS, batch=family.batch)
        loss = distilled(teacher)
    net = family.network(images)
    optimisers = family.optimisers(net, family.rate)
    settings = {"epochs": epochs or family.epochs, "batch": family.batch, "each_step": family.each_step}
    fit(net, data, optimisers, loss, **settings)
    return net


def distilled(teacher: Layer) -> Loss:
    """The loss of a student: the distance to the teacher's softened answers, with a third of the labels' own."""
    teacher.eval()

    def loss(logits: torch.Tensor, labels: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            soft = functional.softmax(teacher(x) / TEMPERATURE, 1)
        student = functional.log_softmax(logits / TEMPERATURE, 1)
        distance = functional.kl_div(student, soft, reduction="batchmean")
        return 0.3 * functional.cross_entropy(logits, labels) + 0.7 * TEMPERATURE**2 * distance

    return loss
