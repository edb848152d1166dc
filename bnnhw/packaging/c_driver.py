"""A header and a driver in C (C99, no library but stdint) for a package with memory-mapped registers."""

from __future__ import annotations

from bnnhw.generate.wrappers.registers import INPUT_READY, LOST, REGISTERS, RESULT_READY
from bnnhw.generate.wrappers.wishbone import Wishbone
from bnnhw.packaging.c_frames import pack_function, shape_macros


def files(prefix: str, bus: Wishbone, *, digest: str) -> dict[str, str]:
    """``<prefix>.h`` and ``<prefix>.c``, by name."""
    return {f"{prefix}.h": _header(prefix, bus, digest), f"{prefix}.c": _driver(prefix, bus)}


def _header(prefix: str, bus: Wishbone, digest: str) -> str:
    upper, port = prefix.upper(), bus.ports.input
    registers = "\n".join(
        f"#define {upper}_{r.name} 0x{r.offset:02x}u /* {r.access}: {r.meaning} */" for r in REGISTERS
    )
    return f"""\
/* Registers of the module {prefix}, and its driver. Offsets are in bytes; all accesses are of 32 bits. */
#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

{registers}

#define {upper}_INPUT_READY {INPUT_READY}u /* bits of STATUS */
#define {upper}_RESULT_READY {RESULT_READY}u
#define {upper}_LOST {LOST}u
#define {upper}_RESET 1u

{shape_macros(prefix, bus, digest)}

/* Resets the module; 0 if it is of this design, -1 if not. */
int {prefix}_begin(volatile uint32_t *base);

/* The words of a frame of {upper}_ELEMENTS integers of the format {port.dtype}. */
void {prefix}_pack(const int32_t *values, uint32_t *words);

/* Sends a frame of packed words and waits for its {upper}_INTEGERS integers; gives the class, or -1 if an access was
   lost: then call {prefix}_begin. */
int {prefix}_infer(volatile uint32_t *base, const uint32_t *words, int32_t *integers);

#endif
"""


def _driver(prefix: str, bus: Wishbone) -> str:
    upper = prefix.upper()
    return f"""\
/* Driver of the module {prefix}: see {prefix}.h. It waits in loops and needs no interrupt. */
#include "{prefix}.h"

/* Other ways to the registers than memory can be defined before. */
#ifndef {upper}_READ
#define {upper}_READ(base, offset) ((base)[(offset) / 4])
#define {upper}_WRITE(base, offset, value) ((base)[(offset) / 4] = (value))
#endif

int {prefix}_begin(volatile uint32_t *base)
{{
    {upper}_WRITE(base, {upper}_STATUS, {upper}_RESET);
    uint64_t digest = (uint64_t){upper}_READ(base, {upper}_DIGEST_HIGH) << 32;
    digest |= {upper}_READ(base, {upper}_DIGEST_LOW);
    return digest == {upper}_DIGEST ? 0 : -1;
}}

{pack_function(prefix, bus)}

int {prefix}_infer(volatile uint32_t *base, const uint32_t *words, int32_t *integers)
{{
    uint32_t sent = 0, got = 0;

    while (got < {upper}_INTEGERS) {{
        uint32_t status = {upper}_READ(base, {upper}_STATUS);
        if (status & {upper}_LOST)
            return -1;
        if (sent < {upper}_FRAME_WORDS && (status & {upper}_INPUT_READY))
            {upper}_WRITE(base, {upper}_INPUT, words[sent++]);
        else if (status & {upper}_RESULT_READY)
            integers[got++] = (int32_t){upper}_READ(base, {upper}_RESULT);
    }}
    return (int){upper}_READ(base, {upper}_CLASS);
}}
"""
