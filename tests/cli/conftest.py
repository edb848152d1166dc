"""The command line, called inside the test's own process."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bnnhw.cli import main

# The line of a step, ended or given up.
STEP = re.compile(r".+ \.\.\.( \d+\.\d s)?\n")


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit status, stdout, stderr."""

    status: int
    out: str
    err: str

    @property
    def complaints(self) -> str:
        """Stderr without the lines of steps."""
        return "".join(line for line in self.err.splitlines(keepends=True) if STEP.fullmatch(line) is None)

    @property
    def json(self) -> Any:
        """Stdout, which must be one JSON document."""
        return json.loads(self.out)


CLI = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Programs that are started here heed Ctrl-C, also where this one was told to ignore it (behind `&` in a script)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> CLI:
    """Runs ``bnnhw`` with the given arguments, each made a string."""

    def run(*arguments: object) -> Outcome:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as leave:  # --help and --version
            status = leave.code if isinstance(leave.code, int) else 0
        written = capsys.readouterr()
        return Outcome(status, written.out, written.err)

    return run


@pytest.fixture
def refused(cli: CLI) -> CLI:
    """Runs a command that must fail as the user's error: status 2, nothing on stdout, a short message, no traceback.

    Of the outcome's stderr, the lines of steps that were done before are left out.
    """

    def run(*arguments: object, lines: int = 2) -> Outcome:
        outcome = cli(*arguments)
        outcome = replace(outcome, err=outcome.complaints)
        assert outcome.status == 2, outcome
        assert outcome.out == ""
        assert outcome.err.startswith("bnnhw: error: ")
        assert "Traceback" not in outcome.err
        assert len(outcome.err.splitlines()) <= lines, outcome.err
        return outcome

    return run
