"""A bitstream of digits-binary for every board: what docs/boards.md tells of it."""

from __future__ import annotations

import pytest

from benchmarks.boards import measure, results
from bnnhw.toolchain import Board, all_boards


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("board", all_boards(), ids=lambda board: board.name)
def test_the_table_of_boards_is_true(board: Board) -> None:
    row = results()[board.name,]
    found = measure(board)
    assert found.keys() == row.keys()
    if "refused" in row:
        assert found == row
    else:
        # The clock is that of a route, which other versions of the tools make otherwise.
        assert (found["cycles"], found["lut4"]["available"]) == (row["cycles"], row["lut4"]["available"])
        assert found["clock_mhz"] > 0.8 * row["clock_mhz"]
