"""Reads files of which nothing is believed: what they hold is bounded and checked before anything is made of it."""

from __future__ import annotations

import io
import json
import lzma
import re
import stat
import tokenize
import types
import typing
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import InputError
from bnnhw.hints import did_you_mean_file

# Of an .npz, packed and unpacked: 10,000 colour images of 32 x 32 as float64 are 234 MiB.
MAX_NPZ = 256 << 20
# Of a .json: a hundred times a large plan. What it becomes in memory is up to twenty times as large.
MAX_JSON = 8 << 20
# Arrays of an .npz: three of each layer, and some.
MAX_ARRAYS = 1024

# Of Verilog: ten times a full part.
MAX_VERILOG = 256 << 20

# Where in Verilog words do not count, and those that start something; an open comment or string goes to the end. Plain
# names have no $ in them here, so that one behind anything, such as a number, starts a word.
_VERILOG = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))|\\\S+|(?P<text>"(?:\\.|[^"\\])*"?)|(?P<word>[`$][\w$]*|\b(?:"""
    r"""import|export|bind|checker|config|program|package|class|include)\b)""",
    re.DOTALL,
)
_CONVERSIONS = {"$signed", "$unsigned"}

# What zipfile and numpy's header parser meet in damaged archives, besides errors of the file system.
_DAMAGE = (
    ValueError,
    TypeError,
    ArithmeticError,
    EOFError,
    KeyError,
    RuntimeError,  # encrypted; NotImplementedError and RecursionError as well
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
)


def read_bytes(path: Path, most: int, *, links: bool = True) -> bytes:
    """The content of `path`.

    Parameters
    ----------
    most
        Bytes that it may have.
    links
        Whether `path` may be a symbolic link: yes where the user named it, no where it lies in a folder that may come
        from somebody else.

    Raises
    ------
    InputError
        If it cannot be read, is no plain file, or is larger.
    """
    try:
        return _content(path, most, links)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {_reason(error)}") from None


def _content(path: Path, most: int, links: bool) -> bytes:
    status = path.stat() if links else path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise ValueError("it is a link to another file: copy the folder without links (cp -rL)")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most >> 20} MiB")
    return content


