"""BoardLink over its serial line: good requests, bad ones, and that nothing bad outlives the next START."""

import random

import numpy as np
import pytest

from bnnhw.gateware.link.board_link import BoardLink
from bnnhw.host import Driver
from bnnhw.host.protocol import Parser, encode_packet, pack_frame, unpack_results
from bnnhw.packets import ESCAPE, START, Identity, Request, Status
from tests.gateware.link_bench import BIT, DIGEST, SimulatedBoard, expected

CODES = np.random.default_rng(5).integers(0, 2, (8, 21))
FRAMES = [pack_frame(codes, 1) for codes in CODES]
INFER = [encode_packet(Request.INFER, k, frame) for k, frame in enumerate(FRAMES)]


def answers(board):
    """Everything that the board says until it is silent, as (status, sequence number, payload)."""
    return [(packet.kind, packet.sequence, packet.payload) for packet in Parser().feed(board.read_all())]


def lists(results):
    """Integers, labels and errors as `expected` has them."""
    return tuple(array.tolist() for array in results)


def integers_of(payload, board):
    """The integers of a RESULT."""
    return unpack_results(payload, board.link.identity, 1).integers[0].tolist()


def assert_works(board, numbers=(0, 1)):
    """The board answers good requests as if nothing had been."""
    for k in numbers:
        board.write(INFER[k])
        [(status, sequence, payload)] = answers(board)
        assert (status, sequence) == (Status.RESULT, k)
        assert lists(unpack_results(payload, board.link.identity, 1)) == expected(CODES[k : k + 1], 3)


@pytest.mark.parametrize("accel_mhz, skew", [(None, 0.0), (5.0, -0.02), (31.0, 0.02)])
def test_driver_gets_right_results(accel_mhz, skew):
    board = SimulatedBoard(accel_mhz=accel_mhz, skew=skew)
    driver = Driver(board, timeout=600e-6, digest=DIGEST)
    assert driver.identify() == Identity(DIGEST, 21, 1, 5, 3, 2, 4)
    assert lists(driver.infer(CODES)) == expected(CODES, 3)


@pytest.mark.parametrize(
    "shape",
    [
        {"input_elements": 1, "output_elements": 1, "output_width": 8},
        {"input_elements": 9, "input_bits": 8, "output_width": 13},
        {"input_elements": 12, "input_bits": 3, "output_width": 17},
        {"input_elements": 140, "input_bits": 8, "output_elements": 2, "output_width": 20},
    ],
    ids=lambda s: "-".join(map(str, s.values())),
)
def test_shapes(shape):
    board = SimulatedBoard(**shape, buffer_bytes=512)
    bits = shape.get("input_bits", 1)
    source = np.random.default_rng(7)
    codes = source.integers(0, 1 << bits, (3, shape["input_elements"]))
    codes[1:, :5] = [START, ESCAPE, START, START, ESCAPE][: codes.shape[1]] if bits == 8 else 0
    driver = Driver(board, timeout=900e-6)
    elements = shape.get("output_elements", 3)
    assert driver.identify().depth == (2 if shape["input_elements"] == 140 else 4)
    assert lists(driver.infer(codes)) == expected(codes, elements)


def test_results_follow_each_other_at_the_speed_of_the_line():
    board = SimulatedBoard()
    # Two of four in flight are enough: the second is received while the first one is answered.
    for packet in INFER[:4]:
        board.write(packet)
    before = board._seconds
    assert len(answers(board)) == 4
    answer_bytes = 1 + 4 + 3 * 2 + 3 + 2
    busy = board._seconds - before - board.timeout
    assert busy == pytest.approx((len(INFER[0]) + 4 * answer_bytes) * 10 * BIT, rel=0.1)
    assert board.link.frames_per_second == pytest.approx(1 / (answer_bytes * 10 * BIT))


