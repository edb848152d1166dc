"""The levels at which a model's answers can be computed, each in a module with `answer` and `check`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bnnhw.errors import InputError
from bnnhw.hints import did_you_mean
from bnnhw.verify.levels import bitstream, board, netlist, reference, rtl, source
from bnnhw.verify.levels.base import Answer, Array, Level, Task

__all__ = ["LEVELS", "Answer", "Kind", "Level", "Task", "answers", "check_level", "check_levels"]

# What a level gives without the tensors inside.
ANSWERS = ("outputs", "integers", "prediction")


@dataclass(frozen=True)
class Kind:
    """One level.

    Parameters
    ----------
    answer
        Computes the answers.
    check
        Holds them against the reference's, which come last.
    traces
        Whether the tensors inside can be seen.
    samples
        How many are taken at most where nobody asks for a number; None for all.
    """

    answer: Callable[[Task], Answer]
    check: Callable[[Task, Answer, Answer], Level]
    traces: bool = False
    samples: int | None = None


# In the order of the data.
LEVELS = {
    "source": Kind(source.answer, source.check, traces=True),
    "reference": Kind(reference.answer, reference.check, traces=True),
    "rtl": Kind(rtl.answer, rtl.check, traces=True),
    "netlist": Kind(netlist.answer, netlist.check),
    "bitstream": Kind(bitstream.answer, bitstream.check, samples=10),
    "board": Kind(board.answer, board.check),
}


def check_levels(levels: Sequence[str], option: str = "--levels") -> tuple[str, ...]:
    """`levels`, which came with an `option`, each once, in the order of the data.

    Raises
    ------
    InputError
        If one of them does not exist.
    """
    for level in levels:
        if level not in LEVELS:
            hint = did_you_mean(level, LEVELS)
            raise InputError(f"{option} {level}: no such level{hint or ';'} there are {', '.join(LEVELS)}")
    return tuple(level for level in LEVELS if level in levels)


def check_level(level: str, all_tensors: bool) -> None:
    """Whether `level` exists, and shows the tensors inside if they are wanted.

    Raises
    ------
    InputError
        If not.
    """
    check_levels([level], "--level")
    if all_tensors and not LEVELS[level].traces:
        raise InputError(f"--all-tensors: level {level} shows only its outputs: use --level reference or rtl")


def answers(level: str, task: Task) -> dict[str, Array]:
    """What `level` answers; of a level that shows the tensors inside, them as well if `task` asks for a trace."""
    found = LEVELS[level].answer(task).arrays()
    return found if task.trace else {name: array for name, array in found.items() if name in ANSWERS}
