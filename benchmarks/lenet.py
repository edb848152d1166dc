"""Trains the network of the table in docs/quantize.md: a float LeNet for MNIST, with batch normalisation.

Two convolutions of 5 x 5, each with a max-pool, and two dense layers; nothing in it knows of quantisation. Needs the
extra ``train``; writes ``benchmarks/models/lenet.onnx.gz``. Seeded: on one machine and one version of torch it repeats
exactly.
"""

from __future__ import annotations

import argparse
import gzip
import io
import sys

from benchmarks.pages import ROOT

MODEL = ROOT / "benchmarks" / "models" / "lenet.onnx.gz"
SEED, BATCH, RATE = 1, 64, 2e-3
OPSET = 17


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, default=6)


def run(options: argparse.Namespace) -> int:
    sys.path.insert(0, str(ROOT / "models"))
    import torch
    from datasets import source_of
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    net = nn.Sequential(
        *(nn.Conv2d(1, 8, 5), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10)),
    )
    source = source_of("mnist")
    data = source.read(source.folder)
    inputs, labels = torch.from_numpy(data.train.x), torch.from_numpy(data.train.y)
    steps = -(-len(inputs) // BATCH) * options.epochs
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for epoch in range(options.epochs):
        net.train()
        for chosen in torch.randperm(len(inputs)).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(net(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
        net.eval()
        with torch.no_grad():
            found = net(torch.from_numpy(data.test.x)).argmax(1).numpy()
        print(f"epoch {epoch + 1}: {(found == data.test.y).mean():.4f} of the test images", flush=True)
    file = io.BytesIO()
    torch.onnx.export(
        net,
        (inputs[:1],),
        file,
        dynamo=False,
        opset_version=OPSET,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    MODEL.write_bytes(gzip.compress(file.getvalue(), mtime=0))
    return 0
