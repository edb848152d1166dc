"""Talks to a board, or to anything that behaves like one, over its serial link."""

from bnnhw.host.driver import Driver, Port, Traffic, open_port
from bnnhw.packets import Results

__all__ = ["Driver", "Port", "Results", "Traffic", "open_port"]
