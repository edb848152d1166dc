"""qonnx's Trunc: integers lose their lowest bits, as behind an average pool of Brevitas.

Of the first version the output keeps the input's scale, of the second it has one of its own (qonnx,
custom_op/general/trunc.py).
"""

from __future__ import annotations

import numpy as np
import onnx

from bnnhw.frontend.attributes import attribute, floats
from bnnhw.frontend.context import Context
from bnnhw.frontend.elementwise import arithmetic
from bnnhw.frontend.quantisers import MAX_DATA_BITS
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.elementwise import ROUNDINGS, apply
from bnnhw.ir.nodes import Node, Quant, Round

# Of the second version.
_INPUTS = 6


def trunc(context: Context, node: onnx.NodeProto) -> str:
    given = [_number(context, node, k, what) for k, what in enumerate(_parameters(len(node.input)), 1)]
    scale, zero, wide, *_, bits = given
    if scale <= 0 or zero:
        raise Refusal(f"its scale is {scale:g} and its zero point {zero:g}", "use a scale above 0, and no zero point")
    rounding = str(attribute(node, "rounding_mode", "FLOOR")).upper().replace("HALF_EVEN", "ROUND")
    if rounding not in ROUNDINGS:
        raise Refusal(f"its rounding mode is {rounding}", f"use one of {', '.join(ROUNDINGS)}")
    if not 2 <= bits <= MAX_DATA_BITS or bits != int(bits):
        raise Refusal(f"to {bits:g} bits", f"use a whole number of bits from 2 to {MAX_DATA_BITS}")
    made: list[Node] = [arithmetic("div", np.array(scale)), Round(name="", inputs=(), output="", rounding="ROUND")]
    last: Node
    if len(node.input) == _INPUTS:
        output, last = given[3], _quantiser(node, rounding, int(bits))
        if output <= 0:
            raise Refusal(f"the scale of its output is {output:g}", "use one above 0")
        shift = round(float(np.log2(output / scale)))
    else:
        output, last, shift = scale, Round(name="", inputs=(), output="", rounding=rounding), round(wide - bits)
    made += [arithmetic("div", np.array(2.0**shift)), last, arithmetic("mul", np.array(output))]
    if node.input[0] in context.constants:
        value = floats(context.constants[node.input[0]], "input")
        for part in made:
            value = np.asarray(apply(part, value), np.float32)
        context.define(node.output[0], value)
        return "constant, quantised"
    context.emit(node, *made)
    return f"integers shifted right by {shift}"


def _parameters(count: int) -> list[str]:
    first = ["scale", "zero point", "bit width of the input"]
    return [*first, *(["scale of the output"] if count == _INPUTS else []), "bit width of the output"]


def _number(context: Context, node: onnx.NodeProto, position: int, what: str) -> float:
    array = floats(context.constant(node, position, what), what)
    if array.size != 1:
        raise Refusal(f"its {what} differs between channels", "use one for all")
    return float(array.reshape(-1)[0])


def _quantiser(node: onnx.NodeProto, rounding: str, bits: int) -> Quant:
    """The second version's rounding, to numbers of `bits` bits; the first one lets all through."""
    return Quant(
        name="",
        inputs=(),
        output="",
        scale=np.ones((), np.float32),
        zero_point=np.zeros((), np.float32),
        bits=bits,
        signed=bool(attribute(node, "signed", 1)),
        narrow=bool(attribute(node, "narrow", 0)),
        rounding=rounding,
    )
