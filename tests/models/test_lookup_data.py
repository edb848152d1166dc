"""What a lookup-table network is trained on: thresholds, and tables of a user."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.lookup.encoding import distributive, live
from models.lookup.network import Encoder
from models.lookup.tabular import TableError, read_csv


def test_every_level_is_reached_as_often() -> None:
    x = np.random.default_rng(1).exponential(size=(1000, 2)).astype(np.float32)
    thresholds = distributive(x, 3)
    assert thresholds.shape == (2, 3) and (np.diff(thresholds) > 0).all()
    shares = (x[:, :, None] >= thresholds).mean(axis=0)
    np.testing.assert_allclose(shares, [[0.75, 0.5, 0.25]] * 2, atol=2e-3)


def test_thresholds_lie_between_values() -> None:
    x = np.array([[0, 7], [0, 7], [16, 7], [3, 7]], np.float32)
    thresholds = distributive(x, 2)
    assert set(thresholds[0]) <= {1.5, 9.5}
    bits = x[:, :, None] >= thresholds
    assert not bits[:, 1].any()
    assert live(bits).tolist() == [0, 1]  # a constant feature has no bits


def test_equal_thresholds_are_one_bit() -> None:
    x = np.array([[0], [1]] * 5, np.float32)
    thresholds = distributive(x, 3)
    used = live(x[:, :, None] >= thresholds)
    assert used.tolist() == [0]
    assert Encoder(thresholds, used).bits(x[:2]).tolist() == [[0], [1]]


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_table_is_split(tmp_path: Path) -> None:
    rows = "".join(f"{k},{k % 3},{'abc'[k % 3]}\n" for k in range(50))
    file = table(tmp_path / "data.csv", "x,y,class\n" + rows)
    data, classes = read_csv(file, "class", without=["y"])
    assert classes == ["a", "b", "c"]
    assert data.train.x.shape == (40, 1) and data.test.x.shape == (10, 1)
    together = np.concatenate([data.train.x, data.test.x])[:, 0]
    assert sorted(together) == list(range(50))
    assert (np.concatenate([data.train.y, data.test.y]) == together % 3).all()


BAD = {
    "no column 'class': its columns are x, y": "x,y\n1,2\n",
    "row 3 has 1 values for 2 columns": "x,class\n1,a\n2\n",
    "1 classes and 1 features": "x,class\n1,a\n2,a\n",
    "0 classes and 1 features": "x,class\n",
    "no column 'class'": "",
    "column 'x': could not convert string to float: 'tcp': write it in numbers, or leave it out \\(--without x\\)": "x,class\ntcp,a\n1,b\n",
    "column 'x' has values that are not finite": "x,class\ninf,a\n1,b\n",
}


@pytest.mark.parametrize("message", BAD)
def test_bad_tables_are_refused(message: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=f"data.csv: {message}"):
        read_csv(table(tmp_path / "data.csv", BAD[message]), "class")


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="none.csv: No such file or directory: give the path of a CSV file"):
        read_csv(tmp_path / "none.csv", "class")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match="binary.csv: no CSV file"):
        read_csv(tmp_path / "binary.csv", "class")
