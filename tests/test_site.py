"""The site: mkdocs builds it without a warning, every page is in its navigation, and every verb on its page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bnnhw

ROOT = Path(bnnhw.__file__).parents[1]


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--config-file", config, "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


def listed(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for inner in entry.values():
                yield from [inner] if isinstance(inner, str) else listed(inner)


@pytest.mark.end2end
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    # Without --quiet: with it, mkdocs counts no warnings either.
    done = build(ROOT / "mkdocs.yml", tmp_path)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stdout + done.stderr
    page = (tmp_path / "docs" / "api.html").read_text()
    assert all(f'id="bnnhw.{verb}"' in page for verb in bnnhw.__all__)
    assert "Makes the network exact integers" in page  # of a docstring
    assert 'href="docs/cli.html"' in (tmp_path / "index.html").read_text()


def test_every_page_is_in_the_navigation() -> None:
    from mkdocs.config import load_config

    pages = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
    for pattern in ("docs/*.md", "examples/**/*.md", "models/*.md", "models/*/README.md"):
        pages |= {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)}
    found = [*listed(load_config(str(ROOT / "mkdocs.yml")).nav)]
    assert len(found) == len({*found})
    assert {*found} == pages


def test_every_verb_has_its_place() -> None:
    shown = re.findall(r"^::: bnnhw\.(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert {*bnnhw.__all__} <= {*shown}
    assert len(shown) == len({*shown})
