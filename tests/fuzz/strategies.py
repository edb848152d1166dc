"""Damaged files, as hypothesis draws them: of bytes, of JSON, and of protobuf messages that stay well-formed."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import onnx
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

# Numbers at which widths, signs and allocations end.
NUMBERS = (0, 1, -1, 2, 3, 7, 255, 1 << 15, 1 << 16, (1 << 31) - 1, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63))
WEIRD: tuple[Any, ...] = (
    *NUMBERS,
    1 << 64,
    10**400,
    1.5,
    -0.0,
    1e300,
    float("nan"),
    float("inf"),
    None,
    True,
    False,
    "",
    "x",
    "\ud800",
    "\0",
    "uint1",
    "int16",
    "matrix",
    "logic",
    [],
    {},
    [[]],
    [1, 2],
    {"tensor": "x"},
    {"format": "ternary"},
    {"geometry": {}},
)
NAMES = ("", "x", "nowhere", "\0", "a b;\n$finish", "../../etc/passwd", "é\ud7ff", "n" * 300)


@st.composite
def damaged(draw: DrawFn, contents: SearchStrategy[bytes]) -> bytes:
    """Content with bytes overwritten, removed, repeated, inserted or cut off, up to four times."""
    content = bytearray(draw(contents))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        size = draw(st.integers(1, 64))
        match draw(st.integers(0, 4)):
            case 0:
                content[start : start + size] = draw(st.binary(min_size=1, max_size=8))
            case 1:
                del content[start : start + size]
            case 2:
                content[start:start] = content[start : start + size]
            case 3:
                content[start : start + 1] = bytes([draw(st.integers(0, 255))])
            case _:
                del content[start:]
    return bytes(content)


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a JSON document with every key of it."""
    keys = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in keys:
        yield document, key
        yield from places(document[key])


@st.composite
def changed_json(draw: DrawFn, document: Any) -> bytes:
    """A document with values exchanged, removed, repeated, or replaced by others of any type."""
    found = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        every = list(places(found))
        if not every:
            break
        place, key = every[draw(st.integers(0, len(every) - 1))]
        other, another = every[draw(st.integers(0, len(every) - 1))]
        match draw(st.integers(0, 5)):
            case 0:
                del place[key]
            case 1:
                place[key] = copy.deepcopy(other[another])
            case 2 if isinstance(place, list):
                place.insert(key, copy.deepcopy(place[key]))
            case _:
                place[key] = copy.deepcopy(draw(st.sampled_from(WEIRD)))
    return json.dumps(found).encode()


def messages(message: Any) -> Iterator[Any]:
    """A protobuf message and all inside it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if field.is_repeated else (value,):
                yield from messages(one)


@st.composite
def changed_model(draw: DrawFn, models: SearchStrategy[bytes]) -> bytes:
    """An .onnx file that protobuf reads, with fields of any of its messages changed, added, removed or repeated."""
    model = onnx.ModelProto.FromString(draw(models))
    for _ in range(draw(st.integers(1, 3))):
        every = list(messages(model))
        message = every[draw(st.integers(0, len(every) - 1))]
        # Mostly those that are set, as the others are rarely read.
        present = [field for field, _ in message.ListFields()]
        fields = present if present and draw(st.integers(0, 3)) else list(message.DESCRIPTOR.fields)
        _change(draw, message, fields[draw(st.integers(0, len(fields) - 1))])
    return model.SerializeToString()


def _change(draw: DrawFn, message: Any, field: Any) -> None:
    if draw(st.integers(0, 4)) == 0:
        message.ClearField(field.name)
    elif not field.is_repeated:
        if field.message_type is None:
            setattr(message, field.name, draw(_scalar(field)))
        else:
            getattr(message, field.name).SetInParent()
    else:
        values = getattr(message, field.name)
        k = draw(st.integers(0, len(values)))
        if field.message_type is not None:
            values.add().CopyFrom(values[k] if k < len(values) else values.add())
        elif k < len(values):
            values[k] = draw(_scalar(field))
        else:
            values.append(draw(_scalar(field)))


def _scalar(field: Any) -> SearchStrategy[Any]:
    """A value of a protobuf field."""
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        if field.type == field.TYPE_BYTES:
            return st.binary(max_size=80)
        names = st.sampled_from((*NAMES, "x", "t0", "t1", "t2", "c0", "c1", "MatMul", "Quant", "Conv", "Reshape", "If"))
        return names
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return st.floats(width=32) | st.sampled_from([0.0, -1.0, 0.5])
    if kind == field.CPPTYPE_ENUM:
        return st.sampled_from([value.number for value in field.enum_type.values])
    bits = 31 if kind in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32) else 63
    low = 0 if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64) else -(1 << bits)
    return st.sampled_from([n for n in NUMBERS if low <= n < 1 << bits]) | st.integers(max(low, -2), 40)


@st.composite
def archives(draw: DrawFn, arrays: dict[str, bytes]) -> bytes:
    """An .npz of damaged .npy files in a sound archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
        for name, content in arrays.items():
            change: Callable[[SearchStrategy[bytes]], SearchStrategy[bytes]] = draw(st.sampled_from([damaged, _as_is]))
            archive.writestr(f"{name}.npy", draw(change(st.just(content))))
    return file.getvalue()


def _as_is(contents: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    return contents
