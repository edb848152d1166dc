"""Writes files: what is written appears under its name only when it is complete."""

from __future__ import annotations

import csv
import errno
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    HAS_FLOCK = False
else:
    HAS_FLOCK = True

LOCK = ".bnnhw-lock"
"""A file in a folder that is claimed, where folders themselves cannot be locked."""


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to; it takes the name `path` when the block ends well, and vanishes otherwise.

    Raises
    ------
    InputError
        If the folder or the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(cannot_write(path, error)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise InputError(cannot_write(path, error)) from None
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keeps others from writing their results into `folder`, which is made; it goes again where it stays empty.

    Raises
    ------
    InputError
        If the folder or the disk refuses, or somebody has claimed the folder.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _lock(folder)
    except BlockingIOError:
        raise InputError(f"{folder}: another bnnhw is writing to it: wait, or use another folder") from None
    except OSError as error:
        raise InputError(cannot_write(folder, error)) from None
    try:
        yield
    finally:
        os.close(handle)
        if not HAS_FLOCK:
            (folder / LOCK).unlink(missing_ok=True)
        if made:
            with suppress(OSError):  # not empty
                folder.rmdir()


def _lock(folder: Path) -> int:
    """A file number that holds the lock of `folder` until it is closed; raises BlockingIOError where others hold it."""
    if HAS_FLOCK:
        # A lock of the folder itself, which leaves no file and ends with the process, however that ends.
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        return handle
    # Windows removes a temporary file when the process ends, however that ends.
    try:
        return os.open(folder / LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_TEMPORARY", 0))
    except FileExistsError:
        raise BlockingIOError from None


def cannot_write(path: Path, error: OSError) -> str:
    """Why `path` is not written, in one line."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: cannot be written: the disk of {path.absolute().parent} is full"
    return f"{path}: cannot be written: {error.strerror or error}"


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all."""
    with whole(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8 to `path`, whole or not at all."""
    write_bytes(path, text.encode())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Writes `arrays`, each with a row (N, ...) for each sample, to `path`, whole or not at all: as CSV, if its name
    ends in ``.csv``, with a line for each sample and a column for each element; else as a compressed .npz."""
    if path.suffix.lower() == ".csv":
        write_text(path, _csv(arrays))
    else:
        write_npz(path, arrays)


def _csv(arrays: Mapping[str, NDArray[np.generic]]) -> str:
    columns: dict[str, list[object]] = {}
    for name, array in arrays.items():
        for place in np.ndindex(array.shape[1:]):
            index = f"[{','.join(map(str, place))}]" if place else ""
            columns[f"{name}{index}"] = [str(value) for value in array[:, *place]]
    rows = zip(*columns.values(), strict=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sample", *columns])
    writer.writerows([k, *row] for k, row in enumerate(rows))
    return text.getvalue()


def write_npz(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Writes `arrays` as a compressed .npz to `path`, whole or not at all."""
    with whole(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
