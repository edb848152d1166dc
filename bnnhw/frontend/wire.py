"""Counts what is in a model file before protobuf unpacks it: two bytes of a hostile file become hundreds in memory."""

from __future__ import annotations

from typing import Any

import onnx

# Of all messages of a file together: a thousand times those of a large network. Protobuf and what reads it take about
# 300 bytes for each.
MAX_FIELDS = 1 << 19

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}


def has_too_many_fields(content: bytes, most: int = MAX_FIELDS) -> bool:
    """Whether a serialised model has more than `most` fields, those inside others included.

    A damaged one is counted up to the damage, which is as far as protobuf gets.
    """
    count = 0
    waiting: list[tuple[int, int, Any]] = [(0, len(content), onnx.ModelProto.DESCRIPTOR)]
    while waiting:
        place, end, message = waiting.pop()
        while place < end:
            tag, place = _varint(content, place)
            count += 1
            if count > most:
                return True
            kind = tag & 7
            if kind == _VARINT:
                _, place = _varint(content, place)
            elif kind == _BYTES:
                size, place = _varint(content, place)
                field = message.fields_by_number.get(tag >> 3)
                if field is not None and field.message_type is not None:
                    # What is inside comes first, as it does for protobuf.
                    waiting.append((place + size, end, message))
                    message, end = field.message_type, min(end, place + size)
                else:
                    place += size
            else:  # a group's begin and end have no size, and no type that exists is damage
                place += _SIZES.get(kind, 0)
    return False


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A number, and where it ends; past the end there are zeros."""
    value = shift = 0
    while shift < 70:
        byte = content[place] if place < len(content) else 0
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            break
        shift += 7
    return value, place
