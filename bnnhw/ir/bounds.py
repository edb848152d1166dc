"""What an accumulator can reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType


def reach(weight: NDArray[np.int16], dtype: DataType) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest ``weight @ x`` of each row, (MH,) each, over all x of format `dtype`."""
    wide = weight.astype(np.int64)
    ends = wide * dtype.min, wide * dtype.max
    return np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)
