"""Damages the traffic between a driver and a simulated board, bit by bit as a bad line does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bnnhw.host.protocol import Parser, encode_packet
from bnnhw.packets import CHECKSUM_BYTES, START
from bnnhw.verify.simulated_board import HIGH, LOW, SimulatedBoard, levels_of


class HostDied(OSError):
    """The program that sent is no more: the driver that gets this must not be used again."""


def bytes_of(levels: bytes) -> bytes:
    """What a serial port receives from levels of its line, 0 or 1 for the time of a bit each; afterwards it is high.

    A byte without a stop bit is received like the others, as operating systems do.
    """
    levels += 10 * HIGH
    received = bytearray()
    start = levels.find(LOW)
    while start >= 0 and start + 10 <= len(levels):
        received.append(sum(level << k for k, level in enumerate(levels[start + 1 : start + 9])))
        # Where the stop bit is missing, the line must be high before the next byte can begin.
        idle = levels.find(HIGH, start + 9)
        start = levels.find(LOW, idle) if idle >= 0 else -1
    return bytes(received)


Damage = Callable[[bytes, random.Random], bytes]
"""Makes of a packet, as bytes of the line, the levels that arrive."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Parameters
    ----------
    name, what
        For tables.
    damage
        What becomes of a packet.
    rate
        Share of the packets that it happens to.
    both_ways
        Whether it happens to answers as well as to requests.
    """

    name: str
    what: str
    damage: Damage
    rate: float = 0.1
    both_ways: bool = True


def _random_bytes(packet: bytes, source: random.Random) -> bytes:
    return levels_of(source.randbytes(source.randint(1, 40)) + packet)


def _overwritten(packet: bytes, source: random.Random) -> bytes:
    start = source.randrange(len(packet))
    end = source.randint(start + 1, len(packet))
    return levels_of(packet[:start] + source.randbytes(end - start) + packet[end:])


def _flipped_bits(packet: bytes, source: random.Random) -> bytes:
    levels = bytearray(levels_of(packet))
    for _ in range(source.randint(1, 4)):
        levels[source.randrange(len(levels))] ^= 1
    return bytes(levels)


def _dropped_bits(packet: bytes, source: random.Random) -> bytes:
    levels = bytearray(levels_of(packet))
    for _ in range(source.randint(1, 4)):
        del levels[source.randrange(len(levels))]
    return bytes(levels)


def _inserted_bits(packet: bytes, source: random.Random) -> bytes:
    levels = bytearray(levels_of(packet))
    for _ in range(source.randint(1, 4)):
        levels.insert(source.randrange(len(levels)), source.randrange(2))
    return bytes(levels)


def _dropped_bytes(packet: bytes, source: random.Random) -> bytes:
    left = bytearray(packet)
    for _ in range(source.randint(1, 3)):
        del left[source.randrange(len(left))]
    return levels_of(bytes(left))


def _break(packet: bytes, source: random.Random) -> bytes:
    levels = levels_of(packet)
    place = source.randrange(len(levels))
    low = source.randint(10, 200)
    return levels[:place] + low * LOW + levels[place + low :]


def _truncated(packet: bytes, source: random.Random) -> bytes:
    return levels_of(packet[: source.randrange(1, len(packet))])


def _lost(packet: bytes, source: random.Random) -> bytes:
    return b""


def _twice(packet: bytes, source: random.Random) -> bytes:
    return levels_of(packet + packet)


def _surplus(packet: bytes, source: random.Random) -> bytes:
    place = source.randrange(1, len(packet))
    return levels_of(packet[:place] + source.randbytes(source.randint(1, 300)) + packet[place:])


def _overlong(packet: bytes, source: random.Random) -> bytes:
    [content] = Parser().feed(packet)
    longer = content.payload + source.randbytes(source.randint(1, 300))
    return levels_of(encode_packet(content.kind, content.sequence, longer))


def _wrong_checksum(packet: bytes, source: random.Random) -> bytes:
    other = bytes(byte for byte in range(256) if byte != START)
    return levels_of(packet[:-CHECKSUM_BYTES] + bytes(source.choice(other) for _ in range(CHECKSUM_BYTES)))


LINE_FAULTS = (
    Kind("random bytes", "1 to 40 random bytes before the packet", _random_bytes),
    Kind("overwritten", "a piece of the packet replaced by random bytes", _overwritten),
    Kind("flipped bits", "1 to 4 bits of the line inverted, start and stop bits among them", _flipped_bits),
    Kind("dropped bits", "1 to 4 bits of the line missing", _dropped_bits),
    Kind("inserted bits", "1 to 4 bits of the line too many", _inserted_bits),
    Kind("dropped bytes", "1 to 3 bytes missing", _dropped_bytes),
    Kind("break", "the line low for 10 to 200 bits", _break),
    Kind("truncated", "the packet's end missing", _truncated),
    Kind("lost", "the packet missing", _lost),
    Kind("twice", "the packet sent twice", _twice),
    Kind("surplus bytes", "1 to 300 random bytes inside the packet", _surplus),
    Kind("overlong", "a packet with a right checksum and 1 to 300 bytes too many", _overlong),
    Kind("wrong checksum", "a random checksum", _wrong_checksum),
)

HOST_DIES = Kind(
    "host dies", "the program ends in the middle of a request; another one starts", _truncated, 0.005, both_ways=False
)
POWER_FAILS = Kind(
    "power fails",
    "the board starts anew under a line of random bits; the request is lost",
    _lost,
    0.005,
    both_ways=False,
)

KINDS = (*LINE_FAULTS, HOST_DIES, POWER_FAILS)


class FaultyPort:
    """A port (see `bnnhw.host.Port`) to a simulated board over a line that damages packets.

    Parameters
    ----------
    start
        Starts the board; it need not be settled.
    kinds
        Faults with their rates, which add up to less than 1.
    seed
        Of what happens.

    Attributes
    ----------
    damaged : int
        Packets that something happened to.
    """

    def __init__(self, start: Callable[[], SimulatedBoard], kinds: Sequence[Kind], *, seed: int) -> None:
        self._start = start
        self._board = start()
        self._kinds = kinds
        # What happens to a request does not depend on how many answers have come by then, which is a matter of time.
        self._sources = {answer: random.Random(f"{seed} {answer}") for answer in (False, True)}
        self._timeout: float | None = None
        self.damaged = 0
        self.forget()

    def forget(self) -> None:
        """What a new program's port does not know: what was received before."""
        self._received = bytearray()
        self._packet = bytearray()
        self._parser = Parser()

    def heal(self) -> None:
        """No more faults from here on; a new program uses the port."""
        self._kinds = ()
        self.forget()

    @property
    def timeout(self) -> float | None:
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._timeout = self._board.timeout = seconds

    @property
    def baudrate(self) -> int:
        return self._board.baudrate

    @baudrate.setter
    def baudrate(self, baud: int) -> None:
        self._board.baudrate = baud

    @property
    def in_waiting(self) -> int:
        return len(self._received)

    def read(self, size: int = 1, /) -> bytes:
        """What arrives of what the board sent; less than `size` bytes after `timeout`."""
        while len(self._received) < size:
            sent = self._board.read(max(1, self._board.in_waiting))
            if not sent:
                break
            for byte in sent:
                self._packet.append(byte)
                if any(self._parser.feed(bytes([byte]))):
                    packet, self._packet = bytes(self._packet), bytearray()
                    kind = self._fault(answer=True)
                    self._received += packet if kind is None else bytes_of(kind.damage(packet, self._sources[True]))
        received = bytes(self._received[:size])
        del self._received[:size]
        return received

    def write(self, packet: bytes, /) -> int:
        """Sends one packet."""
        kind = self._fault(answer=False)
        if kind is None:
            return self._board.write(packet)
        if kind is POWER_FAILS:
            self._restart()
        self._board.write_levels(kind.damage(packet, self._sources[False]))
        if kind is HOST_DIES:
            raise HostDied("the program died")
        return len(packet)

    def close(self) -> int:
        """Ends the simulation; see `SimulatedBoard.close`."""
        return self._board.close()

    def _fault(self, *, answer: bool) -> Kind | None:
        """What happens to the next packet."""
        chance = self._sources[answer].random()
        for kind in self._kinds:
            if answer and not kind.both_ways:
                continue
            chance -= kind.rate
            if chance < 0:
                self.damaged += 1
                return kind
        return None

    def _restart(self) -> None:
        baud = self._board.baudrate
        self._board.close()
        self._board = self._start()
        self._board.timeout, self._board.baudrate = self._timeout, baud
        # From its first cycles on, some of which it spends in reset.
        source = self._sources[False]
        self._board.write_levels(bytes(source.choices((0, 1), k=source.randint(1, 2000))))
        self._packet.clear()
        self._parser = Parser()
        self._received += source.randbytes(source.randint(0, 40))
