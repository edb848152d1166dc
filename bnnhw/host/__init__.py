"""Talks to a board, or to anything that behaves like one, over its serial link."""

from bnnhw.host.driver import Driver, Port, Traffic, open_port
from bnnhw.host.ports import FoundPort, find_ports, only_board
from bnnhw.packets import Results

__all__ = ["Driver", "FoundPort", "Port", "Results", "Traffic", "find_ports", "only_board", "open_port"]
