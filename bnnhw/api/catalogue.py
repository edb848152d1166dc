"""What there is to choose from."""

from __future__ import annotations

from typing import Any


def models() -> list[dict[str, Any]]:
    """The shipped models: name, title, size, accuracy (share of right classes), data and licence."""
    from bnnhw.shipped import shipped_models

    return [{"name": model.name, **model.facts} for model in shipped_models().values()]


def boards() -> list[dict[str, Any]]:
    """The boards: name, part and what it has, clocks in MHz, and how a computer is connected."""
    from bnnhw.toolchain import all_boards

    return [board.to_dict() for board in all_boards()]