def _reason(error: Exception) -> str:
    """In one line."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    hint = did_you_mean_file(Path(error.filename)) if isinstance(error, FileNotFoundError) and error.filename else ""
    return " ".join(f"{str(reason)[:160]}{hint}".split())


def read_json(path: Path, *, remedy: str, links: bool = True) -> Any:
    """The JSON document in `path`.

    Parameters
    ----------
    remedy
        What the user is told to do where it is none.
    links
        As in `read_bytes`.

    Raises
    ------
    InputError
        If it cannot be read or is no JSON.
    """
    try:
        return json.loads(_content(path, MAX_JSON, links).decode(), object_pairs_hook=_object)
    except RecursionError:
        raise InputError(f"{path}: cannot be read as JSON (nested too deeply): {remedy}") from None
    except (OSError, ValueError) as error:
        if not path.parent.exists():
            hint = did_you_mean_file(path.parent) or ":"
            raise InputError(f"{path.parent}: no such folder{hint} {remedy}") from None
        raise InputError(f"{path}: cannot be read as JSON ({_reason(error)}): {remedy}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; Python's own reader keeps the last of two values of one key, without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)[:60]!r} appears twice")
    return found


def read_npz(path: Path, *, links: bool = True) -> dict[str, NDArray[np.generic]]:
    """The arrays of the .npz file `path`, by name.

    Raises
    ------
    InputError
        If it cannot be read, is no .npz, holds Python objects, or is or unpacks to more than `MAX_NPZ` bytes.
    """
    try:
        content = _content(path, MAX_NPZ, links)
        if content.startswith(np.lib.format.MAGIC_PREFIX):
            raise ValueError("it holds a single array, not named ones: save it with numpy.savez")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ARRAYS:
                raise ValueError(f"it holds {len(entries)} arrays, more than {MAX_ARRAYS}")
            # Nothing unpacks to more than its entry says: zipfile stops there.
            if sum(entry.file_size for entry in entries) > MAX_NPZ:
                raise ValueError(f"it unpacks to more than {MAX_NPZ >> 20} MiB: split it into several files")
            return {entry.filename.removesuffix(".npy"): _array(archive.read(entry)) for entry in entries}
    except (OSError, *_DAMAGE) as error:
        raise InputError(f"{path}: cannot be read as .npz: {_reason(error)}") from None


def _array(content: bytes) -> NDArray[np.generic]:
    """The array of an .npy file, if its header promises no more than there is."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in headers:
        raise ValueError(f"an array of .npy version {version}: use plain names in its type")
    shape, _, dtype = headers[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which may run code: save arrays of numbers")
    if prod(shape) * max(1, dtype.itemsize) > len(content):
        raise ValueError(f"an array of shape {shape} in {len(content)} bytes")
    file.seek(0)
    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


# Types of elements in .safetensors files that numpy has, little-endian.
_SAFETENSORS = {
    "BOOL": "|b1", "I8": "|i1", "U8": "|u1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8",
    "U64": "<u8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def read_safetensors(path: Path) -> dict[str, NDArray[np.generic]]:
    """The tensors of the .safetensors file `path`, by name.

    Its first 8 bytes are the length of a JSON object, little-endian, which has ``dtype``, ``shape`` and
    ``data_offsets`` of each tensor in the bytes behind it.

    Raises
    ------
    InputError
        If it cannot be read, is no such file, or has more than `MAX_NPZ` bytes.
    """
    try:
        content = _content(path, MAX_NPZ, links=True)
        start = 8 + int.from_bytes(content[:8], "little")
        if len(content) < 8 or start > min(len(content), MAX_JSON):
            raise ValueError("its header is longer than the file, or than a header may be")
        header = json.loads(content[8:start].decode(), object_pairs_hook=_object)
        if not isinstance(header, dict):
            raise ValueError("its header is no JSON object")
        header.pop("__metadata__", None)
        if len(header) > MAX_ARRAYS:
            raise ValueError(f"it holds {len(header)} tensors, more than {MAX_ARRAYS}")
        return {name: _tensor(name, told, content[start:]) for name, told in header.items()}
    except RecursionError:
        raise InputError(f"{path}: cannot be read as .safetensors: its header is nested too deeply") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as .safetensors: {_reason(error)}") from None


def _whole(numbers: Any) -> bool:
    """Whether it is a list of numbers that count something."""
    return isinstance(numbers, list) and all(conforms(n, int) and n >= 0 for n in numbers)


def _tensor(name: str, told: Any, data: bytes) -> NDArray[np.generic]:
    """The tensor that an entry of a header tells of, if that says what is there."""
    told = told if isinstance(told, dict) else {}
    kind, shape, offsets = told.get("dtype"), told.get("shape"), told.get("data_offsets")
    if not isinstance(kind, str) or kind not in _SAFETENSORS:
        raise ValueError(f"tensor {name[:60]!r} is of type {kind!r}: save it as {', '.join(_SAFETENSORS)}")
    if not _whole(shape) or not _whole(offsets) or len(offsets) != 2:
        raise ValueError(f"tensor {name[:60]!r} has no shape and data_offsets of whole numbers")
    dtype, (first, past) = np.dtype(_SAFETENSORS[kind]), offsets
    if not first <= past <= len(data) or past - first != prod(shape) * dtype.itemsize:
        raise ValueError(
            f"tensor {name[:60]!r} of type {kind} and shape {shape} is not what bytes {first} to {past} hold"
        )
    return np.frombuffer(data[first:past], dtype).reshape(shape).astype(dtype.newbyteorder("="))


def read_verilog(path: Path) -> str:
    """The Verilog in `path`, which `bnnhw` wrote and somebody may have edited.

    A simulator compiles it to a program that runs here. What makes such a program do more than logic is in none that
    `bnnhw` writes, and is refused: directives of the preprocessor (which read other files), system tasks and functions
    but conversions of sign, imports of functions of C, and pragmas in comments.

    Raises
    ------
    InputError
        If it cannot be read, or holds such a thing.
    """
    try:
        text = _content(path, MAX_VERILOG, links=False).decode()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({_reason(error)}): compile again") from None
    for found in _VERILOG.finditer(text):
        kind, word = found.lastgroup, found[0]
        pragma = kind == "comment" and "verilator" in word.lower()
        foreign = kind == "text" and "DPI" in word.upper()
        if pragma or foreign or (kind == "word" and word not in _CONVERSIONS):
            line = text.count("\n", 0, found.start()) + 1
            raise InputError(
                f"{path}: line {line}: {word[:40]!r} is nothing that `bnnhw compile` writes: compile again"
            )
    return text


def conforms(value: object, hint: Any) -> bool:
    """Whether `value` is what the type `hint` of a field says, all the way down; a float may be given as an integer.

    Knows plain classes, None, unions, literals, tuples, mappings and numpy arrays.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(conforms(value, one) for one in arguments)
    if origin is typing.Literal:
        return isinstance(value, str) and value in arguments
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if arguments[1:] == (...,):
            return all(conforms(one, arguments[0]) for one in value)
        return len(value) == len(arguments) and all(map(conforms, value, arguments))
    if origin is np.ndarray:
        (scalar,) = typing.get_args(arguments[1])
        return isinstance(value, np.ndarray) and value.dtype == scalar
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            conforms(one, wanted) for item in value.items() for one, wanted in zip(item, arguments, strict=True)
        )
    if isinstance(value, bool):  # also an integer to Python
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)
