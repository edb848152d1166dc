"""The driver against a board made of Python that loses, damages and refuses packets as told."""

import errno
import os
import random
from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import serial
from serial.tools import list_ports

from bnnhw.errors import InputError, LinkError
from bnnhw.host import Driver, open_port
from bnnhw.host.driver import NOISE_LIMIT
from bnnhw.host.protocol import Parser, encode_packet
from bnnhw.line import BASE_BAUD, CALL_BACK
from bnnhw.packets import Identity, Request, Status

DIGEST = b"a digest"
IDENTITY = Identity(DIGEST, 10, 2, 4, 3, 2, 4)
CODES = np.random.default_rng(3).integers(0, 4, (20, 10)).astype(np.uint16)


def result_of(payload):
    """What the board of Python computes: three multiples of the payload's bit count, label and flags."""
    count = int.from_bytes(payload, "little").bit_count()
    return count, -2 * count, -3 * count, count % 3, count % 2


def expected(codes):
    frames = [sum(int(code) << (2 * k) for k, code in enumerate(frame)).to_bytes(3, "little") for frame in codes]
    rows = [result_of(frame) for frame in frames]
    return [list(row[:3]) for row in rows], [row[3] for row in rows], [bool(row[4]) for row in rows]


class Board:
    """Answers as docs/link.md says.

    Parameters
    ----------
    faults : dict
        Number of the request (0 is the first): what happens to it. ``"lost"``, ``"answer lost"``,
        ``"answer damaged"``, ``"twice"``, or the bytes or `Status` to answer.
    always : optional
        What happens to every request that `faults` does not name.
    """

    timeout = None
    baudrate = BASE_BAUD

    def __init__(self, faults=None, always=None, identity=IDENTITY):
        self._faults, self._always, self._identity = faults or {}, always, identity
        self._parser = Parser()
        self._answers = deque()
        self.requests = 0
        self.most_waiting = 0

    @property
    def in_waiting(self):
        return len(self._answers[0]) if self._answers else 0

    def read(self, size=1):
        assert self.timeout == 0.25
        if not self._answers:
            return b""
        answer = self._answers.popleft()
        if len(answer) > size:
            self._answers.appendleft(answer[size:])
        return answer[:size]

    def write(self, content):
        for packet in self._parser.feed(content):
            fault = self._faults.get(self.requests, self._always)
            self.requests += 1
            if packet.kind == Request.IDENTIFY:
                answer = encode_packet(Status.IDENTITY, packet.sequence, self._identity.pack())
            else:
                payload = b""
                for start in range(0, len(packet.payload), 3):
                    *integers, label, flags = result_of(packet.payload[start : start + 3])
                    payload += b"".join(v.to_bytes(2, "little", signed=True) for v in integers)
                    payload += label.to_bytes(2, "little") + bytes([flags])
                is_block = packet.kind == Request.INFER_BLOCK
                answer = encode_packet(Status.RESULT_BLOCK if is_block else Status.RESULT, packet.sequence, payload)
            match fault:
                case "lost" | "answer lost":
                    answer = b""
                case "answer damaged":
                    answer = answer[:-2] + b"!!"
                case "twice":
                    answer += answer
                case bytes():
                    answer = fault
                case int():
                    answer = encode_packet(fault, packet.sequence)
            if answer:
                self._answers.append(answer)
            self.most_waiting = max(self.most_waiting, len(self._answers))


def driver_of(board, **options):
    return Driver(board, timeout=0.25, **options)


def test_results():
    board = Board()
    seen = []
    integers, labels, errors = driver_of(board, digest=DIGEST).infer(CODES, lambda done, of: seen.append((done, of)))
    assert (integers.tolist(), labels.tolist(), errors.tolist()) == expected(CODES)
    assert seen == [(k + 1, 20) for k in range(20)]
    assert board.requests == 21
    assert board.most_waiting == IDENTITY.depth


BLOCKS = replace(IDENTITY, block=6)


def test_blocks():
    board = Board(identity=BLOCKS)
    seen = []
    integers, labels, errors = driver_of(board).infer(CODES, lambda done, of: seen.append(done))
    assert (integers.tolist(), labels.tolist(), errors.tolist()) == expected(CODES)
    assert seen == [6, 12, 18, 19, 20]
    assert board.requests == 1 + 3 + 2


@pytest.mark.parametrize("fault", ["lost", "answer damaged", "twice", Status.BAD_CHECKSUM, Status.RESULT], ids=str)
@pytest.mark.parametrize("which", [(1,), (2, 3), (3, 4, 5)], ids=str)
def test_blocks_are_repaired(fault, which):
    board = Board(dict.fromkeys(which, fault), identity=BLOCKS)
    integers, labels, errors = driver_of(board).infer(CODES)
    assert (integers.tolist(), labels.tolist(), errors.tolist()) == expected(CODES)


