"""What may have been meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnnhw.hints import did_you_mean, did_you_mean_file


def test_words() -> None:
    assert did_you_mean("Icebraker", ["icebreaker", "ulx3s-85f"]) == ", did you mean icebreaker?"
    assert did_you_mean("nothing", ["icebreaker"]) == ""


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("modle.onnx", "model.onnx"),
        ("wrok/report.json", "work"),
        ("work/reprot.json", "work/report.json"),
        ("work/deeper/and/deeper", None),
        ("model.onnx", None),
        ("zzzzz", None),
        ("model.onnx/inside", None),
    ],
)
def test_files(name: str, hint: str | None, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    for file in ("model.onnx", "work/report.json"):
        (tmp_path / file).touch()
    expected = "" if hint is None else f", did you mean {tmp_path / hint}?"
    assert did_you_mean_file(tmp_path / name) == expected
