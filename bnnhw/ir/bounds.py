"""What an accumulator can reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import Integers


def reach(weight: NDArray[np.int16], format_: Integers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest ``weight @ x`` of each row, (MH,) each, over all x of the format."""
    wide = weight.astype(np.int64)
    ends = wide * format_.min, wide * format_.max
    return np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)
