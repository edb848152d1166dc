"""The files of a BNN-PYNQ parameter folder, from the folder itself or out of a tar archive of it.

Everything is read into memory, and nothing is believed: files have a largest size, and an archive may hold plain files
and folders only.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bnnhw.errors import InputError, ModelError
from bnnhw.frontend import container
from bnnhw.reading import read_bytes

ARCHIVES = (".tar", ".tar.gz", ".tgz")
CLASSES = "classes.txt"
# Layer, processing element, content. Everything else in such a folder is not read.
NAME = re.compile(r"(\d)-(0|[1-9]\d?)-(weights|thres)\.bin", re.ASCII)
# The largest file of a published network has 0.6 MiB.
MAX_BYTES = 1 << 20
# Published archives have 300.
MAX_MEMBERS = 4096


def is_folder_or_archive(path: Path) -> bool:
    """Whether `path` is what BNN-PYNQ parameters come as, and ONNX files do not."""
    return path.is_dir() or path.name.endswith(ARCHIVES)


def read(path: Path) -> dict[str, bytes]:
    """The parameter files in the folder or archive `path`, and ``classes.txt``, by name.

    Raises
    ------
    ModelError
        If `path` cannot be read, holds no such files, or something that does not belong in an archive of them.
    """
    found = dict(_in_folder(path)) if path.is_dir() else _in_archive(path)
    if not any(NAME.fullmatch(name) for name in found):
        raise ModelError(
            f"{path}: holds no BNN-PYNQ parameters, which are files named like 0-0-weights.bin: "
            "name a folder such as bnn/params/mnist/lfcW1A1, or a tar archive of it"
        )
    return found


def _wanted(name: str) -> bool:
    return name == CLASSES or NAME.fullmatch(name) is not None


def _in_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        for file in path.iterdir():
            if _wanted(file.name):
                _check_size(path, file.name, file.lstat().st_size)
                yield file.name, read_bytes(file, MAX_BYTES, links=False)
    except OSError as error:
        raise ModelError(f"{error.filename or path}: cannot be read: {error.strerror or error}") from None
    except InputError as error:
        raise ModelError(str(error)) from None


def _in_archive(path: Path) -> dict[str, bytes]:
    content = container.unpacked(path)
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            return _members(path, archive)
    except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError) as error:
        # What the module meets in damaged headers.
        raise ModelError(f"{path}: no tar archive, or a damaged one ({error}): pack the folder again") from None


def _members(path: Path, archive: tarfile.TarFile) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    folders: set[PurePosixPath] = set()
    for k, member in enumerate(archive):
        if k >= MAX_MEMBERS:
            raise ModelError(f"{path}: holds more than {MAX_MEMBERS} files: pack one network alone")
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            raise ModelError(
                f"{path}: {member.name} is a link, or something else than a plain file: "
                "pack the folder again without it (tar --dereference)"
            )
        place = PurePosixPath(member.name)
        if not _wanted(place.name):
            continue
        folders.add(place.parent)
        if len(folders) > 1:
            shown = " and ".join(sorted(str(folder) for folder in folders))
            raise ModelError(f"{path}: holds parameters in more than one folder ({shown}): pack one network alone")
        if place.name in found:
            raise ModelError(f"{path}: holds {member.name} twice: pack the folder again")
        _check_size(path, member.name, member.size)
        file = archive.extractfile(member)
        assert file is not None  # as it is a plain file
        found[place.name] = file.read()
    return found


def _check_size(path: Path, name: str, size: int) -> None:
    if size > MAX_BYTES:
        raise ModelError(
            f"{path}: {name} has {size} bytes, more than any published BNN-PYNQ network: "
            "use the folder as BNN-PYNQ publishes it"
        )
