"""What every train.py shares: the training of a recipe's network, its export, and the command line.

Needs the extra ``train`` (torch, brevitas). Training is seeded; on one machine and one version of torch it repeats
exactly.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import torch
from brevitas.export import export_qonnx
from datasets import Data, source_of
from networks import ConvRecipe, Perceptron, Quantised, Recipe
from torch import nn
from torch.nn import functional

PRUNING_SHARE = 0.75  # of the steps before quantisation: then all weights that are to go are gone


def augmented(x: torch.Tensor, recipe: Recipe | ConvRecipe) -> torch.Tensor:
    """Images (N, channels, height, width), each moved and mirrored by its own luck."""
    if recipe.mirror:
        x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x, x.flip(3))
    if recipe.shift == 0:
        return x
    places = 2 * recipe.shift + 1
    padded = functional.pad(x, (recipe.shift,) * 4)
    size = x.shape[-1]
    moved = torch.empty_like(x)
    where = torch.randint(0, places**2, (len(x),))
    for place in range(places**2):
        down, right = divmod(place, places)
        chosen = where == place
        moved[chosen] = padded[chosen][..., down : down + size, right : right + size]
    return moved


def fit(
    net: nn.Module,
    recipe: Recipe | ConvRecipe,
    data: Data,
    *,
    epochs: int,
    rate: float,
    teacher: nn.Module | None,
    name: str,
    each_step: Callable[[float], None] | None = None,
) -> None:
    """Adam with a cosine schedule; the loss is cross entropy, averaged with the distance to the teacher.

    `each_step` is called after every step, with the share of the steps that is done.
    """
    net.to(memory_format=torch.channels_last)  # what convolutions are fastest in
    inputs, labels = torch.from_numpy(data.train.x), torch.from_numpy(data.train.y)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    steps = -(-len(inputs) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps, pct_start=0.1)
    started = time.time()
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for chosen in torch.randperm(len(inputs)).split(recipe.batch):
            x, y = augmented(inputs[chosen], recipe), labels[chosen]
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
            if isinstance(net, Quantised):
                net.clip()
            if each_step is not None:
                each_step(schedule.last_epoch / (epochs * steps))
            total += float(loss.detach())
        print(f"{name} epoch {epoch + 1}/{epochs} loss {total / steps:.4f} {time.time() - started:.0f} s", flush=True)


def accuracy(net: nn.Module, data: Data) -> float:
    """Share of right answers on the test set."""
    net.eval()
    with torch.no_grad():
        found = torch.cat([net(part).argmax(1) for part in torch.from_numpy(data.test.x).split(1000)])
    return float((found == torch.from_numpy(data.test.y)).float().mean())


def train(recipe: Recipe | ConvRecipe, data: Data, folder: Path) -> None:
    """Trains, exports and measures one model into `folder`."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)  # layers this small lose more to a second thread than they gain
    teacher = recipe.float_network()
    if teacher is not None:
        fit(teacher, recipe, data, epochs=recipe.teacher_epochs, rate=2e-3, teacher=None, name="teacher")
        print(f"teacher: {accuracy(teacher, data):.4f}", flush=True)
    net = recipe.network()
    if isinstance(recipe, Recipe) and recipe.fan_in:
        net.start_from(pruned(recipe, data, teacher))
    fit(net, recipe, data, epochs=recipe.epochs, rate=recipe.rate, teacher=teacher, name=recipe.title)
    print(f"{recipe.title}: {accuracy(net, data):.4f} on {len(data.test.y)} test images", flush=True)
    export(net, torch.from_numpy(data.test.x[:1]), folder)


def pruned(recipe: Recipe, data: Data, teacher: nn.Module | None) -> Perceptron:
    """The network with float weights, trained while its small weights go, most of them early."""
    net = recipe.dense_network()
    inputs = recipe.sizes[0]

    def each_step(done: float) -> None:
        left = max(0.0, 1 - done / PRUNING_SHARE)
        net.prune(recipe.fan_in + round((inputs - recipe.fan_in) * left**3))

    name = f"{recipe.title} before quantisation"
    fit(
        net,
        recipe,
        data,
        epochs=recipe.pruning_epochs,
        rate=recipe.rate,
        teacher=teacher,
        name=name,
        each_step=each_step,
    )
    print(f"{name}: {accuracy(net, data):.4f}", flush=True)
    return net


def export(net: Quantised, example: torch.Tensor, folder: Path) -> None:
    """Writes `net` as QONNX into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        export_qonnx(net.eval(), args=example, export_path=str(path))
        # The exporter may leave the weights in a second file; one file is easier to hand on.
        onnx.save(without_traces(onnx.load(path)), folder / "model.onnx", save_as_external_data=False)


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` without the exporter's notes of which line of which file of this computer made what."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model


def main(recipe: Recipe | ConvRecipe, folder: Path) -> None:
    """The command line of a train.py."""
    source = source_of(recipe.title)
    parser = argparse.ArgumentParser(description=f"Trains {recipe.title}.")
    parser.add_argument("-o", "--output", type=Path, default=folder, help="folder for model.onnx (default: this one)")
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--data", type=Path, default=source.folder, help="folder of the data set, see the README")
    options = parser.parse_args()
    chosen = replace(recipe, epochs=options.epochs, seed=options.seed)
    try:
        train(chosen, source.read(options.data), options.output)
    except FileNotFoundError as error:
        sys.exit(f"train: {error}")
    print(json.dumps({"model": str(options.output / "model.onnx"), "seed": chosen.seed, "epochs": chosen.epochs}))
