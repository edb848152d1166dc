"""The levels at which a model's answers can be computed, each in a module with `answer` and `check`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bnnhw.errors import InputError
from bnnhw.hints import did_you_mean
from bnnhw.verify.levels import bitstream, board, netlist, reference, rtl, source
from bnnhw.verify.levels.base import Answer, Level, Task

__all__ = ["LEVELS", "Answer", "Kind", "Level", "Task", "check_levels"]


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


def check_levels(levels: Sequence[str]) -> tuple[str, ...]:
    """`levels`, each once, in the order of the data.

    Raises
    ------
    InputError
        If one of them does not exist.
    """
    for level in levels:
        if level not in LEVELS:
            hint = did_you_mean(level, LEVELS)
            raise InputError(f"--levels {level}: no such level{hint or ';'} there are {', '.join(LEVELS)}")
    return tuple(level for level in LEVELS if level in levels)
