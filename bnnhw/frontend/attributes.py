"""Reading a node's attributes and parameters with their defaults."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend.refusal import Refusal


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The value of an attribute, text as `str`; `default` where there is none."""
    for candidate in node.attribute:
        if candidate.name == name:
            value = onnx.helper.get_attribute_value(candidate)
            return value.decode() if isinstance(value, bytes) else value
    return default


def floats(array: NDArray[np.generic], what: str) -> NDArray[np.float32]:
    """`array` as float32.

    Raises
    ------
    Refusal
        If it holds NaN or infinity, or no numbers.
    """
    if array.dtype.kind not in "fiub":
        raise Refusal(f"its {what} is not a number", "export the model again")
    values = np.asarray(array, np.float32)
    if values.size == 0 or not np.isfinite(values).all():
        raise Refusal(f"its {what} is empty, NaN or infinite", "train or export the model again")
    return values


def of_sample(array: NDArray[np.float32], rank: int, what: str) -> NDArray[np.float32]:
    """A parameter that broadcasts against a batched tensor of `rank` axes, without the batch axis.

    Raises
    ------
    Refusal
        If it differs between samples, or has more axes than the tensor.
    """
    if array.size == 1:
        return array.reshape(())
    if array.ndim > rank:
        raise Refusal(f"its {what} of shape {array.shape} has more axes than the tensor", "use one per channel, or one")
    if array.ndim == rank and array.shape[0] != 1:
        raise Refusal(f"its {what} of shape {array.shape} differs between samples", "use one per channel, or one")
    return array[0] if array.ndim == rank else array
