"""How work that takes long tells what it is at, how far it is, and how long it took."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TextIO

Tell = Callable[[str], None]
"""Told how far a step is, in a few words, as often as there is news."""

Progress = Callable[[str], AbstractContextManager[Tell]]
"""Told of every step that takes long: called with its description, entered when it starts and left when it ends. What
it gives when entered is told how far the step is."""

# Seconds between two looks at the clock on a terminal, and after which a log is told that a step has begun.
TICK, PATIENCE = 1.0, 2.0


def silent(step: str) -> AbstractContextManager[Tell]:
    """The progress of those who do not care."""
    return nullcontext(lambda state: None)


@contextmanager
def shown(what: str) -> Iterator[Tell]:
    """Says on stderr that `what` is going on, and how long it took.

    On a terminal that is one line, written over as time goes on and the step tells how far it is. Elsewhere, in a log
    or a notebook, it is one line for each step that ends well; that of a step of more than a few seconds begins before
    the step ends. A step within a step is part of the outer one's line.
    """
    if _open:
        _open[-1].tell(what)
        yield _open[-1].tell
        return
    step = _Step(what, sys.stderr)
    _open.append(step)
    ticking = threading.Thread(target=step.tick, daemon=True)
    ticking.start()
    done = False
    try:
        yield step.tell
        done = True
    finally:
        _open.remove(step)
        step.ended.set()
        ticking.join()
        step.end(done=done)


def told(state: str) -> None:
    """Tells the step that is `shown` how far it is; nothing where there is none."""
    for step in _open[-1:]:
        step.tell(state)


class _Step:
    """A step and the line that it has on `stream`."""

    def __init__(self, what: str, stream: TextIO) -> None:
        self._what, self._stream = what, stream
        self._live = stream.isatty()
        self._started = time.monotonic()
        self._state = ""
        self._drawn: str | None = None
        self._lock = threading.Lock()
        self.ended = threading.Event()
        if self._live:
            self._draw(f"{what} ...")

    def tick(self) -> None:
        """Shows the time that passes, until the step has ended."""
        if self._live:
            while not self.ended.wait(TICK):
                self._draw()
        elif not self.ended.wait(PATIENCE):
            self._drawn = f"{self._what} ..."
            print(self._drawn, end="", file=self._stream, flush=True)

    def tell(self, state: str) -> None:
        """Shows `state` on a terminal, with the next tick at the latest."""
        self._state = state

    def end(self, *, done: bool) -> None:
        """The last that the line shows."""
        line = f"{self._what} ... {self._seconds():.1f} s"
        if not done:
            if self._drawn is not None:
                print(file=self._stream)
        elif self._live:
            self._draw(line)
            print(file=self._stream)
        else:
            print(line[len(self._drawn or "") :], file=self._stream, flush=True)

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _draw(self, line: str = "") -> None:
        """Writes over the line: with `line`, or with the time and how far the step is."""
        width = shutil.get_terminal_size().columns - 1
        text = line or ", ".join(filter(None, (f"{self._what} ... {self._seconds():.0f} s", self._state)))
        text = text if len(text) <= width else f"{text[: width - 4]} ..."
        with self._lock:
            before = "" if self._drawn is None else "\r"
            print(f"{before}{text.ljust(len(self._drawn or ''))}", end="", file=self._stream, flush=True)
            self._drawn = text


_open: list[_Step] = []
