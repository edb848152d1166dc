"""A driver in MicroPython for a package behind SPI."""

from __future__ import annotations

from bnnhw.generate.wrappers.registers import (
    CLASS,
    DIGEST_HIGH,
    DIGEST_LOW,
    INPUT,
    INPUT_READY,
    RESULT,
    RESULT_READY,
    STATUS,
    WORD,
)
from bnnhw.generate.wrappers.spi import CLOCK_RATIO, WRITE, Spi

# The code of a value, by the kind of its format.
CODES = {
    "bipolar": "1 if value > 0 else 0",
    "ternary": "0 if value == 0 else 3 if value > 0 else 2",
    "uint": "value",
    "int": "value & {mask}",
}


def files(prefix: str, bus: Spi, *, digest: str) -> dict[str, str]:
    """``<prefix>.py``, by name."""
    port = bus.ports.input
    code = CODES[port.dtype.kind].format(mask=f"0x{(1 << port.dtype.bits) - 1:x}")
    order = (DIGEST_LOW, DIGEST_HIGH, STATUS, INPUT, RESULT, CLASS)
    numbers = ", ".join(str(register.index) for register in order)
    text = f'''\
"""Driver of the module {prefix} behind SPI, for MicroPython.

    from machine import SPI, Pin
    from {prefix} import Accelerator

    # At most 1/{CLOCK_RATIO} of the module's clock.
    spi = SPI(0, baudrate=1_000_000, polarity=0, phase=0, firstbit=SPI.MSB, sck=Pin(2), mosi=Pin(3), miso=Pin(4))
    accelerator = Accelerator(spi, Pin(5, Pin.OUT, value=1))
    integers, label = accelerator.infer(values)
"""

DIGEST = 0x{digest}
ELEMENTS, LANES = {port.elements}, {port.lanes}  # of a frame, of a beat
BITS = {port.dtype.bits}  # of an element: {port.dtype}
BEAT_WORDS, FRAME_WORDS = {bus.beat_words}, {bus.frame_words}
INTEGERS = {bus.ports.output.elements}  # of a result

_WRITE, _INPUT_READY, _RESULT_READY = 0x{WRITE:02x}, {INPUT_READY}, {RESULT_READY}
_DIGEST_LOW, _DIGEST_HIGH, _STATUS, _INPUT, _RESULT, _CLASS = {numbers}
_TRANSFER = 5  # bytes: status and word


def pack(values):
    """The words of a frame of ELEMENTS integers, as the bytes of transfers."""
    words = [0] * FRAME_WORDS
    for k, value in enumerate(values):
        bit = k % LANES * BITS
        place = k // LANES * BEAT_WORDS + bit // {WORD}
        code = ({code}) << bit % {WORD}
        words[place] |= code & 0xFFFFFFFF
        if code >> {WORD}:
            words[place + 1] |= code >> {WORD}
    frame = bytearray(_TRANSFER * FRAME_WORDS)
    for k, word in enumerate(words):
        for byte in range(4):
            frame[_TRANSFER * k + 1 + byte] = word >> (24 - 8 * byte) & 0xFF
    return frame


class Accelerator:
    """The module, over `spi` (machine.SPI, mode 0 or 3) and the pin `cs` (machine.Pin, an output)."""

    def __init__(self, spi, cs):
        self._spi, self._cs = spi, cs
        cs.value(1)
        self._access(_WRITE | _STATUS, 1)
        found = self._access(_DIGEST_HIGH) << 32 | self._access(_DIGEST_LOW)
        if found != DIGEST:
            raise OSError("the module is of another design: %016x, not %016x" % (found, DIGEST))

    def infer(self, values):
        """Integers of the last layer, and the class, of a frame of ELEMENTS integers."""
        if len(values) != ELEMENTS:
            raise ValueError("a frame has %d elements, not %d" % (ELEMENTS, len(values)))
        frame, integers = memoryview(pack(values)), []
        while len(integers) < INTEGERS:
            if len(frame):
                # All that is left of the frame at once: the words that count are the first ones.
                answer = self._transaction(_WRITE | _INPUT, frame)
                taken = 0
                while taken < len(answer) and answer[taken] & _INPUT_READY:
                    taken += _TRANSFER
                frame = frame[taken:]
            answer = self._transaction(_RESULT, bytes(_TRANSFER * (INTEGERS - len(integers))))
            for start in range(0, len(answer), _TRANSFER):
                if answer[start] & _RESULT_READY:
                    integer = _word(answer, start)
                    integers.append(integer - (1 << 32) if integer >> 31 else integer)
        return integers, self._access(_CLASS)

    def _access(self, command, word=0):
        sent = bytes([0, word >> 24 & 0xFF, word >> 16 & 0xFF, word >> 8 & 0xFF, word & 0xFF])
        return _word(self._transaction(command, sent), 0)

    def _transaction(self, command, sent):
        found = bytearray(len(sent))
        self._cs.value(0)
        self._spi.write(bytes([command]))
        self._spi.write_readinto(sent, found)
        self._cs.value(1)
        return found


def _word(answer, start):
    return answer[start + 1] << 24 | answer[start + 2] << 16 | answer[start + 3] << 8 | answer[start + 4]
'''
    return {f"{prefix}.py": text}
