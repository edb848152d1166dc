"""How far nextpnr is, from what it prints: that is the only place where it says so."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from bnnhw.progress import Tell

# What a line of each stage looks like, and what it means in words; in the order of the stages.
STAGES = {
    r"Packing ": "packing",
    r"at initial placer iter (?P<n>\d+), wirelen = (?P<wires>\d+)": "placing, first pass {n}: wire length {wires}",
    r"at iteration #(?P<n>\d+), type .* legal = (?P<wires>\d+)": "placing, iteration {n}: wire length {wires}",
    r"iter=(?P<n>\d+) steplen=": "placing, iteration {n}",
    r"at iteration #(?P<n>\d+): temp = .* wirelen = (?P<wires>\d+)": "refining, iteration {n}: wire length {wires}",
    r"iter=(?P<n>\d+) wires=\d+ overused=(?P<wires>\d+)": "routing, iteration {n}: overused wires {wires}",
    r"Routing (?P<wires>\d+) arcs": "routing: connections left {wires}",
    r"(?P<n>\d+) \|.*\| +(?P<wires>\d+)\| +[\d.]+ +[\d.]+\|": "routing, iteration {n}: connections left {wires}",
}
_LINES = {re.compile(rf"Info: +{line}"): words for line, words in STAGES.items()}


def meaning(line: str) -> str | None:
    """What a line that nextpnr prints says of how far it is; None where it says nothing of that."""
    for pattern, words in _LINES.items():
        found = pattern.match(line)
        if found is not None:
            return words.format_map({name: f"{int(number):,}" for name, number in found.groupdict().items()})
    return None


class Routes:
    """How far the routes of some seeds are, several of them at a time, told as one.

    Parameters
    ----------
    tell
        Told at every news.
    seeds
        How many there are in all.
    """

    def __init__(self, tell: Tell, seeds: int) -> None:
        self._tell, self._seeds = tell, seeds
        self._done = 0
        self._states: dict[int, str] = {}
        self._lock = threading.Lock()

    @contextmanager
    def route(self, seed: int) -> Iterator[Callable[[str], None]]:
        """The route of one seed; gives what is to be called with every line that nextpnr prints."""

        def heard(line: str) -> None:
            state = meaning(line)
            if state is not None:
                with self._lock:
                    self._states[seed] = state
                    self._tell(self._words(self._states))

        try:
            yield heard
        finally:
            with self._lock:
                self._states.pop(seed, None)
                self._done += 1

    def _words(self, states: Mapping[int, str]) -> str:
        if self._seeds == 1:
            return next(iter(states.values()))
        done = [f"{self._done} of {self._seeds} done"] if self._done else []
        return "; ".join([*done, *(f"seed {seed} {state}" for seed, state in sorted(states.items()))])
