from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.bits import as_signed, pack_bytes, pack_words, unpack_words


@pytest.mark.parametrize("bits", [1, 2, 3, 8, 13, 31, 32])
@pytest.mark.parametrize("elements", [1, 5, 9])
def test_words_hold_elements_side_by_side(bits: int, elements: int) -> None:
    rng = np.random.default_rng(bits)
    codes = rng.integers(0, 1 << bits, (4, elements)).astype(np.uint32)
    wanted = [sum(int(code) << (bits * k) for k, code in enumerate(row)) for row in codes]
    assert pack_words(codes, bits) == wanted
    size = (bits * elements + 7) // 8
    assert [row.tobytes() for row in pack_bytes(codes, bits)] == [word.to_bytes(size, "little") for word in wanted]
    # What is above the elements of a word does not count: a stream's other fields.
    assert (unpack_words([word | 5 << (bits * elements) for word in wanted], bits, elements) == codes).all()


def test_no_words() -> None:
    assert pack_words(np.zeros((0, 3), np.int64), 4) == []
    assert unpack_words([], 4, 3).shape == (0, 3)


@pytest.mark.parametrize("width", [1, 2, 7, 32])
def test_signed_codes(width: int) -> None:
    numbers = np.array([-(1 << (width - 1)), -1, 0, (1 << (width - 1)) - 1])
    assert (as_signed(numbers & ((1 << width) - 1), width) == numbers).all()
