"""Explorations that build: what a row says is what makes the bitstream again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import bnnhw

pytestmark = [pytest.mark.synth, pytest.mark.slow]


def test_a_bitstream_of_a_row_is_made_again(tmp_path: Path) -> None:
    (row,) = bnnhw.explore(["digits-binary"], boards=["icebreaker"], fps=[100], build=True, seeds=2, jobs=1)
    assert row["outcome"] == "built" and row["lut4"] < row["lut4_available"]
    bnnhw.compile("digits-binary", board="icebreaker", fps=100, folder=tmp_path)
    report = bnnhw.build(tmp_path, folder=tmp_path, seed=row["seed"])
    assert hashlib.sha256((tmp_path / report["bitstream"]).read_bytes()).hexdigest() == row["bitstream_sha256"]
    for column in ("clock_mhz", "fmax_mhz", "latency_cycles", "inferences_per_second", "link_inferences_per_second"):
        assert row[column] == report[column]
