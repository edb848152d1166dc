"""Results that are kept row by row in a JSON file, so that what is interrupted goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bnnhw.files import write_text

Row = dict[str, Any]
Key = tuple[Hashable, ...]


class Rows:
    """The rows of a file.

    Parameters
    ----------
    path
        Made with the first row.
    fields
        Names of the fields that tell rows apart: their values are a row's key. Rows of an older file without one of
        them are dropped.
    wanted
        The keys that there can be, in order; rows of others are dropped. None for any, in the order in which they came.
    """

    def __init__(self, path: Path, fields: Sequence[str], wanted: Iterable[Key] | None = None) -> None:
        self._path = path
        self._fields = fields
        self._wanted = None if wanted is None else list(wanted)
        rows: list[Row] = json.loads(path.read_text()) if path.is_file() else []
        self._known = {self.key(row): row for row in rows if row.keys() >= {*fields}}

    def key(self, row: Row) -> Key:
        """What tells `row` from the others."""
        return tuple(row[field] for field in self._fields)

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def __getitem__(self, key: Key) -> Row:
        return self._known[key]

    @property
    def all(self) -> list[Row]:
        """The rows, in their order."""
        if self._wanted is None:
            return list(self._known.values())
        return [self._known[key] for key in self._wanted if key in self._known]

    @property
    def missing(self) -> list[Key]:
        """The keys of which there is no row yet."""
        return [key for key in self._wanted or () if key not in self._known]

    def add(self, row: Row) -> None:
        """Takes a new row, or another one in the place of an old one, and writes the file."""
        self._known[self.key(row)] = row
        self._path.parent.mkdir(exist_ok=True)
        write_text(self._path, json.dumps(self.all, indent=1) + "\n")

    def fill(self, cases: Iterable[tuple[Key, Callable[[], Row]]], *, again: bool) -> None:
        """Adds the row that each of `cases` measures where there is none of its key, or `again`; prints it."""
        for key, measure in cases:
            if again or key not in self:
                row = measure()
                print(row, flush=True)
                self.add(row)

    def complete(self, page: str) -> bool:
        """Whether all rows are here; says so where `page` has to wait for some."""
        if self.missing:
            first = " ".join(map(str, self.missing[0]))
            print(f"{page} stays as it is: {len(self.missing)} results are missing, first {first}")
        return not self.missing
