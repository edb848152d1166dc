"""Runs programs on the simulated engine."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from bnnhw.errors import ToolError
from bnnhw.layer_table import EngineShape
from bnnhw.parts import Part
from bnnhw.resources import folder
from bnnhw.toolchain.verilog import verilog
from bnnhw.verify.executable import executable
from bnnhw.verify.netlist import models, synthesise

# Cycles in which nothing goes over any stream, after which an engine hangs.
HANG_CYCLES = 2_000_000


@dataclass
class Session:
    """What is done to an engine, one thing after the other."""

    items: list[str] = field(default_factory=list)
    answers: int = 0

    def load(self, image: Sequence[int], *, last: bool = True) -> None:
        """Sends a program's image."""
        self._packet("P", image, last)

    def send(self, frame: Sequence[int], *, last: bool = True) -> None:
        """Sends a frame, whole or not."""
        self._packet("F", frame, last)

    def await_answers(self, count: int) -> None:
        """Waits until that many more answers are there."""
        self.answers += count
        self.items.append(f"A {self.answers:x}")

    def wait(self, cycles: int) -> None:
        self.items.append(f"C {cycles:x}")

    def _packet(self, kind: str, words: Sequence[int], last: bool) -> None:
        self.items.append(" ".join([kind, f"{int(last)}", f"{len(words):x}", *(f"{int(word):x}" for word in words)]))


@dataclass
class Seen:
    """What an engine did.

    Parameters
    ----------
    answers
        The words of each answer.
    starts, ends
        Cycles in which the first word of each frame was taken, and the last one of each answer.
    states
        Whether it was stopped, and had refused a program, after each item.
    hung, broken
        Whether nothing moved any more, and whether a beat was withdrawn or changed.
    """

    answers: list[list[int]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    states: list[tuple[bool, bool]] = field(default_factory=list)
    hung: bool = False
    broken: bool = False


def engine_netlist(shape: EngineShape, part: Part) -> str:
    """The module ``engine`` in cells of a part, with their models.

    Raises
    ------
    ToolError
        If yosys is missing or fails.
    """
    from bnnhw.generate.engine import engine_rtlil  # Amaranth takes long to import

    return models(part) + synthesise(engine_rtlil(shape), part, "engine")


def run_session(
    shape: EngineShape, session: Session, *, netlist: str | None = None, i_stall: int = 0, o_stall: int = 0,
    seed: int = 0, hang_cycles: int = HANG_CYCLES,
) -> Seen:  # fmt: skip
    """Has the simulated engine of `shape` do all of a session.

    Parameters
    ----------
    netlist
        What is simulated; None for the engine before synthesis.
    i_stall, o_stall
        Percent of the cycles in which nothing is offered, or taken.

    Raises
    ------
    ToolError
        If it cannot be compiled, or run.
    """
    from bnnhw.generate.engine import engine_rtlil  # Amaranth takes long to import

    text = verilog(engine_rtlil(shape, simulated=True)) if netlist is None else netlist
    program = executable(text, "engine", folder("sim") / "engine_harness.cpp", defines=[f"LANES={shape.lanes}"])
    done = subprocess.run(
        [str(program), *(str(value) for value in (i_stall, o_stall, seed, hang_cycles))],
        input="\n".join(session.items) + "\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ToolError(f"the simulation of the engine failed: exit status {done.returncode}: {done.stderr.strip()}")
    seen, answer = Seen(), list[int]()
    for line in done.stdout.splitlines():
        kind, *rest = line.split()
        numbers = [int(number, 16) for number in rest]
        if kind == "i":
            seen.starts.append(numbers[0])
        elif kind == "o":
            answer.append(numbers[1])
            if numbers[2]:
                seen.answers.append(answer)
                seen.ends.append(numbers[0])
                answer = []
        elif kind == "s":
            seen.states.append((bool(numbers[1]), bool(numbers[2])))
        elif kind == "hang":
            seen.hung = True
        else:
            seen.broken = True
    return seen