BAD_FRAME = INFER[2][:-1] + bytes([INFER[2][-1] ^ 4])
BAD = {
    "checksum": (BAD_FRAME, [(Status.BAD_CHECKSUM, 2)]),
    "checksum of identify": (encode_packet(Request.IDENTIFY, 9)[:-1] + b"\0", [(Status.BAD_CHECKSUM, 9)]),
    "payload": (INFER[2].replace(FRAMES[2][:1], bytes([FRAMES[2][0] ^ 1]), 1), [(Status.BAD_CHECKSUM, 2)]),
    "too short": (encode_packet(Request.INFER, 3, FRAMES[3][:-1]), [(Status.BAD_LENGTH, 3)]),
    "too long": (encode_packet(Request.INFER, 3, FRAMES[3] + b"\0"), [(Status.BAD_LENGTH, 3)]),
    "empty": (encode_packet(Request.INFER, 3), [(Status.BAD_LENGTH, 3)]),
    "long by 256": (encode_packet(Request.INFER, 3, bytes(256 + len(FRAMES[3]))), [(Status.BAD_LENGTH, 3)]),
    "identify with payload": (encode_packet(Request.IDENTIFY, 4, b"x"), [(Status.BAD_LENGTH, 4)]),
    "kind 0": (encode_packet(0, 5), [(Status.UNKNOWN_KIND, 5)]),
    "kind 3": (encode_packet(3, 5, FRAMES[0]), [(Status.UNKNOWN_KIND, 5)]),
    "own answer": (encode_packet(Status.RESULT, 6, FRAMES[0]), [(Status.UNKNOWN_KIND, 6)]),
    "garbage": (bytes(k for k in range(100, 200) if k != START), []),
    "surplus": (INFER[0] + FRAMES[0] + b"12", [(Status.RESULT, 0)]),
    "cut in header": (INFER[2][:4], []),
    "START only": (bytes([START]), []),
    "ESCAPE last": (INFER[2][:6] + bytes([ESCAPE]), None),
    "cut in payload": (INFER[2][:7], None),
    "cut in checksum": (INFER[2][:-1], None),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_request_is_answered_and_forgotten(case):
    sent, expected_answers = BAD[case]
    board = SimulatedBoard()
    board.write(sent)
    seen = [(status, sequence) for status, sequence, _ in answers(board)]
    if expected_answers is None:
        # Nothing tells that it was cut but the START of the next request.
        assert seen == []
        board.write(encode_packet(Request.IDENTIFY, 77))
        assert [a[:2] for a in answers(board)] == [(Status.BAD_LENGTH, 2), (Status.IDENTITY, 77)]
    else:
        assert seen == expected_answers
    assert_works(board)


def test_framing_error_ends_the_request():
    board = SimulatedBoard()
    board.write(INFER[2][:7])
    board.write_bits(*[0] * 10, 1)  # no stop bit
    board.write(INFER[2][8:])
    assert [a[:2] for a in answers(board)] == [(Status.BAD_CHECKSUM, 2)]
    assert_works(board)
    board.write(INFER[2][:3])
    board.write_bits(*[0] * 200, 1)  # break, in the header: nobody to answer
    assert answers(board) == []
    assert_works(board)


def test_answers_come_in_the_order_of_the_requests():
    board = SimulatedBoard()
    board.set_hang(True)
    board.write(INFER[0] + encode_packet(Request.IDENTIFY, 50) + BAD_FRAME + INFER[1])
    board.run(1200e-6)
    board.set_hang(False)
    seen = answers(board)
    assert [a[:2] for a in seen] == [
        (Status.RESULT, 0),
        (Status.IDENTITY, 50),
        (Status.BAD_CHECKSUM, 2),
        (Status.RESULT, 1),
    ]
    assert Identity.unpack(seen[1][2]) == board.link.identity
    integers, _, _ = expected(CODES[:2], 3)
    assert [integers_of(a[2], board) for a in (seen[0], seen[3])] == integers


def test_requests_beyond_the_depth_are_ignored():
    board = SimulatedBoard()
    board.set_hang(True)
    for packet in INFER:
        board.write(packet)
    board.run(len(INFER) * len(INFER[0]) * 10 * BIT * 1.1)
    assert board.in_waiting <= 5  # the header of the first answer
    board.set_hang(False)
    seen = answers(board)
    assert [a[:2] for a in seen] == [(Status.RESULT, k) for k in range(4)]
    integers, _, _ = expected(CODES[:4], 3)
    assert [integers_of(a[2], board) for a in seen] == integers
    assert_works(board)


def test_recovers_from_anything():
    source = random.Random(11)
    board = SimulatedBoard()
    for round_ in range(25):
        packet = bytearray(INFER[source.randrange(2, 8)])
        for _ in range(source.randrange(1, 4)):
            where = source.randrange(len(packet))
            match source.randrange(4):
                case 0:
                    packet[where] ^= 1 << source.randrange(8)
                case 1:
                    packet[where:where] = source.randbytes(source.randrange(4))
                case 2:
                    del packet[where:]
                case 3:
                    packet[where] = source.choice([START, ESCAPE])
            if not packet:
                break
        board.write(packet)
        if round_ % 5 == 0:
            board.write_bits(*(source.randrange(2) for _ in range(source.randrange(30))), 1)
            board.run(20 * BIT * 10)
        # Right behind it: only what was damaged may be lost.
        board.write(INFER[round_ % 2])
        seen = answers(board)
        assert seen[-1][:2] == (Status.RESULT, round_ % 2), round_
        assert integers_of(seen[-1][2], board) == expected(CODES[:2], 3)[0][round_ % 2]
        for status, sequence, payload in seen[:-1]:
            if status == Status.RESULT:  # the damage was behind the packet, or undid itself
                assert integers_of(payload, board) == expected(CODES, 3)[0][sequence]


def test_leds():
    board = SimulatedBoard()
    seen = []

    async def watch(ctx):
        async for _, _, *values in ctx.tick().sample(board.link.busy, board.link.activity, board.link.error):
            if not seen or seen[-1] != tuple(values):
                seen.append(tuple(values))

    board.simulator.add_testbench(watch, background=True)
    board.write(INFER[0])
    answers(board)
    board.write(BAD_FRAME)
    answers(board)
    board.write(INFER[1])
    answers(board)
    assert seen == [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0), (0, 1, 0)]


