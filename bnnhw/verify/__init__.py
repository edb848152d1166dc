"""Compares the levels: what the model means, what the reference computes, what the hardware answers."""

from __future__ import annotations

from bnnhw.verify.compare import LEVELS, Comparison, Level, check_levels, compare
from bnnhw.verify.rtl import RtlResult, RtlSimulation

__all__ = ["LEVELS", "Comparison", "Level", "RtlResult", "RtlSimulation", "check_levels", "compare"]
