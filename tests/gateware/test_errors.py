"""What the units of a layer refuse, and that the message shows the value."""

import pytest

from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.gateware.arithmetic.code_table import CodeTable
from bnnhw.gateware.arithmetic.mvu import MatrixVectorUnit
from bnnhw.gateware.arithmetic.pe import PE
from bnnhw.gateware.arithmetic.threshold import ThresholdUnit
from bnnhw.gateware.memory import Bank


def threshold(**changes):
    arguments = {"pe": 1, "nf": 1, "width": 4, "count": 2, "thresholds": [[[0, 2]]], "codes": [0, 1, 2], "bits": 2}
    return ThresholdUnit(**{**arguments, "tail": 1, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": [[[0]]]}, r"needs 2 ascending thresholds from 0 on, not \[0\]"),
        ({"thresholds": [[[1, 2]]]}, r"not \[1, 2\]"),
        ({"thresholds": [[[0, -1]]]}, r"not \[0, -1\]"),
        ({"thresholds": [[[0, 1], [0, 1]]]}, "thresholds of 1 rows"),
        ({"tail": 2}, "tail of 1 to 1, not 2"),
        ({"nf": 2}, "thresholds of 2 beats"),
        ({"codes": [0, 1]}, r"2 \+ 1 codes are needed, not of 1 and 2"),
    ],
)
def test_threshold_unit(changes, message):
    with pytest.raises(ValueError, match=message):
        threshold(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nf": 2}, r"1 \+ 1 codes are needed for 1 rows of 2 beats"),
        ({"pe": 2}, "codes are needed for 2 rows"),
        ({"count": 2}, r"not \[\[\[0, 3\]\]\]"),
        ({"codes": [[[0, 4]]]}, r"must have 2 bits at most, not \[\[\[0, 4\]\]\]"),
    ],
)
def test_code_table(changes, message):
    with pytest.raises(ValueError, match=message):
        CodeTable(**{"pe": 1, "nf": 1, "count": 1, "codes": [[[0, 3]]], "bits": 2, **changes})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((2, []), "needs words of 2 bits"), ((2, [4]), r"not \[4\]"), ((2, [-1]), r"not \[-1\]")],
)
def test_bank(arguments, message):
    with pytest.raises(ValueError, match=message):
        Bank(*arguments)


def test_bank_kind():
    with pytest.raises(ValueError, match="must be one of block, lut, not 'tape'"):
        Bank(2, [1], kind="tape")


def test_pe_formats():
    with pytest.raises(TypeError, match="must be a DataType, not 'bipolar'"):
        PE(4, "bipolar", BIPOLAR, width=5)


def test_mvu_rows():
    with pytest.raises(
        ValueError, match="3 weight words and 2 rows of biases do not fit 2 passes of 2 beats and 1 rows"
    ):
        MatrixVectorUnit(
            pe=1,
            simd=1,
            sf=2,
            nf=2,
            input_dtype=BIPOLAR,
            weight_dtype=BIPOLAR,
            weights=[0, 1, 0],
            biases=[[0], [0]],
            width=3,
        )


def test_mvu_groups():
    numbers = {"input_dtype": BIPOLAR, "weight_dtype": BIPOLAR, "weights": [0], "biases": [[0] * 3], "width": 3}
    with pytest.raises(ValueError, match="groups must divide the 3 rows, not 2"):
        MatrixVectorUnit(pe=3, simd=1, sf=1, nf=1, groups=2, **numbers)
