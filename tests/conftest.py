"""Marks: a test without one of the others is a unit test. And what coverage need not look at."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

OTHERS = {"sim", "synth", "end2end"}
# All tests of these folders simulate.
SIMULATED = {"gateware"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name in SIMULATED:
            item.add_marker(pytest.mark.sim)
        if not OTHERS & {mark.name for mark in item.iter_markers()}:
            item.add_marker(pytest.mark.unit)


@pytest.fixture(scope="session", autouse=True)
def amaranth_without_coverage() -> Iterator[None]:
    """Where Amaranth works without calling bnnhw: on circuits that are described, and in simulations. To look at each of
    these lines took coverage longer than they take."""
    from amaranth.back import rtlil
    from amaranth.hdl import Fragment
    from amaranth.sim import Simulator
    from amaranth.sim.pysim import PySimEngine

    places = [(Fragment, "prepare"), (PySimEngine, "__init__"), (Simulator, "run"), (Simulator, "run_until")]
    with pytest.MonkeyPatch.context() as patch:
        for place, name in [*places, (rtlil, "convert_fragment")]:
            patch.setattr(place, name, unobserved(getattr(place, name)))
        yield


def unobserved(method: Callable[..., Any]) -> Callable[..., Any]:
    """`method`, at whose lines coverage does not look; a debugger does."""

    @functools.wraps(method)
    def run(*arguments: Any, **options: Any) -> Any:
        observer = sys.gettrace()
        if not type(observer).__module__.startswith("coverage"):
            return method(*arguments, **options)
        sys.settrace(None)
        try:
            return method(*arguments, **options)
        finally:
            sys.settrace(observer)

    return run
