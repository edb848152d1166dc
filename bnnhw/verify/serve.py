"""A simulated board behind a pseudo-terminal, for programs that open a serial port."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bnnhw.errors import InputError, ToolError
from bnnhw.line import BASE_BAUD
from bnnhw.verify.simulated_board import SimulatedBoard, levels_of, rate_levels

# Kept for a program that is slow to read; then bytes are lost, as a serial port loses them.
MAX_WAITING = 1 << 20


def serve(board: SimulatedBoard, link: Path | None, ready: Callable[[str], None]) -> None:
    """Carries bytes between `board` and a pseudo-terminal until it is interrupted; then the board is closed.

    Parameters
    ----------
    link
        See `pseudo_terminal`.
    ready
        Called with the name of the port once programs can open it.

    Raises
    ------
    InputError
        If `link` exists, or cannot be made.
    ToolError
        If the simulation ends.
    """
    with board, pseudo_terminal(link) as (terminal, name):
        with suppress(KeyboardInterrupt):
            ready(name)
            relay(board, terminal)


@contextmanager
def pseudo_terminal(link: Path | None = None) -> Iterator[tuple[int, str]]:
    """Our end of a pseudo-terminal, as a file number, and the name under which others open it.

    Parameters
    ----------
    link
        Symbolic link to make, which is the name then; it is gone in the end.

    Raises
    ------
    InputError
        If `link` exists, or cannot be made.
    """
    import tty  # not on Windows

    ours, theirs = os.openpty()
    # Ours stays readable as long as theirs is open somewhere: here. No program's leaving is the end.
    try:
        tty.setraw(theirs)
        set_line_rate(theirs, BASE_BAUD)
        os.set_blocking(ours, False)
        name = os.ttyname(theirs)
        if link is None:
            yield ours, name
            return
        try:
            if link.is_symlink() and not link.exists():
                link.unlink()  # of one that was killed
            link.symlink_to(name)
        except OSError as error:
            raise InputError(f"--link {link}: cannot be made: {error.strerror}: use another name") from None
        try:
            yield ours, str(link)
        finally:
            if link.is_symlink() and os.readlink(link) == name:
                link.unlink()
    finally:
        os.close(ours)
        os.close(theirs)


# Linux: the call that gives any rate as a number, its structure's size, and where in it the rate is.
TCGETS2, TERMIOS2_BYTES, OSPEED = 0x802C542A, 44, 40


def line_rate(terminal: int) -> int:
    """Bits per second that a program has set for its end of a pseudo-terminal."""
    import fcntl
    import termios

    try:
        settings = fcntl.ioctl(terminal, TCGETS2, bytes(TERMIOS2_BYTES))
    except OSError:
        speed: int = termios.tcgetattr(terminal)[5]  # other systems keep the number itself
        return speed
    return int.from_bytes(settings[OSPEED : OSPEED + 4], "little")


def set_line_rate(terminal: int, baud: int) -> None:
    """What a program finds that does not set a rate of its own."""
    import termios

    settings = termios.tcgetattr(terminal)
    settings[4] = settings[5] = getattr(termios, f"B{baud}", baud)
    termios.tcsetattr(terminal, termios.TCSANOW, settings)


def relay(board: SimulatedBoard, terminal: int) -> None:
    """Carries bytes between `board` and the pseudo-terminal whose end `terminal` is, until it is interrupted.

    Raises
    ------
    ToolError
        If the simulation ends.
    """
    os.set_blocking(board.levels_file, False)
    to_board = to_host = b""
    baud = board.baudrate
    while True:
        sources = [board.bytes_file, *([terminal] if len(to_board) < MAX_WAITING else [])]
        sinks = [*([board.levels_file] if to_board else []), *([terminal] if to_host else [])]
        readable, writable, _ = select.select(sources, sinks, [])
        if board.bytes_file in readable:
            received = os.read(board.bytes_file, MAX_WAITING)
            if not received:
                raise ToolError(board.reason())
            to_host = (to_host + received)[:MAX_WAITING]
        if terminal in readable:
            sent = os.read(terminal, MAX_WAITING // 10)
            # A program waits for an answer before it changes its rate: all that is read came at the present one.
            if (now := line_rate(terminal)) != baud:
                baud, to_board = now, to_board + rate_levels(now)
            to_board += levels_of(sent)
        if board.levels_file in writable:
            to_board = to_board[os.write(board.levels_file, to_board) :]
        if terminal in writable:
            to_host = to_host[os.write(terminal, to_host) :]
