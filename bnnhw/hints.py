"""What a user may have meant by a mistyped word."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

# Files of a folder that are looked at.
MAX_FILES = 2000


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `word`, whatever the case of its letters; None if none is like it."""
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question to put behind a refusal of `word`: ``", did you mean X?"``, or nothing."""
    found = nearest(word, known)
    return "" if found is None else f", did you mean {found}?"


def did_you_mean_file(path: Path) -> str:
    """The same for a `path` that does not exist: what lies where the first part of it that is missing would."""
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    try:
        known = [other.name for other in islice(missing.parent.iterdir(), MAX_FILES)]
    except OSError:
        return ""
    found = nearest(missing.name, known)
    return "" if found is None or missing.exists() else f", did you mean {missing.parent / found}?"
