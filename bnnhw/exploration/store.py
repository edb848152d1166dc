"""Answers that are kept in a folder, so that what is interrupted goes on where it stopped."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bnnhw.errors import InputError
from bnnhw.exploration.tasks import Answer, Task, digest
from bnnhw.files import write_text
from bnnhw.reading import read_json


class Store:
    """A folder with a file for each answer.

    A file is there only when it is complete. Those of other tasks are left alone: an exploration that is extended, or
    made smaller and extended again, finds its answers.

    Parameters
    ----------
    folder
        Made with the first answer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, task: Task) -> Answer | None:
        """The answer to `task`, if it is known; a damaged file counts for nothing."""
        path = self._path(task)
        if not path.is_file():
            return None
        try:
            found = read_json(path, remedy="")
        except InputError:
            return None
        if not isinstance(found, dict) or found.get("task") != json.loads(json.dumps(task.key)):
            return None
        answer = found.get("answer")
        return answer if isinstance(answer, dict) else None

    def add(self, task: Task, answer: Answer) -> None:
        """Keeps the answer to `task`.

        Raises
        ------
        InputError
            If the folder or the disk refuses.
        """
        write_text(self._path(task), json.dumps({"task": task.key, "answer": answer}, indent=1) + "\n")

    def _path(self, task: Task) -> Path:
        words = re.sub(r"[^A-Za-z0-9.]+", "-", task.name).strip("-.")[:80]
        return self._folder / f"{words}-{digest(task)}.json"
