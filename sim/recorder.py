"""Watches streams inside a design: what each of them shows, cycle by cycle, as a file of changes.

    stream <index> <width> <name>           one line each, first; the name as the job has it, such as ``unit.o``
    <cycle> <index> <valid><ready> <payload>    in hexadecimal but for the two bits; the payload only while valid

A line says what holds from its cycle on. What cannot be known, since a bit of it is neither 0 nor 1, is ``x``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


class Recorder:
    """Streams of a design under test.

    Parameters
    ----------
    dut
        The design.
    names
        ``<instance>.<stream>``, or the stream alone where it is one of the design's own.
    """

    def __init__(self, dut: Any, names: Sequence[str]) -> None:
        self._signals = [_signals(dut, name) for name in names]
        self._shown = [""] * len(names)
        self._lines = [f"stream {k} {len(self._signals[k][2])} {name}\n" for k, name in enumerate(names)]

    def sample(self, cycle: int) -> None:
        """Notes what has changed; called just after the clock's edge, when signals still are as it met them."""
        for k, (valid, ready, payload) in enumerate(self._signals):
            offered, taken = valid.value, ready.value
            shown = f"{offered}{taken}"
            if offered == 1:
                value = payload.value
                shown += f" {value.to_unsigned():x}" if value.is_resolvable else " x"
            if shown != self._shown[k]:
                self._shown[k] = shown
                self._lines.append(f"{cycle:x} {k:x} {shown}\n")

    def lines(self) -> Iterator[str]:
        """The file."""
        return iter(self._lines)


def _signals(dut: Any, name: str) -> tuple[Any, Any, Any]:
    *instance, stream = name.split(".")
    unit = getattr(dut, instance[0]) if instance else dut
    valid, ready, payload = (getattr(unit, f"{stream}__{part}") for part in ("valid", "ready", "payload"))
    return valid, ready, payload
