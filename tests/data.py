"""Third-party models and data sets that tests read but the repository does not hold."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

# Beside the checkout, or where the variable says.
FOLDER = Path(os.environ.get("BNNHW_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))

TFC = "models/qonnx_zoo_tfc"
LFC = "models/bnn_pynq_lfcW1A1_mnist"
CNV = "models/bnn_pynq_cnvW1A2_cifar10"

# Every real dense network with its golden file.
DENSE_MODELS = {
    "TFC_1W1A": (f"{TFC}/TFC_1W1A.onnx", f"{TFC}/golden_TFC_1W1A.npz"),
    "TFC_1W1A_clean": (f"{TFC}/TFC_1W1A_clean.onnx", f"{TFC}/golden_TFC_1W1A.npz"),
    "TFC_2W2A": (f"{TFC}/TFC_2W2A.onnx", f"{TFC}/golden_TFC_2W2A.npz"),
    "TFC_2W2A_clean": (f"{TFC}/TFC_2W2A_clean.onnx", f"{TFC}/golden_TFC_2W2A.npz"),
    "LFC_1W1A": (f"{LFC}/lfcW1A1_mnist_qonnx.onnx.gz", f"{LFC}/golden_lfcW1A1_mnist.npz"),
}


def shared(path: str) -> Path:
    """The file `path` of the shared data; the test is skipped where there is none."""
    found = FOLDER / path
    if not found.exists():
        pytest.skip(f"no {path} under {FOLDER}: set BNNHW_SHARED_DATA to the folder of the shared data")
    return found


def golden(path: str) -> dict[str, NDArray[np.generic]]:
    """The arrays of a golden file of the shared data, by name."""
    with np.load(shared(path)) as arrays:
        return dict(arrays)
