"""The scale unit: a multiplication, a shift and limits, whatever stalls, frame behind frame."""

import numpy as np
import pytest

from bnnhw.arithmetic.bits import pack_words
from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.layers.scaled import scale_contents, scale_unit
from bnnhw.gateware.arithmetic.scale import ScaleUnit
from bnnhw.generate.circuits import circuit
from bnnhw.ir.nodes import Scale
from bnnhw.reference.kernels import scale
from tests.gateware.bench import run_stream, stalls

CHANNELS, VECTORS = 6, 9
INT9, UINT9, CODE = DataType("int", 9), DataType("uint", 9), DataType("int", 12)


def node(rng, x, *, pieces=1, one=False, even=False, limits=False, step=1, offset=0):
    factors = np.full((pieces, CHANNELS), 13) if one else rng.integers(-200, 200, (pieces, CHANNELS))
    return Scale(
        name="scale",
        inputs=("x",),
        output="y",
        factors=factors,
        biases=rng.integers(-5000, 5000, (pieces, CHANNELS)),
        pivots=rng.integers(x.min, x.max, (pieces - 1, CHANNELS)),
        shift=int(rng.integers(1, 7)),
        even=even,
        low=rng.integers(-600, -500, CHANNELS) if limits else np.array(-512),
        high=rng.integers(500, 600, CHANNELS) if limits else np.array(511),
        offset=offset,
        step=step,
        dtype=CODE,
    )


def beats_of(dtype, values, pe):
    """Values (vectors, channels) as beats, the last rows of the last one zero."""
    nf = -(-CHANNELS // pe)
    codes = np.zeros((len(values), nf * pe), np.uint32)
    codes[:, :CHANNELS] = dtype.encode(values)
    words = pack_words(codes.reshape(-1, pe), dtype.bits)
    return [{"data": word, "last": int(k % nf == nf - 1)} for k, word in enumerate(words)]


CASES = {
    "a factor for all": (INT9, {"one": True}, 2, "lut", "lut"),
    "to even": (INT9, {"even": True}, 4, "block", "hard"),
    "two pieces": (UINT9, {"pieces": 2}, 1, "block", "lut"),
    "two pieces, limits by channel": (INT9, {"pieces": 2, "limits": True, "even": True}, 3, "lut", "hard"),
    "another step": (UINT9, {"step": -2, "offset": 1}, 6, "lut", "hard"),
    "one at a time": (INT9, {"limits": True}, 1, "lut", "lut"),
}


@pytest.mark.parametrize("name", CASES)
def test_scales(name):
    x, options, pe, memory, multiplier = CASES[name]
    rng = np.random.default_rng(len(name))
    made = node(rng, x, **options)
    nf = -(-CHANNELS // pe)
    unit = scale_unit(made, x, CODE, pe=pe, nf=nf, vectors=1, memory=memory, multiplier=multiplier)
    values = rng.integers(x.min, x.max + 1, (VECTORS, CHANNELS))
    given, due = beats_of(x, values, pe), beats_of(CODE, scale(made, values), pe)
    contents = scale_contents(made, pe=pe, nf=nf)
    found = run_stream(circuit(unit, contents), given, model=unit.cycle_model())
    assert found.beats == due
    # Back to back: latency 3, or 4 with two pieces, and a beat per cycle.
    assert found.emit_cycles[0] - found.accept_cycles[0] == unit.latency == 2 + made.factors.shape[0]
    assert set(np.diff(found.emit_cycles)) == {1}
    dut = circuit(unit, contents)
    assert run_stream(dut, given, i_stall=stalls(1, 0.3), o_stall=stalls(2, 0.3)).beats == due


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"biases": [[0]]}, "numbers for 1 pieces of 2 rows"),
        ({"tail": 3}, "a tail of 1 to 2, not 3"),
        ({"factors": [[9, 0]]}, "a factor of 0 to 9 does not fit 4 bits"),
        ({"shift": 8}, "1, to 7 is needed, not 8"),
        ({"shift": 0, "even": True}, "or with rounding to even 1, to 7 is needed, not 0"),
        ({"multiplier": "dsp"}, "multiplier must be hard or lut, not 'dsp'"),
    ],
)
def test_refuses(changes, message):
    right = {
        "dtype": INT9, "pe": 2, "nf": 1, "tail": 2, "vectors": 1, "pieces": 1, "factor": None, "factor_bits": 4,
        "width": 8, "shift": 2, "even": False, "limit_bits": 0, "bits": 4, "memory": "lut", "multiplier": "lut",
        "factors": [[1, 2]], "biases": [[0, 0]], "pivots": [], "lows": [0], "highs": [7], "offset": 0, "step": 1,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        ScaleUnit(**{**right, **changes})
