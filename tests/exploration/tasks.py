"""Tasks whose answers take no time, which can be pickled, and which can go wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnhw.errors import ToolError
from bnnhw.exploration.executors import Here
from bnnhw.exploration.tasks import Answer


@dataclass(frozen=True)
class Square:
    """The square of a number. Each time it is found is told by a line in the file `log`."""

    number: int
    log: Path

    @property
    def name(self) -> str:
        return f"square of {self.number}"

    @property
    def key(self) -> Mapping[str, Any]:
        return {"number": self.number}

    def answer(self) -> Answer:
        with self.log.open("a") as file:
            file.write(f"{self.number}\n")
        return {"square": self.number**2}


@dataclass(frozen=True)
class Deadly(Square):
    """Ends the process that it runs in the first `deaths` times, as a kernel does that runs out of memory."""

    deaths: int = 1

    def answer(self) -> Answer:
        answer = super().answer()
        if self.log.read_text().splitlines().count(str(self.number)) <= self.deaths:
            os._exit(9)
        return answer


@dataclass(frozen=True)
class Refused(Square):
    """Fails as a tool does that is missing."""

    def answer(self) -> Answer:
        super().answer()
        raise ToolError(f"no {self.number} today")


@dataclass(frozen=True)
class Defective(Square):
    """Fails as nothing should."""

    def answer(self) -> Answer:
        raise ZeroDivisionError(f"with {self.number}")


class Interrupted(Here):
    """Is interrupted when it has made some answers and begins with the next one."""

    def __init__(self, after: int) -> None:
        self._left = after

    def submit(self, *arguments: Any, **options: Any) -> Future[Any]:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        return super().submit(*arguments, **options)


def squares(count: int, log: Path) -> list[Square]:
    return [Square(number, log) for number in range(count)]


def logged(log: Path) -> list[int]:
    """The numbers in the order in which their squares were found."""
    return [int(line) for line in log.read_text().splitlines()] if log.exists() else []
