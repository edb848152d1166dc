"""The link of an accelerator whose memories are loaded: no answer before they are, and how they get there."""

import time

import numpy as np
import pytest

from bnnhw import memory_image
from bnnhw.errors import LinkError, NotLoadedError
from bnnhw.host import Driver
from bnnhw.host.protocol import Parser, encode_packet, pack_frame
from bnnhw.packets import Request, Status
from tests.gateware.link_bench import DIGEST, LOADED_WORDS, SimulatedBoard, expected

CODES = np.random.default_rng(5).integers(0, 2, (5, 21))
IMAGE = memory_image.image(DIGEST, [0x7E7D * k & 0xFFFF for k in range(LOADED_WORDS)])
INFER = encode_packet(Request.INFER, 1, pack_frame(CODES[0], 1))
# A LOAD of this board has the bytes of a frame.
PIECE = 3


def pieces(image, size=PIECE):
    """The requests that load an image."""
    for k in range(0, len(image), size):
        yield encode_packet(Request.LOAD_MORE if k else Request.LOAD, k % 256, image[k : k + size].ljust(size, b"\0"))


def board(**shape):
    found = SimulatedBoard(loads=True, **shape)
    return found, Driver(found, timeout=600e-6, digest=DIGEST)


def answer(found, request):
    """The status that the board answers, which is one."""
    found.write(request)
    [packet] = Parser().feed(found.read_all())
    return packet.kind


def lists(results):
    return tuple(array.tolist() for array in results)


def test_frames_wait_for_weights():
    _, driver = board()
    with pytest.raises(NotLoadedError, match="found no weights of its design in its flash: program it again"):
        driver.infer(CODES)
    told = []
    driver.load(IMAGE, lambda done, total: told.append((done, total)))
    assert lists(driver.infer(CODES)) == expected(CODES, 3)
    assert told[0] == (PIECE, len(IMAGE)) and told[-1] == (len(IMAGE), len(IMAGE))
    assert driver.traffic.retries == 0


def test_blocks_load_in_larger_pieces():
    _, driver = board(buffer_bytes=64)
    assert driver.identify().load_bytes == 4 * PIECE
    driver.load(IMAGE)
    assert lists(driver.infer(np.tile(CODES, (3, 1)))) == expected(np.tile(CODES, (3, 1)), 3)


def test_statuses_in_their_order():
    found, _ = board()
    requests = list(pieces(IMAGE))
    found.set_loading(True)
    assert answer(found, INFER) == answer(found, requests[0]) == Status.LOADING
    found.set_loading(False)
    assert answer(found, INFER) == Status.NOT_LOADED
    for request in requests:
        assert answer(found, request) == Status.TAKEN
    assert answer(found, INFER) == Status.RESULT
    assert answer(found, requests[0]) == Status.LOADED, "it has its weights and takes no others"
    assert answer(found, INFER) == Status.RESULT


def test_a_board_without_memories_to_load_takes_no_image():
    found = SimulatedBoard()
    for kind in (Request.LOAD, Request.LOAD_MORE):
        assert answer(found, encode_packet(kind, 0, bytes(PIECE))) == Status.UNKNOWN_KIND
    with pytest.raises(LinkError, match="did not take its weights in 4 attempts: at last it answered UNKNOWN_KIND"):
        Driver(found, timeout=600e-6).load(IMAGE)


def test_the_driver_waits_while_the_flash_is_read(monkeypatch):
    found, driver = board()
    driver.load(IMAGE)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        found.run(1e-4)
        if len(waits) == 3:
            found.set_loading(False)

    found.set_loading(True)
    found.run(1e-5)
    monkeypatch.setattr(time, "sleep", sleep)
    driver._timeout = 60.0  # of this computer's time, which counts for how long is waited
    assert lists(driver.infer(CODES)) == expected(CODES, 3)
    assert len(waits) >= 3


def test_a_driver_does_not_wait_for_ever():
    found, driver = board()
    found.set_loading(True)
    with pytest.raises(LinkError, match="failed 32 times, at last because the board answered LOADING"):
        driver.infer(CODES[:1])


@pytest.mark.parametrize("place", [3, 20, 60])
def test_damage_on_the_line_starts_over(place):
    """A request that is damaged ends the attempt, and the next one has the whole image."""
    found, driver = board()
    driver.identify()
    write, damaged = found.write, []

    def damage(content):
        if len(damaged) == 0 and content[1] in (Request.LOAD, Request.LOAD_MORE):
            found.sent = getattr(found, "sent", 0) + 1
            if found.sent * PIECE >= place:
                damaged.append(content)
                content = content[:-1] + bytes([content[-1] ^ 1])
        return write(content)

    found.write = damage
    driver.load(IMAGE)
    assert len(damaged) == 1 and driver.traffic.retries == 1
    assert lists(driver.infer(CODES)) == expected(CODES, 3)


@pytest.mark.parametrize("other", [memory_image.image(b"anotherd", [1] * LOADED_WORDS), IMAGE[:-1] + b"\0"])
def test_weights_of_another_design_are_none(other):
    _, driver = board()
    driver.load(other)
    with pytest.raises(NotLoadedError):
        driver.infer(CODES)
    driver.load(IMAGE)
    assert lists(driver.infer(CODES)) == expected(CODES, 3)


def test_a_frame_is_not_taken_for_a_part_of_an_image():
    """What comes between the parts of an image leaves it as it is."""
    found, _ = board()
    for request in pieces(IMAGE):
        assert answer(found, INFER) == Status.NOT_LOADED
        assert answer(found, request) == Status.TAKEN
    assert answer(found, INFER) == Status.RESULT
