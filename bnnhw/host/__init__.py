"""Talks to a board, or to anything that behaves like one, over its serial link."""

from bnnhw.host.driver import Driver, Traffic
from bnnhw.host.ports import FoundPort, find_ports, only_board
from bnnhw.host.serial_ports import Port, open_port
from bnnhw.packets import Results

__all__ = ["Driver", "FoundPort", "Port", "Results", "Traffic", "find_ports", "only_board", "open_port"]
