"""Why a node of a model file does not map."""

from __future__ import annotations


class Refusal(Exception):
    """One node is refused: the reason, and what the user can do. The importer collects them all."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


def shown(sizes: list[int]) -> str:
    """A list for a message: a hostile file can hold a very long one."""
    return str(sizes) if len(sizes) <= 8 else f"[{', '.join(str(size) for size in sizes[:8])}, ...]"
