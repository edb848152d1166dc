"""The serial ports of this computer, and which board answers on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bnnhw.errors import LinkError
from bnnhw.host.driver import Driver
from bnnhw.host.serial_ports import listed, open_port
from bnnhw.line import BASE_BAUD
from bnnhw.packets import Identity

PROBE_SECONDS = 0.5
"""Of silence, after which nothing is taken to answer: an IDENTITY takes less than a millisecond, and USB a few."""

PROBES = 2


@dataclass(frozen=True)
class FoundPort:
    """A serial port.

    Parameters
    ----------
    name
        As `open_port` takes it.
    description
        The system's words for it.
    identity
        What the board on it says about its design; None where nothing answers.
    problem
        Why it could not be asked; None where it was.
    """

    name: str
    description: str
    identity: Identity | None = None
    problem: str | None = None

    @property
    def answer(self) -> str:
        """What answers, in words."""
        if self.problem is not None:
            return self.problem
        if self.identity is None:
            return "nothing of bnnhw answers"
        frame = f"frames of {self.identity.input_elements} x {self.identity.input_bits} bits"
        return f"design {self.identity.digest.hex()}, {frame}, {self.identity.output_elements} results"

    def to_dict(self) -> dict[str, Any]:
        """What users are told of it."""
        identity = self.identity
        return {
            "port": self.name,
            "description": self.description,
            "digest": None if identity is None else identity.digest.hex(),
            "input_elements": None if identity is None else identity.input_elements,
            "input_bits": None if identity is None else identity.input_bits,
            "output_elements": None if identity is None else identity.output_elements,
            "baud": None if identity is None else identity.fast_baud or BASE_BAUD,
            "answer": self.answer,
        }


def find_ports() -> list[FoundPort]:
    """All serial ports that are devices of a bus, such as USB, each asked what answers on it."""
    return [ask(port.device, port.description) for port in listed()]


def ask(name: str, description: str) -> FoundPort:
    """The port `name`, with what answers on it."""
    try:
        port = open_port(name)
    except LinkError as error:
        return FoundPort(name, description, problem=str(error))
    try:
        driver = Driver(port, timeout=PROBE_SECONDS, silences=PROBES, max_baud=BASE_BAUD)
        return FoundPort(name, description, driver.identify())
    except LinkError:
        return FoundPort(name, description)
    finally:
        port.close()


def only_board(digest: bytes) -> str:
    """The name of the only port whose board runs the design of `digest`.

    Raises
    ------
    LinkError
        If there is none, or several; the message lists all ports.
    """
    found = find_ports()
    right = [port for port in found if port.identity is not None and port.identity.digest == digest]
    if len(right) == 1:
        return right[0].name
    if right:
        problem, remedy = f"{len(right)} boards run this design", "say which with --port"
    elif not found:
        problem, remedy = "there is no serial port", "connect the board, or name its port with --port"
    else:
        problem = f"no board that answers runs this design ({digest.hex()})"
        remedy = "connect it, program it, or name its port with --port"
    listed = "".join(f"\n  {port.name}  {port.answer}" for port in found)
    raise LinkError(f"{problem}: {remedy}{listed}")
