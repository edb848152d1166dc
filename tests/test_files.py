"""Files that are written whole or not at all, and archives that may be damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnnhw import files
from bnnhw.errors import InputError
from bnnhw.reading import read_npz


def test_text_and_arrays_come_back(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a" / "text", "naïve\n")
    assert (tmp_path / "a" / "text").read_text() == "naïve\n"
    files.write_npz(tmp_path / "x.npz", {"a": np.arange(3), "b": np.zeros((2, 2))})
    arrays = read_npz(tmp_path / "x.npz")
    assert arrays["a"].tolist() == [0, 1, 2]
    assert arrays["b"].shape == (2, 2)


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    with pytest.raises(RuntimeError, match="half way"), files.whole(tmp_path / "old") as file:
        file.write(b"new")
        raise RuntimeError("half way")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        files.write_text(tmp_path / "file" / "inside", "")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        files.write_text(tmp_path / "folder", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x93NUMPY"])
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npz: cannot be read as \.npz"):
        read_npz(tmp_path / "x.npz")


def test_archive_cut_anywhere(tmp_path: Path) -> None:
    files.write_npz(tmp_path / "x.npz", {"a": np.arange(1000)})
    content = (tmp_path / "x.npz").read_bytes()
    for k in range(0, len(content), 37):
        (tmp_path / "x.npz").write_bytes(content[:k])
        with pytest.raises(InputError):
            read_npz(tmp_path / "x.npz")


def test_single_array(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(InputError, match="savez"):
        read_npz(tmp_path / "x.npy")


@pytest.mark.parametrize("flock", [True, False], ids=["flock", "as on Windows"])
def test_a_folder_is_claimed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flock: bool) -> None:
    monkeypatch.setattr(files, "HAS_FLOCK", flock)
    folder = tmp_path / "folder"
    for _ in range(2):
        with files.claimed(folder):
            with pytest.raises(InputError, match="another bnnhw is writing to it: wait"), files.claimed(folder):
                raise AssertionError("claimed twice")
            assert folder.is_dir()
        assert not folder.exists()
    with files.claimed(folder):
        (folder / "result").write_text("")
    assert [path.name for path in folder.iterdir()] == ["result"]
