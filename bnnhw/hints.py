"""What a user may have meant by a mistyped word."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `word`, whatever the case of its letters; None if none is like it."""
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question to put behind a refusal of `word`: ``", did you mean X?"``, or nothing."""
    found = nearest(word, known)
    return "" if found is None else f", did you mean {found}?"
