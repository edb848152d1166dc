"""The whole design of a board in a simulator: this computer is its oscillator and the other end of its serial line."""

from __future__ import annotations

import contextlib
import os
import select
import struct
import subprocess
import tempfile
from types import SimpleNamespace
from typing import Any, Self

from bnnhw.design import Design
from bnnhw.errors import PlanError
from bnnhw.line import BASE_BAUD
from bnnhw.resources import folder
from bnnhw.toolchain import Board, carry_cells, find_board
from bnnhw.verify.executable import executable
from bnnhw.verify.netlist import models

FLASH_PORTS = ("flash_cs", "flash_clk", "flash_copi", "flash_cipo")
"""Ports of a board whose design reads a flash: its select (active low), clock, data to it and data from it."""

HIGH, LOW, RATE = b"\1", b"\0", b"\2"
REPORT = struct.Struct("=Q")

_LEVELS = [bytes([0, *(byte >> k & 1 for k in range(8)), 1]) for byte in range(256)]


def levels_of(content: bytes) -> bytes:
    """Bytes as a UART puts them on its line: for each a start bit, 8 bits from the lowest, and a stop bit.

    Returns
    -------
    One byte, 0 or 1, per bit.
    """
    return b"".join([_LEVELS[byte] for byte in content])


def rate_levels(baud: int) -> bytes:
    """What tells the simulation, among levels, that this end of the line has another rate from here on."""
    return RATE + baud.to_bytes(4, "little")