def test_one_frame_and_none():
    driver = driver_of(Board())
    assert driver.infer(CODES[0]).integers.tolist() == expected(CODES[:1])[0]
    assert driver.infer(CODES[:0]).integers.shape == (0, 3)


@pytest.mark.parametrize(
    "fault",
    ["lost", "answer lost", "answer damaged", "twice", b"noise", Status.BAD_CHECKSUM, Status.BAD_LENGTH, 0x99],
    ids=str,
)
@pytest.mark.parametrize("which", [(0,), (1,), (5,), (5, 6, 7, 8), (20,), (3, 9, 12)], ids=str)
def test_faults_are_repaired(fault, which):
    board = Board(dict.fromkeys(which, fault))
    integers, labels, errors = driver_of(board).infer(CODES)
    assert (integers.tolist(), labels.tolist(), errors.tolist()) == expected(CODES)


def test_random_faults_are_repaired():
    source = random.Random(4)
    faults = {
        k: source.choice(["lost", "answer damaged", "twice", Status.BAD_CHECKSUM, None, None]) for k in range(900)
    }
    codes = np.tile(CODES, (20, 1))
    driver = driver_of(Board(faults))
    integers, labels, errors = driver.infer(codes)
    assert (integers.tolist(), labels.tolist(), errors.tolist()) == expected(codes)
    # Sent once each, the identification, and what was sent again.
    assert driver.traffic.requests == len(codes) + 1 + driver.traffic.retries
    assert driver.traffic.retries > 100


def test_most_packets_are_lost():
    source = random.Random(5)
    faults = {k: "lost" if source.random() < 0.7 else None for k in range(1, 9000)}
    integers, labels, errors = driver_of(Board(faults)).infer(CODES)
    assert (integers.tolist(), labels.tolist(), errors.tolist()) == expected(CODES)


def test_traffic():
    driver = driver_of(Board({1: "lost", 2: "lost", 3: "lost", 4: "lost", 5: Status.BAD_CHECKSUM}))
    driver.infer(CODES)
    traffic = driver.traffic
    assert (traffic.requests, traffic.retries, traffic.silences) == (1 + 20 + 5, 5, 1)


def test_wrapped_sequence_numbers():
    codes = np.tile(CODES, (50, 1))
    for start in range(0, 256, 17):
        driver = driver_of(Board())
        driver.identify()
        driver._sequence = start
        assert driver.infer(codes).integers.tolist() == expected(codes)[0]


def test_answers_of_a_program_that_died():
    """Every number that the earlier program may have begun with, and all that the board owes it still to come."""
    for number in range(256):
        board = Board()
        for k in range(5):
            kind, payload = (Request.IDENTIFY, b"") if k == 0 else (Request.INFER, bytes([255, 255, 15]))
            board.write(encode_packet(kind, (number + k) % 256, payload))
        random.seed(1)
        integers, _, _ = driver_of(board).infer(CODES[:6])
        assert integers.tolist() == expected(CODES[:6])[0], number


def test_refusal_with_the_number_of_another_request():
    """Damage may hit the sequence number: the refusal then seems to be of a request that is answered later."""

    class Confused(Board):
        def write(self, content):
            super().write(content)
            if self.requests == 3:
                [first] = Parser().feed(self._answers[0])
                self._answers[0] = encode_packet(Status.BAD_CHECKSUM, (first.sequence + 2) % 256)

    integers, _, _ = driver_of(Confused()).infer(CODES)
    assert integers.tolist() == expected(CODES)[0]


def test_stream_of_strange_answers_ends():
    class Talking(Board):
        in_waiting = 5500

        def read(self, size=1):
            return encode_packet(Status.RESULT, (driver._sequence + 1) % 256, bytes(5000))[:size]

    driver = driver_of(Talking())
    with pytest.raises(LinkError, match="no answer from the board"):
        driver.identify()


def test_old_answers_are_ignored():
    board = Board()
    old = encode_packet(Status.RESULT, 9, bytes(9))
    board._answers.extend([old[5:], *[encode_packet(Status.RESULT, k, bytes(9)) for k in range(256)]])
    integers, _, _ = driver_of(board).infer(CODES)
    assert integers.tolist() == expected(CODES)[0]


@pytest.mark.parametrize(
    "always, message",
    [
        ("lost", "no answer from the board, 4 times within 0.25 s: check the port"),
        (bytes(range(100, 110)), "no answer from the board"),
        (Status.UNKNOWN_KIND, "no answer from the board"),
    ],
)
def test_silent_board(always, message):
    board = Board(always=always)
    with pytest.raises(LinkError, match=message):
        driver_of(board).identify()
    assert board.requests == 4


