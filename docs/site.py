"""For mkdocs: the pages of the site lie in several folders, and keep their places, so that links between them hold."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "docs/*.md", "docs/*.svg", "examples/**/*", "models/*.md", "models/*/README.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The theme's files, and instead of those of docs/ all of `PAGES`."""
    found = [file for file in files if file.src_dir != config.docs_dir]
    for path in sorted({path for pattern in PAGES for path in ROOT.glob(pattern) if path.is_file()}):
        if "__pycache__" not in path.parts:
            place = path.relative_to(ROOT).as_posix()
            found.append(File(place, str(ROOT), config.site_dir, config.use_directory_urls))
    return Files(found)
