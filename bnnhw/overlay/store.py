"""Where a tensor lies in the engine's memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.layer_table import EngineShape
from bnnhw.overlay.encoding import Encoding


@dataclass(frozen=True)
class Store:
    """A map (height, width, channels), or a vector, which is a map of one pixel.

    A word holds the bits of one plane of up to `lanes` channels of a pixel. The words of column x lie in bank
    ``x % banks``; what is in a line belongs to neighbouring pixels. Line by line come the columns, then groups of
    channels, then planes, then rows.

    Parameters
    ----------
    shape
        The engine's.
    height, width, channels
        Of the map.
    encoding
        Its values as planes.
    taps
        Pixels whose channels a word holds: its own, and those on the left of it.
    ranked
        Whether words lie as the circuit that ranks classes wants them: groups before planes, the highest plane first.
    defined
        Whether lanes past the last channel are zero.
    base
        Its first line.
    pitch
        Lines from row to row; 0 for as few as there are.
    """

    shape: EngineShape
    height: int
    width: int
    channels: int
    encoding: Encoding
    taps: int = 1
    ranked: bool = False
    defined: bool = True
    base: int = 0
    pitch: int = 0

    @property
    def lanes(self) -> int:
        """Lanes of a pixel."""
        return self.channels * self.taps

    @property
    def groups(self) -> int:
        """Words of a plane of a pixel."""
        return -(-self.lanes // self.shape.lanes)

    @property
    def tail(self) -> int:
        """Lanes of a pixel's last word that have a channel."""
        return self.lanes - (self.groups - 1) * self.shape.lanes

    @property
    def columns(self) -> int:
        """Lines of a row of words."""
        return -(-self.width // self.shape.banks)

    @property
    def row_lines(self) -> int:
        """Lines from row to row."""
        return self.pitch or self.groups * self.encoding.planes * self.columns

    @property
    def lines(self) -> int:
        """Lines of the whole map."""
        return self.height * self.row_lines

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def offset(self, plane: int, group: int) -> int:
        """Lines from a row's first one to those of a plane and a group of channels."""
        planes = self.encoding.planes
        row = group * planes + planes - 1 - plane if self.ranked else plane * self.groups + group
        return row * self.columns

    def used(self, group: int) -> NDArray[np.bool_]:
        """Which lanes of a group's words have a channel, (lanes,)."""
        return np.arange(self.shape.lanes) < (self.tail if group == self.groups - 1 else self.shape.lanes)

    def at(self, base: int) -> Store:
        """The same in another place."""
        return replace(self, base=base)
