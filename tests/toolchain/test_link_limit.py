"""What is said where the host link is the limit."""

from __future__ import annotations

import pytest

from bnnhw.toolchain import find_board
from bnnhw.toolchain.link_limit import lift


@pytest.mark.parametrize(
    "board, baud, per_second, said",
    [
        ("icebreaker", 3_000_000, 10_000, None),
        ("icebreaker", 3_000_000, 30_000, "a clock of 48 MHz for the link: 12,000,000 baud carry 40,000/s"),
        (
            "icebreaker",
            1_000_000,
            20_000,
            "--baud 3000000: 3,000,000 baud carry 30,000/s; a clock of 48 MHz for the link: "
            "12,000,000 baud carry 120,000/s",
        ),
        (
            "ulx3s",
            3_000_000,
            900_000,
            "a bridge such as the FT2232H, and 48 MHz for the link: 12,000,000 baud carry 40,000/s; "
            "a design of your own with `bnnhw export`, for the accelerator's whole rate",
        ),
        (
            "icesugar",
            1_000_000,
            100_000,
            "a bridge such as the FT2232H, and 48 MHz for the link: 12,000,000 baud carry 120,000/s",
        ),
        ("orangecrab-25f", 3_000_000, 9_999, None),
    ],
)
def test_what_would_lift_it(board: str, baud: int, per_second: float, said: str | None) -> None:
    assert lift(find_board(board), baud=baud, link_per_second=10_000, per_second=per_second) == said
