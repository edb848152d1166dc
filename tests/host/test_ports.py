"""Which ports are listed, what answers on them, and which one a command takes that names none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from serial.tools import list_ports

from bnnhw.errors import LinkError
from bnnhw.host import Port, find_ports, only_board, ports
from bnnhw.packets import Identity
from tests.host.test_driver import DIGEST, IDENTITY, Board

OTHER = Identity(b"another!", 4, 1, 4, 2, 1, 4, fast_baud=3_000_000)
USB = "USB VID:PID=0403:6010"


class Quick(Board):
    """A board, or a port on which nobody answers, that says at once that it has no more to say."""

    def read(self, size: int = 1, /) -> bytes:
        assert self.timeout == ports.PROBE_SECONDS
        self.timeout = 0.25
        answer = super().read(size)
        self.timeout = ports.PROBE_SECONDS
        return answer

    def close(self) -> None:
        pass


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Its ports by name: boards, or errors that opening them raises."""
    found: dict[str, Any] = {}

    def opened(name: str) -> Port:
        if isinstance(found[name], LinkError):
            raise found[name]
        port: Port = found[name]
        return port

    def listed() -> list[Any]:
        own = [SimpleNamespace(device=name, description=f"bridge {name}", hwid=USB) for name in found]
        return [*own, SimpleNamespace(device="/dev/ttyS0", description="n/a", hwid="n/a")]

    monkeypatch.setattr(ports, "open_port", opened)
    monkeypatch.setattr(list_ports, "comports", listed)
    return found


def test_every_port_is_asked(computer: dict[str, Any]) -> None:
    computer |= {
        "COM9": Quick(always="lost"),
        "COM4": Quick(),
        "COM5": Quick(identity=OTHER),
        "COM6": LinkError("cannot open the port COM6: taken"),
    }
    found = find_ports()
    assert [(port.name, port.identity) for port in found] == [
        ("COM4", IDENTITY),
        ("COM5", OTHER),
        ("COM6", None),
        ("COM9", None),
    ]
    assert [port.answer for port in found] == [
        "design 6120646967657374, frames of 10 x 2 bits, 3 results",
        "design 616e6f7468657221, frames of 4 x 1 bits, 2 results",
        "cannot open the port COM6: taken",
        "nothing of bnnhw answers",
    ]
    assert [port.to_dict()["baud"] for port in found] == [1_000_000, 3_000_000, None, None]


def test_the_only_board_with_the_design_is_taken(computer: dict[str, Any]) -> None:
    computer |= {"COM9": Quick(always="lost"), "COM4": Quick(), "COM5": Quick(identity=OTHER)}
    assert only_board(DIGEST) == "COM4"


@pytest.mark.parametrize(
    "others, message",
    [
        ({}, "there is no serial port: connect the board, or name its port with --port"),
        ({"COM5": Quick(identity=OTHER)}, r"no board that answers runs this design \(6120.*\n  COM5  design 616e6f"),
        ({"COM5": Quick(), "COM4": Quick()}, "2 boards run this design: say which with --port\n  COM4  .*\n  COM5  "),
    ],
    ids=["none", "another design", "two"],
)
def test_no_board_or_several(computer: dict[str, Any], others: dict[str, Any], message: str) -> None:
    computer |= others
    with pytest.raises(LinkError, match=message):
        only_board(DIGEST)
