"""Bus ``wishbone`` against the master of cocotbext-wishbone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnnhw import reference
from bnnhw.design import Design
from bnnhw.generate.wrappers import wrapper
from bnnhw.inputs import random_inputs
from tests.generate.wrappers.icarus import run
from tests.packaging.designs import dense, folded, pooled

pytestmark = pytest.mark.sim
pytest.importorskip("cocotbext.wishbone")


def frames(design: Design, count: int) -> list[dict[str, Any]]:
    """Frames as words, packed here from the description in the page: whole words for each beat."""
    port = wrapper("wishbone", design.plan, design.network).bus.ports.input
    lanes, bits = port.lanes, port.dtype.bits
    words = -(-lanes * bits // 32)
    values = random_inputs(design.graph, count).values
    codes = port.dtype.encode(reference.encode_inputs(design.graph, values).reshape(count, -1))
    answers = reference.run(design.graph, values)
    found = []
    for row, integers, label in zip(codes, answers["integers"].tolist(), answers["prediction"].tolist(), strict=True):
        frame: list[int] = []
        for start in range(0, len(row), lanes):
            number = sum(int(code) << (bits * k) for k, code in enumerate(row[start : start + lanes]))
            frame += [number >> 32 * k & 0xFFFFFFFF for k in range(words)]
        found.append({"words": frame, "integers": integers, "label": label})
    return found


@pytest.mark.parametrize("make", [dense, folded, pooled])
@pytest.mark.parametrize("count", [20, pytest.param(1_000, marks=pytest.mark.slow)])
def test_frames_through_registers(count: int, make: Callable[[Path], Design], tmp_path: Path) -> None:
    design = make(tmp_path)
    run(design, "wishbone", "wishbone_bench", "BNNHW_FRAMES", frames(design, count), tmp_path)


def test_a_wrong_number_is_found(tmp_path: Path) -> None:
    """The bench fails where it should."""
    design = folded(tmp_path)
    job = frames(design, 3)
    job[1]["label"] ^= 1
    with pytest.raises(SystemExit, match="1"):
        run(design, "wishbone", "wishbone_bench", "BNNHW_FRAMES", job, tmp_path)