GOOD = {
    "clk_hz": 12e6,
    "fast_baud": 3_000_000,
    "digest": DIGEST,
    "input_elements": 784,
    "input_bits": 1,
    "input_simd": 16,
    "output_elements": 10,
    "output_width": 11,
}


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"fast_baud": 5_000_000}, "a clock of 12 MHz cannot give 5,000,000 baud: a bit would last 2.40 clock cycles"),
        ({"fast_baud": 1_200_000}, "the line's fast rate must be at least 1,500,000 baud, not 1,200,000"),
        ({"digest": b"short"}, "a digest must have 8 bytes, not b'short'"),
        ({"input_elements": 100_000, "input_bits": 8}, "1 frames of 100000 bytes do not fit packets of 65535 bytes"),
        ({"output_elements": 70_000, "output_width": 4}, "do not fit packets"),
        ({"input_simd": 70_000}, "the link cannot describe Identity"),
    ],
)
def test_parameters_are_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        BoardLink(**GOOD | wrong)


@pytest.mark.parametrize(
    "elements, buffer_bytes, depth, block",
    [(784, 512, 4, 1), (784, 256, 2, 1), (8000, 512, 2, 1), (8000, 4096, 4, 1), (784, 2048, 4, 4), (8, 2048, 4, 16)],
)
def test_depth_and_block_follow_the_memory(elements, buffer_bytes, depth, block):
    link = BoardLink(**GOOD | {"input_elements": elements, "buffer_bytes": buffer_bytes})
    assert (link.identity.depth, link.identity.block) == (depth, block)


def test_blocks_of_long_results_fit_packets():
    link = BoardLink(**GOOD | {"input_elements": 8, "output_elements": 10_000, "buffer_bytes": 2048})
    assert (link.identity.depth, link.identity.block) == (4, 2)


BLOCKS = {"buffer_bytes": 64}  # four requests of four frames


@pytest.mark.parametrize("accel_mhz", [None, 7.0])
def test_blocks(accel_mhz):
    board = SimulatedBoard(accel_mhz=accel_mhz, **BLOCKS)
    driver = Driver(board, timeout=1200e-6)
    assert (driver.identify().depth, driver.identify().block) == (4, 4)
    codes = np.random.default_rng(6).integers(0, 2, (27, 21))
    assert lists(driver.infer(codes)) == expected(codes, 3)
    # Six blocks and three single frames.
    assert (driver.traffic.requests, driver.traffic.retries) == (1 + 6 + 3, 0)


def test_blocks_follow_each_other_at_the_speed_of_the_line():
    board = SimulatedBoard(**BLOCKS)
    block = b"".join(FRAMES[:4])
    for k in range(4):
        board.write(encode_packet(Request.INFER_BLOCK, k, block))
    before = board._seconds
    seen = answers(board)
    assert [(status, sequence) for status, sequence, _ in seen] == [(Status.RESULT_BLOCK, k) for k in range(4)]
    busy = board._seconds - before - board.timeout
    request, answer = 7 + 4 * 3, 7 + 4 * (3 * 2 + 3)
    assert busy == pytest.approx((request + 4 * answer) * 10 * BIT, rel=0.1)
    assert board.link.frames_per_second == pytest.approx(4 / (answer * 10 * BIT))


BAD_BLOCKS = {
    "too short": (encode_packet(Request.INFER_BLOCK, 3, b"".join(FRAMES[:3])), Status.BAD_LENGTH),
    "too long": (encode_packet(Request.INFER_BLOCK, 3, b"".join(FRAMES[:5])), Status.BAD_LENGTH),
    "checksum": (encode_packet(Request.INFER_BLOCK, 3, b"".join(FRAMES[:4]))[:-1] + b"\0", Status.BAD_CHECKSUM),
    "cut in the third frame": (encode_packet(Request.INFER_BLOCK, 3, b"".join(FRAMES[:4]))[:13], None),
}


