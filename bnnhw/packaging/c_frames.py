"""What the drivers in C of all buses with registers share: the shape of frames, and how words are made of integers."""

from __future__ import annotations

from bnnhw.generate.wrappers.registers import WORD, RegisterBus

# The code of a value, by the kind of its format.
CODES = {
    "bipolar": "value > 0",
    "ternary": "value == 0 ? 0u : value > 0 ? 3u : 2u",
    "uint": "(uint32_t)value",
    "int": "(uint32_t)value & {mask}",
}


def shape_macros(prefix: str, bus: RegisterBus, digest: str) -> str:
    """The numbers of a design, for a header."""
    upper, port = prefix.upper(), bus.ports.input
    return f"""\
#define {upper}_DIGEST UINT64_C(0x{digest})
#define {upper}_ELEMENTS {port.elements}u /* of a frame */
#define {upper}_LANES {port.lanes}u /* elements of a beat */
#define {upper}_ELEMENT_BITS {port.dtype.bits}u /* {port.dtype} */
#define {upper}_BEAT_WORDS {bus.beat_words}u
#define {upper}_FRAME_WORDS {bus.frame_words}u
#define {upper}_INTEGERS {bus.ports.output.elements}u /* of a result */"""


def pack_function(prefix: str, bus: RegisterBus) -> str:
    """The definition of ``<prefix>_pack``."""
    upper, dtype = prefix.upper(), bus.ports.input.dtype
    code = CODES[dtype.kind].format(mask=f"0x{(1 << dtype.bits) - 1:x}u")
    return f"""\
static uint32_t code_of(int32_t value)
{{
    return {code};
}}

void {prefix}_pack(const int32_t *values, uint32_t *words)
{{
    for (uint32_t k = 0; k < {upper}_FRAME_WORDS; k++)
        words[k] = 0;
    for (uint32_t k = 0; k < {upper}_ELEMENTS; k++) {{
        uint32_t *beat = words + k / {upper}_LANES * {upper}_BEAT_WORDS;
        uint32_t bit = k % {upper}_LANES * {upper}_ELEMENT_BITS;
        uint64_t code = (uint64_t)code_of(values[k]) << bit % {WORD};
        beat[bit / {WORD}] |= (uint32_t)code;
        if (code >> {WORD})
            beat[bit / {WORD} + 1] |= (uint32_t)(code >> {WORD});
    }}
}}"""
