"""Files. What is written appears under its name only when it is complete; what is read may be damaged."""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import InputError


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
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        Path(name).unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all."""
    with whole(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8 to `path`, whole or not at all."""
    write_bytes(path, text.encode())


def read_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of the .npz file `path`, by name.

    Raises
    ------
    InputError
        If it cannot be read, is no .npz, or holds Python objects.
    """
    try:
        # Opened here, since numpy leaves the file of a damaged archive open.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(f"{path}: holds a single array, not named ones: save it with numpy.savez")
            return {name: np.asarray(archive[name]) for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read as .npz: {getattr(error, 'strerror', None) or error}") from None


def write_npz(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Writes `arrays` as a compressed .npz to `path`, whole or not at all."""
    with whole(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