class SimulatedBoard:
    """A port (see `bnnhw.host.Port`) to a board that a simulator stands in for.

    What is on the line is timed in the board's clock cycles by `baudrate`, which need not be the board's.

    Everything is there but the PLL: pins of the UART, packets, crossing of clock domains, accelerator. The accelerator
    runs at the oscillator's clock. While nothing happens on the line, the clock stands still.

    Parameters
    ----------
    design
        What the board runs.
    baud
        The rate that the line can go to, as `Board.fast_baud` takes it; None for the board's own.
    verilog
        The module ``board``, with the ports ``clk``, ``rx`` and ``tx``, and those of `FLASH_PORTS` where its design
        reads a flash; None to make it for the design.
    flash
        What the board's flash holds where the design looks for the image of its memories; None for that image.
    settled
        Whether the board has left the reset after its configuration; before, it is deaf.

    Attributes
    ----------
    timeout
        None if `read` waits for as long as it takes. Otherwise it ends when the board has nothing more to say, which
        the simulation knows: how fast this computer is does not matter.

    Raises
    ------
    PlanError
        If the board's oscillator cannot give `baud`, or the design does not fit the link.
    ToolError
        If Yosys, Verilator or a C++ compiler is missing.
    """

    timeout: float | None = None

    def __init__(
        self,
        design: Design,
        *,
        baud: int | None = None,
        verilog: str | None = None,
        flash: bytes | None = None,
        settled: bool = True,
    ) -> None:
        board = find_board(design.plan.board)
        clk_hz = round(board.link_mhz * 1e6)
        fast_baud = board.fast_baud(baud)
        reads = reads_flash(design, board)
        program = executable(
            verilog or board_verilog(design, board, fast_baud),
            "board",
            folder("sim") / "board_harness.cpp",
            beside=("flash.h",),
            defines=("BOARD_FLASH",) if reads else (),
        )
        frame_bytes = -(-design.plan.input_elements * design.plan.input_dtype.bits // 8)
        # Twice what lies between a request's last bit and its answer's first, and more than the reset takes.
        quiet_cycles = 100 * clk_hz // BASE_BAUD + 2 * (10 * frame_bytes + design.estimate["latency_cycles"])
        flash_file: list[str] = []
        if reads:
            assert board.flash is not None and design.image is not None
            self._flash = tempfile.NamedTemporaryFile(prefix="bnnhw-flash-")  # noqa: SIM115
            self._flash.write(design.image if flash is None else flash)
            self._flash.flush()
            flash_file = [self._flash.name, str(board.flash.address)]
        # In a session of its own, so that Ctrl-C reaches this program alone; it ends with its standard input.
        self._reports, reports = os.pipe()
        os.set_blocking(reports, False)
        self._process = subprocess.Popen(
            [program, str(clk_hz), str(quiet_cycles), str(reports), str(BASE_BAUD), *flash_file],
            pass_fds=[reports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(reports)
        # Levels that were sent, and that were taken when the clock last stood still.
        self._sent, self._settled = 0, -1
        assert self._process.stdin is not None and self._process.stdout is not None
        self._received = bytearray()
        self._baudrate = BASE_BAUD
        self.levels_file = self._process.stdin.fileno()
        self.bytes_file = self._process.stdout.fileno()
        if settled:
            from bnnhw.gateware.pll import RESET_SECONDS  # Amaranth takes long to import

            self.write_levels((round(2 * RESET_SECONDS * BASE_BAUD) + 10) * HIGH)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def in_waiting(self) -> int:
        """Bytes that `read` would give at once."""
        while self._ready(0.0):
            self._take()
        return len(self._received)

    def read(self, size: int = 1, /) -> bytes:
        """Up to `size` bytes that the board sent; fewer where it has no more to say and there is a `timeout`."""
        while len(self._received) < size:
            if self.timeout is not None and not self._speaks():
                break
            self._take()
        received = bytes(self._received[:size])
        del self._received[:size]
        return received

    def _speaks(self) -> bool:
        """Waits until the board has sent something, or has no more to say."""
        while self._settled != self._sent:
            if self.bytes_file in select.select([self.bytes_file, self._reports], [], [])[0]:
                return True
            report = os.read(self._reports, REPORT.size)
            if not report:  # the simulation has ended, which `_take` will say
                return True
            (self._settled,) = REPORT.unpack(report)
        # What it sent before it said so is there by now.
        return self._ready(0.0)

    def _ready(self, seconds: float | None) -> bool:
        return bool(select.select([self.bytes_file], [], [], seconds)[0])

    def _take(self) -> None:
        """Takes what the board sent, and waits for it."""
        sent = os.read(self.bytes_file, 1 << 16)
        if not sent:
            raise OSError(self.reason())
        self._received += sent

    @property
    def baudrate(self) -> int:
        """Bits per second of this end of the line: of what is written from now on, and of how the board is heard."""
        return self._baudrate

    @baudrate.setter
    def baudrate(self, baud: int) -> None:
        self._baudrate = baud
        self.write_levels(rate_levels(baud))

    def write(self, content: bytes, /) -> int:
        """Sends `content` to the board."""
        self.write_levels(levels_of(content))
        return len(content)

    def write_levels(self, levels: bytes) -> None:
        """Puts levels on the line as they are, 0 or 1 for the time of a bit each."""
        self._sent += len(levels)
        while levels:
            levels = levels[os.write(self.levels_file, levels) :]

    def reason(self) -> str:
        """Why the board ended by itself."""
        _, said = self._process.communicate()
        return f"the simulated board ended: {said.decode(errors='replace').strip() or self._process.returncode}"

    def close(self) -> int:
        """Ends the simulation; gives the clock cycles that it went through, 0 if it had ended before."""
        if self._reports >= 0:
            os.close(self._reports)
            self._reports = -1
        if self._process.returncode is not None:
            return 0
        with contextlib.suppress(BrokenPipeError):
            _, said = self._process.communicate()
            return int(said) if self._process.returncode == 0 else 0
        return 0


def reads_flash(design: Design, board: Board) -> bool:
    """Whether the design reads the flash of its board."""
    return design.plan.loads and board.flash is not None


class _Pins:
    """Stands in for the board's Amaranth platform: every pin is a signal."""

    def __init__(self, board: Board) -> None:
        from amaranth.lib import io

        self.clock = io.SimulationPort("i", 1, name="clock")
        self.uart = SimpleNamespace(
            rx=io.SimulationPort("i", 1, name="uart_rx"), tx=io.SimulationPort("o", 1, name="uart_tx")
        )
        self._resources: dict[tuple[str, int], Any] = {board.clock: self.clock, board.uart: self.uart}
        if board.flash is not None:
            self.flash = SimpleNamespace(
                cs=io.SimulationPort("o", 1, name="flash_cs", invert=True),
                clk=io.SimulationPort("o", 1, name="flash_clk"),
                dq=io.SimulationPort("io", 2, name="flash_dq"),
            )
            self._resources[board.flash.pins] = self.flash

    def request(self, name: str, number: int, *, dir: str) -> Any:
        """What `BoardTop` asks a platform for."""
        assert dir == "-"
        return self._resources[name, number]


def board_verilog(design: Design, board: Board, fast_baud: int | None) -> str:
    """The module ``board``, with the ports ``clk``, ``rx`` and ``tx``, and `FLASH_PORTS` where it reads a flash: what a
    bitstream holds, but for PLL and LEDs.

    Raises
    ------
    PlanError
        If the board's oscillator cannot give the rates of the line, or the design does not fit the link.
    ToolError
        If Yosys, which writes the Verilog, is not installed.
    """
    from amaranth.hdl import Module, Signal  # Amaranth takes long to import

    from bnnhw.generate.board_top import BoardTop
    from bnnhw.generate.rtlil import rtlil
    from bnnhw.toolchain.verilog import verilog

    pins = _Pins(board)
    try:
        top = BoardTop(
            design.plan,
            design.network,
            clk_hz=board.link_mhz * 1e6,
            fast_baud=fast_baud,
            clock=board.clock,
            uart=board.uart,
            leds={},
            flash=None if board.flash is None else (board.flash.pins, board.flash.address),
        )
    except ValueError as error:
        raise PlanError(f"board {board.name} cannot run {design.plan.model}: {error}") from None
    clk, rx, tx = Signal(name="clk"), Signal(name="rx"), Signal(name="tx")
    m = Module()
    m.submodules.top = top
    m.d.comb += [pins.clock.i.eq(clk), pins.uart.rx.i.eq(rx), tx.eq(pins.uart.tx.o)]
    ports = [clk, rx, tx]
    if reads_flash(design, board):
        select, flash_clk, copi, cipo = flash_ports = [Signal(name=name) for name in FLASH_PORTS]
        m.d.comb += [select.eq(pins.flash.cs.o), flash_clk.eq(pins.flash.clk.o)]
        m.d.comb += [copi.eq(pins.flash.dq.o[0]), pins.flash.dq.i[1].eq(cipo)]
        ports += flash_ports
    text = verilog(rtlil(m, "board", platform=pins, ports=ports))
    # On a board, carry chains of ECP5 and memories that are loaded are vendor cells.
    if board.device.family == "ecp5":
        return "\n".join((text, carry_cells.ecp5_techmap(), models(board.device)))
    return "\n".join((text, models(board.device))) if design.plan.loads else text
