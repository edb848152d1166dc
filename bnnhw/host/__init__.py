"""Talks to a board, or to anything that behaves like one, over its serial link."""

from bnnhw.host.driver import Driver, Port, Results, Traffic, open_port

__all__ = ["Driver", "Port", "Results", "Traffic", "open_port"]
