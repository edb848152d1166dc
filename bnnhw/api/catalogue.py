"""What there is to choose from."""

from __future__ import annotations

from typing import Any


def models(*, families: bool = False) -> list[dict[str, Any]]:
    """The shipped models: name, title, size, accuracy (share of right classes), data and licence.

    Parameters
    ----------
    families
        Instead the small ones that show a published family each: name, title, paper, idea, dialect, accuracy.
    """
    from bnnhw.shipped import family_models, shipped_models

    chosen = family_models() if families else shipped_models()
    return [{"name": model.name, **model.facts} for model in chosen.values()]


def boards() -> list[dict[str, Any]]:
    """The boards: name, part and what it has, clocks in MHz, and how a computer is connected."""
    from bnnhw.toolchain import all_boards

    return [board.to_dict() for board in all_boards()]
