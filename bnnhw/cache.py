"""The folder in which compiled simulations and netlists are kept between runs, and those of the tools."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from bnnhw.errors import ToolError

VARIABLE = "BNNHW_CACHE"


def cache_folder(part: str) -> Path:
    """The folder `part` of the user's cache, or of the folder that BNNHW_CACHE names; it is made.

    Raises
    ------
    ToolError
        If it cannot be written.
    """
    named = os.environ.get(VARIABLE)
    path = Path(named or platformdirs.user_cache_dir("bnnhw", appauthor=False)).absolute() / part
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        remedy = f"set {VARIABLE} to a folder that can"
        raise ToolError(f"the cache {path} cannot be written ({error.strerror or error}): {remedy}") from None
    return path


def tool_environment() -> dict[str, str]:
    """Variables for the tools from PyPI, which keep what they compile in a cache of their own: where that cannot be
    written, in ours.

    Raises
    ------
    ToolError
        If ours cannot be written either.
    """
    if "YOWASP_CACHE_DIR" in os.environ or _writable(Path(platformdirs.user_cache_dir("YoWASP", appauthor=False))):
        return {}
    return {"YOWASP_CACHE_DIR": str(cache_folder("YoWASP"))}


def _writable(folder: Path) -> bool:
    """Whether files could be made in `folder`, which may have to be made itself."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
