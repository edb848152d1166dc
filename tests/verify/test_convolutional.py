"""Convolutional networks from file to simulated Verilog, against the reference and the golden files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bnnhw
from tests.data import CNV, shared
from tests.onnx_models import Net

pytestmark = pytest.mark.sim


def check(design: Any, inputs: Any, samples: int) -> None:
    result = bnnhw.compare(design, inputs=inputs, samples=samples)
    assert result["mismatches"] == 0
    rtl = result["levels"]["rtl"]
    assert rtl["samples"] == samples
    estimate = design.estimate
    assert rtl["latency_cycles"] == estimate["latency_cycles"]
    if samples >= 8:
        assert rtl["cycles_per_inference"] == estimate["cycles_per_inference"]


def test_mnist_cnn() -> None:
    check(bnnhw.compile("mnist-cnn", board="icebreaker", fps=400, clock_mhz=24), None, 8)


def separable(path: Path, channels: int, size: int) -> Path:
    """A small network as MobileNet has them: twice a depthwise 3x3 and a 1x1 after it, binary weights and ternary
    numbers."""
    net = Net((1, 3, size, size))
    x = net.quant("x", bits=4, scale=0.25, narrow=0)
    x = net.node("Conv", x, net.bipolar(net.weights(channels, 3, 3, 3)), pads=[1, 1, 1, 1])
    x = net.quant(net.batch_norm(x, channels))
    for stride in (1, 2):
        weight = net.bipolar(net.weights(channels, 1, 3, 3))
        x = net.node("Conv", x, weight, group=channels, pads=[1, 1, 1, 1], strides=[stride, stride])
        x = net.quant(net.batch_norm(x, channels))
        x = net.node("Conv", x, net.bipolar(net.weights(channels, channels, 1, 1)))
        x = net.quant(net.batch_norm(x, channels))
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    net.dense(x, channels, 10)
    return net.save(path)


@pytest.mark.parametrize("levels", [["rtl"], pytest.param(["rtl", "netlist"], marks=pytest.mark.slow)], ids="-".join)
def test_depthwise_separable(levels: list[str], tmp_path: Path) -> None:
    channels, size = (4, 4) if levels == ["rtl"] else (32, 8)
    path = separable(tmp_path, channels, size)
    design = bnnhw.compile(path, board="ulx3s-85f", fps=9000, clock_mhz=25)
    assert [layer.kind for layer in design.plan.layers].count("grouped") == 2
    inputs = np.random.default_rng(1).normal(0, 1.5, (4, 3, size, size)).astype(np.float32)
    result = bnnhw.compare(design, inputs=inputs, levels=["source", "reference", *levels])
    assert result["mismatches"] == 0
    assert all(result["levels"][level]["samples"] == 4 for level in levels)


@pytest.mark.slow
@pytest.mark.parametrize("board", ["icebreaker", "ulx3s-85f"])
def test_mnist_cnn_200_images(board: str) -> None:
    check(bnnhw.compile("mnist-cnn", board=board), None, 200)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["cnvW1A2_cifar10_qonnx.onnx.gz", "cnvW1A2_cifar10_params.tar.gz"])
def test_published_cnv(file: str, tmp_path: Path) -> None:
    golden = np.load(shared(f"{CNV}/golden_cnvW1A2_cifar10.npz"))
    images = golden["images_u8_nhwc"][:3].astype(np.float32) / np.float32(255)
    path = tmp_path / "inputs.npz"
    np.savez(path, inputs=images.transpose(0, 3, 1, 2), logits=golden["logits"][:3], pred=golden["pred"][:3])
    check(bnnhw.compile(shared(f"{CNV}/{file}"), board="ulx3s-85f", fps=600, clock_mhz=60), path, 3)


@pytest.mark.slow
def test_accuracy_of_the_published_cnv() -> None:
    """99.50 % of the first thousand training images, as the manifest says, in the reference."""
    data = np.load(shared("cifar10/cifar10_train_lossless_0000_0999.npz"))
    images = (data["images"].astype(np.float32) / np.float32(255)).transpose(0, 3, 1, 2)
    design = bnnhw.compile(shared(f"{CNV}/cnvW1A2_cifar10_qonnx.onnx.gz"), board="ulx3s-85f", fps=600, clock_mhz=60)
    answers = bnnhw.infer(design, inputs=images, level="reference")
    assert (answers["prediction"] == data["labels"]).mean() == 0.995
