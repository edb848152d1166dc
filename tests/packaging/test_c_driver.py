"""The driver in C: compiled without a warning, its frames held against the bus, and run on a model of the registers."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw import reference
from bnnhw.design import Design
from bnnhw.generate.wrappers import wrapper
from bnnhw.inputs import random_inputs
from bnnhw.packaging import c_driver
from tests.onnx_models import Net
from tests.packaging.designs import dense, folded, pooled

# The accesses of the driver come here, and a function of the test answers them.
GLUE = """
#include <stdint.h>
uint32_t (*on_read)(uint32_t);
void (*on_write)(uint32_t, uint32_t);
#define NET_READ(base, offset) ((void)(base), on_read(offset))
#define NET_WRITE(base, offset, value) ((void)(base), on_write(offset, value))
#include "net.c"
"""


def bipolar(folder: Path) -> Design:
    net = Net((1, 40))
    net.dense(net.bipolar("x"), 40, 3)
    return bnnhw.compile(net.save(folder / "bipolar.onnx"), part="ice40-up5k")


@pytest.mark.parametrize("make", [bipolar, dense, folded, pooled])
def test_driver(make: Callable[[Path], Design], tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    design = make(tmp_path)
    bus = wrapper("wishbone", design.plan, design.network).bus
    for name, text in c_driver.files("net", bus, digest=design.plan.digest).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "glue.c").write_text(GLUE)
    strict = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-pedantic", "-Werror"]
    subprocess.run([*strict, "-c", "net.c", "-o", "net.o"], cwd=tmp_path, check=True)
    subprocess.run([*strict, "-shared", "-fPIC", "-o", "glue.so", "glue.c"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "glue.so"))

    values = reference.encode_inputs(design.graph, random_inputs(design.graph, 4).values).reshape(4, -1)
    packed = []
    for row in values:
        words = (ctypes.c_uint32 * bus.frame_words)()
        library.net_pack(np.ascontiguousarray(row, np.int32).ctypes.data_as(ctypes.c_void_p), words)
        packed.append(list(words))
    assert packed == bus.sent(values)

    # A module that takes a word at every other question, and has an integer between them.
    integers = [-5 * k for k in range(bus.ports.output.elements)]
    left, sent, asked, lost, resets = list(integers), list[int](), 0, 0, 0
    digest = int(design.plan.digest, 16)

    def read(offset: int) -> int:
        nonlocal asked
        if offset == 0x08:
            asked += 1
            done = len(sent) == bus.frame_words and asked % 3 == 0 and bool(left)
            return (asked % 2) | done << 1 | lost
        if offset == 0x10:
            return left.pop(0) & 0xFFFFFFFF
        return {0x00: digest & 0xFFFFFFFF, 0x04: digest >> 32, 0x14: 7}[offset]

    def write(offset: int, value: int) -> None:
        nonlocal resets
        if offset == 0x08:
            resets += value
        else:
            assert offset == 0x0C
            sent.append(value)

    on_read = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32)(read)
    on_write = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32)(write)
    ctypes.c_void_p.in_dll(library, "on_read").value = ctypes.cast(on_read, ctypes.c_void_p).value
    ctypes.c_void_p.in_dll(library, "on_write").value = ctypes.cast(on_write, ctypes.c_void_p).value
    assert library.net_begin(None) == 0 and resets == 1
    found = (ctypes.c_int32 * len(integers))()
    assert library.net_infer(None, (ctypes.c_uint32 * len(packed[0]))(*packed[0]), found) == 7
    assert (sent, list(found)) == (packed[0], integers)
    lost = 4
    assert library.net_infer(None, (ctypes.c_uint32 * len(packed[0]))(*packed[0]), found) == -1
    digest ^= 1
    assert library.net_begin(None) == -1
