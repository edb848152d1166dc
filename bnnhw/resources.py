"""Where the folders that are not Python packages lie: boards, sim and models.

In a checkout they are at the top level; in an installed wheel they are inside the package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder ``boards``, ``sim`` or ``models``, in the wheel or in the checkout."""
    for parent in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"the installation lacks its folder {name!r}: install bnnhw again")
