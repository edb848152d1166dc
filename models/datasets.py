"""The data that the shipped models are trained and measured on, as numpy arrays."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Data of others lie beside the checkout, or where the variable says.
SHARED = Path(os.environ.get("BNNHW_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
CIFAR_TRAINING_SHARE = 0.8  # of a file that holds images for training only


@dataclass(frozen=True)
class Split:
    """Images as a model takes them, and their classes.

    Parameters
    ----------
    x
        (N, ...) float32.
    y
        (N,) int64.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """What a model is trained on; the test set is looked at once, at the end.

    Parameters
    ----------
    test_set
        What the test set is, in words.
    """

    train: Split
    test: Split
    test_set: str


def mnist(folder: Path) -> Data:
    """MNIST from the four idx files, pixels / 255, shape (N, 1, 28, 28)."""

    def read(name: str, header: int, *shape: int) -> NDArray[np.uint8]:
        with gzip.open(folder / f"{name}.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header).reshape(-1, *shape)

    def split(name: str) -> Split:
        images = read(f"{name}-images-idx3-ubyte", 16, 1, 28, 28).astype(np.float32) / np.float32(255)
        return Split(images, read(f"{name}-labels-idx1-ubyte", 8).astype(np.int64))

    return Data(split("train"), split("t10k"), "the 10,000 test images")


def digits(folder: Path) -> Data:
    """scikit-learn's digits, raw pixels 0..16, shape (N, 64); every fifth sample is for the test.

    They come with scikit-learn: `folder` is not read.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x, y = bunch.data.astype(np.float32), bunch.target.astype(np.int64)
    test = np.arange(len(x)) % 5 == 0
    return Data(Split(x[~test], y[~test]), Split(x[test], y[test]), "every fifth sample")


def cifar(folder: Path) -> Data:
    """CIFAR-10, raw pixels 0..255, shape (N, 3, 32, 32).

    The python batches where `folder` holds them. Else its first .npz file (``images`` uint8 (N, 32, 32, 3) and
    ``labels``): the first four fifths are for training, the others for the test.
    """
    if (folder / "test_batch").exists():
        training = _batches(folder, [f"data_batch_{k}" for k in range(1, 6)])
        return Data(training, _batches(folder, ["test_batch"]), "the 10,000 test images")
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise FileNotFoundError(f"{folder}: neither CIFAR-10's python batches nor an .npz file")
    with np.load(files[0]) as arrays:
        x = arrays["images"].transpose(0, 3, 1, 2).astype(np.float32)
        y = arrays["labels"].astype(np.int64)
    count = int(CIFAR_TRAINING_SHARE * len(x))
    rest = f"the last {len(x) - count} of {len(x):,} images"
    return Data(Split(x[:count], y[:count]), Split(x[count:], y[count:]), rest)


def _batches(folder: Path, names: list[str]) -> Split:
    images, labels = [], []
    for name in names:
        # Pickles run code: these are the published files, which whoever downloads them checks by their MD5.
        batch = pickle.loads((folder / name).read_bytes(), encoding="bytes")
        images.append(batch[b"data"].reshape(-1, 3, 32, 32).astype(np.float32))
        labels.append(np.array(batch[b"labels"], np.int64))
    return Split(np.concatenate(images), np.concatenate(labels))


@dataclass(frozen=True)
class Source:
    """A data set, and where it lies beside a checkout."""

    read: Callable[[Path], Data]
    folder: Path


# By the first word of a model's name.
SOURCES = {
    "digits": Source(digits, SHARED),
    "mnist": Source(mnist, SHARED / "mnist"),
    "cifar": Source(cifar, SHARED / "cifar10"),
}


def source_of(model: str) -> Source:
    """The data of the model with this name."""
    return SOURCES[model.split("-")[0]]
