"""Where the windows of a convolution or a pool lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


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

    def touches(self, height: int, width: int) -> bool:
        """Whether every window has a tap on the map."""
        counts = self.output(height, width)
        for axis, size in enumerate((height, width)):
            for place in range(counts[axis]):
                start = place * self.strides[axis] - self.pads[axis]
                taps = range(start, start + self.extent[axis], self.dilations[axis])
                if not any(0 <= tap < size for tap in taps):
                    return False
        return True

    def schedule(self, height: int) -> list[tuple[int, int]]:
        """For each row of windows over a map of `height` lines, in order: lines needed and lines given up.

        Needed are lines counted from the first one that is kept; given up are the first ones of these, once the row
        is done, and after the last row all that are left. What is given up counts as needed, so that nothing is given
        up before it came.
        """
        return list(_schedule(self, height))

    def lines(self, height: int) -> int:
        """Lines that a buffer holds, so that those of the next row of windows come in while a row is read.

        Only the first row of a frame may have to wait for its lines, unless it is the only one.
        """
        needs, frees = zip(*self.schedule(height), strict=True)
        ahead = [free + need for free, need in zip(frees[:-1], needs[1:], strict=True)]
        return max(max(needs) + 1, *(ahead or [2 * needs[0]]))

    def unbroken_lines(self, height: int) -> int:
        """Lines that a buffer holds so that those of the next frame's first row come in while the last row is read:
        then no row waits, nor does what gives the lines."""
        schedule = self.schedule(height)
        return max(self.lines(height), schedule[-1][1] + schedule[0][0])

    def capacity(self, height: int, line: int, least: int = 0, *, tall: bool = False) -> int:
        """Lines of `line` beats each that a buffer of at least `least` beats holds; a `tall` one, which has a memory
        for each line, a power of two of them that is not below the rows of a window."""
        if not tall:
            return self.depth(height, line, least) // line
        return 1 << (max(self.lines(height), self.extent[0], least // line) - 1).bit_length()

    def depth(self, height: int, line: int, least: int = 0) -> int:
        """Beats of a line buffer: a power of two that holds `lines` of `line` beats each, and `least` beats."""
        return 1 << (max(self.lines(height) * line, least) - 1).bit_length()


@lru_cache(maxsize=1024)  # the search for a plan asks for the same few again and again
def _schedule(geometry: Geometry, height: int) -> tuple[tuple[int, int], ...]:
    rows, _ = geometry.output(height, geometry.extent[1])
    above, step = geometry.pads[0], geometry.strides[0]
    starts = [min(height, max(0, row * step - above)) for row in range(rows)] + [height]
    found = []
    for row in range(rows):
        end = min(height, max(0, row * step - above + geometry.extent[0]))
        free = starts[row + 1] - starts[row]
        found.append((max(end - starts[row], free), free))
    return tuple(found)
