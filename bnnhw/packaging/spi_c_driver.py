"""A header and a driver in C (C99, no library but stdint) for a package behind SPI."""

from __future__ import annotations

from bnnhw.generate.wrappers.registers import (
    CLASS,
    DIGEST_HIGH,
    DIGEST_LOW,
    INPUT,
    INPUT_READY,
    RESULT,
    RESULT_READY,
    STATUS,
)
from bnnhw.generate.wrappers.spi import WRITE, Spi
from bnnhw.packaging.c_frames import pack_function, shape_macros


def files(prefix: str, bus: Spi, *, digest: str) -> dict[str, str]:
    """``<prefix>.h`` and ``<prefix>.c``, by name."""
    return {f"{prefix}.h": _header(prefix, bus, digest), f"{prefix}.c": _driver(prefix, bus)}


def _header(prefix: str, bus: Spi, digest: str) -> str:
    upper = prefix.upper()
    return f"""\
/* Driver of the module {prefix} behind SPI, modes 0 and 3, the highest bit first. */
#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

{shape_macros(prefix, bus, digest)}

/* The way to the module: what the system has for it. */
typedef struct {{
    void (*select)(void *context, int selected);          /* cs_n low if selected, else high */
    uint8_t (*transfer)(void *context, uint8_t sent);     /* a byte there, a byte back */
    void *context;
}} {prefix}_spi;

/* Resets the module; 0 if it is of this design, -1 if not. */
int {prefix}_begin(const {prefix}_spi *spi);

/* The words of a frame of {upper}_ELEMENTS integers of the format {bus.ports.input.dtype}. */
void {prefix}_pack(const int32_t *values, uint32_t *words);

/* Sends a frame of packed words and waits for its {upper}_INTEGERS integers; gives the class. */
int {prefix}_infer(const {prefix}_spi *spi, const uint32_t *words, int32_t *integers);

#endif
"""


def _driver(prefix: str, bus: Spi) -> str:
    upper = prefix.upper()
    return f"""\
/* Driver of the module {prefix}: see {prefix}.h. It waits in loops and needs no interrupt. */
#include "{prefix}.h"

enum {{ WRITE = 0x{WRITE:02x}, INPUT_READY = {INPUT_READY}, RESULT_READY = {RESULT_READY} }};
enum {{
    DIGEST_LOW = {DIGEST_LOW.index}, DIGEST_HIGH = {DIGEST_HIGH.index}, STATUS = {STATUS.index},
    INPUT = {INPUT.index}, RESULT = {RESULT.index}, CLASS = {CLASS.index}
}};

static void begin_transaction(const {prefix}_spi *spi, unsigned command)
{{
    spi->select(spi->context, 1);
    spi->transfer(spi->context, (uint8_t)command);
}}

static void end_transaction(const {prefix}_spi *spi)
{{
    spi->select(spi->context, 0);
}}

/* A word there and a word back; gives the status that decides on them. */
static unsigned word(const {prefix}_spi *spi, uint32_t sent, uint32_t *found)
{{
    unsigned status = spi->transfer(spi->context, 0);

    *found = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
        *found |= (uint32_t)spi->transfer(spi->context, (uint8_t)(sent >> shift)) << shift;
    return status;
}}

static uint32_t access(const {prefix}_spi *spi, unsigned command, uint32_t sent)
{{
    uint32_t found;

    begin_transaction(spi, command);
    word(spi, sent, &found);
    end_transaction(spi);
    return found;
}}

int {prefix}_begin(const {prefix}_spi *spi)
{{
    access(spi, WRITE | STATUS, 1);
    uint64_t digest = (uint64_t)access(spi, DIGEST_HIGH, 0) << 32;
    digest |= access(spi, DIGEST_LOW, 0);
    return digest == {upper}_DIGEST ? 0 : -1;
}}

{pack_function(prefix, bus)}

int {prefix}_infer(const {prefix}_spi *spi, const uint32_t *words, int32_t *integers)
{{
    uint32_t sent = 0, got = 0, found;

    while (got < {upper}_INTEGERS) {{
        if (sent < {upper}_FRAME_WORDS) {{
            begin_transaction(spi, WRITE | INPUT);
            while (sent < {upper}_FRAME_WORDS && (word(spi, words[sent], &found) & INPUT_READY))
                sent++;
            end_transaction(spi);
        }}
        begin_transaction(spi, RESULT);
        while (got < {upper}_INTEGERS && (word(spi, 0, &found) & RESULT_READY))
            integers[got++] = (int32_t)found;
        end_transaction(spi);
    }}
    return (int)access(spi, CLASS, 0);
}}
"""
