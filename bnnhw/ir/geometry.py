"""Where the windows of a convolution or a pool lie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """Windows over the rows and columns of a feature map.

    Parameters
    ----------
    kernel, strides, dilations
        Down and across: taps of a window, steps from one window to the next, steps from one tap to the next.
    pads
        Rows above, columns left, rows below, columns right of the map.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns that a window spans."""
        kh, kw = self.kernel
        return (kh - 1) * self.dilations[0] + 1, (kw - 1) * self.dilations[1] + 1

    @property
    def pointwise(self) -> bool:
        """Whether every window is one pixel, and every pixel a window."""
        return self.taps == 1 and self.strides == (1, 1) and not any(self.pads)

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Windows down and across a map of `height` x `width`.

        Raises
        ------
        ValueError
            If no window fits, or a number is out of range.
        """
        if min(*self.kernel, *self.strides, *self.dilations) < 1 or min(self.pads) < 0:
            raise ValueError(f"kernel, strides and dilations must be positive and pads not negative: {self}")
        rows = height + self.pads[0] + self.pads[2] - self.extent[0]
        columns = width + self.pads[1] + self.pads[3] - self.extent[1]
        if rows < 0 or columns < 0:
            raise ValueError(f"windows of {self.extent} do not fit a map of {(height, width)} with pads {self.pads}")
        return rows // self.strides[0] + 1, columns // self.strides[1] + 1