@pytest.mark.parametrize(
    "always, message",
    [
        ("lost", "the board stopped answering, 4 times within 0.25 s, with 0 of 20 frames done: check"),
        (Status.BAD_LENGTH, "frame 0 failed 32 times, at last because the board answered BAD_LENGTH"),
        (0x99, "at last because the board answered with a status it does not have \\(0x99\\)"),
        (
            Status.RESULT,
            "at last because the board's answer does not fit its identity: results must have 1 x 9 bytes, not 0",
        ),
    ],
)
def test_board_that_refuses(always, message):
    driver = driver_of(Board({0: None}, always=always))
    with pytest.raises(LinkError, match=message):
        driver.infer(CODES)


def test_frames_lost_time_and_again():
    # One of four answers comes through, and tells that the others are missing.
    damaged = {k: "answer damaged" for k in range(1, 400) if k % 4 != 2}
    with pytest.raises(LinkError, match="failed 2 times, at last because the board's answer was damaged"):
        driver_of(Board(damaged), attempts=2).infer(CODES)


def test_line_of_noise_ends():
    class Noise(Board):
        in_waiting = 4096

        def read(self, size=1):
            return b"x" * size

    with pytest.raises(LinkError, match="no answer from the board"):
        driver_of(Noise()).identify()
    assert NOISE_LIMIT > 2 * (1 << 16)


def test_another_design():
    with pytest.raises(LinkError, match="the board runs another design \\(6120646967657374\\) than this one \\(6f"):
        driver_of(Board(), digest=b"other...").identify()


def test_another_protocol():
    board = Board()
    board._identity = type("Other", (), {"pack": lambda self: b"\x09"})()
    with pytest.raises(LinkError, match="the board does not speak version 2 of the link protocol: 09"):
        driver_of(board).identify()


def test_identity_that_was_damaged_unnoticed():
    """It does not look like one: it is asked for again."""
    broken = Board({0: encode_packet(Status.IDENTITY, 0, IDENTITY.pack() + b"more")})
    driver = driver_of(broken)
    driver._sequence = 255  # so that the request has number 0
    assert driver.identify() == IDENTITY
    assert (driver.traffic.retries, driver.traffic.silences) == (1, 0)


@pytest.mark.parametrize("shape", [(2, 9), (2, 11), (11,), (2, 5, 2)])
def test_frames_of_another_size(shape):
    with pytest.raises(LinkError, match="the board's design takes frames of 10 elements, not "):
        driver_of(Board()).infer(np.zeros(shape, np.uint16))


@pytest.mark.parametrize("code", [-1, 4])
def test_codes_out_of_range(code):
    with pytest.raises(InputError, match="inputs must be codes of 2 bits, not "):
        driver_of(Board()).infer(np.full((1, 10), code))


def test_port_that_fails():
    board = Board()
    driver = driver_of(board)
    driver.identify()

    def fail(*_):
        raise serial.SerialException("device disconnected")

    board.read = fail
    with pytest.raises(LinkError, match="the port failed while receiving: device disconnected"):
        driver.infer(CODES)
    board.write = fail
    with pytest.raises(LinkError, match="the port failed while sending: device disconnected"):
        driver.infer(CODES)


def test_serial_port():
    ours, name = os.openpty()
    try:
        port = open_port(os.ttyname(name))
        driver = Driver(port, timeout=0.05, silences=1)
        os.write(ours, b"noise" + bytes(300))
        with pytest.raises(LinkError, match="no answer"):
            driver.identify()
        sent = os.read(ours, 100)
        assert sent.startswith(CALL_BACK)
        [packet] = Parser().feed(sent)
        assert packet.kind == Request.IDENTIFY
        with pytest.raises(LinkError, match=f"cannot open the port {os.ttyname(name)}: another program has it$"):
            open_port(os.ttyname(name))
        port.close()
    finally:
        os.close(ours)
        os.close(name)


def test_port_that_does_not_exist(monkeypatch):
    found = []
    monkeypatch.setattr(list_ports, "comports", lambda: found)
    start = "^cannot open the port /dev/no-such-port: No such file or directory; there is "
    with pytest.raises(LinkError, match=f"{start}no serial port$"):
        open_port("/dev/no-such-port")
    names = {"/dev/ttyUSB1": "USB VID:PID=0403:6010", "/dev/ttyUSB0": "USB VID:PID=0403:6010", "/dev/ttyS0": "n/a"}
    found += [SimpleNamespace(device=name, hwid=hwid) for name, hwid in names.items()]
    with pytest.raises(LinkError, match=f"{start}/dev/ttyUSB0, /dev/ttyUSB1$"):
        open_port("/dev/no-such-port")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "Permission denied: on Linux, be one of the group"),
        (errno.EIO, "Input/output error"),
        (None, "odd"),
    ],
)
def test_port_that_cannot_be_opened(monkeypatch, number, said):
    def refuse(*arguments, **options):
        raise serial.SerialException(*([number] if number else []), "odd")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(LinkError, match=f"^cannot open the port COM9: {said}"):
        open_port("COM9")
