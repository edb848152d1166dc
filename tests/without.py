"""``python -m tests.without MODULE,MODULE ... -- COMMAND``: bnnhw's command line where some modules are not installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class Missing(MetaPathFinder):
    """Finds none of some modules: what imports them gets the error of an environment without them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        if name.split(".")[0] in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


if __name__ == "__main__":
    missing, _, *arguments = sys.argv[1:]
    sys.meta_path.insert(0, Missing(missing.split(",")))
    from bnnhw.cli import main

    sys.exit(main(arguments))
