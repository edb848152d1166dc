"""Answers as .npz and as CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw.files import write_arrays
from tests.cli.conftest import CLI

MODEL = "digits-binary"


def test_csv_holds_what_the_npz_holds(cli: CLI, tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(0, 16, (7, 64)).astype(np.float32)
    np.savez(tmp_path / "x.npz", inputs=values)
    for name in ("out.npz", "out.CSV", "plain"):
        assert cli("infer", MODEL, "--inputs", tmp_path / "x.npz", "-o", tmp_path / name).status == 0
    arrays = np.load(tmp_path / "out.npz")
    plain = np.load(tmp_path / "plain")
    rows = list(csv.DictReader((tmp_path / "out.CSV").read_text().splitlines()))
    assert [int(row["sample"]) for row in rows] == list(range(7))
    for name, array in arrays.items():
        np.testing.assert_array_equal(plain[name], array)
        columns = [name] if array.ndim == 1 else [f"{name}[{k}]" for k in range(array.shape[1])]
        listed = np.array([[row[column] for column in columns] for row in rows]).astype(array.dtype)
        np.testing.assert_array_equal(listed.reshape(array.shape), array, err_msg=name)
    assert [*rows[0]][:2] == ["sample", "outputs[0]"] and rows[0]["prediction"] == str(arrays["prediction"][0])


def test_elements_of_maps_have_their_places(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.csv", {"map": np.arange(8).reshape(2, 2, 2), "label": np.array([3, 4])})
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        'sample,"map[0,0]","map[0,1]","map[1,0]","map[1,1]",label',
        "0,0,1,2,3,3",
        "1,4,5,6,7,4",
    ]


@pytest.mark.parametrize("command", [("infer", MODEL, "--inputs", "x.npz"), ("run", "work", "--port", "nowhere")])
def test_other_formats_are_refused_before_anything_is_done(
    command: tuple[str, ...], refused: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bnnhw, command[0], None)
    message = refused(*command, "-o", tmp_path / "out.xlsx").err
    assert "--output" in message and "out.xlsx" in message and ".npz or .csv" in message
