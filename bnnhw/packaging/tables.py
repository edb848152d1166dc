"""Tables of a package that other programs read: CSV with a header, one fact a line."""

from __future__ import annotations

from collections.abc import Iterator

from bnnhw.arithmetic.formats import DataType
from bnnhw.numbers import Encoding, Scores


def all_of(prefix: str, encoding: Encoding | None, scores: Scores, dtype: DataType) -> dict[str, str]:
    """The files by name: codes where there is an encoding, elements and scores where they are not all alike."""
    found: dict[str, str] = {}
    if encoding is not None:
        found[f"{prefix}_codes.csv"] = "".join(_codes(encoding, dtype))
        if not encoding.in_order or len(encoding.falling) > 1:
            found[f"{prefix}_elements.csv"] = "".join(_elements(encoding))
    if not scores.uniform:
        found[f"{prefix}_scores.csv"] = "".join(_scores(scores))
    return found


def _codes(encoding: Encoding, dtype: DataType) -> Iterator[str]:
    yield "group,integer,code,least,greatest\n"
    codes = dtype.encode(encoding.integers)
    for group, falling in enumerate(encoding.falling.tolist()):
        for k, (integer, code) in enumerate(zip(encoding.integers.tolist(), codes.tolist(), strict=True)):
            edge = "" if k == 0 else f"{encoding.cuts[k - 1, group]:.9g}"
            yield f"{group},{integer},{code},{'' if falling else edge},{edge if falling else ''}\n"


def _elements(encoding: Encoding) -> Iterator[str]:
    yield "frame_element,input_element,group\n"
    for element, (source, group) in enumerate(zip(encoding.order.tolist(), encoding.groups.tolist(), strict=True)):
        yield f"{element},{source},{group}\n"


def _scores(scores: Scores) -> Iterator[str]:
    yield "integer,scale,offset\n"
    for k, (scale, offset) in enumerate(zip(scores.scale.tolist(), scores.offset.tolist(), strict=True)):
        yield f"{k},{scale:.17g},{offset:.17g}\n"
