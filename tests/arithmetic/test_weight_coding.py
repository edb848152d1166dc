from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.popcount_tree import counted_lanes, popcount_tree
from bnnhw.arithmetic.weight_coding import MatchCoding, lane_codes, logic_family, padded_matrix, weight_words

FORMATS = [BIPOLAR, TERNARY, DataType("uint", 2), DataType("int", 3)]


@pytest.mark.parametrize("weight", FORMATS, ids=str)
@pytest.mark.parametrize("x", [BIPOLAR, TERNARY], ids=str)
def test_words_hold_rows_and_lanes(x: DataType, weight: DataType) -> None:
    """Each bit of each word, found from where it belongs."""
    rng = np.random.default_rng(3)
    pe, simd, product = 2, 3, Product(x, weight)
    matrix = rng.choice(weight.decode(np.arange(1 << weight.bits)), (5, 7))
    whole = padded_matrix(matrix, weight, pe=pe, simd=simd)
    assert whole.shape == (6, 9)
    assert (whole[:5, :7] == matrix).all()
    assert (whole[5:] == weight.zero_code_value).all() and (whole[:, 7:] == weight.zero_code_value).all()
    words = weight_words(whole, product, pe=pe, simd=simd, family="ecp5")
    stored = lane_codes(weight.encode(whole).reshape(6, 3, simd), product, "ecp5")
    assert len(words) == 3 * 3
    for k, word in enumerate(words):
        nf, sf = divmod(k, 3)
        for p in range(pe):
            for lane in range(simd):
                code = word >> ((p * simd + lane) * weight.bits) & ((1 << weight.bits) - 1)
                assert code == stored[nf * pe + p, sf, lane]
        assert word >> (pe * simd * weight.bits) == 0


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
@pytest.mark.parametrize("spare", [False, True])
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 8, 12])
def test_coded_lanes_can_be_told_apart(lanes: int, spare: bool, family: str) -> None:
    """From the coded bits the plain ones follow, and with them the matches that the popcount has to count."""
    coding = MatchCoding.of(lanes, family, spare=spare)
    tree = popcount_tree(counted_lanes(lanes) if spare else lanes, family)
    lowest = [subtree for subtree in tree.all() if not subtree.halves]
    rng = np.random.default_rng(lanes)
    for _ in range(50):
        x, w = rng.integers(0, 2, (2, lanes)).tolist()
        coded_x, coded_w = coding.activations(x), coding.weights(w)
        for subtree in lowest:
            places = range(subtree.start, subtree.start + subtree.count)
            equal = [coded_x[lane] ^ coded_w[lane] ^ 1 for lane in places]
            if family == "ecp5" and subtree.count > 1:
                equal[1] ^= 1
            elif family == "ice40" and subtree.count == 3:
                # The parity of three matches is the match of the parities.
                equal[1] ^= equal[0] ^ equal[2]
            assert equal == [int(x[lane] == w[lane]) for lane in places]


def test_only_matches_are_coded() -> None:
    codes = TERNARY.encode(np.array([[-1, 0, 1]]))
    assert (lane_codes(codes, Product(BIPOLAR, TERNARY), "ecp5") == codes).all()
    codes = BIPOLAR.encode(np.array([[-1, -1, 1]]))
    assert lane_codes(codes, Product(BIPOLAR, BIPOLAR), "ecp5").tolist() == [[0, 1, 1]]
    assert lane_codes(codes, Product(BIPOLAR, BIPOLAR), "ice40").tolist() == [[0, 1, 1]]


def test_a_single_word_is_for_logic() -> None:
    assert [logic_family("ecp5", words) for words in (1, 2)] == ["ice40", "ecp5"]
