"""The serial ports of this computer: which there are, and opening one."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Any, Protocol

from bnnhw.errors import LinkError
from bnnhw.line import BASE_BAUD

WRITE_SECONDS = 10.0
"""For a port to take what is written: a pseudo-terminal whose other end has stopped never does."""


class Port(Protocol):
    """A transport of bytes: a pyserial `Serial`, or anything that behaves like one.

    `read` waits until it has `size` bytes, but at most `timeout` seconds for them; `in_waiting` is how many it would
    give at once. What `baudrate` is set to counts for what is sent and received from then on.
    """

    timeout: float | None
    baudrate: int

    @property
    def in_waiting(self) -> int: ...

    def read(self, size: int = 1, /) -> bytes: ...

    def write(self, content: bytes, /) -> int | None: ...

    def close(self) -> object: ...


def listed() -> list[Any]:
    """All serial ports that are devices of a bus, such as USB, by name, as pyserial describes them."""
    from serial.tools import list_ports

    # The others are places for ports on the mainboard, which most have and nobody uses.
    return sorted((port for port in list_ports.comports() if port.hwid != "n/a"), key=lambda port: port.device)


def open_port(name: str) -> Port:
    """Opens a serial port, at the rate at which every board begins.

    Parameters
    ----------
    name
        The port as the system names it: ``/dev/ttyUSB1``, ``COM4``.

    Raises
    ------
    LinkError
        If the port cannot be opened, or another program has it.
    """
    import serial  # here, because only a real board needs it

    try:
        # Two programs at one port would take each other's answers.
        port = serial.Serial(name, BASE_BAUD, exclusive=True, write_timeout=WRITE_SECONDS)
    except (serial.SerialException, ValueError) as error:
        raise LinkError(f"cannot open the port {name}: {_why(error)}") from error
    # USB adapters collect bytes for up to 16 ms; where the system lets us, have them delivered at once.
    with contextlib.suppress(AttributeError, NotImplementedError, OSError, ValueError):
        port.set_low_latency_mode(True)
    opened: Port = port
    return opened


def _why(error: Exception) -> str:
    """Why a port was not opened, and what to do, where the system tells."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        return str(error)
    if number in (errno.EAGAIN, errno.EBUSY):
        return "another program has it"
    reason = os.strerror(number)
    if number == errno.EACCES:
        return f"{reason}: on Linux, be one of the group that owns it, mostly dialout"
    if number == errno.ENOENT:
        return f"{reason}; there is {', '.join(port.device for port in listed()) or 'no serial port'}"
    return reason
