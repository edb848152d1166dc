"""Bus ``axi-stream`` against the source and sink of cocotbext-axi, under random back-pressure, with damaged packets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.design import Design
from bnnhw.generate.wrappers import wrapper
from bnnhw.inputs import random_inputs
from tests.generate.wrappers.icarus import run
from tests.packaging.designs import dense, folded

pytestmark = pytest.mark.sim
pytest.importorskip("cocotbext.axi")

BENCH, VARIABLE = "axi_stream_bench", "BNNHW_PACKETS"


def packets(design: Design, count: int) -> list[dict[str, object]]:
    """Frames as bytes, packed here from the description in the page: a beat's codes from the low bit on."""
    port = wrapper("axi-stream", design.plan, design.network).bus.ports
    lanes, bits = port.input.lanes, port.input.dtype.bits
    size = -(-lanes * bits // 8)
    values = random_inputs(design.graph, count).values
    codes = port.input.dtype.encode(reference.encode_inputs(design.graph, values).reshape(count, -1))
    answers = reference.run(design.graph, values)
    random = np.random.default_rng(3)
    found: list[dict[str, object]] = []
    for row, integers, label in zip(codes, answers["integers"].tolist(), answers["prediction"].tolist(), strict=True):
        beats = [row[start : start + lanes] for start in range(0, len(row), lanes)]
        stream = b""
        for beat in beats:
            number = sum(int(code) << (bits * k) for k, code in enumerate(beat))
            # The last transfer has only the bytes that it needs.
            stream += number.to_bytes(size if len(beat) == lanes else -(-len(beat) * bits // 8), "little")
        keep: list[int] | None = None
        damage = random.integers(12)
        if damage == 0:
            stream += bytes(random.integers(1, 9, 1 + size).tolist())  # a transfer too many, at least
        elif damage == 1:
            stream = stream[: -1 - int(random.integers(len(stream)))] or stream * 3
        elif damage == 2:
            keep = [1] * len(stream)
            keep[int(random.integers(len(stream)))] = 0
        found.append(
            {
                "bytes": list(stream),
                "keep": keep,
                "result": [value & 255 for value in integers],
                "label": label,
                "damaged": bool(damage <= 2),
            }
        )
    return found


@pytest.mark.parametrize("make", [dense, folded], ids=["wide", "folded"])
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_packets_under_back_pressure(count: int, make: object, tmp_path: Path) -> None:
    design = make(tmp_path)  # type: ignore[operator]
    run(design, "axi-stream", BENCH, VARIABLE, job(design, packets(design, count)), tmp_path)


def test_a_wrong_byte_is_found(tmp_path: Path) -> None:
    """The bench fails where it should."""
    design = folded(tmp_path)
    sent = packets(design, 20)
    whole = next(packet for packet in sent if not packet["damaged"])
    whole["result"][3] ^= 1  # type: ignore[index]
    with pytest.raises(SystemExit, match="1"):
        run(design, "axi-stream", BENCH, VARIABLE, job(design, sent), tmp_path)


def job(design: Design, sent: list[dict[str, object]]) -> dict[str, object]:
    bits = wrapper("axi-stream", design.plan, design.network).bus.ports.output.fields["label"]
    return {"packets": sent, "error_bit": bits}
