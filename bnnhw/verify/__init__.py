"""Compares the levels: what the model means, what the reference computes, what the hardware answers."""

from __future__ import annotations

from bnnhw.verify.comparison import USUAL_LEVELS, Comparison, compare, written
from bnnhw.verify.levels import LEVELS, Level, Task, answers, check_level, check_levels
from bnnhw.verify.rtl import RtlResult, RtlSimulation

__all__ = [
    "LEVELS",
    "USUAL_LEVELS",
    "Comparison",
    "Level",
    "RtlResult",
    "RtlSimulation",
    "Task",
    "answers",
    "check_level",
    "check_levels",
    "compare",
    "written",
]
