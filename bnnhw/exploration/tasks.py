"""What is to be found out, and how answers are told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

Answer = dict[str, Any]
"""What a task found: as JSON can hold it."""


class Task(Protocol):
    """One thing to find out, in any process, on any machine.

    A task is pickled on its way to a worker, so it holds names and digests of files, not what is in them.
    """

    @property
    def name(self) -> str:
        """In a few words, for messages and file names."""
        ...

    @property
    def key(self) -> Mapping[str, Any]:
        """All that the answer depends on, as JSON can hold it."""
        ...

    def answer(self) -> Answer:
        """Finds it out.

        Raises
        ------
        BnnhwError
            If it cannot be found out here and now. What will never be otherwise is an answer.
        """
        ...


def digest(task: Task) -> str:
    """16 hexadecimal digits of the task's key."""
    return hashlib.sha256(json.dumps(task.key, sort_keys=True).encode()).hexdigest()[:16]