@pytest.mark.parametrize("case", BAD_BLOCKS)
def test_frames_of_a_bad_block_are_forgotten(case):
    sent, status = BAD_BLOCKS[case]
    board = SimulatedBoard(**BLOCKS)
    board.write(sent)
    good = b"".join(FRAMES[4:8])
    board.write(encode_packet(Request.INFER_BLOCK, 8, good) + INFER[1])
    seen = answers(board)
    assert [a[:2] for a in seen] == [
        (Status.BAD_LENGTH if status is None else status, 3),
        (Status.RESULT_BLOCK, 8),
        (Status.RESULT, 1),
    ]
    assert lists(unpack_results(seen[1][2], board.link.identity, 4)) == expected(CODES[4:8], 3)
    assert lists(unpack_results(seen[2][2], board.link.identity, 1)) == expected(CODES[1:2], 3)


FAST = {"fast_baud": 3_000_000, "clk_mhz": 12.0}


def gone_fast(**shape):
    """A board with its line at the fast rate."""
    board = SimulatedBoard(**FAST | shape)
    board.write(encode_packet(Request.GO_FAST, 5))
    assert answers(board) == [(Status.GOES_FAST, 5, b"")]
    board.baudrate = 3_000_000
    return board


@pytest.mark.parametrize("clk_mhz", [12.0, 25.0, 16.0])
@pytest.mark.parametrize("skew", [-0.015, 0.015])
def test_driver_goes_fast(clk_mhz, skew):
    board = SimulatedBoard(**FAST | {"clk_mhz": clk_mhz}, skew=skew)
    driver = Driver(board, timeout=600e-6)
    assert lists(driver.infer(CODES)) == expected(CODES, 3)
    assert (driver.traffic.baud, driver.traffic.retries, board.baudrate) == (3_000_000, 0, 3_000_000)
    assert board.broken == 0


def test_driver_stays_slow_if_told_so():
    board = SimulatedBoard(**FAST)
    driver = Driver(board, timeout=600e-6, max_baud=2_999_999)
    assert lists(driver.infer(CODES)) == expected(CODES, 3)
    assert (driver.traffic.baud, driver.traffic.requests) == (1_000_000, 1 + len(CODES))


def test_a_board_left_fast_is_called_back():
    board = gone_fast()
    board.write(INFER[0])
    assert [a[:2] for a in answers(board)] == [(Status.RESULT, 0)]
    # Its computer dies in the middle of a request; the next one begins at the base rate.
    board.write(INFER[1][:6])
    board.baudrate = 1_000_000
    driver = Driver(board, timeout=600e-6)
    assert lists(driver.infer(CODES)) == expected(CODES, 3)
    assert driver.traffic.baud == 3_000_000


def test_longest_byte_and_short_break_leave_it_fast():
    board = gone_fast()
    board.write(bytes(4))
    board.write_bits(*[0] * 19, 1)  # 76 cycles of the 84 that call it back
    board.write(INFER[0])
    assert [a[:2] for a in answers(board)] == [(Status.RESULT, 0)]
    board.write_bits(*[0] * 22, *[1] * 10)
    board.write(INFER[0])
    assert answers(board) == []
    board.baudrate = 1_000_000
    assert_works(board)


def test_a_board_that_is_at_the_base_rate_is_found():
    """It lost its power, say: the driver is silent at first, then finds it and goes on."""
    board = SimulatedBoard(**FAST)
    driver = Driver(board, timeout=600e-6)
    driver.identify()
    board.write_bits(*[0] * 40, *[1] * 10)
    assert lists(driver.infer(CODES)) == expected(CODES, 3)
    assert (driver.traffic.baud, driver.traffic.silences) == (3_000_000, 1)


def test_port_that_cannot_go_fast():
    class Slow(SimulatedBoard):
        baudrate = property(lambda self: 1_000_000, lambda self, baud: self.refuse())

        def refuse(self):
            if hasattr(self, "_received"):
                raise ValueError("no such rate")

    board = Slow(**FAST)
    driver = Driver(board, timeout=600e-6)
    assert lists(driver.infer(CODES)) == expected(CODES, 3)
    assert driver.traffic.baud == 1_000_000


def test_line_that_does_not_carry_the_fast_rate():
    """Nothing arrives at the fast rate: the driver tries, and falls back to what works."""

    class Narrow(SimulatedBoard):
        def write(self, content):
            return len(content) if self.baudrate > 1_000_000 else super().write(content)

    board = Narrow(**FAST)
    driver = Driver(board, timeout=600e-6)
    assert lists(driver.infer(CODES)) == expected(CODES, 3)
    assert (driver.traffic.baud, driver.traffic.silences) == (1_000_000, 3)


def test_a_board_without_a_fast_rate_refuses():
    board = SimulatedBoard()
    board.write(encode_packet(Request.GO_FAST, 5))
    assert answers(board) == [(Status.UNKNOWN_KIND, 5, b"")]
    assert_works(board)
