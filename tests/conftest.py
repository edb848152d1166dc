"""Marks: a test without one of the others is a unit test."""

from __future__ import annotations

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
