"""The drivers of packages behind SPI: held against the protocol, and the one in MicroPython against the module."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.design import Design
from bnnhw.generate.wrappers import wrapper
from bnnhw.inputs import random_inputs
from bnnhw.packaging import micropython, spi_c_driver
from tests.packaging.designs import dense, folded, pooled
from tests.packaging.spi_slave import SimulatedSlave, Slave
from tests.packaging.test_c_driver import bipolar

STRICT = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-pedantic", "-Werror"]


class Wires:
    """What MicroPython's machine.SPI and machine.Pin are, over a slave."""

    def __init__(self, slave: Slave | SimulatedSlave) -> None:
        self._slave = slave

    def value(self, level: int) -> None:
        self._slave.select(1 - level)

    def write(self, sent: bytes) -> None:
        for byte in sent:
            self._slave.transfer(byte)

    def write_readinto(self, sent: bytes, found: bytearray) -> None:
        for k, byte in enumerate(sent):
            found[k] = self._slave.transfer(byte)


def frames(design: Design) -> tuple[Any, list[list[int]], list[list[int]]]:
    """The bus, four frames as integers, and their words."""
    bus = wrapper("spi", design.plan, design.network).bus
    values = reference.encode_inputs(design.graph, random_inputs(design.graph, 4).values).reshape(4, -1)
    return bus, values.astype(int).tolist(), bus.sent(values)


def slave_of(design: Design, bus: Any, is_ready: Callable[[int], bool]) -> tuple[Slave, list[int]]:
    numbers = [*(-5 * k for k in range(bus.ports.output.elements)), 7]
    return Slave(int(design.plan.digest, 16), numbers, bus.frame_words, is_ready), numbers


def in_python(design: Design, bus: Any) -> dict[str, Any]:
    """The names that the driver in MicroPython defines."""
    [text] = micropython.files("net", bus, digest=design.plan.digest).values()
    names: dict[str, Any] = {}
    exec(compile(text, "net.py", "exec"), names)
    return names


def ready_with(chance: float) -> Callable[[int], bool]:
    source = random.Random(3)
    return lambda n: source.random() < chance


READY = {"always": 1.0, "at times": 0.5, "seldom": 0.1}


@pytest.mark.parametrize("ready", READY)
@pytest.mark.parametrize("make", [bipolar, dense, folded, pooled])
def test_in_micropython(make: Callable[[Path], Design], ready: str, tmp_path: Path) -> None:
    design = make(tmp_path)
    bus, values, words = frames(design)
    slave, numbers = slave_of(design, bus, ready_with(READY[ready]))
    names = in_python(design, bus)
    wires = Wires(slave)
    accelerator = names["Accelerator"](wires, wires)
    assert slave.resets == 1
    for row, wanted in zip(values, words, strict=True):
        slave.words.clear()
        assert accelerator.infer(row) == (numbers[:-1], numbers[-1])
        assert slave.words == wanted
    with pytest.raises(ValueError, match="a frame has"):
        accelerator.infer(values[0][1:])
    slave._digest ^= 1
    with pytest.raises(OSError, match="the module is of another design"):
        names["Accelerator"](wires, wires)


@pytest.mark.parametrize("make", [bipolar, dense, folded, pooled])
def test_in_c(make: Callable[[Path], Design], tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    design = make(tmp_path)
    bus, values, words = frames(design)
    for name, text in spi_c_driver.files("net", bus, digest=design.plan.digest).items():
        (tmp_path / name).write_text(text)
    subprocess.run([*STRICT, "-shared", "-fPIC", "-o", "net.so", "net.c"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "net.so"))
    select_type = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)
    transfer_type = ctypes.CFUNCTYPE(ctypes.c_uint8, ctypes.c_void_p, ctypes.c_uint8)

    class Way(ctypes.Structure):
        _fields_ = [("select", select_type), ("transfer", transfer_type), ("context", ctypes.c_void_p)]

    for chance in READY.values():
        slave, numbers = slave_of(design, bus, ready_with(chance))
        select = select_type(lambda _, selected, slave=slave: slave.select(selected))
        transfer = transfer_type(lambda _, sent, slave=slave: slave.transfer(sent))
        way = ctypes.byref(Way(select, transfer, None))
        assert library.net_begin(way) == 0 and slave.resets == 1
        for row, wanted in zip(values, words, strict=True):
            slave.words.clear()
            packed = (ctypes.c_uint32 * bus.frame_words)()
            library.net_pack(np.array(row, np.int32).ctypes.data_as(ctypes.c_void_p), packed)
            assert list(packed) == wanted
            found = (ctypes.c_int32 * (len(numbers) - 1))()
            assert library.net_infer(way, packed, found) == numbers[-1]
            assert (slave.words, list(found)) == (wanted, numbers[:-1])
        slave._digest ^= 1
        assert library.net_begin(way) == -1


@pytest.mark.sim
@pytest.mark.parametrize("mode", [0, 3])
def test_micropython_runs_the_module(mode: int, tmp_path: Path) -> None:
    """The driver's own bytes on the wires of the circuit, at the fastest clock that the page allows."""
    design = dense(tmp_path)
    bus, values, _ = frames(design)
    inputs = random_inputs(design.graph, 4).values
    answers = reference.run(design.graph, inputs)
    wires = Wires(SimulatedSlave(design, mode))
    accelerator = in_python(design, bus)["Accelerator"](wires, wires)
    for k, row in enumerate(values):
        integers, label = accelerator.infer(row)
        assert integers == answers["integers"][k].reshape(-1).tolist()
        assert label == int(answers["prediction"].reshape(-1)[k])
